//! Following a resource: being told that it was updated.
//!
//! Whoever follows a resource may read it: the decision on `resources/read` is asked for before
//! anything is followed, and again before anything is told, so that what a policy closes goes
//! silent. Nothing is recorded of that, for nothing is read.
//!
//! Must not know: how listeners are reached, how anything is fetched.

use std::sync::Arc;

use serde_json::json;
use toolgate_driver::{Driver, Outcome, Watch};
use toolgate_gate::port::Following;
use toolgate_model::{Call, Identity, Method, Mode, Verdict};

use super::call::renderer;
use super::face::{Asked, Face};
use super::message::RpcError;
use super::methods::{several, text};
use super::naming::wrapped;
use super::offers::{Lead, Offers, Place};
use super::render::unknown_resource;
use super::updates::Updates;

/// Serves `resources/subscribe` of a session.
pub(super) async fn subscribe(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let uri = text(&asked.request.params, "uri")?;
    let attention = asked.attention().ok_or_else(RpcError::defect)?;
    let following = follow(face, asked, uri, &attention.updates).await?;
    attention.follow(uri, following)?;
    Ok("{}".to_owned())
}

/// Serves `resources/unsubscribe` of a session. What is not followed is not followed afterwards.
pub(super) fn unsubscribe(asked: &Asked) -> Result<String, RpcError> {
    let uri = text(&asked.request.params, "uri")?;
    if let Some(attention) = asked.attention() {
        attention.leave(uri);
    }
    Ok("{}".to_owned())
}

/// Has `updates` told of this resource, by the URI that clients know, until what is returned is
/// dropped.
pub(super) async fn follow(
    face: &Face,
    asked: &Asked,
    uri: &str,
    updates: &Arc<Updates>,
) -> Result<Following, RpcError> {
    let driver = &face.api.driver;
    let place = match lead(driver, &asked.identity, uri) {
        Lead::Known(place) => place,
        Lead::Hidden(_) | Lead::Nowhere => return Err(unknown_resource(uri, None)),
        Lead::Several(ways) => return Err(several(uri, &ways)),
    };
    let read = reading(driver, &asked.identity, &place).await;
    let read = read.ok_or_else(RpcError::defect)?;
    if !allows(&read) {
        let refused = renderer(face, asked).answer(&read, Method::ReadResource);
        return Err(refused.err().unwrap_or_else(RpcError::defect));
    }
    let (source, configuration) = (place.source.clone(), driver.configuration());
    let offer = configuration.catalogue.offers().get(&source);
    let bare = offer.is_some_and(|offer| offer.bare);
    let (own, asked_for) = (place.name.clone(), uri.to_owned());
    // Parts of what is followed are told of under their own names.
    let named = move |uri: &str| match uri == own {
        true => asked_for.clone(),
        false => wrapped((&source, bare), uri),
    };
    let told = updates.sink(uri, named);
    let following = driver.tools().follow(&place.source, &place.name, told);
    following.ok_or_else(|| {
        let message = format!("the source `{}` does not tell of updates", place.source);
        RpcError::method_unsupported(message)
    })
}

/// Whether this identity may be told of the resource now.
pub(super) async fn may_follow(driver: &Arc<Driver>, identity: &Identity, uri: &str) -> bool {
    match lead(driver, identity, uri) {
        Lead::Known(place) => {
            let read = reading(driver, identity, &place).await;
            read.as_ref().is_some_and(allows)
        }
        Lead::Hidden(_) | Lead::Nowhere | Lead::Several(_) => false,
    }
}

fn lead(driver: &Driver, identity: &Identity, uri: &str) -> Lead {
    let (configuration, now) = (driver.configuration(), driver.now());
    Offers::new(&configuration, identity, now).resource(uri)
}

/// What reading it would get.
async fn reading(driver: &Arc<Driver>, identity: &Identity, place: &Place) -> Option<Outcome> {
    let tool = place.tool(Method::ReadResource)?;
    let call = Call {
        mode: Mode::Simulate,
        ..Call::new(tool, json!({"uri": place.name}))
    };
    Some(driver.submit(identity, call, Watch::default()).await)
}

fn allows(read: &Outcome) -> bool {
    let verdict = read.invocation.proposal.decision.verdict;
    matches!(verdict, Verdict::Allow | Verdict::Sanitize)
}
