//! A call whose server may talk with its client meanwhile: it travels with the attempt, and the
//! attempt may take longer. And what a server says in an error of the protocol is kept as written.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolgate_driver::Watch;
use toolgate_execution::{State, Status};
use toolgate_gate::peer::{Ask, PEER_WAIT_MAX, Peer, Reply, Round, Unanswered};
use toolgate_gate::port::BoxFuture;
use toolgate_model::{Call, Duration, json::Raw};

use crate::world::{Act, World};

/// A client that can do one thing, and is never asked.
struct Silent(Map<String, Value>);

impl Peer for Silent {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.0
    }

    fn log_level(&self) -> Option<toolgate_gate::ability::Severity> {
        None
    }

    fn given(&self) -> Option<&Map<String, Value>> {
        None
    }

    fn tell(&self, _method: &str, _params: Raw) {}

    fn ask(&self, round: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>> {
        let method = round.requests.first().map(|ask: &Ask| ask.method.clone());
        Box::pin(async move { Err(Unanswered::Undeclared(method.unwrap_or_default())) })
    }

    fn task(&self, _task: Map<String, Value>) {}
}

fn watched(peer: bool) -> Watch {
    let declared = json!({"roots": {}}).as_object().cloned().unwrap();
    let silent: Arc<dyn Peer> = Arc::new(Silent(declared));
    Watch {
        peer: peer.then_some(silent),
        ..Watch::default()
    }
}

async fn after_a_minute(peer: bool) -> (World, Status) {
    let world = World::new().await;
    world.next(Act::HangUntilReleased);
    let call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 100}));
    let submitted = world.driver.submit(&world.agent, call, watched(peer));
    let moved = async {
        while world.reached() == 0 {
            tokio::task::yield_now().await;
        }
        world.settle_tasks().await;
        // The tool's own timeout is twenty seconds.
        world.clock.advance(Duration::from_secs(60));
        world.settle_tasks().await;
        world.tools.release.notify_one();
    };
    let (outcome, ()) = futures_util::future::join(submitted, moved).await;
    let status = outcome.invocation.status();
    (world, status)
}

#[tokio::test]
async fn a_call_with_a_peer_may_wait_for_people_and_one_without_may_not() {
    assert_eq!(after_a_minute(true).await.1, Status::Succeeded);
    assert_eq!(after_a_minute(false).await.1, Status::NeedsOperator);
}

#[tokio::test]
async fn the_lease_lasts_as_long_as_the_attempt_may() {
    let world = World::new().await;
    world.next(Act::Hang);
    let (driver, agent) = (world.driver.clone(), world.agent.clone());
    let call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 100}));
    #[expect(clippy::disallowed_methods, reason = "a caller that is never answered")]
    let caller = tokio::spawn(async move { driver.submit(&agent, call, watched(true)).await });
    while world.reached() == 0 {
        tokio::task::yield_now().await;
    }
    let State::Executing { attempt, .. } = world.only_invocation().await.state else {
        panic!("it runs");
    };
    let longest = attempt.started_at.plus(PEER_WAIT_MAX);
    assert!(
        attempt.lease_until > longest,
        "another node would take it over"
    );
    caller.abort();
}

#[tokio::test]
async fn an_error_of_the_protocol_is_kept_as_its_server_wrote_it() {
    let world = World::new().await;
    let written = r#"{"code":-32021,"message":"no","data":{"z":1e2,"a":1}}"#;
    world.next(Act::Object(written));
    let outcome = world.call("stripe.refund", json!({"amount": 100})).await;
    let stored = world.only_invocation().await;
    for state in [outcome.invocation.state, stored.state] {
        let State::Failed { failure, .. } = state else {
            panic!("{state:?}")
        };
        assert_eq!(failure.error.as_deref(), Some(written));
    }
}
