//! Step 7: no rule spoke; what does the operator's posture say for this risk?

use serde::Deserialize;
use toolgate_model::{Code, Denial, Risk};

/// What a granted call gets when no rule speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// It runs.
    Allow,
    /// People decide.
    RequireApproval,
    /// It ends.
    Deny,
}

/// One stance for each risk band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posture {
    /// For low risk.
    pub low: Stance,
    /// For medium risk.
    pub medium: Stance,
    /// For high risk.
    pub high: Stance,
    /// For critical risk.
    pub critical: Stance,
}

impl Default for Posture {
    fn default() -> Self {
        Self {
            low: Stance::Allow,
            medium: Stance::Allow,
            high: Stance::RequireApproval,
            critical: Stance::Deny,
        }
    }
}

impl Posture {
    /// The stance for this risk.
    pub const fn of(&self, risk: Risk) -> Stance {
        match risk {
            Risk::Low => self.low,
            Risk::Medium => self.medium,
            Risk::High => self.high,
            Risk::Critical => self.critical,
        }
    }
}

/// The denial that a stance means, if any.
pub(crate) fn denial(stance: Stance, risk: Risk) -> Option<Denial> {
    match stance {
        Stance::Allow => None,
        Stance::RequireApproval => {
            let message = format!("no rule speaks, and {risk} risk needs approval");
            Some(Denial::new(Code::ApprovalRequired, message))
        }
        Stance::Deny => {
            let message = format!("no rule speaks, and {risk} risk is denied by posture");
            Some(Denial::new(Code::PostureDenied, message))
        }
    }
}
