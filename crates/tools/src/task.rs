//! A call that its server turned into a task: polled, asked and answered, to its end.
//!
//! `tasks/get` says how it stands; what changes is passed on to the client, without the task's own
//! id, which never leaves the gate. What the task wants to know the client is asked, and
//! `tasks/update` brings what it said. A caller that gives up has `tasks/cancel` sent, once: an
//! intent, after which the task is still watched for a while, since it may end otherwise.
//!
//! Must not know: how the client is reached, or what other tasks there are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};
use toolgate_execution::LossCause;
use toolgate_gate::peer::{Ask, Reply, Round, Unanswered};
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, Timestamp, json::Raw};

use crate::exchange::Exchange;
use crate::message::{self, RpcError};
use crate::rounds::{self, RequestLens, Talk};
use crate::verdict::{self, Asked};
use crate::wording;

/// How often a task is asked for, whatever it wishes.
const POLL_FASTEST: Duration = Duration::from_millis(100);
const POLL_SLOWEST: Duration = Duration::from_secs(5);
/// How often one is asked for that says nothing.
const POLL_PLAIN: Duration = Duration::from_secs(1);
/// How long the server may take to say how a task stands.
const TOLD_WAIT: Duration = Duration::from_secs(10);
/// LIMIT: so many times in a row it may fail to.
const FAILURES_MAX: u32 = 5;
/// How long a cancelled task is watched for its end.
const CANCEL_WAIT: Duration = Duration::from_secs(10);
/// LIMIT: an id is a handle, no text.
const ID_BYTES_MAX: usize = 1 << 10;

/// Members that are not for the client, or that it gets in another form.
const WITHHELD: [&str; 6] = [
    "taskId",
    "resultType",
    "_meta",
    "result",
    "error",
    "inputRequests",
];

/// What a server says of a task.
struct Told {
    id: String,
    status: Status,
    poll: Duration,
    /// What the client is told.
    fields: Map<String, Value>,
    requests: Vec<Ask>,
    result: Option<Raw>,
    error: Option<Raw>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lens {
    task_id: String,
    status: Status,
    #[serde(default)]
    poll_interval_ms: Option<u64>,
    #[serde(default)]
    input_requests: Option<BTreeMap<String, RequestLens>>,
    #[serde(default)]
    result: Option<Raw>,
    #[serde(default)]
    error: Option<Raw>,
}

impl Told {
    fn read(raw: &Raw, bytes_max: usize) -> Result<Self, String> {
        let value = message::value(raw, bytes_max)?;
        let lens: Lens = serde_json::from_str(raw.get())
            .map_err(|error| format!("what it says of its task cannot be read: {error}"))?;
        let Value::Object(mut fields) = value else {
            return Err("what it says of its task is no object".to_owned());
        };
        if lens.task_id.is_empty() || lens.task_id.len() > ID_BYTES_MAX {
            return Err(format!("a task's id has 1 to {ID_BYTES_MAX} bytes"));
        }
        fields.retain(|name, _| !WITHHELD.contains(&name.as_str()));
        Ok(Self {
            id: lens.task_id,
            status: lens.status,
            poll: interval(lens.poll_interval_ms),
            fields,
            requests: rounds::asks(lens.input_requests.unwrap_or_default())?,
            result: lens.result,
            error: lens.error,
        })
    }
}

fn interval(wished: Option<u64>) -> Duration {
    let wished =
        wished.map(|millis| Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX)));
    wished.map_or(POLL_PLAIN, |span| span.clamp(POLL_FASTEST, POLL_SLOWEST))
}

/// How far a task was followed.
struct Watch {
    told: Told,
    /// What its client last heard of it.
    shown: Option<Map<String, Value>>,
    /// Answers of the client that the server has not acknowledged yet.
    unsent: Vec<(String, Raw)>,
    /// What needs no asking any more.
    answered: BTreeSet<String>,
    /// Polls and updates that failed in a row.
    failures: u32,
    /// Set once it was cancelled.
    given_up: Option<GivenUp>,
}

/// A task that nobody wants any more.
struct GivenUp {
    cause: LossCause,
    why: String,
    /// How long its end is still waited for.
    until: Timestamp,
}

/// What the client is being asked: the keys, and what becomes of it.
type Asking = (
    BTreeSet<String>,
    BoxFuture<'static, Result<Vec<(String, Reply)>, Unanswered>>,
);

impl Talk<'_> {
    /// Follows a task to its end.
    pub(crate) async fn follow(&mut self, first: &Raw, asked: &Asked) -> Answer {
        if !self.declared.has_tasks() {
            return verdict::invalid("it answers with a task, for which the gate did not ask");
        }
        let told = match Told::read(first, asked.result_bytes_max) {
            Ok(told) => told,
            Err(why) => return verdict::invalid(&why),
        };
        let mut watch = Watch {
            told,
            shown: None,
            unsent: Vec::new(),
            answered: BTreeSet::new(),
            failures: 0,
            given_up: None,
        };
        let mut asking: Option<Asking> = None;
        self.patience.pause();
        loop {
            self.show(&mut watch);
            let now = self.session.ports.clock.now();
            if let Some(answer) = ended(&mut watch, asked).or_else(|| watch.unwatched(now)) {
                return answer;
            }
            if let Err(why) = self.put(&watch, &mut asking) {
                self.give_up(&mut watch, LossCause::Ambiguous, why).await;
            }
            self.wait(&mut watch, &mut asking).await;
            if let Err(answer) = self.poll(&mut watch, asked).await {
                return answer;
            }
        }
    }

    /// Tells the client how the task stands, where that is news.
    fn show(&self, watch: &mut Watch) {
        if watch.shown.as_ref() != Some(&watch.told.fields) {
            let fields = watch.told.fields.clone();
            watch.shown = Some(fields.clone());
            if let Some(peer) = &self.peer {
                peer.task(fields);
            }
        }
    }

    /// Has the client asked what the task wants to know and what it has not been asked yet.
    fn put(&self, watch: &Watch, asking: &mut Option<Asking>) -> Result<(), String> {
        let wants = watch.told.status == Status::InputRequired && watch.given_up.is_none();
        let open = |ask: &&Ask| !watch.answered.contains(&ask.key);
        let requests: Vec<Ask> = watch.told.requests.iter().filter(open).cloned().collect();
        if !wants || requests.is_empty() {
            *asking = None;
            return Ok(());
        }
        let keys = rounds::keys(&requests);
        if asking.as_ref().is_some_and(|(asked, _)| *asked == keys) {
            return Ok(());
        }
        let peer = self.allowed(&requests)?;
        let round = Round {
            requests,
            piecemeal: true,
        };
        let answers = Box::pin(async move { peer.ask(round).await });
        *asking = Some((keys, answers));
        Ok(())
    }

    /// Waits until it is time to ask how the task stands.
    async fn wait(&mut self, watch: &mut Watch, asking: &mut Option<Asking>) {
        let answers = async {
            match asking {
                Some((_, answers)) => answers.await,
                None => std::future::pending().await,
            }
        };
        let wanted = watch.given_up.is_none();
        let answers = tokio::select! {
            biased;
            answers = answers => answers,
            () = &mut self.cancelled, if wanted => {
                self.cancelled = Box::pin(std::future::pending());
                let why = "the caller gave up".to_owned();
                return self.give_up(watch, LossCause::Cancelled, why).await;
            }
            () = self.patience.over(), if wanted => {
                let why = "its task does not end".to_owned();
                return self.give_up(watch, LossCause::Timeout, why).await;
            }
            () = self.session.ports.sleep(watch.told.poll) => return,
        };
        *asking = None;
        match answers
            .map_err(|why| why.to_string())
            .and_then(rounds::results)
        {
            Ok(answers) => {
                watch
                    .answered
                    .extend(answers.iter().map(|(key, _)| key.clone()));
                watch.unsent.extend(answers);
            }
            Err(why) => self.give_up(watch, LossCause::Ambiguous, why).await,
        }
    }

    /// Tells the server that nobody wants the task any more, once.
    async fn give_up(&mut self, watch: &mut Watch, cause: LossCause, why: String) {
        if watch.given_up.is_none() {
            let until = self.session.ports.clock.now().plus(CANCEL_WAIT);
            watch.given_up = Some(GivenUp { cause, why, until });
            self.about("tasks/cancel", &watch.told.id, &[]).await;
        }
    }

    /// Brings the server what the client said, and asks how the task stands.
    async fn poll(&mut self, watch: &mut Watch, asked: &Asked) -> Result<(), Answer> {
        if !watch.unsent.is_empty() {
            let done = self
                .about("tasks/update", &watch.told.id, &watch.unsent)
                .await;
            match done {
                Some(Exchange::Result(_)) => watch.unsent.clear(),
                other => watch.fails(&other)?,
            }
        }
        match self.about("tasks/get", &watch.told.id, &[]).await {
            Some(Exchange::Result(result)) => {
                watch.failures = 0;
                let told = Told::read(&result, asked.result_bytes_max)
                    .map_err(|why| verdict::invalid(&why))?;
                if told.id != watch.told.id {
                    return Err(verdict::invalid(
                        "it tells of another task than it was asked",
                    ));
                }
                watch.told = told;
                Ok(())
            }
            other => watch.fails(&other),
        }
    }

    /// Asks something about the task.
    async fn about(
        &mut self,
        method: &'static str,
        id: &str,
        responses: &[(String, Raw)],
    ) -> Option<Exchange> {
        let era = self.session.server.era;
        let request = self
            .session
            .request(|_| wording::about_task(era, (method, id), &self.declared, responses));
        let answer = self.session.link.request(request);
        self.session.ports.within(TOLD_WAIT, answer).await
    }
}

impl Watch {
    /// The server did not say how the task stands.
    fn fails(&mut self, exchange: &Option<Exchange>) -> Result<(), Answer> {
        self.failures += 1;
        let words = exchange.as_ref().map_or_else(
            || format!("no answer within {TOLD_WAIT}"),
            Exchange::in_words,
        );
        match exchange {
            Some(Exchange::Error { error, .. }) if error.code == RpcError::INVALID_PARAMS => {
                let detail = format!("it does not know its own task any more: {words}");
                Err(verdict::lost(LossCause::Ambiguous, detail))
            }
            _ if self.failures < FAILURES_MAX => Ok(()),
            _ => {
                let detail = format!("it does not say how its task stands: {words}");
                Err(verdict::lost(LossCause::Disconnected, detail))
            }
        }
    }

    /// What it comes to where it was given up, and has not ended since.
    fn unwatched(&self, now: Timestamp) -> Option<Answer> {
        let given_up = self.given_up.as_ref().filter(|it| now >= it.until)?;
        let detail = format!("{}; it was told to cancel its task", given_up.why);
        Some(verdict::lost(given_up.cause, detail))
    }
}

/// What the task came to, where it is over.
fn ended(watch: &mut Watch, asked: &Asked) -> Option<Answer> {
    match watch.told.status {
        Status::Working | Status::InputRequired => None,
        Status::Completed => Some(match watch.told.result.take() {
            Some(result) => verdict::task_result(result, asked),
            None => verdict::invalid("its task is completed, and has no result"),
        }),
        Status::Failed => Some(
            match watch.told.error.take().as_deref().map(RpcError::read) {
                Some(Ok(error)) => verdict::task_error(error, asked),
                Some(Err(_)) | None => verdict::invalid("its task failed, and has no error"),
            },
        ),
        Status::Cancelled => {
            let detail = "its server cancelled the task".to_owned();
            Some(verdict::lost(LossCause::Cancelled, detail))
        }
    }
}
