//! Amounts: whole cents, read from plain decimals, never through a binary float.
//!
//! `640`, `640.1` and `640.10` are amounts; `1e3`, `-5`, `0` and `0.001` are not.
//! Must not know: charges, currencies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Number;

/// A positive amount of money in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

/// The text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount: a positive plain decimal with at most two places")]
pub struct AmountError(String);

/// LIMIT: thirteen digits before the point keep every sum of a million of them within 64 bits.
const DIGITS_MAX: usize = 13;

impl Amount {
    /// So many cents.
    pub const fn from_cents(cents: u64) -> Self {
        Self(cents)
    }

    /// In cents.
    pub const fn cents(self) -> u64 {
        self.0
    }

    /// What is left of this after `other`; nothing where that is more.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// As a JSON number: `640`, `640.1`.
    pub fn to_number(self) -> Number {
        let text = self.to_string();
        let short = text.trim_end_matches('0').trim_end_matches('.');
        short.parse().unwrap_or_else(|_| Number::from(self.0 / 100))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError(text.chars().take(40).collect());
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(places) || whole.len() > DIGITS_MAX || places.len() > 2 {
            return Err(bad());
        }
        let cents: u64 = format!("{whole}{places:0<2}").parse().map_err(|_| bad())?;
        if cents == 0 {
            return Err(bad());
        }
        Ok(Self(cents))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;
    use proptest::prelude::{any, proptest};

    #[test]
    fn only_positive_plain_decimals_are_amounts() {
        for (text, cents) in [("640", 64_000), ("640.1", 64_010), ("0.01", 1)] {
            assert_eq!(text.parse::<Amount>().unwrap().cents(), cents, "{text}");
        }
        for bad in [
            "",
            "0",
            "0.00",
            "-5",
            "+5",
            "1e3",
            "0.001",
            ".5",
            "5.",
            "99999999999999",
        ] {
            assert!(bad.parse::<Amount>().is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(cents in 1..1_000_000_000_u64, _seed in any::<u8>()) {
            let amount = Amount::from_cents(cents);
            assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
            assert_eq!(amount.to_number().to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
