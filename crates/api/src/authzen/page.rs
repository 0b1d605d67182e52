//! Pages of what a search finds.
//!
//! `{"page": {"limit": 50}}` gets the first fifty and a `next_token`, which is sent with the same
//! request again for the next ones; at the end it is empty. A token holds the last name of its page
//! and the digest of the request that it belongs to, so one that is sent with another request is
//! refused. It is no secret: it opens nothing that the request itself does not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_model::json;
use utoipa::ToSchema;

use crate::problem::Problem;

/// LIMIT: results of one page, where nobody says how many or says more.
const RESULTS_MAX: usize = 1_000;

/// What a token begins with: the digits of its request's digest.
const DIGITS: usize = 32;

/// Which page of a search.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct PageRequest {
    /// The `next_token` of the page before.
    #[serde(default, skip_serializing)]
    token: Option<String>,
    /// At most so many results.
    #[serde(default)]
    limit: Option<usize>,
}

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SearchPage)]
pub(crate) struct Page {
    /// To be sent as `page.token`; empty at the end.
    next_token: String,
    /// Results of this page.
    count: usize,
    /// Results of all pages, as of now.
    total: usize,
}

/// Which part of what is found is answered.
pub(super) struct Cut {
    request: String,
    after: Option<String>,
    limit: Option<usize>,
}

impl Cut {
    /// The part that `page` asks for in this search.
    ///
    /// # Errors
    /// A problem where the token belongs to another search.
    pub(super) fn of(page: Option<&PageRequest>, search: &impl Serialize) -> Result<Self, Problem> {
        let written = serde_json::to_value(search).unwrap_or(Value::Null);
        let digest = json::digest(&written).hex();
        let request: String = digest.chars().take(DIGITS).collect();
        let token = page.and_then(|page| page.token.as_deref());
        let after = match token.filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => Some(last_of(token, &request).ok_or_else(foreign)?),
        };
        Ok(Self {
            request,
            after,
            limit: page.and_then(|page| page.limit),
        })
    }

    /// The page of what was found, which is ordered by name. There is none where everything is
    /// answered to somebody who did not ask for pages.
    pub(super) fn page(&self, found: Vec<String>) -> (Vec<String>, Option<Page>) {
        let total = found.len();
        let limit = self.limit.unwrap_or(RESULTS_MAX).min(RESULTS_MAX);
        let after = |name: &String| self.after.as_ref().is_none_or(|after| name > after);
        let mut rest = found.into_iter().filter(after);
        let taken: Vec<_> = rest.by_ref().take(limit).collect();
        let more = rest.next().is_some();
        if !more && self.after.is_none() && self.limit.is_none() {
            return (taken, None);
        }
        let last = taken.last().or(self.after.as_ref());
        let next_token = match more {
            true => self.token(last.map_or("", String::as_str)),
            false => String::new(),
        };
        let count = taken.len();
        let page = Page {
            next_token,
            count,
            total,
        };
        (taken, Some(page))
    }

    fn token(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{last}", self.request))
    }
}

fn last_of(token: &str, request: &str) -> Option<String> {
    let text = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.strip_prefix(request).map(str::to_owned)
}

fn foreign() -> Problem {
    let detail =
        "not a token of this search: begin again without one, and change nothing between pages";
    Problem::field("/page/token", detail)
}

#[cfg(test)]
mod tests {
    use super::{Cut, PageRequest};
    use serde_json::json;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn cut(token: Option<&str>, limit: Option<usize>, search: &str) -> Option<Cut> {
        let page = PageRequest {
            token: token.map(str::to_owned),
            limit,
        };
        Cut::of(Some(&page), &json!(search)).ok()
    }

    #[test]
    fn pages_follow_each_other_to_an_empty_token() {
        let (mut token, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let cut = cut(token.as_deref(), Some(2), "s").unwrap();
            let (found, page) = cut.page(names("a b c d e"));
            let page = page.unwrap();
            assert_eq!((page.count, page.total), (found.len(), 5));
            seen.extend(found);
            pages += 1;
            if page.next_token.is_empty() {
                break;
            }
            token = Some(page.next_token);
        }
        assert_eq!((seen, pages), (names("a b c d e"), 3));
    }

    #[test]
    fn a_token_belongs_to_its_search() {
        let (_, page) = cut(None, Some(1), "s").unwrap().page(names("a b"));
        let token = page.unwrap().next_token;
        assert!(cut(Some(&token), Some(1), "s").is_some());
        assert!(cut(Some(&token), Some(1), "other").is_none());
        for bad in ["x", "!!", "AAAA"] {
            assert!(cut(Some(bad), Some(1), "s").is_none(), "{bad}");
        }
    }

    #[test]
    fn everything_at_once_has_no_page() {
        let cut = Cut::of(None, &json!("s")).ok().unwrap();
        let (found, page) = cut.page(names("a b"));
        assert_eq!((found, page), (names("a b"), None));
    }
}
