//! The registry of attributes: sorted, one entry an attribute (2-decision, 1).
//!
//! `env == prod` reads the entry `env`. An entry has a type, a text for the reference page and a
//! getter; one whose source is not in this version says so, and a rule that reads it is refused at
//! load. A name that is not here is an argument of the tool.
//!
//! Must not know: expressions, rules.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use toolgate_model::{Descriptor, Resource, Verb};

use crate::input::Facts;
use crate::path::{self, Step};
use crate::value::{Datum, Got};

/// What kind of value an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Whatever the caller sent.
    Any,
    /// A text.
    Text,
    /// An exact decimal.
    Number,
    /// True or false.
    Bool,
    /// `low` < `medium` < `high` < `critical`.
    Risk,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A calendar day, `2026-12-24`.
    Date,
    /// A span of time, `24h`.
    Duration,
    /// A list of texts.
    Texts,
    /// All texts of the arguments, searchable.
    Body,
    /// A thing with parts, which only `exists` asks for.
    Object,
}

/// One attribute that rules can read.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, `user.id`.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// What it is, for the reference page.
    pub doc: &'static str,
    pub(crate) source: Source,
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The facts of the call.
    Facts(for<'a, 'c> fn(&Reading<'a, 'c>) -> Got<'c>),
    /// What the tool's descriptor maps it to, else the argument of that name.
    Mapped,
    /// The texts of the arguments.
    Body,
    /// Not in this version; what it waits for.
    NotYet(&'static str),
}

/// What getters read: the facts, and the zone of the rule's document.
pub(crate) struct Reading<'a, 'c> {
    pub(crate) facts: &'a Facts<'c>,
    pub(crate) zone: &'a TimeZone,
}

impl Attribute {
    /// Whether this version can read it.
    pub const fn is_available(&self) -> bool {
        !matches!(self.source, Source::NotYet(_))
    }
}

/// The attribute of this name.
pub(crate) fn attribute(name: &str) -> Option<&'static Attribute> {
    let at = ATTRIBUTES
        .binary_search_by(|known| known.name.cmp(name))
        .ok()?;
    ATTRIBUTES.get(at)
}

/// The attributes whose names begin with `head` and a dot.
pub(crate) fn parts_of(head: &str) -> Vec<&'static str> {
    let names = ATTRIBUTES.iter().map(|known| known.name);
    names
        .filter(|name| name.split_once('.').is_some_and(|(first, _)| first == head))
        .collect()
}

const VERBS: &[&str] = &["READ", "WRITE", "DELETE", "ADMIN"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const DAYS: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const ROLES: &[&str] = &[
    "reader",
    "agent",
    "service",
    "viewer",
    "approver",
    "author",
    "activator",
    "agent_admin",
    "owner",
];
const HISTORY: &str = "the history of calls";
const SESSION: &str = "the history of sessions";
const DETECTOR: &str = "the data-class detector";

const fn facts(
    name: &'static str,
    kind: Type,
    doc: &'static str,
    get: for<'a, 'c> fn(&Reading<'a, 'c>) -> Got<'c>,
) -> Attribute {
    Attribute {
        name,
        kind,
        doc,
        source: Source::Facts(get),
    }
}

const fn mapped(name: &'static str, doc: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Type::Any,
        doc,
        source: Source::Mapped,
    }
}

const fn not_yet(
    name: &'static str,
    kind: Type,
    waits_for: &'static str,
    doc: &'static str,
) -> Attribute {
    Attribute {
        name,
        kind,
        doc,
        source: Source::NotYet(waits_for),
    }
}

/// Every attribute, sorted by name.
pub const ATTRIBUTES: &[Attribute] = &[
    facts("agent", Type::Text, "the authenticated agent", |r| {
        Got::text(r.facts.agent)
    }),
    facts("agent_id", Type::Text, "the authenticated agent", |r| {
        Got::text(r.facts.agent)
    }),
    facts(
        "allow_duplicate",
        Type::Bool,
        "whether the call says that a second identical one is meant",
        |r| Got::Value(Datum::Bool(r.facts.allow_duplicate)),
    ),
    not_yet(
        "approval",
        Type::Object,
        "approvals as facts",
        "the approval, when a frozen call is decided again",
    ),
    not_yet(
        "approval.approvers",
        Type::Texts,
        "approvals as facts",
        "who approved it",
    ),
    not_yet(
        "approval.expires_at",
        Type::Text,
        "approvals as facts",
        "until when it holds",
    ),
    not_yet(
        "approval.state",
        Type::Text,
        "approvals as facts",
        "pending, approved, denied or expired",
    ),
    facts(
        "args",
        Type::Object,
        "the arguments; `args.amount` is one of them",
        |r| Got::Value(Datum::Json(r.facts.args)),
    ),
    Attribute {
        name: "body",
        kind: Type::Body,
        doc: "every text in the arguments, searchable",
        source: Source::Body,
    },
    mapped("branch", "the branch, where the tool has one"),
    facts("category", Type::Text, "the tool's tag", |r| {
        descriptor(r, |tool| tool.category.as_deref())
    }),
    facts(
        "chain",
        Type::Texts,
        "the delegation chain, root first",
        |r| {
            Got::Value(Datum::Texts(
                r.facts.chain.iter().map(|link| link.as_str()).collect(),
            ))
        },
    ),
    facts(
        "chain.depth",
        Type::Number,
        "how many links the delegation chain has",
        |r| number(r.facts.chain.len()),
    ),
    facts(
        "chain.root",
        Type::Text,
        "who delegated first; the agent itself where nobody did",
        |r| {
            Got::text(
                r.facts
                    .chain
                    .first()
                    .map_or(r.facts.agent, |root| root.as_str()),
            )
        },
    ),
    mapped("channel", "the channel, where the tool has one"),
    not_yet(
        "data_class",
        Type::Texts,
        DETECTOR,
        "SECRETS, PII, PHI, INTERNAL: found in the arguments",
    ),
    facts(
        "entity",
        Type::Object,
        "what the call is about, as read live before deciding; `entity.total` is one of its fields",
        |r| entity(r.facts, &[]),
    ),
    facts("env", Type::Text, "the environment", |r| {
        Got::optional(r.facts.env)
    }),
    mapped("host", "the host, where the tool has one"),
    not_yet(
        "is_external_principal",
        Type::Bool,
        "the tenant's own domains",
        "whether a recipient or host is outside the tenant's own domains",
    ),
    facts(
        "method",
        Type::Words(METHODS),
        "the tool's HTTP method",
        |r| match r.facts.descriptor {
            // Sources write it as they like.
            Some(tool) => tool.method.as_ref().map_or(Got::Impossible, |method| {
                Got::Value(Datum::Text(method.to_ascii_uppercase().into()))
            }),
            None => Got::Missing,
        },
    ),
    not_yet(
        "new_resource",
        Type::Bool,
        HISTORY,
        "whether this agent touches this resource for the first time",
    ),
    facts(
        "operation",
        Type::Text,
        "the tool's name behind its first dot",
        |r| Got::text(r.facts.tool.operation()),
    ),
    mapped("org", "the organisation, where the tool has one"),
    mapped("path", "the path, where the tool has one"),
    facts("project", Type::Text, "the agent's project", |r| {
        Got::optional(r.facts.project)
    }),
    mapped("recipient", "the recipient, where the tool has one"),
    mapped("repo", "the repository, where the tool has one"),
    facts(
        "resource",
        Type::Text,
        "what the call is about, `type:id`, as the descriptor's template makes it",
        |r| resource(r, |resource| resource.name.as_str()),
    ),
    facts(
        "resource.id",
        Type::Text,
        "the resource behind its first colon",
        |r| resource(r, Resource::id),
    ),
    facts(
        "resource.type",
        Type::Text,
        "the resource before its first colon",
        |r| resource(r, Resource::kind),
    ),
    facts("risk", Type::Risk, "the tool's risk", |r| {
        match r.facts.descriptor {
            Some(tool) => Got::Value(Datum::Risk(tool.risk)),
            None => Got::Missing,
        }
    }),
    facts(
        "risk_score",
        Type::Number,
        "the finer rating, 0.00 to 1.00",
        |r| match r.facts.descriptor {
            Some(tool) => Got::Value(Datum::Number(Decimal::new(
                tool.risk_score.hundredths().into(),
                2,
            ))),
            None => Got::Missing,
        },
    ),
    facts("role", Type::Words(ROLES), "the agent's role", |r| {
        Got::text(r.facts.role.as_str())
    }),
    facts(
        "runtime",
        Type::Text,
        "what runs the agent, as registered",
        |r| Got::optional(r.facts.runtime),
    ),
    not_yet(
        "session.calls",
        Type::Number,
        SESSION,
        "calls so far in this session",
    ),
    not_yet(
        "session.data_class",
        Type::Texts,
        SESSION,
        "data classes read so far in this session",
    ),
    not_yet(
        "session.denials",
        Type::Number,
        SESSION,
        "denials so far in this session",
    ),
    not_yet(
        "session.external_content",
        Type::Bool,
        SESSION,
        "whether this session read what outsiders can write",
    ),
    not_yet(
        "session.resources",
        Type::Texts,
        SESSION,
        "resources touched in this session",
    ),
    not_yet(
        "session.tools",
        Type::Texts,
        SESSION,
        "tools called in this session",
    ),
    facts("tenant", Type::Text, "the agent's tenant", |r| {
        Got::text(r.facts.tenant)
    }),
    facts(
        "time.date",
        Type::Date,
        "the day, in the policy's time zone",
        |r| local(r, |time| Datum::Date(time.date())),
    ),
    facts(
        "time.hour",
        Type::Number,
        "the hour, 0 to 23, in the policy's time zone",
        |r| local(r, |time| Datum::Number(Decimal::from(time.hour()))),
    ),
    facts(
        "time.weekday",
        Type::Words(DAYS),
        "the day of the week, in the policy's time zone",
        |r| {
            local(r, |time| {
                let day =
                    usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or_default();
                Datum::text(DAYS.get(day).copied().unwrap_or_default())
            })
        },
    ),
    facts("time.zone", Type::Text, "the policy's time zone", |r| {
        Got::Value(Datum::Text(
            r.zone.iana_name().unwrap_or("UTC").to_owned().into(),
        ))
    }),
    facts("tool", Type::Text, "the tool's full name", |r| {
        Got::text(r.facts.tool.as_str())
    }),
    facts(
        "tool_name",
        Type::Text,
        "the tool's name before its first dot",
        |r| Got::text(r.facts.tool.source()),
    ),
    facts(
        "trigger",
        Type::Object,
        "the event that the agent says it acts on",
        |r| present(r.facts.trigger.is_some()),
    ),
    facts(
        "trigger.confirmed",
        Type::Bool,
        "whether the event's source of truth confirmed it; false where nothing was asked",
        |r| match r.facts.trigger {
            Some(_) => Got::Value(Datum::Bool(r.facts.trigger_confirmed == Some(true))),
            None => Got::Missing,
        },
    ),
    facts("trigger.id", Type::Text, "the event's id", |r| {
        Got::optional(r.facts.trigger.map(|trigger| trigger.id.as_str()))
    }),
    facts(
        "trigger.source",
        Type::Text,
        "which system says that it happened",
        |r| Got::optional(r.facts.trigger.map(|trigger| trigger.source.as_str())),
    ),
    facts(
        "user",
        Type::Object,
        "the verified user whom the agent acts for",
        |r| present(r.facts.user.is_some()),
    ),
    facts(
        "user.groups",
        Type::Texts,
        "the user's groups",
        |r| match r.facts.user {
            Some(user) => Got::Value(Datum::Texts(
                user.groups.iter().map(String::as_str).collect(),
            )),
            None => Got::Missing,
        },
    ),
    facts("user.id", Type::Text, "the user's name", |r| {
        Got::optional(r.facts.user.map(|user| user.id.as_str()))
    }),
    facts(
        "verb",
        Type::Words(VERBS),
        "what the tool does to its resource",
        |r| match r.facts.descriptor {
            Some(tool) => Got::text(Verb::as_str(tool.verb)),
            None => Got::Missing,
        },
    ),
    not_yet(
        "volume_burst",
        Type::Bool,
        HISTORY,
        "whether the agent calls far more often than it usually does",
    ),
    facts("workflow", Type::Text, "the workflow", |r| {
        Got::optional(r.facts.workflow)
    }),
];

/// A text of the descriptor. A tool that is known and has none cannot have it; of a tool that is
/// not known nothing is known.
fn descriptor<'c>(
    reading: &Reading<'_, 'c>,
    get: fn(&'c Descriptor) -> Option<&'c str>,
) -> Got<'c> {
    match reading.facts.descriptor {
        Some(tool) => get(tool).map_or(Got::Impossible, Got::text),
        None => Got::Missing,
    }
}

/// A field of the live entity. A tool whose descriptor says nothing of an entity has none; where
/// one is declared, what is not in it is merely missing.
pub(crate) fn entity<'c>(facts: &Facts<'c>, steps: &[Step]) -> Got<'c> {
    match (facts.entity, facts.descriptor) {
        (Some(entity), _) => path::find(entity, steps).map_or(Got::Missing, Got::json),
        (None, Some(tool)) if tool.checks.entity.is_none() => Got::Impossible,
        (None, _) => Got::Missing,
    }
}

/// The resource that the gate derived. A merely claimed one proves nothing, in either direction,
/// so it is unknown; a tool whose descriptor has no template has no resource.
fn resource<'c>(reading: &Reading<'_, 'c>, get: fn(&'c Resource) -> &'c str) -> Got<'c> {
    match (reading.facts.resource, reading.facts.descriptor) {
        (Some(resource), _) if resource.derived => Got::text(get(resource)),
        (Some(_), _) => Got::Unknown,
        (None, Some(tool)) if tool.resource.is_none() => Got::Impossible,
        (None, _) => Got::Missing,
    }
}

fn number<'c>(count: usize) -> Got<'c> {
    Got::Value(Datum::Number(Decimal::from(count)))
}

fn local<'c>(reading: &Reading<'_, 'c>, get: fn(jiff::Zoned) -> Datum<'c>) -> Got<'c> {
    match jiff::Timestamp::from_millisecond(reading.facts.now.as_millis()) {
        Ok(instant) => Got::Value(get(instant.to_zoned(reading.zone.clone()))),
        Err(_) => Got::Unknown,
    }
}

/// A thing of which only the presence can be asked.
fn present<'c>(there: bool) -> Got<'c> {
    if there {
        Got::Value(Datum::Bool(true))
    } else {
        Got::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES, ROLES, VERBS, attribute, parts_of};
    use toolgate_model::{Role, Verb};

    #[test]
    fn names_are_sorted_and_found() {
        for pair in ATTRIBUTES.windows(2) {
            assert!(
                pair[0].name < pair[1].name,
                "{} is out of order",
                pair[1].name
            );
        }
        for known in ATTRIBUTES {
            assert_eq!(
                attribute(known.name).map(|found| found.doc),
                Some(known.doc)
            );
        }
        assert!(attribute("amount").is_none());
        assert_eq!(parts_of("user"), ["user.groups", "user.id"]);
    }

    #[test]
    fn words_are_those_of_the_model() {
        let words = |all: Vec<&'static str>| all;
        assert_eq!(
            words(Role::ALL.iter().map(|(_, word)| *word).collect()),
            ROLES
        );
        assert_eq!(
            words(Verb::ALL.iter().map(|(_, word)| *word).collect()),
            VERBS
        );
    }
}
