//! The registry of problems: everything that can be wrong with a request, one line a kind.
//!
//! The word is the `code` of the problem and the end of its `type` URL, `/problems/{code}`, where
//! this text is served. A promise to callers: append only. Words that are also in the registry of
//! [`toolgate_model::Code`] mean the same there.

use axum::http::StatusCode;

macro_rules! kinds {
    ($($variant:ident = $word:literal, $status:ident, $title:literal, $help:literal;)+) => {
        /// What is wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            $(#[doc = $title] $variant,)+
        }

        impl Kind {
            /// Every kind, in order of its word.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code.
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The HTTP status that it is answered with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// What it is, the same for every occurrence.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// What to do about it.
            pub(crate) const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),+ }
            }
        }
    };
}

kinds! {
    AgentMayNotDecide = "agent_may_not_decide", FORBIDDEN,
        "An agent's key approves nothing",
        "ask a person who may approve to decide with their own token";
    AlreadyVoted = "already_voted", CONFLICT,
        "This person has decided already",
        "ask somebody else: each approver counts once";
    ApprovalExpired = "approval_expired", CONFLICT,
        "The approval has lapsed",
        "propose the call again if it is still wanted";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE,
        "The body is too large",
        "send less: the limit stands in the detail and is set in the gate's configuration";
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT,
        "The body did not arrive in time",
        "send the whole body at once";
    BodyUnreadable = "body_unreadable", BAD_REQUEST,
        "The body could not be read",
        "send the request again as a whole";
    CredentialExpired = "credential_expired", UNAUTHORIZED,
        "The credential has expired",
        "ask whoever manages agents for a new one";
    CredentialRevoked = "credential_revoked", UNAUTHORIZED,
        "The credential was revoked, or its agent is suspended",
        "ask whoever manages agents why";
    Defect = "defect", INTERNAL_SERVER_ERROR,
        "The gate has a defect",
        "report the request id; look at what became of the request before repeating it";
    Drifted = "drifted", CONFLICT,
        "What the call is about has changed",
        "look at what it is about now; propose a new call if it is still wanted";
    DuplicateRequest = "duplicate_request", CONFLICT,
        "The idempotency key belongs to another access request",
        "choose another key, or repeat the request as it was";
    Exists = "exists", CONFLICT,
        "There is such a thing already",
        "choose another name, or change what is there";
    ExpiredDenial = "expired_denial", GONE,
        "The denial is too old to be answered with an access request",
        "evaluate again, and ask with what comes back";
    Forbidden = "forbidden", FORBIDDEN,
        "The caller's role does not allow this",
        "ask somebody whose role has the permission that the detail names";
    GateUnavailable = "gate_unavailable", SERVICE_UNAVAILABLE,
        "Something that the gate depends on does not answer",
        "try again; the operator finds the cause in the gate's log under the request id";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers are too many or too long",
        "send fewer and shorter headers";
    InsufficientScope = "insufficient_scope", FORBIDDEN,
        "The token was not issued for this",
        "get a token with the scopes that `WWW-Authenticate` names";
    InvalidBody = "invalid_body", BAD_REQUEST,
        "The body is not acceptable JSON",
        "mend the place that the detail names; duplicate keys and inexact numbers are refused";
    InvalidDenialBinding = "invalid_denial_binding", BAD_REQUEST,
        "The access request is not tied to a denial of the same thing",
        "send back `context.access_request.binding_token`, and what was evaluated as it was";
    InvalidField = "invalid_field", BAD_REQUEST,
        "A field of the body has a value that it cannot have",
        "mend the field that the pointer names";
    InvalidHeader = "invalid_header", BAD_REQUEST,
        "A header has a value that it cannot have",
        "mend the header that the detail names";
    InvalidParameter = "invalid_parameter", BAD_REQUEST,
        "A query parameter has a value that it cannot have",
        "mend the parameter that the detail names";
    InvalidRequest = "invalid_request", UNPROCESSABLE_ENTITY,
        "The request is well-formed and cannot be carried out",
        "change what the detail names";
    InvalidTaskState = "invalid_task_state", CONFLICT,
        "The access request has ended already",
        "look at what became of it";
    LogUnsound = "log_unsound", INTERNAL_SERVER_ERROR,
        "The record does not verify",
        "keep a copy of the data directory and run `toolgate audit verify` on it";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        "This resource has no such method",
        "use one of the methods in the `allow` header";
    NotAvailable = "not_available", UNPROCESSABLE_ENTITY,
        "This is not available yet",
        "leave the field out";
    NotEligible = "not_eligible", FORBIDDEN,
        "This person is not among the approvers of this call",
        "ask one of those whom the detail names";
    NotFound = "not_found", NOT_FOUND,
        "There is no such thing, or not for this caller",
        "check the id; things of other tenants and of other agents do not exist for you";
    NotReady = "not_ready", SERVICE_UNAVAILABLE,
        "The gate cannot serve calls",
        "mend what the detail names; until then every call is denied";
    NotRequestable = "not_requestable", BAD_REQUEST,
        "People are not asked about this",
        "evaluate again: the detail says what stands against it now";
    OriginRefused = "origin_refused", FORBIDDEN,
        "Browsers may not call the gate from this origin",
        "add the origin to `origins` in the gate's configuration if it is yours";
    PersonMayNotInvoke = "person_may_not_invoke", FORBIDDEN,
        "A person's token invokes no tool",
        "call with an agent's key";
    Poisoned = "poisoned", INTERNAL_SERVER_ERROR,
        "An invariant of the invocation broke; it is stopped",
        "report the request id; an operator must look at it";
    PolicyInvalid = "policy_invalid", UNPROCESSABLE_ENTITY,
        "The policy does not load",
        "mend what the errors name; what was in force stays in force";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED,
        "It has changed since you looked",
        "look again, and repeat the change on what is there now";
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED,
        "A change must say what it changes",
        "send `If-Match` with the `ETag` you saw, or `If-None-Match: *` to create";
    SecondPerson = "second_person", CONFLICT,
        "Somebody else has to do this",
        "ask one of those whom the detail names";
    SelfApproval = "self_approval", FORBIDDEN,
        "Whoever asked, owns the agent or is acted for cannot decide",
        "ask somebody else who may approve";
    SnapshotChanged = "snapshot_changed", CONFLICT,
        "The decision names another digest than the frozen one",
        "look at the approval again and decide on its present digest";
    TestsFailed = "tests_failed", UNPROCESSABLE_ENTITY,
        "Tests that the policies carry fail",
        "mend what the errors name; what was in force stays in force";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS,
        "Too many event streams are open",
        "close one, or poll `/v1/records`";
    ToolChanged = "tool_changed", CONFLICT,
        "The tool says something else by now",
        "look at the review again, and decide on the present digest";
    Unauthenticated = "unauthenticated", UNAUTHORIZED,
        "The credential is missing or not known",
        "send `Authorization: Bearer` with a token of this gate; nowhere else is one read";
    UnknownField = "unknown_field", BAD_REQUEST,
        "The body has a field that is not known",
        "mend or remove the field that the pointer names";
    UnknownHost = "unknown_host", MISDIRECTED_REQUEST,
        "The request names a host that is not this gate",
        "add the name to `hosts` in the gate's configuration if it is this gate's";
    UnknownParameter = "unknown_parameter", BAD_REQUEST,
        "The query has a parameter that is not known",
        "mend or remove the parameter that the detail names";
    UnknownTask = "unknown_task", NOT_FOUND,
        "There is no such access request, or not for this caller",
        "check the id; those of other agents do not exist for you";
    UriTooLong = "uri_too_long", URI_TOO_LONG,
        "The address is too long",
        "send less in the query";
    WrongContentType = "wrong_content_type", BAD_REQUEST,
        "The body is not said to be JSON",
        "send `Content-Type: application/json`";
    WrongState = "wrong_state", CONFLICT,
        "Its state does not allow this",
        "look at what it is now";
}

impl Kind {
    /// The name that a profile gives to this kind, where one does.
    pub(crate) fn urn(self) -> Option<String> {
        let own = matches!(
            self,
            Self::DuplicateRequest
                | Self::ExpiredDenial
                | Self::InvalidDenialBinding
                | Self::InvalidTaskState
                | Self::NotRequestable
                | Self::UnknownTask
        );
        own.then(|| format!("urn:openid:authzen:access-request:error:{}", self.word()))
    }

    /// The kind with this code.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn the_list_is_sorted_and_each_word_stands_once() {
        let words: Vec<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(words, sorted);
    }

    #[test]
    fn every_kind_is_an_error_and_says_what_to_do() {
        for kind in Kind::ALL {
            let status = kind.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{kind:?}"
            );
            assert!(
                !kind.title().ends_with('.') && !kind.help().ends_with('.'),
                "{kind:?}"
            );
            assert_eq!(Kind::parse(kind.word()), Some(*kind));
        }
    }
}
