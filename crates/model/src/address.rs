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

impl Place {
    /// Where this address is.
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        if ip.is_unspecified() || ip.is_multicast() || METADATA.contains(&ip) {
            return Self::Nowhere;
        }
        let (nowhere, private) = match ip {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unique_local()),
        };
        match (nowhere, private || ip.is_loopback()) {
            (true, _) => Self::Nowhere,
            (false, true) => Self::Private,
            (false, false) => Self::Public,
        }
    }
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
    use super::Place;

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
}
