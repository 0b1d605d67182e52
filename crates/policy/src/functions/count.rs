//! `count(args.to) > 10`: how many elements a list has.
//!
//! A single text where a list is expected has no count: an agent must not escape a bound on
//! recipients by sending one long text with commas in it.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::value::Datum;

pub(super) fn count(value: Datum<'_>) -> Option<Datum<'_>> {
    let count = match value {
        Datum::Texts(texts) => texts.len(),
        Datum::Json(Value::Array(items)) => items.len(),
        _ => return None,
    };
    Some(Datum::Number(Decimal::from(count)))
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::value::Datum;
    use serde_json::json;

    #[test]
    fn only_lists_are_counted() {
        let list = json!([1, [2, 3], null]);
        assert_eq!(count(Datum::Json(&list)), Some(Datum::Number(3.into())));
        assert_eq!(count(Datum::Texts(vec![])), Some(Datum::Number(0.into())));
        assert_eq!(count(Datum::Json(&json!({"a": 1}))), None);
        assert_eq!(count(Datum::text("a, b")), None);
    }
}
