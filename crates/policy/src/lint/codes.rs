//! The registry of lint codes: sorted, append-only, a page each under `docs/lint/`.

/// One kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LintCode {
    /// The stable code, `L003`.
    pub code: &'static str,
    /// A short title.
    pub title: &'static str,
}

impl LintCode {
    /// Whether it only says what may not have been meant.
    pub fn is_note(&self) -> bool {
        self.code >= "L100"
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal;)+) => {
        $(pub(super) const $name: LintCode = LintCode { code: $code, title: $title };)+

        /// Every code, sorted.
        pub const LINT_CODES: &[LintCode] = &[$($name),+];
    };
}

codes! {
    NEVER_MATCHES "L001" "the rule never matches";
    NO_VALUE "L002" "no value fits";
    SHADOWED "L003" "the rule never matters";
    DUPLICATE "L004" "the rule stands twice";
    UNLESS_SWALLOWS "L005" "`unless` takes everything back";
    EXEMPTS_NOTHING "L006" "the exemption never holds";
    NEVER_DONE "L007" "a denial always beats it";
    NOBODY_APPROVES "L008" "nobody can approve";
    WRONG_TYPE "L009" "no tool has that type";
    ALWAYS_EXCEEDED "L010" "the limit is always used up";
    SHORT_NEEDLE "L011" "a text that stands everywhere";
    WATCHED "L101" "only watched";
    WIDE_GLOB "L102" "a pattern that reaches further than it looks";
    LOOSE_REGEX "L103" "a regular expression that fits more than it looks";
    OPENS_ALL "L104" "opens every tool";
}

#[cfg(test)]
mod tests {
    use super::LINT_CODES;

    #[test]
    fn codes_are_sorted_and_each_has_its_page() {
        assert!(
            LINT_CODES
                .windows(2)
                .all(|pair| pair[0].code < pair[1].code)
        );
        for code in LINT_CODES {
            let path = format!(
                "{}/../../docs/lint/{}.md",
                env!("CARGO_MANIFEST_DIR"),
                code.code
            );
            let page = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                page.starts_with(&format!("# {}: {}", code.code, code.title)),
                "{path}"
            );
        }
    }
}
