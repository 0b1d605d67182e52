//! Step 7: no rule spoke; what does the operator's posture say for this risk?

use toolgate_model::{Code, Denial, Descriptor, Risk, Stance};

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

/// The denial that a posture means for a tool, if any: the tool's own posture, else the one for its
/// risk.
pub(crate) fn denial(posture: Posture, tool: &Descriptor) -> Option<Denial> {
    let (stance, what) = match tool.posture {
        Some(own) => (own, "this tool".to_owned()),
        None => (posture.of(tool.risk), format!("{} risk", tool.risk)),
    };
    match stance {
        Stance::Allow => None,
        Stance::RequireApproval => {
            let message = format!("no rule speaks, and {what} needs approval");
            Some(Denial::new(Code::ApprovalRequired, message))
        }
        Stance::Deny => {
            let message = format!("no rule speaks, and {what} is denied by posture");
            Some(Denial::new(Code::PostureDenied, message))
        }
    }
}
