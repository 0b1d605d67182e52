//! Where a downstream wants its idempotency key, and how the key gets there.
//!
//! `idempotency = { header = "Idempotency-Key" }` sends the gate's own key with every attempt of
//! one invocation, as a header of the HTTP request, as an argument, or as a `_meta` entry. The
//! place is the operator's statement, so nothing that a caller or a server says can take it.
//!
//! Must not know: what a downstream does with the key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use toolgate_model::{Checks, KeyPlace};

use crate::config::{Secret, header_problem};
use crate::era;

/// LIMIT: names of arguments and `_meta` entries; nothing real is longer.
const NAME_BYTES_MAX: usize = 128;
/// `_meta` entries that say something else.
const OTHER_META: [&str; 3] = [
    "progressToken",
    "dev.toolgate/invocation-id",
    "dev.toolgate/probe",
];

/// Why no source whatever can take its key there; none where some could.
pub fn key_place_problem(place: &KeyPlace) -> Option<String> {
    match place {
        KeyPlace::Header(name) => header_problem(name),
        KeyPlace::Argument(name) => name_problem(name),
        KeyPlace::Meta(name) if OTHER_META.contains(&name.as_str()) => {
            Some(format!("the `_meta` entry `{name}` says something else"))
        }
        KeyPlace::Meta(name) if era::is_protocols_own(name) => {
            Some(format!("the `_meta` entry `{name}` is the protocol's own"))
        }
        KeyPlace::Meta(name) => name_problem(name),
    }
}

fn name_problem(name: &str) -> Option<String> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(|c| !c.is_control());
    (!fits).then(|| format!("a name has 1 to {NAME_BYTES_MAX} bytes, none of them invisible"))
}

/// The place that the descriptor states.
pub(crate) fn stated(checks: &Checks) -> Option<&KeyPlace> {
    checks.effect.as_ref()?.idempotency.as_ref()
}

/// Whether a tool of this source can take its key there. `headers` are those that every request
/// to the source carries; none where it is not spoken to over HTTP.
///
/// # Errors
/// Why not, and what to do.
pub(crate) fn check(
    place: &KeyPlace,
    headers: Option<&BTreeMap<String, Secret>>,
    schema: &Value,
) -> Result<(), String> {
    let refused = |why: String| Err(format!("its `effect.idempotency` cannot be used: {why}"));
    if let Some(why) = key_place_problem(place) {
        return refused(why);
    }
    match (place, headers) {
        (KeyPlace::Header(name), None) => refused(format!(
            "a source over stdio carries no header `{name}`; use `argument` or `meta`"
        )),
        (KeyPlace::Header(name), Some(taken)) => {
            match taken.keys().any(|other| other.eq_ignore_ascii_case(name)) {
                true => refused(format!("the source sends the header `{name}` already")),
                false => Ok(()),
            }
        }
        (KeyPlace::Argument(name), _) if is_closed_to(schema, name) => {
            refused(format!("its schema admits no argument `{name}`"))
        }
        (KeyPlace::Argument(_) | KeyPlace::Meta(_), _) => Ok(()),
    }
}

fn is_closed_to(schema: &Value, name: &str) -> bool {
    let declared = schema.get("properties").and_then(|known| known.get(name));
    declared.is_none() && schema.get("additionalProperties") == Some(&Value::Bool(false))
}

/// What callers fill in: the schema without the argument that is the gate's own.
pub(crate) fn callers_schema(place: Option<&KeyPlace>, mut schema: Value) -> Value {
    let Some(KeyPlace::Argument(name)) = place else {
        return schema;
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove(name);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|one| one.as_str() != Some(name));
    }
    schema
}

/// The arguments as they go out: all of them as judged, and the key where it is one.
pub(crate) fn with_key<'a>(
    place: Option<(&KeyPlace, &str)>,
    arguments: &'a Value,
) -> Cow<'a, Value> {
    match (place, arguments) {
        (Some((KeyPlace::Argument(name), key)), Value::Object(given)) => {
            let mut all = given.clone();
            all.insert(name.clone(), key.into());
            Cow::Owned(Value::Object(all))
        }
        _ => Cow::Borrowed(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::{callers_schema, check, key_place_problem, with_key};
    use crate::config::Secret;
    use serde_json::json;
    use std::collections::BTreeMap;
    use toolgate_model::KeyPlace::{self, Argument, Header, Meta};

    fn place(make: fn(String) -> KeyPlace, name: &str) -> KeyPlace {
        make(name.to_owned())
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for (make, name) in [
            (Header as fn(String) -> KeyPlace, ""),
            (Header, "Idempotency Key"),
            (Header, "X-Key\r\nX-Evil"),
            (Header, "Authorization"),
            (Header, "content-TYPE"),
            (Header, "accept"),
            (Header, "Host"),
            (Header, "Mcp-Session-Id"),
            (Header, "mcp-param-x"),
            (Argument, ""),
            (Argument, "a\nb"),
            (Meta, ""),
            (Meta, "progressToken"),
            (Meta, "dev.toolgate/probe"),
            (Meta, "io.modelcontextprotocol/key"),
        ] {
            let place = place(make, name);
            assert!(key_place_problem(&place).is_some(), "{place:?}");
        }
        for (make, name) in [
            (Header as fn(String) -> KeyPlace, "Idempotency-Key"),
            (Argument, "idempotency_key"),
            (Meta, "com.example/key"),
            (Meta, "dev.toolgate/idempotency-key"),
        ] {
            let place = place(make, name);
            assert_eq!(key_place_problem(&place), None, "{place:?}");
        }
    }

    #[test]
    fn a_source_has_to_be_able_to_take_it() {
        let header = place(Header, "Idempotency-Key");
        let taken = BTreeMap::from([("idempotency-key".to_owned(), Secret::new("x"))]);
        let (none, open) = (BTreeMap::new(), json!({}));
        assert!(check(&header, None, &open).unwrap_err().contains("stdio"));
        assert!(
            check(&header, Some(&taken), &open)
                .unwrap_err()
                .contains("already")
        );
        assert_eq!(check(&header, Some(&none), &open), Ok(()));
        let argument = place(Argument, "key");
        let closed = json!({"properties": {"a": {}}, "additionalProperties": false});
        assert!(
            check(&argument, None, &closed)
                .unwrap_err()
                .contains("`key`")
        );
        let named = json!({"properties": {"key": {}}, "additionalProperties": false});
        for schema in [named, open, json!(null), json!({"properties": {"a": {}}})] {
            assert_eq!(check(&argument, None, &schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn callers_are_not_asked_for_the_gates_own_argument() {
        let schema = json!({"properties": {"a": {}, "key": {}}, "required": ["a", "key"]});
        let argument = place(Argument, "key");
        let left = callers_schema(Some(&argument), schema.clone());
        assert_eq!(left, json!({"properties": {"a": {}}, "required": ["a"]}));
        let header = place(Header, "key");
        assert_eq!(callers_schema(Some(&header), schema.clone()), schema);
        assert_eq!(callers_schema(None, schema.clone()), schema);
    }

    #[test]
    fn the_key_joins_the_arguments_and_changes_none() {
        let text = r#"{"b":1.50,"a":123456789012345678901234567890}"#;
        let given = serde_json::from_str(text).unwrap();
        let argument = place(Argument, "key");
        let out = with_key(Some((&argument, "inv_1")), &given).to_string();
        assert_eq!(
            out,
            r#"{"b":1.50,"a":123456789012345678901234567890,"key":"inv_1"}"#
        );
        assert_eq!(with_key(None, &given).to_string(), text);
    }
}
