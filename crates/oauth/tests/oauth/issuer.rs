//! An authorization server on loopback, with real keys: metadata, keys, tokens, and the ways in
//! which each of them can be wrong.
//!
//! Must not know: the crate that is tested.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keys {
    /// As it should.
    #[default]
    Right,
    /// Somewhere else, by redirect.
    Moved,
    /// Ten megabytes of them.
    Endless,
    /// Not at all.
    Away,
    /// As it should, by metadata that speaks for somebody else.
    Foreign,
}

/// A key that signs.
pub(crate) enum Signing {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// What was asked, and what is answered.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) keys: Vec<Value>,
    pub(crate) behaviour: Keys,
    /// How often the keys were asked for.
    pub(crate) asked: usize,
    /// The forms that the token endpoint got, with the client that authenticated.
    pub(crate) forms: Vec<BTreeMap<String, String>>,
    /// What the token endpoint answers next, instead of a token.
    pub(crate) refusal: Option<(u16, Value)>,
    /// How long tokens hold.
    pub(crate) expires_in: u64,
}

/// A running server.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) books: Arc<Mutex<Books>>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let books = Arc::new(Mutex::new(Books {
            expires_in: 300,
            ..Books::default()
        }));
        let served = (url.clone(), books.clone());
        let routes = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/keys", get(keys))
            .route("/elsewhere", get(keys))
            .route("/token", post(token))
            .with_state(served);
        #[expect(clippy::disallowed_methods, reason = "the server ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, books }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Books)) {
        change(&mut self.books.lock().unwrap());
    }

    pub(crate) fn asked(&self) -> usize {
        self.books.lock().unwrap().asked
    }

    pub(crate) fn forms(&self) -> Vec<BTreeMap<String, String>> {
        self.books.lock().unwrap().forms.clone()
    }

    /// A fresh key of the server's, published under this name.
    pub(crate) fn publish(&self, kid: &str, signing: &Signing) {
        let mut jwk = signing.jwk();
        jwk["kid"] = json!(kid);
        self.change(|books| books.keys.push(jwk));
    }
}

impl Signing {
    pub(crate) fn es256() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Es256(EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), &random).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::EdDsa(Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap())
    }

    pub(crate) fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "use": "sig",
                       "x": part(&point[1..33]), "y": part(&point[33..])})
            }
            Self::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": part(pair.public_key().as_ref())})
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// A token with these claims, and a header of one's own where there is one.
    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.name(), "typ": "at+jwt", "kid": kid});
        self.sign(&header, claims)
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::Es256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                signed.as_ref().to_vec()
            }
            Self::EdDsa(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

type Served = State<(String, Arc<Mutex<Books>>)>;

async fn metadata(State((url, books)): Served) -> Json<Value> {
    let foreign = books.lock().unwrap().behaviour == Keys::Foreign;
    Json(json!({
        "issuer": if foreign { "https://login.other.com" } else { &url },
        "jwks_uri": format!("{url}/keys"),
        "token_endpoint": format!("{url}/token"),
    }))
}

async fn keys(State((_, books)): Served, uri: axum::http::Uri) -> Response {
    let mut books = books.lock().unwrap();
    books.asked += 1;
    match books.behaviour {
        Keys::Away => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Keys::Moved if uri.path() == "/keys" => Redirect::temporary("/elsewhere").into_response(),
        Keys::Endless => {
            format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(10 << 20)).into_response()
        }
        Keys::Right | Keys::Moved | Keys::Foreign => {
            Json(json!({"keys": books.keys})).into_response()
        }
    }
}

async fn token(
    State((_, books)): Served,
    headers: HeaderMap,
    Form(mut form): Form<BTreeMap<String, String>>,
) -> Response {
    let mut books = books.lock().unwrap();
    let basic = headers.get(header::AUTHORIZATION).map(|value| {
        let text = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    });
    form.insert("(basic)".to_owned(), basic.unwrap_or_default());
    books.forms.push(form);
    if let Some((status, said)) = books.refusal.take() {
        return (StatusCode::from_u16(status).unwrap(), Json(said)).into_response();
    }
    let number = books.forms.len();
    Json(json!({
        "access_token": format!("granted-{number}"),
        "token_type": "Bearer",
        "expires_in": books.expires_in,
    }))
    .into_response()
}
