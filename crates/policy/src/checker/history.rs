//! Functions about earlier calls: whose, how far back, of which tools.
//!
//! `rate(agent, 1h, "stripe.*")`, `sum(args.amount, tool, 24h)`, `has_read(PII, session, 1h)`,
//! `source(args.to)`. In them `agent` and `PII` are words, not attributes.
//!
//! Must not know: rules, how calls are remembered.

use toolgate_model::{DataClass, Duration, Glob};

use super::terms::{Checker, Root};
use crate::counted::{Counted, Question, SCOPES};
use crate::diagnostics::{OUT_OF_RANGE, UNKNOWN_VALUE};
use crate::functions::Function;
use crate::history::Scope;
use crate::language::{Expr, ExprKind};
use crate::limits;
use crate::needs::Measure;
use crate::reading::pattern_problem;
use crate::seen::Seen;
use crate::source::{Complaint, shown};
use crate::term::Term;

impl Checker<'_, '_> {
    /// `rate(scope, window)`, `rate(scope, window, tools)`.
    pub(super) fn rate(&mut self, function: &Function, expr: &Expr, args: &[Expr]) -> Option<Term> {
        self.counted(function, expr, args, Question::Rate)
    }

    /// `sum(number, scope, window)`, `sum(number, scope, window, tools)`.
    pub(super) fn sum(&mut self, function: &Function, expr: &Expr, args: &[Expr]) -> Option<Term> {
        let Some((subject, rest)) = args.split_first() else {
            self.wrong_arguments(function, expr);
            return None;
        };
        let before = self.uses.len();
        let term = self.value_path(function, subject);
        for used in self.uses.iter_mut().skip(before) {
            used.root = Root::Summed;
        }
        let measure = term.and_then(|term| {
            let found = measure(term);
            if found.is_none() {
                self.wrong_arguments(function, subject);
            }
            found
        });
        let name = measure.as_ref().map(|measure| measure.name.clone());
        let term = self.counted(
            function,
            expr,
            rest,
            Question::Sum(name.unwrap_or_default()),
        );
        self.needs.measure(&measure?);
        term
    }

    /// `has_read(class, scope, window)`.
    pub(super) fn has_read(
        &mut self,
        function: &Function,
        expr: &Expr,
        args: &[Expr],
    ) -> Option<Term> {
        let [class, rest @ ..] = args else {
            self.wrong_arguments(function, expr);
            return None;
        };
        if rest.len() != 2 {
            self.wrong_arguments(function, expr);
            return None;
        }
        let class = self.one_of(class, DataClass::ALL);
        let question = Question::HasRead(class.unwrap_or(DataClass::Secrets));
        let term = self.counted(function, expr, rest, question);
        class.and(term)
    }

    /// `source(x)`.
    pub(super) fn seen(&mut self, function: &Function, expr: &Expr, args: &[Expr]) -> Option<Term> {
        let [of] = args else {
            self.wrong_arguments(function, expr);
            return None;
        };
        let of = self.value_path(function, of)?;
        self.needs.history = true;
        Some(Term::Seen(Box::new(Seen { of })))
    }

    /// An argument, a mapped name, or an element of `any` or `all`.
    fn value_path(&mut self, function: &Function, expr: &Expr) -> Option<Term> {
        let term = match expr.kind {
            ExprKind::Name(_) => Some(self.term(expr)?),
            _ => None,
        };
        let fits = |term: &Term| {
            matches!(
                term,
                Term::Argument(_) | Term::Mapped { .. } | Term::Local { .. }
            )
        };
        let term = term.filter(fits);
        if term.is_none() {
            self.wrong_arguments(function, expr);
        }
        term
    }

    /// Scope, window and tools, in this order, of the question.
    fn counted(
        &mut self,
        function: &Function,
        expr: &Expr,
        args: &[Expr],
        question: Question,
    ) -> Option<Term> {
        let (scope, span, tools) = match args {
            [scope, span] => (scope, span, None),
            [scope, span, tools] => (scope, span, Some(tools)),
            _ => {
                self.wrong_arguments(function, expr);
                return None;
            }
        };
        let scope = self.one_of(scope, &SCOPES);
        let span = self.window(function, span);
        let tools = tools.map(|tools| self.tools(tools));
        let (scope, span) = (scope?, span?);
        let tools = match tools {
            None => None,
            Some(tools) => Some(tools?),
        };
        self.needs.reach_back(span);
        Some(Term::Counted(Box::new(Counted {
            text: described(&question, scope, span, tools.as_ref()),
            question,
            scope,
            span,
            tools,
        })))
    }

    /// One of a few words, as a bare word or a text.
    fn one_of<T: Copy>(&mut self, expr: &Expr, words: &[(T, &'static str)]) -> Option<T> {
        let (ExprKind::Name(text) | ExprKind::Word(text) | ExprKind::Text(text)) = &expr.kind
        else {
            self.not_one_of(expr, "this", words);
            return None;
        };
        let hit = words
            .iter()
            .find(|(_, word)| word.eq_ignore_ascii_case(text));
        if hit.is_none() {
            self.not_one_of(expr, text, words);
        }
        hit.map(|(value, _)| *value)
    }

    fn not_one_of<T>(&mut self, expr: &Expr, text: &str, words: &[(T, &'static str)]) {
        let names: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        let message = format!("`{}` is not one of the words that stand here", shown(text));
        let complaint = Complaint::new(UNKNOWN_VALUE, message).suggest(text, &names);
        self.push(complaint, expr);
    }

    fn window(&mut self, function: &Function, expr: &Expr) -> Option<Duration> {
        let ExprKind::Duration(span) = expr.kind else {
            self.wrong_arguments(function, expr);
            return None;
        };
        if let Some(problem) = window_problem(span) {
            self.complain(OUT_OF_RANGE, expr, &problem, "history is kept no longer");
            return None;
        }
        Some(span)
    }

    fn tools(&mut self, expr: &Expr) -> Option<Glob> {
        let (ExprKind::Name(text) | ExprKind::Word(text) | ExprKind::Text(text)) = &expr.kind
        else {
            self.complain(
                UNKNOWN_VALUE,
                expr,
                "the tools are one name or glob",
                "write it as `\"stripe.*\"`",
            );
            return None;
        };
        if let Some(problem) = pattern_problem(text) {
            let message = format!("the pattern {problem}");
            self.complain(UNKNOWN_VALUE, expr, &message, "write it as `\"stripe.*\"`");
            return None;
        }
        Some(Glob::new(text.as_str()))
    }
}

/// What is wrong with a window's length.
pub(crate) fn window_problem(span: Duration) -> Option<String> {
    let max = Duration::from_secs(limits::WINDOW_SECONDS_MAX);
    let fits = span >= Duration::from_secs(1) && span <= max;
    (!fits).then(|| format!("a window is 1s to {max}, not {span}"))
}

/// A number of each call that can be summed: an argument or a mapped attribute.
pub(crate) fn measure(term: Term) -> Option<Measure> {
    let name = match &term {
        Term::Argument(path) => format!("args.{}", path.text),
        Term::Mapped { path, .. } => path.text.clone(),
        _ => return None,
    };
    Some(Measure { name, term })
}

fn described(question: &Question, scope: Scope, span: Duration, tools: Option<&Glob>) -> String {
    let scope = crate::counted::word(scope);
    let tools = tools.map_or(String::new(), |glob| format!(", \"{glob}\""));
    match question {
        Question::Rate => format!("rate({scope}, {span}{tools})"),
        Question::Sum(subject) => format!("sum({subject}, {scope}, {span}{tools})"),
        Question::HasRead(class) => format!("has_read({}, {scope}, {span})", class.as_str()),
    }
}
