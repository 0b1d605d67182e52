//! Names that AWS gives to things: `arn:aws:iam::123456789012:role/deploy`.
//!
//! Must not know: what operations do with them.

use std::collections::BTreeSet;

use serde_json::Value;

/// LIMIT: values of a request that are looked through.
const VALUES_MAX: usize = 1_000;

/// The accounts that names in these values belong to, in order.
pub(super) fn accounts<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<String> {
    let mut open: Vec<&Value> = values.collect();
    let mut found = BTreeSet::new();
    let mut seen = 0;
    while let Some(value) = open.pop() {
        seen += 1;
        if seen > VALUES_MAX {
            break;
        }
        match value {
            Value::String(text) => found.extend(account(text).map(str::to_owned)),
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found.into_iter().collect()
}

/// The account of one name; none where it has none, as policies that AWS keeps.
fn account(text: &str) -> Option<&str> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
    let account = parts.nth(3)?;
    is_account(account).then_some(account)
}

/// Whether a text is an account's number.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::accounts;
    use serde_json::json;

    #[test]
    fn a_name_says_whose_it_is() {
        let values = [
            json!("arn:aws:iam::123456789012:role/deploy"),
            json!({"x": ["arn:aws-cn:s3:cn-north-1:210987654321:thing"]}),
            json!("arn:aws:iam::aws:policy/AdministratorAccess"),
            json!("arn:aws:s3:::bucket"),
            json!("123456789012"),
        ];
        assert_eq!(accounts(values.iter()), ["123456789012", "210987654321"]);
    }
}
