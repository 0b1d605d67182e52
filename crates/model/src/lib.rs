//! Nouns of the gate and their parsing.
//!
//! Everything above this crate speaks in these words: who calls ([`Agent`], [`Credential`],
//! [`Identity`]), what would run ([`Call`], [`Descriptor`]), how far somebody may reach
//! ([`Grant`], [`Scope`]) and what the gate answers ([`Decision`], [`Denial`], [`Code`]).
//! Parsing is strict, because attackers write the arguments: see [`json`].
//!
//! Must not know: rules, the state machine, stores, transports, clocks, randomness.

mod address;
mod body;
mod call;
mod code;
mod data;
mod decision;
mod diagnostic;
mod digest;
mod glob;
mod grant;
mod hosted;
mod http;
mod id;
mod identity;
pub mod json;
mod offer;
mod plain;
mod probe;
mod risk;
mod text;
mod time;
mod token;
mod tool;

pub use address::{AddressReach, Place};
pub use body::{BODY_KEY, Body, body_in};
pub use call::{Call, Mode, Recognised, Trigger, User};
pub use code::Code;
pub use data::{Authors, DataClass, DataClasses, Origin};
pub use decision::{
    ApprovalTerms, Decision, Denial, MatchedRule, Notice, Obligation, RuleRef, Sanitized, Truth,
    Verdict,
};
pub use diagnostic::{Diagnostic, Label, Severity, Span, nearest};
pub use digest::{Digest, DigestError};
pub use glob::Glob;
pub use grant::{Coverage, Grant, Profile, Reach, Scope};
pub use hosted::{HostStatement, HostTool};
pub use http::{HttpRequest, Recognition};
pub use id::{
    AgentId, ApprovalId, Epoch, IdError, IncidentId, InvocationId, KeyId, PolicyVersion, RecordId,
    TenantId, entropy_id,
};
pub use identity::{Agent, Credential, Identity, Operator, Permission, Role};
pub use offer::{Announced, Method, Offer};
pub use plain::{is_normal, resolves_to_itself};
pub use probe::{
    Backoff, Checks, EffectCheck, EffectLook, EntityCheck, Filling, KeyPlace, Probe, Recovery,
    Template, TriggerCheck,
};
pub use risk::{Effect, Risk, RiskScore, Runner, Stance, Verb};
pub use text::{is_invisible, searchable};
pub use time::{Duration, TimeError, Timestamp};
pub use token::{SecretHash, Token, TokenError, TokenKind};
pub use tool::{
    Catalogue, Descriptor, Lifecycle, Resource, ResourceTemplate, SourceFacts, SourceHealth,
    SourceStatus, ToolId, ToolIdError, ToolNames,
};
