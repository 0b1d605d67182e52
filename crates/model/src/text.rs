//! The searchable form of text, in which tricks with look-alike characters are undone.

use unicode_normalization::UnicodeNormalization as _;

/// `text` NFKC-normalised, without zero-width and direction characters, in lower case.
/// It is what `body_contains_*` reads (2-decision, 1): full-width letters, ligatures and
/// invisible joints inside a word do not hide it.
pub fn searchable(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether nothing is seen of a character: zero-width and direction characters, variation selectors, tags.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::searchable;

    #[test]
    fn tricks_are_undone() {
        assert_eq!(searchable("Internal ONLY"), "internal only");
        assert_eq!(searchable("ｉｎｔｅｒｎａｌ only"), "internal only");
        assert_eq!(searchable("inter\u{200b}nal\u{ad} only"), "internal only");
        assert_eq!(searchable("\u{202e}ﬁle"), "file");
    }
}
