//! Commitments to bodies that must stay erasable: arguments and results.
//!
//! The record holds only the salted digest. Whoever still has the body and its salt can show that
//! it is the one meant; once both are deleted, the digest says nothing, not even to somebody who
//! tries every likely body, and the log stands whole (3-execution, 6).
//!
//! Must not know: what the bodies are, or where salts are kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use toolgate_model::Digest;

/// Sixteen random bytes that go with one body and are erased with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

/// The text is not 32 lower-case hex digits. It says nothing of what was given, which is a secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a salt: 32 lower-case hex digits")]
pub struct SaltError;

/// A salted digest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(Digest);

impl Commitment {
    /// The commitment to `body`, which is canonical JSON where it is JSON at all.
    pub fn of(salt: &Salt, body: &[u8]) -> Self {
        // The salt has one length, so nothing can slide between it and the body.
        Self(Digest::of_parts(&[
            b"toolgate/commitment/1\0",
            &salt.0,
            body,
        ]))
    }

    /// Whether this is the commitment to `body`.
    pub fn verify(&self, salt: &Salt, body: &[u8]) -> bool {
        *self == Self::of(salt, body)
    }

    /// The digest that stands in the record.
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl From<Digest> for Commitment {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Salt {
    /// A salt from random bytes, which the edge hands in.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 32 hex digits, as they are stored beside the body.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for Salt {
    type Err = SaltError;

    fn from_str(text: &str) -> Result<Self, SaltError> {
        let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !plain {
            return Err(SaltError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| SaltError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

// A salt in a log line would undo the erasure of its body.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Commitment, Salt};

    #[test]
    fn a_commitment_opens_only_with_its_salt_and_body() {
        let salt: Salt = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
        let commitment = Commitment::of(&salt, br#"{"amount":640}"#);
        // printf 'toolgate/commitment/1\0\x00\x01…\x0f{"amount":640}' | sha256sum
        assert_eq!(
            commitment.to_string(),
            "sha256:e2e1f3d2651634fab3bc4f639b6e6d02ac081c1c17e013f9c1a1fee06b839b9c"
        );
        assert!(commitment.verify(&salt, br#"{"amount":640}"#));
        assert!(!commitment.verify(&salt, br#"{"amount":641}"#));
        assert!(!commitment.verify(&Salt::from_bytes([0; 16]), br#"{"amount":640}"#));
    }

    #[test]
    fn a_salt_reads_back_and_hides_in_debug_output() {
        let salt = Salt::from_bytes([0xab; 16]);
        assert_eq!(salt.hex().parse(), Ok(salt));
        assert_eq!(format!("{salt:?}"), "Salt(…)");
        for bad in [
            "",
            "ab",
            &"AB".repeat(16),
            &"+a".repeat(16),
            &"ab".repeat(17),
        ] {
            assert!(bad.parse::<Salt>().is_err(), "{bad} was accepted");
        }
    }
}
