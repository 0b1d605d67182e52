//! True time, and the clocks of the nodes, which may be wrong.
//!
//! Time stands still until nothing can run; then it jumps to whoever sleeps for the shortest. A
//! node's clock is true time plus an error of its own: it may be set forwards, and back a little.
//! Whoever sleeps until an instant wakes when its own clock shows it.
//!
//! Must not know: who sleeps, and why.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_model::Timestamp;

/// Where all simulated time begins, in milliseconds: an ordinary day.
const EPOCH: i64 = 1_780_000_000_000;

/// Whose clock it is. The world's own is never wrong.
pub(crate) type ClockOf = usize;

/// The world's clock.
pub(crate) const TRUE: ClockOf = 0;

/// True time and every clock's error.
pub(crate) struct Time(Mutex<Inner>);

struct Inner {
    now: i64,
    errors: [i64; 3],
    asleep: BTreeMap<u64, Sleeper>,
    slept: u64,
}

struct Sleeper {
    clock: ClockOf,
    until: i64,
    waker: Waker,
}

impl Default for Time {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            now: EPOCH,
            errors: [0; 3],
            asleep: BTreeMap::new(),
            slept: 0,
        }))
    }
}

impl Time {
    /// True time, in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.inner().now
    }

    /// Milliseconds since the world began.
    pub(crate) fn elapsed(&self) -> i64 {
        self.now() - EPOCH
    }

    /// What this clock shows.
    pub(crate) fn shown(&self, clock: ClockOf) -> i64 {
        let inner = self.inner();
        inner.now + inner.error(clock)
    }

    /// How wrong this clock is.
    pub(crate) fn error(&self, clock: ClockOf) -> i64 {
        self.inner().error(clock)
    }

    /// Sets a clock, and wakes whom that concerns.
    pub(crate) fn set_error(&self, clock: ClockOf, error: i64) {
        let mut inner = self.inner();
        if let Some(place) = inner.errors.get_mut(clock) {
            *place = error;
        }
        drop(inner);
        self.wake_due();
    }

    /// Lets true time go on by so much.
    pub(crate) fn pass(&self, millis: i64) {
        self.inner().now += millis;
        self.wake_due();
    }

    /// Jumps to whoever wakes next, but not beyond `end`. False where nobody wakes by then.
    pub(crate) fn jump(&self, end: i64) -> bool {
        let mut inner = self.inner();
        let wake = |sleeper: &Sleeper| sleeper.until - inner.error(sleeper.clock);
        let Some(next) = inner
            .asleep
            .values()
            .map(wake)
            .min()
            .filter(|at| *at <= end)
        else {
            return false;
        };
        inner.now = inner.now.max(next);
        drop(inner);
        self.wake_due();
        true
    }

    /// Sleeps for so long by true time.
    pub(crate) fn rest(self: &Arc<Self>, millis: i64) -> BoxFuture<'static, ()> {
        let until = self.now() + millis.max(0);
        self.sleep(TRUE, until)
    }

    fn sleep(self: &Arc<Self>, clock: ClockOf, until: i64) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            time: self.clone(),
            clock,
            until,
            place: None,
        })
    }

    fn wake_due(&self) {
        let mut inner = self.inner();
        let (now, errors) = (inner.now, inner.errors);
        let due = |sleeper: &Sleeper| {
            sleeper.until <= now + errors.get(sleeper.clock).copied().unwrap_or_default()
        };
        let due: Vec<_> = inner
            .asleep
            .extract_if(.., |_, sleeper| due(sleeper))
            .collect();
        drop(inner);
        for (_, sleeper) in due {
            sleeper.waker.wake();
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn error(&self, clock: ClockOf) -> i64 {
        self.errors.get(clock).copied().unwrap_or_default()
    }
}

struct Sleep {
    time: Arc<Time>,
    clock: ClockOf,
    until: i64,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut inner = time.inner();
        if self.until <= inner.now + inner.error(self.clock) {
            if let Some(place) = self.place.take() {
                inner.asleep.remove(&place);
            }
            return Poll::Ready(());
        }
        let place = *self.place.get_or_insert_with(|| {
            inner.slept += 1;
            inner.slept
        });
        let sleeper = Sleeper {
            clock: self.clock,
            until: self.until,
            waker: context.waker().clone(),
        };
        inner.asleep.insert(place, sleeper);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.time.inner().asleep.remove(&place);
        }
    }
}

/// The clock of one node: the gate's port.
pub(crate) struct NodeClock {
    pub(crate) time: Arc<Time>,
    pub(crate) clock: ClockOf,
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.time.shown(self.clock))
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        self.time.sleep(self.clock, until.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::Time;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    #[test]
    fn time_jumps_to_whoever_wakes_first_and_a_wrong_clock_wakes_its_own() {
        let time = Arc::new(Time::default());
        let start = time.now();
        let mut context = Context::from_waker(Waker::noop());
        let mut mine = time.sleep(1, start + 50);
        let mut other = time.sleep(2, start + 20);
        assert!(mine.as_mut().poll(&mut context).is_pending());
        assert!(other.as_mut().poll(&mut context).is_pending());
        assert!(time.jump(start + 1_000));
        assert_eq!(time.elapsed(), 20);
        time.set_error(1, 40);
        assert!(mine.as_mut().poll(&mut context).is_ready());
        drop(other);
        assert!(!time.jump(start + 1_000), "nobody sleeps any more");
    }
}
