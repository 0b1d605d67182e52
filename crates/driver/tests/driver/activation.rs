//! Policies that are written, tested, put in force, and confirmed by somebody else.

use serde_json::{Value, json};
use toolgate_driver::{Activated, Activation, Failed, PolicyError};
use toolgate_gate::port::{PolicyDraft, RecordFilter};
use toolgate_gate::{Caller, Settings};
use toolgate_model::{AgentId, Role};
use toolgate_policy::Document;

use crate::world::{World, caller, id};

/// Denies refunds, with a test that expects this of them.
fn closed(expected: &str) -> Document {
    let text = json!({
        "rules": [{"rule_id": "all", "match": {"tools": ["stripe.refund"]}, "effect": "deny"}],
        "tests": [{
            "name": "a refund",
            "call": {"tool": "stripe.refund", "arguments": {"amount": 1}},
            "expect": expected,
        }],
    });
    Document {
        name: "closed".to_owned(),
        text: text.to_string(),
    }
}

async fn person(world: &World, name: &str, role: Role) -> Caller {
    let driver = &world.driver;
    let added = driver
        .put_operator(&world.owner, (id(name), role), None)
        .await;
    caller(driver, &added.unwrap().1.token).await
}

async fn write(world: &World, by: &Caller, document: Document) -> PolicyDraft {
    let written = world.driver.draft_policies(by, vec![document], "m").await;
    written.unwrap().drafts.remove(0)
}

async fn activate(world: &World, by: &Caller) -> Result<Activated, PolicyError> {
    let newest = Activation::default();
    world.driver.activate_policy(by, "closed", newest).await
}

async fn force(world: &World, by: &Caller, why: &str) -> Result<Activated, PolicyError> {
    let forced = Activation {
        force: Some(why.to_owned()),
        ..Activation::default()
    };
    world.driver.activate_policy(by, "closed", forced).await
}

fn in_force(world: &World) -> Vec<String> {
    let configuration = world.driver.configuration();
    let documents = configuration.documents().iter();
    documents.map(|document| document.name.clone()).collect()
}

/// The kind and data of the newest record about policies.
async fn newest(world: &World) -> (String, Value) {
    let filter = RecordFilter {
        kind_prefix: Some("policy.".to_owned()),
        limit: 1,
        newest: true,
        ..RecordFilter::default()
    };
    let record = world.store.records(filter).await.unwrap().remove(0);
    let entry = record.entry().unwrap();
    (entry.kind, Value::Object(entry.data))
}

#[tokio::test]
async fn a_version_whose_tests_fail_is_written_and_not_put_in_force() {
    let world = World::new().await;
    write(&world, &world.owner, closed("allow")).await;
    let refused = activate(&world, &world.owner).await;
    let Err(PolicyError::TestsFailed(failing)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(failing.len(), 1);
    let said = &failing[0].message;
    assert!(
        said.contains("`a refund`") && said.contains("\"deny\""),
        "{said}"
    );
    assert_eq!(failing[0].file, "closed");
    assert_eq!(in_force(&world), ["refunds"]);
    write(&world, &world.owner, closed("deny")).await;
    let activated = activate(&world, &world.owner).await.unwrap();
    assert!(activated.draft.active && activated.awaits.is_none());
    assert_eq!(in_force(&world), ["closed", "refunds"]);
}

#[tokio::test]
async fn the_tests_of_all_documents_are_run_on_the_whole_set() {
    let world = World::new().await;
    let owner = &world.owner;
    let open = json!({"tests": [{
        "name": "small refunds go",
        "call": {"tool": "stripe.refund", "arguments": {"amount": 1}},
        "expect": "allow",
    }]});
    let open = Document {
        name: "open".to_owned(),
        text: open.to_string(),
    };
    let driver = &world.driver;
    driver
        .publish_policies(owner, vec![open], "m")
        .await
        .unwrap();
    let refused = driver
        .publish_policies(owner, vec![closed("deny")], "m")
        .await;
    let Err(PolicyError::TestsFailed(failing)) = refused else {
        panic!("{refused:?}")
    };
    let files: Vec<_> = failing.iter().map(|found| found.file.as_str()).collect();
    assert_eq!(files, ["open"]);
    assert_eq!(in_force(&world), ["open", "refunds"]);
}

#[tokio::test]
async fn an_owner_may_force_it_and_the_record_says_why() {
    let world = World::new().await;
    let activator = person(&world, "ac@acme.com", Role::Activator).await;
    write(&world, &activator, closed("allow")).await;
    let refused = force(&world, &activator, "it is urgent").await;
    let Err(PolicyError::Failed(Failed::Forbidden { .. })) = refused else {
        panic!("{refused:?}")
    };
    let refused = force(&world, &world.owner, "  ").await;
    assert!(matches!(
        refused,
        Err(PolicyError::Failed(Failed::Invalid(_)))
    ));
    assert_eq!(in_force(&world), ["refunds"]);
    force(&world, &world.owner, "it is urgent").await.unwrap();
    assert_eq!(in_force(&world), ["closed", "refunds"]);
    let (kind, data) = newest(&world).await;
    assert_eq!(kind, "policy.activated");
    assert_eq!(data["forced"]["reason"], "it is urgent");
    assert_eq!(data["forced"]["failing"], 1);
}

#[tokio::test]
async fn a_test_that_does_not_read_keeps_a_version_out_of_force_too() {
    let world = World::new().await;
    let text = json!({"tests": [{"name": "x", "call": {"toool": "a.b"}, "expect": "deny"}]});
    let document = Document {
        name: "closed".to_owned(),
        text: text.to_string(),
    };
    let written = world
        .driver
        .draft_policies(&world.owner, vec![document], "m")
        .await;
    assert!(written.is_ok());
    let refused = force(&world, &world.owner, "whatever").await;
    assert!(
        matches!(refused, Err(PolicyError::Invalid(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn rolling_back_asks_no_test_and_reaches_only_what_was_in_force() {
    let world = World::new().await;
    let owner = &world.owner;
    let good = closed("deny");
    world
        .driver
        .publish_policies(owner, vec![good], "one")
        .await
        .unwrap();
    write(&world, owner, closed("allow")).await;
    let mut third = closed("deny");
    third.text = third.text.replace("\"all\"", "\"every\"");
    world
        .driver
        .publish_policies(owner, vec![third], "three")
        .await
        .unwrap();
    let back = world.driver.rollback_policy(owner, "closed").await.unwrap();
    assert_eq!(back.draft.number, 1, "version 2 never was in force");
    let (kind, data) = newest(&world).await;
    assert_eq!(
        (kind.as_str(), &data["rollback"]),
        ("policy.activated", &json!(true))
    );
    let nothing = world.driver.rollback_policy(owner, "closed").await;
    assert!(matches!(
        nothing,
        Err(PolicyError::Failed(Failed::Conflict { .. }))
    ));
}

async fn guarded() -> World {
    World::with(Settings {
        second_person: true,
        ..Settings::default()
    })
    .await
}

fn names(awaits: &Option<Vec<AgentId>>) -> Vec<&str> {
    awaits.iter().flatten().map(AgentId::as_str).collect()
}

#[tokio::test]
async fn where_a_second_person_is_wanted_the_author_asks_and_another_confirms() {
    let world = guarded().await;
    // The world's own policy was written by its owner, and so was only asked for.
    assert_eq!(in_force(&world), Vec::<String>::new());
    let author = person(&world, "ac@acme.com", Role::Activator).await;
    let other = person(&world, "cy@acme.com", Role::Activator).await;
    let _only_writes = person(&world, "au@acme.com", Role::Author).await;
    write(&world, &author, closed("deny")).await;
    for _ in 0..2 {
        let asked = activate(&world, &author).await.unwrap();
        assert!(!asked.draft.active);
        assert_eq!(names(&asked.awaits), ["cy@acme.com", "local@localhost"]);
        assert_eq!(in_force(&world), Vec::<String>::new());
    }
    let (kind, _) = newest(&world).await;
    assert_eq!(kind, "policy.activation_requested");
    let confirmed = activate(&world, &other).await.unwrap();
    assert!(confirmed.draft.active && confirmed.awaits.is_none());
    assert_eq!(in_force(&world), ["closed"]);
    let (kind, data) = newest(&world).await;
    assert_eq!(kind, "policy.activated");
    assert_eq!(
        (&data["author"], &data["requested_by"]),
        (&json!("ac@acme.com"), &json!("ac@acme.com"))
    );
    let draft = world.store.drafts(Some("closed")).await.unwrap().remove(0);
    assert_eq!(draft.activated.unwrap().by, id("cy@acme.com"));
    assert_eq!(draft.requested, None);
}

#[tokio::test]
async fn the_author_alone_neither_forces_publishes_nor_takes_out_of_force() {
    let world = guarded().await;
    let (owner, driver) = (&world.owner, &world.driver);
    let other = person(&world, "cy@acme.com", Role::Activator).await;
    let published = driver
        .publish_policies(owner, vec![closed("deny")], "m")
        .await
        .unwrap();
    assert_eq!(names(&published.awaits), ["cy@acme.com"]);
    let forced = force(&world, owner, "urgent").await.unwrap();
    assert!(forced.awaits.is_some());
    assert_eq!(in_force(&world), Vec::<String>::new());
    activate(&world, &other).await.unwrap();
    let refused = driver.deactivate_policy(owner, "closed").await;
    let Err(PolicyError::SecondPerson { may, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(may, [id("cy@acme.com")]);
    driver.deactivate_policy(&other, "closed").await.unwrap();
    assert_eq!(in_force(&world), Vec::<String>::new());
}

#[tokio::test]
async fn files_of_the_configuration_are_put_in_force_by_the_gate_if_their_tests_pass() {
    let world = guarded().await;
    let driver = &world.driver;
    let red = driver.declare_policies(vec![closed("allow")]).await;
    assert!(matches!(red, Err(PolicyError::TestsFailed(_))));
    driver.declare_policies(vec![closed("deny")]).await.unwrap();
    assert_eq!(in_force(&world), ["closed"]);
    let red = driver.declare_policies(vec![closed("allow")]).await;
    assert!(matches!(red, Err(PolicyError::TestsFailed(_))));
    assert_eq!(in_force(&world), ["closed"], "what was in force stays so");
}

#[tokio::test]
async fn a_channel_that_nobody_configured_is_a_warning() {
    let world = World::with(Settings {
        channels: vec!["pager".to_owned(), "finance".to_owned()],
        ..Settings::default()
    })
    .await;
    let check = |channel: &str| {
        let text = json!({"rules": [
            {"when": "amount > 1", "effect": "allow"},
            {"when": "amount > 5", "effect": "allow", "notify": channel},
        ]});
        let document = Document {
            name: "closed".to_owned(),
            text: text.to_string(),
        };
        let found = world.driver.check_policies(&[document]);
        let about = found.into_iter().filter(|found| found.code == "N001");
        about
            .map(|found| (found.path, found.help.unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(check("pager"), []);
    let expected = (
        "/rules/1/notify".to_owned(),
        "did you mean `pager`".to_owned(),
    );
    assert_eq!(check("pagre"), [expected]);
}
