//! `number(entity.total) >= 50`: the decimal that a text writes.
//!
//! Many APIs write amounts as texts, `"50.00"`. Only the one plain form is read: digits, at most one
//! point between them, a minus in front. `1,000`, `1e3`, `050`, ` 50` and `50 EUR` are read
//! differently by different readers, so they are no numbers and the comparison is unknown.

use crate::number;
use crate::value::Datum;

pub(super) fn number(value: Datum<'_>) -> Option<Datum<'_>> {
    match value {
        Datum::Number(number) => Some(Datum::Number(number)),
        Datum::Text(text) if is_plain(&text) => number::parse(&text).map(Datum::Number),
        _ => None,
    }
}

fn is_plain(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let padded = whole.len() > 1 && whole.starts_with('0');
    digits(whole) && !padded && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::number;
    use crate::value::Datum;

    #[test]
    fn only_one_plain_form_is_a_number() {
        let of = |text: &str| match number(Datum::text(text)) {
            Some(Datum::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        for (text, expected) in [
            ("50.00", "50"),
            ("-0.5", "-0.5"),
            ("0", "0"),
            ("0.0001", "0.0001"),
            (
                "79228162514264337593543950335",
                "79228162514264337593543950335",
            ),
        ] {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "-",
            ".",
            ".5",
            "5.",
            "+5",
            " 5",
            "5 ",
            "1,000",
            "1.000,00",
            "1e3",
            "0x10",
            "050",
            "00",
            "--5",
            "5.5.5",
            "50 EUR",
            "\u{665}",
            "NaN",
            "79228162514264337593543950336",
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        assert_eq!(number(Datum::Bool(true)), None);
        assert_eq!(
            number(Datum::Number(7.into())),
            Some(Datum::Number(7.into()))
        );
    }
}
