//! Changes that say what they change: strong entity tags, `If-Match` and `If-None-Match` (RFC 9110).
//!
//! Two people who edit the same policy must not overwrite each other unknowingly, so a change
//! without a condition is refused (428), and one that met something else too (412).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::kinds::Kind;
use crate::problem::Problem;

/// A strong entity tag, with its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

/// What a change expects to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: it creates.
    Absent,
    /// Anything.
    Present,
    /// One of these.
    Tags(Vec<String>),
}

impl Tag {
    /// The tag of a thing at this version.
    pub(crate) fn of(version: impl std::fmt::Display) -> Self {
        Self(format!("\"{version}\""))
    }

    /// The tag as a header.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        HeaderValue::from_str(&self.0)
            .ok()
            .map(|value| (header::ETAG, value))
    }
}

impl Expected {
    /// What the request's conditions expect.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let present = text(headers, &header::IF_MATCH)?;
        let absent = text(headers, &header::IF_NONE_MATCH)?;
        match (present, absent) {
            (Some("*"), None) => Ok(Self::Present),
            (Some(tags), None) => Ok(Self::Tags(
                tags.split(',').map(|tag| tag.trim().to_owned()).collect(),
            )),
            (None, Some("*")) => Ok(Self::Absent),
            (None, Some(_)) => Err(Problem::header("If-None-Match", "only `*` is known here")),
            (Some(_), Some(_)) => Err(Problem::header(
                "If-Match",
                "it contradicts `If-None-Match`: send one",
            )),
            (None, None) => Err(Problem::new(
                Kind::PreconditionRequired,
                "the change has neither `If-Match` nor `If-None-Match`",
            )),
        }
    }

    /// Refuses the change where something else is there. A weak tag matches nothing.
    pub(crate) fn meets(&self, current: Option<&Tag>) -> Result<(), Problem> {
        let detail = match (self, current) {
            (Self::Absent, None) | (Self::Present, Some(_)) => return Ok(()),
            (Self::Tags(tags), Some(current)) if tags.contains(&current.0) => return Ok(()),
            (Self::Absent, Some(current)) => format!("it exists already, at {}", current.0),
            (Self::Tags(_), Some(current)) => format!("it is at {} now", current.0),
            (Self::Present | Self::Tags(_), None) => "it does not exist".to_owned(),
        };
        Err(Problem::new(Kind::PreconditionFailed, detail))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| Problem::header(name.as_str(), "it is not text"))?;
    Ok(Some(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::{Expected, Tag};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    fn expected(headers: &[(&'static str, &'static str)]) -> Result<Expected, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        Expected::of(&map).map_err(|problem| problem.kind.word())
    }

    #[test]
    fn a_change_says_what_it_expects() {
        assert_eq!(expected(&[]), Err("precondition_required"));
        assert_eq!(expected(&[("if-none-match", "*")]), Ok(Expected::Absent));
        assert_eq!(
            expected(&[("if-none-match", "\"1\"")]),
            Err("invalid_header")
        );
        assert_eq!(expected(&[("if-match", "*")]), Ok(Expected::Present));
        let both = [("if-match", "*"), ("if-none-match", "*")];
        assert_eq!(expected(&both), Err("invalid_header"));
    }

    #[test]
    fn only_the_very_tag_matches() {
        let met = |condition: &'static str, tag: &str| {
            expected(&[("if-match", condition)])
                .unwrap()
                .meets(Some(&Tag::of(tag)))
                .is_ok()
        };
        assert!(met("\"3\"", "3"));
        assert!(met("\"1\", \"3\"", "3"));
        assert!(!met("\"2\"", "3"));
        assert!(!met("W/\"3\"", "3"));
        assert!(Expected::Present.meets(None).is_err());
        assert!(Expected::Absent.meets(Some(&Tag::of("1"))).is_err());
        assert!(Expected::Absent.meets(None).is_ok());
    }
}
