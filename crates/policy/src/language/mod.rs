//! The `when` language as text: tokens, tree, parser (2-decision, 4).
//!
//! `amount > 500 or env == prod` becomes a tree in which every part knows its bytes. Nothing is
//! looked up here: whether `amount` is an argument or an attribute is the checker's question.
//!
//! Must not know: attributes, tools, rules, values of a call.

mod parser;
mod token;
mod tree;

pub(crate) use parser::parse;
pub(crate) use tree::{Arithmetic, Expr, ExprKind, Operator};

#[cfg(test)]
mod tests;
