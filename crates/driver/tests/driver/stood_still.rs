//! A node that stood still and wakes up after its time sends nothing that it had still to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use toolgate_execution::Status;
use toolgate_model::{Call, Duration};

use crate::world::{Act, World};

#[tokio::test]
async fn what_was_not_sent_before_the_deadline_is_never_sent() {
    let world = World::new().await;
    let sent = Arc::new(AtomicBool::new(false));
    world.next(Act::SendLater(sent.clone()));
    let tool = "stripe.refund".parse().unwrap();
    let call = world.start(Call::new(tool, json!({"amount": 100})));
    world.settle_tasks().await;
    assert_eq!(world.reached(), 1, "the port has it, the wire has not");
    // The whole process stands still for ten minutes, beyond deadline and lease.
    world.clock.advance(Duration::from_secs(600));
    world.settle_tasks().await;
    let outcome = call.await.unwrap();
    assert_eq!(outcome.invocation.status(), Status::NeedsOperator);
    assert!(!sent.load(Ordering::SeqCst), "a byte left after the lease");
}
