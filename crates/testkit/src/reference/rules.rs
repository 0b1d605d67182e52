//! Documents and rules: what matches a call, and what follows (2-decision, 3).
//!
//! Every rule of every document is judged, in no order, and nothing is left out because it could
//! not matter. Must not know: how names are found.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::Value;
use toolgate_model::{
    ApprovalTerms, Glob, Obligation, RuleRef, Truth as Word, Verdict, searchable,
};

use super::facts::{Found, Sight, Val, plain, value};
use super::history::Span;
use super::language::{parse, span};
use super::number::Number;
use super::truth::{Truth, all, any, both, opposite};

/// What the rules say about one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The strictest verdict of an enforced rule that matches.
    pub effect: Option<Verdict>,
    /// The rule that is named for it.
    pub determining: Option<RuleRef>,
    /// That rule's code; `attribute_unknown` where it names none and could not be ruled out.
    pub code: Option<String>,
    /// Whether a limit is used up, and it is that which denies.
    pub is_limited: bool,
    /// Every rule that matches, with its effect, its truth, and whether it is only watched.
    pub rules: Vec<(RuleRef, String, Word, bool)>,
    /// What execution owes.
    pub obligations: BTreeSet<Obligation>,
    /// Who must approve.
    pub approval: Option<ApprovalTerms>,
    /// Which classes and fields are replaced.
    pub sanitize: Option<(BTreeSet<String>, BTreeSet<String>)>,
    /// Which rule tells which channel, and whether it opens an incident.
    pub notices: BTreeSet<(RuleRef, Option<String>, bool)>,
}

struct Rule<'d> {
    name: RuleRef,
    at: (i64, String, usize),
    body: &'d Value,
    effect: String,
    watched: bool,
    truth: Truth,
}

const SELECTORS: [(&str, &str); 7] = [
    ("tenant", "tenant"),
    ("project", "project"),
    ("agent_id", "agent"),
    ("role", "role"),
    ("env", "env"),
    ("env_names", "env"),
    ("workflow", "workflow"),
];

/// What these documents say about the call.
pub(super) fn decide(documents: &[(String, Value)], sight: &Sight<'_>) -> Outcome {
    let result = sight.call.get("result").is_some();
    let mut rules = Vec::new();
    for (name, document) in documents {
        rules.extend(judged(name, document, sight, result));
    }
    rules.retain(|rule| match rule.truth {
        Some(truth) => truth,
        None => rule.effect != "allow",
    });
    rules.sort_by(|a, b| a.at.cmp(&b.at));
    outcome(&rules, sight)
}

/// The rules of one document with their truths, exemptions taken off.
fn judged<'d>(stem: &str, document: &'d Value, sight: &Sight<'_>, result: bool) -> Vec<Rule<'d>> {
    if document.get("enabled") == Some(&Value::Bool(false)) {
        return Vec::new();
    }
    let name = document.get("name").and_then(Value::as_str).unwrap_or(stem);
    let mut sight = sight.clone();
    if let Some(zone) = document.get("time_zone").and_then(Value::as_str) {
        sight.zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    }
    let selected = all(SELECTORS.iter().map(|(key, fact)| match document.get(key) {
        Some(wanted) => globs(wanted, &sight.find(fact)),
        None => Some(true),
    }));
    let mode = document
        .get("mode")
        .and_then(Value::as_str)
        .unwrap_or("enforce");
    let rules = document
        .get("rules")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut rules: Vec<Rule<'d>> = rules
        .enumerate()
        .filter(|(_, rule)| rule.get("enabled") != Some(&Value::Bool(false)))
        .filter(|(_, rule)| (rule.get("on").and_then(Value::as_str) == Some("result")) == result)
        .map(|(place, body)| {
            let id = body.get("rule_id").and_then(Value::as_str);
            let id = id.map_or(format!("r{}", place + 1), str::to_owned);
            let effect = body.get("effect").or_else(|| body.get("action"));
            Rule {
                name: RuleRef {
                    policy: name.to_owned(),
                    rule: id,
                },
                at: (
                    body.get("priority").and_then(Value::as_i64).unwrap_or(100),
                    name.to_owned(),
                    place,
                ),
                effect: effect
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_lowercase(),
                watched: body.get("mode").and_then(Value::as_str).unwrap_or(mode) == "monitor",
                truth: all([selected, holds(body, &sight)]),
                body,
            }
        })
        .collect();
    // What could be exempted still tightens, and no longer lets through.
    let exemptions: Vec<(String, Truth)> = rules
        .iter()
        .filter(|rule| !rule.watched)
        .flat_map(|rule| {
            texts(rule.body.get("exempts"))
                .into_iter()
                .map(|id| (id, rule.truth))
        })
        .collect();
    for rule in rules
        .iter_mut()
        .filter(|rule| rule.body.get("exempts").is_none())
    {
        let own = exemptions.iter().filter(|(id, _)| *id == rule.name.rule);
        let exempt = any(own.map(|(_, truth)| *truth));
        if exempt.is_some() || rule.effect == "allow" {
            rule.truth = both(rule.truth, opposite(exempt));
        }
    }
    rules
}

fn holds(rule: &Value, sight: &Sight<'_>) -> Truth {
    let expression = |key: &str| {
        let text = rule.get(key)?.as_str()?;
        Some(parse(text).and_then(|expr| sight.truth(&expr, false)))
    };
    let keys = |key: &str, judge: fn(&str, &Value, &Sight<'_>) -> Truth| {
        let keys = rule
            .get(key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        all(keys.map(|(key, wanted)| judge(key, wanted, sight)))
    };
    // An exemption that is not certain leaves a rule that is not certain: one that tightens still
    // counts, and an allow does not.
    all([
        keys("match", matching),
        keys("condition", condition),
        expression("when").unwrap_or(Some(true)),
        opposite(expression("unless").unwrap_or(Some(false))),
    ])
}

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().flat_map(|item| texts(Some(item))).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn globs(wanted: &Value, found: &Found) -> Truth {
    fits(&texts(Some(wanted)), found, |wanted, text| {
        Glob::new(wanted).matches(text)
    })
}

/// Whether one of the wanted fits the value, or one element of it.
fn fits(wanted: &[String], found: &Found, fit: fn(&str, &str) -> bool) -> Truth {
    match found {
        Found::Cannot => Some(false),
        Found::Is(Val::Text(text)) => Some(wanted.iter().any(|wanted| fit(wanted, text))),
        Found::Is(Val::Json(Value::Array(items))) => {
            any(items.iter().map(|item| fits(wanted, &value(item), fit)))
        }
        Found::Unknown | Found::Is(_) => None,
    }
}

fn matching(key: &str, wanted: &Value, sight: &Sight<'_>) -> Truth {
    let list = texts(Some(wanted));
    let exact = |wanted: &str, text: &str| wanted.eq_ignore_ascii_case(text);
    match key {
        "tool_name" | "tool_names" => globs(wanted, &sight.find("tool_name")),
        "tools" => globs(wanted, &sight.find("tool")),
        "agent_ids" => globs(wanted, &sight.find("agent")),
        "agent_runtime_types" => globs(wanted, &sight.find("runtime")),
        "env_names" => globs(wanted, &sight.find("env")),
        "resources" => place("resource", &list, sight),
        "verbs" => fits(&list, &sight.find("verb"), exact),
        "methods" => fits(&list, &sight.find("method"), exact),
        "risk" => match sight.find("risk") {
            Found::Is(Val::Risk(place)) => Some(
                list.iter()
                    .any(|risk| super::facts::RISKS.get(place) == Some(&risk.as_str())),
            ),
            _ => None,
        },
        "operations" => any(list.iter().map(|wanted| operation(wanted, sight))),
        "url_patterns" => fits(&list, &sight.name("url"), url_fits),
        "aws_tags" => tags(wanted, &sight.name("tags")),
        _ => place(key.trim_end_matches("_patterns"), &list, sight),
    }
}

/// Globs over a place in its plain form; one that has none is unknown, and so is none at all. What
/// fits only once letter case is undone may or may not be the same place.
fn place(name: &str, globs: &[String], sight: &Sight<'_>) -> Truth {
    let one = |text: &str| {
        let text = plain(name, text)?;
        any(globs.iter().map(|glob| {
            let exact = match (name, glob.rsplit_once('@')) {
                ("host", _) => glob.to_lowercase(),
                ("recipient", Some((local, domain))) => {
                    format!("{local}@{}", domain.to_lowercase())
                }
                _ => glob.clone(),
            };
            match Glob::new(exact).matches(&text) {
                true => Some(true),
                false if Glob::new(searchable(glob)).matches(&searchable(&text)) => None,
                false => Some(false),
            }
        }))
    };
    match sight.name(name) {
        Found::Cannot => Some(false),
        Found::Is(Val::Text(text)) => one(&text),
        Found::Is(Val::Json(Value::Array(items))) if !items.is_empty() => {
            any(items.iter().map(|item| one(item.as_str()?)))
        }
        Found::Unknown | Found::Is(_) => None,
    }
}

fn operation(wanted: &str, sight: &Sight<'_>) -> Truth {
    let one = |text: &str| Value::String(text.to_owned());
    match wanted.split_once(':') {
        Some(("method", method)) => globs(&one(method), &sight.find("method")),
        Some(("category", category)) => globs(&one(category), &sight.find("category")),
        _ => globs(&one(wanted), &sight.find("operation")),
    }
}

/// A text without wildcards is a prefix that ends where a part of the URL ends.
fn url_fits(wanted: &str, url: &str) -> bool {
    let url = &plain("url", url).unwrap_or_default();
    if wanted.contains(['*', '?']) {
        return Glob::new(wanted).matches(url);
    }
    let Some(rest) = url.strip_prefix(wanted) else {
        return false;
    };
    wanted.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

fn tags(wanted: &Value, found: &Found) -> Truth {
    match found {
        Found::Cannot => Some(false),
        Found::Is(Val::Json(Value::Object(tags))) => {
            let wanted = wanted.as_object().into_iter().flatten();
            all(wanted.map(|(key, glob)| match tags.get(key) {
                Some(tag) => globs(glob, &value(tag)),
                None => None,
            }))
        }
        Found::Unknown | Found::Is(_) => None,
    }
}

fn condition(key: &str, wanted: &Value, sight: &Sight<'_>) -> Truth {
    let flag = |found: Found| match found {
        Found::Cannot => Some(false),
        Found::Is(Val::Bool(bool)) => Some(Value::Bool(bool) == *wanted),
        Found::Unknown | Found::Is(_) => None,
    };
    let one_of = |found: Found| match found {
        Found::Is(Val::Texts(known)) => Some(
            texts(Some(wanted))
                .iter()
                .any(|class| known.contains(class)),
        ),
        _ => None,
    };
    match key {
        "is_external_principal" | "new_resource" | "volume_burst" => flag(sight.find(key)),
        "has_data_class" => one_of(sight.find("data_class")),
        "session_has_data_class" => one_of(sight.find("session.data_class")),
        "time_window" => window(wanted, sight),
        _ => body(key, wanted, sight),
    }
}

fn body(key: &str, wanted: &Value, sight: &Sight<'_>) -> Truth {
    let Found::Is(Val::Body(body)) = sight.body() else {
        return None;
    };
    let stands = |needle: &String| {
        let needle = searchable(needle);
        Some(body.iter().any(|text| text.contains(&needle)))
    };
    let needles = texts(Some(wanted));
    let stand = needles.iter().map(stands);
    if key == "body_contains_all" {
        all(stand)
    } else {
        any(stand)
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn window(wanted: &Value, sight: &Sight<'_>) -> Truth {
    let zone = wanted.get("zone").and_then(Value::as_str);
    let zone = zone.and_then(|zone| TimeZone::get(zone).ok());
    let (minute, day) = sight.clock(zone.as_ref())?;
    let at = |key: &str, other: i64| {
        let (hours, minutes) = wanted.get(key).and_then(Value::as_str)?.split_once(':')?;
        Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?).or(Some(other))
    };
    let (from, to) = (at("from", 0).unwrap_or(0), at("to", 1_440).unwrap_or(1_440));
    let open = |day: usize| match wanted.get("days") {
        Some(days) => texts(Some(days)).iter().any(|days| spans(days, day)),
        None => true,
    };
    let yesterday = (day + 6) % 7;
    Some(if from < to {
        open(day) && (from..to).contains(&minute)
    } else {
        (open(day) && minute >= from) || (open(yesterday) && minute < to)
    })
}

fn spans(days: &str, day: usize) -> bool {
    let place = |name: &str| DAYS.iter().position(|known| *known == name);
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (Some(first), Some(last)) = (place(first), place(last)) else {
        return false;
    };
    (day + 7 - first) % 7 <= (last + 7 - first) % 7
}

/// What follows from the rules that match.
fn outcome(rules: &[Rule<'_>], sight: &Sight<'_>) -> Outcome {
    let verdict = |rule: &Rule<'_>| match rule.effect.as_str() {
        "allow" => Some(Verdict::Allow),
        "require_approval" => Some(Verdict::RequireApproval),
        "deny" => Some(Verdict::Deny),
        "limit" => is_used_up(rule, sight).then_some(Verdict::Deny),
        _ => None,
    };
    let enforced: Vec<&Rule<'_>> = rules.iter().filter(|rule| !rule.watched).collect();
    let effect = enforced.iter().filter_map(|rule| verdict(rule)).max();
    let named = enforced
        .iter()
        .find(|rule| effect.is_some() && verdict(rule) == effect);
    let unknown = named
        .filter(|rule| rule.truth.is_none())
        .map(|_| "attribute_unknown");
    let own = named.and_then(|rule| rule.body.get("code")?.as_str());
    let denied = effect == Some(Verdict::Deny);
    let obligations = enforced.iter().flat_map(|rule| obligations(rule));
    Outcome {
        effect,
        determining: named.map(|rule| rule.name.clone()),
        code: own.or(unknown).map(str::to_owned),
        is_limited: named.is_some_and(|rule| rule.effect == "limit"),
        rules: rules.iter().map(written).collect(),
        obligations: obligations
            .filter(|one| !denied || matches!(one, Obligation::Notify | Obligation::OpenIncident))
            .collect(),
        approval: (effect == Some(Verdict::RequireApproval)).then(|| terms(&enforced)),
        sanitize: if denied { None } else { sanitized(&enforced) },
        notices: enforced.iter().filter_map(|rule| notice(rule)).collect(),
    }
}

fn written(rule: &Rule<'_>) -> (RuleRef, String, Word, bool) {
    let truth = rule.truth.map_or(Word::Unknown, |_| Word::True);
    (rule.name.clone(), rule.effect.clone(), truth, rule.watched)
}

fn obligations(rule: &Rule<'_>) -> Vec<Obligation> {
    let own = match rule.effect.as_str() {
        "reconcile_before_retry" => Some(Obligation::ReconcileBeforeRetry),
        "verify_entity" => Some(Obligation::VerifyEntity),
        "verify_trigger" => Some(Obligation::VerifyTrigger),
        "sanitize" => Some(Obligation::Sanitize),
        "open_incident" => Some(Obligation::OpenIncident),
        _ => None,
    };
    let told = rule.body.get("notify").map(|_| Obligation::Notify);
    own.into_iter().chain(told).collect()
}

fn notice(rule: &Rule<'_>) -> Option<(RuleRef, Option<String>, bool)> {
    let channel = rule
        .body
        .get("notify")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let incident = rule.effect == "open_incident";
    (channel.is_some() || incident).then(|| (rule.name.clone(), channel, incident))
}

/// All approvers, the largest quorum, the shortest expiry.
fn terms(rules: &[&Rule<'_>]) -> ApprovalTerms {
    let asking = || {
        rules
            .iter()
            .filter(|rule| rule.effect == "require_approval")
    };
    let approvers: BTreeSet<String> = asking()
        .flat_map(|rule| texts(rule.body.get("approvers")))
        .collect();
    let quorum = asking()
        .filter_map(|rule| rule.body.get("quorum")?.as_u64())
        .max();
    let expiry = asking()
        .filter_map(|rule| rule.body.get("expires_in")?.as_str()?.parse().ok())
        .min();
    ApprovalTerms {
        approvers: approvers.into_iter().collect(),
        quorum: u32::try_from(quorum.unwrap_or(1)).unwrap_or(u32::MAX),
        expires_in: expiry,
    }
}

/// What is found of the classes of the rule's own condition (in its fields, where it names some and is
/// about a call); fields as a whole where it asks for no class; all four classes where it says neither.
fn sanitized(rules: &[&Rule<'_>]) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let rules: Vec<_> = rules
        .iter()
        .filter(|rule| rule.effect == "sanitize")
        .collect();
    let (mut classes, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for rule in &rules {
        let named = texts(rule.body.get("sanitize_fields"));
        let asked = texts(rule.body.pointer("/condition/has_data_class"));
        match (named.is_empty(), asked.is_empty()) {
            (false, false) if rule.body.get("on").is_none_or(|on| on == "call") => {
                classes.extend(asked);
            }
            (false, _) => fields.extend(named),
            (true, false) => classes.extend(asked),
            (true, true) => {
                classes.extend(["SECRETS", "PII", "PHI", "INTERNAL"].map(str::to_owned))
            }
        }
    }
    (!rules.is_empty()).then_some((classes, fields))
}

/// Whether the calls that this rule matched before leave no room for this one.
fn is_used_up(rule: &Rule<'_>, sight: &Sight<'_>) -> bool {
    let per = rule
        .body
        .get("per")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (scope, window) = per.split_once('/').unwrap_or(("agent", per));
    let Some(millis) = span(window) else {
        return true;
    };
    let name = rule.name.to_string();
    let span = Span {
        scope,
        millis,
        tools: None,
        rule: Some(&name),
    };
    // What this tool cannot have is not counted for it.
    if scope == "resource" && matches!(sight.find("resource"), Found::Cannot) {
        return false;
    }
    let past = sight.past();
    match rule.body.get("limit") {
        Some(Value::Number(most)) => past
            .rate(&span)
            .is_none_or(|made| most.as_u64().is_none_or(|most| made >= most)),
        Some(sum) => {
            let subject = sum.get("sum").and_then(Value::as_str).unwrap_or_default();
            let most = sum
                .get("max")
                .and_then(|most| Number::read(most.as_number()?.as_str()));
            let total = match sight.name(subject) {
                Found::Is(Val::Number(own)) => past
                    .sum_number(subject, &span)
                    .and_then(|made| made.join('+', own)),
                Found::Cannot => past.sum_number(subject, &span),
                Found::Unknown | Found::Is(_) => None,
            };
            total
                .zip(most)
                .is_none_or(|(total, most)| total.order(most).is_gt())
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::url_fits;

    #[test]
    fn a_prefix_ends_where_a_part_of_the_url_ends() {
        assert!(url_fits("https://api.acme.com", "https://api.acme.com/v1"));
        assert!(!url_fits(
            "https://api.acme.com",
            "https://api.acme.com.evil/"
        ));
        assert!(!url_fits(
            "https://api.acme.com",
            "https://api.acme.com@evil/"
        ));
    }
}
