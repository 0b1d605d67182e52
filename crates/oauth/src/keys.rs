//! An issuer's public keys (RFC 7517), and whether one of them signed something.
//!
//! What cannot verify here is left out when the set is read: keys for encryption, shared secrets,
//! curves and key types that no accepted algorithm uses. A key verifies under the algorithms of its
//! own type alone, and where it names one, under that one alone.
//!
//! Must not know: where the keys come from, tokens' claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

use crate::token::{Algorithm, Unverified, text_of};

/// LIMIT: issuers have two or three keys, the largest some twenty.
const KEYS_MAX: usize = 64;
/// LIMIT: keys that a token without a `kid` is held against, since each costs a verification.
const TRIED_MAX: usize = 8;

/// The keys of one issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// What a set says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One of the keys signed it.
    Genuine,
    /// The key that should have signed it did not.
    Forged,
    /// No key of the set could have signed it: it may be newer than the set.
    Unknown,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// What is wrong with the document as a whole.
    pub(crate) fn read(document: &Value) -> Result<Self, String> {
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("it has no `keys`")?;
        if keys.len() > KEYS_MAX {
            return Err(format!("it has more than the {KEYS_MAX} keys allowed"));
        }
        Ok(Self(keys.iter().filter_map(Key::read).collect()))
    }

    /// Whether one of the keys signed the token.
    pub(crate) fn judge(&self, token: &Unverified<'_>) -> Verdict {
        let named = |key: &&Key| token.kid.is_none() || key.kid == token.kid;
        let fits = |key: &&Key| key.fits(token.algorithm);
        let mut candidates = self.0.iter().filter(named).filter(fits).take(TRIED_MAX);
        let mut verdict = Verdict::Unknown;
        loop {
            match candidates.next() {
                Some(key) if key.verifies(token) => return Verdict::Genuine,
                Some(_) => verdict = Verdict::Forged,
                None => return verdict,
            }
        }
    }
}

impl Key {
    fn read(jwk: &Value) -> Option<Self> {
        if text_of(jwk, "use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|all| all.iter().all(|one| one != "verify")) {
            return None;
        }
        let algorithm = match text_of(jwk, "alg") {
            Some(name) => Some(Algorithm::parse(name)?),
            None => None,
        };
        let material = match (text_of(jwk, "kty")?, text_of(jwk, "crv")) {
            ("RSA", _) => Material::Rsa {
                n: bytes(jwk, "n")?,
                e: bytes(jwk, "e")?,
            },
            ("EC", Some("P-256")) => Material::P256(point(jwk)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(jwk, "x")?),
            _ => return None,
        };
        Some(Self {
            kid: text_of(jwk, "kid").map(str::to_owned),
            algorithm,
            material,
        })
    }

    /// INVARIANT: the type of the key decides what it can verify, never the token.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let of_type = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        of_type && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verifies(&self, token: &Unverified<'_>) -> bool {
        let (signed, signature) = (token.signed, token.signature.as_slice());
        match (&self.material, token.algorithm) {
            (Material::Rsa { n, e }, algorithm) => {
                // Keys of less than 2048 bits verify nothing.
                let parameters = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, signed, signature).is_ok()
            }
            (Material::P256(point), _) => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                key.verify(signed, signature).is_ok()
            }
            (Material::Ed25519(x), _) => {
                let key = UnparsedPublicKey::new(&signature::ED25519, x);
                key.verify(signed, signature).is_ok()
            }
        }
    }
}

/// The point of a P-256 key as it is written whole.
fn point(jwk: &Value) -> Option<Vec<u8>> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    (x.len() == 32 && y.len() == 32).then(|| [&[4], x.as_slice(), &y].concat())
}

fn bytes(jwk: &Value, key: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text_of(jwk, key)?).ok()?;
    // Some issuers write a leading zero before a modulus, which is none of its bytes.
    let start = if matches!(key, "n" | "e") {
        bytes.iter().position(|byte| *byte != 0)?
    } else {
        0
    };
    bytes.get(start..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
