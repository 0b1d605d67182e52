//! Kinds of nodes in the syntax trees of Python and TypeScript, as their grammars name them.
//!
//! `call` and `call_expression` are expressions, `if_statement` is none. Must not know: what is made of
//! them.

/// Whether a node of this kind is a statement that stands where an expression might.
pub(super) fn is_statement(kind: &str) -> bool {
    kind.ends_with("_statement")
        || kind.ends_with("_declaration")
        || matches!(
            kind,
            "block" | "statement_block" | "function_definition" | "class_definition"
        )
}

/// Whether a node of this kind is an expression that is read as a whole.
pub(super) fn is_expression(kind: &str) -> bool {
    matches!(
        kind,
        "call"
            | "call_expression"
            | "new_expression"
            | "assignment"
            | "assignment_expression"
            | "variable_declarator"
            | "named_expression"
            | "await"
            | "await_expression"
            | "attribute"
            | "member_expression"
            | "list"
            | "array"
            | "tuple"
            | "dictionary"
            | "object"
            | "parenthesized_expression"
            | "lambda"
            | "arrow_function"
            | "function_expression"
            | "binary_operator"
            | "binary_expression"
            | "conditional_expression"
            | "ternary_expression"
            | "as_expression"
            | "satisfies_expression"
            | "list_comprehension"
            | "expression_list"
            | "identifier"
            | "pair"
    )
}
