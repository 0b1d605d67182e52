//! What a gate does by itself from time to time.
//!
//! Approvals lapse and leases run out by timers that the machine armed; when credentials were last
//! used is written down now and then. Both are loops over the clock port.
//!
//! Must not know: what a timer means.

use std::sync::Arc;

use toolgate_driver::Driver;
use toolgate_gate::port::Clock;
use toolgate_model::Duration;

/// How long a timer may be late.
// LIMIT: a quarter of a second: expiry is also checked wherever it matters, this only tells.
const TIMERS_EVERY: Duration = Duration::from_millis(250);

/// How often last uses are written down.
// LIMIT: half a minute; they are for people, and cost a write each time.
const USES_EVERY: Duration = Duration::from_secs(30);

/// Fires timers, forever.
pub(crate) async fn timers(driver: Arc<Driver>, clock: Arc<dyn Clock>) {
    loop {
        driver.fire_timers().await;
        clock.sleep_until(clock.now().plus(TIMERS_EVERY)).await;
    }
}

/// How often the catalogue is looked through for what is new or changed in it.
// LIMIT: a second; whether a tool is held follows from the catalogue at once, this writes it down.
const TOOLS_EVERY: Duration = Duration::from_secs(1);

/// Pins tools and notes their changes, forever.
pub(crate) async fn tools(driver: Arc<Driver>, clock: Arc<dyn Clock>) {
    loop {
        if let Err(unavailable) = driver.pin_tools().await {
            tracing::error!(%unavailable, "what the tools say could not be noted");
        }
        clock.sleep_until(clock.now().plus(TOOLS_EVERY)).await;
    }
}

/// How often what others left behind is looked for.
// LIMIT: half a minute; timers carry what this process armed, so this finds only what they missed.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Picks up what no timer of this process carries, forever.
pub(crate) async fn sweeps(driver: Arc<Driver>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep_until(clock.now().plus(SWEEP_EVERY)).await;
        if let Err(unavailable) = driver.sweep().await {
            tracing::error!(%unavailable, "what is unfinished could not be looked through");
        }
    }
}

/// Writes down when credentials were last used, forever.
pub(crate) async fn uses(driver: Arc<Driver>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep_until(clock.now().plus(USES_EVERY)).await;
        driver.flush_uses().await;
    }
}
