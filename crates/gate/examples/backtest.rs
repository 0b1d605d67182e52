//! How many recorded calls a second a backtest decides under two sets, on one core.
//!
//! `cargo run --release -p toolgate-gate --example backtest [RULES]`: a hundred thousand refunds under
//! sets of so many rules (100 by default), ten of which are about the tool.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock, prints, and stops where it cannot go on"
)]

#[path = "../tests/recorded/mod.rs"]
mod recorded;

use std::time::Instant;

use recorded::{START, configuration, refund, tool};
use serde_json::{Value, json};
use toolgate_gate::backtest::{Backtest, Recorded};
use toolgate_model::Timestamp;

const CALLS: i64 = 100_000;

fn rules(count: usize, bound: usize) -> Value {
    let own = |number: usize| {
        json!({"rule_id": format!("own{number}"), "match": {"tools": ["stripe.refund"]},
               "when": format!("amount > {} or env == test", bound + number * 1_000),
               "effect": "require_approval"})
    };
    let other = |number: usize| {
        json!({"rule_id": format!("other{number}"), "match": {"tools": [format!("crm.tool{number}")]},
               "when": "amount > 5", "effect": "deny"})
    };
    let rules: Vec<Value> = (0..10).map(own).chain((10..count).map(other)).collect();
    json!({"rules": rules})
}

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(100);
    let tools = || vec![tool("stripe.refund")];
    let present = configuration(tools(), &[("refunds", rules(count, 500))]);
    let candidate = configuration(tools(), &[("refunds", rules(count, 100))]);
    let calls: Vec<Recorded> = (0..CALLS)
        .map(|at| refund(at, u8::try_from(at % 251).unwrap(), at % 1_000))
        .collect();
    for round in 0..3 {
        let mut backtest = Backtest::new(&present, &candidate, Timestamp::from_millis(START));
        let began = Instant::now();
        for call in &calls {
            backtest.replay(call);
        }
        let took = began.elapsed().as_secs_f64();
        let report = backtest.report();
        let rate = report.replayed as f64 / took;
        println!(
            "round {round}: {} calls, {} changed, {rate:.0} calls a second under two sets of {count} rules",
            report.replayed, report.changed
        );
    }
}
