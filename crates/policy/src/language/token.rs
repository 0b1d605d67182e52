//! Text to tokens.
//!
//! `amount >= 5.50 && tool == stripe.refund` is seven tokens. A word runs over dots, indices
//! (`items[0].id`), and over `-`, `:` and `@` where a letter or digit follows at once, so that
//! `create-issue`, `customer:cust_1` and `ana@acme.com` need no quotes; a minus that is meant as
//! one has a space after it. Quoted texts have no escapes: a backslash is a backslash, as regular
//! expressions want it.
//!
//! Must not know: the grammar.

use std::ops::Range;

use rust_decimal::Decimal;
use toolgate_model::Duration;

use super::tree::SyntaxError;
use crate::diagnostics::{BAD_DURATION, BAD_NUMBER, SYNTAX};
use crate::number;
use crate::source::shown;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Decimal),
    Duration(Duration),
    Text(String),
    Word(String),
    /// `$name`.
    Reference(String),
    /// An operator, keyword or bracket.
    Sign(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: Range<usize>,
}

/// Longest first, so that `<=` is not `<` and `=`.
const SIGNS: [&str; 18] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "~", "+", "-", "*", "/", "(", ")", "[", "]",
];
pub(super) const KEYWORDS: [&str; 10] = [
    "and",
    "or",
    "not",
    "in",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "true",
    "false",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, SyntaxError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        if blank > 0 {
            at += blank;
            continue;
        }
        let (token, length) = next(rest).map_err(|error| error.moved(at))?;
        found.push(Placed {
            token,
            at: at..at + length,
        });
        at += length;
    }
    found.push(Placed {
        token: Token::End,
        at: text.len()..text.len(),
    });
    Ok(found)
}

impl SyntaxError {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code: SYNTAX,
            at,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn moved(mut self, by: usize) -> Self {
        self.at = self.at.start + by..self.at.end + by;
        self
    }
}

fn next(rest: &str) -> Result<(Token, usize), SyntaxError> {
    let first = rest.chars().next().unwrap_or_default();
    match first {
        '"' | '\'' => quoted(rest, first),
        '0'..='9' => number_or_duration(rest),
        '$' => {
            let length = word_length(rest.get(1..).unwrap_or_default());
            if length == 0 {
                return Err(SyntaxError::new(
                    0..1,
                    "`$` stands before the name of an attribute",
                ));
            }
            let name = rest.get(1..=length).unwrap_or_default();
            Ok((Token::Reference(name.to_owned()), length + 1))
        }
        ',' => Ok((Token::Sign(","), 1)),
        c if is_word(c) => {
            let length = word_length(rest);
            let word = rest.get(..length).unwrap_or_default();
            let keyword = KEYWORDS.iter().find(|keyword| **keyword == word);
            let token = keyword.map_or_else(|| Token::Word(word.to_owned()), |k| Token::Sign(k));
            Ok((token, length))
        }
        _ => sign(rest, first),
    }
}

fn sign(rest: &str, first: char) -> Result<(Token, usize), SyntaxError> {
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let error = SyntaxError::new(
        0..first.len_utf8(),
        format!("`{}` is no operator", shown(&first.to_string())),
    );
    Err(match first {
        '=' => error.help("compare with `==`"),
        '&' => error.help("join with `and` or `&&`"),
        '|' => error.help("join with `or` or `||`"),
        _ => error.help("quote texts with \" or '"),
    })
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), SyntaxError> {
    let inner = rest.get(1..).unwrap_or_default();
    let Some(end) = inner.find(quote) else {
        return Err(SyntaxError::new(
            0..rest.len(),
            "the quoted text does not end",
        ));
    };
    let text = inner.get(..end).unwrap_or_default().to_owned();
    Ok((Token::Text(text), end + 2))
}

fn number_or_duration(rest: &str) -> Result<(Token, usize), SyntaxError> {
    let is_digit = |c: char| c.is_ascii_digit();
    let whole = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
    let after = rest.get(whole..).unwrap_or_default();
    let fraction = match after.strip_prefix('.') {
        Some(tail) => 1 + tail.find(|c| !is_digit(c)).unwrap_or(tail.len()),
        None => 0,
    };
    let tail = rest.get(whole + fraction..).unwrap_or_default();
    let unit = tail.find(|c| !is_word(c)).unwrap_or(tail.len());
    let length = whole + fraction + unit;
    let text = rest.get(..length).unwrap_or_default();
    let wrong = |code, message: String, help: &str| SyntaxError {
        code,
        at: 0..length,
        message,
        help: Some(help.to_owned()),
    };
    if unit > 0 {
        let help = "durations are 250ms, 20s, 5m, 24h, 30d; quote other texts";
        let wrong = |_| {
            wrong(
                BAD_DURATION,
                format!("`{}` is not a duration", shown(text)),
                help,
            )
        };
        return Ok((Token::Duration(text.parse().map_err(wrong)?), length));
    }
    match number::parse(text).filter(|_| fraction != 1) {
        Some(number) => Ok((Token::Number(number), length)),
        None => {
            let message = format!("`{}` is not an exact decimal", shown(text));
            Err(wrong(
                BAD_NUMBER,
                message,
                "at most 28 digits, with digits after the point",
            ))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// How far a word runs.
fn word_length(rest: &str) -> usize {
    let mut at = 0;
    loop {
        let tail = rest.get(at..).unwrap_or_default();
        let run = tail.find(|c| !is_word(c)).unwrap_or(tail.len());
        let keyword = KEYWORDS.contains(&rest.get(..at + run).unwrap_or_default());
        at += run;
        let tail = rest.get(at..).unwrap_or_default();
        if let Some(index) = index_length(tail).filter(|_| at > 0 && !keyword) {
            at += index;
            continue;
        }
        let mut chars = tail.chars();
        let joins = chars.next().is_some_and(|c| ".-:@".contains(c));
        if at > 0 && joins && chars.next().is_some_and(is_word) {
            at += 1;
        } else {
            return at;
        }
    }
}

/// The length of an index, `[12]`.
fn index_length(tail: &str) -> Option<usize> {
    let inner = tail.strip_prefix('[')?;
    let close = inner.find(']')?;
    let digits = inner.get(..close)?;
    (!digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then_some(close + 2)
}
