//! What a rule can ask about earlier calls. The gate keeps the answers; here is only the question.
//!
//! `rate(agent, 1h) >= 20` asks for the calls of this agent in the last hour, this one not counted.
//! Whoever answers hangs it on verified identity, never on a name that the caller chose. `None` means
//! that nobody can say (the window reaches further back than what is kept), and makes the rule
//! unknown, which is strict.
//!
//! Must not know: how calls are remembered.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::{DataClass, DataClasses, Duration, Glob, Origin};

/// Whose calls are counted. Each is within the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Those of this agent.
    Agent,
    /// Those of this tool, by whichever agent.
    Tool,
    /// Those about this resource, by whichever agent.
    Resource,
    /// All of the tenant.
    Tenant,
    /// Those of this session.
    Session,
    /// Those made for this user, by whichever agent.
    User,
}

/// Which earlier calls are meant.
#[derive(Clone, Copy, Debug)]
pub struct Window<'w> {
    /// Whose.
    pub scope: Scope,
    /// How far back from now.
    pub span: Duration,
    /// Of which tools; none: of all.
    pub tools: Option<&'w Glob>,
    /// That this rule matched, by document and id; none: all.
    pub rule: Option<(&'w str, &'w str)>,
}

/// What is known of one session so far, this call not counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Calls, refused ones too.
    pub calls: u64,
    /// Calls that were denied.
    pub denials: u64,
    /// Tools of the calls that were let through.
    pub tools: BTreeSet<String>,
    /// Resources of those.
    pub resources: BTreeSet<String>,
    /// Classes of the data that was read.
    pub data_class: DataClasses,
    /// Whether something was read that outsiders can write.
    pub external_content: bool,
    /// Signals that were noticed in what was read.
    pub signals: BTreeSet<String>,
}

/// Answers about earlier calls, as seen by one call.
///
/// A call counts from the moment it is let through or frozen, whether it has run yet or not; what
/// was refused, withdrawn, rejected or expired does not. `sum` leaves out, beside those, what
/// certainly had no effect.
pub trait History: std::fmt::Debug + Sync {
    /// How many calls.
    fn rate(&self, of: &Window<'_>) -> Option<u64>;
    /// The sum of what `subject` (`args.amount`, or a mapped attribute such as `amount`) was in them;
    /// a call that has no such thing adds nothing.
    fn sum(&self, subject: &str, of: &Window<'_>) -> Option<Decimal>;
    /// This session.
    fn session(&self) -> Option<&Session>;
    /// Whether data of this class was read.
    fn has_read(&self, class: DataClass, of: &Window<'_>) -> Option<bool>;
    /// Whether no call of this agent was let through to this resource before.
    fn is_new_resource(&self) -> Option<bool>;
    /// Whether the agent calls far more often than it usually does.
    fn is_burst(&self) -> Option<bool>;
    /// Where the value was seen before in this session.
    fn origins(&self, value: &Value) -> Option<BTreeSet<Origin>>;
}
