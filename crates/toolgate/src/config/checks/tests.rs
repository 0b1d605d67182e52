//! The tables of the contract as they are read, and every mistake in them with its place.
//!
//! The example is 3-execution, 4, letter by letter.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use toolgate_model::{Checks, Duration, Effect, KeyPlace, Recovery, Template};
use toolgate_tools::ToolOverride;

use crate::config::{ConfigFile, Flags, Resolved, resolve};

const EXAMPLE: &str = r#"
[tools."stripe.refund"]
risk = "high"
resource = "customer:{args.customer}"
timeout = "20s"
duplicate_window = "5m"
[tools."stripe.refund".entity]
probe = "stripe.get_charge"
args = { id = "{args.charge}" }
match = { "customer" = "{args.customer}", "refunded" = false }
pin = ["customer", "amount", "currency", "refunded"]
[tools."stripe.refund".effect]
idempotency = { header = "Idempotency-Key" }
probe = "stripe.list_refunds"
args = { charge = "{args.charge}" }
landed = "any(result.data, r, r.metadata.invocation_id == $invocation.id)"
lands_within = "90s"
tries = 7
backoff = "2s..30s"
[tools."stripe.refund".trigger]
probe = "stripe.get_event"
args = { id = "{trigger.id}" }
match = { "type" = "charge.dispute.created", "data.object.charge" = "{args.charge}" }
"#;

fn read(text: &str) -> Result<Resolved, Vec<toolgate_model::Diagnostic>> {
    let file = ConfigFile {
        path: PathBuf::from("toolgate.toml"),
        text: text.to_owned(),
    };
    resolve(&Flags::new(), &BTreeMap::new(), Some(&file))
}

fn stated(text: &str) -> ToolOverride {
    let resolved = read(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let id = "stripe.refund".parse().unwrap();
    resolved.config.overrides.get(&id).unwrap().clone()
}

fn template(json: Value) -> Template {
    Template::parse(json).unwrap()
}

#[test]
fn the_example_of_the_contract_is_read_to_the_last_key() {
    let ToolOverride { checks, effect, .. } = stated(EXAMPLE);
    let Checks {
        entity,
        effect: check,
        trigger,
        duplicate_window,
    } = checks;
    assert_eq!(effect, Some(Effect::Some));
    assert_eq!(duplicate_window, Some(Duration::from_secs(300)));

    let entity = entity.unwrap();
    assert_eq!(entity.probe.tool.as_str(), "stripe.get_charge");
    assert_eq!(
        entity.probe.arguments,
        template(json!({"id": "{args.charge}"}))
    );
    let matches = BTreeMap::from([
        ("customer".to_owned(), template(json!("{args.customer}"))),
        ("refunded".to_owned(), template(json!(false))),
    ]);
    assert_eq!(entity.matches, matches);
    assert_eq!(entity.pin, ["customer", "amount", "currency", "refunded"]);
    assert_eq!(entity.list, None);

    let check = check.unwrap();
    let header = KeyPlace::Header("Idempotency-Key".to_owned());
    assert_eq!(check.idempotency, Some(header));
    let look = check.look.unwrap();
    assert_eq!(look.probe.tool.as_str(), "stripe.list_refunds");
    assert_eq!(
        look.probe.arguments,
        template(json!({"charge": "{args.charge}"}))
    );
    assert!(look.landed.starts_with("any(result.data"));
    assert_eq!(check.lands_within, Some(Duration::from_secs(90)));
    assert_eq!(check.tries, 7);
    assert_eq!(check.backoff.first, Duration::from_secs(2));
    assert_eq!(check.backoff.last, Duration::from_secs(30));

    let trigger = trigger.unwrap();
    assert_eq!(trigger.probe.tool.as_str(), "stripe.get_event");
    assert_eq!(
        trigger.probe.arguments,
        template(json!({"id": "{trigger.id}"}))
    );
    let path = "data.object.charge";
    assert_eq!(trigger.matches[path], template(json!("{args.charge}")));
}

#[test]
fn what_is_not_said_has_the_published_default() {
    let text = r#"
[tools."stripe.refund".entity]
probe = "stripe.find"
list = "data.items"
[tools."stripe.refund".effect]
probe = "stripe.list_refunds"
args = { ref = "{invocation.id}", deep = { limit = 5, all = [true, "{args.a.b}"] } }
landed = "count(result.data) > 0"
"#;
    let checks = stated(text).checks;
    let entity = checks.entity.unwrap();
    assert_eq!(entity.list.as_deref(), Some("data.items"));
    assert!(entity.matches.is_empty() && entity.pin.is_empty());
    let check = checks.effect.unwrap();
    assert_eq!((check.tries, check.lands_within), (5, None));
    assert_eq!(check.backoff, toolgate_model::Backoff::default());
    let arguments = json!({
        "ref": "{invocation.id}", "deep": {"limit": 5, "all": [true, "{args.a.b}"]},
    });
    assert_eq!(check.look.unwrap().probe.arguments, template(arguments));
    assert_eq!((checks.trigger, checks.duplicate_window), (None, None));
}

#[test]
fn the_class_of_a_tool_follows_from_its_table() {
    let key = r#"effect = { idempotency = { meta = "com.example/key" } }"#;
    let probe = r#"effect = { probe = "stripe.list", landed = "result.found" }"#;
    for (line, expected) in [
        (r#"effect = "none""#, Recovery::Read),
        (r#"effect = "some""#, Recovery::Irreversible),
        ("", Recovery::Irreversible),
        (key, Recovery::Idempotent),
        (probe, Recovery::Checkable),
    ] {
        let stated = stated(&format!("[tools.\"stripe.refund\"]\n{line}\n"));
        let id = "stripe.refund".parse().unwrap();
        let tool = toolgate_model::Descriptor {
            effect: stated.effect.unwrap_or(Effect::Some),
            checks: stated.checks,
            authors: Default::default(),
            ..crate::catalogue::assumed(id, toolgate_model::Risk::High)
        };
        assert_eq!(tool.recovery(), expected, "{line}");
    }
}

/// What is said of the lines below `[tools."stripe.refund".TABLE]`, each problem as
/// `CODE LINE:COLUMN PATH: MESSAGE | HELP`; the first line below has number 2.
fn problems(table: &str, lines: &str) -> Vec<String> {
    let text = format!("[tools.\"stripe.refund\".{table}]\n{lines}\n");
    let Err(problems) = read(&text) else {
        return Vec::new();
    };
    let line = |problem: &toolgate_model::Diagnostic| {
        let span = problem.span.unwrap();
        let path = problem.path.trim_start_matches("tools.stripe.refund.");
        let help = problem.help.as_deref().unwrap_or("NO HELP");
        let (line, column) = (span.line, span.column);
        format!(
            "{} {line}:{column} {path}: {} | {help}",
            problem.code, problem.message
        )
    };
    problems.iter().map(line).collect()
}

const PROBE: &str = "probe = \"stripe.get\"\n";

#[test]
fn every_mistake_has_its_place_and_its_remedy() {
    for (table, lines, expected) in [
        (
            "entity",
            "",
            "C006 1:1 entity: `tools.stripe.refund.entity.probe` is missing",
        ),
        ("entity", "probe = \"get\"", "C003 2:9 entity.probe:"),
        (
            "entity",
            "probe = \"a.b\"\nprobes = 1",
            "C002 3:1 entity.probes:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nlands_within = \"1s\"",
            "C002 3:1 entity.lands_within:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nargs = \"x\"",
            "C003 3:8 entity.args:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nargs = { x = \"{args.y\" }",
            "C003 3:14 entity.args.x:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nargs = { x = \"{env.y}\" }",
            "C003 3:14 entity.args.x:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nargs = { x = 0.5 }",
            "C003 3:14 entity.args.x:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nargs = { x = \"{invocation.id}\" }",
            "C003 3:14 entity.args.x:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nmatch = { x = \"{invocation.id}\" }",
            "C003 3:15 entity.match.x:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nmatch = { a.b = 1 }",
            "C003 3:11 entity.match.a:",
        ),
        (
            "entity",
            "probe = \"a.b\"\npin = [\"\"]",
            "C003 3:7 entity.pin:",
        ),
        (
            "entity",
            "probe = \"a.b\"\npin = [\"a..b\"]",
            "C003 3:7 entity.pin:",
        ),
        (
            "entity",
            "probe = \"a.b\"\npin = [\"a\", \"a\"]",
            "C003 3:7 entity.pin:",
        ),
        (
            "entity",
            "probe = \"a.b\"\npin = \"a\"",
            "C003 3:7 entity.pin:",
        ),
        (
            "entity",
            "probe = \"a.b\"\nlist = \"\"",
            "C003 3:8 entity.list:",
        ),
        (
            "trigger",
            "",
            "C006 1:1 trigger: `tools.stripe.refund.trigger.probe` is missing",
        ),
        (
            "trigger",
            "probe = \"a.b\"\npin = [\"x\"]",
            "C002 3:1 trigger.pin:",
        ),
        (
            "trigger",
            "probe = \"a.b\"\nargs = { x = \"{trigger.type}\" }",
            "C003 3:14 trigger.args.x:",
        ),
        (
            "effect",
            "",
            "C007 1:1 effect: `tools.stripe.refund.effect` has neither",
        ),
        (
            "effect",
            "idempotency = {}",
            "C007 2:15 effect.idempotency:",
        ),
        (
            "effect",
            "idempotency = \"header\"",
            "C003 2:15 effect.idempotency:",
        ),
        (
            "effect",
            "idempotency = { head = \"x\" }",
            "C007 2:15 effect.idempotency:",
        ),
        (
            "effect",
            "idempotency = { header = \"a\", meta = \"b\" }",
            "C007 2:15 effect.idempotency:",
        ),
        (
            "effect",
            "idempotency = { header = \"a b\" }",
            "C003 2:26 effect.idempotency.header:",
        ),
        (
            "effect",
            "idempotency = { header = \"Authorization\" }",
            "C003 2:26 effect.idempotency.header:",
        ),
        (
            "effect",
            "idempotency = { meta = \"progressToken\" }",
            "C003 2:24 effect.idempotency.meta:",
        ),
        (
            "effect",
            "idempotency = { argument = \"\" }",
            "C003 2:28 effect.idempotency.argument:",
        ),
        (
            "effect",
            "landed = \"result.ok\"",
            "C006 1:1 effect: `tools.stripe.refund.effect.probe` is missing",
        ),
        (
            "effect",
            "probe = \"a.b\"",
            "C006 1:1 effect: `tools.stripe.refund.effect.landed` is missing",
        ),
        (
            "effect",
            "probe = \"a.b\"\nlanded = \"result.a == 1 and agent == x\"",
            "C003 3:29 effect.landed:",
        ),
        (
            "effect",
            "probe = \"a.b\"\nlanded = \"result.a == args.b\"",
            "C003 3:23 effect.landed:",
        ),
        (
            "effect",
            "probe = \"a.b\"\nlanded = \"\"",
            "C003 3:11 effect.landed:",
        ),
        (
            "effect",
            "probe = \"a.b\"\nlanded = \"result.a ==\\u0020\"",
            "C003 3:10 effect.landed:",
        ),
        (
            "effect",
            "idempotency = { meta = \"k\" }\ntries = 3",
            "C007 3:9 effect.tries:",
        ),
        (
            "effect",
            "idempotency = { meta = \"k\" }\nlands_within = \"1m\"",
            "C007 3:16 effect.lands_within:",
        ),
        (
            "effect",
            "idempotency = { meta = \"k\" }\nargs = { a = 1 }",
            "C007 3:8 effect.args:",
        ),
    ] {
        let found = problems(table, lines);
        let hit = found.iter().any(|line| line.starts_with(expected));
        assert!(hit, "{table}: {lines}\nwanted {expected}\ngot {found:#?}");
        assert!(
            found.iter().all(|line| !line.ends_with("NO HELP")),
            "{found:#?}"
        );
    }
}

#[test]
fn bounds_of_looking_are_checked() {
    let landed = "landed = \"result.ok\"\n";
    for (line, fits) in [
        ("tries = 1", true),
        ("tries = 50", true),
        ("tries = 51", false),
        ("tries = 0", false),
        ("lands_within = \"1ms\"", true),
        ("lands_within = \"0s\"", false),
        ("lands_within = 90", false),
        ("backoff = \"1s..1s\"", true),
        ("backoff = \"1s..60s\"", true),
        ("backoff = \"60s..1s\"", false),
        ("backoff = \"0s..1s\"", false),
        ("backoff = \"1s\"", false),
        ("backoff = \"1s...5s\"", false),
    ] {
        let found = problems("effect", &format!("{PROBE}{landed}{line}"));
        assert_eq!(found.is_empty(), fits, "{line}: {found:#?}");
        assert!(
            found.iter().all(|found| found.contains(" 4:")),
            "{found:#?}"
        );
    }
}
