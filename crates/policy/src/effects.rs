//! The registry of effects: sorted, one entry an effect, with the parameters it takes.
//!
//! `require_approval` takes `approvers`, `quorum` and `expires_in`; `quorum` on a `deny` would do
//! nothing, and a key that does nothing is refused. Effects that are not in this version are read
//! and refused.
//!
//! Must not know: when a rule matches, what follows from it.

use toolgate_model::{Obligation, Verdict};

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Verdict(Verdict),
    Obligation(Obligation),
}

/// One effect as it is written.
#[derive(Clone, Copy, Debug)]
pub struct EffectWord {
    /// Its word, in any letter case.
    pub name: &'static str,
    /// What it does, for the reference page.
    pub doc: &'static str,
    /// The keys of a rule that belong to it.
    pub parameters: &'static [&'static str],
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Does(Effect),
    /// Not in this version; what it waits for.
    NotYet(&'static str),
}

impl Effect {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.as_str(),
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

const fn verdict(
    name: &'static str,
    doc: &'static str,
    parameters: &'static [&'static str],
    verdict: Verdict,
) -> EffectWord {
    EffectWord {
        name,
        doc,
        parameters,
        kind: Kind::Does(Effect::Verdict(verdict)),
    }
}

const fn obligation(name: &'static str, doc: &'static str, obligation: Obligation) -> EffectWord {
    EffectWord {
        name,
        doc,
        parameters: &[],
        kind: Kind::Does(Effect::Obligation(obligation)),
    }
}

const fn not_yet(
    name: &'static str,
    doc: &'static str,
    parameters: &'static [&'static str],
    waits_for: &'static str,
) -> EffectWord {
    EffectWord {
        name,
        doc,
        parameters,
        kind: Kind::NotYet(waits_for),
    }
}

/// Every effect, sorted.
pub const EFFECTS: &[EffectWord] = &[
    verdict(
        "allow",
        "states that the call is fine; loosens nothing",
        &[],
        Verdict::Allow,
    ),
    verdict("deny", "ends the call", &[], Verdict::Deny),
    not_yet(
        "limit",
        "denies beyond `limit` calls `per` window",
        &["limit", "per"],
        "the history of calls",
    ),
    not_yet(
        "notify",
        "sends the decision to a channel",
        &["notify"],
        "channels",
    ),
    not_yet("open_incident", "opens an incident", &[], "incidents"),
    obligation(
        "reconcile_before_retry",
        "looks before anything is tried again",
        Obligation::ReconcileBeforeRetry,
    ),
    verdict(
        "require_approval",
        "freezes the call until people decide",
        &["approvers", "quorum", "expires_in"],
        Verdict::RequireApproval,
    ),
    not_yet(
        "sanitize",
        "replaces data by placeholders",
        &["sanitize_fields", "on"],
        "the data-class detector",
    ),
    obligation(
        "verify_entity",
        "resolves the entity and compares it",
        Obligation::VerifyEntity,
    ),
    obligation(
        "verify_trigger",
        "has the trigger confirmed",
        Obligation::VerifyTrigger,
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
    use super::{EFFECTS, Kind};

    #[test]
    fn words_are_sorted_and_read_back() {
        assert!(EFFECTS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for word in EFFECTS {
            if let Kind::Does(effect) = word.kind {
                assert_eq!(effect.as_str(), word.name);
            }
        }
    }
}
