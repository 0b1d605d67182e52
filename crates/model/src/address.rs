//! What kind of place an IP address is, for whoever sends something there.
//!
//! `93.184.216.34` is anywhere, `10.1.2.3` a network of one's own, and `169.254.169.254` a metadata
//! service that hands out credentials to whoever asks.
//!
//! Must not know: names, sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services that are not link-local.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Somewhere on the internet.
    Public,
    /// This machine, or a network that is not the internet's.
    Private,
    /// Nowhere that anything is sent to: link-local, metadata services, multicast, `0.0.0.0/8`.
    Nowhere,
}

/// Which addresses may be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressReach {
    /// Those of the internet.
    #[default]
    Public,
    /// This machine's and private networks' too.
    Private,
}

impl AddressReach {
    /// Whether something may be sent there.
    ///
    /// INVARIANT: what is [`Place::Nowhere`] is spoken to by nobody, whatever is configured.
    pub fn admits(self, ip: IpAddr) -> bool {
        match Place::of(ip) {
            Place::Public => true,
            Place::Private => self == Self::Private,
            Place::Nowhere => false,
        }
    }
}

impl Place {
    /// Where this address is.
    pub fn of(ip: IpAddr) -> Self {
        let ip = carried(ip.to_canonical());
        if ip.is_unspecified() || ip.is_multicast() || METADATA.contains(&ip) {
            return Self::Nowhere;
        }
        let (nowhere, private) = match ip {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => (v6.is_unicast_link_local(), is_private_v6(v6)),
        };
        match (nowhere, private || ip.is_loopback()) {
            (true, _) => Self::Nowhere,
            (false, true) => Self::Private,
            (false, false) => Self::Public,
        }
    }
}

/// The IPv4 address that an IPv6 one only carries: translators (`64:ff9b::/96`), 6to4
/// (`2002::/16`) and the old compatible form (`::/96`) all lead to it. `::` and `::1` are themselves.
fn carried(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let (high, low) = match (a, b, c, d, e, f) {
        (0x64, 0xff9b, 0, 0, 0, 0) => (g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => (g, h),
        (0x2002, ..) => (b, c),
        _ => return ip,
    };
    let ([first, second], [third, fourth]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(first, second, third, fourth))
}

/// `fc00::/7`, the local translators' `64:ff9b:1::/48`, and the old site-local `fec0::/10`.
fn is_private_v6(v6: Ipv6Addr) -> bool {
    let [a, b, c, ..] = v6.segments();
    v6.is_unique_local() || (a, b, c) == (0x64, 0xff9b, 1) || a & 0xffc0 == 0xfec0
}

fn of_v4(v4: Ipv4Addr) -> (bool, bool) {
    let [first, second, ..] = v4.octets();
    let nowhere = v4.is_link_local() || v4.is_broadcast() || first == 0;
    // 100.64.0.0/10 is between carriers and their customers.
    let shared = first == 100 && (64..128).contains(&second);
    (nowhere, v4.is_private() || shared)
}

#[cfg(test)]
mod tests {
    use super::{AddressReach, Place};

    #[test]
    fn addresses_are_somewhere_private_or_nowhere() {
        for (ip, place) in [
            ("93.184.216.34", Place::Public),
            ("2606:2800:220:1::1", Place::Public),
            ("127.0.0.1", Place::Private),
            ("127.9.9.9", Place::Private),
            ("::1", Place::Private),
            ("10.0.0.1", Place::Private),
            ("172.16.0.1", Place::Private),
            ("172.32.0.1", Place::Public),
            ("192.168.1.9", Place::Private),
            ("100.64.0.1", Place::Private),
            ("::ffff:10.0.0.1", Place::Private),
            ("fd12::1", Place::Private),
            ("fec0::1", Place::Private),
            ("64:ff9b:1::a00:1", Place::Private),
            ("64:ff9b::5db8:d822", Place::Public),
            ("64:ff9b::a00:1", Place::Private),
            ("64:ff9b::a9fe:a9fe", Place::Nowhere),
            ("2002:7f00:1::", Place::Private),
            ("2002:a9fe:a9fe::1", Place::Nowhere),
            ("::10.0.0.1", Place::Private),
            ("::127.0.0.1", Place::Private),
            ("169.254.169.254", Place::Nowhere),
            ("::ffff:169.254.169.254", Place::Nowhere),
            ("fe80::1", Place::Nowhere),
            ("0.0.0.0", Place::Nowhere),
            ("0.1.2.3", Place::Nowhere),
            ("::", Place::Nowhere),
            ("224.0.0.1", Place::Nowhere),
            ("255.255.255.255", Place::Nowhere),
            ("100.100.100.200", Place::Nowhere),
            ("fd00:ec2::254", Place::Nowhere),
        ] {
            assert_eq!(Place::of(ip.parse().unwrap()), place, "{ip}");
        }
    }

    #[test]
    fn only_what_was_allowed_is_reached_and_metadata_never() {
        for (ip, public, private) in [
            ("93.184.216.34", true, true),
            ("10.0.0.1", false, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(AddressReach::Public.admits(ip), public, "{ip}");
            assert_eq!(AddressReach::Private.admits(ip), private, "{ip}");
        }
    }
}
