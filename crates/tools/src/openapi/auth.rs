//! The gate's own credentials at an API, and which of them a request carries.
//!
//! ```toml
//! auth = { bearer = "env:CRM_TOKEN" }                                  # every request
//! auth = { schemes = { Admin = { header = { name = "X-Admin", value = "env:ADMIN" } } } }
//! ```
//! A credential for a scheme goes with the operations whose description asks for that scheme; one
//! for all goes with every other request. How a credential is shown is the operator's word and
//! never the description's: that could have it put where somebody reads it.
//!
//! INVARIANT: a credential is seen by the API alone. It goes into requests below the base URL, no
//! argument takes its place, and where an answer repeats it, it is taken out.
//!
//! Must not know: what is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use toolgate_gate::trust::{Authorization, Behalf, Grants};
use zeroize::Zeroizing;

use super::request_style::escaped;
use crate::config::Secret;
use crate::http::secret;

/// One credential of the gate's own at an API.
#[derive(Clone, Debug)]
pub enum ApiAuth {
    /// `Authorization: Bearer …`
    Bearer(Secret),
    /// `Authorization: Basic …`
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of the API's own.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
}

impl ApiAuth {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_header = |name: &str| HeaderName::from_bytes(name.as_bytes()).is_ok();
        match self {
            Self::Basic { user, .. } if user.contains(':') => Some(format!(
                "the user `{user}` has a colon, which ends a user's name"
            )),
            Self::Header { name, .. } if !is_header(name) => {
                Some(format!("`{name}` is not the name of a header"))
            }
            Self::Query { name, .. } if name.is_empty() => {
                Some("a parameter of the query has no name".to_owned())
            }
            _ => None,
        }
    }

    /// How it is shown, in one word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
            Self::Query { .. } => "query",
        }
    }

    fn ready(&self) -> Result<Ready, String> {
        match self {
            Self::Bearer(token) => {
                let shown = Zeroizing::new(format!("Bearer {}", token.expose()));
                Ok(Ready::Header(AUTHORIZATION, secret("auth.bearer", &shown)?))
            }
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
                let shown = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                Ok(Ready::Header(AUTHORIZATION, secret("auth.basic", &shown)?))
            }
            Self::Header { name, value } => {
                let known: HeaderName = name
                    .parse()
                    .map_err(|_| format!("`{name}` is not the name of a header"))?;
                Ok(Ready::Header(known, secret(name, value.expose())?))
            }
            Self::Query { name, value } => Ok(Ready::Query(name.clone(), value.clone())),
        }
    }

    /// Every form in which an answer could repeat it.
    fn traces(&self) -> Vec<Zeroizing<String>> {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        match self {
            Self::Bearer(value) | Self::Header { value, .. } => vec![text(value.expose())],
            Self::Query { value, .. } => vec![text(value.expose()), text(&escaped(value.expose()))],
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
                vec![
                    text(password.expose()),
                    text(&STANDARD.encode(pair.as_bytes())),
                ]
            }
        }
    }
}

/// A credential as it goes into a request.
#[derive(Clone)]
enum Ready {
    Header(HeaderName, HeaderValue),
    Query(String, Secret),
}

/// Everything that the gate can show at one API.
pub(crate) struct Credentials {
    /// Headers that every request carries.
    headers: HeaderMap,
    /// What goes with requests for which no scheme has a credential of its own.
    plain: Vec<Ready>,
    schemes: BTreeMap<String, Vec<Ready>>,
    grants: Option<Arc<dyn Grants>>,
    traces: Vec<Zeroizing<String>>,
}

/// What one request carries.
#[derive(Clone, Default)]
pub(crate) struct Chosen {
    headers: HeaderMap,
    query: Vec<(String, Secret)>,
    /// Whether it carries a granted token.
    pub(crate) granted: bool,
}

/// LIMIT: shorter secrets are found in any text.
const TRACE_BYTES_MIN: usize = 6;
/// What stands where a credential stood.
const WITHHELD: &[u8] = b"[withheld]";

impl Credentials {
    /// Those that the operator states.
    ///
    /// # Errors
    /// What is wrong with one, in words that do not show it.
    pub(crate) fn new(
        plain: &[ApiAuth],
        schemes: &BTreeMap<String, ApiAuth>,
        headers: &BTreeMap<String, Secret>,
        grants: Option<Arc<dyn Grants>>,
    ) -> Result<Self, String> {
        let mut carried = HeaderMap::new();
        for (name, value) in headers {
            let known: HeaderName = name
                .parse()
                .map_err(|_| format!("`{name}` is not the name of a header"))?;
            carried.insert(known, secret(name, value.expose())?);
        }
        let ready = |auth: &ApiAuth| auth.ready();
        let named = |(name, auth): (&String, &ApiAuth)| Ok((name.clone(), vec![auth.ready()?]));
        let all = plain.iter().chain(schemes.values());
        let traces = all.flat_map(ApiAuth::traces);
        Ok(Self {
            headers: carried,
            plain: plain.iter().map(ready).collect::<Result<_, _>>()?,
            schemes: schemes.iter().map(named).collect::<Result<_, String>>()?,
            grants,
            traces: traces
                .filter(|trace| trace.len() >= TRACE_BYTES_MIN)
                .collect(),
        })
    }

    /// What a request carries whose description asks for one of these alternatives.
    ///
    /// # Errors
    /// What the operator has to state, where there is nothing to show.
    pub(crate) fn chosen(&self, alternatives: &[Vec<String>]) -> Result<Chosen, String> {
        let known = |names: &&Vec<String>| {
            !names.is_empty() && names.iter().all(|name| self.schemes.contains_key(name))
        };
        if let Some(names) = alternatives.iter().find(known) {
            let all = names.iter().filter_map(|name| self.schemes.get(name));
            return Ok(self.carrying(all.flatten(), false));
        }
        let nothing = self.plain.is_empty() && self.grants.is_none();
        let needed = !alternatives.is_empty() && alternatives.iter().all(|names| !names.is_empty());
        if nothing && needed && !self.schemes.is_empty() {
            let names: BTreeSet<&str> = alternatives.iter().flatten().map(String::as_str).collect();
            let names: Vec<&str> = names.into_iter().collect();
            let names = names.join("`, `");
            return Err(format!(
                "the operation asks for the credential `{names}`, and `auth.schemes` has none for it"
            ));
        }
        Ok(self.carrying(self.plain.iter(), self.grants.is_some()))
    }

    fn carrying<'r>(&self, ready: impl Iterator<Item = &'r Ready>, granted: bool) -> Chosen {
        let mut chosen = Chosen {
            headers: self.headers.clone(),
            query: Vec::new(),
            granted,
        };
        for one in ready {
            match one {
                Ready::Header(name, value) => {
                    chosen.headers.insert(name, value.clone());
                }
                Ready::Query(name, value) => chosen.query.push((name.clone(), value.clone())),
            }
        }
        chosen
    }

    /// The names of headers, in lower case, and of parameters of the query that are the gate's own: no argument
    /// takes their place.
    pub(crate) fn names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut headers: BTreeSet<String> = BTreeSet::new();
        let mut query = BTreeSet::new();
        headers.extend(self.headers.keys().map(|name| name.as_str().to_owned()));
        for one in self.plain.iter().chain(self.schemes.values().flatten()) {
            match one {
                Ready::Header(name, _) => headers.insert(name.as_str().to_owned()),
                Ready::Query(name, _) => query.insert(name.clone()),
            };
        }
        (headers, query)
    }

    /// The token of this moment.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn granted(
        &self,
        behalf: Option<&Behalf>,
    ) -> Result<Option<Authorization>, String> {
        match &self.grants {
            None => Ok(None),
            Some(grants) => grants.authorization(behalf).await.map(Some),
        }
    }

    /// The API took this token no more.
    pub(crate) fn refused(&self, used: &Authorization) {
        if let Some(grants) = &self.grants {
            grants.refused(used);
        }
    }

    /// Takes the gate's own credentials out of what an API answered; says whether one was there.
    pub(crate) fn scrub(&self, bytes: &mut Vec<u8>, granted: Option<&Authorization>) -> bool {
        let token = granted.map(|it| it.expose().rsplit(' ').next().unwrap_or_default());
        let own = self.traces.iter().map(|trace| trace.as_str());
        let mut found = false;
        for trace in own.chain(token) {
            found |= taken_out(bytes, trace.as_bytes());
        }
        found
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Chosen {
    /// The headers that it shows.
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Adds its parameters to a query.
    pub(crate) fn query(&self, query: Option<&str>) -> Option<Zeroizing<String>> {
        let own = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value.expose())));
        let all: Vec<String> = query.map(str::to_owned).into_iter().chain(own).collect();
        (!all.is_empty()).then(|| Zeroizing::new(all.join("&")))
    }

    /// Whether some of it is part of the URL.
    pub(crate) const fn is_in_url(&self) -> bool {
        !self.query.is_empty()
    }
}

fn taken_out(bytes: &mut Vec<u8>, trace: &[u8]) -> bool {
    if trace.len() < TRACE_BYTES_MIN {
        return false;
    }
    let mut kept = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(at) = position(rest, trace) {
        let (before, after) = rest.split_at(at);
        kept.extend_from_slice(before);
        kept.extend_from_slice(WITHHELD);
        rest = after.get(trace.len()..).unwrap_or_default();
    }
    let found = rest.len() != bytes.len();
    if found {
        kept.extend_from_slice(rest);
        *bytes = kept;
    }
    found
}

fn position(bytes: &[u8], trace: &[u8]) -> Option<usize> {
    bytes
        .windows(trace.len())
        .position(|window| window == trace)
}

#[cfg(test)]
mod tests {
    use super::{ApiAuth, Credentials};
    use crate::config::Secret;
    use std::collections::BTreeMap;

    fn header(name: &str, value: &str) -> ApiAuth {
        ApiAuth::Header {
            name: name.to_owned(),
            value: Secret::new(value),
        }
    }

    fn credentials(plain: &[ApiAuth], schemes: &[(&str, ApiAuth)]) -> Credentials {
        let named = |(name, auth): &(&str, ApiAuth)| ((*name).to_owned(), auth.clone());
        let schemes = schemes.iter().map(named).collect();
        Credentials::new(plain, &schemes, &BTreeMap::new(), None).unwrap()
    }

    fn asked(alternatives: &[&[&str]]) -> Vec<Vec<String>> {
        let owned = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        alternatives.iter().map(owned).collect()
    }

    #[test]
    fn an_operation_is_shown_what_its_description_asks_for() {
        let both = credentials(
            &[header("x-all", "all")],
            &[
                ("Admin", header("x-admin", "admin")),
                ("Key", header("x-key", "key")),
            ],
        );
        let carried = |alternatives: &[&[&str]]| -> Vec<String> {
            let chosen = both.chosen(&asked(alternatives)).unwrap();
            chosen
                .headers()
                .keys()
                .map(|name| name.to_string())
                .collect()
        };
        assert_eq!(carried(&[]), ["x-all"]);
        assert_eq!(carried(&[&["Other"]]), ["x-all"]);
        assert_eq!(carried(&[&["Admin"]]), ["x-admin"]);
        assert_eq!(carried(&[&["Other"], &["Key"]]), ["x-key"]);
        assert_eq!(carried(&[&["Other", "Key"]]), ["x-all"]);
        assert_eq!(carried(&[&["Admin", "Key"]]), ["x-admin", "x-key"]);
    }

    #[test]
    fn where_there_is_nothing_to_show_the_operator_is_told_what_is_missing() {
        let one = credentials(&[], &[("Key", header("x-key", "key"))]);
        let why = one.chosen(&asked(&[&["Admin"], &["Other"]])).err().unwrap();
        assert!(
            why.contains("`Admin`, `Other`") && why.contains("auth.schemes"),
            "{why}"
        );
        assert!(one.chosen(&asked(&[])).is_ok());
        assert!(
            one.chosen(&asked(&[&["Admin"], &[]])).is_ok(),
            "it is optional"
        );
        // Nothing is stated at all: an API without credentials.
        assert!(credentials(&[], &[]).chosen(&asked(&[&["Admin"]])).is_ok());
    }

    #[test]
    fn what_an_answer_repeats_is_taken_out() {
        let basic = ApiAuth::Basic {
            user: "gate".to_owned(),
            password: Secret::new("pass-word-1"),
        };
        let query = ApiAuth::Query {
            name: "key".to_owned(),
            value: Secret::new("a key/1"),
        };
        let own = credentials(&[basic, query, header("x", "short")], &[]);
        let mut text =
            b"Z2F0ZTpwYXNzLXdvcmQtMQ== pass-word-1pass-word-1 a%20key%2F1 short".to_vec();
        assert!(own.scrub(&mut text, None));
        let left = String::from_utf8(text).unwrap();
        assert_eq!(left, "[withheld] [withheld][withheld] [withheld] short");
        let mut clean = b"nothing".to_vec();
        assert!(!own.scrub(&mut clean, None));
        let granted = toolgate_gate::trust::Authorization::new("Bearer granted-1");
        let mut text = b"granted-1".to_vec();
        assert!(own.scrub(&mut text, Some(&granted)));
        assert_eq!(text, b"[withheld]");
    }

    #[test]
    fn a_credential_in_the_query_is_one_parameter() {
        let query = ApiAuth::Query {
            name: "api key".to_owned(),
            value: Secret::new("a&b=c"),
        };
        let chosen = credentials(&[query], &[]).chosen(&[]).unwrap();
        assert!(chosen.is_in_url());
        let all = chosen.query(Some("x=1")).unwrap();
        assert_eq!(all.as_str(), "x=1&api%20key=a%26b%3Dc");
        assert_eq!(chosen.query(None).unwrap().as_str(), "api%20key=a%26b%3Dc");
    }
}
