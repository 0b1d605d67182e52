//! The registry of effects: sorted, one entry an effect, with the parameters it takes.
//!
//! `require_approval` takes `approvers`, `quorum` and `expires_in`; `quorum` on a `deny` would do
//! nothing, and a key that does nothing is refused. So is an effect that comes too late: what a tool
//! returned can be sanitized or withheld, not approved.
//!
//! Must not know: when a rule matches, what follows from it.

use toolgate_model::{Obligation, Verdict};

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Verdict(Verdict),
    Obligation(Obligation),
    /// A verdict once too many calls were made, else nothing.
    Limit,
}

/// When a rule is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Before the tool runs, on the call.
    #[default]
    Call,
    /// After it ran, on what it returned.
    Result,
}

/// The words for occasions.
pub(crate) const OCCASIONS: [(Occasion, &str); 2] =
    [(Occasion::Call, "call"), (Occasion::Result, "result")];

/// One effect as it is written.
#[derive(Clone, Copy, Debug)]
pub struct EffectWord {
    /// Its word, in any letter case.
    pub name: &'static str,
    /// What it does, for the reference page.
    pub doc: &'static str,
    /// The keys of a rule that belong to it.
    pub parameters: &'static [&'static str],
    /// Those of them that it cannot do without.
    pub needs: &'static [&'static str],
    pub(crate) effect: Effect,
    late: bool,
}

impl EffectWord {
    /// Whether it can still be done to a result.
    pub const fn is_for_results(&self) -> bool {
        self.late
    }

    const fn taking(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    const fn needing(self, needs: &'static [&'static str]) -> Self {
        Self {
            parameters: needs,
            needs,
            ..self
        }
    }

    const fn for_results(self) -> Self {
        Self { late: true, ..self }
    }
}

impl Effect {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.as_str(),
            Self::Limit => "limit",
            Self::Obligation(Obligation::ReconcileBeforeRetry) => "reconcile_before_retry",
            Self::Obligation(Obligation::VerifyEntity) => "verify_entity",
            Self::Obligation(Obligation::VerifyTrigger) => "verify_trigger",
            Self::Obligation(Obligation::Sanitize) => "sanitize",
            Self::Obligation(Obligation::Notify) => "notify",
            Self::Obligation(Obligation::OpenIncident) => "open_incident",
        }
    }

    /// Whether a rule that cannot be judged counts as matching: all but `allow` tighten.
    pub(crate) fn tightens(self) -> bool {
        self != Self::Verdict(Verdict::Allow)
    }
}

const fn word(name: &'static str, doc: &'static str, effect: Effect) -> EffectWord {
    EffectWord {
        name,
        doc,
        parameters: &[],
        needs: &[],
        effect,
        late: false,
    }
}

/// Every effect, sorted.
pub const EFFECTS: &[EffectWord] = &[
    word(
        "allow",
        "states that the call is fine; loosens nothing",
        Effect::Verdict(Verdict::Allow),
    ),
    word(
        "deny",
        "ends the call; a result is withheld",
        Effect::Verdict(Verdict::Deny),
    )
    .for_results(),
    word(
        "limit",
        "denies beyond `limit` calls, or a sum, `per` window",
        Effect::Limit,
    )
    .needing(&["limit", "per"]),
    word(
        "notify",
        "sends the decision to a channel; changes nothing",
        Effect::Obligation(Obligation::Notify),
    )
    .needing(&["notify"])
    .for_results(),
    word(
        "open_incident",
        "opens an incident; changes nothing",
        Effect::Obligation(Obligation::OpenIncident),
    )
    .for_results(),
    word(
        "reconcile_before_retry",
        "looks before anything is tried again",
        Effect::Obligation(Obligation::ReconcileBeforeRetry),
    ),
    word(
        "require_approval",
        "freezes the call until people decide",
        Effect::Verdict(Verdict::RequireApproval),
    )
    .taking(&["approvers", "quorum", "expires_in"]),
    word(
        "sanitize",
        "replaces found data, or `sanitize_fields`, by placeholders",
        Effect::Obligation(Obligation::Sanitize),
    )
    .taking(&["sanitize_fields"])
    .for_results(),
    word(
        "verify_entity",
        "resolves the entity and compares it",
        Effect::Obligation(Obligation::VerifyEntity),
    ),
    word(
        "verify_trigger",
        "has the trigger confirmed",
        Effect::Obligation(Obligation::VerifyTrigger),
    ),
];

/// The effect of this word, in any letter case.
pub(crate) fn effect(word: &str) -> Option<&'static EffectWord> {
    EFFECTS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::EFFECTS;

    #[test]
    fn words_are_sorted_and_read_back() {
        assert!(EFFECTS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for word in EFFECTS {
            assert_eq!(word.effect.as_str(), word.name);
        }
    }

    #[test]
    fn only_what_can_still_be_done_is_for_results() {
        let late = EFFECTS.iter().filter(|word| word.is_for_results());
        let late: Vec<&str> = late.map(|word| word.name).collect();
        assert_eq!(late, ["deny", "notify", "open_incident", "sanitize"]);
    }
}
