//! One endpoint's way through the record: the next event, one attempt, where it stands now.
//!
//! A turn sends at most one event and writes down what became of it, cursor and attempt in one
//! transaction. A crash before that write makes the next start send it again, and a receiver
//! knows it again by its `webhook-id`. Events go out one after the other, in the order of the log:
//! one that is not taken holds up those after it until it is given up.
//!
//! Must not know: other endpoints.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::select;
use reqwest::Client;
use tokio::sync::Notify;
use toolgate_gate::notices;
use toolgate_gate::outbox::{Delivery, Ended, EndpointStatus, NoticeError, Standing};
use toolgate_gate::port::{RecordFilter, Unavailable};
use toolgate_model::{Duration, RecordId, Timestamp};
use toolgate_record::{Entry, Record};

use crate::message::Message;
use crate::notifier::{EndpointSpec, Facts, Ports};
use crate::{schedule, sender};

/// Records that are looked at in one turn.
const PAGE_RECORDS: usize = 100;

/// How long the log is left alone after there was nothing new.
// LIMIT: half a second, which is how late a message is at least half of the time.
const PAUSE: Duration = Duration::from_millis(500);

/// How long an endpoint that nobody wakes is left alone.
const LONG_PAUSE: Duration = Duration::from_secs(3_600);

/// Brings events to one endpoint.
pub struct Courier {
    pub(crate) spec: EndpointSpec,
    ports: Ports,
    facts: Facts,
    client: Client,
    standing: Mutex<Standing>,
    woken: Notify,
}

/// When there is something to do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Again,
    /// Not before this instant, unless somebody wakes it.
    At(Timestamp),
}

impl Courier {
    pub(crate) fn new(
        spec: EndpointSpec,
        (ports, facts): (Ports, Facts),
        client: Client,
        standing: Standing,
    ) -> Self {
        Self {
            spec,
            ports,
            facts,
            client,
            standing: Mutex::new(standing),
            woken: Notify::new(),
        }
    }

    /// Works for ever. Whoever spawned it may drop it at any await: nothing is lost by that.
    pub async fn run(self: Arc<Self>) {
        loop {
            let until = match self.turn().await {
                Ok(Turn::Again) => continue,
                Ok(Turn::At(until)) => until,
                Err(error) => {
                    tracing::warn!(endpoint = self.spec.name, %error, "notifications wait");
                    self.ports.clock.now().plus(PAUSE)
                }
            };
            let alarm = self.ports.clock.sleep_until(until);
            select(Box::pin(self.woken.notified()), alarm).await;
        }
    }

    /// Does the one thing that is to be done now.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot say or keep; the same turn then comes again.
    pub async fn turn(&self) -> Result<Turn, Unavailable> {
        let (standing, now) = (self.standing(), self.ports.clock.now());
        if standing.disabled.is_some() {
            return Ok(Turn::At(now.plus(LONG_PAUSE)));
        }
        if let Some(due) = standing.due_at.filter(|due| now < *due) {
            return Ok(Turn::At(due));
        }
        let records = self.page(standing.next).await?;
        let Some(newest) = records.last().map(|record| record.index) else {
            return Ok(Turn::At(now.plus(PAUSE)));
        };
        let found = records.iter().find_map(|record| self.wanted(record));
        match found {
            Some((index, entry)) => self.attempt(standing, (index, &entry)).await?,
            None => {
                let next = newest + 1;
                self.pass(Standing { next, ..standing }, records.len())
                    .await?;
            }
        }
        Ok(Turn::Again)
    }

    async fn page(&self, from: u64) -> Result<Vec<Record>, Unavailable> {
        let filter = RecordFilter {
            tenant: Some(self.spec.tenant.clone()),
            from,
            limit: PAGE_RECORDS,
            ..RecordFilter::default()
        };
        self.ports.store.records(filter).await
    }

    /// The entry of a record that this endpoint is told of: by its kind, or because a rule names
    /// the endpoint. One that does not read any more is for the verifier to find.
    fn wanted(&self, record: &Record) -> Option<(u64, Entry)> {
        let entry = record.entry().ok()?;
        let named = |glob: &toolgate_model::Glob| glob.matches(&entry.kind);
        let addressed = || {
            let channels = notices(&entry)
                .into_iter()
                .filter_map(|notice| notice.channel);
            channels
                .into_iter()
                .any(|channel| channel == self.spec.name)
        };
        let wanted = self.spec.events.iter().any(named) || addressed();
        wanted.then_some((record.index, entry))
    }

    async fn attempt(
        &self,
        standing: Standing,
        (index, entry): (u64, &Entry),
    ) -> Result<(), Unavailable> {
        let message = self.message((index, entry)).await;
        let attempt = standing.attempts.saturating_add(1);
        let delivery = self.send(&message, attempt).await;
        let mut jitter = [0x80];
        if let Err(error) = self.ports.entropy.fill(&mut jitter) {
            tracing::warn!(%error, "a notification's wait carries no jitter");
        }
        let [jitter] = jitter;
        let now = self.ports.clock.now();
        let next = schedule::after(&standing, (index, delivery.ended), (now, jitter));
        if next.next > index && delivery.ended != Ended::Delivered {
            let (endpoint, event) = (&self.spec.name, &delivery.event);
            tracing::error!(endpoint, event, attempt, "a notification is given up");
        }
        self.stand(next, Some(delivery)).await
    }

    /// The message about one record. An invocation that does not read any more must not silence
    /// all that come after it, so what is told then is what the record itself says.
    async fn message(&self, (index, entry): (u64, &Entry)) -> Message {
        let invocation = match &entry.invocation {
            Some(id) => self.ports.store.invocation(id).await,
            None => Ok(None),
        };
        let invocation = invocation.unwrap_or_else(|error| {
            let event = entry.id.as_str();
            tracing::error!(event, %error, "a notification goes out without its call");
            None
        });
        let facts = (self.facts.public_url.as_str(), self.facts.capture);
        Message::of((index, entry), invocation.as_ref(), facts)
    }

    async fn send(&self, message: &Message, attempt: u32) -> Delivery {
        let begun = self.ports.clock.now();
        let to = (&self.spec.address, &self.spec.secrets);
        let heard = sender::send(&self.client, to, message, begun).await;
        Delivery {
            number: 0,
            tenant: self.spec.tenant.clone(),
            endpoint: self.spec.name.clone(),
            event: message.id.clone(),
            kind: message.kind.clone(),
            attempt,
            at: begun,
            took: self.ports.clock.now().since(begun),
            ended: schedule::ended(heard.status),
            status: heard.status,
            error: heard.error,
        }
    }

    /// Writes down where it stands, and only then stands there.
    async fn stand(
        &self,
        standing: Standing,
        delivery: Option<Delivery>,
    ) -> Result<(), Unavailable> {
        let outbox = &self.ports.outbox;
        outbox.note(Some(standing.clone()), delivery).await?;
        self.set(standing);
        Ok(())
    }

    /// Goes on behind records that are not for this endpoint. A few are looked at again after a
    /// restart, which costs less than a write each time.
    async fn pass(&self, standing: Standing, passed: usize) -> Result<(), Unavailable> {
        if passed == PAGE_RECORDS {
            return self.stand(standing, None).await;
        }
        self.set(standing);
        Ok(())
    }

    fn set(&self, standing: Standing) {
        let mut kept = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = standing;
    }

    pub(crate) fn standing(&self) -> Standing {
        let standing = self.standing.lock();
        standing.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        EndpointStatus {
            name: self.spec.name.clone(),
            tenant: self.spec.tenant.clone(),
            url: self.spec.address.shown(),
            events: self
                .spec
                .events
                .iter()
                .map(|glob| glob.as_str().to_owned())
                .collect(),
            standing: self.standing(),
        }
    }

    /// Sends one message once, out of turn, and keeps only that it was sent.
    pub(crate) async fn once(&self, message: &Message) -> Result<Delivery, Unavailable> {
        let delivery = self.send(message, 1).await;
        self.ports.outbox.note(None, Some(delivery.clone())).await?;
        Ok(delivery)
    }

    /// The message about the event of this id, if it is one that this endpoint is told of.
    pub(crate) async fn told(&self, event: &str) -> Result<Message, NoticeError> {
        let nothing = || NoticeError::NoEvent(event.chars().take(64).collect());
        let id: RecordId = event.parse().map_err(|_| nothing())?;
        let record = self.ports.store.record(&id).await?.ok_or_else(nothing)?;
        let (index, entry) = self.wanted(&record).ok_or_else(nothing)?;
        if entry.tenant != self.spec.tenant {
            return Err(nothing());
        }
        Ok(self.message((index, &entry)).await)
    }

    /// Lets a disabled endpoint be told again, and one that waits be tried at once.
    pub(crate) async fn resume(&self) -> Result<(), Unavailable> {
        let standing = Standing {
            attempts: 0,
            refusals: 0,
            due_at: None,
            disabled: None,
            ..self.standing()
        };
        self.stand(standing, None).await?;
        self.woken.notify_one();
        Ok(())
    }
}
