//! What becomes of the tools that a source lists, name by name and reason by reason.
//!
//! Each case is a list of definitions as a server writes them.

use super::{Offered, Origin, describe, distinct, is_wire_name};
use crate::config::{Overrides, SourceLimits, ToolOverride, WireNames};
use crate::era::Era;
use crate::message::raw;
use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use serde_json::{Value, json};
use toolgate_model::{Effect, ResourceTemplate, Risk, Verb};

const ORIGIN: Origin<'static> = Origin {
    source: "tickets",
    wire_names: WireNames::Prefixed,
    limits: SourceLimits {
        tools_max: 6,
        offers_max: 6,
        definition_bytes_max: 1_000,
        description_bytes_max: 100,
        start_timeout: toolgate_model::Duration::from_secs(1),
        call_timeout: toolgate_model::Duration::from_secs(7),
        message_bytes_max: 1_000,
    },
    version: Some("2.1"),
    era: Era::Modern,
    headers: None,
    effect: Effect::Some,
};

fn line(tool: &Offered) -> String {
    let d = &tool.descriptor;
    format!("{} {} {}", d.id, d.wire_name, d.version)
}

fn check(origin: Origin<'_>, tools: &[Value], overrides: &Overrides, expected: Expect) {
    let tools: Vec<_> = tools.iter().map(raw).collect();
    let (offered, unavailable) = describe(origin, &tools, overrides);
    let mut lines: Vec<String> = offered.iter().map(line).collect();
    lines.extend(
        unavailable
            .iter()
            .map(|one| format!("- {}: {}", one.tool, one.reason)),
    );
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn names_are_made_for_policies_and_for_clients() {
    let long = "a_name_that_goes_on_and_on_until_nobody_reads_it";
    check(
        ORIGIN,
        &[
            json!({"name": "comment.create"}),
            json!({"name": "a b"}),
            json!({"name": "a_b"}),
            json!({"name": long, "version": "9"}),
            json!({"name": "x", "_meta": {"version": "8"}}),
        ],
        &Overrides::new(),
        expect![[r#"
            tickets.comment.create tickets__comment_create 2.1
            tickets.a_b-c8687a08 tickets__a_b-c8687a08 2.1
            tickets.a_b tickets__a_b 2.1
            tickets.a_name_that_goes_on_and_on_until_nobody_reads_it tickets__a_name_that_goes_on_and_on_unt_b64db7af 9
            tickets.x tickets__x 8"#]],
    );
    let bare = Origin {
        wire_names: WireNames::Bare,
        version: None,
        ..ORIGIN
    };
    check(
        bare,
        &[
            json!({"name": "comment.create", "version": "a\nb"}),
            json!({"name": "toolgate_await"}),
        ],
        &Overrides::new(),
        expect![[r#"
            tickets.comment.create comment_create 1.0.0
            - toolgate_await: its wire name `toolgate_await` begins like the gate's own tools; give it a `wire_name`"#]],
    );
}

#[test]
fn a_name_is_the_same_whatever_stands_beside_it() {
    let wanted = raw(&json!({"name": "größe"}));
    let other = raw(&json!({"name": "gr__e"}));
    let alone = describe(ORIGIN, std::slice::from_ref(&wanted), &Overrides::new()).0;
    let second = describe(ORIGIN, &[other, wanted], &Overrides::new()).0;
    assert_eq!(alone[0], second[1]);
}

#[test]
fn what_cannot_be_described_is_left_out_alone() {
    check(
        ORIGIN,
        &[
            json!({"name": "a.b"}),
            json!({"name": "a_b"}),
            json!({"name": "a.b"}),
            json!({"name": "big", "x": "y".repeat(2_000)}),
            json!({"name": "wordy", "description": "y".repeat(101)}),
            json!({"name": "ok"}),
            json!({"name": "seventh"}),
        ],
        &Overrides::new(),
        expect![[r#"
            tickets.a.b tickets__a_b 2.1
            tickets.ok tickets__ok 2.1
            - a_b: an earlier tool has the wire name `tickets__a_b`; give this one a `wire_name`
            - a.b: an earlier tool has the id `tickets.a.b`
            - big: its definition cannot be read: the text has 2021 bytes, more than the 1000 allowed
            - wordy: its `description` has 101 bytes, more than the 100 allowed
            - seventh: the source offers more than the 6 tools allowed"#]],
    );
    let twice: crate::describe::Raw = serde_json::from_str(r#"{"name":"t","name":"u"}"#).unwrap();
    let (offered, unavailable) = describe(ORIGIN, &[twice], &Overrides::new());
    assert!(offered.is_empty());
    expect!["its definition cannot be read: the key `name` stands twice at line 1, column 18"]
        .assert_eq(&unavailable[0].reason);
}

#[test]
fn marks_matter_where_they_become_headers() {
    let none = std::collections::BTreeMap::new();
    let schema = json!({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}});
    let tool = raw(&json!({"name": "x", "inputSchema": schema}));
    let legacy = Era::Legacy("2025-11-25");
    for (headers, era, kept) in [
        (Some(&none), Era::Modern, 0),
        (Some(&none), legacy, 1),
        (None, Era::Modern, 1),
        (None, legacy, 1),
    ] {
        let origin = Origin {
            headers,
            era,
            ..ORIGIN
        };
        let (offered, _) = describe(origin, std::slice::from_ref(&tool), &Overrides::new());
        assert_eq!(offered.len(), kept, "{era:?} {headers:?}");
    }
}

#[test]
fn the_operators_word_wins() {
    let stated = ToolOverride {
        risk: Some(Risk::Low),
        verb: Some(Verb::Read),
        effect: Some(Effect::None),
        resource: Some(ResourceTemplate::parse("customer:{args.c}").unwrap()),
        version: Some("5".to_owned()),
        wire_name: Some("pay_back".to_owned()),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("tickets.refund".parse().unwrap(), stated)]);
    let (offered, _) = describe(ORIGIN, &[raw(&json!({"name": "refund"}))], &overrides);
    let d = &offered[0].descriptor;
    expect![[r#"pay_back low 15 READ None Some(ResourceTemplate("customer:{args.c}")) 5 the operator says so"#]].assert_eq(&format!(
        "{} {} {} {} {:?} {:?} {} {}",
        d.wire_name,
        d.risk,
        d.risk_score.hundredths(),
        d.verb,
        d.effect,
        d.resource,
        d.version,
        d.risk_reason,
    ));
    let bad = ToolOverride {
        wire_name: Some("a.b".to_owned()),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("tickets.refund".parse().unwrap(), bad)]);
    check(
        ORIGIN,
        &[json!({"name": "refund"})],
        &overrides,
        expect!["- refund: its `wire_name` `a.b` is not 1 to 48 letters, digits, `_`, `-`"],
    );
}

#[test]
fn a_tool_that_only_claims_to_read_may_still_leave_a_trace() {
    let tool = json!({"name": "get_it", "annotations": {"readOnlyHint": true}});
    let (offered, _) = describe(ORIGIN, &[raw(&tool)], &Overrides::new());
    assert_eq!(offered[0].descriptor.effect, Effect::Some);
    assert_eq!(offered[0].descriptor.definition, tool);
    assert_eq!(offered[0].descriptor.timeout.to_string(), "7s");
}

#[test]
fn two_sources_never_share_a_wire_name() {
    let mine = describe(ORIGIN, &[raw(&json!({"name": "x"}))], &Overrides::new()).0;
    let stated = ToolOverride {
        wire_name: Some("tickets__x".to_owned()),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("other.y".parse().unwrap(), stated)]);
    let other = Origin {
        source: "other",
        ..ORIGIN
    };
    let theirs = describe(other, &[raw(&json!({"name": "y"}))], &overrides).0;
    let (kept, left_out) = distinct(mine.iter().chain(&theirs));
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (left_out[0].source.as_str(), left_out[0].tool.as_str()),
        ("other", "y")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_name_gives_a_wire_name_or_a_reason(name in ".{0,80}") {
        let (offered, unavailable) = describe(ORIGIN, &[raw(&json!({"name": name}))], &Overrides::new());
        prop_assert!(offered.len() + unavailable.len() == 1);
        for tool in offered {
            prop_assert!(is_wire_name(&tool.descriptor.wire_name));
            prop_assert!(tool.descriptor.id.source() == "tickets");
        }
    }
}
