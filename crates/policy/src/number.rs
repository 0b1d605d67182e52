//! Exact decimals: what cannot be held exactly is not a number here (2-decision, 4).
//!
//! `0.1 + 0.2 == 0.3` holds. `1 / 3` is no number, `1 / 8` is `0.125`. A JSON number such as
//! `1e400`, or one with 40 digits, is no number either, and a comparison with it is unknown.
//! The decimal library underneath rounds where a result does not fit, so every operation here
//! works on whole mantissas and checks.
//!
//! Must not know: where the numbers come from.

use rust_decimal::Decimal;

/// LIMIT: the mantissa of a decimal has 96 bits, which hold any 28 digits.
const SCALE_MAX: i64 = 28;

/// The number that `text` writes, in JSON's form; `None` where it cannot be held exactly.
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .ok()?;
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value: i128 = 0;
    let mut zeros: u32 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = i128::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        // Zeros are held back until a digit follows, so that `1.000…0` stays exact.
        if digit == 0 {
            zeros = zeros.checked_add(1)?;
        } else {
            value = scaled(value, i64::from(zeros) + 1)?.checked_add(digit)?;
            zeros = 0;
        }
    }
    let scale = i64::try_from(fraction.len()).ok()? - i64::from(zeros);
    let value = if negative { -value } else { value };
    exact(value, scale.checked_sub(exponent)?)
}

pub(crate) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let scale = a.scale().max(b.scale());
    let whole = |n: Decimal| scaled(n.mantissa(), i64::from(scale - n.scale()));
    exact(whole(a)?.checked_add(whole(b)?)?, i64::from(scale))
}

pub(crate) fn subtract(a: Decimal, b: Decimal) -> Option<Decimal> {
    add(a, -b)
}

pub(crate) fn multiply(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let mantissa = a.mantissa().checked_mul(b.mantissa())?;
    exact(mantissa, i64::from(a.scale()) + i64::from(b.scale()))
}

/// The quotient, where its decimals end.
pub(crate) fn divide(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let divisor = b.mantissa();
    if divisor == 0 {
        return None;
    }
    let (mut mantissa, mut shift) = (a.mantissa(), 0);
    while mantissa.checked_rem(divisor)? != 0 {
        mantissa = mantissa.checked_mul(10)?;
        shift += 1;
    }
    let scale = i64::from(a.scale()) - i64::from(b.scale()) + shift;
    exact(mantissa.checked_div(divisor)?, scale)
}

/// `mantissa` × 10^-`scale`, where a decimal can hold it.
fn exact(mut mantissa: i128, mut scale: i64) -> Option<Decimal> {
    if mantissa == 0 {
        return Some(Decimal::ZERO);
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    if scale < 0 {
        mantissa = scaled(mantissa, -scale)?;
        scale = 0;
    }
    if scale > SCALE_MAX {
        return None;
    }
    Decimal::try_from_i128_with_scale(mantissa, u32::try_from(scale).ok()?).ok()
}

/// `value` × 10^`places`.
fn scaled(value: i128, places: i64) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    let places = u32::try_from(places).ok()?;
    value.checked_mul(10_i128.checked_pow(places)?)
}

#[cfg(test)]
mod tests {
    use super::{add, divide, multiply, parse, subtract};
    use proptest::prelude::*;

    fn n(text: &str) -> rust_decimal::Decimal {
        parse(text).unwrap()
    }

    #[test]
    fn numbers_are_held_exactly_or_not_at_all() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("640.10", "640.1"),
            ("1e2", "100"),
            ("1.5E-3", "0.0015"),
            (
                "0.0000000000000000000000000001",
                "0.0000000000000000000000000001",
            ),
            ("1.0000000000000000000000000000000000000000000000", "1"),
            (
                "79228162514264337593543950335",
                "79228162514264337593543950335",
            ),
        ] {
            assert_eq!(n(text).to_string(), shown, "{text}");
        }
        for text in [
            "79228162514264337593543950336",
            "0.00000000000000000000000000001",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "1.00000000000000000000000000000000000000001",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_never_rounds() {
        assert_eq!(add(n("0.1"), n("0.2")), Some(n("0.3")));
        assert_eq!(subtract(n("1"), n("0.9")), Some(n("0.1")));
        assert_eq!(multiply(n("0.10"), n("3")), Some(n("0.3")));
        assert_eq!(divide(n("1"), n("8")), Some(n("0.125")));
        assert_eq!(divide(n("640"), n("100")), Some(n("6.4")));
        assert_eq!(divide(n("1"), n("3")), None);
        assert_eq!(divide(n("1"), n("0")), None);
        let big = n("79228162514264337593543950335");
        assert_eq!(add(big, n("1")), None);
        assert_eq!(add(big, n("0.1")), None);
        assert_eq!(multiply(big, n("10")), None);
        let small = n("0.0000000000000000000000000001");
        assert_eq!(multiply(small, n("0.1")), None);
        assert_eq!(add(n("1000000000000"), small), None);
    }

    proptest! {
        #[test]
        fn small_numbers_behave_like_hundredths(a in -100_000_i64..100_000, b in -100_000_i64..100_000) {
            let hundredths = |v: i64| n(&format!("{}{}.{:02}", if v < 0 { "-" } else { "" }, v.abs() / 100, v.abs() % 100));
            prop_assert_eq!(add(hundredths(a), hundredths(b)), Some(hundredths(a + b)));
            prop_assert_eq!(subtract(hundredths(a), hundredths(b)), Some(hundredths(a - b)));
            prop_assert_eq!(multiply(hundredths(a), n("100")), Some(n(&a.to_string())));
            prop_assert_eq!(hundredths(a).cmp(&hundredths(b)), a.cmp(&b));
        }
    }
}
