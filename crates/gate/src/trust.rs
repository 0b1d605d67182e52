//! Trust that others hand out: whose tokens are taken for an agent, and what the gate shows to the
//! servers behind it.
//!
//! ```text
//! client → token of an issuer → Issuers::verify → agent, user → the gate
//! the gate → Grants::authorization → token of its own → server
//! ```
//! INVARIANT: the two never meet. What a client shows is verified and goes no further; what a
//! server is shown was issued to the gate.
//!
//! Must not know: tokens' form, HTTP, keys.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use toolgate_model::{AgentId, User};

use crate::port::BoxFuture;

/// Verifies tokens that somebody else issued for this gate.
pub trait Issuers: Send + Sync {
    /// Whom does this token speak for?
    ///
    /// # Errors
    /// [`Distrust`] where it proves nothing, or not enough.
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Vouched, Distrust>>;

    /// What clients are told of this gate and its issuers (RFC 9728).
    fn metadata(&self) -> Value;

    /// The scopes that a token needs, in one text with spaces; empty where none.
    fn scope(&self) -> &str;
}

/// What a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// The agent that it was issued to.
    pub agent: AgentId,
    /// The person whom the agent acts for, where the token says so.
    pub user: Option<User>,
    /// Who issued it.
    pub issuer: String,
}

/// Why a token lets nobody in. The text is for whoever sent it: it names no key and no secret.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Distrust {
    /// It proves nothing.
    #[error("{0}")]
    Invalid(String),
    /// It proves who sent it, and that this is not what it was issued for.
    #[error("the token has no scope `{missing}`")]
    Scope {
        /// The first scope that is missing.
        missing: String,
    },
    /// Nobody can tell now: the issuer's keys cannot be had.
    #[error("{0}")]
    Unavailable(String),
}

/// The gate's own credential at one server, as somebody grants it.
pub trait Grants: Send + Sync + fmt::Debug {
    /// What the next request carries as `Authorization`: for this user of this agent, or for the
    /// gate itself.
    ///
    /// # Errors
    /// One sentence why there is none; nothing may be sent then.
    fn authorization<'a>(
        &'a self,
        behalf: Option<&'a Behalf>,
    ) -> BoxFuture<'a, Result<Authorization, String>>;

    /// Whether calls are sent as the user behind them, and never as the gate itself.
    fn is_personal(&self) -> bool;

    /// The server took this one no more: it is not handed out again.
    fn refused(&self, used: &Authorization);
}

/// On whose behalf something is sent: a user's, through an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behalf {
    /// The agent.
    pub agent: AgentId,
    /// The verified user.
    pub user: AgentId,
}

/// The value of an `Authorization` header. `Debug` never prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(Arc<str>);

impl Authorization {
    /// The header's whole value.
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The text that goes into the header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}
