//! Parts of a rule: a selector, a key of `match` or `condition`, or an expression.
//!
//! Each says whether it holds for a call and which tools it can hold for. A new condition is one
//! file with a [`Test`] and a [`Key`], and one line in its registry.
//!
//! Must not know: which keys there are.

use serde_json::Value;
use toolgate_model::Glob;

use crate::call::Call;
use crate::checker::Checker;
use crate::explanation::ExplainedPart;
use crate::node::{Node, Walk};
use crate::reading::Item;
use crate::ruling::Fault;
use crate::scope::Scope;
use crate::term::Term;
use crate::value::Answer;

/// Something that a call passes, does not pass, or that cannot be judged.
pub(crate) trait Test: std::fmt::Debug + Send + Sync {
    /// Whether the call passes. Names of what cannot be judged are noted on the call.
    ///
    /// # Errors
    /// The budget.
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault>;

    /// The value that it looks at, for an explanation; never what a detector found.
    ///
    /// # Errors
    /// The budget.
    fn value<'c, 't: 'c>(&'t self, _call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// The tools that a call can pass with.
    fn scope(&self) -> Scope {
        Scope::Any
    }

    /// What is compared with which globs, where that is all that it does.
    fn patterns(&self) -> Option<(&Term, &[Glob])> {
        None
    }
}

/// A key of `match` or `condition`.
#[derive(Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, for the reference page.
    pub doc: &'static str,
    /// The JSON Schema of its value.
    pub(crate) schema: fn() -> Value,
    /// Reads its value; `None` where that is refused, which is reported.
    pub(crate) read: fn(&mut Checker<'_, '_>, &Item<'_>) -> Option<Box<dyn Test>>,
}

/// One part of a rule and how it is shown.
#[derive(Debug)]
pub(crate) struct Part {
    /// Where it is written, `match.tools` or `when`.
    pub(crate) place: String,
    /// Its text.
    pub(crate) text: String,
    pub(crate) kind: PartKind,
}

#[derive(Debug)]
pub(crate) enum PartKind {
    Test(Box<dyn Test>),
    Expression(Node),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Part {
    pub(crate) fn scope(&self) -> Scope {
        match &self.kind {
            PartKind::Test(test) => test.scope(),
            PartKind::Expression(node) => node.scope(),
        }
    }

    /// Whether the call passes; with `trace`, how that came about is added to it.
    pub(crate) fn answer<'c, 't: 'c>(
        &'t self,
        call: &mut Call<'_, 'c>,
        trace: Option<&mut Vec<ExplainedPart>>,
    ) -> Result<Answer, Fault> {
        let mark = call.mark();
        let mut value = None;
        let (answer, parts) = match &self.kind {
            PartKind::Test(test) => {
                call.meter.spend(1)?;
                let answer = test.answer(call)?;
                if trace.is_some() {
                    value = call.aside(|call| test.value(call)).ok().flatten();
                }
                (answer, Vec::new())
            }
            PartKind::Expression(node) => {
                let text = &self.text;
                let recorder = trace.is_some().then(Vec::new);
                let mut walk = Walk {
                    call,
                    text,
                    trace: recorder,
                };
                let answer = node.answer(&mut walk)?;
                (answer, walk.trace.unwrap_or_default())
            }
        };
        if answer.is_settled() {
            call.forget_since(mark);
        }
        if let Some(trace) = trace {
            let explained = self.explained(answer, parts);
            trace.push(ExplainedPart {
                value: explained.value.clone().or(value),
                ..explained
            });
        }
        Ok(answer)
    }

    fn explained(&self, answer: Answer, mut parts: Vec<ExplainedPart>) -> ExplainedPart {
        // The outermost piece of an expression is the expression itself.
        let whole = if parts.len() == 1 { parts.pop() } else { None };
        let (value, parts) = whole.map_or((None, parts), |whole| (whole.value, whole.parts));
        ExplainedPart {
            place: self.place.clone(),
            text: self.text.clone(),
            truth: answer.holds,
            value,
            impossible: answer == Answer::IMPOSSIBLE,
            parts,
        }
    }
}
