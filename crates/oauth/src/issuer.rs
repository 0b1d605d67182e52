//! One issuer: where its keys are, and the keys as they were last seen.
//!
//! Keys are fetched when somebody first needs them, again when they are old, and again when a
//! token names a key that is not among them, but never more often than [`REFRESH_GAP`]: whoever
//! makes up names of keys makes the gate ask once, and not once a token.
//!
//! Must not know: what tokens say.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Semaphore;
use toolgate_gate::port::Clock;
use toolgate_gate::trust::Distrust;
use toolgate_model::{Duration, Timestamp};
use url::Url;

use crate::agents::AgentTable;
use crate::fetch::Fetcher;
use crate::keys::{KeySet, Verdict};
use crate::token::{Unverified, text_of};

/// LIMIT: ten minutes, after which an issuer that took a key back is heard.
const KEYS_FRESH: Duration = Duration::from_secs(600);
/// LIMIT: one hour, in which an issuer that does not answer costs nobody their access.
const KEYS_STALE_MAX: Duration = Duration::from_secs(3_600);
/// LIMIT: half a minute between two requests to one issuer, whatever tokens say.
pub(crate) const REFRESH_GAP: Duration = Duration::from_secs(30);

/// An issuer as the operator names it.
#[derive(Clone, Debug)]
pub struct IssuerSpec {
    /// Its identifier, exactly as it stands in `iss`.
    pub issuer: String,
    /// Whom its tokens must be for.
    pub audience: String,
    /// Where its keys are; without it they are discovered.
    pub jwks_url: Option<String>,
    /// Which agents its clients are.
    pub agents: AgentTable,
    /// What every token of it must be allowed.
    pub scopes: Vec<String>,
}

/// An issuer and its keys.
pub(crate) struct Issuer {
    pub(crate) spec: IssuerSpec,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    /// One asks, and everybody else waits for what it hears.
    turn: Semaphore,
}

#[derive(Clone, Default)]
struct Seen {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    asked: Option<Timestamp>,
}

impl Issuer {
    pub(crate) fn new(spec: IssuerSpec, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        Self {
            spec,
            fetcher,
            clock,
            seen: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// Whether this issuer signed the token.
    ///
    /// # Errors
    /// [`Distrust`] where it did not, or where its keys cannot be had.
    pub(crate) async fn check(&self, token: &Unverified<'_>) -> Result<(), Distrust> {
        let mut verdict = self.judge(token);
        if verdict.is_none_or(|verdict| verdict == Verdict::Unknown) {
            self.refresh(token).await;
            verdict = self.judge(token);
        }
        match verdict {
            Some(Verdict::Genuine) => Ok(()),
            Some(Verdict::Forged) => Err(Distrust::Invalid(
                "the token's signature does not hold".to_owned(),
            )),
            Some(Verdict::Unknown) => Err(Distrust::Invalid(
                "the token is signed with a key that its issuer does not have".to_owned(),
            )),
            None => Err(Distrust::Unavailable(
                "the keys of the token's issuer cannot be had now: try again".to_owned(),
            )),
        }
    }

    /// What the known keys say; nothing where they are too old to be asked.
    fn judge(&self, token: &Unverified<'_>) -> Option<Verdict> {
        let (keys, at) = self.seen().keys?;
        let (now, asked) = (self.clock.now(), self.seen().asked);
        let fresh = now < at.plus(KEYS_FRESH);
        // Old keys are better than none while their issuer does not answer.
        let tolerated = now < at.plus(KEYS_STALE_MAX)
            && asked.is_some_and(|asked| asked > at && now < asked.plus(REFRESH_GAP));
        (fresh || tolerated).then(|| keys.judge(token))
    }

    /// Asks for the keys again, unless somebody just did.
    async fn refresh(&self, token: &Unverified<'_>) {
        let Ok(_turn) = self.turn.acquire().await else {
            return;
        };
        let now = self.clock.now();
        let known = self.judge(token).is_some_and(|it| it != Verdict::Unknown);
        let just = self.seen().asked;
        if known || just.is_some_and(|asked| now < asked.plus(REFRESH_GAP)) {
            return;
        }
        self.change(|seen| seen.asked = Some(now));
        match self.fetch().await {
            Ok(keys) => self.change(|seen| seen.keys = Some((Arc::new(keys), now))),
            Err(why) => {
                let issuer = &self.spec.issuer;
                tracing::warn!(issuer, why, "the keys of an issuer cannot be had");
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let place = match &self.spec.jwks_url {
            Some(url) => url.clone(),
            None => {
                let metadata = discover(&self.fetcher, &self.spec.issuer).await?;
                let place = text_of(&metadata, "jwks_uri").map(str::to_owned);
                place.ok_or("its metadata has no `jwks_uri`")?
            }
        };
        KeySet::read(&self.fetcher.get(&place).await?)
    }

    fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The metadata of an authorization server (RFC 8414, or OpenID Connect Discovery).
///
/// # Errors
/// What was wrong at each of the places where it could be.
pub(crate) async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Value, String> {
    let mut problems = Vec::new();
    for place in places(issuer)? {
        match fetcher.get(&place).await {
            // INVARIANT: a document speaks for whoever it names, and nobody else (RFC 8414, 3.3).
            Ok(metadata) if text_of(&metadata, "issuer") == Some(issuer) => return Ok(metadata),
            Ok(_) => problems.push(format!("`{place}`: it is about another issuer")),
            Err(why) => problems.push(why),
        }
    }
    Err(problems.join("; "))
}

fn places(issuer: &str) -> Result<Vec<String>, String> {
    let url = Url::parse(issuer).map_err(|error| format!("`{issuer}` is no URL: {error}"))?;
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ];
    if !path.is_empty() {
        places.push(format!("{origin}/.well-known/openid-configuration{path}"));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn metadata_is_looked_for_where_the_standards_say() {
        let found = places("https://login.acme.com/tenant/1").unwrap();
        assert_eq!(
            found,
            [
                "https://login.acme.com/.well-known/oauth-authorization-server/tenant/1",
                "https://login.acme.com/tenant/1/.well-known/openid-configuration",
                "https://login.acme.com/.well-known/openid-configuration/tenant/1",
            ]
        );
        assert_eq!(places("https://login.acme.com/").unwrap().len(), 2);
    }
}
