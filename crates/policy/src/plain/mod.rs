//! The one plain form of a place, in which it is compared (docs/decisions/0022-odd-input.md).
//!
//! A host is compared in lower case without its port, the domain of an address likewise, a URL
//! without its user and its fragment. A path with dot segments, backslashes or escapes is read
//! differently by different readers, so it has no plain form, and whatever compares it is unknown.
//!
//! Must not know: rules, patterns, where places come from.

mod address;
mod host;
mod path;
mod url;

use std::borrow::Cow;

pub(crate) use address::{address, domain};
pub(crate) use host::{host, name};
pub(crate) use path::is_plain as is_plain_path;
pub(crate) use url::{Url, url};

/// A place that has a plain form of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Host,
    Path,
    Recipient,
    Url,
    /// One that is compared as it is written.
    Other,
}

impl Place {
    /// The place of this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "host" => Self::Host,
            "path" => Self::Path,
            "recipient" => Self::Recipient,
            "url" => Self::Url,
            _ => Self::Other,
        }
    }

    /// The plain form of a text; none where readers could take it for different things.
    pub(crate) fn plain(self, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
        let plain = match self {
            Self::Host => host(&text)?,
            Self::Recipient => address(&text)?,
            Self::Url => url(&text)?.plain()?,
            Self::Path => return is_plain_path(&text).then_some(text),
            Self::Other => return Some(text),
        };
        Some(if plain == text { text } else { plain.into() })
    }
}

/// A text with the tricks of look-alike characters undone, letter case aside; what fits a pattern
/// only so is unknown.
pub(crate) fn folded(text: &str) -> Option<String> {
    let settled = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    (!text.bytes().all(settled)).then(|| toolgate_model::searchable(text))
}
