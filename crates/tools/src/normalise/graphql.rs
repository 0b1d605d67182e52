//! What a GraphQL document asks for: whether it looks or changes, and its outermost fields.
//!
//! `mutation($i: CreateIssueInput!) { issue: createIssue(input: $i) { issue { id } } }` changes, by
//! `createIssue`. An alias does not hide the field. A document with several operations, or one that
//! hides its outermost fields in a fragment, is refused where that leaves open what would run.
//!
//! Must not know: services.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What would run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asks {
    /// Whether it changes something.
    pub(super) mutates: bool,
    /// Its outermost fields, by their real names.
    pub(super) fields: Vec<String>,
}

/// LIMIT: outermost fields that are listed; a document with more is judged as many anyway.
const FIELDS_MAX: usize = 100;

/// Reads `query` and `operationName` of a request.
///
/// # Errors
/// A [`Refusal`] where it cannot be told what would run.
pub(super) fn read(arguments: &Map<String, Value>) -> Result<Asks, Refusal> {
    let told = |what: &str| Refusal::at("body", what);
    let text = arguments.get("query").and_then(Value::as_str);
    let text = text.ok_or_else(|| told("is GraphQL without a `query` that is a text"))?;
    let wanted = arguments
        .get("operationName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let tokens = tokens(text)?;
    let operations = operations(&tokens)?;
    let mut chosen = operations
        .iter()
        .filter(|one| wanted.is_empty() || one.name == wanted);
    match (chosen.next(), chosen.next()) {
        (Some(only), None) => Ok(Asks {
            mutates: only.mutates,
            fields: only.fields.clone(),
        }),
        _ => Err(told(
            "is GraphQL in which `operationName` does not name one operation",
        )),
    }
}

/// `createPullRequest` as `create_pull_request`.
pub(super) fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut before = '_';
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let next_is_lower = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let starts = letter.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase() && next_is_lower);
        if starts && before != '_' {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
        before = *letter;
    }
    text
}

struct Operation {
    name: String,
    mutates: bool,
    fields: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// One of `{ } ( ) : … @` and so on.
    Mark(char),
    /// `...`
    Spread,
    /// A number or a text, whatever it says.
    Value,
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '#' => (None, rest.find('\n').unwrap_or(rest.len())),
            '"' => (Some(Token::Value), quoted(rest)?),
            '.' if rest.starts_with("...") => (Some(Token::Spread), 3),
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                let end = end.unwrap_or(rest.len());
                (
                    rest.get(..end).map(|name| Token::Name(name.to_owned())),
                    end,
                )
            }
            c if c.is_ascii_digit() || c == '-' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
                (Some(Token::Value), end.unwrap_or(rest.len()))
            }
            c if "{}()[]:$!=@|&".contains(c) => (Some(Token::Mark(c)), 1),
            c if c == ',' || c.is_whitespace() || c == '\u{feff}' => (None, c.len_utf8()),
            _ => return Err(Refusal::at("body", "is no GraphQL")),
        };
        found.extend(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(found)
}

/// How long the text is that starts here.
fn quoted(rest: &str) -> Result<usize, Refusal> {
    let open = || Refusal::at("body", "is GraphQL with a text that does not end");
    if let Some(block) = rest.strip_prefix("\"\"\"") {
        let mut from = 0;
        loop {
            let end = block
                .get(from..)
                .and_then(|rest| rest.find("\"\"\""))
                .ok_or_else(open)?
                + from;
            let escaped = block
                .get(..end)
                .is_some_and(|before| before.ends_with('\\'));
            if !escaped {
                return Ok(end + 6);
            }
            from = end + 3;
        }
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Ok(at + 1),
            '\n' => return Err(open()),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Err(open())
}

fn operations(tokens: &[Token]) -> Result<Vec<Operation>, Refusal> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        let open = position(rest, '{')?;
        let (head, block) = rest.split_at_checked(open).unwrap_or((rest, &[]));
        let close = closing(block)?;
        let (inner, after) = block.split_at_checked(close).unwrap_or((block, &[]));
        let kind = match first {
            Token::Mark('{') => "query",
            Token::Name(kind) => kind.as_str(),
            _ => return Err(Refusal::at("body", "is no GraphQL")),
        };
        let name = match head.get(1) {
            Some(Token::Name(name)) => name.clone(),
            _ => String::new(),
        };
        match kind {
            "query" | "mutation" | "subscription" => found.push(Operation {
                name,
                mutates: kind == "mutation",
                fields: fields(inner.get(1..).unwrap_or_default(), kind == "mutation")?,
            }),
            "fragment" => {}
            _ => return Err(Refusal::at("body", "is no GraphQL")),
        }
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(found)
}

/// Where the selection starts: the first `{` outside of parentheses (a variable's default may have
/// some).
fn position(tokens: &[Token], wanted: char) -> Result<usize, Refusal> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth = depth.saturating_sub(1),
            Token::Mark(mark) if *mark == wanted && depth == 0 => return Ok(at),
            _ => {}
        }
    }
    Err(Refusal::at("body", "is GraphQL without a selection"))
}

/// Where the block that starts here ends.
fn closing(block: &[Token]) -> Result<usize, Refusal> {
    let mut depth = 0usize;
    for (at, token) in block.iter().enumerate() {
        match token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => {}
        }
    }
    Err(Refusal::at("body", "is GraphQL whose braces do not pair"))
}

/// The outermost fields of a selection.
fn fields(inner: &[Token], mutates: bool) -> Result<Vec<String>, Refusal> {
    let (mut found, mut depth, mut at) = (Vec::new(), 0usize, 0usize);
    while let Some(token) = inner.get(at) {
        match token {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark('}' | ')' | ']') => depth = depth.saturating_sub(1),
            Token::Spread if depth == 0 && mutates => {
                let what = "is a GraphQL mutation that hides its fields in a fragment";
                return Err(Refusal::at("body", what));
            }
            // What stands behind an `@` is a directive.
            Token::Mark('@') if depth == 0 => at += 1,
            Token::Name(name) if depth == 0 && found.len() < FIELDS_MAX => {
                let aliased = inner.get(at + 1) == Some(&Token::Mark(':'));
                match inner.get(at + 2) {
                    Some(Token::Name(real)) if aliased => {
                        found.push(real.clone());
                        at += 2;
                    }
                    _ => found.push(name.clone()),
                }
            }
            _ => {}
        }
        at += 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Asks, read, snake};
    use serde_json::json;

    fn asks(query: &str, name: &str) -> Result<Asks, ()> {
        let body = json!({"query": query, "operationName": name});
        read(body.as_object().unwrap()).map_err(|_| ())
    }

    fn mutation(fields: &[&str]) -> Result<Asks, ()> {
        Ok(Asks {
            mutates: true,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        })
    }

    #[test]
    fn a_document_says_what_would_run() {
        let look = asks("{ viewer { login } }", "").unwrap();
        assert!(!look.mutates);
        assert_eq!(look.fields, ["viewer"]);
        assert_eq!(
            asks(
                "mutation { createIssue(input: {title: \"}\"}) { issue { id } } }",
                ""
            ),
            mutation(&["createIssue"])
        );
        assert_eq!(
            asks(
                "# query\nmutation M($i: I = {a: 1}) @x { look: deleteRef(input: $i) { id } addComment { id } }",
                ""
            ),
            mutation(&["deleteRef", "addComment"])
        );
        assert_eq!(
            asks("query A { a } mutation B { b }", "B"),
            mutation(&["b"])
        );
        assert_eq!(
            asks("mutation { a(x: \"\"\" \\\"\"\" } \"\"\") { id } }", ""),
            mutation(&["a"])
        );
    }

    #[test]
    fn what_leaves_open_what_would_run_is_refused() {
        for bad in [
            "query A { a } mutation B { b }",
            "mutation { ...F } fragment F on Mutation { deleteRef { id } }",
            "mutation { ... on Mutation { deleteRef { id } } }",
            "mutation { a",
            "mutation { a(x: \"",
            "subscribe { a }",
            "type X { a: Int }",
            "",
            "%",
        ] {
            assert_eq!(asks(bad, ""), Err(()), "{bad}");
        }
        assert_eq!(asks("mutation A { a } mutation A { b }", "A"), Err(()));
        assert_eq!(
            read(json!({"query": ["x"]}).as_object().unwrap()).ok(),
            None
        );
    }

    #[test]
    fn names_are_written_as_those_of_tools() {
        for (name, expected) in [
            ("createPullRequest", "create_pull_request"),
            ("DescribeDBInstances", "describe_db_instances"),
            ("PutItem", "put_item"),
            ("GetV2Thing", "get_v2_thing"),
            ("ListACLs", "list_ac_ls"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }
}
