//! Requests on their way and what comes back, shown so that it is the same in every run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::contract::Contract;

/// A request on its way.
pub(crate) struct Sending<'w> {
    router: &'w Router,
    request: Request<Body>,
    sent: Vec<u8>,
    names: &'w Arc<Mutex<Names>>,
}

impl<'w> Sending<'w> {
    /// An empty request to this router, as a client on the same machine sends it.
    pub(crate) fn new(
        (router, names): (&'w Router, &'w Arc<Mutex<Names>>),
        method: Method,
        path: &str,
    ) -> Self {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let sent = Vec::new();
        let sending = Self {
            router,
            request,
            sent,
            names,
        };
        let sending = sending.header("host", "127.0.0.1:8787");
        sending.header("x-request-id", "req_test")
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// One more header of this name.
    pub(crate) fn also(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", "application/json")
    }

    /// Sends a JSON body, and holds it against the description where it was taken.
    pub(crate) async fn json(mut self, body: Value) -> Answer {
        self.sent = body.to_string().into_bytes();
        self.body(body.to_string()).await
    }

    /// The answer with its body still to be read.
    pub(crate) async fn open(self) -> axum::response::Response {
        self.router.clone().oneshot(self.request).await.unwrap()
    }
}

impl<'w> IntoFuture for Sending<'w> {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'w>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let names = self.names.clone();
            let (method, path) = (self.request.method().clone(), self.request.uri().clone());
            let operation = (method.as_str(), path.path());
            let sent = self.sent.clone();
            let (parts, body) = self.open().await.into_parts();
            let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
            if parts.status.is_success() {
                Contract::shared().taken(operation, &sent);
            }
            Contract::shared().answered(operation, parts.status.as_u16(), &body);
            Answer {
                status: parts.status,
                headers: parts.headers,
                body,
                names,
            }
        })
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    names: Arc<Mutex<Names>>,
}

impl Answer {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of a problem, with its status.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let code = self.value()["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// Status and body, with everything that differs between runs numbered.
    pub(crate) fn show(&self) -> String {
        let body = serde_json::to_string_pretty(&self.value()).unwrap();
        let text = format!("{}\n{body}\n", self.status.as_u16());
        self.names.lock().unwrap().tidy(&text)
    }
}

/// Numbers ids, digests, tokens and keys in the order they appear.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, String>, HashMap<String, usize>);

impl Names {
    fn tidy(&mut self, text: &str) -> String {
        let pattern = regex::Regex::new(
            r"(?P<kind>tgp?|inv|apr|evt|key)_[0-9a-f]{32}(_[0-9a-f]{64})?|(?P<digest>sha256):[0-9a-f]{64}",
        );
        let number = |found: &regex::Captures<'_>| {
            let kind = found.name("kind").or_else(|| found.name("digest")).unwrap();
            let count = &mut self.1;
            let named = self.0.entry(found[0].to_owned()).or_insert_with(|| {
                let next = count.entry(kind.as_str().to_owned()).or_default();
                *next += 1;
                format!("{}_{next}", kind.as_str())
            });
            named.clone()
        };
        pattern.unwrap().replace_all(text, number).into_owned()
    }
}
