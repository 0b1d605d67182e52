//! What raw requests are recognised as: a file of requests for each service, written from the
//! public documentation of its API, with attacks among them; and properties over all addresses.
//!
//! A line of a file is a request and what must come out. Of places and arguments only those named
//! are compared; `absent` names places that must not be there. Must not know: how it is done.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a request that cannot be read is a failure, and says which"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolgate_model::{HttpRequest, Recognition, Risk, Verb};
use toolgate_tools::recognise;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// `POST https://…`
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    own: Vec<String>,
    /// What it is recognised as.
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    verb: Option<Verb>,
    #[serde(default)]
    risk: Option<Risk>,
    #[serde(default)]
    places: Map<String, Value>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    arguments: Map<String, Value>,
    /// The address that is sent.
    #[serde(default)]
    url: Option<String>,
    /// The body that is sent.
    #[serde(default)]
    sends: Option<Value>,
    #[serde(default)]
    withheld: Option<Vec<String>>,
    /// Words of the refusal.
    #[serde(default)]
    refused: Option<String>,
}

impl Line {
    fn request(&self) -> HttpRequest {
        let (method, url) = self.request.split_once(' ').unwrap();
        HttpRequest {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }

    fn check(&self) {
        let found = recognise(&self.request(), &self.own).unwrap();
        let here = &self.request;
        if let Some(words) = &self.refused {
            let refusal = found.recognised.refusal.as_ref();
            let told = refusal.unwrap_or_else(|| panic!("{here} is {}", tool(&found)));
            assert!(
                told.message.contains(words.as_str()),
                "{here}: {}",
                told.message
            );
            assert_eq!(told.code.as_str(), "invalid_arguments");
            assert_eq!(
                (&found.arguments, &found.request),
                (&json!({}), &None),
                "{here}"
            );
            return;
        }
        assert_eq!(found.recognised.refusal, None, "{here}");
        assert_eq!(Some(tool(&found)), self.tool, "{here}");
        let known = &found.recognised.descriptor;
        if self.category.is_some() {
            assert_eq!(known.category, self.category, "{here}");
        }
        assert!(
            self.verb.is_none_or(|verb| verb == known.verb),
            "{here}: {}",
            known.verb
        );
        assert!(
            self.risk.is_none_or(|risk| risk == known.risk),
            "{here}: {}",
            known.risk
        );
        subset(here, &self.places, &found.recognised.places);
        subset(here, &self.arguments, found.arguments.as_object().unwrap());
        for name in &self.absent {
            assert!(
                !found.recognised.places.contains_key(name),
                "{here}: {name}"
            );
        }
        self.sent(&found);
    }

    fn sent(&self, found: &Recognition) {
        let (here, sent) = (&self.request, found.request.as_ref().unwrap());
        if let Some(url) = &self.url {
            assert_eq!(&sent.url, url, "{here}");
        }
        if let Some(body) = &self.sends {
            assert_eq!(&sent.body, body, "{here}");
        }
        if let Some(withheld) = &self.withheld {
            assert_eq!(&found.withheld, withheld, "{here}");
        }
        // What may be sent is recognised as what it was made of, and is its own canonical form.
        let again = recognise(sent, &self.own).unwrap();
        assert_eq!(again.recognised.places, found.recognised.places, "{here}");
        assert_eq!(tool(&again), tool(found), "{here}");
        assert_eq!(again.request.as_ref(), Some(sent), "{here}");
        assert_eq!(again.arguments, found.arguments, "{here}");
    }
}

fn tool(found: &Recognition) -> String {
    found.recognised.descriptor.id.to_string()
}

fn subset(here: &str, expected: &Map<String, Value>, found: &Map<String, Value>) {
    for (name, value) in expected {
        assert_eq!(
            found.get(name),
            Some(value),
            "{here}: `{name}` in {found:?}"
        );
    }
}

/// Checks every line of a file and that it has enough of them.
fn check(text: &str) {
    let lines: Vec<Line> = serde_json::from_str(text).unwrap();
    assert!(lines.len() >= 12, "only {} requests", lines.len());
    for line in &lines {
        assert!(
            line.refused.is_some() != line.tool.is_some(),
            "{}",
            line.request
        );
        line.check();
    }
}

macro_rules! services {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            check(include_str!(concat!("normalise/", stringify!($name), ".json")));
        }
    )+};
}

services!(
    attacks, aws, gdrive, github, gmail, http, hubspot, jira, pagerduty, salesforce, slack, stripe,
);

/// Every line of every table: one request of it is recognised as it.
#[test]
fn every_line_of_every_table_is_recognised() {
    let tables = [
        (
            "https://api.github.com",
            include_str!("../src/normalise/tables/github.hand.txt"),
        ),
        (
            "https://api.github.com",
            include_str!("../src/normalise/tables/github.txt"),
        ),
        (
            "https://api.stripe.com",
            include_str!("../src/normalise/tables/stripe.hand.txt"),
        ),
        (
            "https://api.stripe.com",
            include_str!("../src/normalise/tables/stripe.txt"),
        ),
        (
            "https://slack.com",
            include_str!("../src/normalise/tables/slack.txt"),
        ),
        (
            "https://www.googleapis.com",
            include_str!("../src/normalise/tables/gdrive.txt"),
        ),
        (
            "https://gmail.googleapis.com",
            include_str!("../src/normalise/tables/gmail.txt"),
        ),
        (
            "https://acme.atlassian.net",
            include_str!("../src/normalise/tables/jira.txt"),
        ),
        (
            "https://acme.my.salesforce.com",
            include_str!("../src/normalise/tables/salesforce.txt"),
        ),
        (
            "https://api.hubapi.com",
            include_str!("../src/normalise/tables/hubspot.txt"),
        ),
        (
            "https://api.pagerduty.com",
            include_str!("../src/normalise/tables/pagerduty.txt"),
        ),
    ];
    let mut lines = 0;
    for (base, table) in tables {
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.len(), 7, "{line}");
            assert!(words[4] == "-" || Verb::parse(words[4]).is_some(), "{line}");
            assert!(words[5] == "-" || Risk::parse(words[5]).is_some(), "{line}");
            let path = words[1].replace(['{', '}', '*'], "");
            let request = HttpRequest {
                method: words[0].to_owned(),
                url: format!("{base}{path}"),
                headers: BTreeMap::new(),
                body: Value::Null,
            };
            let found = recognise(&request, &[]).unwrap();
            let known = &found.recognised.descriptor;
            assert_eq!(found.recognised.refusal, None, "{line}");
            assert_ne!(known.id.operation(), "request", "{line}");
            lines += 1;
        }
    }
    assert!(lines > 1_900, "{lines}");
}

/// The operations that tables write by hand, as the reference page lists them.
fn listed() -> String {
    let tables = [
        ("aws", include_str!("../src/normalise/tables/aws.txt")),
        ("gdrive", include_str!("../src/normalise/tables/gdrive.txt")),
        (
            "github",
            include_str!("../src/normalise/tables/github.hand.txt"),
        ),
        ("gmail", include_str!("../src/normalise/tables/gmail.txt")),
        (
            "hubspot",
            include_str!("../src/normalise/tables/hubspot.txt"),
        ),
        ("jira", include_str!("../src/normalise/tables/jira.txt")),
        (
            "pagerduty",
            include_str!("../src/normalise/tables/pagerduty.txt"),
        ),
        (
            "salesforce",
            include_str!("../src/normalise/tables/salesforce.txt"),
        ),
        ("slack", include_str!("../src/normalise/tables/slack.txt")),
        (
            "stripe",
            include_str!("../src/normalise/tables/stripe.hand.txt"),
        ),
    ];
    let mut page = String::new();
    for (tool, table) in tables {
        let mut seen = std::collections::BTreeSet::new();
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            seen.insert(format!(
                "`{}` ({}, {}, {})",
                words[2], words[3], words[4], words[5]
            ));
        }
        let all: Vec<String> = seen.into_iter().collect();
        page.push_str(&format!("\n**`{tool}`**: {}\n", all.join(", ")));
    }
    page
}

/// The reference lists what there is. `UPDATE_EXPECT=1` writes it anew.
#[test]
fn the_reference_lists_every_operation() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/normalisers.md"
    );
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- operations -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let fresh = format!(
        "{before}<!-- operations -->\n{}\n<!-- end -->{after}",
        listed()
    );
    expect_test::expect_file![path].assert_eq(&fresh);
}

/// Names, values and the ways to write one letter of them.
fn spelled(text: &str, choices: &[u8]) -> String {
    let mut all = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match choices.get(at % choices.len().max(1)).copied().unwrap_or(0) % 4 {
            1 => all.push_str(&format!("%{byte:02x}")),
            2 => all.push_str(&format!("%{byte:02X}")),
            _ => all.push(char::from(byte)),
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// RFC 3986, 6.2.2: the letter case of scheme and host, the escapes of unreserved letters, the
    /// default port, dot segments and an empty query make no other address.
    #[test]
    fn spellings_that_are_equal_are_recognised_alike(
        owner in "[a-zA-Z0-9_.~-]{1,6}[a-z]",
        repo in "[a-zA-Z0-9_~-]{1,8}",
        choices in proptest::collection::vec(any::<u8>(), 1..12),
        port in any::<bool>(),
        dots in 0..3usize,
        upper in any::<bool>(),
    ) {
        let plain = format!("https://api.github.com/repos/{owner}/{repo}/issues");
        let host = if upper { "HTTPS://API.GitHub.COM" } else { "https://api.github.com" };
        let port = if port { ":443" } else { "" };
        let detour = ["", "/./x/..", "/a/b/%2e%2E/../."][dots];
        let path = format!("/{}/{}/{}/{}", spelled("repos", &choices), spelled(&owner, &choices), spelled(&repo, &choices), spelled("issues", &choices));
        let other = format!("{host}{port}{detour}{path}?");
        let request = |url: &str| HttpRequest { method: "POST".to_owned(), url: url.to_owned(), headers: BTreeMap::new(), body: json!({"title": "t"}) };
        let (one, two) = (recognise(&request(&plain), &[]).unwrap(), recognise(&request(&other), &[]).unwrap());
        prop_assert_eq!(tool(&one), "github.create_issue");
        prop_assert_eq!(&one.request, &two.request);
        prop_assert_eq!(&one.recognised, &two.recognised);
        prop_assert_eq!(&one.arguments, &two.arguments);
    }

    /// What may be sent is its own canonical form, whatever was given.
    #[test]
    fn the_canonical_form_is_its_own(
        host in "(api\\.github\\.com|slack\\.com|s3\\.amazonaws\\.com|api\\.stripe\\.com|x\\.example|0x7f\\.1)",
        path in "(/[a-zA-Z0-9%._~!$&'()*+,=:@/-]{0,30})?",
        query in "(\\?[a-zA-Z0-9%._~&=+-]{0,30})?",
    ) {
        let request = HttpRequest { method: "GET".to_owned(), url: format!("https://{host}{path}{query}"), headers: BTreeMap::new(), body: Value::Null };
        let found = recognise(&request, &[]).unwrap();
        if let Some(sent) = &found.request {
            let again = recognise(sent, &[]).unwrap();
            prop_assert_eq!(again.request.as_ref(), Some(sent));
            prop_assert_eq!(&again.recognised.places, &found.recognised.places);
        }
    }

    /// Nothing that anybody can write breaks it, and a refusal never repeats a value.
    #[test]
    fn nothing_breaks_it(
        method in "(GET|POST|put|DELETE|TRACE|.{0,8})",
        start in "(https://|http://|HTTPS://slack\\.com/api/|https://hooks\\.slack\\.com/services/|https://api\\.github\\.com/|https://www\\.googleapis\\.com/(upload/)?(drive|gmail)/|https://[a-z.-]{0,9}amazonaws\\.com/|https://x\\.atlassian\\.net/rest/api/)?",
        url in ".{0,60}",
        name in "(content-type|host|x-amz-target|.{0,10})",
        value in "(application/json|application/x-www-form-urlencoded|multipart/form-data; boundary=b|text/xml|.{0,20})",
        body in "(\\{\"[a-z]{1,4}\":.{0,20}\\}|--b\r\n.{0,60}|[a-z\\[\\]=&%]{0,40}|.{0,60})",
    ) {
        let request = HttpRequest { method, url: format!("{start}{url}"), headers: BTreeMap::from([(name, value)]), body: Value::from(body) };
        let found = recognise(&request, &["acme.com".to_owned()]).unwrap();
        prop_assert_eq!(found.request.is_none(), found.recognised.refusal.is_some());
    }
}
