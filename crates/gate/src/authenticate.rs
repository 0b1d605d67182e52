//! Step 1: is the credential known, unexpired, unrevoked?
//!
//! An unknown id and a wrong secret get the same answer after the same work, so that ids cannot
//! be probed. What is learned here about the caller is all that the rest of the gate believes.

use std::sync::Arc;

use toolgate_model::{
    Credential, Denial, Identity, KeyId, Operator, SecretHash, Timestamp, Token, TokenKind,
};

use crate::configuration::{Configuration, stands, unauthenticated};

/// Whoever a token authenticates.
#[derive(Clone, Debug)]
pub enum Caller {
    /// An agent: proposes calls, approves nothing.
    Agent(Identity),
    /// A person: approves and administers, calls no tool.
    Person {
        /// Who.
        operator: Arc<Operator>,
        /// By which credential.
        credential: Arc<Credential>,
    },
}

impl Caller {
    /// The credential it came with.
    pub fn credential(&self) -> &Arc<Credential> {
        match self {
            Self::Agent(identity) => &identity.credential,
            Self::Person { credential, .. } => credential,
        }
    }
}

/// Who sent this token?
///
/// # Errors
/// A [`Denial`]: `unauthenticated`, `credential_expired` or `credential_revoked`.
pub fn authenticate(
    configuration: &Configuration,
    token: &str,
    now: Timestamp,
) -> Result<Caller, Denial> {
    let token = Token::parse(token).map_err(|_| unauthenticated())?;
    let credential = configuration.credential(&token.key);
    let hash = credential.map_or_else(decoy, |credential| credential.secret_hash);
    let genuine = hash.verifies(&token);
    let credential = credential
        .filter(|credential| genuine && credential.kind == token.kind)
        .ok_or_else(unauthenticated)?;
    match token.kind {
        TokenKind::Agent => configuration
            .standing(&credential.id, now)
            .map(Caller::Agent),
        TokenKind::Person => {
            stands(credential, now)?;
            let operator = configuration
                .operator(&credential.subject)
                .filter(|operator| !operator.disabled && operator.tenant == credential.tenant)
                .ok_or_else(unauthenticated)?;
            Ok(Caller::Person {
                operator: operator.clone(),
                credential: credential.clone(),
            })
        }
    }
}

/// A hash that no token verifies, compared for ids that do not exist.
fn decoy() -> SecretHash {
    let key = KeyId::mint(Timestamp::from_millis(0), [0; 10]);
    Token::mint(TokenKind::Agent, key, [0; 32]).secret_hash()
}
