//! Terms: names, literals, functions and arithmetic, each with its type.
//!
//! `default(amount, 0) * 2` is arithmetic over a function over a name; what a name reads is found in
//! its own file.
//!
//! Must not know: comparisons, conditions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toolgate_model::{DataClasses, Risk};

use crate::compare::date;
use crate::diagnostics::{Code, TYPE_MISMATCH, UNKNOWN_FUNCTION, UNKNOWN_VALUE, WRONG_ARGUMENTS};
use crate::effects::Occasion;
use crate::facts::Type;
use crate::functions::{self, FUNCTIONS, Function, Kind};
use crate::language::{Expr, ExprKind};
use crate::needles::NeedleList;
use crate::needs::Needs;
use crate::path::Path;
use crate::source::{Complaint, Report, shown};
use crate::term::{Literal, Mappings, Term};
use crate::tree::Offsets;

/// An expression as written in a document.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) expr: Expr,
    pub(crate) offsets: Offsets,
    pub(crate) path: String,
}

/// What a name reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Argument,
    /// An argument of earlier calls, of whatever tool.
    Summed,
    Entity,
}

/// A place that reads an argument or a field of the entity.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) root: Root,
    pub(crate) path: Path,
    pub(crate) at: Range<usize>,
    pub(crate) pointer: String,
    /// Whether it only asks if there is such a thing: `exists(amount)`, `default(amount, 0)`.
    pub(crate) asks: bool,
}

/// What the checks of one rule share.
pub(crate) struct Checker<'r, 't> {
    pub(crate) report: &'r mut Report<'t>,
    pub(crate) needles: &'r mut NeedleList,
    /// What descriptors map, by attribute.
    pub(crate) mappings: &'r BTreeMap<String, Arc<Mappings>>,
    /// The arguments and fields that were read.
    pub(crate) uses: Vec<Use>,
    /// What the rule asks of the gate.
    pub(crate) needs: Needs,
    /// The classes of data that its `has_data_class` names.
    pub(crate) classes: DataClasses,
    /// When the rule is judged.
    pub(crate) occasion: Occasion,
    pub(super) place: Option<(Offsets, String)>,
    pub(super) locals: Vec<String>,
    /// Whether names stand for locals and nothing else.
    pub(super) locals_only: bool,
}

impl<'r, 't> Checker<'r, 't> {
    pub(crate) fn new(
        report: &'r mut Report<'t>,
        needles: &'r mut NeedleList,
        mappings: &'r BTreeMap<String, Arc<Mappings>>,
    ) -> Self {
        Self {
            report,
            needles,
            mappings,
            uses: Vec::new(),
            needs: Needs::default(),
            classes: DataClasses::new(),
            occasion: Occasion::Call,
            place: None,
            locals: Vec::new(),
            locals_only: false,
        }
    }

    /// The same checker for an expression that sees nothing but these names.
    pub(crate) fn over(self, roots: &[&str]) -> Self {
        Self {
            locals: roots.iter().map(|root| (*root).to_owned()).collect(),
            locals_only: true,
            ..self
        }
    }

    /// The term that is written.
    pub(crate) fn term_of(&mut self, written: &Written) -> Option<Term> {
        self.place = Some((written.offsets.clone(), written.path.clone()));
        self.term(&written.expr)
    }

    pub(super) fn term(&mut self, expr: &Expr) -> Option<Term> {
        let literal = match &expr.kind {
            ExprKind::Number(number) => Literal::Number(*number),
            ExprKind::Bool(value) => Literal::Bool(*value),
            ExprKind::Duration(duration) => Literal::Duration(*duration),
            ExprKind::Text(text) => Literal::Text(text.clone()),
            ExprKind::Word(word) => {
                self.warn_of_attribute(word, expr);
                Literal::Text(word.clone())
            }
            ExprKind::Name(name) => return self.name(name, expr),
            ExprKind::Call { name, args } => return self.call(expr, name, args),
            ExprKind::Arithmetic { op, left, right } => {
                let (left, right) = (self.number(left), self.number(right));
                let (left, right) = (Box::new(left?), Box::new(right?));
                return Some(Term::Arithmetic {
                    op: *op,
                    left,
                    right,
                });
            }
            ExprKind::List(_) => {
                self.complain(
                    TYPE_MISMATCH,
                    expr,
                    "a list stands only on the right of `in`",
                    "write `x in [a, b]`",
                );
                return None;
            }
            ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Compare { .. } => {
                let help = "join conditions with `and`, `or` and `not`";
                self.complain(
                    TYPE_MISMATCH,
                    expr,
                    "a condition stands where a value should",
                    help,
                );
                return None;
            }
        };
        Some(Term::Literal(literal))
    }

    fn number(&mut self, expr: &Expr) -> Option<Term> {
        let term = self.term(expr)?;
        if matches!(term.kind(), Type::Number | Type::Any) {
            return Some(term);
        }
        let help = match &expr.kind {
            ExprKind::Word(word) => {
                format!("write `${}` for the attribute or argument", shown(word))
            }
            _ => "arithmetic takes numbers".to_owned(),
        };
        let message = format!("{} is not a number", describe(term.kind()));
        self.complain(TYPE_MISMATCH, expr, &message, &help);
        None
    }

    /// A call that has a value.
    fn call(&mut self, expr: &Expr, name: &str, args: &[Expr]) -> Option<Term> {
        let function = self.function(expr, name)?;
        if self.locals_only && function.asks_history() {
            let message = format!("there is no `{name}` here");
            let help = "earlier calls are known only where a call is decided";
            self.complain(UNKNOWN_FUNCTION, expr, &message, help);
            return None;
        }
        match (function.kind, args) {
            (Kind::Rate, args) => self.rate(function, expr, args),
            (Kind::Sum, args) => self.sum(function, expr, args),
            (Kind::HasRead, args) => self.has_read(function, expr, args),
            (Kind::Source, args) => self.seen(function, expr, args),
            (Kind::Value { of, gives, apply }, [arg]) => {
                let to = self.argument_of(function, arg)?;
                let fits = match of {
                    Type::Any => matches!(to.kind(), Type::Any | Type::Texts | Type::Set(_)),
                    _ => is_text(to.kind()),
                };
                if !fits {
                    self.wrong_arguments(function, arg);
                    return None;
                }
                let to = Box::new(to);
                Some(Term::Apply { apply, gives, to })
            }
            (Kind::Default, [path, value]) => {
                let path = self.pathlike(function, path);
                let value = self.value_beside(path.as_ref(), value);
                match (path?, value?) {
                    (path, Term::Literal(literal)) if comparable(path.kind(), literal.kind()) => {
                        Some(Term::Default(Box::new(path), literal))
                    }
                    _ => {
                        self.wrong_arguments(function, expr);
                        None
                    }
                }
            }
            (Kind::Exists | Kind::Any | Kind::All, _) => {
                let message = format!("`{name}` is true or false and has no other value");
                self.complain(TYPE_MISMATCH, expr, &message, "use it as a condition");
                None
            }
            (Kind::Value { .. } | Kind::Default, _) => {
                self.wrong_arguments(function, expr);
                None
            }
        }
    }

    /// The right side of an equality, where a word may name one of the left side's values.
    pub(super) fn value_beside(&mut self, left: Option<&Term>, right: &Expr) -> Option<Term> {
        let (ExprKind::Word(text) | ExprKind::Text(text)) = &right.kind else {
            return self.term(right);
        };
        let kind = left.map_or(Type::Any, Term::kind);
        let literal = match kind {
            Type::Words(words) | Type::Set(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                word.map(|word| Literal::Text((*word).to_owned()))
            }
            Type::Risk => Risk::parse(text).map(Literal::Risk),
            Type::Date => date(text).map(Literal::Date),
            _ => return self.term(right),
        };
        if literal.is_none() {
            let message = format!("`{}` is not one of its values", shown(text));
            let complaint = match kind {
                Type::Words(words) | Type::Set(words) => {
                    Complaint::new(UNKNOWN_VALUE, message).suggest(text, words)
                }
                Type::Risk => Complaint::new(UNKNOWN_VALUE, message).suggest(text, &RISKS),
                _ => Complaint::new(UNKNOWN_VALUE, message).help("days are written \"2026-12-24\""),
            };
            self.push(complaint, right);
        }
        literal.map(Term::Literal)
    }

    /// A name, not a value.
    pub(super) fn pathlike(&mut self, function: &Function, expr: &Expr) -> Option<Term> {
        if !matches!(expr.kind, ExprKind::Name(_)) {
            self.wrong_arguments(function, expr);
            return None;
        }
        let before = self.uses.len();
        let term = self.term(expr);
        for used in self.uses.iter_mut().skip(before) {
            used.asks = true;
        }
        term
    }

    /// What a function is of. `addresses(body)` looks through everything that `body` reads.
    fn argument_of(&mut self, function: &Function, expr: &Expr) -> Option<Term> {
        match &expr.kind {
            ExprKind::Name(name) if function.name == "addresses" && self.is_body(name) => {
                Some(Term::Body)
            }
            _ => self.term(expr),
        }
    }

    fn function(&mut self, expr: &Expr, name: &str) -> Option<&'static Function> {
        let found = functions::function(name);
        if found.is_none() {
            let names: Vec<&str> = FUNCTIONS.iter().map(|known| known.name).collect();
            let message = format!("`{}` is not a function", shown(name));
            self.push(
                Complaint::new(UNKNOWN_FUNCTION, message).suggest(name, &names),
                expr,
            );
        }
        found
    }

    pub(super) fn wrong_arguments(&mut self, function: &Function, expr: &Expr) {
        let message = format!("`{}` does not take this", function.name);
        let help = format!("it is written `{}`", function.signature);
        self.complain(WRONG_ARGUMENTS, expr, &message, &help);
    }

    pub(super) fn complain(&mut self, code: Code, expr: &Expr, message: &str, help: &str) {
        self.push(Complaint::new(code, message).help(help), expr);
    }

    pub(super) fn push(&mut self, complaint: Complaint, expr: &Expr) {
        let (at, path) = self.place_of(expr);
        self.report.push(complaint.at(&at, &path));
    }

    pub(super) fn place_of(&self, expr: &Expr) -> (Range<usize>, String) {
        match &self.place {
            Some((offsets, path)) => (offsets.range(&expr.at), path.clone()),
            None => (expr.at.clone(), String::new()),
        }
    }
}

const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];

pub(super) fn is_text(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Any | Type::Words(_))
}

/// Whether values of the two types can ever be equal.
pub(super) fn comparable(a: Type, b: Type) -> bool {
    let whole = |kind| !matches!(kind, Type::Body | Type::Object | Type::Texts | Type::Set(_));
    whole(a)
        && whole(b)
        && match (a, b) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Words(_) | Type::Text, Type::Words(_) | Type::Text) => true,
            _ => a == b,
        }
}

pub(super) fn describe(kind: Type) -> &'static str {
    match kind {
        Type::Any => "an argument",
        Type::Text | Type::Words(_) => "a text",
        Type::Number => "a number",
        Type::Bool => "true or false",
        Type::Risk => "a risk",
        Type::Date => "a day",
        Type::Duration => "a duration",
        Type::Texts | Type::Set(_) => "a list",
        Type::Body => "the body",
        Type::Object => "a thing with parts",
    }
}
