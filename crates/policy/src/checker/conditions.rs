//! Conditions: comparisons joined by and, or and not, and functions that are true or false.
//!
//! Must not know: rules, what the values of a call are. A condition compared with `true` is itself,
//! one compared with `false` its opposite.

use super::terms::{Checker, Written};
use crate::diagnostics::{NOT_A_CONDITION, TYPE_MISMATCH};
use crate::facts::Type;
use crate::functions::{self, Function, Kind};
use crate::language::{Expr, ExprKind, Operator};
use crate::node::{Node, NodeKind, Quantifier};
use crate::path::Path;
use crate::term::Term;

/// What a call turned out to be.
enum Form {
    Condition(Option<NodeKind>),
    Term,
}

impl Checker<'_, '_> {
    /// The condition that is written; `None` where it is refused.
    pub(crate) fn condition_of(&mut self, written: &Written) -> Option<Node> {
        self.place = Some((written.offsets.clone(), written.path.clone()));
        self.condition(&written.expr)
    }

    fn condition(&mut self, expr: &Expr) -> Option<Node> {
        let kind = match &expr.kind {
            ExprKind::Bool(value) => NodeKind::Constant(*value),
            ExprKind::And(parts) => NodeKind::And(self.conditions(parts)?),
            ExprKind::Or(parts) => NodeKind::Or(self.conditions(parts)?),
            ExprKind::Not(inner) => NodeKind::Not(Box::new(self.condition(inner)?)),
            ExprKind::Compare { op, left, right } => {
                return self.comparison(expr, *op, left, right);
            }
            ExprKind::Call { name, args } => match self.form(expr, name, args) {
                Form::Condition(kind) => kind?,
                Form::Term => NodeKind::Holds(self.bool_term(expr)?),
            },
            ExprKind::Name(_) => NodeKind::Holds(self.bool_term(expr)?),
            _ => {
                self.not_a_condition(expr);
                return None;
            }
        };
        let at = expr.at.clone();
        Some(Node { at, kind })
    }

    fn conditions(&mut self, parts: &[Expr]) -> Option<Vec<Node>> {
        let nodes: Vec<Option<Node>> = parts.iter().map(|part| self.condition(part)).collect();
        nodes.into_iter().collect()
    }

    fn comparison(
        &mut self,
        whole: &Expr,
        op: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Option<Node> {
        if let Some(node) = self.compared_condition(whole, op, left, right) {
            return node;
        }
        let negated = matches!(op, Operator::NotEqual | Operator::NotIn);
        let at = whole.at.clone();
        let compared = self.relation(op, left, right);
        let kind = compared?;
        if !negated {
            return Some(Node { at, kind });
        }
        let inner = Box::new(Node {
            at: at.clone(),
            kind,
        });
        Some(Node {
            at,
            kind: NodeKind::Not(inner),
        })
    }

    /// `(a > 5) == true`: a condition on one side of a comparison. `None` where there is none.
    fn compared_condition(
        &mut self,
        whole: &Expr,
        op: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Option<Option<Node>> {
        if !is_condition(left) && !is_condition(right) {
            return None;
        }
        let positive = match (op, &right.kind) {
            (Operator::Equal, ExprKind::Bool(value)) => *value,
            (Operator::NotEqual, ExprKind::Bool(value)) => !value,
            _ => {
                let message = "a condition is compared only with true or false, on its right";
                let help = "join conditions with `and`, `or` and `not`";
                self.complain(TYPE_MISMATCH, whole, message, help);
                return Some(None);
            }
        };
        let node = self.condition(left);
        let at = whole.at.clone();
        Some(node.map(|node| match positive {
            true => node,
            false => Node {
                at,
                kind: NodeKind::Not(Box::new(node)),
            },
        }))
    }

    fn bool_term(&mut self, expr: &Expr) -> Option<Term> {
        let term = self.term(expr)?;
        if matches!(term.kind(), Type::Bool | Type::Any) {
            return Some(term);
        }
        self.not_a_condition(expr);
        None
    }

    fn not_a_condition(&mut self, expr: &Expr) {
        let help = "compare it, as in `amount > 500`, or ask `exists(amount)`";
        let message = "this is a value, not something that holds or does not";
        self.complain(NOT_A_CONDITION, expr, message, help);
    }

    /// A call that is itself a condition.
    fn form(&mut self, expr: &Expr, name: &str, args: &[Expr]) -> Form {
        let Some(function) = functions::function(name) else {
            return Form::Term;
        };
        let kind = match (function.kind, args) {
            (Kind::Exists, [path]) => self.pathlike(function, path).map(NodeKind::Exists),
            (Kind::Any, [list, item, body]) => {
                self.each(Quantifier::Any, function, [list, item, body])
            }
            (Kind::All, [list, item, body]) => {
                self.each(Quantifier::All, function, [list, item, body])
            }
            (Kind::Exists | Kind::Any | Kind::All, _) => {
                self.wrong_arguments(function, expr);
                None
            }
            _ => return Form::Term,
        };
        Form::Condition(kind)
    }

    fn each(
        &mut self,
        quantifier: Quantifier,
        function: &Function,
        [list, item, body]: [&Expr; 3],
    ) -> Option<NodeKind> {
        let term = self.term(list);
        let name = match &item.kind {
            ExprKind::Name(name) if Path::parse(name).is_some_and(|path| path.steps.len() == 1) => {
                name
            }
            _ => {
                self.wrong_arguments(function, item);
                return None;
            }
        };
        self.locals.push(name.clone());
        let node = self.condition(body);
        self.locals.pop();
        let (list_term, item) = (term?, Box::new(node?));
        if !matches!(list_term.kind(), Type::Any | Type::Texts | Type::Set(_)) {
            self.wrong_arguments(function, list);
            return None;
        }
        Some(NodeKind::Each {
            quantifier,
            list: list_term,
            item,
        })
    }
}

fn is_condition(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Compare { .. } => true,
        ExprKind::Call { name, .. } => functions::function(name)
            .is_some_and(|known| matches!(known.kind, Kind::Exists | Kind::Any | Kind::All)),
        _ => false,
    }
}
