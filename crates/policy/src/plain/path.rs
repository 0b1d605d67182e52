//! Paths: `/safe/report.txt` is plain, `/safe/../etc/passwd` is not.
//!
//! A path that readers could resolve to another one has no plain form: dot segments, doubled
//! slashes, backslashes, `~`, `file:`, escapes of what needs none (`%2e`, `%2f`, `%61`), full-width
//! letters, invisible characters. What remains is compared as it is written.
//!
//! Must not know: patterns.

/// Whether there is only one way to read a path.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.starts_with('~') && has_plain_segments(below_scheme(text))
}

/// Whether nothing in a path is resolved, unescaped or normalised to something else.
pub(super) fn has_plain_segments(text: &str) -> bool {
    let odd = |c: char| c == '\\' || c.is_control();
    let dots = |segment: &str| matches!(segment, "." | "..");
    !text.contains(odd)
        && !text.contains("//")
        && !text.split('/').any(dots)
        && !has_needless_escape(text)
        && super::is_normal(text)
}

/// What stands behind `s3://`; a `file:` is a path in disguise and stays, which makes it odd.
fn below_scheme(text: &str) -> &str {
    match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => text,
    }
}

fn is_scheme(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(plain)
        && !text.eq_ignore_ascii_case("file")
}

/// Whether some `%xx` stands for a letter, a digit, a separator, a percent sign or a control
/// character: who unescapes it sees another path than who does not.
fn has_needless_escape(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        let hex = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| hex);
        byte.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || byte.is_ascii_control() || b"-._~/\\%".contains(&byte)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn a_path_that_could_be_another_is_not_plain() {
        for plain in [
            "/safe/report.txt",
            "src/main.rs",
            "",
            "/a/..b/c...",
            "/a/b%20c",
            "/100%",
            "/b\u{fc}cher",
            "s3://bucket/key",
            "/safe/",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in [
            "/safe/../etc/passwd",
            "/safe/..",
            "./safe",
            "/safe/./x",
            "/safe//x",
            "//etc/passwd",
            "/safe/..\\etc",
            "C:\\Users",
            "/safe/%2e%2e/etc",
            "/safe%2Fetc",
            "/safe/%252e",
            "/etc/p%61sswd",
            "/safe/x\0.txt",
            "~/.ssh/id",
            "file:///etc/passwd",
            "FILE:/etc//passwd",
            "/safe/\u{ff0e}\u{ff0e}/etc",
            "/sa\u{200b}fe/x",
            "/b\u{75}\u{308}cher",
        ] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
