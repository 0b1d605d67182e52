//! Who comes in, by which of the ways there are, and what is said to whoever does not.
//!
//! ```text
//! tg_…, tgp_…            the gate's own tokens
//! eyJ….….…               a token of an issuer that the operator named (`[oauth]`)
//! no header at all       one agent, on the operator's own machine (`[mcp] anonymous`)
//! ```
//! Nobody is let in who *tries* a token that does not hold. Whichever way it was, the agent stands
//! or falls by the gate's own books: on every call it is asked whether agent and credential stand.
//!
//! Must not know: configuration files, how an issuer's tokens are verified.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use toolgate_driver::Failed;
use toolgate_gate::Caller;
use toolgate_gate::trust::{Distrust, Issuers, Vouched};
use toolgate_model::{Denial, KeyId};

use crate::auth::bearer;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Where clients find out who issues tokens for this gate (RFC 9728).
pub(crate) const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The ways in beside the gate's own tokens. By default there is none.
#[derive(Clone, Default)]
pub struct Admission {
    /// The credential of whoever comes to `/mcp` without any.
    pub anonymous: Option<KeyId>,
    /// Whose tokens are taken, beside the gate's own.
    pub issuers: Option<Arc<dyn Issuers>>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("anonymous", &self.anonymous)
            .field("issuers", &self.issuers.is_some())
            .finish()
    }
}

/// Why a request lets nobody in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Its token is nobody's.
    Token(Denial),
    /// Its token is somebody's, and was not issued for this.
    Scope(String),
    /// Nobody can tell now.
    Unavailable(String),
}

/// What a challenge complains about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// There was no token.
    Missing,
    /// The token does not hold.
    Invalid,
    /// The token has not the scopes that it needs.
    Scope,
}

impl Api {
    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// [`Refused`], which is on the record too, unless nobody could tell.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Refused> {
        let token = bearer(headers);
        let foreign = token.filter(|token| !token.starts_with("tg"));
        match (&self.admission.issuers, foreign) {
            (Some(issuers), Some(token)) => self.of_issuer(issuers.as_ref(), token).await,
            _ => {
                let caller = self.driver.authenticate(token).await;
                caller.map_err(Refused::Token)
            }
        }
    }

    async fn of_issuer(&self, issuers: &dyn Issuers, token: &str) -> Result<Caller, Refused> {
        let vouched = match issuers.verify(token).await {
            Ok(vouched) => vouched,
            Err(Distrust::Unavailable(why)) => return Err(Refused::Unavailable(why)),
            Err(distrust @ Distrust::Scope { .. }) => {
                self.driver.refuse(distrust.to_string()).await;
                return Err(Refused::Scope(distrust.to_string()));
            }
            Err(Distrust::Invalid(why)) => return Err(self.refused(why).await),
        };
        let Vouched {
            agent,
            user,
            issuer,
        } = vouched;
        let key = match self.driver.stand_in(&agent, &issuer).await {
            Ok(key) => key,
            Err(Failed::NotFound { .. }) => {
                let why = "the token's client is no agent of this gate";
                return Err(self.refused(why.to_owned()).await);
            }
            Err(error) => return Err(Refused::Unavailable(error.to_string())),
        };
        let caller = self.driver.authenticate_as(&key).await;
        match caller.map_err(Refused::Token)? {
            Caller::Agent(identity) => Ok(Caller::Agent(identity.acting_for(user.map(Arc::new)))),
            person @ Caller::Person { .. } => Ok(person),
        }
    }

    async fn refused(&self, why: String) -> Refused {
        Refused::Token(self.driver.refuse(why).await)
    }

    /// What `WWW-Authenticate` says. Where there is no issuer it names none: clients begin to
    /// register themselves wherever they are pointed.
    pub(crate) fn challenge(&self, complaint: Complaint, face: &str) -> HeaderValue {
        let error = match complaint {
            Complaint::Missing => "",
            Complaint::Invalid => r#", error="invalid_token""#,
            Complaint::Scope => r#", error="insufficient_scope""#,
        };
        let mut words = format!(r#"Bearer realm="toolgate"{error}"#);
        if let Some(issuers) = &self.admission.issuers {
            let metadata = format!("{}{METADATA}{face}", self.public_url);
            words.push_str(&format!(r#", resource_metadata="{metadata}""#));
            if !issuers.scope().is_empty() {
                words.push_str(&format!(r#", scope="{}""#, issuers.scope()));
            }
        }
        HeaderValue::from_str(&words).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Token(denial) => denial.into(),
            Refused::Scope(why) => Self::new(Kind::InsufficientScope, why),
            Refused::Unavailable(why) => Self::new(Kind::GateUnavailable, why),
        }
    }
}
