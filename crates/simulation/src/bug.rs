//! Classic bugs, committed on purpose by what stands around the driver.
//!
//! A judge that has never found anything proves nothing. Each of these is a bug that gates of this
//! kind have had; each is made here by a port that breaks its promise, so that no line of the
//! product has a hole for it. `tests/classic_bugs.rs` holds that the judge names every one.
//!
//! Must not know: how the judge finds them.

/// A bug to be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bug {
    /// The product as it is.
    #[default]
    None,
    /// An admission is acknowledged before it is durable, so the attempt is dispatched first.
    CommitAfterDispatch,
    /// A request whose answer was lost is sent again at once, without a look.
    RetryWithoutProbe,
    /// A look that found nothing counts as proof a second after the loss, long before what was
    /// sent can have landed.
    RetryTooEarly,
    /// What was approved runs under the configuration that this node happens to remember: nothing
    /// is checked against the store when it is thawed.
    CheckBeforeThawOnly,
    /// An outcome is acknowledged and never written.
    ForgottenOutcome,
    /// Keys of callers, and the guard against the same call twice, are not kept.
    KeysForgotten,
    /// Whatever event an agent names is taken for one that happened.
    EventsBelieved,
}
