//! Nodes: the parts of a checked expression that hold, do not hold, or cannot be judged.
//!
//! Every part of an expression is always evaluated. That keeps the cost of a rule the same for
//! all calls, and lets an explanation be the same evaluation with a recorder.
//!
//! Must not know: rules, precedence.

use std::borrow::Cow;
use std::ops::Range;

use regex::Regex;
use serde_json::Value;
use toolgate_model::Glob;

use crate::call::{Call, Local};
use crate::compare::{Judge, size};
use crate::explanation::ExplainedPart;
use crate::facts::Type;
use crate::limits;
use crate::needles::NeedleId;
use crate::ruling::Fault;
use crate::scope::Scope;
use crate::term::{Literal, Term};
use crate::value::{Answer, Datum, Got};

/// A part of a condition and its bytes in the expression's text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Range<usize>,
    pub(crate) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// A value that is itself true or false.
    Holds(Term),
    Exists(Term),
    Body(NeedleId),
    Compare(Box<Comparison>),
    Each {
        quantifier: Quantifier,
        list: Term,
        item: Box<Node>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Any,
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) left: Term,
    pub(crate) relation: Relation,
}

#[derive(Clone, Debug)]
pub(crate) enum Relation {
    To(Judge, Term),
    OneOf(Vec<Term>),
    Glob(Glob),
    Regex(Regex),
}

/// One walk over an expression: the call, the expression's text, and the recorder if there is one.
pub(crate) struct Walk<'w, 's, 'c> {
    pub(crate) call: &'w mut Call<'s, 'c>,
    pub(crate) text: &'w str,
    pub(crate) trace: Option<Vec<ExplainedPart>>,
}

impl Node {
    /// Whether it holds for the call of the walk.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn answer<'c, 't: 'c>(
        &'t self,
        walk: &mut Walk<'_, '_, 'c>,
    ) -> Result<Answer, Fault> {
        walk.call.meter.spend(1)?;
        let mark = walk.call.mark();
        let outer = walk.trace.as_mut().map(std::mem::take);
        let (answer, value) = self.judged(walk)?;
        if answer.is_settled() {
            walk.call.forget_since(mark);
        }
        if let (Some(mut outer), Some(parts)) = (outer, walk.trace.take()) {
            outer.push(ExplainedPart {
                place: String::new(),
                text: walk
                    .text
                    .get(self.at.clone())
                    .unwrap_or_default()
                    .to_owned(),
                truth: answer.holds,
                value,
                impossible: answer == Answer::IMPOSSIBLE,
                parts,
            });
            walk.trace = Some(outer);
        }
        Ok(answer)
    }

    fn judged<'c, 't: 'c>(
        &'t self,
        walk: &mut Walk<'_, '_, 'c>,
    ) -> Result<(Answer, Option<String>), Fault> {
        let answer = match &self.kind {
            NodeKind::Constant(value) => Answer::known(*value),
            NodeKind::And(parts) => fold(parts, Answer::TRUE, Answer::and, walk)?,
            NodeKind::Or(parts) => fold(parts, Answer::FALSE, Answer::or, walk)?,
            NodeKind::Not(inner) => inner.answer(walk)?.not(),
            NodeKind::Exists(term) => Answer::known(term.exists(walk.call)?),
            NodeKind::Body(needle) => walk.call.body_contains(*needle)?,
            NodeKind::Holds(term) => return holds(term, walk),
            NodeKind::Compare(comparison) => return comparison.answer(walk),
            NodeKind::Each {
                quantifier,
                list,
                item,
            } => each(*quantifier, list, item, walk)?,
        };
        Ok((answer, None))
    }

    /// The tools that it can hold for.
    pub(crate) fn scope(&self) -> Scope {
        let scopes = |parts: &[Self]| parts.iter().map(Self::scope).collect::<Vec<_>>();
        match &self.kind {
            NodeKind::Constant(false) => Scope::Of(Vec::new()),
            NodeKind::And(parts) => scopes(parts).into_iter().fold(Scope::Any, Scope::and),
            NodeKind::Or(parts) => scopes(parts)
                .into_iter()
                .fold(Scope::Of(Vec::new()), Scope::or),
            NodeKind::Compare(comparison) => comparison.scope(),
            _ => Scope::Any,
        }
    }
}

impl Comparison {
    fn answer<'c, 't: 'c>(
        &'t self,
        walk: &mut Walk<'_, '_, 'c>,
    ) -> Result<(Answer, Option<String>), Fault> {
        let left = self.left.value(walk.call)?;
        let shown = match &left {
            Got::Value(datum) if walk.trace.is_some() => Some(datum.show()),
            _ => None,
        };
        let mut answer = self.related(left, walk)?;
        if let Some(name) = self
            .left
            .other_name(walk.call)
            .filter(|_| answer == Answer::FALSE)
        {
            answer = self.related(Got::text(name), walk)?;
        }
        Ok((answer, shown))
    }

    fn related<'c, 't: 'c>(
        &'t self,
        left: Got<'c>,
        walk: &mut Walk<'_, '_, 'c>,
    ) -> Result<Answer, Fault> {
        match &self.relation {
            Relation::Glob(glob) => {
                let judge = |text: &str| glob.matches(text);
                self.matched(left, glob.as_str().len(), judge, walk.call)
            }
            Relation::Regex(regex) => {
                let judge = |text: &str| regex.is_match(text);
                self.matched(left, regex.as_str().len(), judge, walk.call)
            }
            Relation::OneOf(terms) => {
                let mut answer = Answer::FALSE;
                for term in terms {
                    answer = answer.or(self.with(left.clone(), Judge::Equal, term, walk.call)?);
                }
                Ok(answer)
            }
            Relation::To(judge, term) => self.with(left, *judge, term, walk.call),
        }
    }

    fn with<'c, 't: 'c>(
        &'t self,
        left: Got<'c>,
        judge: Judge,
        right: &'t Term,
        call: &mut Call<'_, 'c>,
    ) -> Result<Answer, Fault> {
        let right_value = right.value(call)?;
        let (left, right_value) = match (left, right_value) {
            (Got::Impossible, _) | (_, Got::Impossible) => return Ok(Answer::IMPOSSIBLE),
            (Got::Value(left), Got::Value(right)) => (left, right),
            _ => return Ok(Answer::UNKNOWN),
        };
        call.meter.spend_text(size(&left) + size(&right_value))?;
        Ok(match judge.holds(&left, &right_value) {
            Some(holds) => Answer::known(holds),
            None => {
                self.note_mistyped(right, call);
                Answer::UNKNOWN
            }
        })
    }

    /// Of two sides that do not fit, the one that the caller sent is to blame.
    fn note_mistyped(&self, right: &Term, call: &mut Call<'_, '_>) {
        let sides = [&self.left, right];
        let sent = |term: &&&Term| term.kind() == Type::Any;
        let any_sent = sides.iter().any(|term| sent(&term));
        for term in sides.iter().filter(|term| !any_sent || sent(term)) {
            term.note(call);
        }
    }

    fn matched(
        &self,
        left: Got<'_>,
        pattern_bytes: usize,
        judge: impl Fn(&str) -> bool,
        call: &mut Call<'_, '_>,
    ) -> Result<Answer, Fault> {
        match left {
            Got::Impossible => Ok(Answer::IMPOSSIBLE),
            Got::Value(Datum::Text(text)) => {
                call.meter
                    .spend_text(text.len().saturating_mul(pattern_bytes))?;
                Ok(Answer::known(judge(&text)))
            }
            Got::Value(_) => {
                self.left.note(call);
                Ok(Answer::UNKNOWN)
            }
            Got::Missing | Got::Unknown => Ok(Answer::UNKNOWN),
        }
    }

    fn scope(&self) -> Scope {
        let Term::Attribute(attribute) = &self.left else {
            return Scope::Any;
        };
        let make: fn(Vec<Glob>) -> Scope = match attribute.name {
            "tool" => Scope::tools,
            "tool_name" => Scope::sources,
            "operation" => Scope::operations,
            _ => return Scope::Any,
        };
        let exact = |term: &Term| match term {
            // A text with a `*` in it is no tool's name, and as a glob it would be too wide at
            // worst: that is allowed.
            Term::Literal(Literal::Text(text)) => Some(Glob::new(text.as_str())),
            _ => None,
        };
        match &self.relation {
            Relation::To(Judge::Equal, term) => {
                exact(term).map_or(Scope::Any, |glob| make(vec![glob]))
            }
            Relation::OneOf(terms) => {
                let globs: Option<Vec<Glob>> = terms.iter().map(exact).collect();
                globs.map_or(Scope::Any, make)
            }
            Relation::Glob(glob) => make(vec![glob.clone()]),
            _ => Scope::Any,
        }
    }
}

fn fold<'c, 't: 'c>(
    parts: &'t [Node],
    start: Answer,
    join: fn(Answer, Answer) -> Answer,
    walk: &mut Walk<'_, '_, 'c>,
) -> Result<Answer, Fault> {
    let mut answer = start;
    for part in parts {
        answer = join(answer, part.answer(walk)?);
    }
    Ok(answer)
}

fn holds<'c, 't: 'c>(
    term: &'t Term,
    walk: &mut Walk<'_, '_, 'c>,
) -> Result<(Answer, Option<String>), Fault> {
    let got = term.value(walk.call)?;
    Ok(match got {
        Got::Impossible => (Answer::IMPOSSIBLE, None),
        Got::Value(Datum::Bool(value)) => (Answer::known(value), Some(value.to_string())),
        Got::Value(datum) => {
            term.note(walk.call);
            (Answer::UNKNOWN, Some(datum.show()))
        }
        Got::Missing | Got::Unknown => (Answer::UNKNOWN, None),
    })
}

fn each<'c, 't: 'c>(
    quantifier: Quantifier,
    list: &'t Term,
    item: &'t Node,
    walk: &mut Walk<'_, '_, 'c>,
) -> Result<Answer, Fault> {
    let over = (quantifier, list, item);
    match list.listed(walk.call)? {
        Got::Impossible => Ok(Answer::IMPOSSIBLE),
        Got::Value(Datum::Json(Value::Array(items))) if items.len() <= limits::ELEMENTS_MAX => {
            walked(over, items.iter().map(Cow::Borrowed), walk)
        }
        Got::Value(Datum::Json(one @ Value::String(_))) => {
            walked(over, std::iter::once(Cow::Borrowed(one)), walk)
        }
        Got::Value(Datum::Texts(texts)) if texts.len() <= limits::ELEMENTS_MAX => {
            let text = |text: Cow<'c, str>| Cow::Owned(Value::String(text.into_owned()));
            walked(over, texts.into_iter().map(text), walk)
        }
        Got::Value(_) => {
            list.note(walk.call);
            Ok(Answer::UNKNOWN)
        }
        Got::Missing | Got::Unknown => Ok(Answer::UNKNOWN),
    }
}

/// The answer over these elements.
fn walked<'c, 't: 'c>(
    (quantifier, list, item): (Quantifier, &'t Term, &'t Node),
    elements: impl Iterator<Item = Cow<'c, Value>>,
    walk: &mut Walk<'_, '_, 'c>,
) -> Result<Answer, Fault> {
    let shape = list.element_shape(walk.call);
    let (mut answer, join): (_, fn(Answer, Answer) -> Answer) = match quantifier {
        Quantifier::Any => (Answer::FALSE, Answer::or),
        Quantifier::All => (Answer::TRUE, Answer::and),
    };
    for value in elements {
        let local = Local {
            value,
            shape: shape.clone(),
        };
        let text = walk.text;
        let trace = walk.trace.take();
        let (one, trace) = walk.call.with_local(local, |call| {
            let mut inner = Walk { call, text, trace };
            let one = item.answer(&mut inner);
            (one, inner.trace)
        });
        walk.trace = trace;
        answer = join(answer, one?);
    }
    Ok(answer)
}
