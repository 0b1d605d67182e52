//! The desk as a domain, and its MCP face, message by message.

use super::{
    Amount, Control, Customer, CustomerStatus, Desk, Face, HttpHeads, KeyPolicy, LedgerError,
    RefundOrder, Schemas, Sums,
};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("desk.jsonl")
    }

    fn desk(&self, keys: KeyPolicy) -> Desk {
        Desk::open(&self.ledger(), keys).unwrap()
    }

    fn face(&self) -> Face {
        Face::new(self.desk(KeyPolicy::Honour), Control::Open, 3)
    }
}

fn order(amount: &str) -> RefundOrder {
    RefundOrder {
        charge: "ch_1".to_owned(),
        customer: "cust_123".to_owned(),
        amount: amount.parse().unwrap(),
        currency: None,
        metadata: BTreeMap::new(),
    }
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let desk = fixture.desk(KeyPolicy::Ignore);
    assert_eq!(desk.refund(order("640"), None).unwrap().id, "re_1");
    desk.send("a@example.com".to_owned(), "hello".to_owned(), None)
        .unwrap();
    desk.close("cust_789".to_owned(), None).unwrap();
    drop(desk);
    let desk = fixture.desk(KeyPolicy::Ignore);
    assert_eq!(
        desk.charge("ch_1").unwrap().left(),
        Amount::from_cents(36_000)
    );
    assert_eq!(desk.refund(order("1"), None).unwrap().id, "re_2");
    assert_eq!(
        desk.customer("cust_789").unwrap().status,
        CustomerStatus::Closed
    );
    let sums = Sums::of_file(&fixture.ledger()).unwrap();
    assert_eq!((sums.refunds, sums.refunded_cents), (2, 64_100));
    assert_eq!((sums.messages, sums.closures, sums.effects()), (1, 1, 4));
}

#[test]
fn a_refusal_says_why_and_leaves_the_ledger_alone() {
    let fixture = Fixture::new();
    let desk = fixture.desk(KeyPolicy::Ignore);
    let check = |order: RefundOrder, expected: Expect| {
        expected.assert_eq(&desk.refund(order, None).unwrap_err().to_string());
    };
    check(
        RefundOrder {
            charge: "ch_9".to_owned(),
            ..order("1")
        },
        expect!["there is no charge `ch_9`"],
    );
    check(
        RefundOrder {
            customer: "cust_456".to_owned(),
            ..order("1")
        },
        expect!["the charge `ch_1` belongs to another customer than `cust_456`"],
    );
    check(
        RefundOrder {
            currency: Some("eur".to_owned()),
            ..order("1")
        },
        expect!["the charge is in `usd`"],
    );
    check(
        order("1000.01"),
        expect!["`1000.01` is more than the `1000.00` left on `ch_1`"],
    );
    desk.refund(order("999"), None).unwrap();
    check(
        order("1.01"),
        expect!["`1.01` is more than the `1.00` left on `ch_1`"],
    );
    desk.close("cust_123".to_owned(), None).unwrap();
    check(order("1"), expect!["the account of `cust_123` is closed"]);
    let sums = Sums::of_file(&fixture.ledger()).unwrap();
    assert_eq!((sums.refunds, sums.closures), (1, 1));
}

#[test]
fn a_key_is_honoured_only_where_the_desk_says_so_and_also_after_a_restart() {
    let fixture = Fixture::new();
    let desk = fixture.desk(KeyPolicy::Honour);
    let first = desk.refund(order("5"), Some("k")).unwrap();
    assert_eq!(desk.refund(order("5"), Some("k")).unwrap(), first);
    let reused = desk.refund(order("6"), Some("k")).unwrap_err();
    assert_eq!(
        reused.to_string(),
        "the idempotency key was used for another order"
    );
    drop(desk);
    let desk = fixture.desk(KeyPolicy::Honour);
    assert_eq!(desk.refund(order("5"), Some("k")).unwrap(), first);
    drop(desk);
    let desk = fixture.desk(KeyPolicy::Ignore);
    assert_eq!(desk.refund(order("5"), Some("k")).unwrap().id, "re_2");
}

#[test]
fn an_open_ledger_is_locked() {
    let fixture = Fixture::new();
    let desk = fixture.desk(KeyPolicy::Ignore);
    let other = std::fs::File::open(fixture.ledger()).unwrap();
    assert!(
        other.try_lock().is_err(),
        "two desks could spend the same rest"
    );
    drop(desk);
    assert!(other.try_lock().is_ok());
}

#[test]
fn changed_data_survives_a_restart() {
    let fixture = Fixture::new();
    let changed = Customer {
        id: "cust_123".to_owned(),
        email: "moved@example.com".to_owned(),
        status: CustomerStatus::Review,
    };
    fixture
        .desk(KeyPolicy::Ignore)
        .change(changed.clone())
        .unwrap();
    assert_eq!(
        fixture
            .desk(KeyPolicy::Ignore)
            .customer("cust_123")
            .unwrap(),
        changed
    );
}

#[test]
fn a_cut_line_is_dropped_and_a_broken_one_stops_the_desk() {
    let fixture = Fixture::new();
    fixture
        .desk(KeyPolicy::Ignore)
        .refund(order("1"), None)
        .unwrap();
    let append = |text: &str| {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(fixture.ledger());
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    append("{\"seq\":2,\"eff");
    let desk = fixture.desk(KeyPolicy::Ignore);
    assert_eq!(desk.refund(order("1"), None).unwrap().id, "re_2");
    drop(desk);
    append("{}\n");
    let broken = Desk::open(&fixture.ledger(), KeyPolicy::Ignore).unwrap_err();
    assert!(
        matches!(broken, LedgerError::Broken { line: 3, .. }),
        "{broken}"
    );
}

async fn check(face: &Face, message: &str, expected: Expect) {
    let reply = face.answer(message.as_bytes(), None).await;
    expected.assert_eq(&format!(
        "{} {}",
        reply.status,
        reply.body.unwrap_or_default()
    ));
}

#[tokio::test]
async fn the_legacy_era_opens_with_a_handshake() {
    let fixture = Fixture::new();
    let face = fixture.face();
    check(
        &face,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":false}},"serverInfo":{"name":"refund-desk","version":"0.1.0"}}}"#]],
    )
    .await;
    check(
        &face,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        expect!["202 "],
    )
    .await;
    check(
        &face,
        r#"{"jsonrpc":"2.0","id":2,"method":"resources/list"}"#,
        expect![[r#"200 {"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"there is no method `resources/list`"}}"#]],
    )
    .await;
    check(
        &face,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_charge","arguments":{"charge":"ch_4"}}}"#,
        expect![[r#"200 {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"{\"id\":\"ch_4\",\"customer\":\"cust_789\",\"amount\":49.99,\"currency\":\"usd\",\"amount_refunded\":0,\"refunded\":false}"}],"structuredContent":{"id":"ch_4","customer":"cust_789","amount":49.99,"currency":"usd","amount_refunded":0,"refunded":false}}}"#]],
    )
    .await;
}

const MODERN_META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[tokio::test]
async fn the_modern_era_stands_by_itself() {
    let fixture = Fixture::new();
    let face = fixture.face();
    check(
        &face,
        &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{MODERN_META}}}}}"#),
        expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":false}},"instructions":"A refund desk. Refunds cannot be taken back.","resultType":"complete","ttlMs":0,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"refund-desk","version":"0.1.0"}}}}"#]],
    )
    .await;
    check(
        &face,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2030-01-01"}}}"#,
        expect![[r#"400 {"jsonrpc":"2.0","id":2,"error":{"code":-32022,"message":"this protocol version is not served","data":{"supported":["2026-07-28"],"requested":"2030-01-01"}}}"#]],
    )
    .await;
    check(
        &face,
        &format!(r#"{{"jsonrpc":"2.0","id":3,"method":"ping","params":{{{MODERN_META}}}}}"#),
        expect![[r#"404 {"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"there is no method `ping`"}}"#]],
    )
    .await;
}

#[tokio::test]
async fn modern_headers_must_say_what_the_body_says() {
    let fixture = Fixture::new();
    let face = fixture.face();
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_charge","arguments":{{"charge":"ch_1"}},{MODERN_META}}}}}"#
    );
    let heads = |version: &str, method: &str, name: Option<&str>| HttpHeads {
        version: Some(version.to_owned()),
        method: Some(method.to_owned()),
        name: name.map(str::to_owned),
    };
    for (heads, status) in [
        (heads("2026-07-28", "tools/call", Some("get_charge")), 200),
        (heads("2025-11-25", "tools/call", Some("get_charge")), 400),
        (heads("2026-07-28", "tools/list", Some("get_charge")), 400),
        (heads("2026-07-28", "tools/call", Some("refund")), 400),
        (heads("2026-07-28", "tools/call", None), 400),
        (HttpHeads::default(), 400),
    ] {
        let reply = face.answer(body.as_bytes(), Some(&heads)).await;
        assert_eq!(reply.status, status, "{heads:?}");
        let mismatch = reply.body.unwrap().contains("-32020");
        assert_eq!(mismatch, status == 400, "{heads:?}");
    }
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let fixture = Fixture::new();
    let face = fixture.face();
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{cursor}}}}}"#);
        let reply = face.answer(message.as_bytes(), None).await.body.unwrap();
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let tools = reply["result"]["tools"].as_array().unwrap();
        names.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        match reply["result"]["nextCursor"].as_str() {
            Some(next) => cursor = format!(r#""cursor":"{next}""#),
            None => break,
        }
    }
    expect!["get_customer get_charge list_refunds refund send_message close_account desk_switch"]
        .assert_eq(&names.join(" "));
}

#[tokio::test]
async fn loose_schemas_name_the_arguments_and_say_nothing_else() {
    let fixture = Fixture::new();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let desk = fixture.desk(KeyPolicy::Ignore);
    let face = Face::new(desk, Control::Hidden, 50).with_schemas(Schemas::Loose);
    let body = face.answer(list.as_bytes(), None).await.body.unwrap();
    let reply: serde_json::Value = serde_json::from_str(&body).unwrap();
    let close = &reply["result"]["tools"][5]["inputSchema"];
    expect![[r#"{"type":"object","properties":{"customer":{"description":"The customer's id, such as cust_123"}}}"#]]
        .assert_eq(&close.to_string());
}

fn call(tool: &str, args: &str, key: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{args},"_meta":{{"dev.toolgate/idempotency-key":"{key}"}}}}}}"#
    )
}

const REFUND: &str = r#"{"charge":"ch_1","customer":"cust_123","amount":5}"#;

#[tokio::test]
async fn strict_arguments_and_unknown_tools_have_their_own_errors() {
    let fixture = Fixture::new();
    let face = fixture.face();
    let says = async |message: String| face.answer(message.as_bytes(), None).await.body.unwrap();
    for (args, text) in [
        (
            r#"{"charge":"ch_1","customer":"cust_123"}"#,
            "missing field `amount`",
        ),
        (
            r#"{"charge":"ch_1","customer":"cust_123","amount":"5"}"#,
            "invalid type: string",
        ),
        (
            r#"{"charge":"ch_1","customer":"cust_123","amount":-5}"#,
            "`-5` is not an amount",
        ),
        (
            r#"{"charge":"ch_1","customer":"cust_123","amount":5,"x":1}"#,
            "unknown field `x`",
        ),
    ] {
        let body = says(call("refund", args, "k")).await;
        assert!(
            body.contains(text) && body.contains(r#""isError":true"#),
            "{body}"
        );
    }
    let body = says(call("refnd", "{}", "k")).await;
    assert!(
        body.contains("-32602") && body.contains("there is no tool `refnd`"),
        "{body}"
    );
    let sums = Sums::of_file(&fixture.ledger()).unwrap();
    assert_eq!(
        (
            sums.requests["refund"],
            sums.requests["refnd"],
            sums.effects()
        ),
        (4, 1, 0)
    );
}

#[tokio::test]
async fn a_fault_before_the_effect_leaves_none_and_one_after_it_leaves_it() {
    for (when, effects) in [("before", 0), ("after", 1)] {
        for kind in [
            "drop",
            "exit",
            "garbage",
            "cut",
            "error",
            "oversize,bytes=9",
        ] {
            let fixture = Fixture::new();
            let face = fixture.face();
            let fault = format!("kind={kind},when={when},times=1,tool=refund");
            face.switches().set(fault.parse().unwrap());
            let message = call("refund", REFUND, "k");
            let struck = face.answer(message.as_bytes(), None).await;
            let good = struck.body.as_deref().unwrap_or_default().contains("re_1");
            assert!(!good || struck.damage.is_some(), "{fault} struck nothing");
            assert_eq!(
                Sums::of_file(&fixture.ledger()).unwrap().effects(),
                effects,
                "{fault}"
            );
            let again = face.answer(message.as_bytes(), None).await;
            assert!(again.body.unwrap().contains("re_1"), "{fault} struck twice");
            assert_eq!(
                Sums::of_file(&fixture.ledger()).unwrap().effects(),
                1,
                "{fault}"
            );
        }
    }
}

#[tokio::test]
async fn a_hang_holds_up_one_call_and_no_other() {
    let fixture = Fixture::new();
    let face = fixture.face();
    let switch = call(
        "desk_switch",
        r#"{"fault":{"kind":"hang","tool":"refund","when":"before"}}"#,
        "",
    );
    face.answer(switch.as_bytes(), None).await;
    let message = call("refund", REFUND, "k");
    let held = face.answer(message.as_bytes(), None);
    let other = call("get_charge", r#"{"charge":"ch_1"}"#, "");
    tokio::select! {
        biased;
        reply = held => panic!("it was answered: {reply:?}"),
        reply = face.answer(other.as_bytes(), None) => assert!(reply.body.unwrap().contains("ch_1")),
    }
    assert_eq!(Sums::of_file(&fixture.ledger()).unwrap().effects(), 0);
}

#[tokio::test]
async fn switches_are_hidden_unless_they_are_open() {
    let fixture = Fixture::new();
    let face = Face::new(fixture.desk(KeyPolicy::Ignore), Control::Hidden, 50);
    let message = call("desk_switch", r#"{"fault":{"kind":"hang"}}"#, "");
    let body = face.answer(message.as_bytes(), None).await.body.unwrap();
    assert!(body.contains("there is no tool `desk_switch`"), "{body}");
    assert!(face.switches().take("refund").is_none());
}
