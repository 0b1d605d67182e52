//! Everything that is wrong or doubtful about a set that loads.
//!
//! Must not know: how a finding is drawn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toolgate_model::{Catalogue, Descriptor, Diagnostic, Severity, Span};

use super::claims::{Says, alternatives, implies, odds};
use super::codes::{
    ALWAYS_EXCEEDED, DUPLICATE, EXEMPTS_NOTHING, LintCode, NEVER_DONE, NEVER_MATCHES, NO_VALUE,
    NOBODY_APPROVES, SHADOWED, UNLESS_SWALLOWS, WATCHED, WRONG_TYPE,
};
use super::shadows::{Placed, duplicates, shadows};
use super::written;
use crate::effects::Effect;
use crate::history::Scope as HistoryScope;
use crate::input::Document;
use crate::node::{Node, NodeKind, Relation};
use crate::scope::Scope;
use crate::set::PolicySet;
use crate::source::{Report, Source};
use crate::test::PartKind;
use crate::tree::{Json, Kind, parse_text};

/// What is looked at, and what is known beside it.
#[derive(Clone, Copy, Debug)]
pub struct Lint<'l> {
    /// The set, which loads.
    pub set: &'l PolicySet,
    /// The documents that it was made of.
    pub documents: &'l [Document],
    /// The tools that are known.
    pub catalogue: &'l Catalogue,
    /// Everything that `approvers` can name: people, groups and roles. None where nobody can say.
    pub approvers: Option<&'l BTreeSet<String>>,
}

/// Everything that was found, by document and place.
pub fn findings(lint: &Lint<'_>) -> Vec<Diagnostic> {
    let texts: BTreeMap<&str, Text<'_>> = lint
        .documents
        .iter()
        .filter_map(|document| Some((document.name.as_str(), Text::of(document)?)))
        .collect();
    let mut found = Found {
        texts: &texts,
        all: Vec::new(),
    };
    let rules = Placed::all(lint.set);
    for rule in &rules {
        found.alone(*rule, lint);
    }
    found.together(&rules);
    for text in texts.values() {
        written::look(text, &mut found);
    }
    let mut all = found.all;
    all.sort_by_key(|one| {
        let start = one.span.map_or(0, |span| span.start);
        (one.file.clone(), start, one.code)
    });
    all
}

/// A document with the places of its parts.
pub(super) struct Text<'d> {
    pub(super) source: Source<'d>,
    pub(super) tree: Json,
}

impl<'d> Text<'d> {
    fn of(document: &'d Document) -> Option<Self> {
        let source = Source::new(&document.name, &document.text);
        let tree = parse_text(&mut Report::new(&source))?;
        Some(Self { source, tree })
    }

    /// The part that the pointer names, or the nearest around it.
    fn at(&self, pointer: &str) -> &Json {
        let mut here = &self.tree;
        for step in pointer.split('/').skip(1) {
            let inner = match &here.kind {
                Kind::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
                Kind::Object(members) => members
                    .iter()
                    .find(|member| member.key == step)
                    .map(|member| &member.value),
                _ => None,
            };
            let Some(inner) = inner else { break };
            here = inner;
        }
        here
    }
}

/// What was found so far.
pub(super) struct Found<'t, 'd> {
    texts: &'t BTreeMap<&'d str, Text<'d>>,
    all: Vec<Diagnostic>,
}

/// One finding in words.
pub(super) struct Said {
    pub(super) code: LintCode,
    pub(super) message: String,
    pub(super) help: &'static str,
}

impl Found<'_, '_> {
    /// Adds a finding about a part of a document.
    pub(super) fn push(&mut self, (file, pointer, span): (&str, String, Option<Span>), said: Said) {
        self.all.push(Diagnostic {
            code: said.code.code,
            severity: Severity::Warning,
            message: said.message,
            help: Some(said.help.to_owned()),
            file: file.to_owned(),
            path: pointer,
            span,
            related: Vec::new(),
        });
    }

    fn about(&mut self, rule: Placed<'_>, key: &str, said: Said) {
        let file = rule.policy.file.as_str();
        let pointer = format!("/rules/{}{key}", rule.place);
        let span = self.texts.get(file).map(|text| {
            let at = &text.at(&pointer).at;
            text.source.span(at)
        });
        self.push((file, pointer, span), said);
    }

    /// What can be said of one rule.
    fn alone(&mut self, rule: Placed<'_>, lint: &Lint<'_>) {
        self.unmatchable(rule);
        self.swallowed(rule);
        self.mistyped(rule, lint.catalogue);
        self.unapproved(rule, lint.approvers);
        self.exceeded(rule, lint.catalogue);
        self.exempting(rule);
        self.loose(rule);
        if rule.rule.monitor {
            let message = format!("`{}` is only watched: it changes nothing", rule.name());
            let help = "`toolgate policy monitor` shows what it would have changed; remove `mode` \
                        to enforce it";
            self.about(
                rule,
                "",
                Said {
                    code: WATCHED,
                    message,
                    help,
                },
            );
        }
    }

    fn unmatchable(&mut self, rule: Placed<'_>) {
        if rule.rule.scope == Scope::Of(Vec::new()) {
            let message = format!("`{}` never matches: no tool can fit it", rule.name());
            let help = "its parts name different tools; write one rule for each";
            return self.about(
                rule,
                "",
                Said {
                    code: NEVER_MATCHES,
                    message,
                    help,
                },
            );
        }
        let ways = alternatives(rule.parts());
        let found: Option<Vec<_>> = ways.iter().map(|way| odds(way)).collect();
        let Some(first) = found.as_ref().and_then(|all| all.first()) else {
            return;
        };
        let certain = found.iter().flatten().all(|odds| odds.certain);
        let about = first.subject.as_deref().unwrap_or("what is said twice");
        let said = if certain {
            Said {
                code: NEVER_MATCHES,
                message: format!(
                    "`{}` never matches: no `{about}` fits all of it",
                    rule.name()
                ),
                help: "two of its conditions, or one and a selector of the document, exclude each other",
            }
        } else {
            Said {
                code: NO_VALUE,
                message: format!("no value of `{about}` fits all of `{}`", rule.name()),
                help: "two of its conditions exclude each other, so it counts only where that is \
                       missing or mistyped",
            }
        };
        self.about(rule, "", said);
    }

    fn swallowed(&mut self, rule: Placed<'_>) {
        let Some(unless) = &rule.rule.unless else {
            return;
        };
        let ways = alternatives(rule.rule.parts.iter());
        if !rule.rule.parts.is_empty() && ways.iter().all(|way| implies(way, unless)) {
            let message = format!(
                "`{}` never holds: its `unless` follows from it",
                rule.name()
            );
            let help = "`unless` takes back every call that the rule is about; narrow it";
            self.about(
                rule,
                "/unless",
                Said {
                    code: UNLESS_SWALLOWS,
                    message,
                    help,
                },
            );
        }
    }

    /// A comparison with a type that the schema of no tool in reach gives.
    fn mistyped(&mut self, rule: Placed<'_>, catalogue: &Catalogue) {
        let tools: Vec<_> = catalogue
            .iter()
            .filter(|tool| rule.rule.scope.fits(tool.names()))
            .collect();
        if tools.is_empty() {
            return;
        }
        let ways = alternatives(rule.rule.parts.iter());
        let mut told = BTreeSet::new();
        for claim in ways.iter().flatten() {
            let Some((path, subject)) = claim.subject.as_deref().and_then(argument) else {
                continue;
            };
            let wanted = match claim.says {
                Says::Between(..) => ["number", "integer"].as_slice(),
                Says::Fits(_) | Says::FitsNone(_) => &["string"],
                Says::Is(_) => &["boolean"],
                Says::Text => continue,
            };
            let mapped = |tool: &Descriptor| tool.attributes.contains_key(path);
            let never = tools.iter().all(|tool| {
                let declared = declared_type(&tool.input_schema, path);
                !mapped(tool) && declared.is_some_and(|kind| !wanted.contains(&kind))
            });
            if never && told.insert(path.to_owned()) {
                let kinds = wanted.first().copied().unwrap_or_default();
                let message = format!(
                    "`{subject}` is compared as a {kinds}, and is none in every tool that `{}` is about",
                    rule.name()
                );
                let help = "such a comparison is unknown for every call, so the rule counts for all \
                            of them; convert it, as in `number(amount)`, or compare what it is";
                self.about(
                    rule,
                    "",
                    Said {
                        code: WRONG_TYPE,
                        message,
                        help,
                    },
                );
            }
        }
    }

    fn unapproved(&mut self, rule: Placed<'_>, approvers: Option<&BTreeSet<String>>) {
        let named = &rule.rule.approval.approvers;
        let Some(known) = approvers.filter(|_| !named.is_empty()) else {
            return;
        };
        if named.iter().any(|name| known.contains(name)) {
            return;
        }
        let message = format!(
            "nobody can approve what `{}` freezes: no person, group or role is called {}",
            rule.name(),
            named
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(" or "),
        );
        let help = "name a group that somebody is in (`toolgate user ls`), or add somebody to it";
        self.about(
            rule,
            "/approvers",
            Said {
                code: NOBODY_APPROVES,
                message,
                help,
            },
        );
    }

    /// A limit by something that no tool in reach has counts nothing it could let through.
    fn exceeded(&mut self, rule: Placed<'_>, catalogue: &Catalogue) {
        let Some(quota) = &rule.rule.quota else {
            return;
        };
        let mut tools = catalogue
            .iter()
            .filter(|tool| rule.rule.scope.fits(tool.names()))
            .peekable();
        let known = tools.peek().is_some();
        if quota.scope != HistoryScope::Resource
            || !known
            || tools.any(|tool| tool.resource.is_some())
        {
            return;
        }
        let message = format!(
            "`{}` counts by resource, and no tool that it is about says what its resource is",
            rule.name()
        );
        let help = "what nobody can count is used up, so every such call is denied; give the tools a \
                    `resource` template, or count by `agent` or `tool`";
        self.about(
            rule,
            "/per",
            Said {
                code: ALWAYS_EXCEEDED,
                message,
                help,
            },
        );
    }

    /// An exemption from a rule that never matches together with the one that exempts.
    fn exempting(&mut self, rule: Placed<'_>) {
        let ours = alternatives(rule.parts());
        for target in &rule.rule.exempts {
            let Some(other) = rule.policy.rules.get(*target) else {
                continue;
            };
            let theirs = alternatives(other.parts.iter());
            let apart = ours.iter().all(|one| {
                theirs.iter().all(|other| {
                    let both = [one.as_slice(), other.as_slice()].concat();
                    odds(&both).is_some_and(|odds| odds.certain)
                })
            });
            if apart {
                let message = format!(
                    "`{}` exempts from `{}`, and the two never match the same call",
                    rule.name(),
                    other.id
                );
                let help = "the exemption does nothing; remove it, or widen the rule";
                self.about(
                    rule,
                    "/exempts",
                    Said {
                        code: EXEMPTS_NOTHING,
                        message,
                        help,
                    },
                );
            }
        }
    }

    /// Regular expressions that fit more than they look like.
    fn loose(&mut self, rule: Placed<'_>) {
        let unless = rule.rule.unless.as_ref().map(|part| ("/unless", part));
        let parts = rule.rule.parts.iter().map(|part| ("/when", part));
        for (key, part) in parts.chain(unless) {
            let PartKind::Expression(node) = &part.kind else {
                continue;
            };
            let mut patterns = Vec::new();
            regexes(node, &mut patterns);
            for said in patterns.into_iter().filter_map(written::regex) {
                self.about(rule, key, said);
            }
        }
    }

    /// What can be said of rules beside each other.
    fn together(&mut self, rules: &[Placed<'_>]) {
        for pair in duplicates(rules) {
            let (name, first) = (pair.rule.name(), pair.before.name());
            let message = format!("`{name}` says the same as `{first}`");
            let help = "remove one of them";
            self.about(
                pair.rule,
                "",
                Said {
                    code: DUPLICATE,
                    message,
                    help,
                },
            );
        }
        for pair in shadows(rules) {
            let (name, first) = (pair.rule.name(), pair.before.name());
            let said = match pair.rule.rule.effect {
                Effect::Verdict(_) => Said {
                    code: SHADOWED,
                    message: format!(
                        "`{name}` never matters: `{first}` is stricter on every call that it matches"
                    ),
                    help: "remove it, or narrow the stricter rule by an `unless`",
                },
                Effect::Obligation(_) | Effect::Limit => Said {
                    code: NEVER_DONE,
                    message: format!(
                        "`{name}` is never done: `{first}` denies every call that it matches"
                    ),
                    help: "a denied call is not sanitized, counted or verified; remove one of the two",
                },
            };
            self.about(pair.rule, "", said);
        }
    }
}

/// The regular expressions in an expression, whose depth the language bounds.
fn regexes<'n>(node: &'n Node, found: &mut Vec<&'n str>) {
    match &node.kind {
        NodeKind::And(parts) | NodeKind::Or(parts) => {
            for part in parts {
                regexes(part, found);
            }
        }
        NodeKind::Not(inner) => regexes(inner, found),
        NodeKind::Each { item, .. } => regexes(item, found),
        NodeKind::Compare(comparison) => {
            if let Relation::Regex(regex) = &comparison.relation {
                found.push(regex.as_str());
            }
        }
        _ => {}
    }
}

/// The path of an argument, and how it is shown.
fn argument(subject: &str) -> Option<(&str, &str)> {
    let path = subject.strip_prefix("args.").unwrap_or(subject);
    let plain = crate::facts::attribute(path).is_none() || subject.starts_with("args.");
    (plain && !path.starts_with("entity.")).then_some((path, subject))
}

/// The one type that the schema plainly gives an argument; none where it is open or one of several.
fn declared_type<'s>(schema: &'s Value, path: &str) -> Option<&'s str> {
    let mut here = schema;
    for step in path.split('.') {
        here = here.get("properties")?.get(step)?;
    }
    // What is combined of several schemas is for a validator to say.
    let combined = ["anyOf", "oneOf", "allOf", "$ref", "not", "if"];
    if combined.iter().any(|key| here.get(key).is_some()) {
        return None;
    }
    here.get("type")?
        .as_str()
        .filter(|kind| *kind != "array" && *kind != "object")
}
