//! What a server tells unasked, and who wants to hear it.
//!
//! *My list of prompts changed* raises a flag, upon which the source lists again. *The resource
//! `file:///a` was updated* goes to each of those who follow `file:///a`; as long as there is one,
//! the source keeps a subscription of that URI at its server, over all reconnects. A follower that
//! leaves is forgotten at once, and with the last one of a URI its subscription ends.
//!
//! Must not know: eras, how a subscription is asked for (that is [`crate::subscribe`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, watch};
use toolgate_gate::port::{Following, ResourceSink};
use toolgate_model::{Announced, json::Raw};

use crate::message;

/// LIMIT: resources of one source that are followed at once, each a subscription at its server.
pub(crate) const FOLLOWED_MAX: usize = 1_000;
/// LIMIT: followers of one source: each front session may follow what others follow too.
const FOLLOWERS_MAX: usize = 10_000;
/// LIMIT: acknowledgements that are remembered; older streams than these are long over.
const ACKNOWLEDGED_MAX: usize = 1_000;
/// LIMIT: longer ones are no URIs that anybody lists.
const URI_BYTES_MAX: usize = 8 << 10;

/// What the server of one source tells unasked. Shared by all conversations with it.
pub(crate) struct News {
    /// Raised when the server says that a list of its changed, and when it is to be listed anew.
    pub(crate) changed: Notify,
    announced: Mutex<Announced>,
    followers: Mutex<BTreeMap<Arc<str>, BTreeMap<u64, ResourceSink>>>,
    next: AtomicU64,
    /// Which URIs somebody follows.
    followed: watch::Sender<BTreeSet<Arc<str>>>,
    /// The streams of notifications that the server acknowledged, by the request's number.
    acknowledged: watch::Sender<BTreeSet<u64>>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            changed: Notify::new(),
            announced: Mutex::default(),
            followers: Mutex::default(),
            next: AtomicU64::default(),
            followed: watch::Sender::new(BTreeSet::new()),
            acknowledged: watch::Sender::new(BTreeSet::new()),
        }
    }
}

/// That somebody follows a resource.
struct Follower {
    news: Arc<News>,
    uri: Arc<str>,
    number: u64,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followers = self.news.lock();
        let Some(of_uri) = followers.get_mut(&self.uri) else {
            return;
        };
        of_uri.remove(&self.number);
        if of_uri.is_empty() {
            followers.remove(&self.uri);
            self.news.publish(&followers);
        }
    }
}

#[derive(Deserialize)]
struct Updated {
    uri: String,
}

impl News {
    /// Takes a notification; `false` where it is none of those that are used here.
    pub(crate) fn heard(&self, method: &str, params: Option<&Raw>) -> bool {
        match method {
            "notifications/tools/list_changed" => self.announce(|all| &mut all.tools),
            "notifications/prompts/list_changed" => self.announce(|all| &mut all.prompts),
            "notifications/resources/list_changed" => self.announce(|all| &mut all.resources),
            "notifications/resources/updated" => {
                if let Some(params) = params {
                    self.updated(params);
                }
            }
            "notifications/subscriptions/acknowledged" => {
                if let Some(stream) = params.and_then(subscription) {
                    self.acknowledge(stream);
                }
            }
            _ => return false,
        }
        true
    }

    /// How often each list was said to have changed.
    pub(crate) fn announced(&self) -> Announced {
        *self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, list: impl Fn(&mut Announced) -> &mut u64) {
        {
            let mut all = self
                .announced
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = list(&mut all);
            *count = count.saturating_add(1);
        }
        self.changed.notify_one();
    }

    /// Who follows exactly this URI is told. A server may tell of parts of what was subscribed,
    /// which the followers were never allowed to read: those updates are nobody's.
    fn updated(&self, params: &Raw) {
        let Ok(Updated { uri }) = serde_json::from_str(params.get()) else {
            return;
        };
        let sinks: Vec<ResourceSink> = {
            let followers = self.lock();
            let of_uri = followers.get(uri.as_str());
            of_uri
                .into_iter()
                .flat_map(|all| all.values().cloned())
                .collect()
        };
        for sink in sinks {
            sink(params.clone());
        }
    }

    /// Something may have been missed: everybody is told that theirs was updated, which at worst
    /// makes them read once more.
    pub(crate) fn missed(&self) {
        let all: Vec<(Arc<str>, ResourceSink)> = {
            let followers = self.lock();
            let of_uri = |(uri, all): (&Arc<str>, &BTreeMap<u64, ResourceSink>)| {
                let uri = Arc::clone(uri);
                let named = all.values().cloned();
                named
                    .map(move |sink| (Arc::clone(&uri), sink))
                    .collect::<Vec<_>>()
            };
            followers.iter().flat_map(of_uri).collect()
        };
        for (uri, sink) in all {
            sink(message::raw(&json!({"uri": &*uri})));
        }
    }

    /// Has `told` called with each update of this resource until what is returned is dropped;
    /// none beyond the limits.
    pub(crate) fn follow(self: &Arc<Self>, uri: &str, told: ResourceSink) -> Option<Following> {
        if uri.is_empty() || uri.len() > URI_BYTES_MAX {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut followers = self.lock();
        let count: usize = followers.values().map(BTreeMap::len).sum();
        let known = followers.contains_key(uri);
        if count >= FOLLOWERS_MAX || (!known && followers.len() >= FOLLOWED_MAX) {
            return None;
        }
        let uri: Arc<str> = uri.into();
        followers
            .entry(Arc::clone(&uri))
            .or_default()
            .insert(number, told);
        if !known {
            self.publish(&followers);
        }
        drop(followers);
        Some(Box::new(Follower {
            news: Arc::clone(self),
            uri,
            number,
        }))
    }

    /// The URIs that somebody follows, and each change of them.
    pub(crate) fn followed(&self) -> watch::Receiver<BTreeSet<Arc<str>>> {
        self.followed.subscribe()
    }

    /// Resolves once the server acknowledged this stream of notifications.
    pub(crate) async fn acknowledged(&self, stream: u64) {
        let mut seen = self.acknowledged.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = seen.wait_for(|all| all.contains(&stream)).await;
    }

    /// A conversation begins: its streams are numbered anew.
    pub(crate) fn begin(&self) {
        self.acknowledged.send_modify(BTreeSet::clear);
    }

    fn acknowledge(&self, stream: u64) {
        self.acknowledged.send_modify(|all| {
            all.insert(stream);
            if all.len() > ACKNOWLEDGED_MAX {
                all.pop_first();
            }
        });
    }

    fn publish(&self, followers: &BTreeMap<Arc<str>, BTreeMap<u64, ResourceSink>>) {
        self.followed
            .send_replace(followers.keys().cloned().collect());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, BTreeMap<u64, ResourceSink>>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream that a notification came on, as it says itself.
fn subscription(params: &Raw) -> Option<u64> {
    #[derive(Deserialize)]
    struct Marked {
        #[serde(rename = "_meta")]
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
        subscription: u64,
    }
    let marked: Marked = serde_json::from_str(params.get()).ok()?;
    Some(marked.meta.subscription)
}

#[cfg(test)]
mod tests {
    use super::News;
    use crate::message::raw;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use toolgate_gate::port::ResourceSink;

    type Told = Arc<Mutex<Vec<String>>>;

    fn sink() -> (ResourceSink, Told) {
        let told = Told::default();
        let seen = Arc::clone(&told);
        let sink: ResourceSink = Arc::new(move |params| {
            seen.lock().unwrap().push(params.get().to_owned());
        });
        (sink, told)
    }

    fn tell(news: &News, params: &Value) {
        assert!(news.heard("notifications/resources/updated", Some(&raw(params))));
    }

    #[test]
    fn an_update_reaches_every_follower_of_its_uri_and_nobody_else() {
        let news = Arc::new(News::default());
        let ((one, of_one), (two, of_two), (other, of_other)) = (sink(), sink(), sink());
        let first = news.follow("a:1", one).unwrap();
        let _second = news.follow("a:1", two).unwrap();
        let _other = news.follow("a:1/part", other).unwrap();
        let update = json!({"uri": "a:1", "x": 1.50});
        tell(&news, &update);
        drop(first);
        tell(&news, &update);
        for nonsense in [json!({}), json!({"uri": 7}), json!([])] {
            tell(&news, &nonsense);
        }
        assert_eq!(*of_one.lock().unwrap(), [update.to_string()]);
        assert_eq!(of_two.lock().unwrap().len(), 2);
        assert!(of_other.lock().unwrap().is_empty());
    }

    #[test]
    fn a_uri_is_followed_from_its_first_follower_to_its_last() {
        let news = Arc::new(News::default());
        let mut seen = news.followed();
        let shown = |seen: &mut tokio::sync::watch::Receiver<_>| {
            let all: &std::collections::BTreeSet<Arc<str>> = &seen.borrow_and_update();
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let one = news.follow("a:1", sink().0).unwrap();
        assert_eq!(shown(&mut seen), ["a:1"]);
        let two = news.follow("a:1", sink().0).unwrap();
        assert!(
            !seen.has_changed().unwrap(),
            "the second one changes nothing"
        );
        drop(one);
        assert!(!seen.has_changed().unwrap());
        drop(two);
        assert_eq!(shown(&mut seen), [""; 0]);
    }

    #[test]
    fn followers_are_bounded() {
        let news = Arc::new(News::default());
        let all: Vec<_> = (0..super::FOLLOWED_MAX)
            .map(|n| news.follow(&format!("a:{n}"), sink().0).unwrap())
            .collect();
        assert!(news.follow("a:one-more", sink().0).is_none());
        assert!(
            news.follow("a:0", sink().0).is_some(),
            "it is subscribed already"
        );
        drop(all);
        assert!(news.follow("a:one-more", sink().0).is_some());
        assert!(news.follow(&"x".repeat(9_000), sink().0).is_none());
        assert!(news.follow("", sink().0).is_none());
    }

    #[tokio::test]
    async fn a_stream_stands_once_it_is_acknowledged_and_in_its_own_conversation_only() {
        let news = News::default();
        let acknowledge = |stream: Value| {
            let meta = json!({"io.modelcontextprotocol/subscriptionId": stream});
            let params = raw(&json!({ "_meta": meta }));
            assert!(news.heard("notifications/subscriptions/acknowledged", Some(&params)));
        };
        let stands = async |stream: u64| {
            tokio::select! {
                biased;
                () = news.acknowledged(stream) => true,
                () = std::future::ready(()) => false,
            }
        };
        for stream in [json!(7), json!(8), json!("9"), json!(null)] {
            acknowledge(stream);
        }
        // One acknowledgement does not hide another.
        assert!(stands(7).await && stands(8).await && !stands(9).await);
        news.begin();
        assert!(!stands(7).await);
        for stream in 0..2_000 {
            acknowledge(json!(stream));
        }
        assert!(stands(1_999).await && !stands(999).await && stands(1_000).await);
    }

    #[test]
    fn after_a_gap_everybody_reads_again() {
        let news = Arc::new(News::default());
        let (one, of_one) = sink();
        let _following = news.follow("a:1", one).unwrap();
        news.missed();
        assert_eq!(*of_one.lock().unwrap(), [r#"{"uri":"a:1"}"#]);
    }
}
