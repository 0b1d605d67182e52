//! What a caller asks the proxy for: the address, the headers and the body, as the gate is told them.
//!
//! ```text
//! /proxy/https://api.acme.com/v1/x?y=1         a base address
//! GET http://api.acme.com/v1/x HTTP/1.1        HTTP_PROXY, for plain http alone
//! ```
//!
//! A web page is refused: whoever can reach the port acts with the agent's key, and a browser lets
//! every page reach it. Must not know: what the gate says.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts};
use reqwest::Url;
use serde_json::{Value, json};

use super::Proxy;
use super::answer::Refusal;

/// LIMIT: what the gate takes for a request by default, which has to hold this one within it.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Where the address begins.
const PREFIX: &str = "/proxy/";

/// Headers between the caller and the proxy alone: of the connection, and what says how the body is
/// written on the wire.
const OF_THE_HOP: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
];

/// Headers with words for the gate begin so, and go no further.
const OF_THE_GATE: &str = "toolgate-";

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    /// By name in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// None where it is no text, which the gate cannot judge.
    pub(super) body: Option<String>,
    /// As it came.
    pub(super) bytes: axum::body::Bytes,
    /// Whether it named the address after `/proxy/`, so that redirects must, too.
    pub(super) by_path: bool,
    pub(super) words: BTreeMap<String, String>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no address, or none that the proxy may connect to.
    pub(super) async fn read(request: Request, proxy: &Proxy) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        refuse_pages(&parts.headers)?;
        let (url, by_path) = address(&parts, proxy)?;
        proxy
            .setting
            .reach
            .check(&url)
            .map_err(Refusal::forbidden)?;
        let (headers, words) = headers(&parts.headers)?;
        let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
            let what = format!("the body has more than {BODY_BYTES_MAX} bytes, or broke off");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what)
        })?;
        Ok(Self {
            method: parts.method,
            url,
            headers,
            body: String::from_utf8(bytes.to_vec()).ok(),
            bytes,
            by_path,
            words,
        })
    }

    /// The call that the gate is to judge.
    ///
    /// # Errors
    /// A [`Refusal`] where nobody could judge it.
    pub(super) fn call(&self, mode: &str) -> Result<Value, Refusal> {
        let Some(body) = &self.body else {
            let what = "the body is no text, and what cannot be read is not judged";
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_text",
                what,
            ));
        };
        let body = if body.is_empty() {
            Value::Null
        } else {
            json!(body)
        };
        let mut call = json!({
            "mode": mode,
            "http": {
                "method": self.method.as_str(),
                "url": self.url.as_str(),
                "headers": self.headers,
                "body": body,
            },
            "allow_duplicate": self.word("allow-duplicate") == Some("true"),
        });
        let said = [
            ("session", "session_id"),
            ("correlation", "correlation_id"),
            ("env", "env"),
            ("workflow", "workflow"),
            ("justification", "justification"),
        ];
        for (word, member) in said {
            if let (Some(text), Some(call)) = (self.word(word), call.as_object_mut()) {
                call.insert(member.to_owned(), json!(text));
            }
        }
        Ok(call)
    }

    /// The caller's idempotency key.
    pub(super) fn key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }

    fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name).map(String::as_str)
    }
}

/// Browsers say which page a request comes from.
fn refuse_pages(headers: &HeaderMap) -> Result<(), Refusal> {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let of_a_page = headers.contains_key(header::ORIGIN)
        || site.is_some_and(|site| site != b"none" && site != b"same-origin");
    if of_a_page {
        let what = "this proxy is for programs, and a web page sent this";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "web_page", what));
    }
    Ok(())
}

fn address(parts: &Parts, proxy: &Proxy) -> Result<(Url, bool), Refusal> {
    if parts.method == Method::CONNECT {
        let what = "a tunnel cannot be judged: give the program \
                    `http://HOST:PORT/proxy/https://…` as its base address instead of HTTPS_PROXY";
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "tunnel", what));
    }
    let own = proxy.own.to_string();
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    if authority.is_some_and(|authority| authority != own) {
        return url(&parts.uri.to_string()).map(|url| (url, false));
    }
    refuse_strange_host(&parts.headers, proxy)?;
    let text = after_prefix(&parts.uri).ok_or_else(|| {
        let what = format!(
            "`{}` names no address: write `http://{own}/proxy/https://api.example.com/…`",
            parts.uri.path(),
        );
        Refusal::new(StatusCode::NOT_FOUND, "no_address", what)
    })?;
    url(&text).map(|url| (url, true))
}

/// A name that leads here without being this machine's is a page's way around its browser.
fn refuse_strange_host(headers: &HeaderMap, proxy: &Proxy) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let port = proxy.own.port();
    let names = [
        proxy.own.to_string(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ];
    match host {
        Some(host) if names.iter().any(|name| name.eq_ignore_ascii_case(host)) => Ok(()),
        _ => {
            let what = format!("`Host` is not this proxy: it is `{}`", names[0]);
            Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "strange_host",
                what,
            ))
        }
    }
}

/// What stands after the prefix. Clients that tidy paths make one slash of two.
fn after_prefix(uri: &Uri) -> Option<String> {
    let whole = uri.path_and_query()?.as_str();
    let rest = whole.strip_prefix(PREFIX)?;
    for scheme in ["https:/", "http:/"] {
        if let Some(tail) = rest.strip_prefix(scheme) {
            let tail = tail.strip_prefix('/').unwrap_or(tail);
            return Some(format!("{scheme}/{tail}"));
        }
    }
    None
}

fn url(text: &str) -> Result<Url, Refusal> {
    let refused = |what: String| Refusal::new(StatusCode::BAD_REQUEST, "bad_address", what);
    let url =
        Url::parse(text).map_err(|error| refused(format!("the address is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused(
            "the address begins with neither http:// nor https://".to_owned(),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let what = "the address carries a user or a password: send `Authorization` instead";
        return Err(refused(what.to_owned()));
    }
    Ok(url)
}

/// The headers of the request itself, and the words for the gate.
type Headers = (BTreeMap<String, String>, BTreeMap<String, String>);

fn headers(given: &HeaderMap) -> Result<Headers, Refusal> {
    let refused = |name: &str, what: &str| {
        let what = format!("header `{name}` {what}");
        Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_header", what))
    };
    // What `Connection` lists belongs to the connection, too.
    let listed = given.get_all(header::CONNECTION).iter();
    let listed: Vec<String> = listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let (mut headers, mut words) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in given {
        let name = name.as_str();
        if OF_THE_HOP.contains(&name) || listed.iter().any(|one| one == name) {
            continue;
        }
        let Ok(value) = value.to_str() else {
            return refused(name, "has characters that no header has");
        };
        let (map, key) = match name.strip_prefix(OF_THE_GATE) {
            Some(word) => (&mut words, word),
            None => (&mut headers, name),
        };
        match map.insert(key.to_owned(), value.to_owned()) {
            Some(other) if other != value => {
                return refused(name, "is given more than once, with different values");
            }
            _ => {}
        }
    }
    Ok((headers, words))
}
