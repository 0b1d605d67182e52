//! How long a call may still take: its deadline, which stands still while its client is asked.
//!
//! A tool that may take a minute and asks its user something that takes ten is not late. What a
//! call may wait beyond its own time is bounded in all by
//! [`PEER_WAIT_MAX`](toolgate_gate::peer::PEER_WAIT_MAX), however often it asks.
//!
//! Must not know: what is waited for.

use std::sync::Arc;

use toolgate_gate::peer::PEER_WAIT_MAX;
use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_model::Timestamp;

/// The time that a call has left.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    /// Milliseconds that it may still stand still.
    beyond: i64,
    /// Since when it does.
    since: Option<Timestamp>,
}

impl Patience {
    /// Runs until `deadline`.
    pub(crate) fn until(deadline: Timestamp, clock: &Arc<dyn Clock>) -> Self {
        Self {
            clock: Arc::clone(clock),
            deadline,
            beyond: PEER_WAIT_MAX.as_millis(),
            since: None,
        }
    }

    /// Stands still from now on.
    pub(crate) fn pause(&mut self) {
        let now = self.clock.now();
        self.since.get_or_insert(now);
    }

    /// Runs again.
    pub(crate) fn resume(&mut self) {
        if let Some(since) = self.since.take() {
            let stood = self.clock.now().since(since).as_millis().min(self.beyond);
            self.beyond -= stood;
            self.deadline = later(self.deadline, stood);
        }
    }

    /// Resolves once it is over: at the deadline, or where it stood still for too long.
    pub(crate) fn over(&self) -> BoxFuture<'static, ()> {
        let end = match self.since {
            Some(since) => later(since, self.beyond),
            None => self.deadline,
        };
        self.clock.sleep_until(end)
    }
}

fn later(instant: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(instant.as_millis().saturating_add(millis))
}

#[cfg(test)]
mod tests {
    use super::Patience;
    use std::sync::{Arc, Mutex};
    use toolgate_gate::port::{BoxFuture, Clock};
    use toolgate_model::Timestamp;

    /// A clock that says until when somebody sleeps.
    #[derive(Default)]
    struct Watch {
        now: Mutex<i64>,
        until: Mutex<i64>,
    }

    impl Clock for Watch {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(*self.now.lock().unwrap())
        }

        fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
            *self.until.lock().unwrap() = until.as_millis();
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn it_stands_still_but_not_for_ever() {
        const HOUR: i64 = 3_600_000;
        let watch = Arc::new(Watch::default());
        let clock: Arc<dyn Clock> = Arc::clone(&watch) as Arc<dyn Clock>;
        let mut patience = Patience::until(Timestamp::from_millis(60_000), &clock);
        let mut ends = |at: i64, act: fn(&mut Patience)| {
            *watch.now.lock().unwrap() = at;
            act(&mut patience);
            drop(patience.over());
            *watch.until.lock().unwrap()
        };
        assert_eq!(ends(0, |_| {}), 60_000);
        assert_eq!(ends(10_000, Patience::pause), 10_000 + HOUR);
        // A second question while the first waits changes nothing.
        assert_eq!(ends(20_000, Patience::pause), 10_000 + HOUR);
        assert_eq!(ends(610_000, Patience::resume), 660_000);
        assert_eq!(ends(620_000, Patience::pause), 620_000 + HOUR - 600_000);
        assert_eq!(ends(99 * HOUR, Patience::resume), 60_000 + HOUR);
        assert_eq!(ends(99 * HOUR, Patience::pause), 99 * HOUR);
    }
}
