//! The keys of signed notes: who signs the log, and what everybody else checks it with.
//!
//! ```text
//! verifier  example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
//! signer    PRIVATE+KEY+name+id+base64(0x01 and the 32-byte seed)
//! ```
//!
//! C2SP signed-note with Ed25519, the same texts that Go's `note` package reads. A verifier key is
//! worth what the way is worth on which it came: the one inside a bundle proves nothing.
//!
//! Must not know: what is signed, or where keys are kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer as _, SigningKey, VerifyingKey};
use toolgate_model::Digest;

/// The signature type of plain Ed25519 in the C2SP registry.
const ED25519: u8 = 1;

/// Bytes of a key's name.
const NAME_BYTES_MAX: usize = 256;

/// The first four bytes of the hash of name, type and public key: which of several keys of one
/// name has signed. Short on purpose; it identifies and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKeyId([u8; 4]);

/// Signs notes.
#[derive(Clone)]
pub struct Signer {
    verifier: Verifier,
    secret: SigningKey,
}

/// Checks the signatures of one key.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: NoteKeyId,
    public: VerifyingKey,
}

/// Why a text is not a key. It never repeats the text, which may be a secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// The name is empty, too long, or has spaces, control characters or a plus.
    #[error("a key name has 1 to 256 bytes and no spaces, control characters or `+`")]
    Name,
    /// The text has another form.
    #[error("not a verifier key of the form `name+8 hex digits+base64`")]
    VerifierForm,
    /// The text has another form.
    #[error("not a signing key of the form `PRIVATE+KEY+name+8 hex digits+base64`")]
    SignerForm,
    /// The key is of another kind than Ed25519.
    #[error("the key has signature type {0}, and only type 1 (ed25519) is known here")]
    Type(u8),
    /// The id does not belong to the name and key.
    #[error("the key id does not fit the name and the key: was the text changed?")]
    Id,
    /// The bytes are no point of the curve, or one that accepts forged signatures.
    #[error("the key is not a usable ed25519 public key")]
    Weak,
}

impl Signer {
    /// The signer with this name and secret seed, which the edge hands in.
    ///
    /// # Errors
    /// [`KeyError::Name`] where the name does not fit into a note.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(&seed);
        let verifier = Verifier::of(name, secret.verifying_key())?;
        Ok(Self { verifier, secret })
    }

    /// Reads the text of a signing key.
    ///
    /// # Errors
    /// [`KeyError`] where the form, type or id is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or(KeyError::SignerForm)?;
        let parts = Parts::read(rest).ok_or(KeyError::SignerForm)?;
        let signer = Self::from_seed(parts.name, parts.ed25519()?)?;
        parts.check(&signer.verifier)?;
        Ok(signer)
    }

    /// The text of the signing key, to be written where only its owner reads.
    pub fn reveal(&self) -> String {
        let key = encoded(self.secret.as_bytes());
        format!(
            "PRIVATE+KEY+{}+{}+{key}",
            self.verifier.name, self.verifier.id
        )
    }

    /// What others check the signatures with.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn signature(&self, text: &[u8]) -> Vec<u8> {
        self.secret.sign(text).to_bytes().to_vec()
    }
}

// A signing key in a log line would let its reader sign.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PRIVATE+KEY+{}+{}+…",
            self.verifier.name, self.verifier.id
        )
    }
}

impl Verifier {
    /// Reads the text of a verifier key.
    ///
    /// # Errors
    /// [`KeyError`] where the form, type, id or key is wrong.
    ///
    /// ```
    /// use toolgate_record::Verifier;
    /// let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    /// let verifier = Verifier::parse(text)?;
    /// assert_eq!(verifier.name(), "PeterNeumann");
    /// assert_eq!(verifier.to_string(), text);
    /// # Ok::<(), toolgate_record::KeyError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let parts = Parts::read(text).ok_or(KeyError::VerifierForm)?;
        let public = VerifyingKey::from_bytes(&parts.ed25519()?).map_err(|_| KeyError::Weak)?;
        let verifier = Self::of(parts.name, public)?;
        parts.check(&verifier)?;
        Ok(verifier)
    }

    fn of(name: &str, public: VerifyingKey) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        // A point of small order verifies signatures that nobody made.
        if public.is_weak() {
            return Err(KeyError::Weak);
        }
        let id = NoteKeyId::of(name, &public);
        Ok(Self {
            name: name.to_owned(),
            id,
            public,
        })
    }

    /// The key's name, which is the origin of the log that it signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id.
    pub const fn id(&self) -> NoteKeyId {
        self.id
    }

    /// Whether this key made `signature` over `text`.
    pub(crate) fn accepts(&self, text: &[u8], signature: &[u8]) -> bool {
        let Ok(bytes) = <[u8; SIGNATURE_LENGTH]>::try_from(signature) else {
            return false;
        };
        self.public
            .verify_strict(text, &Signature::from_bytes(&bytes))
            .is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}+{}+{}",
            self.name,
            self.id,
            encoded(self.public.as_bytes())
        )
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NoteKeyId {
    /// The id with these bytes, as a signature line has them.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    fn of(name: &str, public: &VerifyingKey) -> Self {
        let digest = Digest::of_parts(&[name.as_bytes(), b"\n", &[ED25519], public.as_bytes()]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Display for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a text may name a key in a note.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(plain)
}

/// The three parts of a key's text, of which the last may itself have a plus.
struct Parts<'t> {
    name: &'t str,
    id: &'t str,
    kind: u8,
    key: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let bytes = BASE64.decode(key).ok()?;
        let (kind, key) = bytes.split_first()?;
        Some(Self {
            name,
            id,
            kind: *kind,
            key: key.to_vec(),
        })
    }

    fn ed25519(&self) -> Result<[u8; 32], KeyError> {
        if self.kind != ED25519 {
            return Err(KeyError::Type(self.kind));
        }
        <[u8; 32]>::try_from(self.key.as_slice()).map_err(|_| KeyError::Weak)
    }

    fn check(&self, verifier: &Verifier) -> Result<(), KeyError> {
        if self.id == verifier.id.to_string() {
            Ok(())
        } else {
            Err(KeyError::Id)
        }
    }
}

fn encoded(key: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519];
    bytes.extend(key);
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{KeyError, Signer, Verifier};

    // The keys of the tests of Go's note package.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_SECRET: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    /// Every proper piece of a text, and every text with one byte raised by one.
    fn manglings(text: &str) -> Vec<String> {
        let pieces = (0..=text.len())
            .flat_map(|from| (from..=text.len()).map(move |to| (from, to)))
            .filter(|(from, to)| to - from < text.len())
            .map(|(from, to)| text[from..to].to_owned());
        let raised = (0..text.len()).map(|place| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] += 1;
            String::from_utf8(bytes).unwrap()
        });
        pieces.chain(raised).collect()
    }

    #[test]
    fn published_keys_read_and_write() {
        assert_eq!(Verifier::parse(PETER).unwrap().to_string(), PETER);
        let signer = Signer::parse(PETER_SECRET).unwrap();
        assert_eq!(signer.reveal(), PETER_SECRET);
        assert_eq!(signer.verifier().to_string(), PETER);
        assert_eq!(format!("{signer:?}"), "PRIVATE+KEY+PeterNeumann+c74f20a3+…");
    }

    #[test]
    fn no_mangled_key_is_read() {
        for text in manglings(PETER) {
            assert!(Verifier::parse(&text).is_err(), "{text} was accepted");
        }
        for text in manglings(PETER_SECRET) {
            assert!(Signer::parse(&text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn keys_that_only_look_right_are_refused() {
        let read = |text: &str| Verifier::parse(text).unwrap_err();
        // From the reference tests: a key too long and an unknown type, both with fitting ids.
        let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
        assert_eq!(read(long), KeyError::VerifierForm);
        let other = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(read(other), KeyError::Type(0x65));
        assert_eq!(read(&PETER.replace("c74f20a3", "C74F20A3")), KeyError::Id);
        assert_eq!(read(&PETER.replace("Peter", "Peter ")), KeyError::Name);
        // The neutral element of the curve, under which anybody can sign.
        let weak = "weak+00000000+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(read(weak), KeyError::Weak);
        for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb", &"x".repeat(257)] {
            assert_eq!(
                Signer::from_seed(name, [1; 32]).unwrap_err(),
                KeyError::Name,
                "{name:?}"
            );
        }
    }
}
