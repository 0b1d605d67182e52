//! A result is judged before anybody sees it: what it holds, and what its rules make of it.
//!
//! ```text
//! answer → scanned → rules with `on: "result"` → as it is | sanitized | withheld
//! ```
//!
//! The effect has happened by then; nothing here undoes it. What is found marks the session of the
//! agent that read it, so that a later call can be judged by it (2-decision, 3).
//!
//! INVARIANT: a result that could not be looked through is handed on only where no rule asked.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use toolgate_execution::{Inspection, Invocation, Proposal};
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{Authors, Code, Denial, Descriptor, Role, Timestamp, ToolNames, Verdict};
use toolgate_policy::{Budget, Facts, History, PolicySet, ResultFacts, Ruling};

use crate::configuration::Configuration;
use crate::history::{Asker, Ledger, Read, SessionKey, Words};
use crate::live::live;
use crate::sanitize::{readable, replace_answer};

/// A result after it was judged.
#[derive(Debug)]
pub struct Inspected {
    /// What was found, for the invocation.
    pub inspection: Inspection,
    /// What the caller gets instead, where that is another text.
    pub result: Option<String>,
    /// What was read, for the history.
    pub read: Read,
}

/// Judges the answer of one invocation.
pub fn inspect(
    configuration: &Configuration,
    invocation: &Invocation,
    (answer, history): (&str, Option<&Ledger>),
    now: Timestamp,
) -> Inspected {
    let proposal = &invocation.proposal;
    let whole = parse(answer.as_bytes(), Limits::RESULT, Numbers::Exact)
        .unwrap_or_else(|_| Value::String(answer.to_owned()));
    let data = live(answer).unwrap_or_else(|_| whole.clone());
    let tool = configuration.catalogue.get(&proposal.tool);
    let authors = tool.map_or(&Authors::Anyone, |tool| &tool.authors);
    // What an agent says that its own function returned is the agent's word, whatever the tool is.
    let own_word = invocation.is_hosts() && !proposal.session_trusted;
    let authors = if own_word { &Authors::Anyone } else { authors };
    let mut inspected = scanned(configuration, (&whole, &data), authors, now);
    let set = configuration.policies.as_ref();
    let names = tool.map_or(ToolNames::from(&proposal.tool), |tool| tool.names());
    let Some(set) = set.filter(|set| set.has_result_rules(names)) else {
        return inspected;
    };
    let session = session_of(proposal);
    let asker = asker(invocation, &session, now);
    let view = history.map(|ledger| ledger.view(asker));
    let facts = Facts {
        result: Some(ResultFacts {
            whole: &whole,
            data: &data,
        }),
        own_domains: &configuration.settings.own_domains,
        history: view.as_ref().map(|view| view as &dyn History),
        ..facts(configuration, (proposal, tool.map(AsRef::as_ref)), now)
    };
    if let Err(denial) = judged(set, &facts, &whole, &mut inspected) {
        inspected.result = Some(withheld(&whole, &denial));
        inspected.inspection.withheld = Some(denial);
    }
    inspected
}

/// Which session an invocation belongs to.
pub fn session_of(proposal: &Proposal) -> SessionKey {
    let name = proposal.session.clone();
    SessionKey {
        key: proposal.key.clone(),
        name: name.filter(|_| proposal.session_trusted),
    }
}

/// What the subjects of sums are in a call, for the history.
pub fn measures(configuration: &Configuration, proposal: &Proposal) -> Vec<(String, Decimal)> {
    let Some(set) = &configuration.policies else {
        return Vec::new();
    };
    if set.sum_subjects().is_empty() {
        return Vec::new();
    }
    let tool = configuration.catalogue.get(&proposal.tool);
    let now = Timestamp::default();
    set.measures(&facts(
        configuration,
        (proposal, tool.map(AsRef::as_ref)),
        now,
    ))
}

/// What was read, from its text alone: for history that is read back from a store.
pub fn words(answer: &str, authors: &Authors) -> (Option<Words>, Option<Words>) {
    let data = live(answer).unwrap_or_else(|_| Value::String(answer.to_owned()));
    split(&data, authors)
}

pub(crate) fn scanned(
    configuration: &Configuration,
    (whole, data): (&Value, &Value),
    authors: &Authors,
    now: Timestamp,
) -> Inspected {
    let (own, foreign) = split(data, authors);
    let scan = configuration.settings.detector.scan(whole);
    let unread = scan.is_err();
    let scan = scan.unwrap_or_default();
    let inspection = Inspection {
        classes: scan.classes(),
        signals: scan
            .signals
            .iter()
            .map(|signal| signal.kind.to_owned())
            .collect(),
        external: foreign.is_some(),
        unread,
        ..Inspection::default()
    };
    let read = Read {
        at: Some(now),
        classes: inspection.classes.clone(),
        signals: inspection.signals.clone(),
        external: inspection.external,
        unread,
        own,
        foreign,
    };
    Inspected {
        inspection,
        result: None,
        read,
    }
}

/// What the result rules say and do.
pub(crate) fn judged(
    set: &PolicySet,
    facts: &Facts<'_>,
    whole: &Value,
    inspected: &mut Inspected,
) -> Result<(), Denial> {
    let ruling = set.decide(facts, Budget::default()).map_err(|fault| {
        let message = format!("the rules about its result could not be evaluated: {fault}");
        Denial::new(Code::GateUnavailable, message)
    })?;
    let inspection = &mut inspected.inspection;
    inspection.rules.clone_from(&ruling.rules);
    inspection.notices.clone_from(&ruling.notices);
    if ruling.effect == Some(Verdict::Deny) {
        return Err(refusal(&ruling));
    }
    let Some(sanitize) = &ruling.sanitize else {
        return Ok(());
    };
    readable(&ruling.rules, sanitize)?;
    let (value, replaced) = replace_answer(whole, sanitize)?;
    if !replaced.is_empty() {
        inspected.result = Some(value.to_string());
        inspection.sanitized = replaced;
    }
    Ok(())
}

fn refusal(ruling: &Ruling) -> Denial {
    let reason = ruling.reason.clone();
    let denial = Denial::new(
        Code::PolicyDenied,
        reason.unwrap_or_else(|| "a rule matches".to_owned()),
    );
    match &ruling.determining {
        Some(named) => denial
            .with("policy", named.policy.as_str())
            .with("rule", named.rule.as_str()),
        None => denial,
    }
}

/// What the caller gets instead of a result that is withheld: that the call ran, and why it sees no
/// more of it. In the form of the protocol that the result is in; as an error there, because a
/// client would hold an answer without its data against the tool's output schema.
pub(crate) fn withheld(whole: &Value, denial: &Denial) -> String {
    let text = format!(
        "The call was executed. Its result is withheld: {}",
        denial.message
    );
    let answer = match whole.get("content").is_some_and(Value::is_array) {
        true => json!({"content": [{"type": "text", "text": text}], "isError": true}),
        false => json!({"withheld": text}),
    };
    answer.to_string()
}

fn asker<'a>(invocation: &'a Invocation, session: &'a SessionKey, now: Timestamp) -> Asker<'a> {
    let proposal = &invocation.proposal;
    let resource = proposal.resource.as_ref().filter(|known| known.derived);
    Asker {
        invocation: Some(&invocation.id),
        tenant: &proposal.tenant,
        agent: &proposal.agent,
        user: proposal.user.as_ref().map(|user| &user.id),
        session,
        tool: &proposal.tool,
        resource: resource.map(|resource| resource.name.as_str()),
        user_words: proposal.user_request.as_deref(),
        now,
    }
}

/// The facts of a call that was decided before, as it was proposed.
pub(crate) fn facts<'c>(
    configuration: &'c Configuration,
    (proposal, tool): (&'c Proposal, Option<&'c Descriptor>),
    now: Timestamp,
) -> Facts<'c> {
    let agent = configuration.agent(&proposal.agent);
    Facts {
        tool: &proposal.tool,
        descriptor: tool,
        args: &proposal.arguments,
        agent: proposal.agent.as_str(),
        role: agent.map_or_else(Role::default, |agent| agent.role),
        runtime: agent.and_then(|agent| agent.runtime.as_deref()),
        tenant: proposal.tenant.as_str(),
        project: agent.and_then(|agent| agent.project.as_deref()),
        env: proposal.env.as_deref(),
        workflow: proposal.workflow.as_deref(),
        user: proposal.user.as_ref(),
        chain: &proposal.chain,
        resource: proposal.resource.as_ref(),
        trigger: proposal.trigger.as_ref(),
        entity: None,
        trigger_confirmed: None,
        allow_duplicate: proposal.allow_duplicate,
        places: None,
        own_domains: &[],
        history: None,
        approval: None,
        result: None,
        now,
    }
}

/// What only the tenant's own systems wrote, and what outsiders could have written.
fn split(data: &Value, authors: &Authors) -> (Option<Words>, Option<Words>) {
    match authors {
        Authors::Trusted => (Some(Words::of_value(data)), None),
        // Of a bare text nobody can say which part is whose.
        Authors::Anyone => (None, Some(Words::of_value(data))),
        Authors::Fields(_) if data.is_string() => (None, Some(Words::of_value(data))),
        Authors::Fields(paths) => {
            let patterns: Vec<Vec<&str>> =
                paths.iter().map(|path| path.split('.').collect()).collect();
            let (mut own, mut foreign) = (Words::default(), Words::default());
            sort(
                data,
                &mut Vec::new(),
                &patterns,
                &mut (&mut own, &mut foreign),
            );
            let some = |words: Words| (!words.is_empty()).then_some(words);
            (some(own), some(foreign))
        }
    }
}

/// Walks the value and gives each part to whoever could have written it. Its depth is bounded by
/// the parser's.
fn sort<'v>(
    value: &'v Value,
    path: &mut Vec<&'v str>,
    patterns: &[Vec<&str>],
    words: &mut (&mut Words, &mut Words),
) {
    if patterns.iter().any(|pattern| covers(pattern, path)) {
        return words.1.add_value(value);
    }
    match value {
        Value::Array(items) => {
            for item in items {
                path.push("*");
                sort(item, path, patterns, words);
                path.pop();
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                words.0.add(key);
                path.push(key);
                sort(value, path, patterns, words);
                path.pop();
            }
        }
        leaf => words.0.add_value(leaf),
    }
}

fn covers(pattern: &[&str], path: &[&str]) -> bool {
    let fits = |(part, step): (&&str, &&str)| *part == "*" || part == step;
    pattern.len() == path.len() && pattern.iter().zip(path).all(fits)
}

#[cfg(test)]
mod tests {
    use super::split;
    use serde_json::json;
    use toolgate_model::Authors;

    #[test]
    fn fields_of_outsiders_are_kept_apart() {
        let data = json!({"mails": [{"id": 7, "body": "pay evil-co", "from": {"name": "eve"}}]});
        let fields = Authors::Fields(vec!["mails.*.body".into(), "mails.*.from".into()]);
        let (own, foreign) = split(&data, &fields);
        let (own, foreign) = (own.unwrap(), foreign.unwrap());
        assert!(own.hold(&json!(7)) && !own.hold(&json!("evil-co")) && !own.hold(&json!("eve")));
        assert!(foreign.hold(&json!("evil-co")) && foreign.hold(&json!("eve")));
        assert!(!foreign.hold(&json!(7)));
    }

    #[test]
    fn a_bare_text_is_everybodys() {
        let fields = Authors::Fields(vec!["body".into()]);
        assert!(split(&json!("evil"), &fields).0.is_none());
        assert!(split(&json!("evil"), &Authors::Trusted).1.is_none());
        assert!(split(&json!("evil"), &Authors::Anyone).0.is_none());
    }
}
