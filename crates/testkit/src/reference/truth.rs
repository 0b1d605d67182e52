//! Three-valued truth of an expression: true, false, or nobody can say.
//!
//! Negations are pushed inwards first, so that what a tool cannot have makes a comparison false and
//! its opposite too: `not amount > 500` says nothing of a tool without an amount.
//!
//! Must not know: rules, documents.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;
use toolgate_model::{Glob, searchable};

use super::facts::{Found, PLACES, RISKS, Sight, Val, domain, host, value};
use super::history::Span;
use super::language::{Expr, Term, parse, span};
use super::number::Number;

pub(super) type Truth = Option<bool>;

pub(super) fn both(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

pub(super) fn either(left: Truth, right: Truth) -> Truth {
    opposite(both(opposite(left), opposite(right)))
}

pub(super) fn opposite(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

pub(super) fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().fold(Some(false), either)
}

pub(super) fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().fold(Some(true), both)
}

impl Sight<'_> {
    /// Whether the expression (or its opposite) holds.
    pub(super) fn truth(&self, expr: &Expr, negated: bool) -> Truth {
        match expr {
            Expr::Or(parts) | Expr::And(parts) => {
                let parts = parts.iter().map(|part| self.truth(part, negated));
                if matches!(expr, Expr::And(_)) != negated {
                    all(parts)
                } else {
                    any(parts)
                }
            }
            Expr::Not(inner) => self.truth(inner, !negated),
            Expr::Plain(term) => self.plain(term, negated),
            Expr::Compare(left, op, right) => self.comparison(left, op, right, negated),
        }
    }

    fn plain(&self, term: &Term, negated: bool) -> Truth {
        match term {
            Term::Group(inner) => self.truth(inner, negated),
            Term::Call(function, parts) if function == "any" || function == "all" => {
                self.each(function == "all", parts, negated)
            }
            _ => match self.term(term) {
                Found::Cannot => Some(false),
                Found::Is(Val::Bool(bool)) => Some(bool != negated),
                Found::Unknown | Found::Is(_) => None,
            },
        }
    }

    fn each(&self, every: bool, parts: &[Expr], negated: bool) -> Truth {
        let [list, item, condition] = parts else {
            return None;
        };
        let item = name_of(item)?;
        let items: Vec<Value> = match self.term(term_of(list)?) {
            Found::Cannot => return Some(false),
            Found::Is(Val::Json(Value::Array(items))) => items,
            // One recipient is a list of one, and so is any place.
            Found::Is(Val::Text(text))
                if name_of(list).is_some_and(|name| PLACES.contains(&name)) =>
            {
                vec![Value::String(text)]
            }
            Found::Is(Val::Texts(texts)) => texts.into_iter().map(Value::String).collect(),
            Found::Unknown | Found::Is(_) => return None,
        };
        let truths = items.into_iter().map(|one| {
            let mut inner = self.clone();
            inner.items.push((item.to_owned(), one));
            inner.truth(condition, negated)
        });
        if every != negated {
            all(truths)
        } else {
            any(truths)
        }
    }

    fn comparison(&self, left: &Term, op: &str, right: &Term, negated: bool) -> Truth {
        // A condition is compared only with true and false, which says it or its opposite.
        if let (true, Term::Bool(wanted)) = (is_condition(left), right) {
            let opposite = *wanted != (op == "==");
            return self.plain(left, negated != opposite);
        }
        match (self.term(left), self.term(right)) {
            (Found::Cannot, _) | (_, Found::Cannot) => Some(false),
            (Found::Is(left), Found::Is(right)) => {
                compare(&left, op, &right).map(|truth| truth != negated)
            }
            _ => None,
        }
    }

    /// What the tool's descriptor maps the name to, unless something nearer has that name.
    fn mapping(&self, name: &str) -> Option<Expr> {
        let bound = self.items.iter().any(|(known, _)| known == name);
        let recognised = self
            .call
            .get("places")
            .is_some_and(|places| places.get(name).is_some());
        let mapping = self.tool?.get("attributes")?.get(name)?.as_str()?;
        (!bound && !recognised).then(|| parse(mapping))?
    }

    /// A name, with what the tool's descriptor maps it to.
    pub(super) fn name(&self, name: &str) -> Found {
        match self.mapping(name) {
            Some(mapped) => term_of(&mapped).map_or(Found::Unknown, |term| self.term(term)),
            None => self.find(name),
        }
    }

    pub(super) fn term(&self, term: &Term) -> Found {
        match term {
            Term::Number(number) => Found::Is(Val::Number(*number)),
            Term::Text(text) => Found::Is(Val::Text(text.clone())),
            Term::Bool(bool) => Found::Is(Val::Bool(*bool)),
            Term::Span(span) => Found::Is(Val::Span(*span)),
            Term::Name(name) => self.name(name),
            Term::List(items) => self.list(items),
            Term::Join(left, sign, right) => match (self.term(left), self.term(right)) {
                (Found::Cannot, _) | (_, Found::Cannot) => Found::Cannot,
                (Found::Is(Val::Number(left)), Found::Is(Val::Number(right))) => {
                    found(left.join(*sign, right).map(Val::Number))
                }
                _ => Found::Unknown,
            },
            Term::Group(inner) => match term_of(inner) {
                Some(term) => self.term(term),
                None => found(self.truth(inner, false).map(Val::Bool)),
            },
            Term::Call(function, parts) => self.call(function, parts),
        }
    }

    fn list(&self, items: &[Term]) -> Found {
        let mut list = Vec::new();
        for item in items {
            list.push(match self.term(item) {
                Found::Is(Val::Text(text)) => Value::String(text),
                Found::Is(Val::Bool(bool)) => Value::Bool(bool),
                Found::Is(Val::Number(_)) => match item {
                    Term::Number(number) => number.json(),
                    _ => return Found::Unknown,
                },
                _ => return Found::Unknown,
            });
        }
        Found::Is(Val::Json(Value::Array(list)))
    }

    fn call(&self, function: &str, parts: &[Expr]) -> Found {
        let Some(first) = parts.first().and_then(term_of) else {
            return Found::Unknown;
        };
        match function {
            "exists" => Found::Is(Val::Bool(self.exists(first))),
            "default" => match (self.term(first), parts.get(1).and_then(term_of)) {
                (Found::Is(known), _) => Found::Is(known),
                (_, Some(_)) if self.exists(first) => Found::Unknown,
                (_, Some(other)) => self.term(other),
                (_, None) => Found::Unknown,
            },
            "rate" | "sum" | "has_read" => self.counted(function, parts),
            "source" => self.source(first),
            _ => match self.term(first) {
                Found::Is(known) => found(self.one(function, &known)),
                other => other,
            },
        }
    }

    /// Whether there is a value; of what a descriptor maps, whether all that it is made of is there.
    pub(super) fn exists(&self, term: &Term) -> bool {
        match term {
            Term::Join(left, _, right) => self.exists(left) && self.exists(right),
            Term::Name(name) => match self.mapping(name) {
                Some(mapped) => term_of(&mapped).is_some_and(|term| self.exists(term)),
                None if PLACES.contains(&name.as_str()) => matches!(self.place(name), Found::Is(_)),
                None => matches!(self.term(term), Found::Is(_)),
            },
            _ => matches!(self.term(term), Found::Is(_)),
        }
    }

    /// Where the value was seen; what a descriptor maps was seen where its parts were.
    fn source(&self, of: &Term) -> Found {
        let origins = |found: Found| match found {
            Found::Is(known) => {
                found_texts(json_of(&known).and_then(|json| self.past().origins(&json)))
            }
            other => other,
        };
        match of {
            Term::Name(name) => match self.mapping(name).as_ref().and_then(term_of) {
                Some(Term::Join(part, ..)) => origins(self.term(part)),
                _ => origins(self.term(of)),
            },
            _ => origins(self.term(of)),
        }
    }

    /// The functions of one value.
    fn one(&self, function: &str, of: &Val) -> Option<Val> {
        match (function, of) {
            ("count", Val::Json(Value::Array(items))) => Some(length(items.len())),
            ("count", Val::Texts(texts)) => Some(length(texts.len())),
            ("lower", Val::Text(text)) => Some(Val::Text(text.to_lowercase())),
            ("host", Val::Text(text)) => host(text).map(Val::Text),
            ("domain", Val::Text(text)) => domain(text).map(Val::Text),
            ("number", Val::Text(text)) => Number::plain(text).map(Val::Number),
            ("number", Val::Number(number)) => Some(Val::Number(*number)),
            _ => None,
        }
    }

    fn counted(&self, function: &str, parts: &[Expr]) -> Found {
        let with_subject = usize::from(function != "rate");
        let part = |at: usize| parts.get(at).and_then(term_of);
        let (Some(scope), Some(Term::Span(millis))) = (
            parts.get(with_subject).and_then(name_of),
            part(with_subject + 1),
        ) else {
            return Found::Unknown;
        };
        let tools = match part(with_subject + 2) {
            Some(Term::Text(glob)) => Some(glob.as_str()),
            _ => None,
        };
        if scope == "resource" && matches!(self.find("resource"), Found::Cannot) {
            return Found::Cannot;
        }
        let span = Span {
            scope,
            millis: *millis,
            tools,
            rule: None,
        };
        let subject = parts.first().and_then(name_of).unwrap_or_default();
        found(match function {
            "rate" => self
                .past()
                .rate(&span)
                .map(|count| length(usize::try_from(count).unwrap_or(usize::MAX))),
            "sum" => self.past().sum_number(subject, &span).map(Val::Number),
            _ => self.past().has_read(subject, &span).map(Val::Bool),
        })
    }
}

fn found(value: Option<Val>) -> Found {
    value.map_or(Found::Unknown, Found::Is)
}

fn found_texts(texts: Option<BTreeSet<&'static str>>) -> Found {
    found(texts.map(|texts| Val::Texts(texts.into_iter().map(str::to_owned).collect())))
}

fn length(len: usize) -> Val {
    Val::Number(Number::of(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn json_of(val: &Val) -> Option<Value> {
    match val {
        Val::Text(text) => Some(Value::String(text.clone())),
        Val::Bool(bool) => Some(Value::Bool(*bool)),
        Val::Number(number) => Some(number.json()),
        Val::Json(json) => Some(json.clone()),
        _ => None,
    }
}

fn is_condition(term: &Term) -> bool {
    match term {
        Term::Group(inner) => term_of(inner).is_none(),
        Term::Call(function, _) => {
            ["any", "all", "exists", "has_read"].contains(&function.as_str())
        }
        _ => false,
    }
}

/// The term that an expression is, where it is nothing more.
pub(super) fn term_of(expr: &Expr) -> Option<&Term> {
    match expr {
        Expr::Or(parts) | Expr::And(parts) => match parts.as_slice() {
            [one] => term_of(one),
            _ => None,
        },
        Expr::Plain(term) => Some(term),
        Expr::Not(_) | Expr::Compare(..) => None,
    }
}

fn name_of(expr: &Expr) -> Option<&str> {
    match term_of(expr)? {
        Term::Name(name) | Term::Text(name) => Some(name),
        _ => None,
    }
}

/// The comparison of two known values; nothing where their types do not meet.
fn compare(left: &Val, op: &str, right: &Val) -> Truth {
    match op {
        "==" => equal(left, right),
        "!=" => opposite(equal(left, right)),
        "<" => order(left, right).map(Ordering::is_lt),
        "<=" => order(left, right).map(Ordering::is_le),
        ">" => order(left, right).map(Ordering::is_gt),
        ">=" => order(left, right).map(Ordering::is_ge),
        "in" => contains(right, left),
        "not in" => opposite(contains(right, left)),
        "contains" => contains(left, right),
        _ => match (left, right) {
            (Val::Text(text), Val::Text(other)) => match op {
                "starts_with" => Some(text.starts_with(other.as_str())),
                "ends_with" => Some(text.ends_with(other.as_str())),
                "matches" => Some(Glob::new(other.as_str()).matches(text)),
                _ => regex::Regex::new(other)
                    .ok()
                    .map(|regex| regex.is_match(text)),
            },
            _ => None,
        },
    }
}

fn equal(left: &Val, right: &Val) -> Truth {
    match (left, right) {
        (Val::Text(left), Val::Text(right)) => Some(left == right),
        (Val::Bool(left), Val::Bool(right)) => Some(left == right),
        _ => order(left, right).map(Ordering::is_eq),
    }
}

/// Numbers, risks, days and durations have an order.
fn order(left: &Val, right: &Val) -> Option<Ordering> {
    let risk = |val: &Val| match val {
        Val::Risk(place) => Some(*place),
        Val::Text(text) => RISKS.iter().position(|risk| risk == text),
        _ => None,
    };
    let time = |val: &Val| match val {
        Val::Span(millis) => Some(*millis),
        Val::Text(text) => span(text),
        _ => None,
    };
    match (left, right) {
        (Val::Number(left), Val::Number(right)) => Some(left.order(*right)),
        (Val::Risk(_), _) | (_, Val::Risk(_)) => Some(risk(left)?.cmp(&risk(right)?)),
        (Val::Span(_), _) | (_, Val::Span(_)) => Some(time(left)?.cmp(&time(right)?)),
        (Val::Text(left), Val::Text(right)) => Some(day(left)?.cmp(&day(right)?)),
        _ => None,
    }
}

/// A day, written `2026-07-01` and in no other way.
fn day(text: &str) -> Option<jiff::civil::Date> {
    let day: jiff::civil::Date = text.parse().ok()?;
    (day.to_string() == text).then_some(day)
}

fn contains(whole: &Val, part: &Val) -> Truth {
    match (whole, part) {
        (Val::Json(Value::Array(items)), part) => any(items.iter().map(|item| match value(item) {
            Found::Is(item) => equal(&item, part),
            Found::Unknown | Found::Cannot => None,
        })),
        (Val::Texts(texts), Val::Text(part)) => {
            let texts: BTreeSet<&String> = texts.iter().collect();
            Some(texts.contains(part))
        }
        (Val::Body(texts), Val::Text(part)) => {
            let part = searchable(part);
            Some(texts.iter().any(|text| text.contains(&part)))
        }
        (Val::Text(text), Val::Text(part)) => Some(text.contains(part.as_str())),
        _ => None,
    }
}
