//! All endpoints of one gate: opened from what is configured, each with a courier of its own.
//!
//! An endpoint that is new begins at the end of the record: it is told of what comes, not of what
//! was. One that was there before goes on where it stood.
//!
//! Must not know: where the configuration stands, who spawns the couriers.

use std::collections::BTreeMap;
use std::sync::Arc;

use toolgate_gate::Capture;
use toolgate_gate::outbox::{
    Delivery, DeliveryFilter, EndpointStatus, NoticeError, Notices, Outbox, Standing,
};
use toolgate_gate::port::{BoxFuture, Clock, Entropy, RecordFilter, Store, Unavailable};
use toolgate_model::{Glob, RecordId, TenantId};
use toolgate_signature::SigningSecrets;

use crate::address::Address;
use crate::courier::Courier;
use crate::message::Message;
use crate::sender;

/// Endpoints of one gate.
// LIMIT: sixteen; each is one connection and one read of the log every half second.
pub const ENDPOINTS_MAX: usize = 16;

/// One endpoint as it is configured.
#[derive(Clone)]
pub struct EndpointSpec {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// What signs its messages.
    pub secrets: SigningSecrets,
    /// Which events it is told of.
    pub events: Vec<Glob>,
    /// Whose record.
    pub tenant: TenantId,
}

/// What the edge hands in.
#[derive(Clone)]
pub struct Ports {
    /// The record, and the calls it is about.
    pub store: Arc<dyn Store>,
    /// Where each endpoint stands.
    pub outbox: Arc<dyn Outbox>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes jitter, and ids of tests.
    pub entropy: Arc<dyn Entropy>,
}

/// What messages are made with.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Begins the links in them, without a slash at the end.
    pub public_url: String,
    /// Whether arguments may be in them.
    pub capture: Capture,
}

/// The notifications of one gate.
pub struct Notifier {
    couriers: BTreeMap<String, Arc<Courier>>,
    ports: Ports,
}

impl Notifier {
    /// Reads where each endpoint stands. Of two with one name, the last is the one; the
    /// configuration refuses that before.
    ///
    /// # Errors
    /// [`Unavailable`] where the store or the system's network does not answer.
    pub async fn open(
        specs: Vec<EndpointSpec>,
        (ports, facts): (Ports, Facts),
    ) -> Result<Arc<Self>, Unavailable> {
        let mut couriers = BTreeMap::new();
        let stood = ports.outbox.standings().await?;
        for spec in specs.into_iter().take(ENDPOINTS_MAX) {
            let name = spec.name.clone();
            let secure = spec.address.url().scheme() == "https";
            let client = sender::client(secure).map_err(|detail| Unavailable {
                part: "network",
                detail,
            })?;
            let found = stood.iter().find(|standing| standing.endpoint == name);
            let standing = match found {
                Some(standing) => standing.clone(),
                None => newcomer(&ports, &name).await?,
            };
            let with = (ports.clone(), facts.clone());
            let courier = Courier::new(spec, with, client, standing);
            couriers.insert(name, Arc::new(courier));
        }
        Ok(Arc::new(Self { couriers, ports }))
    }

    /// The couriers, each to be run by whoever owns tasks.
    pub fn couriers(&self) -> impl Iterator<Item = &Arc<Courier>> {
        self.couriers.values()
    }

    fn courier(&self, tenant: &TenantId, name: &str) -> Result<&Arc<Courier>, NoticeError> {
        let found = self.couriers.get(name);
        found
            .filter(|courier| courier.spec.tenant == *tenant)
            .ok_or_else(|| NoticeError::NoEndpoint(name.chars().take(64).collect()))
    }

    async fn send_test(&self, courier: &Courier) -> Result<Delivery, NoticeError> {
        let mut random = [0; 10];
        self.ports.entropy.fill(&mut random)?;
        let now = self.ports.clock.now();
        let id = RecordId::mint(now, random);
        let message = Message::test(id.as_str(), &courier.spec.name, now);
        Ok(courier.once(&message).await?)
    }
}

/// Where a new endpoint begins; kept at once, so that a crash does not make it begin later.
async fn newcomer(ports: &Ports, name: &str) -> Result<Standing, Unavailable> {
    let filter = RecordFilter {
        newest: true,
        limit: 1,
        ..RecordFilter::default()
    };
    let newest = ports.store.records(filter).await?;
    let standing = Standing {
        endpoint: name.to_owned(),
        next: newest.last().map_or(0, |record| record.index + 1),
        attempts: 0,
        refusals: 0,
        due_at: None,
        disabled: None,
    };
    ports.outbox.note(Some(standing.clone()), None).await?;
    Ok(standing)
}

impl Notices for Notifier {
    fn endpoints(&self, tenant: &TenantId) -> Vec<EndpointStatus> {
        self.couriers
            .values()
            .filter(|courier| courier.spec.tenant == *tenant)
            .map(|courier| courier.status())
            .collect()
    }

    fn test<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
    ) -> BoxFuture<'n, Result<Delivery, NoticeError>> {
        Box::pin(async move { self.send_test(self.courier(tenant, endpoint)?).await })
    }

    fn redeliver<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
        event: &'n str,
    ) -> BoxFuture<'n, Result<Delivery, NoticeError>> {
        Box::pin(async move {
            let courier = self.courier(tenant, endpoint)?;
            let message = courier.told(event).await?;
            Ok(courier.once(&message).await?)
        })
    }

    fn resume<'n>(
        &'n self,
        tenant: &'n TenantId,
        endpoint: &'n str,
    ) -> BoxFuture<'n, Result<EndpointStatus, NoticeError>> {
        Box::pin(async move {
            let courier = self.courier(tenant, endpoint)?;
            courier.resume().await?;
            Ok(courier.status())
        })
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Unavailable>> {
        self.ports.outbox.deliveries(filter)
    }
}
