//! Relations: the two sides of a comparison, fitted to each other.
//!
//! `amount > "500"` is refused here, because texts have no order; `risk >= high` becomes a
//! comparison of risks; `env in prod` wants a list.
//!
//! Must not know: how conditions are joined.

use toolgate_model::{Glob, ToolId};

use super::terms::{Checker, comparable, describe, is_text};
use crate::compare::{Judge, date};
use crate::diagnostics::{
    BAD_PATTERN, BAD_REGEX, PATTERN_NOT_LITERAL, TYPE_MISMATCH, UNKNOWN_VALUE,
};
use crate::facts::Type;
use crate::language::{Expr, ExprKind, Operator};
use crate::limits;
use crate::node::{Comparison, NodeKind, Relation};
use crate::reading::pattern_problem;
use crate::source::shown;
use crate::term::{Literal, Term};

impl Checker<'_, '_> {
    pub(super) fn relation(&mut self, op: Operator, left: &Expr, right: &Expr) -> Option<NodeKind> {
        if let ExprKind::Name(name) = &left.kind
            && self.is_body(name)
        {
            return self.body(op, left, right);
        }
        let term = self.term(left);
        let relation = match op {
            Operator::Equal | Operator::NotEqual => {
                let value = self.value_beside(term.as_ref(), right);
                Relation::To(
                    Judge::Equal,
                    self.fitted(op, term.as_ref()?, value?, right)?,
                )
            }
            Operator::Less => Relation::To(Judge::Less, self.ordered(op, term.as_ref(), right)?),
            Operator::LessOrEqual => {
                Relation::To(Judge::LessOrEqual, self.ordered(op, term.as_ref(), right)?)
            }
            Operator::Greater => {
                Relation::To(Judge::Greater, self.ordered(op, term.as_ref(), right)?)
            }
            Operator::GreaterOrEqual => Relation::To(
                Judge::GreaterOrEqual,
                self.ordered(op, term.as_ref(), right)?,
            ),
            Operator::In | Operator::NotIn => self.collection(op, term.as_ref(), right)?,
            Operator::Contains => {
                let set = term
                    .as_ref()
                    .filter(|term| matches!(term.kind(), Type::Set(_)));
                let value = self.value_beside(set, right);
                Relation::To(
                    Judge::Contains,
                    self.contained(term.as_ref()?, value?, right)?,
                )
            }
            Operator::StartsWith => {
                Relation::To(Judge::StartsWith, self.edged(op, term.as_ref(), right)?)
            }
            Operator::EndsWith => {
                Relation::To(Judge::EndsWith, self.edged(op, term.as_ref(), right)?)
            }
            Operator::Glob => Relation::Glob(self.glob(right)?),
            Operator::Regex => Relation::Regex(self.regex(right)?),
        };
        let term = term?;
        if matches!(op, Operator::Glob | Operator::Regex) && !is_text(term.kind()) {
            self.mismatch(op, term.kind(), Type::Text, left);
            return None;
        }
        Some(NodeKind::Compare(Box::new(Comparison {
            left: term,
            relation,
        })))
    }

    fn body(&mut self, op: Operator, left: &Expr, right: &Expr) -> Option<NodeKind> {
        if op != Operator::Contains {
            let help = "compare one argument instead, as in `args.text matches \"*.md\"`";
            self.complain(
                TYPE_MISMATCH,
                left,
                "`body` is only searched, with `contains`",
                help,
            );
            return None;
        }
        let text = self.literal_text(right)?;
        match self.needles.add(&text) {
            Some(needle) => Some(NodeKind::Body(needle)),
            None => {
                self.complain(
                    BAD_PATTERN,
                    right,
                    "nothing searchable is left of the text",
                    "search for visible letters",
                );
                None
            }
        }
    }

    /// Fits the two sides of an equality or order.
    fn fitted(
        &mut self,
        op: Operator,
        left: &Term,
        right: Term,
        right_expr: &Expr,
    ) -> Option<Term> {
        self.tool_name_fits(left, &right, right_expr)?;
        if comparable(left.kind(), right.kind()) {
            return Some(right);
        }
        self.mismatch(op, left.kind(), right.kind(), right_expr);
        None
    }

    /// `tool == stripe` never holds: a tool has a source and an operation.
    fn tool_name_fits(&mut self, left: &Term, right: &Term, expr: &Expr) -> Option<()> {
        match (left, right) {
            (Term::Attribute(attribute), Term::Literal(Literal::Text(text)))
                if attribute.name == "tool" && text.parse::<ToolId>().is_err() =>
            {
                let message = format!("`{}` is not a tool's full name", shown(text));
                let help = "a tool is `source.operation`; `tool_name` compares the source alone";
                self.complain(UNKNOWN_VALUE, expr, &message, help);
                None
            }
            _ => Some(()),
        }
    }

    fn ordered(&mut self, op: Operator, left: Option<&Term>, right: &Expr) -> Option<Term> {
        let value = self.value_beside(left, right);
        let (left, value) = (left?, value?);
        // A text beside an argument is a day or nothing: texts have no order.
        let value = match (&value, left.kind()) {
            (Term::Literal(Literal::Text(text)), Type::Any) => match date(text) {
                Some(day) => Term::Literal(Literal::Date(day)),
                None => value,
            },
            _ => value,
        };
        let orderable = |kind| {
            matches!(
                kind,
                Type::Any | Type::Number | Type::Risk | Type::Date | Type::Duration
            )
        };
        if !orderable(left.kind()) || !orderable(value.kind()) {
            self.mismatch(op, left.kind(), value.kind(), right);
            return None;
        }
        self.fitted(op, left, value, right)
    }

    fn collection(&mut self, op: Operator, left: Option<&Term>, right: &Expr) -> Option<Relation> {
        let ExprKind::List(items) = &right.kind else {
            let list = self.term(right)?;
            if matches!(list.kind(), Type::Texts | Type::Set(_) | Type::Any)
                && !matches!(right.kind, ExprKind::Word(_))
            {
                return left.map(|_| Relation::To(Judge::Within, list));
            }
            let message = format!("the right of `{}` is a list", op.as_str());
            let help = match &right.kind {
                ExprKind::Word(word) => {
                    format!("write `[{0}]`, or `${0}` for the attribute", shown(word))
                }
                _ => "write `[a, b]`".to_owned(),
            };
            self.complain(TYPE_MISMATCH, right, &message, &help);
            return None;
        };
        if items.is_empty() {
            self.complain(
                TYPE_MISMATCH,
                right,
                "nothing is in an empty list",
                "name what is",
            );
            return None;
        }
        let mut terms = Vec::new();
        for item in items {
            let value = self.value_beside(left, item);
            let (left, value) = (left?, value?);
            terms.push(self.fitted(op, left, value, item)?);
        }
        Some(Relation::OneOf(terms))
    }

    fn contained(&mut self, left: &Term, right: Term, expr: &Expr) -> Option<Term> {
        if matches!(&right, Term::Literal(Literal::Text(text)) if text.is_empty()) {
            self.complain(
                TYPE_MISMATCH,
                expr,
                "every text contains the empty one",
                "name what to look for",
            );
            return None;
        }
        let fits = match left.kind() {
            Type::Text | Type::Words(_) => is_text(right.kind()),
            Type::Texts | Type::Set(_) => is_text(right.kind()),
            Type::Any => !matches!(
                right.kind(),
                Type::Texts | Type::Set(_) | Type::Object | Type::Body
            ),
            _ => false,
        };
        if fits {
            return Some(right);
        }
        self.mismatch(Operator::Contains, left.kind(), right.kind(), expr);
        None
    }

    fn edged(&mut self, op: Operator, left: Option<&Term>, right: &Expr) -> Option<Term> {
        let value = self.term(right);
        let (left, value) = (left?, value?);
        if is_text(left.kind()) && is_text(value.kind()) {
            return Some(value);
        }
        self.mismatch(op, left.kind(), value.kind(), right);
        None
    }

    fn glob(&mut self, expr: &Expr) -> Option<Glob> {
        let text = self.literal_text(expr)?;
        if let Some(problem) = pattern_problem(&text) {
            let message = format!("the pattern {problem}");
            self.complain(
                BAD_PATTERN,
                expr,
                &message,
                "`*` is any run, `?` one character",
            );
            return None;
        }
        Some(Glob::new(text))
    }

    fn regex(&mut self, expr: &Expr) -> Option<regex::Regex> {
        let text = self.literal_text(expr)?;
        if let Some(problem) = pattern_problem(&text) {
            let message = format!("the pattern {problem}");
            self.complain(BAD_PATTERN, expr, &message, "write a shorter one");
            return None;
        }
        let built = regex::RegexBuilder::new(&text)
            .size_limit(limits::REGEX_BYTES_MAX)
            .nest_limit(64)
            .build();
        match built {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                let reason = reason
                    .strip_prefix("error: ")
                    .unwrap_or(reason)
                    .to_lowercase();
                let message = format!("`{}` is not a regular expression: {reason}", shown(&text));
                self.complain(
                    BAD_REGEX,
                    expr,
                    &message,
                    "no look-around, no back-references, bounded size",
                );
                None
            }
        }
    }

    fn literal_text(&mut self, expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Text(text) => Some(text.clone()),
            ExprKind::Word(word) => Some(word.clone()),
            _ => {
                self.complain(
                    PATTERN_NOT_LITERAL,
                    expr,
                    "a written text should stand here",
                    "quote it",
                );
                None
            }
        }
    }

    fn mismatch(&mut self, op: Operator, left: Type, right: Type, expr: &Expr) {
        let (left, right, op) = (describe(left), describe(right), op.as_str());
        let message = format!("`{op}` does not compare {left} with {right}");
        let help = match &expr.kind {
            ExprKind::Word(word) => format!("`${}` means the attribute or argument", shown(word)),
            ExprKind::Text(text) if text.parse::<f64>().is_ok() => {
                format!("write {text} without quotes")
            }
            _ => "numbers stand without quotes; `<` orders numbers, risks, days and durations"
                .to_owned(),
        };
        self.complain(TYPE_MISMATCH, expr, &message, &help);
    }
}
