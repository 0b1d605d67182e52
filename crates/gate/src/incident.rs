//! Incidents: what a rule with `open_incident` opens, and what people make of it.
//!
//! The first match of `refunds/r2` by `billing_agent` opens `inc_…`; the next ones are counted in
//! it. Once a person closes it, the next match opens another. A closed one stays closed.
//!
//! Must not know: stores, how anybody is told.

use serde::{Deserialize, Serialize};
use toolgate_model::{
    AgentId, IncidentId, InvocationId, Risk, RuleRef, TenantId, Timestamp, ToolId,
};

/// How far people have got with an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Nobody has taken it up.
    #[default]
    Open,
    /// Somebody looks into it.
    Investigating,
    /// It is done with, for good.
    Closed,
}

/// One match of the rule that opened an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The call.
    pub invocation: InvocationId,
    /// When.
    pub at: Timestamp,
}

/// Whose matches are collected in one incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Which rule.
    pub rule: RuleRef,
    /// Which agent.
    pub agent: AgentId,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Of which tenant.
    pub tenant: TenantId,
    /// How far people have got.
    pub state: IncidentState,
    /// How bad it is: at first the risk of the tool, then what people say.
    pub severity: Risk,
    /// The rule that opened it.
    pub rule: RuleRef,
    /// The agent whose calls matched.
    pub agent: AgentId,
    /// The tool of the first call.
    pub tool: ToolId,
    /// The first match.
    pub first: Sighting,
    /// The latest match.
    pub last: Sighting,
    /// How many matches.
    pub count: u64,
    /// What people wrote down about it.
    #[serde(default)]
    pub note: Option<String>,
    /// Who last changed it.
    #[serde(default)]
    pub changed_by: Option<AgentId>,
    /// When.
    #[serde(default)]
    pub changed_at: Option<Timestamp>,
    /// How often people changed it. Matches do not count: two people who edit must notice each
    /// other, and nobody could edit anything while an agent runs into the rule ten times a second.
    pub revision: u64,
}

/// What a person changes about an incident; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentEdit {
    /// How far they have got.
    pub state: Option<IncidentState>,
    /// How bad it is.
    pub severity: Option<Risk>,
    /// What they write down.
    pub note: Option<String>,
}

/// One write of an incident, in the same transaction as what it is about.
#[derive(Clone, Debug)]
pub enum IncidentWrite {
    /// Opens one; refused where one is open under its key.
    Open(Box<Incident>),
    /// Counts one more match; refused where it is closed.
    Collect(IncidentId, Sighting),
    /// A person's change of what was at this revision; refused where it moved on or is closed.
    Edit {
        /// Which.
        id: IncidentId,
        /// The revision that they saw.
        expected: u64,
        /// What they change.
        edit: IncidentEdit,
        /// Who.
        by: AgentId,
        /// When.
        at: Timestamp,
    },
}

/// Which incidents to list, newest first. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Only this one.
    pub id: Option<IncidentId>,
    /// Of which tenant.
    pub tenant: Option<TenantId>,
    /// Only the one that is not closed under this key.
    pub open_under: Option<IncidentKey>,
    /// In which states; empty: any.
    pub states: Vec<IncidentState>,
    /// Older than this one.
    pub before: Option<IncidentId>,
    /// At most this many.
    pub limit: usize,
}

impl IncidentState {
    /// The state in its written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Investigating => "investigating",
            Self::Closed => "closed",
        }
    }

    /// The state of this written form.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Open, Self::Investigating, Self::Closed];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

impl Incident {
    /// Whose matches it collects.
    pub fn key(&self) -> IncidentKey {
        IncidentKey {
            tenant: self.tenant.clone(),
            rule: self.rule.clone(),
            agent: self.agent.clone(),
        }
    }

    /// Whether it still collects matches.
    pub fn is_open(&self) -> bool {
        self.state != IncidentState::Closed
    }

    /// The incident as this write leaves it; none where the write does not fit what is there.
    /// `now` is what the store has under the id of the write.
    pub fn after(now: Option<&Self>, write: &IncidentWrite) -> Option<Self> {
        match (write, now) {
            (IncidentWrite::Open(incident), None) => Some(incident.as_ref().clone()),
            (IncidentWrite::Collect(_, sighting), Some(now)) if now.is_open() => Some(Self {
                count: now.count.saturating_add(1),
                last: sighting.clone(),
                ..now.clone()
            }),
            (
                IncidentWrite::Edit {
                    expected,
                    edit,
                    by,
                    at,
                    ..
                },
                Some(now),
            ) if now.is_open() && now.revision == *expected => {
                Some(now.edited(edit.clone(), by, *at))
            }
            (IncidentWrite::Open(_), Some(_))
            | (IncidentWrite::Collect(..) | IncidentWrite::Edit { .. }, _) => None,
        }
    }

    fn edited(&self, edit: IncidentEdit, by: &AgentId, at: Timestamp) -> Self {
        let now = self.clone();
        Self {
            state: edit.state.unwrap_or(now.state),
            severity: edit.severity.unwrap_or(now.severity),
            note: edit.note.or(now.note),
            changed_by: Some(by.clone()),
            changed_at: Some(at),
            revision: now.revision + 1,
            ..now
        }
    }
}

impl IncidentWrite {
    /// The incident that is written.
    pub fn id(&self) -> &IncidentId {
        match self {
            Self::Open(incident) => &incident.id,
            Self::Collect(id, _) | Self::Edit { id, .. } => id,
        }
    }
}

impl IncidentFilter {
    /// Whether an incident is one of those asked for.
    pub fn fits(&self, incident: &Incident) -> bool {
        let is = |id: &Option<IncidentId>| id.as_ref().is_none_or(|id| *id == incident.id);
        let of = |tenant: &TenantId| *tenant == incident.tenant;
        let under = |key: &IncidentKey| incident.is_open() && incident.key() == *key;
        is(&self.id)
            && self.tenant.as_ref().is_none_or(of)
            && self.open_under.as_ref().is_none_or(under)
            && (self.states.is_empty() || self.states.contains(&incident.state))
            && self
                .before
                .as_ref()
                .is_none_or(|before| incident.id < *before)
    }
}
