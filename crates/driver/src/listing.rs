//! Invocations in a list, for whoever may see each of them.
//!
//! A store lists what is an agent's. Where the agent acts for people, what it did for one is not
//! shown to the next: `assistant` for ana sees ana's calls, and none of bob's.
//!
//! Must not know: pages, cursors.

use toolgate_execution::Invocation;
use toolgate_gate::Caller;
use toolgate_gate::port::{InvocationFilter, Unavailable};

use crate::driver::Driver;
use crate::people::sees;

/// LIMIT: twenty looks into the store for one list; who makes few of an agent's very many calls is
/// shown fewer at once.
const LOOKS_MAX: usize = 20;

impl Driver {
    /// What of this the caller may see, newest first and at most as many as the filter says.
    ///
    /// # Errors
    /// [`Unavailable`] where the store does not answer.
    pub async fn listed(
        &self,
        caller: &Caller,
        mut filter: InvocationFilter,
    ) -> Result<Vec<Invocation>, Unavailable> {
        let mut found = Vec::new();
        for _ in 0..LOOKS_MAX {
            let page = self.ports.store.invocations(filter.clone()).await?;
            let is_last = page.len() < filter.limit;
            filter.before = page.last().map(|invocation| invocation.id.clone());
            found.extend(page.into_iter().filter(|one| sees(caller, one)));
            if is_last || found.len() >= filter.limit {
                break;
            }
        }
        found.truncate(filter.limit);
        Ok(found)
    }
}
