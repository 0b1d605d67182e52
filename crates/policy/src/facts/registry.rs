//! The registry of attributes: sorted, one entry an attribute, nothing else.
//!
//! `facts("env", Type::Text, …)` is what `env == prod` reads. To add one, add its entry and, where it
//! is more than a field of the facts, its getter beside this file.
//!
//! Must not know: expressions, rules.

use rust_decimal::Decimal;
use toolgate_detect::SIGNALS;
use toolgate_model::{Resource, Verb};

use super::getters::{
    approval, descriptor, entity, kinds, known, local, new_resource, number, present, resource,
    session,
};
use super::{Attribute, Getter, Source, Type};
use crate::value::{Datum, Got};

pub(super) const VERBS: &[&str] = &["READ", "WRITE", "DELETE", "ADMIN"];
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
pub(super) const ROLES: &[&str] = &[
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
/// The classes of data, as sets of them are compared with.
pub(crate) const CLASSES: &[&str] = &["SECRETS", "PII", "PHI", "INTERNAL"];
/// Where values were seen before.
pub(crate) const ORIGINS: &[&str] = &["user", "result", "external", "none"];
const APPROVAL_STATES: &[&str] = &["pending", "approved", "denied", "expired"];

const fn facts(name: &'static str, kind: Type, doc: &'static str, get: Getter) -> Attribute {
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

const fn history(name: &'static str, kind: Type, doc: &'static str, get: Getter) -> Attribute {
    Attribute {
        name,
        kind,
        doc,
        source: Source::History(get),
    }
}

const fn other(name: &'static str, kind: Type, doc: &'static str, source: Source) -> Attribute {
    Attribute {
        name,
        kind,
        doc,
        source,
    }
}

/// Every attribute, sorted by name.
pub const ATTRIBUTES: &[Attribute] = &[
    mapped("account", "the account, where the tool has one"),
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
    facts(
        "approval",
        Type::Object,
        "the approval, when a frozen call is decided again",
        |r| present(r.facts.approval.is_some()),
    ),
    facts("approval.approvers", Type::Texts, "who approved it", |r| {
        approval(r, |known| {
            Datum::texts(known.approvers.iter().map(|id| id.as_str()))
        })
    }),
    facts(
        "approval.expires_at",
        Type::Text,
        "until when it holds",
        |r| approval(r, |known| Datum::Text(known.expires_at.to_string().into())),
    ),
    facts("approval.id", Type::Text, "its id", |r| {
        approval(r, |known| Datum::Text(known.id.to_string().into()))
    }),
    facts(
        "approval.state",
        Type::Words(APPROVAL_STATES),
        "pending, approved, denied or expired",
        |r| approval(r, |known| Datum::text(known.state)),
    ),
    facts(
        "args",
        Type::Object,
        "the arguments; `args.amount` is one of them",
        |r| Got::Value(Datum::Json(r.facts.args)),
    ),
    other(
        "body",
        Type::Body,
        "every text in the arguments, searchable; on a result rule, in the result",
        Source::Body,
    ),
    mapped("branch", "the branch, where the tool has one"),
    facts("category", Type::Text, "the tool's tag", |r| {
        descriptor(r, |tool| tool.category.as_deref())
    }),
    facts(
        "chain",
        Type::Texts,
        "the delegation chain, root first",
        |r| {
            let links = r.facts.chain.iter();
            Got::Value(Datum::texts(links.map(|link| link.as_str())))
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
    other(
        "data_class",
        Type::Set(CLASSES),
        "SECRETS, PII, PHI, INTERNAL: found in the arguments; on a result rule, in the result",
        Source::Found(|scan| {
            scan.findings
                .iter()
                .map(|found| found.class.as_str())
                .collect()
        }),
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
    mapped(
        "external",
        "whether a normaliser says that the call reaches outsiders",
    ),
    mapped("host", "the host, where the tool has one"),
    other(
        "is_external_principal",
        Type::Bool,
        "whether a recipient or host is outside the tenant's own domains",
        Source::External,
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
    history(
        "new_resource",
        Type::Bool,
        "whether this agent touches this resource for the first time",
        new_resource,
    ),
    facts(
        "operation",
        Type::Text,
        "the tool's name behind its first dot",
        |r| Got::text(r.facts.tool.operation()),
    ),
    mapped("org", "the organisation, where the tool has one"),
    mapped("path", "the path, where the tool has one"),
    mapped("principal", "the principal, where the tool has one"),
    facts("project", Type::Text, "the agent's project", |r| {
        Got::optional(r.facts.project)
    }),
    mapped("recipient", "the recipient, where the tool has one"),
    mapped("region", "the region, where the tool has one"),
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
    other(
        "result",
        Type::Any,
        "what the tool answered, in rules with `on: \"result\"`; `result.status` is a part of it",
        Source::Result,
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
    history(
        "session.calls",
        Type::Number,
        "calls so far in this session",
        |r| session(r, |known| Datum::Number(known.calls.into())),
    ),
    history(
        "session.data_class",
        Type::Set(CLASSES),
        "data classes read so far in this session",
        |r| {
            session(r, |known| {
                Datum::words(known.data_class.iter().map(|class| class.as_str()))
            })
        },
    ),
    history(
        "session.denials",
        Type::Number,
        "denials so far in this session",
        |r| session(r, |known| Datum::Number(known.denials.into())),
    ),
    history(
        "session.external_content",
        Type::Bool,
        "whether this session read what outsiders can write",
        |r| session(r, |known| Datum::Bool(known.external_content)),
    ),
    history(
        "session.resources",
        Type::Texts,
        "resources touched in this session",
        |r| session(r, |known| Datum::texts(&known.resources)),
    ),
    history(
        "session.signals",
        Type::Set(SIGNALS),
        "signs of hidden instructions in what this session read",
        |r| session(r, |known| Datum::texts(&known.signals)),
    ),
    history(
        "session.tools",
        Type::Texts,
        "tools called in this session",
        |r| session(r, |known| Datum::texts(&known.tools)),
    ),
    other(
        "signals",
        Type::Set(SIGNALS),
        "signs of hidden instructions in the arguments; on a result rule, in the result",
        Source::Found(kinds),
    ),
    mapped("tags", "the tags by key, where the tool has such"),
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
    other(
        "tool_signals",
        Type::Set(SIGNALS),
        "signs of hidden instructions in the tool's own definition",
        Source::ToolSignals,
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
    mapped("url", "the URL, where the tool has one"),
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
            Some(user) => Got::Value(Datum::texts(&user.groups)),
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
    history(
        "volume_burst",
        Type::Bool,
        "whether the agent calls far more often than it usually does",
        |r| known(r.facts.history.and_then(|history| history.is_burst())),
    ),
    facts("workflow", Type::Text, "the workflow", |r| {
        Got::optional(r.facts.workflow)
    }),
];
