//! Instants and durations, as the record writes them: RFC 3339 in UTC with milliseconds.
//!
//! `Timestamp` never reads a clock; the edge hands instants in (5-house, 3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant in milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not an instant or a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TimeError {
    /// The text is not RFC 3339.
    #[error("`{0}` is not an RFC 3339 instant such as 2026-06-16T15:14:22.104Z")]
    Instant(String),
    /// The text is not a duration.
    #[error("`{0}` is not a duration such as 250ms, 20s, 5m, 24h or 30d")]
    Duration(String),
}

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant moved later by `span`, saturating at the end of time.
    pub const fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this instant is; zero when it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        let gap = self.0.saturating_sub(earlier.0);
        Duration(if gap < 0 { 0 } else { gap })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_millisecond()))
            .map_err(|_| TimeError::Instant(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A span of time in milliseconds, never negative. Written `250ms`, `20s`, `5m`, `24h`, `30d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

const UNITS: [(&str, i64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl Duration {
    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis as i64)
    }

    /// A span of `seconds` seconds.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000)
    }

    /// Milliseconds in this span.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same span for the standard library.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.unsigned_abs())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .iter()
            .rev()
            .find(|(_, size)| self.0 != 0 && self.0 % size == 0);
        let (name, size) = unit.unwrap_or(&("ms", 1));
        write!(f, "{}{name}", self.0 / size)
    }
}

impl FromStr for Duration {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError::Duration(text.to_owned());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (digits, unit) = text.split_at(split);
        let count: i64 = digits.parse().map_err(|_| bad())?;
        let (_, size) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(bad)?;
        count.checked_mul(*size).map(Self).ok_or_else(bad)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Timestamp};

    #[test]
    fn an_instant_is_written_with_milliseconds_and_read_back() {
        let instant: Timestamp = "2026-06-16T15:14:22.104Z".parse().unwrap();
        assert_eq!(instant.as_millis(), 1_781_622_862_104);
        assert_eq!(instant.to_string(), "2026-06-16T15:14:22.104Z");
        assert_eq!(
            Timestamp::from_millis(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn a_duration_keeps_its_largest_whole_unit() {
        for text in ["250ms", "20s", "5m", "24h", "0ms"] {
            let span: Duration = text.parse().unwrap();
            let shown = span.to_string();
            assert_eq!(
                shown.parse::<Duration>().unwrap(),
                span,
                "{text} became {shown}"
            );
        }
        assert_eq!("90s".parse::<Duration>().unwrap().to_string(), "90s");
        for bad in ["", "5", "s", "-5s", "5 s", "99999999999999999d", "1.5h"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad} was accepted");
        }
    }
}
