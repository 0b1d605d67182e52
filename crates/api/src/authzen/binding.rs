//! Ties an access request to the denial that it wants lifted.
//!
//! A requestable denial carries a token, a JWS under a key that only this process has (HS256):
//! the digest of what was denied (SHA-256 over RFC 8785 of subject, resource, action and what of the
//! context the gate reads), who was told, and until when. An access request that brings it must be
//! about the same, from the same caller, in time.
//!
//! The token opens nothing: what it comes with is decided again like any call. So it may be lost with
//! the process, and a caller then simply asks for the decision again. Must not know: HTTP.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toolgate_driver::Driver;
use toolgate_gate::port::Unavailable;
use toolgate_model::{Digest, Duration, InvocationId, Timestamp, json as canonical};

use super::access::Access;

/// What of a context is part of what was decided. The rest may change between a denial, the request
/// to lift it and the evaluation after that.
const RELEVANT: [&str; 5] = ["agent", "arguments", "env", "session_id", "workflow"];

/// How long a denial can be answered with an access request.
// LIMIT: ten minutes, for a person to say why; after that the decision may well be another one.
pub(super) const REQUESTABLE_FOR: Duration = Duration::from_secs(600);

/// The header of every token, as it is signed.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What makes and checks tokens.
#[derive(Clone, Default)]
pub(crate) struct Binder(Arc<OnceLock<hmac::Key>>);

/// What a denial is tied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound<'b> {
    /// Where access requests go.
    pub(super) audience: &'b str,
    /// Who was told, as the gate knows them.
    pub(super) requester: &'b str,
    /// What was denied.
    pub(super) digest: String,
}

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unbound {
    /// It is none of this process, or belongs to something else.
    Foreign,
    /// It is too late.
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    requester: String,
    iat: i64,
    exp: i64,
    evaluation_id: InvocationId,
    denial_expires_at: Timestamp,
    binding_context_members: Vec<String>,
    binding_hash: String,
}

impl Binder {
    /// The token of a denial, and until when it can be used.
    ///
    /// # Errors
    /// [`Unavailable`] where the system gives no randomness.
    pub(super) fn seal(
        &self,
        driver: &Driver,
        bound: &Bound<'_>,
        (evaluation, at): (&InvocationId, Timestamp),
    ) -> Result<(String, Timestamp), Unavailable> {
        let until = at.plus(REQUESTABLE_FOR);
        let claims = Claims {
            aud: bound.audience.to_owned(),
            requester: bound.requester.to_owned(),
            iat: seconds(at),
            exp: seconds(until),
            evaluation_id: evaluation.clone(),
            denial_expires_at: until,
            binding_context_members: RELEVANT.map(str::to_owned).to_vec(),
            binding_hash: bound.digest.clone(),
        };
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let signed = format!("{}.{}", encoded(HEADER), encoded(&claims));
        let tag = hmac::sign(self.key(driver)?, signed.as_bytes());
        Ok((format!("{signed}.{}", encoded(tag)), until))
    }

    /// The evaluation that a token is of, where it is bound to this and not too late.
    ///
    /// # Errors
    /// [`Unbound`] where it is not.
    pub(super) fn open(
        &self,
        token: &str,
        bound: &Bound<'_>,
        now: Timestamp,
    ) -> Result<(InvocationId, Timestamp), Unbound> {
        let claims = self.claims(token).ok_or(Unbound::Foreign)?;
        let same = claims.aud == bound.audience
            && claims.requester == bound.requester
            && claims.binding_hash == bound.digest;
        if !same {
            return Err(Unbound::Foreign);
        }
        if now >= claims.denial_expires_at {
            return Err(Unbound::Expired);
        }
        Ok((claims.evaluation_id, claims.denial_expires_at))
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        let (signed, tag) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        // A process that has made no token yet has no key, and knows none.
        hmac::verify(self.0.get()?, signed.as_bytes(), &tag).ok()?;
        let known = URL_SAFE_NO_PAD.decode(header).ok()? == HEADER.as_bytes();
        let claims = URL_SAFE_NO_PAD.decode(claims).ok().filter(|_| known)?;
        serde_json::from_slice(&claims).ok()
    }

    fn key(&self, driver: &Driver) -> Result<&hmac::Key, Unavailable> {
        if let Some(key) = self.0.get() {
            return Ok(key);
        }
        let fresh = hmac::Key::new(hmac::HMAC_SHA256, &driver.random::<32>()?);
        Ok(self.0.get_or_init(|| fresh))
    }
}

/// The digest of what a question is about: base64url of SHA-256 over RFC 8785.
pub(super) fn digest(access: &Access) -> String {
    let mut subject = json!(access.subject);
    if let Some(properties) = subject.get_mut("properties").and_then(Value::as_object_mut) {
        // Whoever acts for the subject may be said beside it later.
        properties.remove("act");
    }
    let said = json!(access.context);
    let relevant = RELEVANT.into_iter().filter_map(|name| {
        let value = said.get(name)?;
        Some((name.to_owned(), value.clone()))
    });
    let bound = json!({
        "subject": subject,
        "resource": access.resource,
        "action": access.action,
        "context": relevant.collect::<Map<_, _>>(),
    });
    let digest: Digest = canonical::digest(&bound);
    encoded(digest.as_bytes())
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis() / 1_000
}
