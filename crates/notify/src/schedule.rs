//! When an event is tried again, and when it is given up.
//!
//! A receiver that is away or busy is waited for, three days long. An event that a receiver answers
//! and does not take is not waited for as long: it holds up all that come after it, because the
//! order of the log is kept. Waits grow and carry jitter, so that many gates do not come back to a
//! receiver at the same instant.
//!
//! Must not know: the clock, where jitter comes from.

use toolgate_gate::outbox::{Ended, Standing};
use toolgate_model::{Duration, Timestamp};

/// The waits after the first attempts, in seconds; after that always the last.
// LIMIT: ten minutes: an approval that is asked for waits hours, not days.
const WAITS_SECONDS: [u32; 5] = [5, 30, 120, 300, 600];

/// Attempts that a receiver may answer and refuse: six, over about eighteen minutes.
pub(crate) const REFUSALS_MAX: u32 = 6;

/// Attempts at one event altogether: three days.
pub(crate) const ATTEMPTS_MAX: u32 = 432;

/// How an answer is taken.
pub(crate) const fn ended(status: Option<u16>) -> Ended {
    match status {
        Some(200..=299) => Ended::Delivered,
        Some(410) => Ended::Gone,
        // Too slow, too early, too many, and what proxies say of a receiver that is not there.
        Some(408 | 425 | 429 | 502 | 503 | 504) | None => Ended::Away,
        Some(_) => Ended::Refused,
    }
}

/// Where an endpoint stands after an attempt at the event of record `index`.
pub(crate) fn after(
    before: &Standing,
    (index, ended): (u64, Ended),
    (now, jitter): (Timestamp, u8),
) -> Standing {
    let done = Standing {
        next: index.saturating_add(1),
        attempts: 0,
        refusals: 0,
        due_at: None,
        ..before.clone()
    };
    let attempts = before.attempts.saturating_add(1);
    let refusals = before.refusals + u32::from(ended == Ended::Refused);
    match ended {
        Ended::Delivered => done,
        Ended::Gone => Standing {
            next: index,
            disabled: Some("the endpoint answered 410: it is gone".to_owned()),
            ..done
        },
        Ended::Refused | Ended::Away if refusals >= REFUSALS_MAX || attempts >= ATTEMPTS_MAX => {
            done
        }
        Ended::Refused | Ended::Away => Standing {
            next: index,
            attempts,
            refusals,
            due_at: Some(now.plus(wait(attempts, jitter))),
            ..done
        },
    }
}

/// The wait after this many attempts: its length, a fifth more or less.
fn wait(attempts: u32, jitter: u8) -> Duration {
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let [.., last] = WAITS_SECONDS;
    let seconds = WAITS_SECONDS.get(place).copied().unwrap_or(last);
    let percent = 80 + u32::from(jitter) * 40 / 255;
    Duration::from_millis(seconds * 10 * percent)
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS_MAX, REFUSALS_MAX, after, ended, wait};
    use toolgate_gate::outbox::{Ended, Standing};
    use toolgate_model::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn fresh() -> Standing {
        Standing {
            endpoint: "pager".to_owned(),
            next: 4,
            attempts: 0,
            refusals: 0,
            due_at: None,
            disabled: None,
        }
    }

    fn tried(times: u32, how: Ended) -> Standing {
        (0..times).fold(fresh(), |standing, _| after(&standing, (7, how), (NOW, 0)))
    }

    #[test]
    fn answers_mean_what_they_mean() {
        for (status, expected) in [
            (Some(200), Ended::Delivered),
            (Some(204), Ended::Delivered),
            (Some(301), Ended::Refused),
            (Some(400), Ended::Refused),
            (Some(410), Ended::Gone),
            (Some(429), Ended::Away),
            (Some(500), Ended::Refused),
            (Some(503), Ended::Away),
            (None, Ended::Away),
        ] {
            assert_eq!(ended(status), expected, "{status:?}");
        }
    }

    #[test]
    fn what_is_taken_moves_on_and_what_is_not_stays_at_its_record() {
        let taken = tried(1, Ended::Delivered);
        assert_eq!((taken.next, taken.due_at), (8, None));
        let refused = tried(1, Ended::Refused);
        assert_eq!((refused.next, refused.attempts), (7, 1));
        assert_eq!(refused.due_at, Some(Timestamp::from_millis(1_004_000)));
        let gone = tried(1, Ended::Gone);
        assert!(gone.next == 7 && gone.disabled.is_some());
    }

    #[test]
    fn an_event_is_given_up_after_its_bound_and_not_before() {
        assert_eq!(tried(REFUSALS_MAX - 1, Ended::Refused).next, 7);
        assert_eq!(tried(REFUSALS_MAX, Ended::Refused).next, 8);
        assert_eq!(tried(ATTEMPTS_MAX - 1, Ended::Away).next, 7);
        assert_eq!(tried(ATTEMPTS_MAX, Ended::Away).next, 8);
        // A receiver that was away for long has all its refusals left.
        let back = after(&tried(100, Ended::Away), (7, Ended::Refused), (NOW, 0));
        assert_eq!((back.next, back.attempts, back.refusals), (7, 101, 1));
    }

    #[test]
    fn waits_grow_to_the_last_with_a_fifth_of_jitter() {
        let waits: Vec<_> = (1..=6).map(|n| wait(n, 0).as_millis()).collect();
        assert_eq!(waits, [4_000, 24_000, 96_000, 240_000, 480_000, 480_000]);
        assert_eq!(wait(1, 255).as_millis(), 6_000);
        assert_eq!(wait(u32::MAX, 255).as_millis(), 720_000);
    }
}
