//! What telling the world about the record needs of the edge, and what it offers to faces.
//!
//! The record itself is the outbox: an [`Outbox`] keeps only how far each endpoint has got in it,
//! and a bounded log of what was sent. After a crash an endpoint goes on where it stood, so every
//! event reaches it at least once. [`Notices`] is what people see of that and may ask for.
//!
//! Must not know: how anything is sent, what it says, who reads it.

use serde::{Deserialize, Serialize};
use toolgate_model::{Duration, TenantId, Timestamp};

use crate::port::{BoxFuture, Unavailable};

/// Attempts that the delivery log holds; the oldest ones go first.
// LIMIT: 10,000, a few megabytes; the record itself says for ever what there was to tell.
pub const DELIVERIES_KEPT_MAX: u64 = 10_000;

/// How far one endpoint has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name in the configuration.
    pub endpoint: String,
    /// The first record that it has not been told of, or that was not for it.
    pub next: u64,
    /// How often the event at hand was tried.
    pub attempts: u32,
    /// How many of these attempts the endpoint answered and refused.
    pub refusals: u32,
    /// Not before this instant again.
    pub due_at: Option<Timestamp>,
    /// Why nothing is sent to it any more, until a person says otherwise.
    pub disabled: Option<String>,
}

/// One attempt to tell one endpoint of one event. Never holds a secret or a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the delivery log, from 1; given by the store.
    pub number: u64,
    /// Whose endpoint it is.
    pub tenant: TenantId,
    /// The endpoint.
    pub endpoint: String,
    /// The event: a record's id, or that of a test.
    pub event: String,
    /// What happened: `approval.requested`.
    pub kind: String,
    /// Which attempt at this event, from 1.
    pub attempt: u32,
    /// When it was begun.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub ended: Ended,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The endpoint took it.
    Delivered,
    /// The endpoint answered and did not take it.
    Refused,
    /// The endpoint is away or busy.
    Away,
    /// The endpoint is gone for good, and disabled.
    Gone,
}

/// Which attempts to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of which tenant.
    pub tenant: Option<TenantId>,
    /// To which endpoint.
    pub endpoint: Option<String>,
    /// Older than this one.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

/// Keeps where each endpoint stands, and what was sent.
pub trait Outbox: Send + Sync {
    /// Reads where every endpoint stands that ever stood anywhere, by name.
    fn standings(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>>;

    /// Writes both in one transaction: where an endpoint stands now, and the attempt that brought
    /// it there. The attempt's number is given here; of more than [`DELIVERIES_KEPT_MAX`] the
    /// oldest are forgotten.
    fn note(
        &self,
        standing: Option<Standing>,
        delivery: Option<Delivery>,
    ) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// Lists attempts, newest first.
    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Unavailable>>;
}

/// One endpoint as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// Whose record it is told of.
    pub tenant: TenantId,
    /// Where it is: scheme, host and path, without what may be a secret in the query.
    pub url: String,
    /// Which events it is told of.
    pub events: Vec<String>,
    /// How far it has got.
    pub standing: Standing,
}

/// Why something asked of an endpoint was not done.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoticeError {
    /// There is no such endpoint, or not for this tenant.
    #[error("there is no endpoint `{0}` in the configuration")]
    NoEndpoint(String),
    /// There is no such event for this endpoint.
    #[error("there is no event `{0}` that this endpoint is told of")]
    NoEvent(String),
    /// The store or the system does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What faces may ask of the notifications.
pub trait Notices: Send + Sync {
    /// The endpoints of one tenant, by name.
    fn endpoints(&self, tenant: &TenantId) -> Vec<EndpointStatus>;

    /// Sends a test event to an endpoint once, and says how that ended.
    fn test<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
    ) -> BoxFuture<'n, Result<Delivery, NoticeError>>;

    /// Sends one event of the record again, once and out of turn.
    fn redeliver<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
        event: &'n str,
    ) -> BoxFuture<'n, Result<Delivery, NoticeError>>;

    /// Lets a disabled endpoint be told again, or one that waits be tried at once.
    fn resume<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
    ) -> BoxFuture<'n, Result<EndpointStatus, NoticeError>>;

    /// Lists attempts, newest first.
    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Unavailable>>;
}
