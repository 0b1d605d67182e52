//! Identifiers: prefixed UUIDv7 for what the gate makes, short names for what people name.
//!
//! `inv_0197…` is an invocation, `apr_…` an approval, `evt_…` a record, `key_…` a credential.
//! Randomness and time are handed in, so that a simulated run makes the same ids again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Digest, Timestamp};

/// Why a text is not an identifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// The prefix or the 32 hex digits are wrong.
    #[error("`{text}` is not an id of the form `{prefix}` and 32 hex digits")]
    Form {
        /// What was given.
        text: String,
        /// The prefix that was expected.
        prefix: &'static str,
    },
    /// A name with characters outside the allowed set.
    #[error("`{0}` is not a name: 1 to 128 letters, digits and `_ - . @ + :`")]
    Name(String),
}

/// The 32 hex digits of a UUIDv7 made from an instant and ten random bytes.
pub fn entropy_id(now: Timestamp, random: [u8; 10]) -> String {
    let millis = now.as_millis().unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .simple()
        .to_string()
}

macro_rules! prefixed {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// A fresh id from an instant and ten random bytes, both handed in by the edge.
            pub fn mint(now: Timestamp, random: [u8; 10]) -> Self {
                Self(format!(concat!($prefix, "{}"), entropy_id(now, random)))
            }

            /// The id with its prefix.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let tail = text.strip_prefix($prefix).unwrap_or_default();
                let hex = tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if tail.len() == 32 && hex {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::Form { text: text.chars().take(64).collect(), prefix: $prefix })
                }
            }
        }

        text_form!($name);
    };
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = (1..=128).contains(&text.len());
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.@+:".contains(&b);
                if fits && text.bytes().all(plain) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::Name(text.chars().take(64).collect()))
                }
            }
        }

        text_form!($name);
    };
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

prefixed! {
    /// One invocation: the gate's durable life of one call.
    InvocationId, "inv_"
}
prefixed! {
    /// One approval request.
    ApprovalId, "apr_"
}
prefixed! {
    /// One record of the log (the envelope calls it evidence).
    RecordId, "evt_"
}
prefixed! {
    /// One incident that a rule opened.
    IncidentId, "inc_"
}
prefixed! {
    /// One credential. Its 32 hex digits are the public half of the token.
    KeyId, "key_"
}
named! {
    /// An agent or an operator, as people named it: `billing_agent`, `ana@acme.com`.
    AgentId
}
named! {
    /// A tenant; `default` where there is only one.
    TenantId
}

impl AgentId {
    /// The gate itself, where it acts without a person.
    pub fn gate() -> Self {
        Self("gate".to_owned())
    }
}

impl KeyId {
    /// The 32 hex digits after `key_`, which stand in the token.
    pub fn public_part(&self) -> &str {
        self.0.get(4..).unwrap_or_default()
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

/// The digest of a whole policy set: the `policy_version` on every decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(pub Digest);

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts every change of configuration in the store: agents, keys, policies, tools.
/// A decision binds only while the epoch it was made at is still the store's (3-execution, 5).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

#[cfg(test)]
mod tests {
    use super::{AgentId, InvocationId, KeyId};
    use crate::Timestamp;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = InvocationId::mint(Timestamp::from_millis(1_000), [7; 10]);
        let late = InvocationId::mint(Timestamp::from_millis(2_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<InvocationId>().unwrap(), early);
        assert!(early.as_str().parse::<KeyId>().is_err());
        assert!("inv_../../etc".parse::<InvocationId>().is_err());
    }

    #[test]
    fn names_are_plain() {
        assert!("ana@acme.com".parse::<AgentId>().is_ok());
        for bad in ["", "a b", "a\u{202e}b", "a/b", &"x".repeat(129)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad:?} was accepted");
        }
    }
}
