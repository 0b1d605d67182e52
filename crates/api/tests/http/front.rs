//! What every request passes: Host, Origin, request ids, headers, and defects of one request.

use axum::http::{Method, StatusCode};
use expect_test::expect;
use std::sync::atomic::Ordering;

use crate::world::World;

#[tokio::test]
async fn only_the_gates_own_names_are_answered() {
    let world = World::new().await;
    for host in [
        "127.0.0.1:8787",
        "localhost",
        "[::1]:8787",
        "gate.acme.com",
        "GATE.acme.com:443",
    ] {
        let answer = world.get("/healthz").header("host", host).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.nip.io",
        "gate.acme.com.evil.example",
        "10.0.0.1",
    ] {
        let answer = world.get("/healthz").header("host", host).await;
        assert_eq!(answer.problem(), (421, "unknown_host".to_owned()), "{host}");
    }
    let none = world.get("/healthz").without("host").await;
    assert_eq!(none.problem(), (400, "invalid_header".to_owned()));
    let two = world.get("/healthz").also("host", "evil.example").await;
    assert_eq!(two.problem(), (400, "invalid_header".to_owned()));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_and_listed_ones_may_read() {
    let world = World::new().await;
    let own = world
        .get("/healthz")
        .header("origin", "http://127.0.0.1:8787")
        .await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(own.header("access-control-allow-origin"), None);
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "gate.acme.com",
    ] {
        let answer = world.get("/healthz").header("origin", origin).await;
        assert_eq!(
            answer.problem(),
            (403, "origin_refused".to_owned()),
            "{origin}"
        );
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
    }
    let listed = "https://console.acme.com";
    let answer = world.get("/healthz").header("origin", listed).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some(listed));
    let preflight = world
        .request(Method::OPTIONS, "/v1/invocations")
        .header("origin", listed);
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .open()
        .await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["access-control-allow-origin"], listed);
}

#[tokio::test]
async fn a_request_keeps_its_own_plain_id_or_gets_one() {
    let world = World::new().await;
    let answer = world
        .get("/v1/nothing")
        .header("x-request-id", "abc-1")
        .await;
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    assert_eq!(answer.value()["request_id"], "abc-1");
    let fresh = async |id: &str| {
        let answer = world.get("/healthz").header("x-request-id", id).await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    let long = "x".repeat(129);
    let made = [fresh("").await, fresh("a b").await, fresh(&long).await];
    assert!(
        made.iter()
            .all(|id| id.starts_with("req_") && id.len() == 36),
        "{made:?}"
    );
    assert!(made[0] != made[1] && made[1] != made[2]);
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_guessing_framing_and_keeping() {
    let world = World::new().await;
    for path in ["/healthz", "/nothing", "/v1/agents"] {
        let answer = world.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn addresses_and_methods_that_are_not_there_are_problems() {
    let world = World::new().await;
    expect![[r#"
        404
        {
          "type": "http://127.0.0.1:8787/problems/not_found",
          "title": "There is no such thing, or not for this caller",
          "status": 404,
          "detail": "there is no address `/v2/tools`",
          "code": "not_found",
          "errors": [],
          "request_id": "req_test"
        }
    "#]]
    .assert_eq(&world.get("/v2/tools").await.show());
    let wrong = world.put("/v1/invocations").await;
    assert_eq!(wrong.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(wrong.header("allow"), Some("POST,GET,HEAD"));
}

#[tokio::test]
async fn headers_and_addresses_are_bounded() {
    let world = World::new().await;
    let long = world
        .get("/healthz")
        .header("x-long", &"x".repeat(16 << 10))
        .await;
    assert_eq!(long.problem(), (431, "headers_too_large".to_owned()));
    let mut many = world.get("/healthz");
    for _ in 0..100 {
        many = many.also("x-many", "1");
    }
    assert_eq!(many.await.problem(), (431, "headers_too_large".to_owned()));
    let uri = world
        .get(&format!("/healthz?{}", "x".repeat(8 << 10)))
        .await;
    assert_eq!(uri.problem(), (414, "uri_too_long".to_owned()));
}

#[tokio::test]
async fn a_defect_ends_one_request_and_nothing_else() {
    let world = World::new().await;
    world.desk.broken.store(true, Ordering::SeqCst);
    let answer = world.get("/v1/sources").token(world.person("viewer")).await;
    assert_eq!(answer.problem(), (500, "defect".to_owned()));
    assert!(
        !answer.value().to_string().contains("told to break"),
        "no internals"
    );
    world.desk.broken.store(false, Ordering::SeqCst);
    let answer = world.get("/v1/sources").token(world.person("viewer")).await;
    assert_eq!(answer.status, StatusCode::OK);
}
