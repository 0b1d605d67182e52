//! A document as parsed: keys known, values of the right type, expressions read, every part in its
//! place. Both document shapes are this one, with different parts present.
//!
//! Nothing is looked up yet: a rule may still speak of tools that nobody has.
//!
//! Must not know: the catalogue, attributes, how rules are decided.

use jiff::tz::TimeZone;
use toolgate_model::{ApprovalTerms, Duration, Glob, Risk};

use crate::checker::Written;
use crate::conditions::{CONDITIONS, time_window};
use crate::diagnostics::{
    BAD_NAME, DUPLICATE_RULE, EFFECT_MISSING, EFFECT_TWICE, NOT_AVAILABLE, PARAMETER_MISPLACED,
    PARAMETER_MISSING, TOO_LATE, TWO_NAMES, UNKNOWN_EFFECT,
};
use crate::effects::{EFFECTS, Effect, EffectWord, OCCASIONS, Occasion, effect};
use crate::history::Scope;
use crate::matching::{MATCH_KEYS, tool};
use crate::parameters::{Limit, expiry, field, limit, per, sentence};
use crate::path::Path;
use crate::reading::{Item, Placed};
use crate::source::{Complaint, Report, shown};
use crate::test::Key;
use crate::tree::{Kind as JsonKind, Offsets};
use crate::{language, limits};

/// The keys of a document.
pub(crate) const DOCUMENT_KEYS: [&str; 19] = [
    "name",
    "description",
    "enabled",
    "mode",
    "tenant",
    "project",
    "agent_id",
    "role",
    "env",
    "env_names",
    "workflow",
    "allowed_tools",
    "resources",
    "actions",
    "max_risk",
    "time_zone",
    "rules",
    "invariants",
    "tests",
];
/// The keys of a rule.
pub(crate) const RULE_KEYS: [&str; 21] = [
    "rule_id",
    "priority",
    "match",
    "condition",
    "when",
    "unless",
    "exempts",
    "effect",
    "action",
    "reason",
    "code",
    "mode",
    "enabled",
    "sanitize_fields",
    "approvers",
    "quorum",
    "expires_in",
    "limit",
    "per",
    "notify",
    "on",
];
/// Whether a rule decides or is only watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Enforce,
    Monitor,
}

const MODES: [(Mode, &str); 2] = [(Mode::Enforce, "enforce"), (Mode::Monitor, "monitor")];

/// A document.
#[derive(Debug, Default)]
pub(crate) struct Document<'t> {
    pub(crate) name: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) mode: Mode,
    pub(crate) selectors: Vec<Selector>,
    pub(crate) grant: Grant,
    pub(crate) zone: Option<TimeZone>,
    pub(crate) rules: Vec<Rule<'t>>,
    /// The cases of `tests`, as they stand: who runs them reads them.
    pub(crate) tests: Vec<Item<'t>>,
}

/// A selector: one of the patterns has to match.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) key: &'static str,
    pub(crate) patterns: Vec<Placed<Glob>>,
    pub(crate) text: String,
}

/// What a document opens.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    pub(crate) allowed_tools: Option<Vec<Placed<Glob>>>,
    pub(crate) actions: Option<Vec<Placed<Glob>>>,
    pub(crate) resources: Option<Vec<Placed<Glob>>>,
    pub(crate) max_risk: Option<Placed<Risk>>,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule<'t> {
    pub(crate) item: Item<'t>,
    pub(crate) id: String,
    pub(crate) priority: u32,
    pub(crate) enabled: bool,
    pub(crate) mode: Option<Mode>,
    /// None where it is refused; the report has the reason.
    pub(crate) effect: Option<Effect>,
    pub(crate) matches: Vec<(&'static Key, Item<'t>)>,
    pub(crate) conditions: Vec<(&'static Key, Item<'t>)>,
    pub(crate) when: Option<Written>,
    pub(crate) unless: Option<Written>,
    pub(crate) exempts: Vec<Placed<String>>,
    pub(crate) reason: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) approval: ApprovalTerms,
    pub(crate) occasion: Occasion,
    /// What `sanitize` replaces whole.
    pub(crate) fields: Vec<Placed<Path>>,
    pub(crate) limit: Option<Limit>,
    /// Whose calls a limit counts, and how far back.
    pub(crate) per: Option<(Scope, Duration)>,
    /// The channel that is told.
    pub(crate) notify: Option<String>,
}

/// Reads a document. Mistakes go to the report, and reading goes on.
pub(crate) fn document<'t>(root: &Item<'t>, report: &mut Report<'_>) -> Document<'t> {
    let mut document = Document {
        enabled: true,
        ..Document::default()
    };
    let Some(members) = report.members(root, &DOCUMENT_KEYS) else {
        return document;
    };
    for (key, item) in &members {
        match *key {
            "name" => document.name = report.name(item).map(|name| name.value),
            "description" => drop(report.text(item)),
            "enabled" => document.enabled = report.flag(item).unwrap_or(true),
            "mode" => document.mode = report.word(item, &MODES).unwrap_or_default(),
            "allowed_tools" => document.grant.allowed_tools = tool::tool_globs(report, item),
            "resources" => document.grant.resources = report.globs(item),
            "actions" => document.grant.actions = report.globs(item),
            "max_risk" => {
                let risk = report.word(item, Risk::ALL);
                document.grant.max_risk = risk.map(|risk| item.placed(risk));
            }
            "time_zone" => document.zone = time_window::read_zone(report, item),
            "rules" => document.rules = rules(item, report),
            "invariants" => not_yet(report, item, "proofs over all calls"),
            "env_names" => {
                if let Some((_, env)) = members.iter().find(|(key, _)| *key == "env") {
                    two_names(item, env, report);
                }
                document.selectors.extend(selector("env", item, report));
            }
            "tests" => document.tests = tests(item, report),
            _ => document.selectors.extend(selector(key, item, report)),
        }
    }
    document
}

fn two_names(item: &Item<'_>, other: &Item<'_>, report: &mut Report<'_>) {
    let message = "the document has both `env` and `env_names`, which are one key";
    let complaint = Complaint::new(TWO_NAMES, message).see(&other.json.at, "the other");
    report.complain(item, complaint.help("remove one of the two"));
}

fn selector(key: &'static str, item: &Item<'_>, report: &mut Report<'_>) -> Option<Selector> {
    let patterns = match key {
        "role" => report.each(item, |report, item| {
            let glob = report.glob(item)?;
            if glob.value.is_exact() {
                let role = report.word(item, toolgate_model::Role::ALL)?;
                return Some(item.placed(Glob::new(role.as_str())));
            }
            Some(glob)
        })?,
        _ => report.globs(item)?,
    };
    let text = item.json.to_value().to_string();
    Some(Selector {
        key,
        patterns,
        text,
    })
}

/// The cases of a document. Each is an object; what is in it is the affair of who runs it.
fn tests<'t>(item: &Item<'t>, report: &mut Report<'_>) -> Vec<Item<'t>> {
    if !matches!(item.json.kind, JsonKind::List(_)) {
        report.wrong_type(item, "a list of cases");
        return Vec::new();
    }
    let mut cases = item.elements();
    cases.retain(|case| {
        let is_object = matches!(case.json.kind, JsonKind::Object(_));
        if !is_object {
            report.wrong_type(case, "an object");
        }
        is_object
    });
    cases
}

fn not_yet(report: &mut Report<'_>, item: &Item<'_>, waits_for: &str) {
    let key = item.path.rsplit('/').next().unwrap_or_default();
    let message = format!("`{key}` is not available yet: it waits for {waits_for}");
    report.complain(
        item,
        Complaint::new(NOT_AVAILABLE, message).help("leave it out until it is"),
    );
}

fn rules<'t>(item: &Item<'t>, report: &mut Report<'_>) -> Vec<Rule<'t>> {
    let JsonKind::List(_) = &item.json.kind else {
        report.wrong_type(item, "a list of rules");
        return Vec::new();
    };
    let mut rules: Vec<Rule<'t>> = Vec::new();
    let mut ids = std::collections::BTreeMap::new();
    for (place, item) in item.elements().into_iter().enumerate() {
        let Some(rule) = rule(&item, place, report) else {
            continue;
        };
        if let Some(first) = ids.insert(rule.id.clone(), item.json.at.clone()) {
            let message = format!("two rules are called `{}`", shown(&rule.id));
            let complaint = Complaint::new(DUPLICATE_RULE, message).see(&first, "the other one");
            report.complain(
                &item,
                complaint.help("name one of them differently in `rule_id`"),
            );
        }
        rules.push(rule);
    }
    rules
}

/// The rule at `place`, counted from 0; `None` where it is no object.
fn rule<'t>(item: &Item<'t>, place: usize, report: &mut Report<'_>) -> Option<Rule<'t>> {
    let members = report.members(item, &RULE_KEYS)?;
    let mut rule = Rule {
        item: item.clone(),
        id: format!("r{}", place + 1),
        priority: 100,
        enabled: true,
        mode: None,
        effect: None,
        matches: Vec::new(),
        conditions: Vec::new(),
        when: None,
        unless: None,
        exempts: Vec::new(),
        reason: None,
        code: None,
        approval: ApprovalTerms::default(),
        occasion: Occasion::Call,
        fields: Vec::new(),
        limit: None,
        per: None,
        notify: None,
    };
    for (key, item) in &members {
        rule.read(key, item, report);
    }
    let word = effect_word(item, &members, report);
    if let Some((word, place)) = word {
        misplaced(word, &members, report);
        needed(word, (place, &members), report);
        rule.effect = in_time(word, rule.occasion, (place, report));
    }
    Some(rule)
}

impl<'t> Rule<'t> {
    fn read(&mut self, key: &str, item: &Item<'t>, report: &mut Report<'_>) {
        match key {
            "rule_id" => self.id = rule_id(item, report).unwrap_or_else(|| self.id.clone()),
            "priority" => {
                let priority = report.integer(item, 0..=limits::PRIORITY_MAX);
                self.priority = priority.unwrap_or(self.priority);
            }
            "match" => self.matches = keyed(item, MATCH_KEYS, report),
            "condition" => self.conditions = keyed(item, CONDITIONS, report),
            "when" => self.when = written(item, report),
            "unless" => self.unless = written(item, report),
            "exempts" => self.exempts = report.texts(item).unwrap_or_default(),
            "reason" => self.reason = sentence(item, report),
            "code" => self.code = report.name(item).map(|code| code.value),
            "mode" => self.mode = report.word(item, &MODES),
            "enabled" => self.enabled = report.flag(item).unwrap_or(true),
            "approvers" => {
                let approvers = report.each(item, Report::name).unwrap_or_default();
                self.approval.approvers = approvers.into_iter().map(|name| name.value).collect();
            }
            "quorum" => {
                let quorum = report.integer(item, 1..=limits::QUORUM_MAX);
                self.approval.quorum = quorum.unwrap_or(1);
            }
            "expires_in" => self.approval.expires_in = expiry(item, report),
            "on" => self.occasion = report.word(item, &OCCASIONS).unwrap_or_default(),
            "per" => self.per = per(item, report),
            "sanitize_fields" => self.fields = report.each(item, field).unwrap_or_default(),
            "limit" => self.limit = limit(item, report),
            "notify" => self.notify = report.name(item).map(|channel| channel.value),
            // `effect` and `action` are read together, below.
            _ => {}
        }
    }
}

fn rule_id(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let name = report.name(item)?.value;
    if name.contains('/') {
        let message = format!("the rule id `{}` has a `/` in it", shown(&name));
        let help = "`/` separates the document's name from the rule's id in records";
        report.complain(item, Complaint::new(BAD_NAME, message).help(help));
        return None;
    }
    Some(name)
}

/// The keys of `match` or `condition`, found in their registry.
fn keyed<'t>(
    item: &Item<'t>,
    registry: &'static [Key],
    report: &mut Report<'_>,
) -> Vec<(&'static Key, Item<'t>)> {
    let names: Vec<&'static str> = registry.iter().map(|key| key.name).collect();
    let members = report.members(item, &names).unwrap_or_default();
    let found = members.into_iter().filter_map(|(name, item)| {
        let key = registry.iter().find(|key| key.name == name)?;
        Some((key, item))
    });
    found.collect()
}

fn written(item: &Item<'_>, report: &mut Report<'_>) -> Option<Written> {
    let text = report.text(item)?.value;
    let offsets = Offsets::of_literal(report.source.text, &item.json.at);
    match language::parse(&text) {
        Ok(expr) => Some(Written {
            text,
            expr,
            offsets,
            path: item.path.clone(),
        }),
        Err(error) => {
            let complaint = Complaint::new(error.code, error.message);
            let complaint = complaint.at(&offsets.range(&error.at), &item.path);
            report.push(match error.help {
                Some(help) => complaint.help(help),
                None => complaint,
            });
            None
        }
    }
}

type Members<'t> = [(&'static str, Item<'t>)];

fn effect_word<'m, 't>(
    rule: &Item<'t>,
    members: &'m Members<'t>,
    report: &mut Report<'_>,
) -> Option<(&'static EffectWord, &'m Item<'t>)> {
    let find = |wanted: &str| {
        members
            .iter()
            .find(|(key, _)| *key == wanted)
            .map(|(_, item)| item)
    };
    let item = match (find("effect"), find("action")) {
        (Some(effect), Some(action)) => {
            let message = "the rule has both `effect` and `action`, which are one key";
            let complaint = Complaint::new(EFFECT_TWICE, message).see(&effect.json.at, "the other");
            report.complain(action, complaint.help("remove one of the two"));
            return None;
        }
        (Some(item), None) | (None, Some(item)) => item,
        (None, None) => {
            let complaint = Complaint::new(EFFECT_MISSING, "the rule has no `effect`");
            report.complain(
                rule,
                complaint.help("add `\"effect\": \"require_approval\"` or another"),
            );
            return None;
        }
    };
    let text = report.text(item)?;
    let word = effect(&text.value);
    if word.is_none() {
        let names: Vec<&str> = EFFECTS.iter().map(|known| known.name).collect();
        let message = format!("`{}` is not an effect", shown(&text.value));
        let complaint = Complaint::new(UNKNOWN_EFFECT, message);
        let complaint = complaint
            .suggest(&text.value, &names)
            .see(&rule.json.at, "for this rule");
        report.complain(item, complaint);
    }
    word.map(|word| (word, item))
}

/// The effect, where it can be had on that occasion.
fn in_time(
    word: &EffectWord,
    occasion: Occasion,
    (item, report): (&Item<'_>, &mut Report<'_>),
) -> Option<Effect> {
    if occasion == Occasion::Call || word.is_for_results() {
        return Some(word.effect);
    }
    let late = EFFECTS.iter().filter(|known| known.is_for_results());
    let names: Vec<&str> = late.map(|known| known.name).collect();
    let message = format!("`{}` comes too late for a result", word.name);
    let help = format!("on a result a rule may {}", names.join(", "));
    report.complain(item, Complaint::new(TOO_LATE, message).help(help));
    None
}

/// An effect without what it needs would do nothing.
fn needed(word: &EffectWord, (item, members): (&Item<'_>, &Members<'_>), report: &mut Report<'_>) {
    for key in word.needs {
        if !members.iter().any(|(known, _)| known == key) {
            let message = format!("`{}` wants `{key}`", word.name);
            let complaint = Complaint::new(PARAMETER_MISSING, message);
            report.complain(item, complaint.help(format!("add `{key}` to the rule")));
        }
    }
}

/// Parameters of another effect do nothing, and what does nothing is a mistake.
fn misplaced(word: &EffectWord, members: &Members<'_>, report: &mut Report<'_>) {
    for (key, item) in members {
        let owner = EFFECTS.iter().find(|known| known.parameters.contains(key));
        let Some(owner) = owner.filter(|owner| owner.name != word.name) else {
            continue;
        };
        // A channel may be told about any decision.
        if *key == "notify" {
            continue;
        }
        let message = format!(
            "`{key}` belongs to `{}` and does nothing in `{}`",
            owner.name, word.name
        );
        report.complain(
            item,
            Complaint::new(PARAMETER_MISPLACED, message).help("remove it"),
        );
    }
}
