//! The story: one step after the other, each of them checked as it is told.
//!
//! A step does something real, says in one line what came of it, and fails the demo where it came
//! out otherwise. The steps are in `steps.rs`; this file only lets them happen in order.
//!
//! Must not know: what a step does.

use serde_json::Value;

use super::cast::Cast;
use super::desk::DeskProcess;
use super::steps;
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
    each(&steps::small_refund(&cast).await?)?;
    each(&steps::missing_amount(&cast).await?)?;
    let large = steps::large_refund(&cast).await?;
    each(&large)?;
    each(&steps::owner_refused(&cast, &large.envelope).await?)?;
    each(&steps::approved(&cast, &large.envelope).await?)?;
    let waiting = steps::second_large_refund(&cast).await?;
    each(&waiting)?;
    each(&steps::changed_policy(&cast).await?)?;
    each(&steps::overtaken_approval(&cast, &waiting.envelope).await?)?;
    each(&steps::keyed_refund(&cast).await?)?;
    each(&steps::duplicate(&cast).await?)?;
    each(&steps::conflicting_key(&cast).await?)?;
    let lost = steps::lost_answer(&cast, desk).await?;
    each(&lost)?;
    each(&steps::repeated_after_loss(&cast, desk).await?)?;
    each(&steps::person_looks(&cast, &lost.envelope).await?)?;
    each(&steps::revoked_key(&cast).await?)?;
    Ok(STEPS)
}

/// How many steps there are.
const STEPS: usize = 17;
