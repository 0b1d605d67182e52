//! The registry of functions of the `when` language: sorted, one entry a function.
//!
//! `lower`, `host`, `domain`, `number`, `count` and `addresses` turn a value into another, each in its
//! own file.
//! The others are forms: they look at where a value comes from or ask about earlier calls, so the
//! checker builds them.
//!
//! Must not know: calls, rules.

mod addresses;
mod count;
mod domain;
mod host;
mod lower;
mod number;

use crate::facts::Type;
use crate::value::Datum;

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written, `default(path, value)`.
    pub signature: &'static str,
    /// What it gives, for the reference page.
    pub doc: &'static str,
    pub(crate) kind: Kind,
}

impl Function {
    /// Whether earlier calls have to be known for it.
    pub(crate) const fn asks_history(&self) -> bool {
        matches!(
            self.kind,
            Kind::Rate | Kind::Sum | Kind::HasRead | Kind::Source
        )
    }
}

/// How a function is built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A value from a value; `None` where it has none, which makes the comparison unknown.
    Value {
        of: Type,
        gives: Type,
        apply: for<'c> fn(Datum<'c>) -> Option<Datum<'c>>,
    },
    Exists,
    Default,
    Any,
    All,
    Rate,
    Sum,
    HasRead,
    Source,
}

const fn value(
    name: &'static str,
    signature: &'static str,
    doc: &'static str,
    types: (Type, Type),
    apply: for<'c> fn(Datum<'c>) -> Option<Datum<'c>>,
) -> Function {
    let (of, gives) = types;
    Function {
        name,
        signature,
        doc,
        kind: Kind::Value { of, gives, apply },
    }
}

const fn form(
    name: &'static str,
    signature: &'static str,
    doc: &'static str,
    kind: Kind,
) -> Function {
    Function {
        name,
        signature,
        doc,
        kind,
    }
}

const TEXT: (Type, Type) = (Type::Text, Type::Text);

/// Every function, sorted by name.
pub const FUNCTIONS: &[Function] = &[
    value(
        "addresses",
        "addresses(text)",
        "the e-mail addresses, URLs, hosts and account numbers that stand in a text",
        (Type::Any, Type::Texts),
        addresses::addresses,
    ),
    form(
        "all",
        "all(list, item, expr)",
        "whether `expr` holds for every element, called `item` in it",
        Kind::All,
    ),
    form(
        "any",
        "any(list, item, expr)",
        "whether `expr` holds for some element, called `item` in it",
        Kind::Any,
    ),
    value(
        "count",
        "count(path)",
        "how many elements a list has",
        (Type::Any, Type::Number),
        count::count,
    ),
    form(
        "default",
        "default(path, value)",
        "the value where there is one, else the one given",
        Kind::Default,
    ),
    value(
        "domain",
        "domain(email)",
        "what stands behind the `@` of one address, in lower case",
        TEXT,
        domain::domain,
    ),
    form(
        "exists",
        "exists(path)",
        "whether there is a value; always true or false",
        Kind::Exists,
    ),
    form(
        "has_read",
        "has_read(class, scope, window)",
        "whether data of the class was read in the window",
        Kind::HasRead,
    ),
    value(
        "host",
        "host(url)",
        "the host of a URL, in lower case",
        TEXT,
        host::host,
    ),
    value(
        "lower",
        "lower(text)",
        "the text in lower case",
        TEXT,
        lower::lower,
    ),
    value(
        "number",
        "number(text)",
        "the decimal that a text writes, `50.00`; a number is itself",
        (Type::Text, Type::Number),
        number::number,
    ),
    form(
        "rate",
        "rate(scope, window, tools)",
        "calls so far in the window; `tools` is a glob and may be left out",
        Kind::Rate,
    ),
    form(
        "source",
        "source(args.x)",
        "where the value was seen before in this session: user, result, external, none",
        Kind::Source,
    ),
    form(
        "sum",
        "sum(args.x, scope, window, tools)",
        "the sum of an argument over the calls in the window",
        Kind::Sum,
    ),
];

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use super::FUNCTIONS;

    #[test]
    fn names_are_sorted() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
