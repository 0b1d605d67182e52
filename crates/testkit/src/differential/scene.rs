//! One random scene: a few tools, a few documents, one call and what came before it.
//!
//! Everything is small and drawn from few names and few values, so that rules meet calls; among the
//! values are those that a caller would try: nothing, null, another type, a number of forty digits.
//!
//! Must not know: what should come out.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::writer;

/// Tools, documents by the stem of their file, and a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The catalogue.
    pub tools: Vec<Value>,
    /// The documents.
    pub documents: Vec<(String, Value)>,
    /// The call.
    pub call: Value,
}

impl Scene {
    /// The scene that this seed makes.
    pub fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let count = 1 + dice.below(2);
        let documents = (0..count).map(|at| (format!("d{at}"), writer::document(&mut dice)));
        Self {
            documents: documents.collect(),
            call: call(&mut dice),
            tools: tools(),
        }
    }

    /// The scene as one JSON value.
    pub fn json(&self) -> Value {
        let documents = self.documents.iter();
        let documents: Vec<Value> = documents
            .map(|(name, json)| json!({"name": name, "json": json}))
            .collect();
        json!({"tools": self.tools, "documents": documents, "call": self.call})
    }
}

fn tools() -> Vec<Value> {
    let open = json!({"type": "object"});
    vec![
        json!({"id": "pay.refund", "risk": "high", "resource": "charge:{args.charge}", "category": "money",
            "input_schema": {"properties": {"amount": {}, "note": {}, "to": {}, "charge": {}, "tags": {}, "wait": {}, "due": {},
                "customer": {"properties": {"id": {}, "tier": {}}}}}}),
        json!({"id": "pay.charge", "risk": "critical", "method": "POST", "attributes": {"amount": "args.cents / 100", "recipient": "args.mail"},
            "input_schema": {"properties": {"cents": {}, "mail": {}, "note": {}}}}),
        json!({"id": "mail.send", "risk": "medium", "method": "POST", "input_schema": open}),
        json!({"id": "crm.read", "verb": "READ", "looks_up": "crm.get",
            "input_schema": {"properties": {"id": {}}, "additionalProperties": false}}),
        json!({"id": "web.request", "verb": "DELETE", "method": "DELETE", "category": "raw", "input_schema": open}),
        json!({"id": "raw.tool.deep", "verb": "ADMIN"}),
    ]
}

fn call(dice: &mut Dice) -> Value {
    let tool = dice.word(&[
        "pay.refund",
        "pay.refund",
        "pay.charge",
        "mail.send",
        "crm.read",
        "web.request",
        "raw.tool.deep",
        "other.tool",
    ]);
    let mut call = json!({"tool": tool, "agent": dice.word(&["bot", "ops-bot"]), "args": arguments(dice),
        "now": dice.word(&["2026-06-16T15:14:22.104Z", "2026-06-20T23:30:00Z", "2026-06-15T00:05:00Z"])});
    let texts = [
        ("env", ["prod", "dev"]),
        ("role", ["agent", "service"]),
        ("workflow", ["refunds", "other"]),
        ("project", ["p1", "p2"]),
        ("runtime", ["langchain", "custom"]),
        ("tenant", ["default", "acme"]),
        ("resource", ["charge:1", "order:x"]),
    ];
    if let Some(members) = call.as_object_mut() {
        for (key, of) in texts {
            if dice.falls(55) {
                members.insert(key.to_owned(), dice.word(&of).into());
            }
        }
        extras(dice, members);
    }
    call
}

fn extras(dice: &mut Dice, call: &mut Map<String, Value>) {
    let tool = call
        .get("tool")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    // The gate reads an entity, and derives a resource, only where the descriptor says how.
    if tool != "pay.refund" {
        call.remove("resource");
    }
    let entity = if tool == "crm.read" { 60 } else { 0 };
    let groups = [json!([]), json!(["admins"]), json!(["admins", "ops"])];
    let things = [
        (
            "user",
            json!({"id": "ana@acme.com", "groups": dice.one(&groups)}),
            50,
        ),
        ("chain", json!(["root-bot", "bot"]), 30),
        ("trigger", json!({"source": "zendesk", "id": "t-1"}), 40),
        ("trigger_confirmed", json!(dice.falls(50)), 40),
        ("allow_duplicate", json!(dice.falls(50)), 20),
        (
            "entity",
            json!({"total": dice.one(&[json!(50), json!("50"), json!(null), json!(999)]), "status": "open"}),
            entity,
        ),
        ("own_domains", json!(["acme.com", "corp.example"]), 60),
        ("places", places(dice), 20),
        (
            "approval",
            json!({"state": "approved", "approvers": ["ana@acme.com"], "expires_at": "2026-06-17T00:00:00Z",
            "id": "apr_00000000000000000000000000000000"}),
            20,
        ),
        ("history", history(dice), 75),
        (
            "result",
            json!({"note": text(dice), "total": dice.one(&[json!(1), json!(999), json!(null)])}),
            20,
        ),
    ];
    for (key, value, times) in things {
        if dice.falls(times) {
            call.insert(key.to_owned(), value);
        }
    }
}

fn places(dice: &mut Dice) -> Value {
    let mut places = Map::new();
    for (key, value) in [
        (
            "url",
            json!(dice.word(&[
                "https://api.acme.com/v1/x",
                "https://api.acme.com.evil/",
                "https://api.acme.com"
            ])),
        ),
        ("host", json!("api.acme.com")),
        ("external", json!(dice.falls(50))),
        ("recipient", json!(["ana@acme.com", "eve@evil.org"])),
        ("tags", json!({"team": "core", "env": "prod"})),
        ("amount", json!(7)),
        ("repo", json!("acme/api")),
    ] {
        if dice.falls(40) {
            places.insert(key.to_owned(), value);
        }
    }
    Value::Object(places)
}

fn text(dice: &mut Dice) -> String {
    dice.word(&[
        "x",
        "y",
        "X",
        "internal only",
        "ｉｎｔｅｒｎａｌ only",
        "in\u{200b}ternal only",
        "mail ana@acme.com",
        "5",
        "5.0",
        "$5000",
        "5,000",
        "2026-06-16",
        "2026-13-01",
        "10m",
        "2h",
        "https://api.acme.com/a",
        "https://u@evil.org/",
        "charge:1",
        "",
        "high",
        "prod",
        "admins",
    ])
}

fn plain(dice: &mut Dice) -> Value {
    let odd: [&str; 12] = [
        "0",
        "1",
        "5",
        "5.0",
        "5e3",
        "500",
        "501",
        "-3",
        "0.1",
        "1e400",
        "1234567890123456789012345678901234567890",
        "499.999999999999999",
    ];
    match dice.below(10) {
        0..=3 => serde_json::from_str(&dice.word(&odd)).unwrap_or_default(),
        4..=6 => Value::String(text(dice)),
        7 => Value::Bool(dice.falls(50)),
        8 => Value::Null,
        _ => json!(dice.word(&[
            "eve@evil.org",
            "ana@acme.com",
            "ana@eu.acme.com",
            "ana@acme.com.evil",
            "a@b@acme.com",
            "acme.com",
            "ACME.COM"
        ])),
    }
}

fn arguments(dice: &mut Dice) -> Value {
    let mut args = Map::new();
    for name in [
        "amount",
        "cents",
        "note",
        "to",
        "charge",
        "tags",
        "id",
        "mail",
        "repo",
        "branch",
        "path",
        "host",
        "recipient",
        "wait",
        "due",
        "customer",
    ] {
        if dice.falls(35) {
            args.insert(name.to_owned(), argument(dice));
        }
    }
    Value::Object(args)
}

fn argument(dice: &mut Dice) -> Value {
    match dice.below(10) {
        0..=6 => plain(dice),
        7 => Value::Array((0..dice.below(4)).map(|_| plain(dice)).collect()),
        8 => json!({"id": plain(dice), "tier": plain(dice)}),
        _ => Value::Array(
            (0..dice.below(3))
                .map(|_| json!({"price": plain(dice), "name": text(dice)}))
                .collect(),
        ),
    }
}

fn history(dice: &mut Dice) -> Value {
    let calls: Vec<Value> = (0..dice.below(6)).map(|_| earlier(dice)).collect();
    let mut history = json!({"calls": calls, "known": 86_400 * (1 + dice.below(8))});
    if let Some(members) = history.as_object_mut() {
        if dice.falls(70) {
            members.insert("burst".to_owned(), json!(dice.falls(50)));
        }
        if dice.falls(70) {
            let seen = json!({"user": [plain(dice), plain(dice)], "result": [plain(dice)], "external": [plain(dice), plain(dice)]});
            members.insert("seen".to_owned(), seen);
        }
    }
    history
}

fn earlier(dice: &mut Dice) -> Value {
    let mut call = json!({
        "tool": dice.word(&["pay.refund", "mail.send", "crm.read"]),
        "agent": dice.word(&["bot", "ops-bot"]),
        "ago": dice.one(&[30, 500, 1_700, 5_000, 100_000]),
        "session": dice.falls(60),
        "verdict": dice.word(&["allow", "allow", "deny"]),
        "external": dice.falls(30),
        "measures": {"args.amount": dice.below(400), "amount": dice.below(400)},
        "limits": dice.one(&[json!([]), json!(["d0/r1"]), json!(["d0/r1", "d0/r2"]), json!(["d1/r1"])]),
        "read": dice.one(&[json!([]), json!(["PII"]), json!(["SECRETS", "PII"])]),
        "signals": dice.one(&[json!([]), json!(["instructions"])]),
    });
    if let Some(members) = call.as_object_mut() {
        for (key, of) in [
            ("resource", ["charge:1", "order:x"]),
            ("user", ["ana@acme.com", "bob@acme.com"]),
        ] {
            if dice.falls(60) {
                members.insert(key.to_owned(), dice.word(&of).into());
            }
        }
    }
    call
}
