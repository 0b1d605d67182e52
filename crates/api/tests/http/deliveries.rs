//! Notifications over HTTP: what is shown of endpoints and attempts, and to whom.

use expect_test::expect;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_endpoint_is_tested_and_the_attempt_is_on_the_log() {
    let world = World::new().await;
    let owner = world.person("owner");
    let path = "/v1/endpoints/pager/test";
    let sent = world.post(path).token(owner).await.value();
    // Nobody listens there.
    assert_eq!(
        (&sent["outcome"], &sent["status"]),
        (&json!("away"), &json!(null))
    );
    assert_eq!(sent["kind"], "notify.test");
    world.post(path).token(owner).await;
    let viewer = world.person("viewer");
    let page = world.get("/v1/deliveries?limit=1").token(viewer).await;
    let page = page.value();
    assert_eq!(
        (&page["items"][0]["number"], &page["next"]),
        (&json!(2), &json!("2"))
    );
    let rest = world.get("/v1/deliveries?endpoint=pager&before=2");
    let rest = rest.token(viewer).await.value();
    assert_eq!(
        (&rest["items"][0]["number"], &rest["next"]),
        (&json!(1), &json!(null))
    );
    let other = world.get("/v1/deliveries?endpoint=other").token(viewer);
    assert_eq!(other.await.value()["items"], json!([]));
    let strange = world.get("/v1/deliveries").token(&world.stranger);
    assert_eq!(strange.await.value()["items"], json!([]));
}

#[tokio::test]
async fn of_an_endpoint_neither_path_nor_secret_is_shown() {
    let world = World::new().await;
    let shown = world.get("/v1/endpoints").token(world.person("viewer"));
    expect![[r#"
        200
        {
          "items": [
            {
              "name": "pager",
              "url": "http://127.0.0.1:9/…",
              "events": [
                "approval.*"
              ],
              "next_index": 0,
              "attempts": 0,
              "next_attempt_at": null,
              "disabled": null
            }
          ],
          "next": null
        }
    "#]]
    .assert_eq(&shown.await.show());
    let strange = world.get("/v1/endpoints").token(&world.stranger);
    assert_eq!(strange.await.value()["items"], json!([]));
}

#[tokio::test]
async fn only_what_is_there_is_sent_again() {
    let world = World::new().await;
    let owner = world.person("owner");
    let envelope = world.call("desk.refund", json!({"amount": 640})).await;
    let asked = envelope["evidence_ids"][0].as_str().unwrap().to_owned();
    let send = async |name: &str, event: &str, token: &str| {
        let path = format!("/v1/endpoints/{name}/redeliver");
        let body = json!({"event": event});
        world.post(&path).token(token).json(body).await
    };
    let sent = send("pager", &asked, owner).await.value();
    assert_eq!(
        (&sent["event"], &sent["kind"]),
        (&json!(asked), &json!("approval.requested"))
    );
    let none = "evt_019770cd8a48700080000000000000a1";
    for (name, event, token) in [
        ("other", asked.as_str(), owner),
        ("pager", none, owner),
        ("pager", "x", owner),
        ("pager", asked.as_str(), world.stranger.as_str()),
    ] {
        let refused = send(name, event, token).await;
        let expected = (404, "not_found".to_owned());
        assert_eq!(refused.problem(), expected, "{name} {event}");
    }
}
