//! A store that makes a write and says that it failed: what the caller hears must still be true.
//!
//! Every operation of the store during one call is made to fail in turn, before it is done and
//! after. Whoever heard a denial has no effect, now and after a restart; and an admission that was
//! never confirmed ends unsent instead of being in doubt.

use std::sync::Arc;

use serde_json::json;
use toolgate_driver::Outcome;
use toolgate_execution::Status;
use toolgate_gate::Settings;
use toolgate_gate::port::{InvocationFilter, Store};
use toolgate_model::{Call, Duration};
use toolgate_record::Signer;
use toolgate_store::MemoryStore;
use toolgate_store::faulty::{Fault, FaultyStore};

use crate::world::{HandClock, World};

async fn world(fault: Fault) -> (World, Arc<FaultyStore>) {
    let clock = Arc::new(HandClock::default());
    clock.advance(Duration::from_secs(1_000_000));
    let signer = Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new(signer, clock.clone()));
    let faulty = Arc::new(FaultyStore::new(inner, fault));
    let store: Arc<dyn Store> = faulty.clone();
    (World::on(store, clock, Settings::default()).await, faulty)
}

/// Which operations one call makes, counted from 1.
async fn operations(amount: u32) -> std::ops::RangeInclusive<u64> {
    let (world, store) = world(Fault::None).await;
    let before = store.operations();
    world.call("stripe.refund", json!({"amount": amount})).await;
    before + 1..=store.operations()
}

async fn call_with(fault: Fault, amount: u32) -> (World, Outcome) {
    let (world, _) = world(fault).await;
    let outcome = called(&world, amount).await;
    world.driver.recover().await.unwrap();
    world.settle_tasks().await;
    (world, outcome)
}

/// What the call comes to, with time passing as long as it waits.
async fn called(world: &World, amount: u32) -> Outcome {
    let tool = "stripe.refund".parse().unwrap();
    let call = world.start(Call::new(tool, json!({"amount": amount})));
    for _ in 0..200 {
        world.settle_tasks().await;
        if call.is_finished() {
            break;
        }
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(call.is_finished(), "the call waits for ever");
    call.await.unwrap()
}

async fn statuses(world: &World) -> Vec<Status> {
    let filter = InvocationFilter {
        limit: 9,
        ..InvocationFilter::default()
    };
    let all = world.store.invocations(filter).await.unwrap();
    all.iter()
        .map(toolgate_execution::Invocation::status)
        .collect()
}

#[tokio::test]
async fn whoever_hears_a_denial_has_no_effect_whichever_operation_failed() {
    let mut unsent = 0;
    for operation in operations(100).await {
        for fault in [Fault::Before(operation), Fault::After(operation)] {
            let (world, outcome) = call_with(fault, 100).await;
            let (told, kept) = (outcome.invocation.status(), statuses(&world).await);
            if told == Status::Denied {
                assert_eq!(world.reached(), 0, "{fault:?}: denied and sent");
                let open = kept.iter().any(|status| *status != Status::Denied);
                assert!(!open, "{fault:?}: heard a denial, and there is {kept:?}");
            }
            if told == Status::Failed {
                assert_eq!(
                    (world.reached(), kept),
                    (0, vec![Status::Failed]),
                    "{fault:?}"
                );
                unsent += 1;
            }
        }
    }
    assert_eq!(unsent, 1, "the admission that was made and denied");
}

#[tokio::test]
async fn a_freeze_that_was_made_and_denied_is_still_pending_to_its_caller() {
    let mut pending = 0;
    for operation in operations(600).await {
        let (world, outcome) = call_with(Fault::After(operation), 600).await;
        let told = outcome.invocation.status();
        match statuses(&world).await.as_slice() {
            [Status::PendingApproval] => {
                assert_eq!(told, Status::PendingApproval, "operation {operation}");
                pending += 1;
            }
            kept => assert_eq!(
                (told, kept.len()),
                (Status::Denied, 0),
                "operation {operation}"
            ),
        }
    }
    assert!(pending >= 1);
}
