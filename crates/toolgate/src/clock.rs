//! The clock of the machine: the one place that reads it.
//!
//! Must not know: what anybody waits for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_model::Timestamp;

/// How long one look at the clock is trusted while waiting.
// LIMIT: a minute, so that a clock that was set forward is noticed by whoever waits for hours.
const NAP_MAX: Duration = Duration::from_secs(60);

/// The machine's own clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = until.since(now()).to_std();
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(NAP_MAX)).await;
            }
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the clock"
)]
fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
