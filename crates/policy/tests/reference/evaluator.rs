//! A second, tiny evaluator of the `when` language, written from the text of the specification
//! (2-decision, 4) and from nothing else.
//!
//! It shares no idea with the engine: no pairs of truths but negations pushed inwards, no schema
//! but a list of declared names, whole numbers only.

use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Order(Term, &'static str, Term),
    In(&'static str, Vec<Value>, bool),
    Contains(&'static str, Value),
    Exists(&'static str),
    Bare(&'static str),
    Each(bool, &'static str, &'static str, i64),
}

#[derive(Clone, Debug)]
pub(crate) enum Term {
    Arg(&'static str),
    Num(i64),
    Default(&'static str, i64),
    Sum(Box<Term>, Box<Term>),
    Times(Box<Term>, Box<Term>),
}

/// What the declared arguments are. `u` is neither declared nor forbidden: the schema lists others.
const DECLARED: [&str; 3] = ["a", "b", "l"];
pub(crate) const NAMES: [&str; 4] = ["a", "b", "l", "u"];

enum Found<'v> {
    Is(&'v Value),
    Missing,
    Cannot,
}

fn find<'v>(args: &'v Value, name: &str) -> Found<'v> {
    match args.get(name) {
        Some(Value::Null) => Found::Missing,
        Some(value) => Found::Is(value),
        None if DECLARED.contains(&name) => Found::Missing,
        None => Found::Cannot,
    }
}

/// The value of a term: a number, or that it cannot be known (`None`), or cannot exist (`Err`).
fn number(term: &Term, args: &Value) -> Result<Option<i64>, ()> {
    let both = |l: &Term, r: &Term, join: fn(i64, i64) -> i64| {
        let (l, r) = (number(l, args), number(r, args));
        Ok(l?.zip(r?).map(|(l, r)| join(l, r)))
    };
    match term {
        Term::Num(n) => Ok(Some(*n)),
        Term::Arg(name) => match find(args, name) {
            Found::Is(value) => Ok(value.as_i64()),
            Found::Missing => Ok(None),
            Found::Cannot => Err(()),
        },
        Term::Default(name, n) => match find(args, name) {
            Found::Is(value) => Ok(value.as_i64()),
            Found::Missing | Found::Cannot => Ok(Some(*n)),
        },
        // What cannot exist makes the whole comparison false, whatever else is unknown.
        Term::Sum(l, r) => both(l, r, |l, r| l + r),
        Term::Times(l, r) => both(l, r, |l, r| l * r),
    }
}

/// The truth of an expression (or of its negation): true, false, or unknown.
pub(crate) fn truth(expr: &Expr, negated: bool, args: &Value) -> Option<bool> {
    let and = |l: Option<bool>, r: Option<bool>| match (l, r) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    };
    let or = |l: Option<bool>, r: Option<bool>| and(l.map(|t| !t), r.map(|t| !t)).map(|t| !t);
    let leaf = |known: Result<Option<bool>, ()>| match known {
        Err(()) => Some(false),
        Ok(known) => known.map(|t| t != negated),
    };
    match expr {
        Expr::And(l, r) | Expr::Or(l, r) => {
            let (l, r) = (truth(l, negated, args), truth(r, negated, args));
            if matches!(expr, Expr::And(..)) != negated {
                and(l, r)
            } else {
                or(l, r)
            }
        }
        Expr::Not(inner) => truth(inner, !negated, args),
        // Texts and truth values have no order, but they are equal or not.
        Expr::Order(Term::Arg(l), op @ ("==" | "!="), Term::Arg(r)) => {
            leaf(match (find(args, l), find(args, r)) {
                (Found::Cannot, _) | (_, Found::Cannot) => Err(()),
                (Found::Is(l), Found::Is(r)) => Ok(equal(l, r).map(|same| same == (*op == "=="))),
                _ => Ok(None),
            })
        }
        Expr::Order(l, op, r) => leaf(match (number(l, args), number(r, args)) {
            (Err(()), _) | (_, Err(())) => Err(()),
            (Ok(l), Ok(r)) => Ok(l.zip(r).map(|(l, r)| match *op {
                "==" => l == r,
                "!=" => l != r,
                "<" => l < r,
                "<=" => l <= r,
                ">" => l > r,
                _ => l >= r,
            })),
        }),
        Expr::In(name, list, not_in) => leaf(match find(args, name) {
            Found::Cannot => Err(()),
            Found::Missing => Ok(None),
            Found::Is(value) => {
                let same = list.iter().map(|item| equal(value, item));
                Ok(same.fold(Some(false), or).map(|t| t != *not_in))
            }
        }),
        Expr::Contains(name, wanted) => leaf(match find(args, name) {
            Found::Cannot => Err(()),
            Found::Is(Value::Array(items)) => {
                Ok(items.iter().map(|i| equal(i, wanted)).fold(Some(false), or))
            }
            Found::Is(Value::String(text)) => {
                Ok(wanted.as_str().map(|wanted| text.contains(wanted)))
            }
            Found::Is(_) | Found::Missing => Ok(None),
        }),
        Expr::Exists(name) => Some(matches!(find(args, name), Found::Is(_)) != negated),
        Expr::Bare(name) => leaf(match find(args, name) {
            Found::Cannot => Err(()),
            Found::Missing => Ok(None),
            Found::Is(value) => Ok(value.as_bool()),
        }),
        Expr::Each(every, name, op, n) => match find(args, name) {
            Found::Cannot => Some(false),
            Found::Is(Value::Array(items)) => {
                let one = |item: &Value| {
                    let held = item
                        .as_i64()
                        .map(|item| if *op == ">" { item > *n } else { item == *n });
                    held.map(|t| t != negated)
                };
                let all = *every != negated;
                let start = Some(all);
                items
                    .iter()
                    .map(one)
                    .fold(start, |l, r| if all { and(l, r) } else { or(l, r) })
            }
            Found::Is(_) | Found::Missing => None,
        },
    }
}

/// Equality of two plain values; other types cannot be compared.
fn equal(a: &Value, b: &Value) -> Option<bool> {
    let same_type = (a.is_number() && b.is_number())
        || (a.is_string() && b.is_string())
        || (a.is_boolean() && b.is_boolean());
    same_type.then(|| a == b)
}

pub(crate) fn write(expr: &Expr) -> String {
    let value = |v: &Value| v.as_str().map_or(v.to_string(), |text| format!("'{text}'"));
    match expr {
        Expr::And(l, r) => format!("({} and {})", write(l), write(r)),
        Expr::Or(l, r) => format!("({} || {})", write(l), write(r)),
        Expr::Not(inner) => format!("(not {})", write(inner)),
        Expr::Order(l, op, r) => format!("{} {op} {}", term(l), term(r)),
        Expr::In(name, list, not_in) => {
            let items: Vec<String> = list.iter().map(value).collect();
            format!(
                "{name} {} [{}]",
                if *not_in { "not in" } else { "in" },
                items.join(", ")
            )
        }
        Expr::Contains(name, wanted) => format!("{name} contains {}", value(wanted)),
        Expr::Exists(name) => format!("exists({name})"),
        Expr::Bare(name) => (*name).to_owned(),
        Expr::Each(every, name, op, n) => {
            format!(
                "{}({name}, x, x {op} {n})",
                if *every { "all" } else { "any" }
            )
        }
    }
}

fn term(one: &Term) -> String {
    match one {
        Term::Arg(name) => format!("$args.{name}"),
        Term::Num(n) => n.to_string(),
        Term::Default(name, n) => format!("default({name}, {n})"),
        Term::Sum(l, r) => format!("({} + {})", term(l), term(r)),
        Term::Times(l, r) => format!("{} * {}", term(l), term(r)),
    }
}
