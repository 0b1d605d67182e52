//! The request as it is sent: what was judged, with the caller's own credentials put back.
//!
//! The gate takes credentials out before anything is recorded, and names them: `header authorization`,
//! `query access_token`. They come from the request that the caller sent, and nothing else of it does
//! but headers that are on the list of those that may.
//!
//! Must not know: how it is sent.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use super::asked::Asked;

/// Headers that travel on although nothing is judged by them: credentials, and what APIs want to be
/// told about versions and accounts.
pub(crate) const CARRIED: [&str; 23] = [
    "anthropic-beta",
    "anthropic-version",
    "api-key",
    "authorization",
    "cookie",
    "dd-api-key",
    "dd-application-key",
    "notion-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "private-token",
    "stripe-context",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-client",
    "x-goog-api-key",
    "x-shopify-access-token",
    "x-vault-token",
];

/// A request to send.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<String>,
}

impl Written {
    /// What was judged (`request` of the envelope), with the credentials of what was asked.
    ///
    /// # Errors
    /// Why it cannot be put together.
    pub(super) fn of(judged: &Value, asked: &Asked, carried: &[String]) -> Result<Self, String> {
        let text = |key: &str| judged.get(key).and_then(Value::as_str);
        let url = text("url").unwrap_or_default();
        let mut url: Url = url
            .parse()
            .map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let members = judged.get("headers").and_then(Value::as_object);
        let mut headers: BTreeMap<String, String> = members
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        let mut body = judged.get("body").cloned().unwrap_or_default();
        let withheld = judged.get("withheld").and_then(Value::as_array);
        for one in withheld.into_iter().flatten().filter_map(Value::as_str) {
            let (place, name) = one.split_once(' ').unwrap_or((one, ""));
            match place {
                "header" if is_carried(name, carried) => {
                    if let Some(value) = asked.headers.get(name) {
                        headers.insert(name.to_owned(), value.clone());
                    }
                }
                "query" => put_query(&mut url, name, &asked.url),
                "path" => put_path(&mut url, &asked.url)?,
                "body" => put_body(&mut body, name, asked)?,
                _ => {}
            }
        }
        // What comes back must be read by the gate, too.
        headers.insert("accept-encoding".to_owned(), "identity".to_owned());
        // INVARIANT: whatever was put back, it goes to the host that was asked for.
        if url.origin() != asked.url.origin() {
            return Err("it would go to another host than the one that was asked for".to_owned());
        }
        Ok(Self {
            method: text("method").unwrap_or_default().to_owned(),
            url,
            headers,
            body: match body {
                Value::Null => None,
                Value::String(text) => Some(text),
                json => Some(json.to_string()),
            },
        })
    }
}

fn is_carried(name: &str, more: &[String]) -> bool {
    CARRIED.contains(&name) || more.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Puts back the parameters of this name, as they were written.
fn put_query(url: &mut Url, name: &str, asked: &Url) {
    let written = asked.query().unwrap_or_default().split('&');
    let names = asked.query_pairs().map(|(name, _)| name.into_owned());
    let pairs: Vec<&str> = written
        .filter(|pair| !pair.is_empty())
        .zip(names)
        .filter(|(_, one)| one.eq_ignore_ascii_case(name))
        .map(|(pair, _)| pair)
        .collect();
    let mut query: Vec<&str> = url
        .query()
        .into_iter()
        .filter(|query| !query.is_empty())
        .collect();
    query.extend(pairs);
    let query = query.join("&");
    url.set_query(
        Some(&query)
            .filter(|query| !query.is_empty())
            .map(String::as_str),
    );
}

/// Puts back the one segment that says `withheld`.
fn put_path(url: &mut Url, asked: &Url) -> Result<(), String> {
    let (judged, given) = (url.path().to_owned(), asked.path());
    let (judged, given): (Vec<_>, Vec<_>) =
        (judged.split('/').collect(), given.split('/').collect());
    if judged.len() != given.len() {
        return Err("the secret in its path cannot be put back".to_owned());
    }
    let whole = judged
        .iter()
        .zip(&given)
        .map(|(judged, given)| match *judged {
            "withheld" => *given,
            judged => judged,
        });
    let whole: Vec<_> = whole.collect();
    url.set_path(&whole.join("/"));
    Ok(())
}

/// Puts back a member of a JSON object or a field of a form.
fn put_body(body: &mut Value, name: &str, asked: &Asked) -> Result<(), String> {
    let lost = || format!("the credential `{name}` in its body cannot be put back");
    let given = asked.body.as_deref().ok_or_else(lost)?;
    match body {
        Value::Object(members) => {
            let whole: Value = serde_json::from_str(given).map_err(|_| lost())?;
            let value = whole.get(name).ok_or_else(lost)?;
            members.insert(name.to_owned(), value.clone());
        }
        Value::String(form) => {
            let of_name = |pair: &&str| pair.split('=').next() == Some(name);
            let pair = given.split('&').find(of_name).ok_or_else(lost)?;
            if !form.is_empty() {
                form.push('&');
            }
            form.push_str(pair);
        }
        _ => return Err(lost()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::http::Method;
    use serde_json::{Value, json};

    use super::Written;
    use crate::proxy::asked::Asked;

    fn asked(url: &str, headers: &[(&str, &str)], body: &str) -> Asked {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Asked {
            method: Method::POST,
            url: url.parse().unwrap(),
            headers: headers.collect(),
            body: Some(body.to_owned()),
            bytes: body.to_owned().into(),
            by_path: true,
            words: BTreeMap::new(),
        }
    }

    fn judged(url: &str, body: Value, withheld: &[&str]) -> Value {
        json!({"method": "POST", "url": url, "headers": {"accept": "x"}, "body": body, "withheld": withheld})
    }

    #[test]
    fn credentials_are_put_back_by_their_names_and_nothing_else_is() {
        let asked = asked(
            "https://slack.com/hooks/T1/s3/x?a=1&token=of-query&b=%202",
            &[
                ("authorization", "of-header"),
                ("x-other", "1"),
                ("x-mine", "2"),
                ("accept", "y"),
            ],
            r#"{"text": "mail ana@acme.com", "token": "of-body"}"#,
        );
        let withheld = [
            "header authorization",
            "header x-other",
            "header x-mine",
            "query token",
            "path secret",
            "body token",
        ];
        let judged = judged(
            "https://slack.com/hooks/T1/withheld/x?a=1&b=%202",
            json!({"text": "mail [EMAIL_1]"}),
            &withheld,
        );
        let written = Written::of(&judged, &asked, &["X-Mine".to_owned()]).unwrap();
        assert_eq!(
            written.url.as_str(),
            "https://slack.com/hooks/T1/s3/x?a=1&b=%202&token=of-query"
        );
        let headers: Vec<_> = written
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("accept", "x"),
            ("accept-encoding", "identity"),
            ("authorization", "of-header"),
            ("x-mine", "2"),
        ];
        assert_eq!(headers, expected);
        let body: Value = serde_json::from_str(&written.body.unwrap()).unwrap();
        assert_eq!(body, json!({"text": "mail [EMAIL_1]", "token": "of-body"}));
    }

    #[test]
    fn a_form_gets_its_field_back_and_what_cannot_be_put_back_is_not_sent() {
        let url = "https://slack.com/api/chat.postMessage";
        let given = asked(url, &[], "text=a+b&token=of%2Dform");
        let form = judged(url, json!("text=a%20b"), &["body token"]);
        assert_eq!(
            Written::of(&form, &given, &[]).unwrap().body.unwrap(),
            "text=a%20b&token=of%2Dform"
        );
        let gone = asked(url, &[], "text=a+b");
        assert!(Written::of(&form, &gone, &[]).is_err());
        let elsewhere = judged(
            "https://evil.example/x",
            json!(null),
            &["header authorization"],
        );
        assert!(Written::of(&elsewhere, &given, &[]).is_err());
        let shorter = judged("https://slack.com/withheld", json!(null), &["path secret"]);
        assert!(Written::of(&shorter, &given, &[]).is_err());
    }
}
