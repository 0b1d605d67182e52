//! The gate's own tokens for one server: got when needed, kept until shortly before they end.
//!
//! One request for a token is under way at a time; whoever comes meanwhile takes what it brings.
//! A failure is remembered for a moment, so that calls do not hammer an authorization server that
//! is down. A token that the server refused is handed out no more.
//!
//! Must not know: what is sent with the tokens, configuration files.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::sync::Semaphore;
use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_gate::trust::{Authorization, Behalf, Grants};
use toolgate_model::{Duration, Timestamp};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::fetch::{Fetcher, Form};
use crate::grants::{GrantKind, GrantSpec, TokenPlace};
use crate::issuer::discover;
use crate::subjects::{Subject, Subjects};
use crate::token::text_of;

/// LIMIT: in seconds; a token that ends within half a minute may end on its way.
const LEFT_MIN: u32 = 30;
/// How many seconds a token holds where nobody says.
const LIFETIME_DEFAULT: u32 = 300;
/// LIMIT: a day in seconds, after which even an endless token is got again.
const LIFETIME_MAX: u32 = 86_400;
/// LIMIT: five seconds, in which a failure answers every call.
const FAILURE_HELD: Duration = Duration::from_secs(5);
/// LIMIT: as many people at once as the gate keeps tokens of.
const HELD_MAX: usize = 10_000;
/// LIMIT: sixteen kibibytes, what the headers of a request may have.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// LIMIT: the first words of what an authorization server says.
const REASON_CHARS_MAX: usize = 200;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Grants the gate's own tokens for one server.
pub struct Granted {
    spec: GrantSpec,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    subjects: Subjects,
    held: Mutex<Held>,
    turn: Semaphore,
}

#[derive(Default)]
struct Held {
    endpoint: Option<Endpoint>,
    tokens: HashMap<Option<Behalf>, Token>,
    failures: HashMap<Option<Behalf>, (Timestamp, String)>,
}

#[derive(Clone)]
struct Token {
    authorization: Authorization,
    ends: Timestamp,
}

/// Where tokens are asked for, and how the gate says who it is there.
#[derive(Clone)]
struct Endpoint {
    url: String,
    secret_in_form: bool,
}

impl Granted {
    /// Tokens by this specification; nothing is asked for yet.
    pub fn new(
        spec: GrantSpec,
        fetcher: &Fetcher,
        clock: &Arc<dyn Clock>,
        subjects: &Subjects,
    ) -> Self {
        Self {
            spec,
            fetcher: fetcher.clone(),
            clock: clock.clone(),
            subjects: subjects.clone(),
            held: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    async fn get(&self, behalf: Option<&Behalf>) -> Result<Authorization, String> {
        // A token of the gate's own serves everybody.
        let behalf = match self.spec.kind {
            GrantKind::ClientCredentials => None,
            GrantKind::TokenExchange => behalf.cloned(),
        };
        if let Some(known) = self.known(&behalf) {
            return known;
        }
        let Ok(_turn) = self.turn.acquire().await else {
            return Err("the gate is stopping".to_owned());
        };
        if let Some(known) = self.known(&behalf) {
            return known;
        }
        let got = self.ask(behalf.as_ref()).await;
        let now = self.clock.now();
        let mut held = self.held();
        match got {
            Ok(token) => {
                held.make_room(now);
                let authorization = token.authorization.clone();
                held.failures.remove(&behalf);
                held.tokens.insert(behalf, token);
                Ok(authorization)
            }
            Err(why) => {
                held.failures.retain(|_, (until, _)| *until > now);
                let until = now.plus(FAILURE_HELD);
                held.failures.insert(behalf, (until, why.clone()));
                Err(why)
            }
        }
    }

    /// What was heard before, if it still counts.
    fn known(&self, behalf: &Option<Behalf>) -> Option<Result<Authorization, String>> {
        let (held, now) = (self.held(), self.clock.now());
        if let Some(token) = held.tokens.get(behalf)
            && now < token.ends
        {
            return Some(Ok(token.authorization.clone()));
        }
        let (until, why) = held.failures.get(behalf)?;
        (now < *until).then(|| Err(why.clone()))
    }

    async fn ask(&self, behalf: Option<&Behalf>) -> Result<Token, String> {
        let now = self.clock.now();
        let subject = match behalf {
            None => None,
            Some(behalf) => Some(self.subjects.of(behalf, now).ok_or_else(|| {
                let user = &behalf.user;
                format!("the token of `{user}` has ended: call again with a fresh one")
            })?),
        };
        let endpoint = self.endpoint().await?;
        let scopes = self.spec.scopes.join(" ");
        let mut fields = self.grant(subject.as_ref());
        fields.push(("resource", &self.spec.resource));
        if !scopes.is_empty() {
            fields.push(("scope", &scopes));
        }
        let basic = (!endpoint.secret_in_form).then(|| self.basic());
        if endpoint.secret_in_form {
            fields.push(("client_id", &self.spec.client_id));
            fields.push(("client_secret", &self.spec.client_secret));
        }
        let form = Form {
            fields: &fields,
            basic: basic.as_deref().map(String::as_str),
        };
        let answered = self.fetcher.post(&endpoint.url, form).await;
        let (status, said) = answered.map_err(|why| format!("no token could be got: {why}"))?;
        let ends_max = subject.map(|subject| subject.ends);
        read(status, &said, (now, ends_max))
    }

    fn grant<'f>(&self, subject: Option<&'f Subject>) -> Vec<(&'f str, &'f str)> {
        match subject {
            None => vec![("grant_type", "client_credentials")],
            Some(subject) => vec![
                ("grant_type", EXCHANGE),
                ("subject_token", subject.token.as_str()),
                ("subject_token_type", ACCESS_TOKEN),
                ("requested_token_type", ACCESS_TOKEN),
            ],
        }
    }

    /// `Basic`, with both halves encoded as a form is (RFC 6749, 2.3.1).
    fn basic(&self) -> Zeroizing<String> {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let secret = Zeroizing::new(encoded(&self.spec.client_secret));
        let id = encoded(&self.spec.client_id);
        let pair = Zeroizing::new(format!("{id}:{}", secret.as_str()));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }

    async fn endpoint(&self) -> Result<Endpoint, String> {
        let issuer = match &self.spec.place {
            TokenPlace::TokenUrl(url) => {
                return Ok(Endpoint {
                    url: url.clone(),
                    secret_in_form: false,
                });
            }
            TokenPlace::Issuer(issuer) => issuer,
        };
        if let Some(known) = self.held().endpoint.clone() {
            return Ok(known);
        }
        let metadata = discover(&self.fetcher, issuer).await?;
        let url = text_of(&metadata, "token_endpoint");
        let url = url.ok_or_else(|| format!("`{issuer}` names no `token_endpoint`"))?;
        let found = Endpoint {
            url: url.to_owned(),
            secret_in_form: !takes_basic(&metadata),
        };
        self.held().endpoint = Some(found.clone());
        Ok(found)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grants for Granted {
    fn authorization<'a>(
        &'a self,
        behalf: Option<&'a Behalf>,
    ) -> BoxFuture<'a, Result<Authorization, String>> {
        Box::pin(self.get(behalf))
    }

    fn is_personal(&self) -> bool {
        self.spec.kind == GrantKind::TokenExchange
    }

    fn refused(&self, used: &Authorization) {
        let mut held = self.held();
        held.tokens.retain(|_, token| token.authorization != *used);
    }
}

impl Held {
    fn make_room(&mut self, now: Timestamp) {
        if self.tokens.len() < HELD_MAX {
            return;
        }
        self.tokens.retain(|_, token| token.ends > now);
        if self.tokens.len() >= HELD_MAX {
            self.tokens.clear();
        }
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Granted").field(&self.spec).finish()
    }
}

/// Reads what a token endpoint answered. A token got for a user ends with the user's own.
fn read(
    status: u16,
    said: &Value,
    (now, ends_max): (Timestamp, Option<Timestamp>),
) -> Result<Token, String> {
    let refused = |why: &str| format!("no token could be got: {why}");
    if status != 200 {
        let word = text_of(said, "error").unwrap_or("no reason given");
        let more = text_of(said, "error_description").unwrap_or_default();
        let why = format!("HTTP {status}: {word} {more}");
        let why: String = why.chars().take(REASON_CHARS_MAX).collect();
        return Err(refused(why.trim_end()));
    }
    let kind = text_of(said, "token_type").unwrap_or_default();
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(refused("it is no bearer token"));
    }
    let token = text_of(said, "access_token").unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(plain) {
        return Err(refused("the answer has no token that a header can carry"));
    }
    let lasts = said.get("expires_in").map(Value::to_string);
    let lasts = lasts.and_then(|text| text.trim_matches('"').parse().ok());
    let lasts: u32 = lasts.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
    // What is too short to be kept serves the requests of half its time.
    let kept = lasts - LEFT_MIN.min(lasts / 2);
    let ends = now.plus(Duration::from_secs(kept));
    Ok(Token {
        authorization: Authorization::new(format!("Bearer {token}")),
        ends: ends_max.map_or(ends, |max| ends.min(max)),
    })
}

fn takes_basic(metadata: &Value) -> bool {
    let methods = metadata.get("token_endpoint_auth_methods_supported");
    // Without a word `client_secret_basic` is meant (RFC 8414, 2).
    let Some(methods) = methods.and_then(Value::as_array) else {
        return true;
    };
    methods.iter().any(|method| method == "client_secret_basic")
        || !methods.iter().any(|method| method == "client_secret_post")
}
