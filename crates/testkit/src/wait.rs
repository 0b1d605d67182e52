//! Waiting for a condition instead of for "long enough".
//!
//! `wait_until(Duration::from_secs(10), "the gate to be ready", || ready(url))` looks every ten
//! milliseconds and says what it was waiting for when the time is up.
//!
//! Must not know: what is waited for.

use std::thread;
use std::time::{Duration, Instant};

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// The condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {} ms for {what}", limit.as_millis())]
pub struct Overdue {
    what: String,
    limit: Duration,
}

/// Looks until `ready` gives something, at most `limit` long.
///
/// # Errors
/// [`Overdue`] names what was waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process has only the wall clock"
)]
pub fn wait_until<T>(
    limit: Duration,
    what: &str,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<T, Overdue> {
    let started = Instant::now();
    loop {
        if let Some(found) = ready() {
            return Ok(found);
        }
        if started.elapsed() >= limit {
            let what = what.to_owned();
            return Err(Overdue { what, limit });
        }
        thread::sleep(INTERVAL);
    }
}
