//! One judged value as text of a URL, a header or a form: the styles of OpenAPI. Pure.
//!
//! ```text
//! form, exploded    ["a","b"]        tag=a&tag=b
//! deepObject        {"gte": 5}       created%5Bgte%5D=5
//! simple (path)     "a/b"            a%2Fb
//! ```
//! INVARIANT: what was judged is sent whole or not at all. A null or an empty list has no form in a
//! query, and leaving it out would turn "none of these" into "all": it is refused.
//!
//! Must not know: requests, operations, where the text goes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::operation::Style;

/// All but letters, digits, `-`, `.`, `_` and `~`: no value can end its own place.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same for `allowReserved`, without what separates parameters, items or parts of a URL.
const RESERVED_KEPT: &AsciiSet = &STRICT
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*');

const EMPTY: &str = "it is empty, which has no form there: leave it out";

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) allow_reserved: bool,
}

impl Manner {
    fn escaped(self, text: &str) -> String {
        let kept = match self.allow_reserved {
            true => RESERVED_KEPT,
            false => STRICT,
        };
        utf8_percent_encode(text, kept).to_string()
    }
}

/// A text, escaped so that it is one name or value and nothing else.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// A text, a number or a truth value as it is written.
///
/// # Errors
/// What else it is.
pub(super) fn plain(value: &Value) -> Result<Cow<'_, str>, String> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Ok(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null => Err("it is null, which has no form there: leave it out".to_owned()),
        Value::Array(_) | Value::Object(_) => {
            Err("it is nested deeper than its style can say".to_owned())
        }
    }
}

/// `name=value` pairs of a query, a form or a cookie, in their order.
#[derive(Debug)]
pub(super) struct Pairs {
    text: String,
    separator: &'static str,
    bytes_max: usize,
    taken: BTreeSet<String>,
}

impl Pairs {
    /// None yet. `taken` are the names that stand for something: no member of a caller's object
    /// can pass for one.
    pub(super) fn new(
        separator: &'static str,
        bytes_max: usize,
        taken: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            text: String::new(),
            separator,
            bytes_max,
            taken: taken.into_iter().collect(),
        }
    }

    /// The whole text; none where there is no pair.
    pub(super) fn finish(self) -> Option<String> {
        (!self.text.is_empty()).then_some(self.text)
    }

    /// Adds one pair, both sides escaped already.
    ///
    /// # Errors
    /// Where all of it would be too long.
    pub(super) fn push(&mut self, name: &str, value: &str) -> Result<(), String> {
        let more = name.len() + value.len() + self.separator.len() + 1;
        if self.text.len() + more > self.bytes_max {
            let max = self.bytes_max;
            return Err(format!("with it the request is longer than {max} bytes"));
        }
        if !self.text.is_empty() {
            self.text.push_str(self.separator);
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(value);
        Ok(())
    }

    /// Adds a pair whose name a caller chose.
    fn push_named(&mut self, name: &str, value: &str) -> Result<(), String> {
        member_name(name)?;
        if self.taken.contains(name) {
            return Err(format!(
                "its member `{name}` has the name of something else"
            ));
        }
        self.push(&escaped(name), value)
    }

    /// Adds everything that this value says under this name.
    ///
    /// # Errors
    /// Why it cannot be said.
    pub(super) fn add(&mut self, name: &str, value: &Value, manner: Manner) -> Result<(), String> {
        let own = escaped(name);
        let separator = match manner.style {
            Style::DeepObject => return self.add_deep(&own, value, manner),
            Style::SpaceDelimited => "%20",
            Style::PipeDelimited => "%7C",
            Style::Form | Style::Simple | Style::Label | Style::Matrix => ",",
        };
        match value {
            Value::Array(items) if items.is_empty() => Err(EMPTY.to_owned()),
            Value::Object(members) if members.is_empty() => Err(EMPTY.to_owned()),
            Value::Array(items) if manner.explode => items
                .iter()
                .try_for_each(|item| self.push(&own, &manner.escaped(&plain(item)?))),
            Value::Array(items) => self.push(&own, &joined(items, separator, manner)?),
            Value::Object(members) if manner.explode => members
                .iter()
                .try_for_each(|(key, item)| self.push_named(key, &manner.escaped(&plain(item)?))),
            Value::Object(members) => self.push(&own, &listed(members, separator, manner)?),
            one => self.push(&own, &manner.escaped(&plain(one)?)),
        }
    }

    /// `name[key][0]=value`, as deep as it goes; arguments are bounded in depth.
    fn add_deep(&mut self, prefix: &str, value: &Value, manner: Manner) -> Result<(), String> {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().try_for_each(|(key, item)| {
                    member_name(key)?;
                    self.add_deep(&format!("{prefix}%5B{}%5D", escaped(key)), item, manner)
                })
            }
            Value::Array(items) if !items.is_empty() => {
                let mut numbered = items.iter().enumerate();
                numbered.try_for_each(|(position, item)| {
                    self.add_deep(&format!("{prefix}%5B{position}%5D"), item, manner)
                })
            }
            Value::Object(_) | Value::Array(_) => Err(EMPTY.to_owned()),
            one => self.push(prefix, &manner.escaped(&plain(one)?)),
        }
    }
}

/// A bracket in a name would be read as a place inside another member.
///
/// # Errors
/// Where this name has one, or is none.
pub(super) fn member_name(name: &str) -> Result<(), String> {
    match name.is_empty() || name.contains(['[', ']']) {
        true => Err(format!("`{name}` cannot be the name of a member there")),
        false => Ok(()),
    }
}

/// The value in a path: what stands in place of `{name}`.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn in_path(
    name: &str,
    value: &Value,
    (style, explode): (Style, bool),
) -> Result<String, String> {
    let manner = Manner {
        style,
        explode,
        allow_reserved: false,
    };
    let (start, separator) = match (style, explode) {
        (Style::Label, true) => (".".to_owned(), "."),
        (Style::Label, false) => (".".to_owned(), ","),
        (Style::Matrix, true) => (";".to_owned(), ";"),
        (Style::Matrix, false) => (format!(";{}=", escaped(name)), ","),
        _ => (String::new(), ","),
    };
    let text = match value {
        Value::Array(items) if style == Style::Matrix && explode => {
            let own = escaped(name);
            let each = items
                .iter()
                .map(|item| Ok(format!("{own}={}", filled(item)?)));
            each.collect::<Result<Vec<_>, String>>()?.join(separator)
        }
        Value::Array(items) => joined(items, separator, manner)?,
        Value::Object(members) if explode => {
            let each = members
                .iter()
                .map(|(key, item)| Ok(format!("{}={}", escaped(key), filled(item)?)));
            each.collect::<Result<Vec<_>, String>>()?.join(separator)
        }
        Value::Object(members) => listed(members, separator, manner)?,
        one if style == Style::Matrix && explode => format!("{}={}", escaped(name), filled(one)?),
        one => filled(one)?,
    };
    match text.is_empty() {
        // Without it the path would be another one: that of the collection, as a rule.
        true => Err("it is empty, and stands in the path".to_owned()),
        false => Ok(format!("{start}{text}")),
    }
}

/// One value inside a path, that is there and leads nowhere else once a server has undone what
/// was escaped.
fn filled(value: &Value) -> Result<String, String> {
    let text = plain(value)?;
    if text.is_empty() {
        return Err("it is empty, and stands in the path".to_owned());
    }
    match climbs(&text) {
        true => Err("it has a `.` or `..` between slashes, and stands in the path".to_owned()),
        false => Ok(escaped(&text)),
    }
}

/// Whether a part of it, read once or unescaped once more, is `.` or `..`: some servers undo the
/// escaping of a slash before they look where a path leads.
fn climbs(text: &str) -> bool {
    let dotted = |text: &str| {
        text.split(['/', '\\'])
            .any(|part| matches!(part, "." | ".."))
    };
    let once = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    dotted(text) || dotted(&once)
}

/// The value of a header.
///
/// # Errors
/// Why no header can say it.
pub(super) fn in_header(value: &Value, explode: bool) -> Result<String, String> {
    let item = |value: &Value| -> Result<String, String> {
        let text = plain(value)?;
        match text.contains(',') {
            true => Err("an item of it has a comma, which separates items there".to_owned()),
            false => Ok(text.into_owned()),
        }
    };
    let sign = if explode { "=" } else { "," };
    let text = match value {
        Value::Array(items) => items.iter().map(item).collect::<Result<Vec<_>, _>>()?,
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                Ok(format!(
                    "{}{sign}{}",
                    item(&key.as_str().into())?,
                    item(value)?
                ))
            })
            .collect::<Result<Vec<_>, String>>()?,
        one => vec![plain(one)?.into_owned()],
    }
    .join(",");
    match text.is_empty() {
        true => Err(EMPTY.to_owned()),
        false => Ok(text),
    }
}

fn joined(items: &[Value], separator: &str, manner: Manner) -> Result<String, String> {
    if items.is_empty() {
        return Err(EMPTY.to_owned());
    }
    let in_path = matches!(manner.style, Style::Simple | Style::Label | Style::Matrix);
    let each = items.iter().map(|item| match in_path {
        true => filled(item),
        false => Ok(manner.escaped(&plain(item)?)),
    });
    Ok(each.collect::<Result<Vec<_>, String>>()?.join(separator))
}

/// `key,value,key,value`.
fn listed(members: &Map<String, Value>, separator: &str, manner: Manner) -> Result<String, String> {
    let flat: Vec<Value> = members
        .iter()
        .flat_map(|(key, value)| [key.as_str().into(), value.clone()])
        .collect();
    joined(&flat, separator, manner)
}

#[cfg(test)]
mod tests {
    use super::{Manner, Pairs, Style, in_header, in_path};
    use serde_json::{Value, json};

    fn query(style: Style, explode: bool, value: &Value) -> Result<String, String> {
        let mut pairs = Pairs::new("&", 200, ["other".to_owned()]);
        let manner = Manner {
            style,
            explode,
            allow_reserved: false,
        };
        pairs.add("c", value, manner)?;
        Ok(pairs.finish().unwrap())
    }

    /// The table of OpenAPI 3.1.1, 4.8.12.4, with `color` called `c`.
    #[test]
    fn the_styles_of_a_query_are_those_of_the_standard() {
        let (one, list) = (json!("blue"), json!(["blue", "black"]));
        let object = json!({"R": 100, "G": 200});
        for (style, explode, value, text) in [
            (Style::Form, true, &one, "c=blue"),
            (Style::Form, false, &list, "c=blue,black"),
            (Style::Form, true, &list, "c=blue&c=black"),
            (Style::Form, false, &object, "c=R,100,G,200"),
            (Style::Form, true, &object, "R=100&G=200"),
            (Style::SpaceDelimited, false, &list, "c=blue%20black"),
            (Style::SpaceDelimited, false, &object, "c=R%20100%20G%20200"),
            (Style::PipeDelimited, false, &list, "c=blue%7Cblack"),
            (Style::PipeDelimited, true, &list, "c=blue&c=black"),
            (
                Style::DeepObject,
                true,
                &object,
                "c%5BR%5D=100&c%5BG%5D=200",
            ),
            (
                Style::DeepObject,
                true,
                &list,
                "c%5B0%5D=blue&c%5B1%5D=black",
            ),
        ] {
            assert_eq!(query(style, explode, value).as_deref(), Ok(text));
        }
        let nested = json!({"a": [{"b": true}]});
        assert_eq!(
            query(Style::DeepObject, true, &nested).as_deref(),
            Ok("c%5Ba%5D%5B0%5D%5Bb%5D=true")
        );
    }

    #[test]
    fn no_value_of_a_query_becomes_a_second_parameter() {
        let evil = json!("a&admin=1#x +;=");
        let text = query(Style::Form, true, &evil).unwrap();
        assert_eq!(text, "c=a%26admin%3D1%23x%20%2B%3B%3D");
        let mut pairs = Pairs::new("&", 200, []);
        let manner = Manner {
            style: Style::Form,
            explode: false,
            allow_reserved: true,
        };
        pairs.add("c", &json!(["/a:b?&=#%,'"]), manner).unwrap();
        assert_eq!(pairs.finish().unwrap(), "c=/a:b?%26%3D%23%25%2C%27");
    }

    #[test]
    fn what_a_query_cannot_say_is_not_left_out() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([null]),
            json!([[1]]),
            json!({"other": 1}),
            json!({"a[b]": 1}),
            json!({"": 1}),
            json!("x".repeat(300)),
        ] {
            let said = query(Style::Form, true, &value);
            assert!(said.is_err(), "{value}: {said:?}");
        }
        for value in [json!({"a": []}), json!({"a": null}), json!({"a][b": 1})] {
            let said = query(Style::DeepObject, true, &value);
            assert!(said.is_err(), "{value}: {said:?}");
        }
    }

    #[test]
    fn the_styles_of_a_path_are_those_of_the_standard() {
        let (one, list) = (json!("blue"), json!(["blue", "black"]));
        let object = json!({"R": 100, "G": 200});
        for (style, explode, value, text) in [
            (Style::Simple, false, &one, "blue"),
            (Style::Simple, false, &list, "blue,black"),
            (Style::Simple, false, &object, "R,100,G,200"),
            (Style::Simple, true, &object, "R=100,G=200"),
            (Style::Label, false, &one, ".blue"),
            (Style::Label, false, &list, ".blue,black"),
            (Style::Label, true, &list, ".blue.black"),
            (Style::Label, true, &object, ".R=100.G=200"),
            (Style::Matrix, false, &one, ";c=blue"),
            (Style::Matrix, true, &one, ";c=blue"),
            (Style::Matrix, false, &list, ";c=blue,black"),
            (Style::Matrix, true, &list, ";c=blue;c=black"),
            (Style::Matrix, false, &object, ";c=R,100,G,200"),
            (Style::Matrix, true, &object, ";R=100;G=200"),
        ] {
            assert_eq!(in_path("c", value, (style, explode)).as_deref(), Ok(text));
        }
    }

    #[test]
    fn no_value_leads_a_path_elsewhere() {
        let path = |value: Value| in_path("c", &value, (Style::Simple, false));
        assert_eq!(path(json!("a/b?c#d e")).unwrap(), "a%2Fb%3Fc%23d%20e");
        assert!(path(json!("%2e%2E%2fx%")).is_err());
        assert_eq!(path(json!("100%")).unwrap(), "100%25");
        for evil in [
            "",
            ".",
            "..",
            "../x",
            "a/../b",
            "a\\..\\b",
            "%2e%2e",
            "a%2F..%2fb",
        ] {
            assert!(path(json!(evil)).is_err(), "{evil}");
            assert!(path(json!([evil])).is_err(), "{evil} in a list");
        }
        assert!(path(json!([])).is_err() && path(json!(null)).is_err());
    }

    #[test]
    fn a_list_in_a_header_has_no_more_items_than_it_was_judged_with() {
        assert_eq!(in_header(&json!(["a", 1]), false).unwrap(), "a,1");
        assert_eq!(in_header(&json!({"a": 1}), true).unwrap(), "a=1");
        assert_eq!(in_header(&json!("a,b"), false).unwrap(), "a,b");
        assert!(in_header(&json!(["a,b"]), false).is_err());
        assert!(in_header(&json!([]), false).is_err());
    }
}
