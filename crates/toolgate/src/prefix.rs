//! The beginning of a digest, as people type it: enough of it to mean what they looked at.
//!
//! `--digest 5f3a9c21` is the digest that `show` or `review` printed; whoever decides repeats it, so
//! that what changed meanwhile is not decided on unseen. Must not know: what the digest is of.

use crate::exit::Exit;
use crate::fault::Fault;

/// LIMIT: eight hex digits; fewer could be met by chance among a few hundred things.
const DIGITS_MIN: usize = 8;

/// Refuses whoever has not looked at what is there now: `given` must be the beginning of `present`.
/// `look` is the command that shows it.
///
/// # Errors
/// [`Fault`] where it is no beginning of a digest, or that of something else; `code` names the
/// latter.
pub(crate) fn agrees(given: &str, present: &str, (look, code): (&str, &str)) -> Result<(), Fault> {
    let prefix = given.trim_start_matches("sha256:").to_lowercase();
    let hex = prefix.bytes().all(|b| b.is_ascii_hexdigit());
    if prefix.len() < DIGITS_MIN || !hex {
        let message = format!("`{given}` is not the beginning of a digest");
        return Err(Fault::usage(message).help(format!(
            "give at least {DIGITS_MIN} hex digits; `{look}` has them"
        )));
    }
    if present.trim_start_matches("sha256:").starts_with(&prefix) {
        return Ok(());
    }
    let message = format!("it now has the digest {present}");
    Err(Fault::new(Exit::Conflict, message)
        .help(format!("look again: `{look}`"))
        .coded(code))
}

#[cfg(test)]
mod tests {
    use super::agrees;

    #[test]
    fn only_the_beginning_of_what_is_there_will_do() {
        let present = format!("sha256:5f3a9c21{}", "0".repeat(56));
        let check = |given: &str| {
            let fault = agrees(given, &present, ("look", "tool_changed")).err()?;
            Some(fault.code().to_owned())
        };
        assert_eq!(check("5f3a9c21"), None);
        assert_eq!(check("SHA256:5F3A9C2100".to_lowercase().as_str()), None);
        assert_eq!(check(&present), None);
        assert_eq!(check("5f3a9c2"), Some("usage".to_owned()));
        assert_eq!(check("nothexno"), Some("usage".to_owned()));
        assert_eq!(check(""), Some("usage".to_owned()));
        assert_eq!(check("5f3a9c22"), Some("tool_changed".to_owned()));
    }
}
