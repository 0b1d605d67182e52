//! Risk bands, verbs and effects of tools.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value with its written form, in order.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),+];

            /// The written form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The value with this written form, in any letter case.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, word)| word.eq_ignore_ascii_case(text)).map(|(v, _)| *v)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// How much harm one call of a tool can do. Ordered: a ceiling of `high` covers `medium`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Reads of ordinary data.
    Low,
    /// Writes that can be undone.
    Medium,
    /// Deletes, sensitive paths, and whatever nobody has rated.
    High,
    /// Money, access, and what cannot be undone.
    Critical,
}

words!(Risk { Low = "low", Medium = "medium", High = "high", Critical = "critical" });

/// A finer rating beside the band, 0.00 to 1.00, kept in hundredths so that it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RiskScore(u8);

impl RiskScore {
    /// `hundredths` of the full score, at most 100.
    pub const fn from_hundredths(hundredths: u8) -> Self {
        Self(if hundredths > 100 { 100 } else { hundredths })
    }

    /// Hundredths, 0 to 100.
    pub const fn hundredths(self) -> u8 {
        self.0
    }

    /// The middle of a band: 0.15, 0.40, 0.65, 0.90.
    pub const fn of_band(risk: Risk) -> Self {
        Self(match risk {
            Risk::Low => 15,
            Risk::Medium => 40,
            Risk::High => 65,
            Risk::Critical => 90,
        })
    }
}

impl Serialize for RiskScore {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for RiskScore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let score = f64::deserialize(deserializer)?;
        (0..=100u8)
            .find(|h| (f64::from(*h) / 100.0 - score).abs() < 0.005)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a risk score is 0.00 to 1.00"))
    }
}

/// What a tool does to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// Looks and changes nothing.
    Read,
    /// Makes or changes.
    Write,
    /// Removes.
    Delete,
    /// Changes who may do what.
    Admin,
}

words!(Verb { Read = "READ", Write = "WRITE", Delete = "DELETE", Admin = "ADMIN" });

/// What a granted call gets when no rule speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// It runs.
    Allow,
    /// People decide.
    RequireApproval,
    /// It ends.
    Deny,
}

/// Who runs a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// The gate, with its own credential.
    #[default]
    Gate,
    /// The caller, under a lease (mode `host`).
    Host,
    /// The gate, for itself alone, as a look: nobody is shown it, and nobody calls it.
    Probe,
}

/// Whether a call may leave a trace in the world, which decides what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The operator states that the tool only reads; a lost answer is simply asked again.
    None,
    /// The tool may have an effect; a lost answer is an unknown effect. The default.
    Some,
}
