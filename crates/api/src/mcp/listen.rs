//! Streams of changes: `subscriptions/listen` in the modern era, a stream of its own in the legacy.
//!
//! ```text
//! {"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["file:///a.txt"]}}
//! ```
//!
//! The modern one begins with an acknowledgement that says what will be told, and everything on it
//! carries the id of the request that opened it. What somebody may not hear of is left out of it.
//!
//! Must not know: transports, where changes come from.

use std::sync::Arc;

use futures_util::future::{Either, select};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use toolgate_driver::Driver;
use toolgate_gate::port::Following;
use toolgate_model::Identity;

use super::changes::{List, Listener};
use super::era::SUBSCRIPTION_KEY;
use super::face::{Asked, Face};
use super::follow::{follow, may_follow};
use super::followed_tasks::{self, FollowedTasks};
use super::limits::{RESOURCES_FOLLOWED_MAX, TASKS_FOLLOWED_MAX};
use super::load::{Kind, Ticket};
use super::message::{RpcError, notification};
use super::relay::is_own;
use super::tasks;
use super::updates::{Update, Updates};
use super::work::{Outgoing, Outlet};

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const UPDATED: &str = "notifications/resources/updated";
const RESOURCES: &str = "resourceSubscriptions";
const TASKS: &str = "taskIds";

/// What a listener of the modern era is told of.
struct Agreed {
    lists: Vec<List>,
    resources: Vec<(String, Following)>,
    tasks: Vec<String>,
}

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
    let _ticket = enter(face, &asked.identity)?;
    let updates = Arc::new(Updates::default());
    let mut follower = Follower::of(face, &asked.identity, updates.clone());
    let agreed = Agreed::on(face, asked, wanted, &updates).await?;
    let meta = json!({SUBSCRIPTION_KEY: asked.request.id});
    let acknowledged = json!({"_meta": meta, "notifications": agreed.shown()});
    let first = Outgoing::Notification(notification(ACKNOWLEDGED, &acknowledged));
    if outlet.say(first).await {
        follower.lists.clone_from(&agreed.lists);
        let followed = FollowedTasks::new(face, asked, agreed.tasks.clone());
        let ends = (&asked.cancelled, &asked.ends);
        follower.tell_all((outlet, &meta), followed, ends).await;
    }
    Ok(json!({"resultType": "complete", "_meta": meta}).to_string())
}

/// Room for one more change stream of this credential.
pub(super) fn enter(face: &Face, identity: &Identity) -> Result<Ticket, RpcError> {
    face.load.enter(&identity.credential.id, Kind::Subscription)
}

impl Agreed {
    /// What of the wanted is told.
    async fn on(
        face: &Face,
        asked: &Asked,
        wanted: &Map<String, Value>,
        updates: &Arc<Updates>,
    ) -> Result<Self, RpcError> {
        let listed = |list: &List| wanted.get(list.filter()) == Some(&Value::Bool(true));
        let mut resources = Vec::new();
        for uri in texts(wanted, RESOURCES, RESOURCES_FOLLOWED_MAX)? {
            if let Ok(following) = follow(face, asked, uri, updates).await {
                resources.push((uri.to_owned(), following));
            }
        }
        let mut tasks = Vec::new();
        if wanted.contains_key(TASKS) {
            tasks::require(asked)?;
        }
        for id in texts(wanted, TASKS, TASKS_FOLLOWED_MAX)? {
            if tasks::named(face, asked, id).await.is_ok() {
                tasks.push(id.to_owned());
            }
        }
        Ok(Self {
            lists: List::ALL.into_iter().filter(listed).collect(),
            resources,
            tasks,
        })
    }

    fn shown(&self) -> Map<String, Value> {
        let lists = self.lists.iter();
        let mut shown: Map<String, Value> = lists
            .map(|list| (list.filter().to_owned(), true.into()))
            .collect();
        if !self.resources.is_empty() {
            let uris: Vec<&str> = self.resources.iter().map(|(uri, _)| uri.as_str()).collect();
            shown.insert(RESOURCES.to_owned(), uris.into());
        }
        if !self.tasks.is_empty() {
            shown.insert(TASKS.to_owned(), self.tasks.clone().into());
        }
        shown
    }
}

/// The texts of a list that may be left out.
fn texts<'w>(
    wanted: &'w Map<String, Value>,
    key: &str,
    max: usize,
) -> Result<Vec<&'w str>, RpcError> {
    let wrong = || {
        RpcError::invalid_params(format!(
            "`notifications.{key}` must be a list of texts, {max} at most"
        ))
    };
    let items = match wanted.get(key) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= max => items,
        Some(_) => return Err(wrong()),
    };
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    texts.ok_or_else(wrong)
}

/// Tells one listener of changes.
pub(super) struct Follower {
    driver: Arc<Driver>,
    listener: Listener,
    /// Which lists it is told of.
    lists: Vec<List>,
    updates: Arc<Updates>,
}

/// Something to tell.
enum News {
    Lists(Vec<List>),
    Update(Update),
    /// The parameters of a notification about a task, as JSON text.
    Task(String),
    /// There will be none.
    Over,
}

impl Follower {
    /// Begins with what the identity can see now. It tells of all lists, and of `updates`.
    pub(super) fn of(face: &Face, identity: &Identity, updates: Arc<Updates>) -> Self {
        let presence = face.options.presence;
        Self {
            driver: face.api.driver.clone(),
            listener: face.changes.listen(&face.api.driver, identity, presence),
            lists: List::ALL.to_vec(),
            updates,
        }
    }

    /// Tells of each change in a session until either token is cancelled, the listener is gone, or
    /// its credential does not stand any more.
    pub(super) async fn tell(
        &mut self,
        outlet: &Outlet,
        ends: (&CancellationToken, &CancellationToken),
    ) {
        let nothing = Value::Null;
        self.tell_all((outlet, &nothing), FollowedTasks::none(), ends)
            .await;
    }

    /// The same, with what each notification carries in `_meta`, and with tasks.
    async fn tell_all(
        &mut self,
        (outlet, meta): (&Outlet, &Value),
        mut tasks: FollowedTasks<'_>,
        (cancelled, ends): (&CancellationToken, &CancellationToken),
    ) {
        loop {
            let news = Box::pin(self.news(&mut tasks));
            let news = match select(news, Box::pin(over(cancelled, ends))).await {
                Either::Left((news, _)) => news,
                Either::Right(_) => return,
            };
            let Some(messages) = self.messages(news, meta).await else {
                return;
            };
            for message in messages {
                if !outlet.say(Outgoing::Notification(message)).await {
                    return;
                }
            }
        }
    }

    async fn news(&mut self, tasks: &mut FollowedTasks<'_>) -> News {
        let lists = Box::pin(self.listener.changed());
        let updates = Box::pin(self.updates.next());
        let rest = Box::pin(select(updates, Box::pin(tasks.next())));
        match select(lists, rest).await {
            Either::Left((lists, _)) => lists.map_or(News::Over, News::Lists),
            Either::Right((Either::Left((update, _)), _)) => News::Update(update),
            Either::Right((Either::Right((task, _)), _)) => News::Task(task),
        }
    }

    /// What is said of it; none once the credential does not stand any more.
    async fn messages(&self, news: News, meta: &Value) -> Option<Vec<String>> {
        Some(match news {
            News::Over => return None,
            News::Lists(changed) => {
                let told = changed.into_iter().filter(|list| self.lists.contains(list));
                let params = marked(Map::new(), meta);
                told.map(|list| notification(list.notification(), &params))
                    .collect()
            }
            News::Update(update) => {
                let identity = self.listener.standing()?;
                if !may_follow(&self.driver, &identity, &update.followed).await {
                    return Some(Vec::new());
                }
                vec![notification(UPDATED, &marked(update.params, meta))]
            }
            News::Task(params) => vec![followed_tasks::notification(&params, meta)],
        })
    }
}

/// The parameters with what the notification carries in `_meta`, and with nothing there that only
/// the gate may say.
fn marked(mut params: Map<String, Value>, meta: &Value) -> Value {
    let mut kept = match params.shift_remove("_meta") {
        Some(Value::Object(given)) => given,
        _ => Map::new(),
    };
    kept.retain(|key, _| key != SUBSCRIPTION_KEY && !is_own(key));
    kept.extend(meta.as_object().cloned().unwrap_or_default());
    if !kept.is_empty() {
        params.insert("_meta".to_owned(), kept.into());
    }
    params.into()
}

/// Resolves when either token is cancelled.
pub(super) async fn over(cancelled: &CancellationToken, ends: &CancellationToken) {
    let (cancelled, ends) = (Box::pin(cancelled.cancelled()), Box::pin(ends.cancelled()));
    select(cancelled, ends).await;
}
