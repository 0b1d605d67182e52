//! Judging a call anew while it runs.
//!
//! A server that asks its client something in the middle of a call stops until the answer comes,
//! which may be an hour later. Before the answer is let through, the gate is asked whether it would
//! still let the very same call run: an agent that was suspended meanwhile does not go on.
//!
//! Must not know: who asks, what the server wanted to know.

use toolgate_execution::Invocation;
use toolgate_gate::{Thawed, revalidate};
use toolgate_model::{Code, Denial, InvocationId};

use crate::driver::Driver;
use crate::outcome::Failed;

impl Driver {
    /// Why the gate would not let this invocation run now as it does; none where it would. Its own
    /// place in the history does not count against it, and nothing is recorded.
    ///
    /// # Errors
    /// [`Failed`] where there is no such invocation or the store cannot say.
    pub async fn rejudge(&self, id: &InvocationId) -> Result<Option<Denial>, Failed> {
        let invocation = self.load(id).await?;
        let configuration = self.configuration();
        let evidence = self.evidence_again(&configuration, &invocation).await;
        let judged = self.with_history(|history| {
            revalidate(
                &configuration,
                &invocation,
                (&evidence, history),
                self.now(),
            )
        });
        Ok(match judged {
            Thawed::Same(_) => None,
            Thawed::Forbidden(denial) => Some(denial),
            Thawed::Drifted { judged, .. } => Some(
                judged
                    .decision
                    .denial
                    .unwrap_or_else(|| drifted(&invocation)),
            ),
        })
    }
}

/// It may still run, and not as the call that it was.
fn drifted(invocation: &Invocation) -> Denial {
    let message = format!(
        "`{}` is judged differently by now",
        invocation.proposal.tool
    );
    Denial::new(Code::Drifted, message)
}
