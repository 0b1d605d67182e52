//! Pages of a list, for every method that lists something.
//!
//! Entries come in the order in which servers gave them, and a cursor names the last one shown, so
//! that a page turned while the list changes goes on behind it; where that one is gone, it goes on
//! where it stood. A cursor of the list of tools is none of the list of prompts.
//!
//! Must not know: what is listed, and to whom.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::era::Era;
use super::limits::PAGE_BYTES_MAX;
use super::message::RpcError;

/// What a list of the modern era says besides: a policy may change at any time, and the list is
/// this identity's own.
const KEPT: &str = r#","resultType":"complete","ttlMs":0,"cacheScope":"private""#;

/// The mark at the front of our own cursors.
const CURSOR_PREFIX: &str = "1:";

/// One entry of a list.
pub(super) struct Entry {
    /// How many stand before it in the whole list, shown to this client or not.
    pub(super) place: usize,
    /// Its name, which no other has.
    pub(super) name: String,
    /// What is shown, as JSON text.
    pub(super) definition: String,
}

/// The page that a client asks for.
pub(super) struct Page {
    /// The field of the result that the entries stand in.
    field: &'static str,
    /// What was shown last, and where it stood.
    after: Option<(usize, String)>,
    /// How many entries it has at most.
    size: usize,
}

impl Page {
    /// The page that the parameters ask for.
    pub(super) fn of(
        params: &Map<String, Value>,
        (field, size): (&'static str, usize),
    ) -> Result<Self, RpcError> {
        let cursor = params.get("cursor");
        let after = cursor
            .map(|cursor| read_cursor(field, cursor))
            .transpose()?;
        Ok(Self { field, after, size })
    }

    /// The place of the first entry that may be on it, given the names of all, in order.
    pub(super) fn start<S: AsRef<str>>(&self, mut names: impl Iterator<Item = S>) -> usize {
        let Some((place, last)) = &self.after else {
            return 0;
        };
        let found = names.position(|name| name.as_ref() == last);
        found.map_or(*place, |found| found + 1)
    }

    /// The result, given what comes on the page and behind it, in order. No more is asked for than
    /// is shown, and one beyond.
    pub(super) fn filled(&self, entries: impl Iterator<Item = Entry>, era: Era) -> String {
        let (mut shown, mut count, mut last) = (String::new(), 0, None);
        let mut next = String::new();
        for entry in entries {
            let full =
                count >= self.size.max(1) || shown.len() + entry.definition.len() > PAGE_BYTES_MAX;
            if let Some(last) = last.as_ref().filter(|_| full) {
                next = format!(r#""nextCursor":"{}","#, cursor(self.field, last));
                break;
            }
            if count > 0 {
                shown.push(',');
            }
            shown.push_str(&entry.definition);
            (count, last) = (count + 1, Some((entry.place, entry.name)));
        }
        let kept = match era {
            Era::Modern => KEPT,
            Era::Legacy(_) => "",
        };
        format!(r#"{{{next}"{}":[{shown}]{kept}}}"#, self.field)
    }
}

fn cursor(field: &str, (place, name): &(usize, String)) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_PREFIX}{field}:{place}:{name}"))
}

fn read_cursor(field: &str, cursor: &Value) -> Result<(usize, String), RpcError> {
    let bytes = cursor
        .as_str()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let last = text.as_deref().and_then(|text| {
        let rest = text.strip_prefix(CURSOR_PREFIX)?.strip_prefix(field)?;
        let (place, name) = rest.strip_prefix(':')?.split_once(':')?;
        Some((place.parse().ok()?, name.to_owned()))
    });
    last.ok_or_else(|| {
        RpcError::invalid_params(
            "`cursor` is none that this gate gave for this list: begin again without one",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, Page};
    use crate::mcp::era::Era;
    use serde_json::{Map, Value, json};

    fn turn(names: &[&str], cursor: Option<Value>) -> (Vec<String>, Option<Value>) {
        let mut params = Map::new();
        if let Some(cursor) = cursor {
            params.insert("cursor".to_owned(), cursor);
        }
        let page = Page::of(&params, ("things", 2)).unwrap();
        let start = page.start(names.iter());
        let entries = names.iter().enumerate().skip(start);
        let entries = entries.map(|(place, name)| Entry {
            place,
            name: (*name).to_owned(),
            definition: json!({"name": name}).to_string(),
        });
        let result = page.filled(entries, Era::Legacy("2025-11-25"));
        let result: Value = serde_json::from_str(&result).unwrap();
        let shown = result["things"].as_array().unwrap();
        let shown = shown
            .iter()
            .map(|thing| thing["name"].as_str().unwrap().to_owned());
        (shown.collect(), result.get("nextCursor").cloned())
    }

    #[test]
    fn a_list_that_changes_between_two_pages_loses_nothing_that_stayed() {
        let (first, next) = turn(&["c", "a", "d", "b"], None);
        assert_eq!(first, ["c", "a"]);
        // Something came in front of `a`, which the cursor names; or `a` is gone.
        for changed in [
            ["x", "c", "a", "d", "b"].as_slice(),
            &["c", "d", "b"],
            &["a", "d", "b"],
        ] {
            let (second, end) = turn(changed, next.clone());
            assert_eq!(second, ["d", "b"]);
            assert_eq!(end, None);
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let (_, next) = turn(&["a", "b", "c"], None);
        for cursor in [next.unwrap(), json!(7), json!("!")] {
            let params = Map::from_iter([("cursor".to_owned(), cursor)]);
            let refused = Page::of(&params, ("others", 2)).err();
            assert_eq!(refused.map(|error| error.code), Some(-32_602));
        }
    }
}
