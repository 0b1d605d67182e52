//! A document as checked: every name found, every type fitted, every rule one that can be decided.
//!
//! Only documents without errors get this far as a whole; each rule knows which tools it can be
//! about, so that the index can leave it out of decisions about others.
//!
//! Must not know: other documents, calls.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use toolgate_detect::Finding;
use toolgate_model::{ApprovalTerms, DataClass, DataClasses, Digest, Glob, Obligation};

use crate::checker::{Checker, Use, Written, measure};
use crate::diagnostics::{EXEMPT_CHAIN, GRANT_WITHOUT_TOOLS, UNKNOWN_EXEMPT};
use crate::effects::{Effect, Occasion};
use crate::facts::attribute;
use crate::needs::Needs;
use crate::parameters::Limit;
use crate::parsed::{self, Mode};
use crate::path::Path;
use crate::patterns::Patterns;
use crate::quota::{Max, Quota};
use crate::reading::{Item, Placed};
use crate::scope::Scope;
use crate::source::{Complaint, shown};
use crate::term::Term;
use crate::test::{Key, Part, PartKind};

/// A document.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// The name it is stored by.
    pub(crate) file: String,
    pub(crate) digest: Digest,
    pub(crate) enabled: bool,
    pub(crate) monitor: bool,
    pub(crate) zone: TimeZone,
    pub(crate) selectors: Vec<Part>,
    pub(crate) grant: Option<toolgate_model::Grant>,
    pub(crate) rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) line: usize,
    pub(crate) priority: u32,
    pub(crate) enabled: bool,
    pub(crate) monitor: bool,
    pub(crate) effect: Effect,
    /// All of them have to hold. The cheap ones stand first.
    pub(crate) parts: Vec<Part>,
    pub(crate) unless: Option<Part>,
    /// The rules of the same document that it exempts from, by place.
    pub(crate) exempts: Vec<usize>,
    pub(crate) reason: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) approval: ApprovalTerms,
    pub(crate) scope: Scope,
    /// When it is judged.
    pub(crate) occasion: Occasion,
    /// What a `sanitize` replaces.
    pub(crate) replaced: Replaced,
    /// What a `limit` allows.
    pub(crate) quota: Option<Quota>,
    /// The channel that is told.
    pub(crate) notify: Option<String>,
    /// What it asks of the gate.
    pub(crate) needs: Needs,
}

/// What a `sanitize` rule replaces: what is found of these classes, within the fields where there are
/// any; without classes, the fields as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replaced {
    pub(crate) fields: Vec<String>,
    pub(crate) classes: DataClasses,
}

impl Replaced {
    /// Whether this rule wants that replaced.
    pub(crate) fn wants(&self, found: &Finding) -> bool {
        let here = |field: &String| is_within(field, &found.path);
        self.classes.contains(&found.class)
            && (self.fields.is_empty() || self.fields.iter().any(here))
    }
}

/// Whether the JSON pointer leads to the field or into it: `items[0].note` is `/items/0/note`.
fn is_within(field: &str, pointer: &str) -> bool {
    let steps = field.split(['.', '[', ']']).filter(|step| !step.is_empty());
    let mut places = pointer.split('/').skip(1);
    steps.into_iter().all(|step| {
        let place = places
            .next()
            .map(|place| place.replace("~1", "/").replace("~0", "~"));
        place.is_some_and(|place| place == step)
    })
}

/// A checked rule, and the arguments it reads, whose names are still to be looked up.
pub(crate) struct CheckedRule {
    pub(crate) rule: Option<Rule>,
    pub(crate) scope: Scope,
    pub(crate) uses: Vec<Use>,
}

/// The selectors of a document as parts.
pub(crate) fn selectors(selectors: Vec<parsed::Selector>) -> Vec<Part> {
    let part = |selector: parsed::Selector| {
        let term = Term::Attribute(attribute(selector.key)?);
        let globs = selector
            .patterns
            .into_iter()
            .map(|pattern| pattern.value)
            .collect();
        Some(Part {
            place: selector.key.to_owned(),
            text: selector.text,
            kind: PartKind::Test(Box::new(Patterns { term, globs })),
        })
    };
    selectors.into_iter().filter_map(part).collect()
}

/// What a document opens. `resources` and `max_risk` only narrow that.
pub(crate) fn grant(
    grant: parsed::Grant,
    checker: &mut Checker<'_, '_>,
) -> Option<toolgate_model::Grant> {
    let opens = grant.allowed_tools.is_some() || grant.actions.is_some();
    if !opens {
        let narrows = [
            (
                "resources",
                grant
                    .resources
                    .as_ref()
                    .and_then(|globs| globs.first())
                    .map(|glob| (glob.at.clone(), glob.path.clone())),
            ),
            (
                "max_risk",
                grant
                    .max_risk
                    .as_ref()
                    .map(|risk| (risk.at.clone(), risk.path.clone())),
            ),
        ];
        for (key, place) in narrows {
            if let Some((at, path)) = place {
                let message = format!("`{key}` narrows nothing: the document opens no tool");
                let complaint = Complaint::new(GRANT_WITHOUT_TOOLS, message).at(&at, &path);
                checker
                    .report
                    .push(complaint.help("add `allowed_tools`, or use `match` in the rules"));
            }
        }
        return None;
    }
    let globs = |list: Option<Vec<Placed<Glob>>>| {
        list.unwrap_or_default()
            .into_iter()
            .map(|glob| glob.value)
            .collect()
    };
    Some(toolgate_model::Grant {
        tools: globs(grant.allowed_tools),
        resources: globs(grant.resources),
        actions: globs(grant.actions),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: grant.max_risk.map(|risk| risk.value),
    })
}

/// Checks one rule.
pub(crate) fn rule(
    mut rule: parsed::Rule<'_>,
    document_mode: Mode,
    checker: &mut Checker<'_, '_>,
) -> CheckedRule {
    checker.uses.clear();
    checker.classes.clear();
    checker.needs = Needs::default();
    checker.occasion = rule.occasion;
    let line = checker.report.source.line(rule.item.json.at.start);
    let matches = keyed("match", &rule.matches, checker);
    let when = rule
        .when
        .take()
        .map(|written| expression("when", written, checker));
    let unless = rule
        .unless
        .take()
        .map(|written| expression("unless", written, checker));
    let conditions = keyed("condition", &rule.conditions, checker);
    let parts = matches.into_iter().chain(when).chain(conditions);
    let parts: Option<Vec<Part>> = parts.collect();
    let scopes = parts.iter().flatten().map(Part::scope);
    let scope = scopes.fold(Scope::Any, Scope::and);
    let replaced = replaced(&rule, checker);
    let quota = transposed(quota(&rule, checker));
    let uses = std::mem::take(&mut checker.uses);
    let needs = std::mem::take(&mut checker.needs);
    let monitor = rule.mode.unwrap_or(document_mode) == Mode::Monitor;
    let checked = parts.zip(transposed(unless)).zip(rule.effect.zip(quota));
    let rule = checked.map(|((parts, unless), (effect, quota))| Rule {
        id: rule.id,
        line,
        priority: rule.priority,
        enabled: rule.enabled,
        monitor,
        effect,
        parts,
        unless,
        exempts: Vec::new(),
        reason: rule.reason,
        code: rule.code,
        approval: rule.approval,
        scope: scope.clone(),
        occasion: rule.occasion,
        replaced,
        quota,
        notify: rule.notify,
        needs,
    });
    CheckedRule { rule, scope, uses }
}

/// What a rule sanitizes: what is found of the classes that it asks for, in the fields that it names
/// where it names some; whole fields where it asks for no class; all that is found where it says
/// neither. A result is not always data, so there fields are always whole.
fn replaced(rule: &parsed::Rule<'_>, checker: &mut Checker<'_, '_>) -> Replaced {
    if rule.effect != Some(Effect::Obligation(Obligation::Sanitize)) {
        return Replaced::default();
    }
    let mut fields = Vec::new();
    for field in &rule.fields {
        fields.push(match rule.occasion {
            Occasion::Call => {
                let path = without("args", &field.value);
                checker.note_field(&path, field);
                path.text
            }
            Occasion::Result => without("result", &field.value).text,
        });
    }
    let classes = match (fields.is_empty(), checker.classes.is_empty()) {
        (false, false) if rule.occasion == Occasion::Call => checker.classes.clone(),
        (false, _) => DataClasses::new(),
        (true, false) => checker.classes.clone(),
        (true, true) => DataClass::ALL.iter().map(|(class, _)| *class).collect(),
    };
    Replaced { fields, classes }
}

/// The path behind the name of what it goes into, where it begins with that.
fn without(root: &str, path: &Path) -> Path {
    let behind = path
        .text
        .strip_prefix(root)
        .and_then(|rest| rest.strip_prefix('.'));
    behind.and_then(Path::parse).unwrap_or_else(|| path.clone())
}

/// The limit of a rule; inside, nothing where a part of it was refused.
fn quota(rule: &parsed::Rule<'_>, checker: &mut Checker<'_, '_>) -> Option<Option<Quota>> {
    if rule.effect != Some(Effect::Limit) {
        return None;
    }
    let max = rule.limit.as_ref().and_then(|limit| match limit {
        Limit::Calls(max) => Some(Max::Calls(*max)),
        Limit::Sum(of, max) => {
            let term = checker.number_at(of)?;
            Some(Max::Sum(measure(term)?, *max))
        }
    });
    let (scope, span) = match rule.per {
        Some(per) => per,
        None => return Some(None),
    };
    checker.needs.reach_back(span);
    if let Some(Max::Sum(measure, _)) = &max {
        checker.needs.measure(measure);
    }
    Some(max.map(|max| Quota { max, scope, span }))
}

/// A part that is not there is fine; a part that was refused is not.
fn transposed<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

fn keyed(
    place: &str,
    keys: &[(&'static Key, Item<'_>)],
    checker: &mut Checker<'_, '_>,
) -> Vec<Option<Part>> {
    let mut parts = Vec::new();
    for (key, item) in keys {
        let test = (key.read)(checker, item);
        parts.push(test.map(|test| Part {
            place: format!("{place}.{}", key.name),
            text: item.json.to_value().to_string(),
            kind: PartKind::Test(test),
        }));
    }
    parts
}

fn expression(place: &str, written: Written, checker: &mut Checker<'_, '_>) -> Option<Part> {
    let node = checker.condition_of(&written)?;
    Some(Part {
        place: place.to_owned(),
        text: written.text,
        kind: PartKind::Expression(node),
    })
}

/// What is known of a rule where exemptions are looked up.
pub(crate) struct Exempting {
    pub(crate) id: String,
    pub(crate) exempts: Vec<Placed<String>>,
    pub(crate) occasion: Occasion,
}

/// The places of the rules that each rule exempts from. Names that are no rule of the document,
/// and exemptions from rules that exempt, are reported.
pub(crate) fn exempts(rules: &[Exempting], checker: &mut Checker<'_, '_>) -> Vec<Vec<usize>> {
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let places_by_id: BTreeMap<&str, usize> = ids.iter().copied().zip(0..).collect();
    let mut all = Vec::new();
    for rule in rules {
        let mut places = Vec::new();
        for name in &rule.exempts {
            let place = places_by_id.get(name.value.as_str()).copied();
            let target = place.and_then(|place| rules.get(place));
            let complaint = match target {
                None => {
                    let message = format!("`{}` is no rule of this document", shown(&name.value));
                    Complaint::new(UNKNOWN_EXEMPT, message).suggest(&name.value, &ids)
                }
                Some(theirs) if theirs.occasion != rule.occasion => {
                    let message = format!("`{}` is judged on another occasion", shown(&theirs.id));
                    let help = "a rule on results exempts from rules on results, one on calls from those on calls";
                    Complaint::new(UNKNOWN_EXEMPT, message).help(help)
                }
                Some(theirs) if !theirs.exempts.is_empty() => {
                    let message = format!("`{}` exempts from others itself", shown(&theirs.id));
                    let help = "write the exception into that rule's `unless`";
                    Complaint::new(EXEMPT_CHAIN, message).help(help)
                }
                Some(_) => {
                    places.extend(place);
                    continue;
                }
            };
            checker.report.push(complaint.at(&name.at, &name.path));
        }
        all.push(places);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_field_is_itself_and_what_is_in_it() {
        for (field, pointer, expected) in [
            ("text", "/text", true),
            ("text", "/text/0", true),
            ("text", "/texts", false),
            ("text", "/to/text", false),
            ("items[0].note", "/items/0/note", true),
            ("items[0].note", "/items/1/note", false),
            ("a.b", "/a", false),
        ] {
            assert_eq!(is_within(field, pointer), expected, "{field} {pointer}");
        }
    }
}
