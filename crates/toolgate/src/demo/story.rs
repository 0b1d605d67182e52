//! The story: one step after the other, each of them checked as it is told.
//!
//! A step does something real, says in one line what came of it, and fails the demo where it came
//! out otherwise. The steps are in `steps.rs`, `data.rs`, `drift.rs`, `doubt.rs` and `author.rs`; this file only lets them
//! happen in order.
//!
//! Must not know: what a step does.

use serde_json::Value;

use super::cast::Cast;
use super::desk::DeskProcess;
use super::{author, data, doubt, drift, steps};
use crate::admin::Admin;
use crate::fault::Fault;

/// What one step came to.
#[derive(Debug)]
pub(crate) struct Told {
    /// What was tried.
    pub(crate) title: &'static str,
    /// What came of it, in words.
    pub(crate) outcome: String,
    /// The envelope that says so.
    pub(crate) envelope: Value,
}

/// Lets everything happen; `each` hears of every step as it is done.
///
/// # Errors
/// [`Fault`] names the step that came out otherwise.
pub(crate) async fn tell(
    admin: Admin,
    desk: &DeskProcess,
    mut each: impl FnMut(&Told) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    let cast = Cast::gather(admin).await?;
    each(&steps::allowed_read(&cast).await?)?;
    each(&steps::scoped_denial(&cast).await?)?;
    each(&data::masked_customer(&cast).await?)?;
    each(&steps::small_refund(&cast).await?)?;
    each(&data::sanitized_message(&cast, desk).await?)?;
    each(&steps::missing_amount(&cast).await?)?;
    let large = steps::large_refund(&cast).await?;
    each(&large)?;
    each(&steps::owner_refused(&cast, &large.envelope).await?)?;
    each(&steps::approved(&cast, &large.envelope).await?)?;
    let moved = drift::frozen_refund(&cast).await?;
    each(&moved)?;
    let again = drift::changed_customer(&cast, desk, &moved.envelope).await?;
    each(&again)?;
    each(&drift::old_digest(&cast, &moved.envelope, &again.envelope).await?)?;
    each(&drift::approved_again(&cast, &again.envelope).await?)?;
    let waiting = steps::second_large_refund(&cast).await?;
    each(&waiting)?;
    each(&steps::changed_policy(&cast).await?)?;
    each(&steps::overtaken_approval(&cast, &waiting.envelope).await?)?;
    each(&steps::keyed_refund(&cast).await?)?;
    each(&steps::duplicate(&cast).await?)?;
    each(&steps::conflicting_key(&cast).await?)?;
    let first = steps::unkeyed_refund(&cast).await?;
    each(&first)?;
    each(&steps::unkeyed_duplicate(&cast, desk, &first.envelope).await?)?;
    each(&doubt::landed(&cast, desk).await?)?;
    each(&doubt::repeated(&cast, desk).await?)?;
    each(&doubt::not_landed(&cast, desk).await?)?;
    let message = doubt::unreadable(&cast, desk).await?;
    each(&message)?;
    each(&doubt::resolved(&cast, &message.envelope).await?)?;
    each(&author::tried(&cast).await?)?;
    each(&author::changed(&cast).await?)?;
    each(&author::rolled_back(&cast).await?)?;
    each(&steps::revoked_key(&cast).await?)?;
    Ok(STEPS)
}

/// How many steps there are.
const STEPS: usize = 30;
