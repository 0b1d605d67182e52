//! Bodies that attackers and mistakes make: each has its own clear error, and the gate goes on.

use axum::body::{Body, Bytes};
use expect_test::{Expect, expect};
use futures_util::stream;
use serde_json::json;
use toolgate_model::Duration;

use crate::world::World;

async fn check(body: impl Into<Body>, expected: Expect) {
    let world = World::new().await;
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .body(body)
        .await;
    let (status, code) = answer.problem();
    let value = answer.value();
    let detail = value["detail"].as_str().unwrap();
    let errors = value["errors"].as_array().unwrap();
    let places: Vec<_> = errors
        .iter()
        .map(|error| format!("\n  {} {}", error["pointer"], error["help"]))
        .collect();
    expected.assert_eq(&format!("{status} {code}: {detail}{}", places.concat()));
    let good = world.call("desk.lookup", json!({})).await;
    assert_eq!(good["outcome"], "success", "the gate goes on");
}

#[tokio::test]
async fn what_is_not_json() {
    check("", expect!["400 invalid_body: the body is empty"]).await;
    check(
        "tool=desk.lookup",
        expect!["400 invalid_body: expected ident at line 1, column 2"],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup""#,
        expect!["400 invalid_body: EOF while parsing an object at line 1, column 22"],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup"} {}"#,
        expect!["400 invalid_body: trailing characters at line 1, column 25"],
    )
    .await;
    check(
        vec![0xff, 0xfe],
        expect!["400 invalid_body: expected value at line 1, column 1"],
    )
    .await;
}

#[tokio::test]
async fn what_two_readers_may_read_differently() {
    check(
        "{\"tool\": \"desk.refund\",\n \"arguments\": {\"amount\": 1, \"amount\": 900}}",
        expect!["400 invalid_body: the key `amount` stands twice at line 2, column 36"],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "justification": "\ud800"}"#,
        expect!["400 invalid_body: unexpected end of hex escape at line 1, column 49"],
    )
    .await;
    check(
        r#"{"tool": "desk.refund", "arguments": {"amount": NaN}}"#,
        expect!["400 invalid_body: expected value at line 1, column 49"],
    )
    .await;
    check(
        r#"{"tool": "desk.refund", "arguments": {"amount": 1e400}}"#,
        expect![
            "400 invalid_body: the number `1e+400` is outside exact range at line 1, column 53"
        ],
    )
    .await;
    check(
        r#"{"tool": "desk.refund", "arguments": {"amount": 9007199254740993}}"#,
        expect!["400 invalid_body: the number `9007199254740993` is outside exact range at line 1, column 64"],
    )
    .await;
}

#[tokio::test]
async fn what_is_too_much() {
    check(
        "x".repeat(10 << 20),
        expect!["413 body_too_large: the body has more than the 1048576 bytes allowed"],
    )
    .await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"tool": "desk.lookup", "arguments": {{"x": {deep}}}}}"#);
    check(
        deep,
        expect!["400 invalid_body: nesting deeper than 64 levels at line 1, column 106"],
    )
    .await;
    let long = "x".repeat((256 << 10) + 1);
    check(format!(r#"{{"tool": "{long}"}}"#), expect!["400 invalid_body: a string of 262145 bytes, more than the 262144 allowed at line 1, column 262156"]).await;
    // A body that does not say how long it is, and does not end.
    let endless =
        stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
    check(
        Body::from_stream(endless),
        expect!["413 body_too_large: the body has more than the 1048576 bytes allowed"],
    )
    .await;
}

#[tokio::test]
async fn what_does_not_fit_the_fields() {
    check(
        "[]",
        expect![[r#"
        400 invalid_field: the body is not a JSON object
          "" null"#]],
    )
    .await;
    check(
        "{}",
        expect![[r#"
        400 invalid_field: missing: which tool is called
          "/tool" null"#]],
    )
    .await;
    check(
        r#"{"toool": "desk.lookup"}"#,
        expect![[r#"
        400 unknown_field: there is no field `toool` here
          "/toool" "did you mean `tool`""#]],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "elephant": 1}"#,
        expect![[r#"
        400 unknown_field: there is no field `elephant` here
          "/elephant" null"#]],
    )
    .await;
    check(r#"{"tool": "lookup"}"#, expect![[r#"
        400 invalid_field: `lookup` is not a tool: `source.operation` of letters, digits and `_ - . /`, at most 256 bytes
          "/tool" null"#]]).await;
    check(
        r#"{"tool": "desk.lookup", "arguments": [1]}"#,
        expect![[r#"
        400 invalid_field: invalid type: sequence, expected a map
          "/arguments" null"#]],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "timeout_ms": "20s"}"#,
        expect![[r#"
        400 invalid_field: invalid type: string "20s", expected u32
          "/timeout_ms" null"#]],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "timeout_ms": -1}"#,
        expect![[r#"
        400 invalid_field: invalid number
          "/timeout_ms" null"#]],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "wait_ms": 120001}"#,
        expect![[r#"
        400 invalid_field: 120001 is more than the 120000 that a caller may wait
          "/wait_ms" null"#]],
    )
    .await;
    check(r#"{"tool": "desk.lookup", "mode": "dry"}"#, expect![[r#"
        400 invalid_field: unknown variant `dry`, expected one of `execute`, `host`, `decide`, `simulate`
          "/mode" null"#]]).await;
    check(
        r#"{"tool": "desk.lookup", "trigger": {"source": "a", "idd": "b"}}"#,
        expect![[r#"
        400 unknown_field: there is no field `idd` here
          "/trigger/idd" "did you mean `id`""#]],
    )
    .await;
    check(
        r#"{"tool": "desk.lookup", "a`b, expected one of `tool`": 1}"#,
        expect![[r#"
        400 unknown_field: there is no field `a` here
          "/a`b, expected one of `tool`" null"#]],
    )
    .await;
}

#[tokio::test]
async fn content_types_other_than_json() {
    let world = World::new().await;
    for (media, expected) in [
        ("text/plain", Some("wrong_content_type")),
        (
            "application/x-www-form-urlencoded",
            Some("wrong_content_type"),
        ),
        ("application/jsonx", Some("wrong_content_type")),
        ("application/json; charset=utf-8", None),
        ("Application/JSON", None),
    ] {
        let body = r#"{"tool": "desk.lookup"}"#;
        let sending = world.post("/v1/invocations").token(&world.agent).body(body);
        let answer = sending.header("content-type", media).await;
        let code = (answer.status.as_u16() == 400).then(|| answer.problem().1);
        assert_eq!(code.as_deref(), expected, "{media}");
    }
    let sending = world.post("/v1/invocations").token(&world.agent).body("{}");
    let none = sending.without("content-type").await;
    assert_eq!(none.problem(), (400, "wrong_content_type".to_owned()));
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let world = World::new().await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let waiting = async {
        world
            .post("/v1/invocations")
            .token(&world.agent)
            .body(never)
            .await
    };
    let passing = async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(30));
    };
    let (answer, ()) = tokio::join!(waiting, passing);
    assert_eq!(answer.problem(), (408, "body_too_slow".to_owned()));
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_refused_before_it_comes() {
    let world = World::new().await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let sending = world
        .post("/v1/invocations")
        .token(&world.agent)
        .body(never);
    let waiting = async { sending.header("content-length", "10485760").await };
    let passing = async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(30));
    };
    let (answer, ()) = tokio::join!(waiting, passing);
    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_its_own_problem() {
    let world = World::new().await;
    let broken = stream::iter([
        Ok(Bytes::from_static(b"{\"tool\":")),
        Err(std::io::Error::other("reset")),
    ]);
    let sending = world.post("/v1/invocations").token(&world.agent);
    let answer = sending.body(Body::from_stream(broken)).await;
    assert_eq!(answer.problem(), (400, "body_unreadable".to_owned()));
}

#[tokio::test]
async fn bodies_where_none_is_needed_are_read_as_strictly() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    for (body, expected) in [
        (r#"{"why": "x"}"#, Some("unknown_field")),
        ("[", Some("invalid_body")),
        ("{}", None),
        ("", None),
    ] {
        let answer = world
            .post("/v1/agents/support_agent/suspend")
            .token(admin)
            .body(body)
            .await;
        let code = (answer.status.as_u16() == 400).then(|| answer.problem().1);
        assert_eq!(code.as_deref(), expected, "{body}");
    }
}

#[tokio::test]
async fn keys_that_are_not_one_plain_text_are_refused() {
    let world = World::new().await;
    let body = r#"{"tool": "desk.lookup"}"#;
    let sending = || world.post("/v1/invocations").token(&world.agent).body(body);
    let two = sending()
        .also("idempotency-key", "a")
        .also("idempotency-key", "b")
        .await;
    assert_eq!(two.problem(), (400, "invalid_header".to_owned()));
    let empty = sending().header("idempotency-key", "").await;
    assert_eq!(empty.problem(), (400, "invalid_header".to_owned()));
    let long = sending()
        .header("idempotency-key", &"k".repeat(1_000))
        .await
        .value();
    assert_eq!(
        long["denial"]["code"], "invalid_arguments",
        "the gate bounds it, on the record"
    );
}
