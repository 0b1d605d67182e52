//! Writes random documents, rules and expressions as text, parentheses left out at random so that
//! precedence is compared as well.
//!
//! Must not know: calls.

use serde_json::{Map, Value, json};

use super::dice::Dice;

pub(super) fn document(dice: &mut Dice) -> Value {
    let rules: Vec<Value> = (0..1 + dice.below(4)).map(|_| rule(dice)).collect();
    let mut document = json!({"rules": exempting(dice, rules)});
    if let Some(members) = document.as_object_mut() {
        for (key, value, times) in [
            ("env", json!(dice.word(&["prod", "p*", "dev"])), 12),
            ("agent_id", json!([dice.word(&["bot", "*-bot"])]), 8),
            ("workflow", json!(["refunds", "x*"]), 6),
            ("role", json!("agent"), 4),
            ("mode", json!("monitor"), 6),
            ("enabled", json!(false), 3),
            ("time_zone", json!("Europe/Berlin"), 15),
        ] {
            if dice.falls(times) {
                members.insert(key.to_owned(), value);
            }
        }
    }
    document
}

/// Some rules exempt the one before them.
fn exempting(dice: &mut Dice, mut rules: Vec<Value>) -> Vec<Value> {
    for at in 1..rules.len() {
        let before = format!("r{at}");
        if let Some(rule) = rules.get_mut(at).and_then(Value::as_object_mut)
            && dice.falls(12)
        {
            rule.insert("exempts".to_owned(), json!([before]));
        }
    }
    rules
}

fn rule(dice: &mut Dice) -> Value {
    let mut rule = Map::new();
    let on_result = dice.falls(15);
    let effects: &[&str] = if on_result {
        &["deny", "sanitize", "notify", "open_incident"]
    } else {
        &[
            "deny",
            "DENY",
            "require_approval",
            "require_approval",
            "allow",
            "allow",
            "verify_entity",
            "reconcile_before_retry",
            "verify_trigger",
            "sanitize",
            "limit",
            "notify",
            "open_incident",
        ]
    };
    let effect = dice.word(effects);
    rule.insert(dice.word(&["effect", "action"]), json!(effect));
    if on_result {
        rule.insert("on".to_owned(), json!("result"));
    }
    parameters(dice, &effect, &mut rule);
    let when = if on_result && dice.falls(40) {
        result_leaf(dice)
    } else {
        expression(dice, 3)
    };
    for (key, value, times) in [
        ("when", json!(when), 85),
        ("unless", json!(expression(dice, 1)), 15),
        ("match", matching(dice), 35),
        ("condition", condition(dice), 25),
        ("priority", json!(dice.below(4)), 50),
        ("mode", json!(dice.word(&["monitor", "enforce"])), 10),
        ("enabled", json!(false), 4),
        ("code", json!("own_code"), 10),
    ] {
        if dice.falls(times) {
            rule.insert(key.to_owned(), value);
        }
    }
    Value::Object(rule)
}

fn parameters(dice: &mut Dice, effect: &str, rule: &mut Map<String, Value>) {
    let maybe: Vec<(&str, Value, usize)> = match effect {
        "require_approval" => vec![
            ("approvers", json!([dice.word(&["ops", "finance"])]), 40),
            ("quorum", json!(1 + dice.below(3)), 40),
            ("expires_in", json!(dice.word(&["1h", "30m"])), 40),
        ],
        "sanitize" => vec![("sanitize_fields", json!(["note", "customer.id"]), 40)],
        "limit" if dice.falls(30) => vec![
            ("limit", json!({"sum": "amount", "max": 700}), 100),
            ("per", json!(dice.word(&["1h", "tenant/1d"])), 100),
        ],
        "limit" => vec![
            ("limit", json!(1 + dice.below(2)), 100),
            (
                "per",
                json!(dice.word(&["10m", "tool/1h", "session/2d", "resource/1h"])),
                100,
            ),
        ],
        "notify" => vec![("notify", json!("ops-channel"), 100)],
        _ => vec![("notify", json!("ops-channel"), 8)],
    };
    for (key, value, times) in maybe {
        if dice.falls(times) {
            rule.insert(key.to_owned(), value);
        }
    }
}

fn matching(dice: &mut Dice) -> Value {
    let mut keys = Map::new();
    for _ in 0..1 + dice.below(2) {
        let (key, value) = match dice.below(16) {
            0 => ("tool_name", json!(dice.word(&["pay", "m*", "raw"]))),
            1 => ("tool_names", json!(["crm", "pay"])),
            2 => (
                "tools",
                json!([dice.word(&["pay.*", "mail.send", "*.read"])]),
            ),
            3 => (
                "operations",
                json!([dice.word(&["re*", "method:POST", "category:money", "send", "tool.deep"])]),
            ),
            4 => ("verbs", json!([dice.word(&["WRITE", "READ"]), "DELETE"])),
            5 => ("risk", json!(["high", dice.word(&["low", "critical"])])),
            6 => ("resources", json!([dice.word(&["charge:*", "order:?"])])),
            7 => (
                "recipient_patterns",
                json!([dice.word(&["*@acme.com", "eve*"])]),
            ),
            8 => ("repo_patterns", json!(["acme/*", "x"])),
            9 => ("path_patterns", json!(["x*"])),
            10 => ("agent_ids", json!([dice.word(&["bot", "ops-*"])])),
            11 => ("agent_runtime_types", json!(["langchain"])),
            12 => ("methods", json!([dice.word(&["POST", "DELETE"])])),
            13 => (
                "url_patterns",
                json!([dice.word(&[
                    "https://api.acme.com/",
                    "https://api.acme.com",
                    "https://*.evil/"
                ])]),
            ),
            14 => (
                "aws_tags",
                json!({"team": dice.word(&["core", "c*", "other"])}),
            ),
            _ => ("host_patterns", json!(["*.acme.com", "acme.com"])),
        };
        keys.insert(key.to_owned(), value);
    }
    Value::Object(keys)
}

fn condition(dice: &mut Dice) -> Value {
    let (key, value) = match dice.below(9) {
        0 => ("body_contains_any", json!(["Internal Only", "zzz"])),
        1 => (
            "body_contains_all",
            json!(["x", dice.word(&["y", "internal"])]),
        ),
        2 => ("is_external_principal", json!(dice.falls(70))),
        3 => ("has_data_class", json!([dice.word(&["PII", "SECRETS"])])),
        4 => ("new_resource", json!(dice.falls(70))),
        5 => ("volume_burst", json!(dice.falls(70))),
        6 => ("session_has_data_class", json!(["PII"])),
        7 => (
            "time_window",
            json!({"days": ["mon-fri"], "from": "09:00", "to": "17:30", "zone": "Europe/Berlin"}),
        ),
        _ => (
            "time_window",
            json!({"from": "22:00", "to": "06:00", "days": [dice.word(&["sat", "sun-mon"])]}),
        ),
    };
    json!({key: value})
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.falls(35) {
        return leaf(dice);
    }
    let mut inner = || {
        let text = expression(dice, depth - 1);
        if dice.falls(40) {
            format!("({text})")
        } else {
            text
        }
    };
    let (left, right) = (inner(), inner());
    match dice.below(8) {
        0..=2 => format!("{left} and {right}"),
        3..=4 => format!("{left} or {right}"),
        5 => format!("{left} && {right} || {left}"),
        6 => format!("not ({left})"),
        _ => format!("! ({left}) and {right}"),
    }
}

fn name(dice: &mut Dice) -> String {
    dice.word(&[
        "amount",
        "note",
        "to",
        "tags",
        "args.id",
        "cents",
        "customer.id",
        "customer.tier",
        "to[0]",
        "wait",
        "due",
        "args.mail",
    ])
}

fn leaf(dice: &mut Dice) -> String {
    match dice.below(12) {
        0..=2 => format!("{} {} {}", number(dice, 2), order(dice), number(dice, 1)),
        3 => argument_leaf(dice),
        4..=5 => fact_leaf(dice),
        6 => history_leaf(dice),
        7 => format!(
            "{}({}, t, {})",
            dice.word(&["any", "all"]),
            if dice.falls(15) {
                dice.word(&["recipient", "host", "user.groups"])
            } else {
                name(dice)
            },
            dice.word(&[
                "t == x",
                "t != 'x'",
                "t.price > 5",
                "t > 5 or t == y",
                "not t contains x",
                "exists(t.name)",
                "t in [x, 5]"
            ])
        ),
        8 => format!("exists({})", name(dice)),
        9 => format!(
            "{} in [{}]",
            name(dice),
            dice.word(&["x, y", "5, 501", "x, 5, true", "'$5000'"])
        ),
        10 => format!(
            "{} not in [{}]",
            name(dice),
            dice.word(&["x, y", "5", "prod"])
        ),
        _ => dice.word(&[
            "true",
            "false",
            "amount",
            "note",
            "(amount > 5) == false",
            "exists(note) == false",
            "(env == prod) != true",
        ]),
    }
}

fn order(dice: &mut Dice) -> String {
    dice.word(&["==", "!=", "<", "<=", ">", ">="])
}

/// A term of numbers; on the right of an operator names want their `$`.
fn number(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.falls(60) {
        return match dice.below(6) {
            0..=2 => format!("$args.{}", dice.word(&["amount", "cents", "id", "to"])),
            3 => format!("default({}, {})", name(dice), dice.below(9)),
            4 => dice.word(&[
                "count(to)",
                "count(tags)",
                "number(note)",
                "number($args.amount)",
                "$amount",
            ]),
            _ => dice.word(&["0", "5", "500", "0.1", "5000", "-3", "499.5"]),
        };
    }
    let (left, right) = (number(dice, depth - 1), number(dice, depth - 1));
    let sign = dice.word(&["+", "-", "*", "/"]);
    if dice.falls(40) {
        format!("({left} {sign} {right})")
    } else {
        format!("{left} {sign} {right}")
    }
}

fn argument_leaf(dice: &mut Dice) -> String {
    let name = name(dice);
    match dice.below(12) {
        0 => format!("{name} == {}", dice.word(&["x", "'5'", "5", "true", "501"])),
        1 => format!("{name} != {}", dice.word(&["x", "'5'", "5", "false"])),
        2 => format!(
            "{name} contains {}",
            dice.word(&["x", "'@'", "5", "'internal'"])
        ),
        3 => format!(
            "{name} starts_with {}",
            dice.word(&["x", "'2026'", "'https'"])
        ),
        4 => format!("{name} ends_with {}", dice.word(&["x", "'.com'", "m"])),
        5 => format!(
            "{name} matches {}",
            dice.word(&["'*@acme.com'", "'?'", "'*0*'"])
        ),
        6 => format!("{name} ~ {}", dice.word(&["'^x'", "'[0-9]+'", "'acme'"])),
        7 => format!("lower({name}) == {}", dice.word(&["x", "y"])),
        8 => format!(
            "domain({name}) == {}",
            dice.word(&["acme.com", "'evil.org'"])
        ),
        9 => format!(
            "host({name}) == {}",
            dice.word(&["api.acme.com", "'evil.org'"])
        ),
        10 => format!("due {} '2026-06-30'", order(dice)),
        _ => format!(
            "wait {} {}",
            dice.word(&["<", ">=", ">"]),
            dice.word(&["5m", "1h"])
        ),
    }
}

fn fact_leaf(dice: &mut Dice) -> String {
    dice.word(&[
        "env == prod",
        "env in [prod, dev]",
        "role == agent",
        "agent != bot",
        "agent_id starts_with ops",
        "workflow == refunds",
        "project == p1",
        "tenant == acme",
        "runtime == langchain",
        "tool == pay.refund",
        "tool_name in [pay, crm]",
        "operation == refund",
        "tool matches 'm*'",
        "category == money",
        "method == POST",
        "verb == READ",
        "verb in [WRITE, DELETE]",
        "risk >= high",
        "risk == low",
        "risk < critical",
        "resource == 'charge:1'",
        "resource.type == charge",
        "resource.id != '1'",
        "user.id == ana@acme.com",
        "user.groups contains admins",
        "chain.depth > 1",
        "chain.root == root-bot",
        "trigger.source == zendesk",
        "trigger.confirmed",
        "trigger.confirmed == false",
        "entity.total > 100",
        "$args.amount > $entity.total",
        "entity.status == open",
        "time.hour >= 17",
        "time.date == '2026-06-16'",
        "time.weekday == Tuesday",
        "allow_duplicate",
        "body contains 'internal only'",
        "not body contains x",
        "recipient contains acme",
        "recipient == ana@acme.com",
        "host == api.acme.com",
        "repo matches 'acme/*'",
        "is_external_principal",
        "is_external_principal == false",
        "data_class contains PII",
        "not data_class contains SECRETS",
        "url starts_with 'https://api'",
        "approval.state == approved",
        "exists(approval.id)",
        "exists(user.id)",
        "exists(entity.total)",
        "signals contains instructions",
    ])
}

fn history_leaf(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!(
            "rate({}, {}) {} {}",
            scope(dice),
            window(dice),
            order(dice),
            dice.below(4)
        ),
        1 => format!(
            "rate({}, {}, 'pay.*') > {}",
            scope(dice),
            window(dice),
            dice.below(2)
        ),
        2 => format!(
            "sum({}, {}, {}) > {}",
            dice.word(&["args.amount", "amount"]),
            scope(dice),
            window(dice),
            dice.below(700)
        ),
        3 => format!(
            "has_read({}, {}, {})",
            dice.word(&["PII", "SECRETS"]),
            scope(dice),
            window(dice)
        ),
        4 => format!(
            "source({}) contains {}",
            dice.word(&["note", "args.to", "amount", "customer.id"]),
            dice.word(&["user", "result", "external", "none"])
        ),
        _ => dice.word(&[
            "session.calls > 2",
            "session.denials >= 1",
            "session.tools contains mail.send",
            "session.resources contains 'charge:1'",
            "session.data_class contains PII",
            "session.external_content",
            "not session.external_content",
            "session.signals contains instructions",
            "new_resource",
            "new_resource == false",
            "volume_burst",
            "any(to, t, source(t) contains external)",
            "count(session.tools) > 1",
        ]),
    }
}

fn scope(dice: &mut Dice) -> String {
    dice.word(&["agent", "tool", "resource", "tenant", "session", "user"])
}

fn window(dice: &mut Dice) -> String {
    dice.word(&["10m", "1h", "1d", "3d"])
}

fn result_leaf(dice: &mut Dice) -> String {
    dice.word(&[
        "result.total > 100",
        "exists(result.note)",
        "body contains 'internal only'",
        "data_class contains PII",
        "result.note == x",
        "not result.total > 100",
        "result.other == 1",
    ])
}
