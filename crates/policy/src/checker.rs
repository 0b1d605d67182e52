//! Expressions as written to expressions that can be evaluated: every name looked up, every type
//! fitted, whatever this version cannot read refused.
//!
//! `amout > 500` is checked here only as far as its form goes: that no tool has `amout` is found
//! once the rule's scope is known ([`crate::reach`]), from the uses collected here.
//!
//! Must not know: rules, precedence, calls.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toolgate_model::{Glob, Risk, ToolId};

use crate::diagnostics::{
    BAD_PATTERN, BAD_REGEX, Code, NOT_A_CONDITION, NOT_AVAILABLE, PATTERN_NOT_LITERAL,
    TYPE_MISMATCH, UNKNOWN_ATTRIBUTE, UNKNOWN_FUNCTION, UNKNOWN_VALUE, WORD_IS_ATTRIBUTE,
    WRONG_ARGUMENTS,
};
use crate::facts::{self, Attribute, Source, Type};
use crate::functions::{self, FUNCTIONS, Function, Kind};
use crate::language::{Expr, ExprKind, Operator};
use crate::limits;
use crate::needles::NeedleList;
use crate::node::{Comparison, Node, NodeKind, Quantifier, Relation, date};
use crate::path::Path;
use crate::reading::{Item, pattern_problem};
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

/// A place that reads an argument.
#[derive(Clone, Debug)]
pub(crate) struct ArgumentUse {
    pub(crate) argument: Path,
    pub(crate) at: Range<usize>,
    pub(crate) pointer: String,
}

/// What the checks of one rule share.
pub(crate) struct Checker<'r, 't> {
    pub(crate) report: &'r mut Report<'t>,
    pub(crate) needles: &'r mut NeedleList,
    /// What descriptors map, by attribute.
    pub(crate) mappings: &'r BTreeMap<String, Arc<Mappings>>,
    /// The arguments that were read.
    pub(crate) uses: Vec<ArgumentUse>,
    place: Option<(Offsets, String)>,
    locals: Vec<String>,
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
            place: None,
            locals: Vec::new(),
        }
    }

    /// The condition that is written; `None` where it is refused.
    pub(crate) fn condition_of(&mut self, written: &Written) -> Option<Node> {
        self.place = Some((written.offsets.clone(), written.path.clone()));
        self.condition(&written.expr)
    }

    /// The term that is written.
    pub(crate) fn term_of(&mut self, written: &Written) -> Option<Term> {
        self.place = Some((written.offsets.clone(), written.path.clone()));
        self.term(&written.expr)
    }

    /// Refuses a key whose source is not in this version.
    pub(crate) fn not_yet(&mut self, item: &Item<'_>, waits_for: &str) {
        let key = item.path.rsplit('/').next().unwrap_or_default();
        let message = format!("`{key}` is not available yet: it waits for {waits_for}");
        self.report
            .complain(item, Complaint::new(NOT_AVAILABLE, message));
    }

    /// The term for a name that a descriptor may map.
    pub(crate) fn mapped(&self, path: Path) -> Term {
        let mappings = self.mappings.get(&path.text).cloned().unwrap_or_default();
        Term::Mapped { path, mappings }
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

    /// `(a > 5) == true`: a condition on the left of a comparison. `None` where there is none.
    fn compared_condition(
        &mut self,
        whole: &Expr,
        op: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Option<Option<Node>> {
        let (inner, value) = match (is_condition(left), &right.kind) {
            (true, ExprKind::Bool(value)) => (left, *value),
            (true, _) => {
                let help = "join conditions with `and`, `or` and `not`";
                self.complain(
                    TYPE_MISMATCH,
                    whole,
                    "a condition is compared only with true or false",
                    help,
                );
                return Some(None);
            }
            (false, _) if is_condition(right) => {
                let help = "join conditions with `and`, `or` and `not`";
                self.complain(
                    TYPE_MISMATCH,
                    right,
                    "a condition stands where a value should",
                    help,
                );
                return Some(None);
            }
            (false, _) => return None,
        };
        let positive = match op {
            Operator::Equal => value,
            Operator::NotEqual => !value,
            _ => {
                let message = format!("`{}` does not compare conditions", op.as_str());
                self.complain(TYPE_MISMATCH, whole, &message, "use `and`, `or` and `not`");
                return Some(None);
            }
        };
        let node = self.condition(inner);
        let at = whole.at.clone();
        Some(node.map(|node| match positive {
            true => node,
            false => Node {
                at,
                kind: NodeKind::Not(Box::new(node)),
            },
        }))
    }

    fn relation(&mut self, op: Operator, left: &Expr, right: &Expr) -> Option<NodeKind> {
        if let ExprKind::Name(name) = &left.kind
            && name == "body"
        {
            return self.body(op, left, right);
        }
        let term = self.term(left);
        let relation = match op {
            Operator::Equal | Operator::NotEqual => {
                let value = self.value_beside(term.as_ref(), right);
                self.fitted(op, term.as_ref()?, value?, right, Relation::Equal)?
            }
            Operator::Less => self.ordered(op, term.as_ref(), right, Relation::Less)?,
            Operator::LessOrEqual => {
                self.ordered(op, term.as_ref(), right, Relation::LessOrEqual)?
            }
            Operator::Greater => self.ordered(op, term.as_ref(), right, Relation::Greater)?,
            Operator::GreaterOrEqual => {
                self.ordered(op, term.as_ref(), right, Relation::GreaterOrEqual)?
            }
            Operator::In | Operator::NotIn => self.collection(op, term.as_ref(), right)?,
            Operator::Contains => {
                let value = self.term(right)?;
                self.contained(term.as_ref()?, value, right)?
            }
            Operator::StartsWith => self.edged(op, term.as_ref(), right, Relation::StartsWith)?,
            Operator::EndsWith => self.edged(op, term.as_ref(), right, Relation::EndsWith)?,
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

    /// The right side of an equality, where a word may name one of the left side's values.
    fn value_beside(&mut self, left: Option<&Term>, right: &Expr) -> Option<Term> {
        let (ExprKind::Word(text) | ExprKind::Text(text)) = &right.kind else {
            return self.term(right);
        };
        let kind = left.map_or(Type::Any, Term::kind);
        let literal = match kind {
            Type::Words(words) => {
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
                Type::Words(words) => Complaint::new(UNKNOWN_VALUE, message).suggest(text, words),
                Type::Risk => Complaint::new(UNKNOWN_VALUE, message).suggest(text, &RISKS),
                _ => Complaint::new(UNKNOWN_VALUE, message).help("days are written \"2026-12-24\""),
            };
            self.push(complaint, right);
        }
        literal.map(Term::Literal)
    }

    /// Fits the two sides of an equality or order.
    fn fitted(
        &mut self,
        op: Operator,
        left: &Term,
        right: Term,
        right_expr: &Expr,
        make: fn(Term) -> Relation,
    ) -> Option<Relation> {
        self.tool_name_fits(left, &right, right_expr)?;
        if comparable(left.kind(), right.kind()) {
            return Some(make(right));
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

    fn ordered(
        &mut self,
        op: Operator,
        left: Option<&Term>,
        right: &Expr,
        make: fn(Term) -> Relation,
    ) -> Option<Relation> {
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
        self.fitted(op, left, value, right, make)
    }

    fn collection(&mut self, op: Operator, left: Option<&Term>, right: &Expr) -> Option<Relation> {
        let ExprKind::List(items) = &right.kind else {
            let list = self.term(right)?;
            if matches!(list.kind(), Type::Texts | Type::Any)
                && !matches!(right.kind, ExprKind::Word(_))
            {
                return left.map(|_| Relation::Within(list));
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
            let Relation::Equal(term) = self.fitted(op, left, value, item, Relation::Equal)? else {
                return None;
            };
            terms.push(term);
        }
        Some(Relation::OneOf(terms))
    }

    fn contained(&mut self, left: &Term, right: Term, expr: &Expr) -> Option<Relation> {
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
            Type::Texts => is_text(right.kind()),
            Type::Any => !matches!(right.kind(), Type::Texts | Type::Object | Type::Body),
            _ => false,
        };
        if fits {
            return Some(Relation::Contains(right));
        }
        self.mismatch(Operator::Contains, left.kind(), right.kind(), expr);
        None
    }

    fn edged(
        &mut self,
        op: Operator,
        left: Option<&Term>,
        right: &Expr,
        make: fn(Term) -> Relation,
    ) -> Option<Relation> {
        let value = self.term(right);
        let (left, value) = (left?, value?);
        if is_text(left.kind()) && is_text(value.kind()) {
            return Some(make(value));
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

    fn term(&mut self, expr: &Expr) -> Option<Term> {
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

    fn warn_of_attribute(&mut self, word: &str, expr: &Expr) {
        let dotted = word.contains('.') && facts::attribute(word).is_some();
        if dotted || word.starts_with("args.") {
            let message = format!("`{}` is a text here, not the attribute", shown(word));
            let help = format!("write `${}` for the attribute, or quote it", shown(word));
            self.complain(WORD_IS_ATTRIBUTE, expr, &message, &help);
        }
    }

    fn name(&mut self, name: &str, expr: &Expr) -> Option<Term> {
        let head = name.split(['.', '[']).next().unwrap_or_default();
        if let Some(slot) = self.locals.iter().rposition(|local| local == head) {
            let path = self.path(name, expr)?;
            return Some(Term::Local { slot, path });
        }
        if let Some(attribute) = facts::attribute(name) {
            return self.attribute(attribute, expr);
        }
        if let Some(argument) = name.strip_prefix("args.") {
            let path = self.path(argument, expr)?;
            self.note_use(&path, expr);
            return Some(Term::Argument(path));
        }
        let parts = facts::parts_of(head);
        if !parts.is_empty() || facts::attribute(head).is_some() {
            let message = format!("`{}` is not an attribute", shown(name));
            let complaint = Complaint::new(UNKNOWN_ATTRIBUTE, message);
            let complaint = match parts.is_empty() {
                true => complaint.help(format!(
                    "`{head}` has no parts; an argument is `args.{}`",
                    shown(name)
                )),
                false => complaint.suggest(name, &parts),
            };
            self.push(complaint, expr);
            return None;
        }
        let path = self.path(name, expr)?;
        self.note_use(&path, expr);
        Some(self.mapped(path))
    }

    fn attribute(&mut self, attribute: &'static Attribute, expr: &Expr) -> Option<Term> {
        match attribute.source {
            Source::Facts(_) => Some(Term::Attribute(attribute)),
            Source::Mapped => {
                let path = self.path(attribute.name, expr)?;
                Some(self.mapped(path))
            }
            Source::Body => {
                let help = "search it: `body contains \"deal #\"`";
                self.complain(
                    TYPE_MISMATCH,
                    expr,
                    "`body` is only searched, with `contains`",
                    help,
                );
                None
            }
            Source::NotYet(waits_for) => {
                self.refuse_not_yet(attribute.name, waits_for, expr);
                None
            }
        }
    }

    fn refuse_not_yet(&mut self, name: &str, waits_for: &str, expr: &Expr) {
        let message = format!("`{name}` is not available yet: it waits for {waits_for}");
        self.complain(
            NOT_AVAILABLE,
            expr,
            &message,
            "leave the rule out until it is",
        );
    }

    fn path(&mut self, name: &str, expr: &Expr) -> Option<Path> {
        let path = Path::parse(name);
        if path.is_none() {
            let message = format!("`{}` is not a name", shown(name));
            self.complain(
                UNKNOWN_ATTRIBUTE,
                expr,
                &message,
                "quote texts with \" or '",
            );
        }
        path
    }

    fn note_use(&mut self, argument: &Path, expr: &Expr) {
        let (at, pointer) = self.place_of(expr);
        let argument = argument.clone();
        self.uses.push(ArgumentUse {
            argument,
            at,
            pointer,
        });
    }

    /// A call that has a value.
    fn call(&mut self, expr: &Expr, name: &str, args: &[Expr]) -> Option<Term> {
        let function = self.function(expr, name)?;
        match (function.kind, args) {
            (Kind::NotYet(waits_for), _) => {
                self.refuse_not_yet(function.name, waits_for, expr);
                None
            }
            (Kind::Value { of, gives, apply }, [arg]) => {
                let to = self.term(arg)?;
                let fits = match of {
                    Type::Any => matches!(to.kind(), Type::Any | Type::Texts),
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
        if list_term.kind() != Type::Any {
            self.wrong_arguments(function, list);
            return None;
        }
        Some(NodeKind::Each {
            quantifier,
            list: list_term,
            item,
        })
    }

    /// A name, not a value.
    fn pathlike(&mut self, function: &Function, expr: &Expr) -> Option<Term> {
        if !matches!(expr.kind, ExprKind::Name(_)) {
            self.wrong_arguments(function, expr);
            return None;
        }
        self.term(expr)
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

    fn wrong_arguments(&mut self, function: &Function, expr: &Expr) {
        let message = format!("`{}` does not take this", function.name);
        let help = format!("it is written `{}`", function.signature);
        self.complain(WRONG_ARGUMENTS, expr, &message, &help);
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

    fn complain(&mut self, code: Code, expr: &Expr, message: &str, help: &str) {
        self.push(Complaint::new(code, message).help(help), expr);
    }

    fn push(&mut self, complaint: Complaint, expr: &Expr) {
        let (at, path) = self.place_of(expr);
        self.report.push(complaint.at(&at, &path));
    }

    fn place_of(&self, expr: &Expr) -> (Range<usize>, String) {
        match &self.place {
            Some((offsets, path)) => (offsets.range(&expr.at), path.clone()),
            None => (expr.at.clone(), String::new()),
        }
    }
}

/// What a call turned out to be.
enum Form {
    Condition(Option<NodeKind>),
    Term,
}

const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];

fn is_condition(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Not(_) | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Compare { .. } => true,
        ExprKind::Call { name, .. } => functions::function(name)
            .is_some_and(|known| matches!(known.kind, Kind::Exists | Kind::Any | Kind::All)),
        _ => false,
    }
}

fn is_text(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Any | Type::Words(_))
}

/// Whether values of the two types can ever be equal.
fn comparable(a: Type, b: Type) -> bool {
    let whole = |kind| !matches!(kind, Type::Body | Type::Object | Type::Texts);
    whole(a)
        && whole(b)
        && match (a, b) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::Words(_) | Type::Text, Type::Words(_) | Type::Text) => true,
            _ => a == b,
        }
}

fn describe(kind: Type) -> &'static str {
    match kind {
        Type::Any => "an argument",
        Type::Text | Type::Words(_) => "a text",
        Type::Number => "a number",
        Type::Bool => "true or false",
        Type::Risk => "a risk",
        Type::Date => "a day",
        Type::Duration => "a duration",
        Type::Texts => "a list",
        Type::Body => "the body",
        Type::Object => "a thing with parts",
    }
}
