//! The HTTP client of the administrative commands.
//!
//! It talks to the gate that `--url` or `TOOLGATE_URL` names, with `TOOLGATE_TOKEN`; or to the
//! gate that runs on the data directory, whose address stands in `server.json` and whose own
//! token in `admin.token`. That token goes nowhere but to the recorded address.
//!
//! Must not know: what is asked, or how it is shown.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, Url};
use serde_json::Value;
use toolgate_model::{Diagnostic, Severity, Span};

use crate::exit::Exit;
use crate::fault::{Fault, Findings};
use crate::shell::Shell;

/// LIMIT: a local gate answers at once; beyond this something is broken.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// LIMIT: above the longest wait that a caller may ask for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// Where a gate writes how it can be reached.
pub(crate) const SERVER_FILE: &str = "server.json";

/// Where a gate keeps the token of its first person.
pub(crate) const TOKEN_FILE: &str = "admin.token";

/// What a gate holds locked for as long as it runs.
const LOCK_FILE: &str = "toolgate.lock";

/// A gate to talk to.
#[derive(Debug)]
pub(crate) struct Admin {
    http: Client,
    base: Url,
    token: Option<String>,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    method: Method,
    path: String,
    query: Vec<(&'a str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

/// One answer that is not a problem.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its body; null where there is none.
    pub(crate) body: Value,
    /// Its `ETag`.
    pub(crate) tag: Option<String>,
}

impl<'a> Ask<'a> {
    /// Reads something.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::of(Method::GET, path)
    }

    /// Does something.
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::of(Method::POST, path)
        }
    }

    /// Writes something.
    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::of(Method::PUT, path)
        }
    }

    /// Changes something.
    pub(crate) fn patch(path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::of(Method::PATCH, path)
        }
    }

    fn of(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// With one more query parameter, if there is a value.
    #[must_use]
    pub(crate) fn with(mut self, key: &'a str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (key, value.to_string())));
        self
    }

    /// With one more header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Admin {
    /// The gate that this shell means.
    ///
    /// # Errors
    /// [`Fault`] where no gate or no token can be found.
    pub(crate) fn open(shell: &Shell) -> Result<Self, Fault> {
        let named = shell
            .global
            .url
            .as_deref()
            .or_else(|| shell.variable("TOOLGATE_URL"));
        let token = shell.variable("TOOLGATE_TOKEN").map(str::to_owned);
        match (named, token) {
            (Some(url), Some(token)) => Self::at(url, Some(token)),
            (named, token) => {
                let data = shell.data_directory()?;
                let recorded = recorded_url(&data);
                let url = match (named, &recorded) {
                    (Some(url), _) => url.to_owned(),
                    (None, Some(url)) => url.clone(),
                    (None, None) => return Err(nobody(&data)),
                };
                let own = || recorded.as_deref() == Some(url.trim_end_matches('/'));
                let token = match token {
                    Some(token) => token,
                    None if own() => own_token(&data)?,
                    None => return Err(tokenless(&url)),
                };
                Self::at(&url, Some(token))
            }
        }
    }

    /// The gate at `url`.
    ///
    /// # Errors
    /// [`Fault`] where that is no URL.
    pub(crate) fn at(url: &str, token: Option<String>) -> Result<Self, Fault> {
        let bad = |why: String| {
            Fault::usage(format!("`{url}` is not the URL of a gate: {why}"))
                .help("write it like http://127.0.0.1:8787")
        };
        let base = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(bad("it does not begin with http:// or https://".to_owned()));
        }
        Ok(Self {
            http: client()?,
            base,
            token,
        })
    }

    /// Where the gate is.
    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// Asks, and takes every problem for a fault.
    ///
    /// # Errors
    /// [`Fault`] with the exit code that the problem means.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Fault> {
        let response = self.send(ask).await?;
        let status = response.status().as_u16();
        let tag = response
            .headers()
            .get("etag")
            .and_then(|tag| tag.to_str().ok());
        let tag = tag.map(str::to_owned);
        let text = response
            .text()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let body = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|_| self.no_gate(status))?
        };
        if status < 400 {
            Ok(Answer { body, tag })
        } else {
            Err(problem(status, &body))
        }
    }

    /// Asks, and gives only the body.
    ///
    /// # Errors
    /// [`Fault`] as for [`Admin::ask`].
    pub(crate) async fn body(&self, ask: Ask<'_>) -> Result<Value, Fault> {
        Ok(self.ask(ask).await?.body)
    }

    /// Asks, and gives the response as it comes, for streams.
    ///
    /// # Errors
    /// [`Fault`] where nobody answers.
    pub(crate) async fn send(&self, ask: Ask<'_>) -> Result<reqwest::Response, Fault> {
        let mut url = self.base.clone();
        url.set_path(&ask.path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request = self.http.request(ask.method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if let Some(body) = ask.body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let why = if error.is_connect() {
            "nobody listens there"
        } else {
            "the connection broke"
        };
        Fault::failed(format!(
            "the gate at `{}` does not answer: {why}",
            self.base
        ))
        .help("start it with `toolgate serve`, or name another one with TOOLGATE_URL")
        .coded("unreachable")
    }

    fn no_gate(&self, status: u16) -> Fault {
        let message = format!("what answers at `{}` is no gate (HTTP {status})", self.base);
        Fault::failed(message).help("look at TOOLGATE_URL")
    }
}

/// The client of this process; TLS is set up by `main`.
///
/// # Errors
/// [`Fault`] where the system gives no client.
pub(crate) fn client() -> Result<Client, Fault> {
    built(Client::builder().read_timeout(ANSWER_TIMEOUT))
}

/// A client for answers and streams that may be silent for as long as a call takes.
///
/// # Errors
/// [`Fault`] where the system gives no client.
pub(crate) fn patient_client() -> Result<Client, Fault> {
    built(Client::builder())
}

fn built(builder: reqwest::ClientBuilder) -> Result<Client, Fault> {
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // A gate's token goes to the gate and to no proxy.
        .no_proxy()
        .build()
        .map_err(|error| Fault::failed(format!("no HTTP client: {error}")))
}

/// Where the gate on this data directory says that it listens, while it holds the directory.
///
/// A gate that was killed leaves its address behind, and somebody else may listen there by now:
/// they must not be sent the directory's token.
pub(crate) fn recorded_url(data: &Path) -> Option<String> {
    let lock = std::fs::File::open(data.join(LOCK_FILE)).ok()?;
    let held = matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
    let text = std::fs::read_to_string(data.join(SERVER_FILE))
        .ok()
        .filter(|_| held)?;
    let recorded: Value = serde_json::from_str(&text).ok()?;
    recorded
        .get("url")?
        .as_str()
        .map(|url| url.trim_end_matches('/').to_owned())
}

fn own_token(data: &Path) -> Result<String, Fault> {
    let path = data.join(TOKEN_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let message = format!("the token `{}` cannot be read: {error}", path.display());
        Fault::new(Exit::NotPermitted, message).help("set TOOLGATE_TOKEN to a person's token")
    })?;
    Ok(text.trim().to_owned())
}

fn nobody(data: &Path) -> Fault {
    let message = format!("no gate runs on the data directory `{}`", data.display());
    Fault::failed(message)
        .help("start one with `toolgate serve`, or set TOOLGATE_URL and TOOLGATE_TOKEN")
        .coded("unreachable")
}

fn tokenless(url: &str) -> Fault {
    Fault::new(Exit::NotPermitted, format!("there is no token for `{url}`"))
        .help("set TOOLGATE_TOKEN to a person's token")
}

/// What a problem (RFC 9457) means for whoever ran the command.
fn problem(status: u16, body: &Value) -> Fault {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let diagnostics = diagnostics(body);
    let exit = match status {
        401 | 403 => Exit::NotPermitted,
        409 | 412 | 428 => Exit::Conflict,
        _ if text("code") == "tests_failed" => Exit::TestsFailed,
        400..=499 if !diagnostics.is_empty() => Exit::Invalid,
        400..=499 => Exit::Usage,
        _ => Exit::Failed,
    };
    let detail = [text("detail"), text("title")]
        .into_iter()
        .find(|text| !text.is_empty());
    let message = detail.map_or_else(|| format!("the gate answered HTTP {status}"), str::to_owned);
    let findings = Findings {
        diagnostics,
        ..Findings::default()
    };
    let fault = Fault::new(exit, message).with_findings(|_| findings);
    let fault = match body.get("help").and_then(Value::as_str) {
        Some(help) => fault.help(help),
        None => fault,
    };
    if text("code").is_empty() {
        fault
    } else {
        fault.coded(text("code"))
    }
}

/// The complaints about a policy that a problem or an answer carries.
pub(crate) fn diagnostics(body: &Value) -> Vec<Diagnostic> {
    let listed = body.get("diagnostics").and_then(Value::as_array);
    listed.into_iter().flatten().map(diagnostic).collect()
}

fn diagnostic(value: &Value) -> Diagnostic {
    let text = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let number = |key: &str| {
        let found = value
            .pointer(&format!("/span/{key}"))
            .and_then(Value::as_u64);
        found
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    };
    let span = Span {
        start: number("start"),
        end: number("end"),
        line: number("line"),
        column: number("column"),
    };
    let warning = text("severity") == "warning";
    Diagnostic {
        code: known_code(&text("code")),
        severity: if warning {
            Severity::Warning
        } else {
            Severity::Error
        },
        message: text("message"),
        help: value.get("help").and_then(Value::as_str).map(str::to_owned),
        file: text("file"),
        path: text("path"),
        span: value
            .get("span")
            .filter(|span| !span.is_null())
            .map(|_| span),
        related: Vec::new(),
    }
}

/// Codes of complaints about policies that are not about their text: a `notify` that names no
/// endpoint, and cases that do not read or fail.
const OTHER_CODES: [&str; 6] = ["N001", "T001", "T002", "T003", "T004", "T010"];

/// The code as this build knows it; a newer gate may have others.
fn known_code(code: &str) -> &'static str {
    let of_policies = toolgate_policy::diagnostics::CODES
        .iter()
        .map(|known| known.code);
    let mut known = of_policies.chain(OTHER_CODES);
    known.find(|known| *known == code).unwrap_or("P")
}
