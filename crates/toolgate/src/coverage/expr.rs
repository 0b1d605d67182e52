//! What a file of code says, in a form that Python and TypeScript share.
//!
//! ```text
//! search = tool(find, name="search")     a binding of `search` to a call of `tool`
//! ```
//!
//! Only what matters for the question "which tools, given to whom" is kept: names, members, calls,
//! lists, maps and texts. Everything else is [`Expr::Other`] with its parts, so that a call within
//! it is still seen. Must not know: which names mean tools.

use std::collections::HashMap;

/// Where something stands: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// `search`
    Name(String),
    /// `gate.tool`
    Member(Box<Self>, String),
    /// `tool(find)`, also with `new` or `await`.
    Call(Call),
    /// `[a, b]`, and what picks or joins: `a + b`, `a if c else b`.
    List(Vec<Self>),
    /// `{search: tool(…)}`; the key is none where it is computed.
    Map(Vec<(Option<String>, Self)>),
    /// A text.
    Text(String),
    /// A function without a name.
    Function(Place),
    /// Anything else.
    Other(Vec<Self>),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) callee: Box<Expr>,
    pub(super) arguments: Vec<(Option<String>, Expr)>,
    pub(super) place: Place,
}

/// A function or a class with its name.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) decorators: Vec<Expr>,
    /// The bases of a class; none for a function.
    pub(super) bases: Vec<Expr>,
    /// What a class says of itself: `name = "search"`.
    pub(super) members: Vec<(String, Expr)>,
    pub(super) place: Place,
}

/// Where a name was imported from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Import {
    /// `langchain_core.tools`, `.tools`, `@openai/agents`, `./tools`
    pub(super) module: String,
    /// What of it; none for the module itself.
    pub(super) name: Option<String>,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) imports: HashMap<String, Import>,
    /// Modules from which everything is imported.
    pub(super) wildcards: Vec<String>,
    /// What names are bound to, in the order of the file.
    pub(super) bindings: HashMap<String, Vec<Expr>>,
    pub(super) declared: Vec<Declared>,
    /// Every expression that stands in no other.
    pub(super) loose: Vec<Expr>,
    /// The first line that could not be read, if there is one.
    pub(super) broken: Option<usize>,
}

impl Call {
    /// The argument of this name: by keyword, or as a member of an argument that is a map.
    pub(super) fn named(&self, name: &str) -> Option<&Expr> {
        let keyword = self
            .arguments
            .iter()
            .find(|(key, _)| key.as_deref() == Some(name))
            .map(|(_, value)| value);
        keyword.or_else(|| {
            self.members()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        })
    }

    /// The members of arguments that are maps.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &Expr)> {
        let maps = self.arguments.iter().filter_map(|(_, value)| match value {
            Expr::Map(members) => Some(members),
            _ => None,
        });
        maps.flatten()
            .filter_map(|(key, value)| Some((key.as_deref()?, value)))
    }

    /// The arguments without a name.
    pub(super) fn positional(&self) -> impl Iterator<Item = &Expr> {
        self.arguments
            .iter()
            .filter(|(key, _)| key.is_none())
            .map(|(_, value)| value)
    }
}

impl Expr {
    /// The expressions directly within this one.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Name(_) | Self::Text(_) | Self::Function(_) => Vec::new(),
            Self::Member(object, _) => vec![object],
            Self::Call(call) => std::iter::once(&*call.callee)
                .chain(call.arguments.iter().map(|(_, value)| value))
                .collect(),
            Self::List(parts) | Self::Other(parts) => parts.iter().collect(),
            Self::Map(members) => members.iter().map(|(_, value)| value).collect(),
        }
    }

    /// The text that it is.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The last name in it: `tool` of `agents.tool(…)`.
    pub(super) fn last_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Member(_, name) => Some(name),
            Self::Call(call) => call.callee.last_name(),
            _ => None,
        }
    }

    /// It as a person would name it: `get_tools()`.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Member(object, name) => format!("{}.{name}", object.shown()),
            Self::Call(call) => format!("{}()", call.callee.shown()),
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "[…]".to_owned(),
            Self::Map(_) => "{…}".to_owned(),
            Self::Function(_) => "a function without a name".to_owned(),
            Self::Other(_) => "…".to_owned(),
        }
    }
}
