//! The demo, as a stranger runs it.

use serde_json::Value;

use crate::kit::{directory, run};

#[test]
fn the_demo_balances_two_ledgers_that_never_met() {
    let home = directory(&[]);
    let said = run(home.path(), &["demo", "--once", "--json"]).ended(0);
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON value a line"))
        .collect();
    let (sums, steps) = lines.split_last().unwrap();
    assert_eq!(sums["steps"], steps.len());
    // 40 and 640 ran, 600 once it was approved again, 125 and 30 once each, 75 had run when its
    // answer was lost, and 60 ran when it was sent again.
    assert_eq!(
        sums["balance"]["desk"],
        serde_json::json!({"refunds": 7, "cents": 157_000})
    );
    assert_eq!(sums["balance"]["record"], sums["balance"]["desk"]);
    assert_eq!(
        (&sums["balance"]["balanced"], &sums["log"]["sound"]),
        (&true.into(), &true.into())
    );
    let written = std::fs::read_dir(home.path()).unwrap().count();
    assert_eq!(written, 0, "the demo leaves nothing where it ran");
}

#[test]
fn the_last_line_is_the_balance() {
    let home = directory(&[]);
    let said = run(home.path(), &["demo", "--once"]).ended(0);
    let last = said.out.lines().last().unwrap();
    assert_eq!(
        last,
        "balanced: the desk's ledger has 7 refunds of 1570.00; \
         the gate's record has 7 refunds of 1570.00"
    );
}
