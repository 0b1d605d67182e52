//! What is odd about a document as it is written: patterns, needles, what it opens.
//!
//! `"host_patterns": ["*.acme.com*"]` fits `x.acme.com.evil.example` too. These are notes: the text
//! can mean what it says.
//!
//! Must not know: what the rule does.

use toolgate_model::searchable;

use super::codes::{LOOSE_REGEX, LintCode, OPENS_ALL, SHORT_NEEDLE, WIDE_GLOB};
use super::findings::{Found, Said, Text};
use crate::tree::{Json, Kind};

/// Characters below which a needle stands in nearly every text.
const NEEDLE_CHARS_MIN: usize = 3;

/// Looks at every text of the document under the key that it stands under.
pub(super) fn look(text: &Text<'_>, found: &mut Found<'_, '_>) {
    let mut rest = vec![(String::new(), String::new(), &text.tree)];
    while let Some((pointer, key, json)) = rest.pop() {
        match &json.kind {
            Kind::Object(members) => {
                // Cases hold whatever calls hold.
                let members = members.iter().filter(|member| member.key != "tests");
                rest.extend(members.map(|member| {
                    let pointer = format!("{pointer}/{}", member.key);
                    (pointer, member.key.clone(), &member.value)
                }));
            }
            Kind::List(items) => rest.extend(
                items
                    .iter()
                    .enumerate()
                    .map(|(place, item)| (format!("{pointer}/{place}"), key.clone(), item)),
            ),
            Kind::Text(value) => {
                if let Some(said) = judged(&key, value) {
                    let place = (text.source.file, pointer, Some(span(text, json)));
                    found.push(place, said);
                }
            }
            _ => {}
        }
    }
}

fn span(text: &Text<'_>, json: &Json) -> toolgate_model::Span {
    text.source.span(&json.at)
}

fn judged(key: &str, text: &str) -> Option<Said> {
    match key {
        "body_contains_any" | "body_contains_all" => needle(text),
        "allowed_tools" if text.chars().all(|c| c == '*' || c == '.') => Some(note(
            OPENS_ALL,
            format!("`{text}` opens every tool, also those that are added later"),
            "name the sources: `github.*`",
        )),
        "when" | "unless" => None,
        _ => glob(key, text),
    }
}

fn needle(text: &str) -> Option<Said> {
    let count = searchable(text).chars().count();
    (count < NEEDLE_CHARS_MIN).then(|| {
        let message = format!("`{text}` has {count} characters, and stands in nearly every text");
        note(
            SHORT_NEEDLE,
            message,
            "search for a longer text, or compare one argument",
        )
    })
}

/// Where a name of a host ends, and what stands before it, is what a pattern is about.
fn glob(key: &str, text: &str) -> Option<Said> {
    let help = "write the whole: `*.acme.com` and `acme.com` beside it, `*@acme.com`, \
                `https://api.acme.com/`";
    let wide = |why: String| Some(note(WIDE_GLOB, why, help));
    match key {
        "host_patterns" | "recipient_patterns" => {
            let tail = text.trim_end_matches('*');
            if tail.len() < text.len() && tail.contains('.') {
                return wide(format!("`{text}` also fits `{tail}.evil.example`"));
            }
            if let Some(domain) = text.strip_prefix('*').filter(|rest| plain_domain(rest)) {
                return wide(format!("`{text}` also fits `evil{domain}`"));
            }
            if key == "recipient_patterns" && text.starts_with('@') {
                return wide(format!(
                    "`{text}` fits no address: what stands before the `@` is missing"
                ));
            }
            None
        }
        "url_patterns" => {
            let host = text.split_once("://").map(|(_, rest)| rest)?;
            let open = host.strip_suffix('*').filter(|host| !host.contains('/'));
            open.filter(|host| host.contains('.'))?;
            let stem = text.trim_end_matches('*');
            wide(format!("`{text}` also fits `{stem}.evil.example/`"))
        }
        _ => None,
    }
}

/// Whether it reads like a domain of two or more labels: `acme.com`.
fn plain_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

/// A regular expression is searched anywhere in the text, and its `.` is any character.
pub(super) fn regex(pattern: &str) -> Option<Said> {
    let open = !pattern.contains(['^', '$']);
    let why = if dotted(pattern) {
        format!("in `{pattern}` a `.` is any character: `acmeXcom` fits `acme.com`")
    } else if open
        && ["\\.", "@", "://"]
            .iter()
            .any(|part| pattern.contains(part))
    {
        format!("`{pattern}` is searched anywhere in the text: what stands around it is open")
    } else {
        return None;
    };
    let help = "write `^` and `$` around it and `\\.` for a dot, or use `matches` with a glob";
    Some(note(LOOSE_REGEX, why, help))
}

/// Whether a bare dot stands between two letters: `acme.com`, not `a.*b` and not `\.`.
fn dotted(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    chars.windows(4).any(|four| match four {
        [before, left, '.', right] => {
            *before != '\\' && left.is_alphanumeric() && right.is_alphanumeric()
        }
        _ => false,
    })
}

fn note(code: LintCode, message: String, help: &'static str) -> Said {
    Said {
        code,
        message,
        help,
    }
}
