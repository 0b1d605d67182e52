//! Problems with a request, as RFC 9457 writes them, and the one map from errors to problems.
//!
//! ```json
//! {"type": "http://127.0.0.1:8787/problems/unknown_field", "title": "The body has a field …",
//!  "status": 400, "detail": "unknown field `toool`", "code": "unknown_field",
//!  "errors": [{"pointer": "/toool", "detail": "…", "help": "did you mean `tool`"}],
//!  "request_id": "req_…"}
//! ```
//!
//! A decision of the gate is never a problem (5-house, 5). What the operator must know goes to the
//! log; what the caller may know goes here. Must not know: handlers.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use toolgate_driver::{Failed, PolicyError};
use toolgate_execution::Refusal;
use toolgate_gate::port::Unavailable;
use toolgate_model::json::JsonError;
use toolgate_model::{Code, Denial, Diagnostic, Severity};
use utoipa::ToSchema;

use crate::admission::Complaint;
use crate::diagnostic::DiagnosticView;
use crate::kinds::Kind;
use crate::state::Api;

/// Characters of a detail.
// LIMIT: details repeat what an attacker wrote; five hundred show any place that is meant.
const DETAIL_CHARS_MAX: usize = 500;

/// One problem on its way out. The front completes it with the request id.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    errors: Vec<Fault>,
    diagnostics: Vec<DiagnosticView>,
}

/// A problem with a request (RFC 9457, `application/problem+json`).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// A URL that says more about this kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// What it is, the same for every occurrence.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// The stable code.
    code: &'static str,
    /// The places that are wrong.
    errors: Vec<Fault>,
    /// For policies: everything that was found, with its place in the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<DiagnosticView>,
    /// Names this request in the gate's log.
    request_id: String,
}

/// One place of a request that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// JSON pointer into the body.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) detail: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A problem of this kind; `detail` says what is wrong this time.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = clip(detail.into());
        Self {
            kind,
            detail,
            errors: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// A problem at one place of the body.
    pub(crate) fn at(kind: Kind, pointer: &str, detail: impl Into<String>) -> Self {
        Self::new(kind, detail).fault(pointer, None)
    }

    /// A field whose value cannot be.
    pub(crate) fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::at(Kind::InvalidField, pointer, detail)
    }

    /// A query parameter whose value cannot be.
    pub(crate) fn parameter(name: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(Kind::InvalidParameter, format!("`{name}`: {detail}"))
    }

    /// A header whose value cannot be.
    pub(crate) fn header(name: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(Kind::InvalidHeader, format!("`{name}`: {detail}"))
    }

    /// There is no such thing, or not for this caller: the same text for both.
    pub(crate) fn not_found(kind: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {kind} `{id}`"))
    }

    /// A problem with policies, and everything that was found in them.
    fn found(kind: Kind, detail: String, diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error);
        let errors = errors.map(|found| Fault {
            pointer: found.path.clone(),
            detail: format!("{}: {}", found.code, found.message),
            help: found.help.clone(),
        });
        Self {
            errors: errors.collect(),
            diagnostics: diagnostics.into_iter().map(DiagnosticView::from).collect(),
            ..Self::new(kind, detail)
        }
    }

    /// The same problem, said to be at `pointer`.
    pub(crate) fn fault(mut self, pointer: &str, help: Option<String>) -> Self {
        let (pointer, detail) = (clip(pointer.to_owned()), self.detail.clone());
        self.errors.push(Fault {
            pointer,
            detail,
            help,
        });
        self
    }

    /// The problem in one sentence: where it is, and what is wrong there.
    pub(crate) fn told(&self) -> String {
        match self.errors.as_slice() {
            [only] if !only.pointer.is_empty() => format!("`{}`: {}", only.pointer, only.detail),
            _ => self.detail.clone(),
        }
    }

    /// The body of the answer.
    pub(crate) fn view(self, public_url: &str, request_id: &str) -> ProblemView {
        let page = || format!("{public_url}/problems/{}", self.kind.word());
        ProblemView {
            kind: self.kind.urn().unwrap_or_else(page),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail,
            code: self.kind.word(),
            errors: self.errors,
            diagnostics: self.diagnostics,
            request_id: request_id.to_owned(),
        }
    }

    /// The headers that the status calls for.
    pub(crate) fn headers(&self, api: &Api) -> Option<(HeaderName, HeaderValue)> {
        let challenge = |complaint| {
            let words = match api.admission.issuers {
                Some(_) => api.challenge(complaint, ""),
                None => HeaderValue::from_static("Bearer"),
            };
            Some((header::WWW_AUTHENTICATE, words))
        };
        match self.kind {
            // Whether there was a token at all is said by the challenge of the MCP face alone.
            Kind::Unauthenticated | Kind::CredentialExpired | Kind::CredentialRevoked => {
                challenge(Complaint::Missing)
            }
            Kind::InsufficientScope => challenge(Complaint::Scope),
            Kind::GateUnavailable | Kind::NotReady | Kind::TooManyStreams => {
                Some((header::RETRY_AFTER, HeaderValue::from_static("1")))
            }
            _ => None,
        }
    }
}

/// The problem travels in the extensions: only the front knows the request id and the public URL.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let detail = failed.to_string();
        match failed {
            Failed::NotFound { .. } => Self::new(Kind::NotFound, detail),
            Failed::Forbidden { .. } => Self::new(Kind::Forbidden, detail),
            Failed::Refused(refusal) => refusal.into(),
            Failed::Conflict { code, .. } => Self::new(coded(code), detail),
            Failed::Invalid(_) => Self::new(Kind::InvalidRequest, detail),
            Failed::Poisoned(broken) => {
                tracing::error!(%broken, "a request met a poisoned invocation");
                Self::new(
                    Kind::Poisoned,
                    "the invocation is stopped and waits for an operator",
                )
            }
            Failed::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(coded(refusal.code()), refusal.to_string())
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        let Unavailable { part, detail } = unavailable;
        tracing::error!(part, detail, "a request could not be served");
        Self::new(Kind::GateUnavailable, format!("the {part} does not answer"))
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Failed(failed) => failed.into(),
            PolicyError::Invalid(diagnostics) => Self::from(diagnostics),
            PolicyError::TestsFailed(diagnostics) => {
                let detail = match diagnostics.as_slice() {
                    [only] => only.message.clone(),
                    several => format!("{} tests fail", several.len()),
                };
                Self::found(Kind::TestsFailed, detail, diagnostics)
            }
            PolicyError::SecondPerson { .. } => Self::new(Kind::SecondPerson, error.to_string()),
        }
    }
}

impl From<Vec<Diagnostic>> for Problem {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = || {
            let severe = |found: &&Diagnostic| found.severity == Severity::Error;
            diagnostics.iter().filter(severe)
        };
        let detail = match (errors().next(), errors().count()) {
            (Some(only), 1) => format!("{}: {}", only.code, only.message),
            (_, several) => format!("{several} errors keep the policy from loading"),
        };
        Self::found(Kind::PolicyInvalid, detail, diagnostics)
    }
}

/// A refusal of step 1: about the token alone.
impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let kind = match denial.code {
            Code::CredentialExpired => Kind::CredentialExpired,
            Code::CredentialRevoked => Kind::CredentialRevoked,
            _ => Kind::Unauthenticated,
        };
        Self::new(kind, denial.message)
    }
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        let kind = match error {
            JsonError::TooLong { .. } => Kind::BodyTooLarge,
            JsonError::Malformed { .. } => Kind::InvalidBody,
        };
        Self::new(kind, error.to_string())
    }
}

/// The kind with the same word as a code; conflicts that have none of their own are of state.
fn coded(code: Code) -> Kind {
    Kind::parse(code.as_str()).unwrap_or(Kind::WrongState)
}

fn clip(text: String) -> String {
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{DETAIL_CHARS_MAX, Problem, coded};
    use crate::kinds::Kind;
    use toolgate_model::Code;

    #[test]
    fn what_an_attacker_wrote_is_repeated_only_so_far() {
        let problem = Problem::field("/tool", "é".repeat(100_000));
        let view = problem.view("http://gate", "req_1");
        assert_eq!(view.detail.chars().count(), DETAIL_CHARS_MAX + 1);
        assert_eq!(view.errors[0].detail, view.detail);
    }

    #[test]
    fn refusals_of_the_machine_keep_their_word() {
        let words = [
            Code::WrongState,
            Code::SnapshotChanged,
            Code::ApprovalExpired,
            Code::SelfApproval,
            Code::NotEligible,
            Code::AlreadyVoted,
        ];
        for code in words {
            assert_eq!(coded(code).word(), code.as_str());
        }
        assert_eq!(coded(Code::Drifted), Kind::Drifted);
        assert_eq!(coded(Code::PolicyDenied), Kind::WrongState);
    }
}
