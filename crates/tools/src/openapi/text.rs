//! Texts of a description, as models and people may see them.
//!
//! Whoever writes a description writes for whoever reads the list of tools. Control characters,
//! characters that nothing is seen of, and whatever is too long are left out. Pure.
//!
//! Must not know: which text it is.

use toolgate_model::is_invisible;

/// The text in one piece: without control and invisible characters, and at most `bytes_max` long.
pub(super) fn clean(text: &str, bytes_max: usize) -> String {
    let mut kept = String::new();
    for c in text.trim().chars() {
        let c = if c == '\n' || !c.is_control() { c } else { ' ' };
        if is_invisible(c) {
            continue;
        }
        if kept.len() + c.len_utf8() > bytes_max {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

/// The same in one line.
pub(super) fn line(text: &str, bytes_max: usize) -> String {
    clean(&text.replace(['\n', '\r'], " "), bytes_max)
}
