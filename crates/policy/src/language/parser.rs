//! Tokens to tree, by descent: or, and, not, comparison, sum, product, value.
//!
//! On the right of a comparison and in lists a bare word is a text, elsewhere it is a name:
//! `env == prod` compares with the text `prod`, `env == $workflow` with the attribute.
//!
//! Must not know: what names refer to. INVARIANT: nesting and parts are bounded here, so every
//! later walk over the tree may recurse.

use std::ops::Range;

use toolgate_model::nearest;

use super::token::{KEYWORDS, Placed, Token, tokens};
use super::tree::{Arithmetic, Expr, ExprKind, Operator, SyntaxError};
use crate::diagnostics::EXPRESSION_TOO_LARGE;
use crate::limits;
use crate::source::shown;

/// What a bare word stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    Name,
    Text,
}

struct Parser<'t> {
    tokens: &'t [Placed],
    next: usize,
    depth: usize,
    parts: usize,
}

type Parsed = Result<Expr, SyntaxError>;

/// The tree of `text`.
pub(crate) fn parse(text: &str) -> Parsed {
    let whole = 0..text.len();
    if text.len() > limits::EXPRESSION_BYTES_MAX {
        let max = limits::EXPRESSION_BYTES_MAX;
        return Err(too_large(
            whole,
            format!("has {} bytes, more than {max}", text.len()),
        ));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        depth: 0,
        parts: 0,
    };
    if parser.peek() == &Token::End {
        return Err(SyntaxError::new(whole, "the expression is empty"));
    }
    let expr = parser.or(Bare::Name)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("`and`, `or` or the end")),
    }
}

fn too_large(at: Range<usize>, what: String) -> SyntaxError {
    SyntaxError {
        code: EXPRESSION_TOO_LARGE,
        at,
        message: format!("the expression {what}"),
        help: Some("write several rules; the strictest effect holds".to_owned()),
    }
}

impl Parser<'_> {
    fn or(&mut self, bare: Bare) -> Parsed {
        self.joined(bare, ["or", "||"], Self::and, ExprKind::Or)
    }

    fn and(&mut self, bare: Bare) -> Parsed {
        self.joined(bare, ["and", "&&"], Self::not, ExprKind::And)
    }

    fn joined(
        &mut self,
        bare: Bare,
        signs: [&str; 2],
        part: fn(&mut Self, Bare) -> Parsed,
        join: fn(Vec<Expr>) -> ExprKind,
    ) -> Parsed {
        let first = part(self, bare)?;
        let start = first.at.start;
        let (mut end, mut rest) = (first.at.end, Vec::new());
        while self.take_any(&signs) {
            let next = part(self, bare)?;
            end = next.at.end;
            rest.push(next);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, first);
        self.node(start..end, join(rest))
    }

    fn not(&mut self, bare: Bare) -> Parsed {
        let start = self.here().start;
        if !self.take_any(&["not", "!"]) {
            return self.comparison(bare);
        }
        let inner = self.nested(|parser| parser.not(bare))?;
        self.node(start..inner.at.end, ExprKind::Not(Box::new(inner)))
    }

    fn comparison(&mut self, bare: Bare) -> Parsed {
        let left = self.sum(bare)?;
        let Some(op) = self.operator()? else {
            return Ok(left);
        };
        let right = self.sum(Bare::Text)?;
        let at = left.at.start..right.at.end;
        let (left, right) = (Box::new(left), Box::new(right));
        let compared = self.node(at, ExprKind::Compare { op, left, right })?;
        if self.clone_ahead().operator()?.is_some() {
            let error = SyntaxError::new(self.here(), "comparisons do not chain");
            return Err(error.help("write `a < b and b < c`"));
        }
        Ok(compared)
    }

    fn operator(&mut self) -> Result<Option<Operator>, SyntaxError> {
        let Token::Sign(sign) = *self.peek() else {
            return Ok(None);
        };
        let op = match sign {
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "in" => Operator::In,
            "contains" => Operator::Contains,
            "starts_with" => Operator::StartsWith,
            "ends_with" => Operator::EndsWith,
            "matches" => Operator::Glob,
            "~" => Operator::Regex,
            "not" => {
                self.next += 1;
                return match self.take_any(&["in"]) {
                    true => Ok(Some(Operator::NotIn)),
                    false => Err(self.unexpected("`in` after `not`")),
                };
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(op))
    }

    fn sum(&mut self, bare: Bare) -> Parsed {
        let signs = [("+", Arithmetic::Add), ("-", Arithmetic::Subtract)];
        self.chained(bare, signs, Self::product)
    }

    fn product(&mut self, bare: Bare) -> Parsed {
        let signs = [("*", Arithmetic::Multiply), ("/", Arithmetic::Divide)];
        self.chained(bare, signs, Self::value)
    }

    fn chained(
        &mut self,
        bare: Bare,
        signs: [(&'static str, Arithmetic); 2],
        part: fn(&mut Self, Bare) -> Parsed,
    ) -> Parsed {
        let mut left = part(self, bare)?;
        let before = self.depth;
        while let Some((_, op)) = signs.into_iter().find(|(sign, _)| self.take_any(&[sign])) {
            // A chain leans to the left, so each link of it is one level more.
            self.deeper()?;
            let right = part(self, bare)?;
            let at = left.at.start..right.at.end;
            let (l, right) = (Box::new(left), Box::new(right));
            left = self.node(at, ExprKind::Arithmetic { op, left: l, right })?;
        }
        self.depth = before;
        Ok(left)
    }

    fn value(&mut self, bare: Bare) -> Parsed {
        let Placed { token, at } = self.take();
        let kind = match token {
            Token::Number(number) => ExprKind::Number(number),
            Token::Duration(duration) => ExprKind::Duration(duration),
            Token::Text(text) => ExprKind::Text(text),
            Token::Reference(name) => ExprKind::Name(name),
            Token::Sign("true") => ExprKind::Bool(true),
            Token::Sign("false") => ExprKind::Bool(false),
            Token::Sign("-") => return self.negative(at),
            Token::Sign("(") => return self.group(at, bare),
            Token::Sign("[") => return self.list(at),
            Token::Word(name) if self.peek() == &Token::Sign("(") => return self.call(at, name),
            Token::Word(word) => match bare {
                Bare::Name => ExprKind::Name(word),
                Bare::Text => ExprKind::Word(word),
            },
            Token::Sign(_) | Token::End => {
                self.next = self.next.saturating_sub(1);
                return Err(self.unexpected("a name or a value"));
            }
        };
        self.node(at, kind)
    }

    fn negative(&mut self, minus: Range<usize>) -> Parsed {
        let Placed { token, at } = self.take();
        match token {
            Token::Number(number) => self.node(minus.start..at.end, ExprKind::Number(-number)),
            _ => Err(SyntaxError::new(
                minus,
                "a minus in front stands only before a number",
            )),
        }
    }

    fn group(&mut self, open: Range<usize>, bare: Bare) -> Parsed {
        let mut inner = self.nested(|parser| parser.or(bare))?;
        let close = self.expect(")")?;
        inner.at = open.start..close.end;
        Ok(inner)
    }

    fn list(&mut self, open: Range<usize>) -> Parsed {
        let (items, close) = self.nested(|parser| {
            let items = parser.items("]", |parser, _| parser.sum(Bare::Text))?;
            Ok((items, parser.expect("]")?))
        })?;
        self.node(open.start..close.end, ExprKind::List(items))
    }

    fn call(&mut self, at: Range<usize>, name: String) -> Parsed {
        self.expect("(")?;
        let value_second = name == "default";
        let (args, close) = self.nested(|parser| {
            let args = parser.items(")", |parser, place| {
                let value = value_second && place == 1;
                parser.or(if value { Bare::Text } else { Bare::Name })
            })?;
            Ok((args, parser.expect(")")?))
        })?;
        self.node(at.start..close.end, ExprKind::Call { name, args })
    }

    /// What stands between brackets, separated by commas.
    fn items(
        &mut self,
        close: &'static str,
        mut item: impl FnMut(&mut Self, usize) -> Parsed,
    ) -> Result<Vec<Expr>, SyntaxError> {
        let mut items = Vec::new();
        if self.peek() == &Token::Sign(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self, items.len())?);
            if !self.take_any(&[","]) {
                return Ok(items);
            }
        }
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.deeper()?;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > limits::EXPRESSION_DEPTH_MAX {
            let max = limits::EXPRESSION_DEPTH_MAX;
            return Err(too_large(
                self.here(),
                format!("nests deeper than {max} levels"),
            ));
        }
        Ok(())
    }

    fn node(&mut self, at: Range<usize>, kind: ExprKind) -> Parsed {
        self.parts += 1;
        if self.parts > limits::EXPRESSION_PARTS_MAX {
            let max = limits::EXPRESSION_PARTS_MAX;
            return Err(too_large(at, format!("has more than {max} parts")));
        }
        Ok(Expr { at, kind })
    }

    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |placed| &placed.token)
    }

    fn here(&self) -> Range<usize> {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens
            .get(self.next.min(last))
            .map_or(0..0, |placed| placed.at.clone())
    }

    fn take(&mut self) -> Placed {
        let placed = Placed {
            token: self.peek().clone(),
            at: self.here(),
        };
        self.next += 1;
        placed
    }

    fn take_any(&mut self, signs: &[&str]) -> bool {
        let hit = matches!(self.peek(), Token::Sign(sign) if signs.contains(sign));
        if hit {
            self.next += 1;
        }
        hit
    }

    fn expect(&mut self, sign: &'static str) -> Result<Range<usize>, SyntaxError> {
        let at = self.here();
        match self.take_any(&[sign]) {
            true => Ok(at),
            false => Err(self.unexpected(&format!("`{sign}`"))),
        }
    }

    fn clone_ahead(&self) -> Parser<'_> {
        Parser {
            tokens: self.tokens,
            next: self.next,
            depth: self.depth,
            parts: self.parts,
        }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let at = self.here();
        let found = match self.peek() {
            Token::End => {
                return SyntaxError::new(
                    at,
                    format!("the expression ends where {wanted} should follow"),
                );
            }
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Word(word) | Token::Text(word) | Token::Reference(word) => shown(word),
            Token::Number(number) => number.to_string(),
            Token::Duration(duration) => duration.to_string(),
        };
        let error = SyntaxError::new(at, format!("`{found}` stands where {wanted} should"));
        match nearest(&found, KEYWORDS) {
            Some(keyword) if keyword != found => error.help(format!("did you mean `{keyword}`?")),
            _ => error,
        }
    }
}
