//! The headers of a request: which are judged and sent on, which are refused, which are left out.
//!
//! `X-HTTP-Method-Override: DELETE` makes another request of the one that is judged, so it is
//! refused. `Authorization` says who asks and not what is asked, so it is left out and never
//! recorded. What nobody has listed is left out too: no header carries a message around the rules.
//!
//! Must not know: which services there are.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// Headers that change what is asked, or how it is done; these travel on.
const KEPT: &[&str] = &[
    "accept",
    "content-type",
    "from",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "prefer",
    "range",
    "stripe-account",
    "stripe-version",
    "x-amz-acl",
    "x-amz-bypass-governance-retention",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-target",
    "x-github-api-version",
    "x-goog-user-project",
];

/// Headers that make another request of the one that is judged, or hide its body.
const REFUSED: &[&str] = &[
    "content-encoding",
    "content-range",
    "forwarded",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

/// LIMIT: what servers commonly take.
const HEADERS_MAX: usize = 100;
/// LIMIT: eight KiB a header, as servers commonly take.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// The headers that are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// By name in lower case.
    pub(super) kept: BTreeMap<String, String>,
    /// The names of those that are left out.
    pub(super) withheld: Vec<String>,
}

impl Headers {
    /// Reads the headers of a request to `authority` (host, or host and port).
    ///
    /// # Errors
    /// A [`Refusal`] where a header is none, is given twice, or makes another request of this one.
    pub(super) fn read(given: &BTreeMap<String, String>, authority: &str) -> Result<Self, Refusal> {
        if given.len() > HEADERS_MAX {
            let what = format!("has more than the {HEADERS_MAX} allowed");
            return Err(Refusal::at("headers", what));
        }
        let mut read = Self::default();
        for (name, value) in given {
            let name = named(name, value)?;
            let place = format!("header {name}");
            let value = value.trim_matches([' ', '\t']);
            if REFUSED.contains(&name.as_str()) {
                let what = "makes another request of this one: leave it out";
                return Err(Refusal::at(&place, what));
            }
            if name == "host" && !is_same_host(value, authority) {
                return Err(Refusal::at(&place, "is not the host of the address"));
            }
            if !KEPT.contains(&name.as_str()) {
                read.withheld.push(name);
                continue;
            }
            if read
                .kept
                .insert(name, value.to_owned())
                .is_some_and(|other| other != value)
            {
                return Err(Refusal::at(
                    &place,
                    "is given more than once, with different values",
                ));
            }
        }
        read.withheld.sort();
        read.withheld.dedup();
        Ok(read)
    }

    /// The value of a header that is kept.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.kept.get(name).map(String::as_str)
    }
}

fn named(name: &str, value: &str) -> Result<String, Refusal> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(token) {
        return Err(Refusal::at("headers", "has a name that is no header's"));
    }
    let name = name.to_ascii_lowercase();
    let printable = |b: u8| b == b'\t' || (b' '..=b'~').contains(&b);
    if value.len() > VALUE_BYTES_MAX || !value.bytes().all(printable) {
        let place = format!("header {name}");
        return Err(Refusal::at(
            &place,
            "is too long or has characters that no header has",
        ));
    }
    Ok(name)
}

fn is_same_host(value: &str, authority: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim_end_matches(":443").trim_end_matches(":80");
        text.trim_end_matches('.').to_ascii_lowercase()
    };
    bare(value) == bare(authority)
}
