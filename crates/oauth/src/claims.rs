//! What a genuine token must say before it is believed: from whom, for whom, and when.
//!
//! ```json
//! {"iss": "https://login.acme.com", "aud": "https://gate.acme.com/mcp", "exp": 1781622862,
//!  "sub": "ana@acme.com", "client_id": "assistant", "scope": "toolgate:call"}
//! ```
//! The audience is compared exactly: a token for another resource of the same issuer opens nothing
//! here, and what a server behind the gate was shown cannot be played back to the gate.
//!
//! Must not know: signatures, agents.

use serde_json::Value;
use toolgate_gate::trust::Distrust;
use toolgate_model::{Duration, Timestamp};

use crate::token::text_of;

/// LIMIT: one minute, by which the issuer's clock and this one may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// LIMIT: a hundred groups; what is longer belongs into a directory.
const GROUPS_MAX: usize = 100;

/// What is demanded of a token.
pub(crate) struct Demands<'d> {
    pub(crate) issuer: &'d str,
    pub(crate) audience: &'d str,
    pub(crate) scopes: &'d [String],
}

/// Holds the claims against what is demanded; yields when the token ends.
///
/// # Errors
/// [`Distrust`] names the claim, and nothing of it.
pub(crate) fn check(
    claims: &Value,
    demands: &Demands<'_>,
    now: Timestamp,
) -> Result<Timestamp, Distrust> {
    let invalid = |why: &str| Err(Distrust::Invalid(why.to_owned()));
    if text_of(claims, "iss") != Some(demands.issuer) {
        return invalid("the token is from somebody else");
    }
    if !is_meant_for(claims, demands.audience) {
        let audience = demands.audience;
        let why = format!("the token is not for `{audience}`: ask for it with that `resource`");
        return Err(Distrust::Invalid(why));
    }
    let Some(ends) = instant(claims, "exp")? else {
        return invalid("the token has no `exp`");
    };
    if now >= ends.plus(LEEWAY) {
        return invalid("the token has expired");
    }
    for begins in ["nbf", "iat"] {
        let begins = instant(claims, begins)?;
        if begins.is_some_and(|at| at > now.plus(LEEWAY)) {
            return invalid("the token is not valid yet");
        }
    }
    let granted = scopes(claims);
    let missing = |scope: &&String| !granted.contains(&scope.as_str());
    match demands.scopes.iter().find(missing) {
        Some(missing) => Err(Distrust::Scope {
            missing: missing.clone(),
        }),
        None => Ok(ends),
    }
}

/// The texts of a claim that is a list of groups.
pub(crate) fn groups(claims: &Value, claim: &str) -> Result<Vec<String>, Distrust> {
    let wrong = || Distrust::Invalid(format!("the token's `{claim}` is no list of names"));
    let Some(value) = claims.get(claim) else {
        return Ok(Vec::new());
    };
    let all = value.as_array().ok_or_else(wrong)?;
    if all.len() > GROUPS_MAX {
        let why = format!("the token has more than the {GROUPS_MAX} groups allowed");
        return Err(Distrust::Invalid(why));
    }
    let texts = all.iter().map(|one| one.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or_else(wrong)
}

fn is_meant_for(claims: &Value, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(all)) => all.iter().any(|one| one == audience),
        _ => false,
    }
}

/// The scopes that a token has, in whichever of the two ways its issuer writes them.
fn scopes(claims: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for claim in ["scope", "scp"] {
        match claims.get(claim) {
            Some(Value::String(text)) => found.extend(text.split(' ')),
            Some(Value::Array(all)) => found.extend(all.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    found
}

/// A claim in seconds, if it is there.
fn instant(claims: &Value, claim: &str) -> Result<Option<Timestamp>, Distrust> {
    let Some(value) = claims.get(claim) else {
        return Ok(None);
    };
    // Some issuers write fractions of seconds, which nobody needs.
    let whole = |text: String| text.split('.').next().and_then(|text| text.parse().ok());
    let seconds: Option<i64> = match value {
        Value::Number(number) => whole(number.to_string()),
        _ => None,
    };
    let millis = seconds.and_then(|seconds| seconds.checked_mul(1_000));
    match millis.filter(|millis| *millis >= 0) {
        Some(millis) => Ok(Some(Timestamp::from_millis(millis))),
        None => Err(Distrust::Invalid(format!(
            "the token's `{claim}` is no time"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Demands, check};
    use serde_json::{Value, json};
    use toolgate_gate::trust::Distrust;
    use toolgate_model::Timestamp;

    const NOW: i64 = 1_781_622_862;

    fn judged(change: &[(&str, Value)]) -> Result<Timestamp, Distrust> {
        let mut claims = json!({
            "iss": "https://login.acme.com",
            "aud": "https://gate.acme.com/mcp",
            "exp": NOW + 300,
            "scope": "profile toolgate:call",
        });
        for (claim, value) in change {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*claim)),
                value => claims[*claim] = value.clone(),
            }
        }
        let demands = Demands {
            issuer: "https://login.acme.com",
            audience: "https://gate.acme.com/mcp",
            scopes: &["toolgate:call".to_owned()],
        };
        check(&claims, &demands, Timestamp::from_millis(NOW * 1_000))
    }

    #[test]
    fn a_token_is_for_this_gate_from_this_issuer_and_now() {
        for good in [
            vec![],
            vec![("aud", json!(["other", "https://gate.acme.com/mcp"]))],
            vec![("exp", json!(NOW - 59))],
            vec![("exp", serde_json::from_str("1781622863.5").unwrap())],
            vec![("nbf", json!(NOW + 60))],
            vec![("scope", Value::Null), ("scp", json!(["toolgate:call"]))],
            vec![("scope", Value::Null), ("scp", json!("a toolgate:call b"))],
        ] {
            assert!(judged(&good).is_ok(), "{good:?}");
        }
        for bad in [
            ("iss", Value::Null),
            ("iss", json!("https://login.acme.com/")),
            ("iss", json!("https://login.acme.com.evil.example")),
            ("iss", json!(["https://login.acme.com"])),
            ("aud", Value::Null),
            ("aud", json!("https://gate.acme.com")),
            ("aud", json!("https://gate.acme.com/mcp/")),
            ("aud", json!("https://gate.acme.com/mcp https://other")),
            ("aud", json!([])),
            ("aud", json!({"https://gate.acme.com/mcp": true})),
            ("exp", Value::Null),
            ("exp", json!(NOW - 60)),
            ("exp", json!("9999999999")),
            ("exp", json!(-1)),
            ("exp", serde_json::from_str("1e99").unwrap()),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
            ("nbf", json!("soon")),
        ] {
            let found = judged(std::slice::from_ref(&bad));
            assert!(matches!(found, Err(Distrust::Invalid(_))), "{bad:?}");
        }
        for narrow in [
            json!("toolgate:callx"),
            json!(""),
            json!("toolgate:read"),
            json!(7),
        ] {
            let found = judged(&[("scope", narrow.clone())]);
            assert!(matches!(found, Err(Distrust::Scope { .. })), "{narrow}");
        }
    }
}
