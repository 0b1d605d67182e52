//! A store that is slow or away: nothing is lost, nothing is allowed, and everybody is told.

use axum::http::StatusCode;
use serde_json::json;
use toolgate_model::Duration;
use toolgate_store::faulty::Fault;

use crate::world::World;

/// Turns that other tasks get before a test gives up on them.
const TURNS_MAX: usize = 1_000;

/// Operations of the store until a world stands.
async fn settled() -> u64 {
    World::faulty(Fault::None).await.1.operations()
}

#[tokio::test]
async fn a_caller_who_hangs_up_at_any_moment_leaves_no_call_half_done() {
    let begin = settled().await;
    let (world, store) = World::faulty(Fault::None).await;
    world.call("desk.refund", json!({"amount": 1})).await;
    let operations = store.operations() - begin;
    assert!(operations >= 2, "an admission and an outcome");
    for operation in 1..=operations {
        let held = begin + operation;
        let (world, store) = World::faulty(Fault::Held(held)).await;
        let body = json!({"tool": "desk.refund", "arguments": {"amount": 1}}).to_string();
        let sending = world.post("/v1/invocations").token(&world.agent).body(body);
        let reached = async {
            while store.operations() < held {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = sending.open() => panic!("{operation} is not held"),
            () = reached => {}
        }
        // The request is dropped here, in the middle of that operation.
        store.release();
        let mut ended = json!(null);
        for _ in 0..TURNS_MAX {
            let listed = world
                .get("/v1/invocations")
                .token(&world.agent)
                .await
                .value();
            ended = listed["items"][0]["outcome"].clone();
            if ended == "success" {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(ended, "success", "{operation}");
        let reached = world.desk.reached.lock().unwrap().len();
        assert_eq!(reached, 1, "{operation}: once");
    }
}

#[tokio::test]
async fn a_change_binds_even_if_whoever_made_it_hangs_up() {
    let begin = settled().await;
    let (world, store) = World::faulty(Fault::Held(begin + 1)).await;
    let admin = world.person("agent_admin");
    let sending = world.post("/v1/agents/billing_agent/suspend").token(admin);
    let reached = async {
        while store.operations() <= begin {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = sending.open() => panic!("the commit is held"),
        () = reached => {}
    }
    store.release();
    let mut status = StatusCode::OK;
    for _ in 0..TURNS_MAX {
        status = world.get("/v1/tools").token(&world.agent).await.status;
        if status == StatusCode::UNAUTHORIZED {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_its_store_the_gate_allows_nothing_and_says_so() {
    let begin = settled().await;
    let (world, _) = World::faulty(Fault::DeadBefore(begin + 1)).await;
    // The gate looks the write up again before it answers, so its time must pass.
    let passing = async {
        loop {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let envelope = tokio::select! {
        envelope = world.call("desk.lookup", json!({})) => envelope,
        () = passing => unreachable!("time passes for ever"),
    };
    assert_eq!(envelope["outcome"], "indeterminate", "{envelope}");
    assert!(world.desk.reached.lock().unwrap().is_empty());
    for path in [
        "/v1/invocations",
        "/v1/approvals",
        "/v1/records",
        "/v1/policies",
        "/v1/checkpoints",
        "/v1/export",
        "/v1/keys",
        "/v1/events",
    ] {
        let answer = world.get(path).token(world.person("owner")).await;
        assert_eq!(
            answer.problem(),
            (503, "gate_unavailable".to_owned()),
            "{path}"
        );
        assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        let text = answer.value().to_string();
        assert!(!text.contains("made to fail"), "{path}: no internals");
    }
    let suspend = world.post("/v1/agents/billing_agent/suspend");
    let suspend = suspend.token(world.person("owner")).await;
    assert_eq!(suspend.problem(), (503, "gate_unavailable".to_owned()));
    assert_eq!(
        world.get("/readyz").await.problem(),
        (503, "not_ready".to_owned())
    );
    assert_eq!(
        world.get("/healthz").await.status,
        StatusCode::OK,
        "it lives"
    );
}
