//! Amounts in the smallest unit of a currency, as amounts in the currency itself.
//!
//! 64000 of `usd` is 640, 64000 of `jpy` is 64000, 64000 of `bhd` is 64. Without a currency, or
//! with one that nobody knows, nobody can say.
//!
//! Source: the lists of zero-decimal and three-decimal currencies in Stripe's public documentation;
//! the others are those of ISO 4217 with two decimals. Must not know: services.

use rust_decimal::Decimal;
use serde_json::Value;

/// Currencies without a smaller unit.
const NO_DECIMALS: &[&str] = &[
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];

/// Currencies with a thousand smaller units.
const THREE_DECIMALS: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];

/// Currencies with a hundred smaller units. `isk` and `ugx` have none any more and are still
/// written with two.
const TWO_DECIMALS: &[&str] = &[
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt",
    "bgn", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "cny",
    "cop", "crc", "cve", "czk", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp",
    "gel", "ghs", "gip", "gmd", "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr",
    "isk", "jmd", "kes", "kgs", "khr", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad",
    "mdl", "mkd", "mmk", "mnt", "mop", "mro", "mru", "mur", "mvr", "mwk", "mxn", "myr", "mzn",
    "nad", "ngn", "nio", "nok", "npr", "nzd", "pab", "pen", "pgk", "php", "pkr", "pln", "qar",
    "ron", "rsd", "rub", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos", "srd", "std",
    "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "usdc", "uyu",
    "uzs", "wst", "xcd", "yer", "zar", "zmw",
];

/// The amount in the currency itself: a number, or `None` where nobody can say.
pub(super) fn major(minor: &Value, currency: &str) -> Option<Value> {
    let text = match minor {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let whole = !text.is_empty() && text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit());
    let units: i64 = text.parse().ok().filter(|_| whole)?;
    let amount = Decimal::new(units, decimals(currency)?).normalize();
    serde_json::from_str(&amount.to_string()).ok()
}

fn decimals(currency: &str) -> Option<u32> {
    let currency = currency.to_ascii_lowercase();
    let known = |list: &[&str]| list.contains(&currency.as_str());
    match () {
        () if known(TWO_DECIMALS) => Some(2),
        () if known(NO_DECIMALS) => Some(0),
        () if known(THREE_DECIMALS) => Some(3),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::major;
    use serde_json::json;

    #[test]
    fn the_currency_says_how_many_of_its_units_make_one() {
        for (minor, currency, expected) in [
            (json!("64000"), "usd", Some("640")),
            (json!(64050), "EUR", Some("640.5")),
            (json!("64000"), "jpy", Some("64000")),
            (json!("64000"), "bhd", Some("64")),
            (json!("5"), "usd", Some("0.05")),
            (json!("64000"), "xyz", None),
            (json!("64000"), "", None),
            (json!("6e4"), "usd", None),
            (json!("-5"), "usd", None),
            (json!("1.5"), "usd", None),
            (json!(null), "usd", None),
        ] {
            let found = major(&minor, currency).map(|amount| amount.to_string());
            assert_eq!(found.as_deref(), expected, "{minor} {currency}");
        }
    }
}
