//! Signatures of Standard Webhooks: `v1,` and the base64 of an HMAC-SHA256.
//!
//! What is signed is `{webhook-id}.{webhook-timestamp}.{body}`, so neither the body nor its age
//! can be changed on the way. A secret is written `whsec_` and base64; while it is changed there
//! are two, separated by a space, the new one first, and every message carries both signatures.
//! Whoever receives one takes it within a minute of its timestamp, under either secret.
//!
//! Must not know: where a secret is kept, how a message travels, clocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The header with the message's own name, the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time it was signed at, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a timestamp may be from now, in seconds, either way.
// LIMIT: a minute covers clocks that are kept and roads that are slow; an older message is a replay.
pub const WINDOW_SECONDS: i64 = 60;

/// Signatures of one message that are looked at.
// LIMIT: eight, far above the two that a change of secrets needs.
const SIGNATURES_MAX: usize = 8;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Bytes of a secret.
// LIMIT: the specification asks for 24 to 64.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Secrets that sign one message.
// LIMIT: two: the one that comes and the one that goes.
const SECRETS_MAX: usize = 2;

/// Bytes of one block of SHA-256.
const BLOCK: usize = 64;

/// The secrets of one endpoint. Never printed, wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningSecrets(Vec<Zeroizing<Vec<u8>>>);

/// What a received message says of itself, beside its body.
#[derive(Clone, Copy, Debug)]
pub struct Seal<'h> {
    /// Its [`ID_HEADER`].
    pub id: &'h str,
    /// Its [`TIMESTAMP_HEADER`].
    pub timestamp: &'h str,
    /// Its [`SIGNATURE_HEADER`].
    pub signature: &'h str,
}

/// Why a message is not taken for what it says it is.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// Its time is no number of seconds.
    #[error("its `webhook-timestamp` is no number of seconds")]
    Time,
    /// It was signed too long ago, or in the future.
    #[error("its `webhook-timestamp` is more than {WINDOW_SECONDS} seconds away from now")]
    Stale,
    /// No signature on it is one of these secrets'.
    #[error("its signature is not made with the shared secret")]
    Signature,
}

/// Why a text is no secret. Never says the text.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// There is none, or more than two.
    #[error("there are {0} secrets: write one, or while it is changed the new and the old one")]
    Count(usize),
    /// It does not begin as it should.
    #[error("a secret does not begin with `{PREFIX}`: make one with `openssl rand -base64 32`")]
    Prefix,
    /// The rest is not base64.
    #[error("a secret is not base64 after `{PREFIX}`")]
    Encoding,
    /// It is too short or too long.
    #[error("a secret has {0} bytes: make it 24 to 64")]
    Length(usize),
}

impl SigningSecrets {
    /// Reads what the configuration's secret says.
    ///
    /// # Errors
    /// [`SecretError`] where it is none.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let secrets: Vec<_> = text.split_ascii_whitespace().collect();
        if !(1..=SECRETS_MAX).contains(&secrets.len()) {
            return Err(SecretError::Count(secrets.len()));
        }
        secrets
            .into_iter()
            .map(secret)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of [`SIGNATURE_HEADER`]: one signature a secret.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let content = content(id, timestamp, body);
        let sign =
            |key: &Zeroizing<Vec<u8>>| format!("v1,{}", STANDARD.encode(hmac(key, &content)));
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    /// Checks that a message was signed with one of these secrets, about `now` (seconds since
    /// 1970). That it comes for the first time is for whoever knows the ids that came before.
    ///
    /// # Errors
    /// [`SealError`] where it was not.
    pub fn verify(&self, seal: Seal<'_>, body: &[u8], now: i64) -> Result<(), SealError> {
        let timestamp: i64 = seal.timestamp.parse().map_err(|_| SealError::Time)?;
        if timestamp.abs_diff(now) > WINDOW_SECONDS.unsigned_abs() {
            return Err(SealError::Stale);
        }
        let content = content(seal.id, timestamp, body);
        let expected: Vec<[u8; 32]> = self.0.iter().map(|key| hmac(key, &content)).collect();
        let given = seal.signature.split_ascii_whitespace().take(SIGNATURES_MAX);
        let mut given = given.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        // INVARIANT: how long a comparison takes says nothing of where two signatures differ.
        let made = |one: Vec<u8>| expected.iter().any(|it| bool::from(it.ct_eq(&one)));
        given.any(made).then_some(()).ok_or(SealError::Signature)
    }
}

fn content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    content
}

fn secret(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| SecretError::Encoding)?;
    let bytes = Zeroizing::new(bytes);
    if BYTES.contains(&bytes.len()) {
        Ok(bytes)
    } else {
        Err(SecretError::Length(bytes.len()))
    }
}

/// HMAC (RFC 2104) with SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    let pad = |mask: u8| {
        let mut block = Zeroizing::new([mask; BLOCK]);
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new()
        .chain_update(*pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(*pad(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

    use super::{Seal, SealError, SecretError, SigningSecrets, hmac};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, message, expected) in cases {
            assert_eq!(hex(&hmac(key, message)), expected);
        }
    }

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let secrets = SigningSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secrets.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let (new, old) = (
            "whsec_".to_owned() + &"A".repeat(32),
            "whsec_".to_owned() + &"B".repeat(32),
        );
        let both = SigningSecrets::parse(&format!("{new} {old}")).unwrap();
        let alone = |text: &str| SigningSecrets::parse(text).unwrap().sign("evt_1", 7, b"{}");
        let expected = format!("{} {}", alone(&new), alone(&old));
        assert_eq!(both.sign("evt_1", 7, b"{}"), expected);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let refused = |text: &str| SigningSecrets::parse(text).map(drop).unwrap_err();
        let good = "whsec_".to_owned() + &"A".repeat(32);
        assert_eq!(refused(""), SecretError::Count(0));
        assert_eq!(
            refused(&format!("{good} {good} {good}")),
            SecretError::Count(3)
        );
        assert_eq!(
            refused("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            SecretError::Prefix
        );
        assert_eq!(refused("whsec_%%%"), SecretError::Encoding);
        assert_eq!(refused("whsec_QUFB"), SecretError::Length(3));
        let long = format!("whsec_{}", "A".repeat(88));
        assert_eq!(refused(&long), SecretError::Length(66));
    }

    #[test]
    fn a_message_is_taken_once_made_within_a_minute_and_never_changed() {
        let (new, old) = (
            "whsec_".to_owned() + &"A".repeat(32),
            "whsec_".to_owned() + &"B".repeat(32),
        );
        let secrets = |text: &str| SigningSecrets::parse(text).unwrap();
        let both = secrets(&format!("{new} {old}"));
        let signed = secrets(&old).sign("evt_1", 1_000, b"{}");
        let verify = |seal: Seal<'_>, body: &[u8], now| both.verify(seal, body, now);
        let seal = Seal {
            id: "evt_1",
            timestamp: "1000",
            signature: &signed,
        };
        for now in [940, 1_000, 1_060] {
            assert_eq!(verify(seal, b"{}", now), Ok(()), "{now}");
        }
        for now in [939, 1_061, i64::MIN, i64::MAX] {
            assert_eq!(verify(seal, b"{}", now), Err(SealError::Stale), "{now}");
        }
        let of_another =
            secrets(&("whsec_".to_owned() + &"C".repeat(32))).sign("evt_1", 1_000, b"{}");
        let beside = format!("v2,AAAA {of_another} {signed}");
        let several = Seal {
            signature: &beside,
            ..seal
        };
        assert_eq!(verify(several, b"{}", 1_000), Ok(()));
        let short = signed.get(..20).unwrap();
        let wrong = [
            (
                Seal {
                    id: "evt_2",
                    ..seal
                },
                &b"{}"[..],
            ),
            (
                Seal {
                    timestamp: "1001",
                    ..seal
                },
                b"{}",
            ),
            (seal, b"{ }"),
            (
                Seal {
                    signature: &of_another,
                    ..seal
                },
                b"{}",
            ),
            (
                Seal {
                    signature: short,
                    ..seal
                },
                b"{}",
            ),
            (
                Seal {
                    signature: "",
                    ..seal
                },
                b"{}",
            ),
            (
                Seal {
                    signature: "v1,",
                    ..seal
                },
                b"{}",
            ),
        ];
        for (seal, body) in wrong {
            let found = verify(seal, body, 1_000);
            assert_eq!(found, Err(SealError::Signature), "{seal:?}");
        }
        for timestamp in ["", "now", "1000.0", "0x10"] {
            let seal = Seal { timestamp, ..seal };
            assert_eq!(
                verify(seal, b"{}", 1_000),
                Err(SealError::Time),
                "{timestamp}"
            );
        }
    }
}
