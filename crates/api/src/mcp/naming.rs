//! The names by which clients know prompts and resources, made from those that servers gave. Pure.
//!
//! The prompt `greet` of the source `crm` is `crm__greet`, like a tool; its resource
//! `file:///a.txt` is `toolgate://crm/file:///a.txt`, and its template `file:///{path}` is
//! `toolgate://crm/file:///{path}`, which a client expands like the server's own. A source with
//! bare names keeps what its server wrote.
//!
//! Must not know: who may see what, what is there.

use toolgate_model::Digest;

/// How a wrapped URI begins.
pub(super) const SCHEME: &str = "toolgate://";

/// LIMIT: as for tools; clients make commands of prompts, with a server's name in front.
const NAME_CHARS_MAX: usize = 48;
const MARK_CHARS: usize = 8;

/// The name by which clients know a prompt. What a name cannot hold becomes `_`, and a piece of
/// the digest of what was written follows, so that two prompts stay two.
pub(super) fn prompt_name((source, bare): (&str, bool), name: &str) -> String {
    if bare {
        return name.to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut kept: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if !name.chars().all(plain) {
        kept = format!("{kept}-{}", mark(name));
    }
    let full = format!("{source}__{kept}");
    if full.chars().count() <= NAME_CHARS_MAX {
        return full;
    }
    let head = full.chars().take(NAME_CHARS_MAX - MARK_CHARS - 1);
    let whole = mark(&format!("{source}.{name}"));
    format!("{}_{whole}", head.collect::<String>())
}

/// A few hex digits that stand for a whole name.
fn mark(name: &str) -> String {
    let digest = Digest::of(name.as_bytes()).hex();
    digest.chars().take(MARK_CHARS).collect()
}

/// The URI, or the template of one, by which clients know a resource.
pub(super) fn wrapped((source, bare): (&str, bool), uri: &str) -> String {
    if bare {
        uri.to_owned()
    } else {
        format!("{SCHEME}{source}/{uri}")
    }
}

/// The source and the server's own URI in a wrapped one.
pub(super) fn unwrapped(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix(SCHEME)?.split_once('/')
}

/// Whether the template could be expanded to the URI, taken loosely: an expression stands for any
/// text. It chooses a server and nothing else; that server reads its own templates.
pub(super) fn could_expand(template: &str, uri: &str) -> bool {
    let (first, mut expressions) = template.split_once('{').unwrap_or((template, ""));
    if first.len() == template.len() {
        return template == uri;
    }
    let Some(mut rest) = uri.strip_prefix(first) else {
        return false;
    };
    // Each round takes one expression and the literal behind it.
    while let Some((_, after)) = expressions.split_once('}') {
        match after.split_once('{') {
            None => return rest.ends_with(after),
            Some((literal, more)) => {
                let Some(at) = rest.find(literal) else {
                    return false;
                };
                rest = rest.get(at + literal.len()..).unwrap_or_default();
                expressions = more;
            }
        }
    }
    // A brace that does not close.
    false
}

#[cfg(test)]
mod tests {
    use super::{could_expand, prompt_name, unwrapped, wrapped};
    use proptest::prelude::*;

    #[test]
    fn a_prompt_is_named_like_a_tool_unless_its_source_is_bare() {
        let crm = ("crm", false);
        assert_eq!(prompt_name(crm, "greet-me_2"), "crm__greet-me_2");
        assert_eq!(prompt_name(("crm", true), "a b/ä"), "a b/ä");
        let odd = [
            prompt_name(crm, "a b"),
            prompt_name(crm, "a_b"),
            prompt_name(crm, "a.b"),
        ];
        assert!(odd[0].starts_with("crm__a_b-") && odd[2].starts_with("crm__a_b-"));
        assert_eq!(odd[1], "crm__a_b");
        assert_ne!(odd[0], odd[2]);
        let long = "x".repeat(60);
        assert_eq!(prompt_name(crm, &long).len(), 48);
        assert_ne!(prompt_name(crm, &long), prompt_name(crm, &"x".repeat(61)));
    }

    #[test]
    fn a_wrapped_uri_survives_being_a_template() {
        let template = wrapped(("crm", false), "file:///{path}");
        assert_eq!(template, "toolgate://crm/file:///{path}");
        let expanded = template.replace("{path}", "a/b?c#d");
        assert_eq!(unwrapped(&expanded), Some(("crm", "file:///a/b?c#d")));
        assert_eq!(wrapped(("crm", true), "toolgate://x/y"), "toolgate://x/y");
        assert_eq!(unwrapped("file:///a"), None);
        assert_eq!(unwrapped("toolgate://crm"), None);
    }

    #[test]
    fn a_template_fits_what_it_could_be_expanded_to() {
        for (template, uri, fits) in [
            ("a://{x}/data", "a://1/data", true),
            ("a://{x}/data", "a:///data", true),
            ("a://{x}/data", "a://1/other", false),
            ("a://{x}/data", "b://1/data", false),
            ("a://{x}{?q}", "a://1?q=2", true),
            ("a://{x}/{y}/z", "a://1/2/z", true),
            ("a://{x}/{y}/z", "a://1/z", false),
            ("a://x", "a://x", true),
            ("a://x", "a://xy", false),
            ("a://{x", "a://1", false),
        ] {
            assert_eq!(could_expand(template, uri), fits, "{template} {uri}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_template_is_expanded_to_fits_it(
            parts in prop::collection::vec("[ab/:]{0,3}", 1..5), values in prop::collection::vec("[ab/:?]{0,3}", 4)
        ) {
            let template = parts.join("{v}");
            let mut uri = parts[0].clone();
            for (literal, value) in parts[1..].iter().zip(&values) {
                uri.push_str(value);
                uri.push_str(literal);
            }
            prop_assert!(could_expand(&template, &uri), "{template} {uri}");
        }

        #[test]
        fn wrapping_is_undone(uri in "\\PC{0,40}") {
            let whole = wrapped(("crm", false), &uri);
            prop_assert_eq!(unwrapped(&whole), Some(("crm", uri.as_str())));
        }
    }
}
