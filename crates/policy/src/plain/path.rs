//! Paths: `/safe/report.txt` is plain, `/safe/../etc/passwd` is not.
//!
//! A path that readers could resolve to another one has no plain form: dot segments, doubled
//! slashes, backslashes, `~`, `file:`, escapes of what needs none (`%2e`, `%2f`, `%61`), full-width
//! letters, invisible characters. What remains is compared as it is written.
//!
//! Must not know: patterns.

use toolgate_model::resolves_to_itself;

/// Whether there is only one way to read a path.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.starts_with('~') && has_plain_segments(below_scheme(text))
}

/// The same for the part of a URL's path.
pub(super) fn has_plain_segments(text: &str) -> bool {
    resolves_to_itself(text) && !text.contains("//")
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
