//! The tasks that one listener follows: it is told of each whenever `tasks/get` would say something
//! else than before, first of how they stand.
//!
//! Every look asks again whether the listener may know of the task. One that has ended is told of a
//! last time.
//!
//! Must not know: how listeners are reached, what tasks are made of.

use futures_util::future::{pending, select_all};
use serde_json::Value;
use toolgate_execution::Status;
use toolgate_gate::port::BoxFuture;

use super::face::{Asked, Face};
use super::limits::{TALK_TICK, WAITING_TICK};
use super::tasks::{detailed, named};

const NOTIFICATION: &str = "notifications/tasks";

/// Tasks that are followed, by whom.
pub(super) struct FollowedTasks<'f> {
    by: Option<(&'f Face, &'f Asked)>,
    tasks: Vec<Followed>,
}

struct Followed {
    id: String,
    status: Option<Status>,
    /// What was told last.
    told: String,
}

impl<'f> FollowedTasks<'f> {
    /// These tasks.
    pub(super) fn new(face: &'f Face, asked: &'f Asked, ids: Vec<String>) -> Self {
        let followed = |id| Followed {
            id,
            status: None,
            told: String::new(),
        };
        Self {
            by: Some((face, asked)),
            tasks: ids.into_iter().map(followed).collect(),
        }
    }

    /// None at all.
    pub(super) const fn none() -> Self {
        Self {
            by: None,
            tasks: Vec::new(),
        }
    }

    /// How the next task stands of which there is news, as JSON text. Whoever stops waiting for it
    /// loses nothing.
    pub(super) async fn next(&mut self) -> String {
        loop {
            if let Some(news) = self.look().await {
                return news;
            }
            self.wait().await;
        }
    }

    async fn look(&mut self) -> Option<String> {
        let (face, asked) = self.by?;
        let mut at = 0;
        while let Some(task) = self.tasks.get_mut(at) {
            let Ok(invocation) = named(face, asked, &task.id).await else {
                self.tasks.remove(at);
                continue;
            };
            let status = invocation.status();
            task.status = Some(status);
            let says = detailed(face, asked, invocation, None).ok()?;
            if says != task.told {
                task.told.clone_from(&says);
                return Some(says);
            }
            if status.is_terminal() {
                self.tasks.remove(at);
            } else {
                at += 1;
            }
        }
        None
    }

    /// Waits until there may be news: the driver says when a call ends; what is said in the middle
    /// of one, and what a person finds out, is looked for now and then.
    async fn wait(&self) {
        let Some((face, _)) = self.by.filter(|_| !self.tasks.is_empty()) else {
            return pending().await;
        };
        let driver = &face.api.driver;
        let ids = self.tasks.iter().filter_map(|task| task.id.parse().ok());
        let talks = ids.clone().any(|id| face.conversations.of(&id).is_some());
        let until = driver
            .now()
            .plus(if talks { TALK_TICK } else { WAITING_TICK });
        let alarm: BoxFuture<'_, ()> = driver.clock().sleep_until(until);
        let waits = self.tasks.iter().filter_map(|task| {
            let id = task.id.parse().ok()?;
            (task.status != Some(Status::NeedsOperator)).then(|| {
                let wait: BoxFuture<'_, ()> = Box::pin(async move {
                    let _state = driver.wait(&id, until).await;
                });
                wait
            })
        });
        select_all(waits.chain([alarm])).await;
    }
}

/// A notification that a task stands so.
pub(super) fn notification(task: &str, meta: &Value) -> String {
    let open = task.strip_suffix('}').unwrap_or(task);
    format!(r#"{{"jsonrpc":"2.0","method":"{NOTIFICATION}","params":{open},"_meta":{meta}}}}}"#)
}
