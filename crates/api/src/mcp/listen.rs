//! Streams of changes: `subscriptions/listen` in the modern era, a stream of its own in the legacy.
//!
//! The modern one begins with an acknowledgement that says what will be told, and everything on it
//! carries the id of the request that opened it. Only changes of the list of tools are told.
//!
//! Must not know: transports.

use futures_util::future::{Either, select};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use toolgate_model::Identity;

use super::era::SUBSCRIPTION_KEY;
use super::face::{Asked, Face};
use super::load::{Kind, Ticket};
use super::message::{RpcError, notification};
use super::tasks;
use super::work::{Outgoing, Outlet};

const LIST_CHANGED: &str = "notifications/tools/list_changed";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const TOOLS: &str = "toolsListChanged";
const TASKS: &str = "taskIds";

/// Serves `subscriptions/listen` until the client or the gate ends it.
pub(super) async fn listen(
    face: &Face,
    asked: &Asked,
    outlet: &Outlet,
) -> Result<String, RpcError> {
    let Some(Value::Object(wanted)) = asked.request.params.get("notifications") else {
        let message = "`notifications` must be an object that names what to be told";
        return Err(RpcError::invalid_params(message));
    };
    if wanted.contains_key(TASKS) {
        // Tasks are polled; nobody is told of them unasked.
        tasks::require(asked)?;
    }
    let _ticket = enter(face, &asked.identity)?;
    let mut agreed = Map::new();
    if wanted.get(TOOLS) == Some(&Value::Bool(true)) {
        agreed.insert(TOOLS.to_owned(), true.into());
    }
    let meta = json!({SUBSCRIPTION_KEY: asked.request.id});
    let mut changes = Follower::new(face, &asked.identity);
    let acknowledged = json!({"_meta": meta, "notifications": agreed});
    let first = Outgoing::Notification(notification(ACKNOWLEDGED, &acknowledged));
    if outlet.say(first).await {
        if agreed.is_empty() {
            changes.wait(&asked.cancelled, &asked.ends).await;
        } else {
            changes
                .tell(
                    outlet,
                    &json!({"_meta": meta}),
                    (&asked.cancelled, &asked.ends),
                )
                .await;
        }
    }
    Ok(json!({"resultType": "complete", "_meta": meta}).to_string())
}

/// Room for one more change stream of this credential.
pub(super) fn enter(face: &Face, identity: &Identity) -> Result<Ticket, RpcError> {
    face.load.enter(&identity.credential.id, Kind::Subscription)
}

/// Tells one listener of changes.
pub(super) struct Follower {
    listener: super::changes::Listener,
}

impl Follower {
    /// Begins with what the identity can see now.
    pub(super) fn new(face: &Face, identity: &Identity) -> Self {
        let presence = face.options.presence;
        Self {
            listener: face.changes.listen(&face.api.driver, identity, presence),
        }
    }

    /// Tells of each change until either token is cancelled, the listener is gone, or its
    /// credential does not stand any more.
    pub(super) async fn tell(
        &mut self,
        outlet: &Outlet,
        params: &Value,
        (cancelled, ends): (&CancellationToken, &CancellationToken),
    ) {
        loop {
            let over = over(cancelled, ends);
            let changed = Box::pin(self.listener.changed());
            match select(changed, Box::pin(over)).await {
                Either::Left((Some(()), _)) => {
                    let message = Outgoing::Notification(notification(LIST_CHANGED, params));
                    if !outlet.say(message).await {
                        return;
                    }
                }
                Either::Left((None, _)) | Either::Right(_) => return,
            }
        }
    }

    async fn wait(&mut self, cancelled: &CancellationToken, ends: &CancellationToken) {
        over(cancelled, ends).await;
    }
}

/// Resolves when either token is cancelled.
pub(super) async fn over(cancelled: &CancellationToken, ends: &CancellationToken) {
    let (cancelled, ends) = (Box::pin(cancelled.cancelled()), Box::pin(ends.cancelled()));
    select(cancelled, ends).await;
}
