//! `any(addresses(args.body), a, source(a) contains external)`: the addresses that stand in a text.
//!
//! "Look at www.evil.org, or pay DE89370400440532013000" has two. A message as a whole is the
//! agent's own words even where the link in it was read in somebody's web page, so whoever asks where
//! things come from asks for the addresses. Found are e-mail addresses, URLs, bare hosts and account
//! numbers of the IBAN form, in searchable form; of a list or an object those of every text in it.
//!
//! Must not know: where an address was seen.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use toolgate_model::searchable;

use crate::limits;
use crate::value::Datum;

/// A person, a place on the net, an account.
const ADDRESS: &str = r"(?x)
    [\w.+%-]+ @ [\w-]+ (?: \. [\w-]+ )+
  | (?: [a-z][a-z0-9+.-]* :// )? (?: [\w-]+ \. )+ [a-z]{2,} (?: :\d+ )? (?: [/?\#] [^\s<>\x22'()\[\]{}]* )?
  | \b [a-z]{2} \d{2} [a-z0-9]{10,30} \b";

static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ADDRESS).ok());

/// `None`, which is unknown, where there are more than a list may have or nothing can be said.
pub(super) fn addresses(value: Datum<'_>) -> Option<Datum<'_>> {
    let mut found = Vec::new();
    match value {
        Datum::Text(text) => add(&text, &mut found)?,
        Datum::Texts(texts) => texts.iter().try_for_each(|text| add(text, &mut found))?,
        Datum::Json(json) => add_all(json, &mut found)?,
        _ => {}
    }
    Some(Datum::Texts(found))
}

fn add_all(json: &Value, found: &mut Vec<Cow<'_, str>>) -> Option<()> {
    match json {
        Value::String(text) => add(text, found),
        Value::Array(items) => items.iter().try_for_each(|item| add_all(item, found)),
        Value::Object(members) => members
            .values()
            .try_for_each(|member| add_all(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(()),
    }
}

fn add(text: &str, found: &mut Vec<Cow<'_, str>>) -> Option<()> {
    let text = searchable(text);
    for address in PATTERN.as_ref()?.find_iter(&text) {
        // What ends a sentence does not belong to the address before it.
        let address = address
            .as_str()
            .trim_end_matches(['.', ',', ';', ':', '!', '?', '/']);
        found.push(Cow::Owned(address.to_owned()));
    }
    (found.len() <= limits::ELEMENTS_MAX).then_some(())
}

#[cfg(test)]
mod tests {
    use super::addresses;
    use crate::value::Datum;
    use serde_json::json;

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let of = |text: &str| match addresses(Datum::text(text)) {
            Some(Datum::Texts(found)) => found.join(" "),
            _ => "none".to_owned(),
        };
        for (text, expected) in [
            ("Look at www.Evil.org, or not.", "www.evil.org"),
            (
                "(https://x.example/a?b=c) and ana@acme.com.",
                "https://x.example/a?b=c ana@acme.com",
            ),
            ("pay DE89370400440532013000!", "de89370400440532013000"),
            ("w\u{200b}ww.ev\u{200b}il.org", "www.evil.org"),
            ("at 10.30 we eat, e.g. soup", ""),
            ("", ""),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        let nested = json!({"a": ["x.org", {"b": "y.org"}], "c": 7});
        let both = Datum::Texts(vec!["x.org".into(), "y.org".into()]);
        assert_eq!(addresses(Datum::Json(&nested)), Some(both));
    }
}
