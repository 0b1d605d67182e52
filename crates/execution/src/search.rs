//! What to do about a call in doubt: look, look again, send it again, or ask a person.
//!
//! *Not found is not yet proof.* The lost request may still be on its way and land after the look.
//! Finding nothing counts as proof only where the look began after the operator's own bound
//! (`lands_within`) had passed since the answer was lost, when nothing was being sent any more.
//! Without such a bound the same request may go out again only where the downstream takes it for
//! the same one by its key; otherwise a person must say (3-execution, 1).
//!
//! Must not know: how a look is made.

use serde::{Deserialize, Serialize};
use toolgate_model::{Duration, EffectCheck, Obligation, Timestamp};

use crate::state::{Invocation, State};

/// Attempts that a call with an effect gets, counting the first.
// LIMIT: three; what did not land twice will not be mended by a fourth.
pub const EFFECT_ATTEMPTS_MAX: u32 = 3;

/// Why a call in doubt goes straight to a person.
pub const NO_PROBE: &str = "the tool's descriptor names no way to look for the effect";

/// What a look saw that did not find the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When the look began.
    pub at: Timestamp,
    /// Why it told nothing; none where it worked and the effect was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear: Option<String>,
}

/// Why the same request may be sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RetryGround {
    /// The downstream honours the gate's key: to it, this is the same request.
    SameKey,
    /// A look that began after `lands_within` had passed found nothing.
    NotLanded {
        /// The operator's bound on how late the effect may appear.
        lands_within: Duration,
    },
    /// A person said so.
    Ordered,
}

/// What comes next for a call in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Look, at the earliest then.
    Look(Timestamp),
    /// The same request may be sent again.
    Retry(RetryGround),
    /// It is proven that it did not land, and it was tried often enough.
    Exhausted,
    /// Only a person can say.
    Ask(String),
}

impl Invocation {
    /// What comes next; none where nothing is in doubt.
    pub fn plan(&self) -> Option<Plan> {
        match &self.state {
            State::UnknownEffect { lost_at, .. } => Some(self.plan_of(*lost_at, 0, None)),
            State::Reconciling {
                lost_at,
                tries,
                last,
                ..
            } => Some(self.plan_of(*lost_at, *tries, last.as_ref())),
            _ => None,
        }
    }

    /// Before this instant a further attempt would only meet the same weather: the first repeat may
    /// go out at once, the next ones wait as the descriptor says.
    pub fn repeat_not_before(&self) -> Option<Timestamp> {
        let (State::UnknownEffect { lost_at, .. } | State::Reconciling { lost_at, .. }) =
            &self.state
        else {
            return None;
        };
        let check = self.proposal.effect_check.as_ref()?;
        let repeats = self
            .attempts
            .checked_sub(1)
            .filter(|repeats| *repeats > 0)?;
        lost_at.map(|lost_at| lost_at.plus(check.backoff.after(repeats)))
    }

    fn plan_of(&self, lost_at: Option<Timestamp>, tries: u32, last: Option<&Sighting>) -> Plan {
        let Some(check) = &self.proposal.effect_check else {
            return Plan::Ask(NO_PROBE.to_owned());
        };
        // What a host runs the gate cannot send: the host makes it anew, if it still wants it.
        let may_again = self.attempts < EFFECT_ATTEMPTS_MAX && !self.is_hosts();
        if let Some(lands_within) = proof(check, lost_at, last) {
            return if may_again {
                Plan::Retry(RetryGround::NotLanded { lands_within })
            } else {
                Plan::Exhausted
            };
        }
        if may_again && self.key_suffices(check, tries, last) {
            return Plan::Retry(RetryGround::SameKey);
        }
        look_again(check, lost_at, tries, last)
    }

    /// Whether the downstream's key alone makes a second sending harmless enough: after a look
    /// where one can be made, and never without one where a rule wants that.
    fn key_suffices(&self, check: &EffectCheck, tries: u32, last: Option<&Sighting>) -> bool {
        let obligations = &self.proposal.decision.obligations;
        let looked = last.is_some_and(|sighting| sighting.unclear.is_none());
        let must_look = obligations.contains(&Obligation::ReconcileBeforeRetry);
        let cannot_look = check.look.is_none() || tries >= check.tries;
        check.idempotency.is_some() && (looked || (cannot_look && !must_look))
    }
}

/// The bound by which the last look proves that nothing landed.
fn proof(
    check: &EffectCheck,
    lost_at: Option<Timestamp>,
    last: Option<&Sighting>,
) -> Option<Duration> {
    let (bound, lost_at, last) = (check.lands_within?, lost_at?, last?);
    // INVARIANT: only a look that began after the bound can prove an absence.
    let late_enough = last.at >= lost_at.plus(bound);
    (late_enough && last.unclear.is_none()).then_some(bound)
}

fn look_again(
    check: &EffectCheck,
    lost_at: Option<Timestamp>,
    tries: u32,
    last: Option<&Sighting>,
) -> Plan {
    if check.look.is_none() {
        return Plan::Ask(NO_PROBE.to_owned());
    }
    let Some(last) = last else {
        return Plan::Look(lost_at.unwrap_or_default());
    };
    let again = last.at.plus(check.backoff.after(tries));
    // Where absence can still be proven, one look after the bound is always made.
    let proving = match (check.lands_within, lost_at) {
        (Some(bound), Some(lost_at)) => Some(lost_at.plus(bound)).filter(|at| last.at < *at),
        _ => None,
    };
    match proving {
        Some(at) if tries >= check.tries => Plan::Look(at.max(again)),
        _ if tries < check.tries => Plan::Look(again),
        _ => Plan::Ask(told_nothing(check, tries, last)),
    }
}

fn told_nothing(check: &EffectCheck, tries: u32, last: &Sighting) -> String {
    match (&last.unclear, check.lands_within) {
        (Some(why), _) => format!("{tries} looks told nothing; the last one: {why}"),
        (None, None) => format!(
            "{tries} looks did not find the effect, and without `lands_within` that proves nothing"
        ),
        (None, Some(_)) => format!("{tries} looks did not find the effect"),
    }
}
