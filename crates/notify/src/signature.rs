//! Signatures of Standard Webhooks: `v1,` and the base64 of an HMAC-SHA256.
//!
//! What is signed is `{webhook-id}.{webhook-timestamp}.{body}`, so neither the body nor its age
//! can be changed on the way. A secret is written `whsec_` and base64; while it is changed there
//! are two, separated by a space, the new one first, and every message carries both signatures.
//!
//! Must not know: where a secret is kept, how a message travels.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

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

/// The secrets of one endpoint.
#[derive(Clone)]
pub struct SigningSecrets(Vec<Zeroizing<Vec<u8>>>);

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

    /// The value of `webhook-signature`: one signature a secret.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let content = format!("{id}.{timestamp}.{body}");
        let sign = |key: &Zeroizing<Vec<u8>>| {
            format!("v1,{}", STANDARD.encode(hmac(key, content.as_bytes())))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
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
    use super::{SecretError, SigningSecrets, hmac};

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
            r#"{"test": 2432232314}"#,
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
        let alone = |text: &str| SigningSecrets::parse(text).unwrap().sign("evt_1", 7, "{}");
        let expected = format!("{} {}", alone(&new), alone(&old));
        assert_eq!(both.sign("evt_1", 7, "{}"), expected);
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
}
