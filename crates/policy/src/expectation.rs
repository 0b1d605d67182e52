//! Expectations: the `when` language over what a probe read (3-execution, 4).
//!
//! `any(result.data, r, r.metadata.invocation_id == $invocation.id)` says of the answer of
//! `stripe.list_refunds` whether the refund of this invocation is in it. An expectation sees three
//! names and nothing else: `result`, what the probe read; `args`, the arguments of the call;
//! `invocation.id`, the gate's own name for the call, which is also its key downstream.
//!
//! What is missing is unknown, as everywhere: a list that is not there is no empty list, and an
//! answer that nobody can read proves nothing.
//!
//! Must not know: rules, probes, what follows from the answer.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use toolgate_model::{Diagnostic, Truth};

use crate::call::{Call, Local, Lookups};
use crate::checker::{Checker, Written};
use crate::language;
use crate::needles::{NeedleList, Needles};
use crate::node::{Node, NodeKind, Quantifier, Walk};
use crate::ruling::Budget;
use crate::schema::Shape;
use crate::source::{Complaint, Report, Source};
use crate::tree::Offsets;
use crate::value::{Datum, Got};

/// A condition on what a probe read, checked.
#[derive(Debug)]
pub struct Expectation {
    text: String,
    node: Node,
    needles: Needles,
}

/// What an expectation is judged on.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'s> {
    /// What the probe read, `result`.
    pub result: &'s Value,
    /// The arguments of the call that it is about, `args`.
    pub args: &'s Value,
    /// The gate's own name for that call, `invocation.id`.
    pub invocation: &'s str,
}

/// Why a text is no expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ExpectationError {
    /// What is wrong.
    pub message: String,
    /// The character of the text, from 1.
    pub column: usize,
    /// How to mend it.
    pub help: Option<String>,
}

/// The names that an expectation may begin with, in the order of its locals.
const ROOTS: [&str; 3] = ["result", "args", "invocation.id"];

impl Expectation {
    /// The expectation that `text` writes.
    ///
    /// # Errors
    /// What is wrong with it, its place in the text and how to mend it. What would be a warning in
    /// a rule is an error here: nobody reads the warnings of a descriptor when an answer is lost.
    ///
    /// # Examples
    /// ```
    /// use toolgate_policy::{Expectation, Sight};
    /// let landed = Expectation::compile("any(result.refunds, r, r.key == $invocation.id)")?;
    /// let result = serde_json::json!({"refunds": [{"key": "inv_1"}]});
    /// let args = serde_json::json!({});
    /// let sight = Sight { result: &result, args: &args, invocation: "inv_1" };
    /// assert_eq!(landed.holds(&sight), toolgate_model::Truth::True);
    /// # Ok::<(), toolgate_policy::ExpectationError>(())
    /// ```
    pub fn compile(text: &str) -> Result<Self, ExpectationError> {
        let source = Source::new("", text);
        let mut report = Report::new(&source);
        let mut needles = NeedleList::default();
        let node = checked(text, &mut report, &mut needles);
        let fault = report.diagnostics.into_iter().next();
        match (node, fault, needles.build()) {
            (Some(node), None, Ok(needles)) => Ok(Self {
                text: text.to_owned(),
                node,
                needles,
            }),
            (_, fault, _) => Err(error(fault)),
        }
    }

    /// The expectation as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds of what was read. What cannot be judged is unknown, and so is what costs
    /// more than one decision may.
    pub fn holds(&self, sight: &Sight<'_>) -> Truth {
        let invocation = Value::from(sight.invocation);
        let mut call = self.call([sight.result, sight.args, &invocation]);
        self.truth(&self.node, &mut call)
    }

    /// What it was found by: of `any(list, r, …)` the first element that fits. The rest of the list
    /// is about other things, and nobody asked for those.
    pub fn witness(&self, sight: &Sight<'_>) -> Option<Value> {
        let invocation = Value::from(sight.invocation);
        let mut call = self.call([sight.result, sight.args, &invocation]);
        let NodeKind::Each {
            quantifier: Quantifier::Any,
            list,
            item,
        } = &self.node.kind
        else {
            return None;
        };
        let Ok(Got::Value(Datum::Json(Value::Array(elements)))) = list.value(&mut call) else {
            return None;
        };
        for element in elements {
            let local = local(element);
            if call.with_local(local, |call| self.truth(item, call)) == Truth::True {
                return Some(element.clone());
            }
        }
        None
    }

    fn call<'c>(&'c self, values: [&'c Value; 3]) -> Call<'c, 'c> {
        let locals = values.into_iter().map(local).collect();
        let lookups = Lookups {
            needles: &self.needles,
            detector: None,
            tool_signals: None,
        };
        Call::over(locals, lookups, Budget::default())
    }

    fn truth<'c, 't: 'c>(&'t self, node: &'t Node, call: &mut Call<'_, 'c>) -> Truth {
        let mut walk = Walk {
            call,
            text: &self.text,
            trace: None,
        };
        let answer = node.answer(&mut walk);
        answer.map_or(Truth::Unknown, |answer| answer.holds)
    }
}

fn local(value: &Value) -> Local<'_> {
    Local {
        value: std::borrow::Cow::Borrowed(value),
        shape: Shape::anything(),
    }
}

impl fmt::Display for ExpectationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.message, self.column)
    }
}

fn checked(text: &str, report: &mut Report<'_>, needles: &mut NeedleList) -> Option<Node> {
    let expr = match language::parse(text) {
        Ok(expr) => expr,
        Err(error) => {
            let complaint = Complaint::new(error.code, error.message).at(&error.at, "");
            report.push(match error.help {
                Some(help) => complaint.help(help),
                None => complaint,
            });
            return None;
        }
    };
    let written = Written {
        text: text.to_owned(),
        expr,
        offsets: Offsets::Plain(0),
        path: String::new(),
    };
    let none = BTreeMap::new();
    let mut checker = Checker::new(report, needles, &none).over(&ROOTS);
    checker.condition_of(&written)
}

fn error(fault: Option<Diagnostic>) -> ExpectationError {
    match fault {
        Some(fault) => ExpectationError {
            message: fault.message,
            column: fault.span.map_or(1, |span| span.column),
            help: fault.help,
        },
        None => ExpectationError {
            message: "the expression cannot be judged".to_owned(),
            column: 1,
            help: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Expectation, Sight};
    use serde_json::{Value, json};
    use toolgate_model::Truth::{self, False, True, Unknown};

    const LANDED: &str = "any(result.data, r, r.metadata.invocation_id == $invocation.id)";

    fn judged(text: &str, result: &Value) -> Truth {
        let args = json!({"charge": "ch_1", "amount": 40.50, "lines": [{"sku": "a"}]});
        let sight = Sight {
            result,
            args: &args,
            invocation: "inv_1",
        };
        Expectation::compile(text).unwrap().holds(&sight)
    }

    #[test]
    fn a_list_is_searched_for_the_effect_of_this_invocation() {
        let refund = |id: &str| json!({"metadata": {"invocation_id": id}});
        for (result, expected) in [
            (json!({"data": [refund("inv_0"), refund("inv_1")]}), True),
            (json!({"data": [refund("inv_0")]}), False),
            (json!({"data": []}), False),
            (json!({"data": null}), Unknown),
            (json!({"data": {"metadata": {}}}), Unknown),
            (json!({}), Unknown),
            (json!("no data"), Unknown),
            (json!(null), Unknown),
            // One refund that nobody marked could be this one.
            (json!({"data": [refund("inv_0"), {}]}), Unknown),
            (json!({"data": [{}, refund("inv_1")]}), True),
            (
                json!({"data": [{"metadata": {"invocation_id": 1}}]}),
                Unknown,
            ),
        ] {
            assert_eq!(judged(LANDED, &result), expected, "{result}");
        }
    }

    #[test]
    fn what_was_found_is_the_element_and_not_its_neighbours() {
        let refund = |id: &str| json!({"metadata": {"invocation_id": id}});
        let args = json!({});
        let witness = |text: &str, result: &Value| {
            let sight = Sight {
                result,
                args: &args,
                invocation: "inv_1",
            };
            Expectation::compile(text).unwrap().witness(&sight)
        };
        let result = json!({"data": [refund("inv_0"), refund("inv_1"), {}], "ok": true});
        assert_eq!(witness(LANDED, &result), Some(refund("inv_1")));
        assert_eq!(witness(LANDED, &json!({"data": [{}]})), None);
        assert_eq!(witness("result.ok == true", &result), None);
    }

    #[test]
    fn the_three_names_and_every_function_are_there() {
        let result = json!({
            "status": "open", "total": "40.50", "amount": 40.5, "list": [1, 2], "charge": "ch_1",
            "body": "inv_1 is in here", "refs": ["inv_0", "inv_1"], "args": {"charge": "x"},
        });
        for (text, expected) in [
            ("result.status == open", True),
            ("result.status == closed or result.list[1] == 2", True),
            ("result.amount == $args.amount", True),
            ("result.amount < $args.amount + 1", True),
            ("number(result.total) == $args.amount", True),
            ("result.charge == $args.charge", True),
            ("args.lines[0].sku == a", True),
            ("args.lines[1].sku == a", Unknown),
            ("not args.lines[1].sku == a", Unknown),
            ("result.body contains $invocation.id", True),
            ("invocation.id in $result.refs", True),
            ("count(result.list) > 2", False),
            ("all(result.list, n, n > 0)", True),
            ("exists(result.nothing)", False),
            ("default(result.nothing, none) == none", True),
            (
                "result.status matches \"o*\" and result.status ~ \"^op\"",
                True,
            ),
            ("any(result.refs, result, result == inv_1)", True),
            ("result.args.charge == x", True),
        ] {
            assert_eq!(judged(text, &result), expected, "{text}");
        }
        assert_eq!(
            judged("any(result, r, r.id == 7)", &json!([{"id": 7}])),
            True
        );
        assert_eq!(judged("result[0].id == 7", &json!([{"id": 7}])), True);
        assert_eq!(judged("result == done", &json!("done")), True);
    }

    #[test]
    fn what_is_not_there_is_refused_with_its_column() {
        for (text, column, message) in [
            ("agent == x", 1, "there is no `agent` here"),
            (
                "result.a == 1 and env == prod",
                19,
                "there is no `env` here",
            ),
            ("amount > 5", 1, "there is no `amount` here"),
            ("body contains \"x\"", 1, "there is no `body` here"),
            (
                "invocation.attempt == 1",
                1,
                "there is no `invocation.attempt` here",
            ),
            ("exists(invocation)", 8, "there is no `invocation` here"),
            ("entity.total > 5", 1, "there is no `entity.total` here"),
            ("result.a == $tool", 13, "there is no `tool` here"),
            (
                "result.charge == args.charge",
                18,
                "`args.charge` is a text here",
            ),
            ("any(result, r, r.a == r.b)", 23, "`r.b` is a text here"),
            (
                "result.id == invocation.id",
                14,
                "`invocation.id` is a text here",
            ),
            ("result.a", 0, ""),
            ("rate(agent, 1h) > 1", 1, "there is no `rate` here"),
            ("", 1, "the expression is empty"),
            ("result.a ==", 12, "the expression ends"),
            ("count(result.a)", 1, "this is a value"),
            ("\u{e9} == 1 and agent == x", 1, ""),
        ] {
            match Expectation::compile(text) {
                Ok(_) => assert_eq!(column, 0, "{text} was taken"),
                Err(error) => {
                    assert!(error.message.contains(message), "{text}: {error}");
                    assert_eq!(error.column, column, "{text}: {error}");
                }
            }
        }
        let error = Expectation::compile("agent == x").unwrap_err();
        assert!(error.help.unwrap().contains("result, args, invocation.id"));
    }

    #[test]
    fn what_costs_too_much_is_unknown() {
        let inner: Vec<u8> = vec![0; 2_000];
        let result = json!({"a": inner});
        let each = "any(result.a, x, any(result.a, y, x + y == 1))";
        assert_eq!(judged(each, &result), Unknown);
        assert_eq!(judged("any(result.a, x, x == 1)", &result), False);
        let long = json!({"a": "x".repeat(70_000)});
        assert_eq!(judged("result.a == y", &long), Unknown);
    }
}
