//! `toolgate reconcile`: calls whose answer was lost, and looking for their effect now.
//!
//! ```text
//! toolgate reconcile                list what is in doubt
//! toolgate reconcile inv_0197…      look now, and say what is known
//! ```
//!
//! Without an id nothing is asked of anything downstream. Must not know: how to look, or what
//! proves what; the gate says so.

use clap::Args;
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table, visible};

/// The states of doubt, as the query names them.
const IN_DOUBT: &str = "unknown_effect,reconciling,needs_operator";

/// LIMIT: half a minute; a look that takes longer goes on and is seen in the log.
const WAIT_MS: u32 = 30_000;

/// Arguments of `toolgate reconcile`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate reconcile inv_0197…")]
pub(crate) struct Reconcile {
    /// The invocation, `inv_…`; all that are in doubt are listed without one
    id: Option<String>,
    /// Only say what is known, and do not look
    #[arg(long, requires = "id")]
    no_look: bool,
}

impl Run for Reconcile {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let Some(id) = self.id else {
            let ask = Ask::get("/v1/invocations").with("status", Some(IN_DOUBT));
            let found = admin.body(ask).await?;
            shell.print(&found, || table(&rows(&found), &COLUMNS))?;
            return Ok(Exit::Done);
        };
        if !self.no_look {
            let path = format!("/v1/invocations/{id}/reconcile");
            admin.body(Ask::post(path, json!({}))).await?;
        }
        let seen = settled(&admin, &id, !self.no_look).await?;
        shell.print(&seen, || story(&seen))?;
        Ok(match seen.get("doubt") {
            None | Some(Value::Null) => Exit::Done,
            Some(_) => Exit::Conflict,
        })
    }
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "/invocation_id"),
    ("STATUS", "/status"),
    ("TOOL", "/capability_id"),
    ("AGENT", "/agent"),
    ("RESOURCE", "/resource"),
    ("SINCE", "/updated_at"),
];

/// How the call stands, after the look where one was asked for.
async fn settled(admin: &Admin, id: &str, wait: bool) -> Result<Value, Fault> {
    let ask = Ask::get(format!("/v1/invocations/{id}"));
    admin
        .body(ask.with("wait_ms", wait.then_some(WAIT_MS)))
        .await
}

/// All that a person needs to say what happened, and how to say it.
pub(crate) fn story(seen: &Value) -> String {
    let text = |pointer: &str| shown(seen.pointer(pointer));
    let id = text("/invocation_id");
    let mut lines = vec![format!("{id}  {}", text("/status"))];
    if seen.get("doubt").is_none_or(Value::is_null) {
        return lines.join("\n");
    }
    for (label, pointer) in [
        ("tool", "/capability_id"),
        ("agent", "/call/agent"),
        ("resource", "/call/resource"),
        ("attempt", "/doubt/attempt"),
        ("sent at", "/doubt/sent_at"),
        ("lost at", "/doubt/lost_at"),
        ("lost by", "/doubt/cause"),
        ("ground", "/doubt/ground"),
        ("next look", "/doubt/next_look_at"),
        ("looked with", "/doubt/probe/tool"),
        ("landed if", "/doubt/probe/landed"),
        ("absence proves from", "/doubt/absence_proves_from"),
        ("search for", "/doubt/search_for"),
        ("sent as", "/doubt/downstream_key"),
    ] {
        lines.push(format!("  {label:<20}{}", text(pointer)));
    }
    let arguments = seen.pointer("/call/arguments").cloned();
    let arguments = pretty(&arguments.unwrap_or_default());
    lines.push(format!("\nWhat was sent:\n{}", lined(&arguments)));
    lines.push("\nWhat each look found:".to_owned());
    lines.extend(list(seen, "/doubt/sightings", sighting));
    lines.push("\nWhat can be done:".to_owned());
    lines.extend(list(seen, "/doubt/next", |step| self::step(step, &id)));
    lines.join("\n")
}

fn list(seen: &Value, pointer: &str, line: impl Fn(&Value) -> String) -> Vec<String> {
    let items = seen.pointer(pointer).and_then(Value::as_array);
    let lines: Vec<_> = items.into_iter().flatten().map(line).collect();
    if lines.is_empty() {
        vec!["  nothing".to_owned()]
    } else {
        lines
    }
}

fn sighting(sighting: &Value) -> String {
    let text = |key: &str| shown(sighting.get(key));
    format!("  {}  {}  {}", text("at"), text("found"), text("why"))
}

fn step(step: &Value, id: &str) -> String {
    let word = shown(step.get("step"));
    let command = match word.as_str() {
        "reconcile" => format!("toolgate reconcile {id}"),
        "landed" | "retry" => format!("toolgate resolve {id} {word} --reason '…'"),
        "not_landed" => format!("toolgate resolve {id} not-landed --reason '…'"),
        _ => word,
    };
    let safe = step.get("safe").and_then(Value::as_bool) == Some(true);
    let mark = if safe { "" } else { "NOT SAFE: " };
    format!("  {command}\n      {mark}{}", shown(step.get("why")))
}

/// A value as one harmless line.
fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => visible(text),
        Some(other) => visible(&other.to_string()),
    }
}

/// A text of several lines, each harmless.
fn lined(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::story;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_doubt_is_told_with_what_is_safe_next() {
        let seen = json!({
            "invocation_id": "inv_1", "status": "needs_operator", "capability_id": "desk.refund",
            "call": {
                "agent": "billing_agent", "resource": "customer:c\u{1b}[2J",
                "arguments": {"amount": 640},
            },
            "doubt": {
                "cause": "timeout", "attempt": 1, "sent_at": "T0", "lost_at": "T1",
                "ground": "3 looks did not find the effect", "looks": 1,
                "sightings": [{"at": "T2", "found": "not_found", "why": null}],
                "next_look_at": null, "probe": {"tool": "desk.list", "landed": "result.ok"},
                "absence_proves_from": null, "search_for": "inv_1",
                "downstream_key": "header Idempotency-Key",
                "next": [
                    {"step": "reconcile", "safe": true, "why": "has the gate look now"},
                    {"step": "not_landed", "safe": true, "why": "say so"},
                    {"step": "retry", "safe": false, "why": "sends it again"},
                ],
            },
        });
        expect![[r#"
            inv_1  needs_operator
              tool                desk.refund
              agent               billing_agent
              resource            customer:c\u{1b}[2J
              attempt             1
              sent at             T0
              lost at             T1
              lost by             timeout
              ground              3 looks did not find the effect
              next look           -
              looked with         desk.list
              landed if           result.ok
              absence proves from -
              search for          inv_1
              sent as             header Idempotency-Key

            What was sent:
            {
              "amount": 640
            }

            What each look found:
              T2  not_found  -

            What can be done:
              toolgate reconcile inv_1
                  has the gate look now
              toolgate resolve inv_1 not-landed --reason '…'
                  say so
              toolgate resolve inv_1 retry --reason '…'
                  NOT SAFE: sends it again"#]]
        .assert_eq(&story(&seen));
    }

    #[test]
    fn what_is_settled_is_one_line() {
        let seen = json!({"invocation_id": "inv_1", "status": "succeeded", "doubt": null});
        assert_eq!(story(&seen), "inv_1  succeeded");
    }
}
