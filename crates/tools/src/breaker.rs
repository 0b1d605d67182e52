//! The circuit breaker of one source: a server that does not answer is not asked, until it does.
//!
//! Five calls in a row that got no answer at all make the source *suspected*: it is asked
//! something cheap by protocol, while calls still go through. Where it answers, it was the calls
//! that were slow, and they are forgotten. Where it does not, the circuit is *open*: calls are
//! refused at once, before anything is sent, and the server is asked again after a pause that
//! doubles each time. Its first answer closes the circuit.
//!
//! Must not know: how a server is asked, what a call was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use toolgate_execution::LossCause;
use toolgate_gate::port::{Answer, Clock};
use toolgate_model::{Code, Duration, Timestamp};

/// LIMIT: calls in a row without an answer, within the window, that make a source suspected.
const FAILURES_MAX: usize = 5;
const FAILURES_WINDOW: Duration = Duration::from_secs(300);
/// The first pause of an open circuit, doubled each time up to the last.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_LAST: Duration = Duration::from_secs(60);

/// The circuit of one source.
pub(crate) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Raised when the source becomes suspected.
    alarm: Notify,
}

#[derive(Debug)]
enum State {
    /// When the last calls got no answer.
    Closed(VecDeque<Timestamp>),
    /// It is being asked whether it still answers.
    Suspected,
    /// Nothing is sent.
    Open {
        /// How often in a row it did not answer when asked.
        probes: u32,
        /// When it is asked again.
        until: Timestamp,
        /// What was seen last.
        why: String,
    },
}

impl Breaker {
    /// A closed circuit.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State::Closed(VecDeque::new())),
            alarm: Notify::new(),
        }
    }

    /// Whether something may be sent.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn admit(&self) -> Result<(), String> {
        self.open_in_words().map_or(Ok(()), Err)
    }

    /// Why nothing is sent; none where it is.
    pub(crate) fn open_in_words(&self) -> Option<String> {
        match &*self.lock() {
            State::Closed(_) | State::Suspected => None,
            State::Open { until, why, .. } => {
                let wait = until.since(self.clock.now());
                let next = if wait == Duration::default() {
                    "now".to_owned()
                } else {
                    format!("in {wait}")
                };
                Some(format!(
                    "its circuit is open, since it does not answer ({why}); it is asked again {next}"
                ))
            }
        }
    }

    /// Takes note of what became of a call.
    pub(crate) fn note(&self, answer: &Answer) {
        match heard(answer) {
            Some(true) => self.close(),
            Some(false) => self.count(),
            None => {}
        }
    }

    /// A call got no answer.
    pub(crate) fn count(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        let State::Closed(failures) = &mut *state else {
            return;
        };
        failures.retain(|at| now.since(*at) <= FAILURES_WINDOW);
        failures.push_back(now);
        if failures.len() >= FAILURES_MAX {
            *state = State::Suspected;
            self.alarm.notify_one();
        }
    }

    /// The server answered.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if !matches!(&*state, State::Closed(failures) if failures.is_empty()) {
            *state = State::Closed(VecDeque::new());
        }
    }

    /// The server did not answer when asked. Gives how long to wait until it is asked again and
    /// how often in a row that was; none where a call was answered in the meantime.
    pub(crate) fn open(&self, why: String) -> Option<(Duration, u32)> {
        let mut state = self.lock();
        let probes = match &*state {
            State::Open { probes, .. } => probes.saturating_add(1),
            State::Suspected => 1,
            State::Closed(_) => return None,
        };
        let pause = pause(probes);
        let until = self.clock.now().plus(pause);
        *state = State::Open { probes, until, why };
        Some((pause, probes))
    }

    /// Resolves once the source is suspected.
    pub(crate) async fn suspected(&self) {
        loop {
            if matches!(&*self.lock(), State::Suspected) {
                return;
            }
            self.alarm.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server was heard. What its caller gave up, and what was never sent, shows neither.
/// An answer that nobody can make sense of counts as none: asked by protocol, a server that only
/// had an error of its own answers at once.
const fn heard(answer: &Answer) -> Option<bool> {
    match answer {
        Answer::Answered { .. } => Some(true),
        Answer::Refused { code, .. } => match code {
            Code::UpstreamUnavailable => None,
            _ => Some(true),
        },
        Answer::Lost { cause, .. } => match cause {
            LossCause::Timeout | LossCause::Disconnected | LossCause::Ambiguous => Some(false),
            _ => None,
        },
    }
}

fn pause(probes: u32) -> Duration {
    let full = PAUSE_FIRST.as_millis() << probes.saturating_sub(1).min(16);
    let millis = full.min(PAUSE_LAST.as_millis());
    Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::Breaker;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use toolgate_execution::LossCause;
    use toolgate_gate::port::{Answer, BoxFuture, Clock};
    use toolgate_model::{Code, Timestamp};

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }

        fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn lost(cause: LossCause) -> Answer {
        Answer::Lost {
            cause,
            detail: String::new(),
        }
    }

    fn refused(code: Code) -> Answer {
        Answer::Refused {
            code,
            message: String::new(),
            error: None,
        }
    }

    /// Whether this many of these answers, with those between them, make a source suspected.
    fn suspects(answers: &[Answer]) -> bool {
        let breaker = Breaker::new(Arc::new(Hand::default()));
        answers.iter().for_each(|answer| breaker.note(answer));
        assert_eq!(breaker.admit(), Ok(()), "a suspicion closes nothing");
        breaker.open(String::new()).is_some()
    }

    #[test]
    fn five_calls_in_a_row_without_an_answer_raise_a_suspicion() {
        use LossCause::{Ambiguous, Cancelled, Disconnected, Timeout};
        let silent = || {
            vec![
                lost(Timeout),
                lost(Disconnected),
                lost(Ambiguous),
                lost(Timeout),
            ]
        };
        let with = |more: Vec<Answer>| {
            let all: Vec<Answer> = silent().into_iter().chain(more).collect();
            suspects(&all)
        };
        assert!(!with(vec![]));
        assert!(with(vec![lost(Timeout)]));
        // What shows nothing interrupts nothing.
        assert!(with(vec![
            lost(Cancelled),
            refused(Code::UpstreamUnavailable),
            lost(Timeout)
        ]));
        assert!(!with(vec![
            lost(Cancelled),
            refused(Code::UpstreamUnavailable)
        ]));
        // An answer of any kind does.
        assert!(!with(vec![refused(Code::ToolError), lost(Timeout)]));
    }

    #[test]
    fn failures_that_are_far_apart_are_no_row() {
        let clock = Arc::new(Hand::default());
        let breaker = Breaker::new(clock.clone());
        for _ in 0..20 {
            breaker.count();
            clock.0.fetch_add(100_000, Ordering::SeqCst);
        }
        assert_eq!(breaker.open(String::new()), None);
    }

    #[test]
    fn an_open_circuit_says_so_and_closes_at_the_first_answer() {
        let clock = Arc::new(Hand::default());
        let breaker = Breaker::new(clock.clone());
        (0..5).for_each(|_| breaker.count());
        let pauses: Vec<String> = (0..6)
            .map(|_| breaker.open("no answer within 5s".to_owned()).unwrap())
            .map(|(pause, probes)| format!("{probes}: {pause}"))
            .collect();
        assert_eq!(
            pauses,
            ["1: 5s", "2: 10s", "3: 20s", "4: 40s", "5: 1m", "6: 1m"]
        );
        clock.0.fetch_add(20_000, Ordering::SeqCst);
        assert_eq!(
            breaker.admit().unwrap_err(),
            "its circuit is open, since it does not answer (no answer within 5s); it is asked \
             again in 40s"
        );
        breaker.close();
        assert_eq!(breaker.admit(), Ok(()));
        assert_eq!(
            breaker.open(String::new()),
            None,
            "it answered in the meantime"
        );
    }
}
