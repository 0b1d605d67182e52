//! Raw requests in the order of the gate: what a normaliser recognised stands for the catalogue.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod world;

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};
use toolgate_gate::{Evidence, decide};
use toolgate_model::{Call, Code, Denial, Recognised, Risk};
use world::{World, now, tool};

/// What a request that was recognised as this tool, about these places, gets; the agent is granted
/// `stripe.*` for `customer:cust_123`.
fn check(id: &str, change: impl FnOnce(&mut Recognised, &mut Call), expected: Expect) {
    let mut descriptor = tool(id);
    descriptor.resource = None;
    descriptor.input_schema = Value::Null;
    let mut recognised = Recognised {
        descriptor: Arc::new(descriptor),
        places: Map::from_iter([("resource".to_owned(), json!("customer:cust_123"))]),
        refusal: None,
    };
    let mut call = Call::new(id.parse().unwrap(), json!({"amount": 5}));
    change(&mut recognised, &mut call);
    call.recognised = Some(Arc::new(recognised));
    let world = World::default();
    let configuration = world.configuration();
    let identity = configuration.standing(&world.credential.id, now()).unwrap();
    let question = (&call, &Evidence::default());
    let decision = decide(&configuration, &identity, question, now())
        .0
        .decision;
    expected.assert_eq(&match decision.denial {
        None => decision.verdict.to_string(),
        Some(denial) => format!("{}: {}", denial.code, denial.message),
    });
}

#[test]
fn a_recognised_tool_needs_no_catalogue() {
    check("stripe.create_refund", |_, _| {}, expect!["allow"]);
    check(
        "slack.post_message",
        |_, _| {},
        expect!["not_granted: nothing grants `slack.post_message` to `billing_agent`"],
    );
}

#[test]
fn what_was_recognised_goes_before_a_tool_of_the_same_name() {
    let critical = |recognised: &mut Recognised, _: &mut Call| {
        Arc::make_mut(&mut recognised.descriptor).risk = Risk::Critical;
    };
    check(
        "stripe.refund",
        critical,
        expect!["posture_denied: no rule speaks, and critical risk is denied by posture"],
    );
}

#[test]
fn a_recognised_resource_is_no_claim() {
    check(
        "stripe.create_refund",
        |recognised, _| {
            recognised.places["resource"] = json!("customer:cust_9");
        },
        expect![
            "resource_not_granted: `stripe.create_refund` is not granted to `billing_agent` for this resource, environment or workflow"
        ],
    );
    check(
        "stripe.create_refund",
        |recognised, call| {
            recognised.places.remove("resource");
            call.resource = Some("customer:cust_123".to_owned());
        },
        expect![
            "resource_not_granted: `stripe.create_refund` is not granted to `billing_agent` for this resource, environment or workflow"
        ],
    );
    check(
        "stripe.create_refund",
        |_, call| call.resource = Some("customer:cust_9".to_owned()),
        expect![
            "entity_mismatch: the resource that the call names is not the one its arguments name"
        ],
    );
}

#[test]
fn a_request_that_can_be_read_in_two_ways_ends_at_its_arguments() {
    let refusal = Denial::new(Code::InvalidArguments, "it can be read in two ways");
    check(
        "stripe.create_refund",
        |recognised, _| recognised.refusal = Some(refusal),
        expect!["invalid_arguments: it can be read in two ways"],
    );
}
