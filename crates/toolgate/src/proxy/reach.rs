//! Which addresses the proxy connects to.
//!
//! An agent chooses the address, so this machine, private networks and metadata services are out of
//! reach unless the operator opened them: `http://2130706433/`, a name that leads to `127.0.0.1`,
//! and one that does so only at the second look. What was looked up is what is connected to.
//!
//! Must not know: what is sent.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use toolgate_model::AddressReach;

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Of every host.
    pub(crate) general: AddressReach,
    /// Hosts that may be on this machine or in a private network, in lower case.
    pub(crate) hosts: Vec<String>,
}

impl Reach {
    /// Whether the address that a URL spells out may be connected to. One that has a name is looked
    /// up later, by the connection.
    ///
    /// # Errors
    /// Why it may not, and what would open it.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) if !self.of(host).admits(ip) => Err(refusal(host)),
            _ => Ok(()),
        }
    }

    fn of(&self, host: &str) -> AddressReach {
        let bare = host.trim_matches(['[', ']']).trim_end_matches('.');
        let listed = |one: &String| one.trim_matches(['[', ']']).eq_ignore_ascii_case(bare);
        if self.hosts.iter().any(listed) {
            AddressReach::Private
        } else {
            self.general
        }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.of(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(refusal(name.as_str()).into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

fn refusal(host: &str) -> String {
    format!(
        "`{host}` is on this machine, in a private network, or nowhere: `--allow-host {host}` opens \
         the first two"
    )
}

#[cfg(test)]
mod tests {
    use super::Reach;
    use toolgate_model::AddressReach;

    fn admits(reach: &Reach, url: &str) -> bool {
        reach.check(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn spelt_out_addresses_are_judged_in_every_spelling() {
        let inside = [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
            "http://[fd00::1]/",
            "http://[64:ff9b::7f00:1]/",
        ];
        let nowhere = [
            "http://169.254.169.254/",
            "http://0.0.0.0/",
            "http://[fe80::1]/",
            "http://2852039166/",
        ];
        let open = Reach {
            general: AddressReach::Private,
            hosts: Vec::new(),
        };
        for url in inside {
            assert!(!admits(&Reach::default(), url), "{url}");
            assert!(admits(&open, url), "{url}");
        }
        for url in nowhere {
            assert!(
                !admits(&Reach::default(), url) && !admits(&open, url),
                "{url}"
            );
        }
        assert!(admits(&Reach::default(), "http://93.184.216.34/"));
    }

    #[test]
    fn one_host_is_opened_and_no_other() {
        let reach = Reach {
            general: AddressReach::Public,
            hosts: vec![
                "127.0.0.1".to_owned(),
                "::1".to_owned(),
                "169.254.169.254".to_owned(),
            ],
        };
        assert!(admits(&reach, "http://127.0.0.1:9/") && admits(&reach, "http://2130706433/"));
        assert!(admits(&reach, "http://[::1]/"));
        assert!(!admits(&reach, "http://127.0.0.2/") && !admits(&reach, "http://169.254.169.254/"));
    }
}
