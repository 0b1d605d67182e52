//! Exact decimals, the slow way: a whole number and how many of its digits stand behind the point.
//!
//! `0.1 + 0.2` is `0.3`. What needs more than 28 digits is not known, and neither is `10 / 3`.
//!
//! Must not know: rules.

use std::cmp::Ordering;

const DIGITS_MAX: u32 = 28;

/// `whole / 10^places`, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    whole: i128,
    places: u32,
}

impl Number {
    /// The number that `text` writes in any form that JSON has.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (plain, power) = match text.split_once(['e', 'E']) {
            Some((plain, power)) => (plain, power.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (front, back) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = format!("{front}{back}");
        let mut whole: i128 = digits.parse().ok()?;
        let mut places = i32::try_from(back.len()).ok()? - power;
        while whole != 0 && whole % 10 == 0 {
            whole /= 10;
            places -= 1;
        }
        if whole == 0 {
            places = 0;
        }
        if places < 0 {
            let more = 10_i128.checked_pow(places.unsigned_abs())?;
            return Self::new(whole.checked_mul(more)?, 0);
        }
        Self::new(whole, u32::try_from(places).ok()?)
    }

    /// The number that a text writes in the one plain form: no sign but a minus, no zero in front.
    pub(super) fn plain(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('-').unwrap_or(text);
        let (front, back) = bare.split_once('.').unwrap_or((bare, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let padded = front.len() > 1 && front.starts_with('0');
        (digits(front) && digits(back) && !padded).then(|| Self::read(text))?
    }

    pub(super) fn of(number: i64) -> Self {
        Self {
            whole: number.into(),
            places: 0,
        }
    }

    /// The number as JSON writes it.
    pub(super) fn json(self) -> serde_json::Value {
        let text = format!("{}e-{}", self.whole, self.places);
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn new(mut whole: i128, mut places: u32) -> Option<Self> {
        while places > 0 && whole % 10 == 0 {
            whole /= 10;
            places -= 1;
        }
        let fits = whole.unsigned_abs() < 10_u128.pow(DIGITS_MAX) && places <= DIGITS_MAX;
        fits.then_some(Self { whole, places })
    }

    fn at(self, places: u32) -> Option<i128> {
        let more = 10_i128.checked_pow(places - self.places)?;
        self.whole.checked_mul(more)
    }

    /// What the two give, or nothing where it would have to be rounded.
    pub(super) fn join(self, sign: char, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        match sign {
            '+' => Self::new(self.at(places)?.checked_add(other.at(places)?)?, places),
            '-' => Self::new(self.at(places)?.checked_sub(other.at(places)?)?, places),
            '*' => Self::new(
                self.whole.checked_mul(other.whole)?,
                self.places + other.places,
            ),
            _ => self.divide(other),
        }
    }

    fn divide(self, other: Self) -> Option<Self> {
        let places = self.places.max(other.places);
        let (mut above, below) = (self.at(places)?, other.at(places)?);
        for places in 0..=DIGITS_MAX {
            if above.checked_rem(below)? == 0 {
                return Self::new(above / below, places);
            }
            above = above.checked_mul(10)?;
        }
        None
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        let split = |number: Self| {
            let unit = 10_i128.pow(number.places);
            let rest = (number.whole % unit) * 10_i128.pow(DIGITS_MAX - number.places);
            (number.whole / unit, rest)
        };
        split(self).cmp(&split(other))
    }
}
