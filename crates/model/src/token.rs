//! Bearer tokens: `tg_<public id>_<secret>` for agents, `tgp_<public id>_<secret>` for people.
//!
//! The public id finds the credential; the secret is 256 random bits and is kept only as a hash.
//! A fast hash is right here: there is no dictionary of 256-bit secrets to try.

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::{Digest, KeyId};

/// Who a token authenticates: the two can never stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Invokes tools, approves nothing.
    Agent,
    /// Approves and administers, invokes no tool.
    Person,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "tg_",
            Self::Person => "tgp_",
        }
    }
}

/// A token as it travels. Shown once; `Debug` never prints the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whom it authenticates.
    pub kind: TokenKind,
    /// Which credential it claims to be.
    pub key: KeyId,
    secret: String,
}

/// The text is not a token. It says nothing of what was given, which may be a secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a token of the form `tg_` public id `_` secret")]
pub struct TokenError;

impl Token {
    /// A token from a fresh credential id and 32 random bytes.
    pub fn mint(kind: TokenKind, key: KeyId, random: [u8; 32]) -> Self {
        Self {
            kind,
            key,
            secret: Digest::from_bytes(random).hex(),
        }
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`] where the form is wrong.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let (kind, rest) = [TokenKind::Agent, TokenKind::Person]
            .into_iter()
            .find_map(|kind| text.strip_prefix(kind.prefix()).map(|rest| (kind, rest)))
            .ok_or(TokenError)?;
        let (public, secret) = rest.split_once('_').ok_or(TokenError)?;
        let key = format!("key_{public}").parse().map_err(|_| TokenError)?;
        let plain = secret.bytes().all(|b| b.is_ascii_hexdigit());
        if secret.len() != 64 || !plain {
            return Err(TokenError);
        }
        Ok(Self {
            kind,
            key,
            secret: secret.to_owned(),
        })
    }

    /// The hash that is kept.
    pub fn secret_hash(&self) -> SecretHash {
        // The id is hashed along, so that equal secrets would still have different hashes.
        SecretHash(Digest::of_parts(&[
            b"toolgate/secret/1\0",
            self.key.as_str().as_bytes(),
            b"\0",
            self.secret.as_bytes(),
        ]))
    }

    /// The whole token, to be shown once.
    pub fn reveal(&self) -> String {
        format!(
            "{}{}_{}",
            self.kind.prefix(),
            self.key.public_part(),
            self.secret
        )
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_…", self.kind.prefix(), self.key.public_part())
    }
}

/// What is kept of a secret.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretHash(Digest);

impl SecretHash {
    /// Whether `token` carries the secret, in constant time.
    pub fn verifies(&self, token: &Token) -> bool {
        self.0
            .as_bytes()
            .ct_eq(token.secret_hash().0.as_bytes())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, TokenKind};
    use crate::{KeyId, Timestamp};

    #[test]
    fn a_token_is_verified_by_its_hash_and_hides_its_secret() {
        let key = KeyId::mint(Timestamp::from_millis(1), [3; 10]);
        let token = Token::mint(TokenKind::Agent, key.clone(), [9; 32]);
        let read = Token::parse(&token.reveal()).unwrap();
        assert_eq!(read, token);
        assert!(token.secret_hash().verifies(&read));
        let other = Token::mint(TokenKind::Agent, key, [8; 32]);
        assert!(!token.secret_hash().verifies(&other));
        assert!(!format!("{token:?}").contains("0909"));
        for bad in [
            "",
            "tg_",
            "tg_x_y",
            &token.reveal()[..60],
            &format!("{}0", token.reveal()),
        ] {
            assert!(Token::parse(bad).is_err());
        }
    }
}
