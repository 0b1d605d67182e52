//! Rego on the register machine: one rule a rule, and once more with the rules as data by tool.

use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine as Rego, Value};
use serde_json::json;

use crate::{Case, Engine, RULES_A_TOOL};

const ENTRY: &str = "data.gate.answer";
const ANSWER: &str = "answer := {\"permits\": permits, \"denials\": denials}\n";
const PERMIT: &str = "input.env in {\"prod\", \"staging\"}; input.risk <= 3";
const DENY: &str = "input.env == \"prod\"; input.currency != \"xxx\"";

struct Machine {
    machine: RegoVM,
    input: Value,
}

/// One rule of Rego a rule.
pub fn rules(size: usize, case: Case) -> Option<Box<dyn Engine>> {
    let rules: String = (0..size).map(rule).collect();
    machine(format!("package gate\n{ANSWER}{rules}"), None, case)
}

/// Two rules that walk the table of the called tool.
pub fn data(size: usize, case: Case) -> Option<Box<dyn Engine>> {
    let mut table = serde_json::Map::new();
    for at in 0..size {
        let tool = format!("pay{}.refund", at / RULES_A_TOOL);
        let rules = table.entry(tool).or_insert_with(|| json!([]));
        let k = at % RULES_A_TOOL;
        let kind = if k == 0 { "permit" } else { "deny" };
        let row = json!({"id": format!("r{at}"), "kind": kind, "limit": k * 1_000});
        rules.as_array_mut().unwrap().push(row);
    }
    let text = format!(
        "package gate\n{ANSWER}\
         permits contains r.id if {{ some r in data.rules[input.tool]; r.kind == \"permit\"; {PERMIT} }}\n\
         denials contains r.id if {{ some r in data.rules[input.tool]; r.kind == \"deny\"; input.amount > r.limit; {DENY} }}\n"
    );
    machine(text, Some(json!({"rules": table}).to_string()), case)
}

fn rule(at: usize) -> String {
    let tool = format!("input.tool == \"pay{}.refund\"", at / RULES_A_TOOL);
    match at % RULES_A_TOOL {
        0 => format!("permits contains \"r{at}\" if {{ {tool}; {PERMIT} }}\n"),
        k => format!(
            "denials contains \"r{at}\" if {{ {tool}; input.amount > {}; {DENY} }}\n",
            k * 1_000
        ),
    }
}

/// Nothing where the engine refuses that many rules.
fn machine(text: String, data: Option<String>, case: Case) -> Option<Box<dyn Engine>> {
    let mut engine = Rego::new();
    engine.add_policy("gate.rego".to_owned(), text).ok()?;
    let data = data.map(|data| Value::from_json_str(&data).unwrap());
    if let Some(data) = &data {
        engine.add_data(data.clone()).unwrap();
    }
    let compiled = engine.compile_with_entrypoint(&ENTRY.into()).ok()?;
    let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).ok()?;
    let mut machine = RegoVM::new();
    machine.load_program(Arc::clone(&program));
    if let Some(data) = data {
        machine.set_data(data).unwrap();
    }
    let input = json!({"tool": "pay0.refund", "amount": case.amount, "env": "prod", "currency": "eur", "risk": 3});
    let input = Value::from_json_str(&input.to_string()).unwrap();
    Some(Box::new(Machine { machine, input }))
}

impl Engine for Machine {
    fn decide(&mut self) -> (usize, usize) {
        self.machine.set_input(self.input.clone());
        let answer = self.machine.execute_entry_point_by_name(ENTRY).unwrap();
        let count = |key: &str| answer[key].as_set().map_or(0, |set| set.len());
        (count("permits"), count("denials"))
    }
}
