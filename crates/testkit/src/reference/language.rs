//! The `when` language read the slow way: words first, then one function a line of the grammar
//! (2-decision, 4).
//!
//! `not a == 1 or b in [x, 2]` is *or* of *not* `a == 1` and `b in ["x", 2]`.
//!
//! Must not know: what a name stands for.

use super::number::Number;

/// `and`, `or`, `not` over comparisons.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Term, &'static str, Term),
    Plain(Term),
}

#[derive(Clone, Debug)]
pub(super) enum Term {
    Number(Number),
    Text(String),
    Bool(bool),
    /// In milliseconds.
    Span(i64),
    List(Vec<Term>),
    Name(String),
    Call(String, Vec<Expr>),
    Join(Box<Term>, char, Box<Term>),
    Group(Box<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(String),
}

const OPERATORS: [&str; 13] = [
    "==",
    "!=",
    "<=",
    ">=",
    "<",
    ">",
    "in",
    "not in",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "~",
];

/// The expression that `text` writes; nothing where it is none.
pub(super) fn parse(text: &str) -> Option<Expr> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
    };
    let expr = reader.or()?;
    (reader.at == reader.tokens.len()).then_some(expr)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '"' | '\'' => {
                let inner = rest.get(1..)?.split(first).next()?;
                tokens.push(Token::Text(inner.to_owned()));
                rest.get(inner.len() + 1..)?
                    .starts_with(first)
                    .then_some(inner.len() + 2)?
            }
            '0'..='9' => push(&mut tokens, number_len(rest), rest, Token::Number)?,
            '$' | '_' | 'a'..='z' | 'A'..='Z' => {
                push(&mut tokens, word_len(rest), rest, Token::Word)?
            }
            _ => {
                let two = ["==", "!=", "<=", ">=", "||", "&&"];
                let len = if two.iter().any(|sign| rest.starts_with(sign)) {
                    2
                } else {
                    first.len_utf8()
                };
                push(&mut tokens, len, rest, Token::Sign)?
            }
        };
        rest = rest.get(len..)?.trim_start();
    }
    Some(tokens)
}

fn push(
    tokens: &mut Vec<Token>,
    len: usize,
    rest: &str,
    kind: fn(String) -> Token,
) -> Option<usize> {
    tokens.push(kind(rest.get(..len)?.to_owned()));
    Some(len)
}

/// A word runs over `.`, `[0]`, and over `-`, `:` and `@` where they stand inside it.
fn word_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    chars.next();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let goes_on = match c {
            '.' | '-' | ':' | '@' => next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'),
            '[' => next.is_some_and(|c| c.is_ascii_digit()),
            ']' => text.get(..at).is_some_and(|before| before.contains('[')),
            _ => c.is_ascii_alphanumeric() || c == '_',
        };
        if !goes_on {
            return at;
        }
    }
    text.len()
}

fn number_len(text: &str) -> usize {
    let digits = |c: char| !c.is_ascii_digit();
    let front = text.find(digits).unwrap_or(text.len());
    let rest = text.get(front..).unwrap_or_default();
    let behind = match rest.strip_prefix('.') {
        Some(back) if back.starts_with(|c: char| c.is_ascii_digit()) => {
            1 + back.find(digits).unwrap_or(back.len())
        }
        _ => 0,
    };
    let rest = rest.get(behind..).unwrap_or_default();
    let unit = rest.find(|c: char| !c.is_ascii_alphabetic());
    front + behind + unit.unwrap_or(rest.len())
}

/// `90s`, `5m`, `1h`, `30d`, `250ms`.
pub(super) fn span(text: &str) -> Option<i64> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let millis = match text.get(unit..)? {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    text.get(..unit)?.parse::<i64>().ok()?.checked_mul(millis)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, one_of: &[&str]) -> bool {
        let found = match self.peek() {
            Some(Token::Word(text) | Token::Sign(text)) => one_of.contains(&text.as_str()),
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Option<Expr> {
        let mut parts = vec![self.and()?];
        while self.take(&["or", "||"]) {
            parts.push(self.and()?);
        }
        Some(Expr::Or(parts))
    }

    fn and(&mut self) -> Option<Expr> {
        let mut parts = vec![self.not()?];
        while self.take(&["and", "&&"]) {
            parts.push(self.not()?);
        }
        Some(Expr::And(parts))
    }

    fn not(&mut self) -> Option<Expr> {
        if self.take(&["not", "!"]) {
            return Some(Expr::Not(Box::new(self.not()?)));
        }
        let left = self.sum(false)?;
        match self.operator() {
            Some(op) => Some(Expr::Compare(left, op, self.sum(true)?)),
            None => Some(Expr::Plain(left)),
        }
    }

    fn operator(&mut self) -> Option<&'static str> {
        if self.take(&["not"]) {
            return self.take(&["in"]).then_some("not in");
        }
        OPERATORS.into_iter().find(|op| self.take(&[op]))
    }

    fn sum(&mut self, bare: bool) -> Option<Term> {
        let mut left = self.product(bare)?;
        while let Some(sign) = ['+', '-']
            .into_iter()
            .find(|sign| self.take(&[&sign.to_string()]))
        {
            left = Term::Join(Box::new(left), sign, Box::new(self.product(bare)?));
        }
        Some(left)
    }

    fn product(&mut self, bare: bool) -> Option<Term> {
        let mut left = self.term(bare)?;
        while let Some(sign) = ['*', '/']
            .into_iter()
            .find(|sign| self.take(&[&sign.to_string()]))
        {
            left = Term::Join(Box::new(left), sign, Box::new(self.term(bare)?));
        }
        Some(left)
    }

    /// A bare word is a text where `bare` says so, and a name elsewhere.
    fn term(&mut self, bare: bool) -> Option<Term> {
        let token = self.peek()?.clone();
        self.at += 1;
        match token {
            Token::Text(text) => Some(Term::Text(text)),
            Token::Number(text) => match span(&text) {
                Some(span) => Some(Term::Span(span)),
                None => Number::read(&text).map(Term::Number),
            },
            Token::Sign(sign) => match sign.as_str() {
                "(" => {
                    let inner = self.or()?;
                    self.take(&[")"]).then(|| Term::Group(Box::new(inner)))
                }
                "[" => self.list(),
                "-" => match self.term(bare)? {
                    Term::Number(number) => Number::of(0).join('-', number).map(Term::Number),
                    _ => None,
                },
                _ => None,
            },
            Token::Word(word) => match word.as_str() {
                "true" | "false" => Some(Term::Bool(word == "true")),
                _ if self.take(&["("]) => self.call(word),
                _ => Some(match word.strip_prefix('$') {
                    Some(name) => Term::Name(name.to_owned()),
                    None if bare => Term::Text(word),
                    None => Term::Name(word),
                }),
            },
        }
    }

    fn list(&mut self) -> Option<Term> {
        let mut items = Vec::new();
        while !self.take(&["]"]) {
            items.push(self.sum(true)?);
            self.take(&[","]);
        }
        Some(Term::List(items))
    }

    fn call(&mut self, function: String) -> Option<Term> {
        let mut parts = Vec::new();
        while !self.take(&[")"]) {
            parts.push(self.or()?);
            self.take(&[","]);
        }
        Some(Term::Call(function, parts))
    }
}
