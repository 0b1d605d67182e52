//! Recorded calls decided again: what changes, what does not, and what nobody can say.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a report without its parts is a failure"
)]

mod recorded;

use recorded::{START, call, configuration, refund, tool};
use serde_json::{Value, json};
use toolgate_gate::backtest::{Backtest, Lack, Recorded, Report};
use toolgate_model::{EntityCheck, Probe, Sanitized, Template, Timestamp};

fn over(bound: u32, effect: &str) -> Value {
    json!({"rules": [{"rule_id": "large", "match": {"tools": ["stripe.refund"]},
                      "when": format!("amount > {bound}"), "effect": effect}]})
}

fn report(present: &Value, candidate: &Value, calls: &[Recorded]) -> Report {
    let tools = || vec![tool("stripe.refund")];
    let present = configuration(tools(), &[("refunds", present.clone())]);
    let candidate = configuration(tools(), &[("refunds", candidate.clone())]);
    let mut backtest = Backtest::new(&present, &candidate, Timestamp::from_millis(START));
    for call in calls {
        backtest.replay(call);
    }
    backtest.report()
}

/// `present candidate calls`.
fn cells(report: &Report) -> Vec<String> {
    let cell = |cell: &toolgate_gate::backtest::Cell| {
        format!(
            "{} {} {}",
            cell.present.as_str(),
            cell.candidate.as_str(),
            cell.calls
        )
    };
    report.matrix.iter().map(cell).collect()
}

#[test]
fn a_lower_bound_asks_more_often() {
    let calls = [
        refund(0, 1, 50),
        refund(1, 2, 120),
        refund(2, 3, 130),
        refund(3, 4, 640),
    ];
    let (present, candidate) = (over(500, "require_approval"), over(100, "require_approval"));
    let found = report(&present, &candidate, &calls);
    assert_eq!(
        cells(&found),
        [
            "allow allow 1",
            "allow require_approval 2",
            "require_approval require_approval 1"
        ]
    );
    assert_eq!((found.calls, found.replayed, found.changed), (4, 4, 2));
    assert_eq!((found.approvals_present, found.approvals_candidate), (1, 3));
    // Three minutes of calls are no day: two more are two a day.
    assert!((found.approvals_added_a_day - 2.0).abs() < 1e-9);
    // The fourth was allowed when it was made, and would wait under the set in force.
    assert_eq!(found.moved_since, 1);
    let example = &found.examples[0];
    assert_eq!(example.arguments["amount"], 120);
    assert_eq!(example.candidate.rule.as_deref(), Some("refunds/large"));
    assert_eq!(
        (example.present.rules.len(), example.candidate.rules.len()),
        (0, 1)
    );
    // The other way round takes them away again.
    let back = report(&candidate, &present, &calls);
    assert!((back.approvals_added_a_day + 2.0).abs() < 1e-9);
}

#[test]
fn each_set_has_a_history_of_its_own() {
    let limited = json!({"rules": [{"rule_id": "pace", "match": {"tools": ["stripe.refund"]},
                                     "effect": "limit", "limit": 2, "per": "1h"}]});
    let free = json!({"rules": [{"match": {"tools": ["crm.*"]}, "effect": "deny"}]});
    let calls: Vec<Recorded> = [(0, 1), (10, 2), (20, 3), (30, 4), (65, 5), (66, 6)]
        .map(|(minutes, number)| refund(minutes, number, 5))
        .into();
    let found = report(&free, &limited, &calls);
    // The third and fourth are one too many; as they did not run there, they do not count there:
    // an hour after the first two, two more fit (the one at ten minutes still counts at 65).
    assert_eq!(cells(&found), ["allow allow 3", "allow deny 3"]);
    let denied: Vec<i64> = found
        .examples
        .iter()
        .map(|example| (example.at.as_millis() - START) / 60_000)
        .collect();
    assert_eq!(denied, [20, 30, 66]);
}

#[test]
fn earlier_calls_are_remembered_and_not_counted() {
    let limited = json!({"rules": [{"rule_id": "pace", "match": {"tools": ["stripe.refund"]},
                                     "effect": "limit", "limit": 2, "per": "1h"}]});
    let found = report(
        &limited,
        &limited,
        &[refund(-20, 1, 5), refund(-10, 2, 5), refund(0, 3, 5)],
    );
    assert_eq!(
        (found.calls, cells(&found)),
        (1, vec!["deny deny 1".to_owned()])
    );
}

#[test]
fn what_cannot_be_decided_again_is_counted_apart() {
    let looks = EntityCheck {
        probe: Probe {
            tool: "stripe.refund".parse().unwrap(),
            arguments: Template::parse(json!({})).unwrap(),
        },
        list: None,
        matches: Default::default(),
        pin: Vec::new(),
    };
    let mut entity = tool("stripe.refund");
    entity.checks.entity = Some(looks);
    let policy = json!({"rules": [{"match": {"tools": ["stripe.refund"]},
        "when": "charge == ch_9 and entity.state == closed", "effect": "deny"}]});
    let present = configuration(vec![entity], &[("refunds", policy)]);
    let mut backtest = Backtest::new(&present, &present, Timestamp::from_millis(START));
    let calls = [
        call(0, 1, |call| call.tool = "stripe.payout".parse().unwrap()),
        call(1, 2, |call| call.agent = "gone_agent".parse().unwrap()),
        call(2, 3, |call| call.arguments = Value::Null),
        call(3, 4, |call| {
            let found = Sanitized {
                kind: "EMAIL".to_owned(),
                path: "/note".to_owned(),
            };
            call.decision.sanitized.push(found);
        }),
        call(4, 5, |call| call.arguments = json!({"charge": "ch_9"})),
        // Of another charge it does not matter what was live.
        call(5, 6, |call| call.arguments = json!({"charge": "ch_1"})),
    ];
    for call in &calls {
        backtest.replay(call);
    }
    let found = backtest.report();
    let lacks = [
        Lack::ArgumentsErased,
        Lack::Sanitized,
        Lack::ToolGone,
        Lack::AgentGone,
        Lack::LiveFacts,
    ];
    assert_eq!(found.not_replayed, lacks.map(|lack| (lack, 1)).into());
    assert_eq!(
        (found.calls, found.replayed, cells(&found)),
        (6, 1, vec!["allow allow 1".to_owned()])
    );
}
