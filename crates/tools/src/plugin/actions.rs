//! A plugin's actions as tools. Pure.
//!
//! The action `issue` of the source `refunds` is the tool `refunds.issue`, for grants of actions
//! `refunds:issue`, and pending by default: people say yes to it, or the operator's own posture does.
//! What a plugin says of risk and verb raises what the gate's own lexicon finds, and lowers nothing.
//! Beside each action stands `refunds.issue/reflect`, with which the gate alone looks whether a lost
//! call landed.
//!
//! Must not know: how a plugin is reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolgate_model::{
    Backoff, Descriptor, Effect, EffectCheck, EffectLook, Probe, ResourceTemplate, Risk, RiskScore,
    Runner, Stance, Template, ToolId, Verb,
};

use crate::config::{Overrides, Secret, SourceConfig, ToolOverride};
use crate::describe::{self, Offered, Origin, UnavailableTool};
use crate::era::{Era, LEGACY_NEWEST};
use crate::message;
use crate::names;

/// What the hidden tool's operation ends with; no action's does.
const REFLECT: &str = "/reflect";
/// How often an effect is looked for where the operator does not say: as for any probe.
const TRIES: u32 = 5;
/// No header of a request to a plugin is the operator's to choose.
static NO_HEADERS: BTreeMap<String, Secret> = BTreeMap::new();

/// Describes the actions of one plugin, and beside each what its effect is looked for with.
pub(super) fn describe(
    config: &SourceConfig,
    (actions, version): (&[Value], Option<&str>),
    overrides: &Overrides,
) -> (Vec<Offered>, Vec<UnavailableTool>) {
    let origin = Origin {
        source: &config.name,
        wire_names: config.wire_names,
        limits: config.limits,
        version,
        era: Era::Legacy(LEGACY_NEWEST),
        headers: Some(&NO_HEADERS),
        effect: config.effect,
    };
    let mut known = Overrides::new();
    let mut definitions = Vec::new();
    let mut unavailable = Vec::new();
    for action in actions {
        match read(origin, action, overrides) {
            Ok((id, definition, stated)) => {
                known.insert(id, stated);
                definitions.push(message::raw(&definition));
            }
            Err((tool, reason)) => unavailable.push(UnavailableTool {
                source: config.name.clone(),
                tool,
                reason,
            }),
        }
    }
    let (described, refused) = describe::describe(origin, &definitions, &known);
    unavailable.extend(refused);
    let mut offered = Vec::new();
    for tool in described {
        offered.extend(reflect(origin, &tool, overrides));
        offered.push(own(tool, overrides));
    }
    (offered, unavailable)
}

/// An action's id, its definition as a tool's, and what is stated of it.
type Read = (ToolId, Value, ToolOverride);

fn read(
    origin: Origin<'_>,
    action: &Value,
    overrides: &Overrides,
) -> Result<Read, (String, String)> {
    let name = action.get("id").and_then(Value::as_str).unwrap_or_default();
    let shown = || message::excerpt(name, 64);
    if name.is_empty() {
        return Err((shown(), "it has no `id`".to_owned()));
    }
    if name.ends_with(REFLECT) {
        let why = format!("its id ends with `{REFLECT}`, which is the gate's own");
        return Err((shown(), why));
    }
    let id = names::tool_id(origin.source, name).map_err(|why| (shown(), why))?;
    let mut stated = overrides.get(&id).cloned().unwrap_or_default();
    stated.posture = stated.posture.or(Some(Stance::RequireApproval));
    if stated.resource.is_none() {
        stated.resource = resource(action).map_err(|why| (shown(), why))?;
    }
    if action.get("reflect") != Some(&Value::Bool(false)) {
        looked_for(&id, &mut stated);
    }
    Ok((id, definition(action), stated))
}

/// The action as a tool's definition: all that it says stays in it, so that all of it is pinned.
fn definition(action: &Value) -> Value {
    let mut claims = action.as_object().cloned().unwrap_or_default();
    let mut take = |key: &str| claims.shift_remove(key).filter(|value| !value.is_null());
    let parts = [
        ("name", take("id")),
        ("title", take("label")),
        ("description", take("description")),
        ("inputSchema", take("input_schema")),
        ("version", take("version")),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let mut whole: Map<String, Value> = parts.collect();
    whole.insert("action".to_owned(), Value::Object(claims));
    Value::Object(whole)
}

/// What a call of the action is about, by its own account.
fn resource(action: &Value) -> Result<Option<ResourceTemplate>, String> {
    match action.get("resource") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => ResourceTemplate::parse(text)
            .map(Some)
            .map_err(|why| format!("its `resource` is no template: {why}")),
        Some(_) => Err("its `resource` is no text".to_owned()),
    }
}

/// States that the effect is looked for with `reflect`, where the operator names no other probe.
fn looked_for(id: &ToolId, stated: &mut ToolOverride) {
    let whole = json!({"arguments": "{args}", "invocation_id": "{invocation.id}"});
    let (Ok(tool), Ok(arguments)) = (hidden(id), Template::parse(whole)) else {
        return;
    };
    let check = stated.checks.effect.get_or_insert(EffectCheck {
        tries: TRIES,
        backoff: Backoff::default(),
        ..EffectCheck::default()
    });
    check.look.get_or_insert(EffectLook {
        probe: Probe { tool, arguments },
        landed: "result.found == true".to_owned(),
    });
}

fn hidden(id: &ToolId) -> Result<ToolId, String> {
    let text = format!("{id}{REFLECT}");
    text.parse().map_err(|error| format!("{error}"))
}

/// The action's tool, with what only a plugin's tools have.
fn own(mut tool: Offered, overrides: &Overrides) -> Offered {
    let descriptor = Arc::make_mut(&mut tool.descriptor);
    // The provider is the source as the operator calls it, whatever the plugin calls itself.
    let (source, operation) = (descriptor.id.source(), descriptor.id.operation());
    descriptor.action = Some(format!("{source}:{operation}"));
    let stated = overrides.get(&descriptor.id);
    if stated.is_none_or(|stated| stated.risk.is_none()) {
        raise(descriptor);
    }
    if stated.is_none_or(|stated| stated.verb.is_none()) {
        let claimed = claim(descriptor, "verb").and_then(Verb::parse);
        descriptor.verb = claimed.map_or(descriptor.verb, |verb| verb.max(descriptor.verb));
    }
    tool
}

/// Rates the action as high as it says it is, where that is higher.
fn raise(descriptor: &mut Descriptor) {
    let Some(claimed) = claim(descriptor, "risk").and_then(Risk::parse) else {
        return;
    };
    if claimed > descriptor.risk {
        descriptor.risk = claimed;
        descriptor.risk_score = RiskScore::of_band(claimed);
        let reason = &mut descriptor.risk_reason;
        *reason = format!("{reason}; the plugin says {claimed}");
    }
}

fn claim<'d>(descriptor: &'d Descriptor, key: &str) -> Option<&'d str> {
    descriptor.definition.get("action")?.get(key)?.as_str()
}

/// What the gate alone looks with, where the action's effect is looked for so.
fn reflect(origin: Origin<'_>, tool: &Offered, overrides: &Overrides) -> Option<Offered> {
    let id = hidden(&tool.descriptor.id).ok()?;
    let effect = tool.descriptor.checks.effect.as_ref();
    let look = effect.and_then(|effect| effect.look.as_ref());
    look.filter(|look| look.probe.tool == id)?;
    let stated = ToolOverride {
        risk: Some(Risk::Low),
        verb: Some(Verb::Read),
        effect: Some(Effect::None),
        timeout: overrides.get(&id).and_then(|stated| stated.timeout),
        posture: Some(Stance::Deny),
        ..ToolOverride::default()
    };
    let definition = json!({
        "name": id.operation(),
        "description": "Says whether the effect of one call of the action is there.",
        "inputSchema": {
            "type": "object",
            "properties": {"arguments": {}, "invocation_id": {"type": "string"}},
            "required": ["arguments", "invocation_id"],
        },
    });
    let wire = names::method_wire_name(origin.wire_names, &id);
    let mut descriptor = describe::descriptor(origin, definition, (id, wire), stated).ok()?;
    "only the gate looks with it".clone_into(&mut descriptor.risk_reason);
    descriptor.runner = Runner::Probe;
    Some(Offered {
        name: tool.name.clone(),
        descriptor: Arc::new(descriptor),
    })
}

#[cfg(test)]
mod tests {
    use super::describe;
    use crate::config::{Overrides, Secret, SourceConfig, SourceKind, ToolOverride};
    use crate::plugin::PluginConfig;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};
    use toolgate_model::{Effect, EffectCheck, Risk, Stance, Verb};

    fn config() -> SourceConfig {
        let plugin = PluginConfig {
            url: "http://127.0.0.1:9100".to_owned(),
            secret: Secret::new(""),
            owner: None,
        };
        SourceConfig::new("refunds", SourceKind::Plugin(Box::new(plugin)))
    }

    fn check(actions: &Value, overrides: &Overrides, expected: &Expect) {
        let actions = actions.as_array().unwrap();
        let (offered, unavailable) = describe(&config(), (actions, Some("3.0")), overrides);
        let mut lines = Vec::new();
        for tool in &offered {
            let it = &tool.descriptor;
            let action = it.action.as_deref().unwrap_or("-");
            let look = it.checks.effect.as_ref().and_then(|it| it.look.as_ref());
            let look = look.map_or("-", |look| look.probe.tool.as_str());
            let resource = it.resource.as_ref().map_or("-", |it| it.as_str());
            lines.push(format!(
                "{} {action} {} {} {:?} {:?} {:?} {resource} look={look} {}",
                it.id, it.risk, it.verb, it.effect, it.posture, it.runner, it.risk_reason
            ));
        }
        for one in unavailable {
            lines.push(format!("- {}: {}", one.tool, one.reason));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn an_action_is_a_tool_that_waits_for_a_person_and_a_look_that_nobody_calls() {
        let schema = json!({"type": "object", "properties": {"charge": {"type": "string"}}});
        let actions = json!([
            {"id": "issue_refund", "label": "Issue", "input_schema": schema,
             "resource": "charge:{args.charge}", "requires_confirmation": false},
            {"id": "get_status", "reflect": false},
        ]);
        check(
            &actions,
            &Overrides::new(),
            &expect![[r#"
            refunds.issue_refund/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.issue_refund refunds:issue_refund critical WRITE Some Some(RequireApproval) Gate charge:{args.charge} look=refunds.issue_refund/reflect its name says `refund`: it is about money
            refunds.get_status refunds:get_status low READ Some Some(RequireApproval) Gate - look=- its name reads"#]],
        );
    }

    #[test]
    fn what_a_plugin_claims_raises_and_never_lowers() {
        let actions = json!([
            {"id": "get_status", "risk": "critical", "verb": "delete"},
            {"id": "delete_account", "risk": "low", "verb": "read", "effect": "none",
             "idempotent": true, "annotations": {"readOnlyHint": true}},
            {"id": "get_more", "risk": "none at all", "verb": 7},
        ]);
        check(
            &actions,
            &Overrides::new(),
            &expect![[r#"
            refunds.get_status/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.get_status refunds:get_status critical DELETE Some Some(RequireApproval) Gate - look=refunds.get_status/reflect its name reads; the plugin says critical
            refunds.delete_account/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.delete_account refunds:delete_account high DELETE Some Some(RequireApproval) Gate - look=refunds.delete_account/reflect its name says `delete`: it takes something away
            refunds.get_more/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.get_more refunds:get_more low READ Some Some(RequireApproval) Gate - look=refunds.get_more/reflect its name reads"#]],
        );
    }

    #[test]
    fn what_the_operator_says_wins() {
        let stated = ToolOverride {
            risk: Some(Risk::Low),
            verb: Some(Verb::Read),
            effect: Some(Effect::None),
            posture: Some(Stance::Allow),
            checks: toolgate_model::Checks {
                effect: Some(EffectCheck::default()),
                ..toolgate_model::Checks::default()
            },
            ..ToolOverride::default()
        };
        let overrides = Overrides::from([("refunds.delete_all".parse().unwrap(), stated)]);
        let actions = json!([{"id": "delete_all", "risk": "critical", "verb": "ADMIN"}]);
        check(
            &actions,
            &overrides,
            &expect![[r#"
            refunds.delete_all/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.delete_all refunds:delete_all low READ None Some(Allow) Gate - look=refunds.delete_all/reflect the operator says so"#]],
        );
    }

    #[test]
    fn an_action_that_cannot_be_described_costs_no_other() {
        let actions = json!([
            {"label": "nameless"},
            7,
            {"id": "issue/reflect"},
            {"id": "a", "resource": "charge:{charge}"},
            {"id": "b", "resource": 7},
            {"id": "c", "input_schema": []},
            {"id": "d"},
            {"id": "d", "description": "again"},
            {"id": "other:*"},
        ]);
        check(
            &actions,
            &Overrides::new(),
            &expect![[r#"
            refunds.d/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.d refunds:d high WRITE Some Some(RequireApproval) Gate - look=refunds.d/reflect nothing tells what it does
            refunds.other__-a6db7291/reflect - low READ None Some(Deny) Probe - look=- only the gate looks with it
            refunds.other__-a6db7291 refunds:other__-a6db7291 high WRITE Some Some(RequireApproval) Gate - look=refunds.other__-a6db7291/reflect nothing tells what it does
            - : it has no `id`
            - : it has no `id`
            - issue/reflect: its id ends with `/reflect`, which is the gate's own
            - a: its `resource` is no template: `{charge}` in `charge:{charge}` is not `{args.name}`
            - b: its `resource` is no text
            - c: its `inputSchema` is no object
            - d: an earlier tool has the id `refunds.d`"#]],
        );
    }

    #[test]
    fn all_that_an_action_says_is_pinned() {
        let pinned = |action: Value| {
            let (offered, _) = describe(&config(), (&[action], None), &Overrides::new());
            offered.last().unwrap().descriptor.definition.clone()
        };
        let plain = json!({"id": "a", "label": "A", "description": "d", "risk": "low"});
        for (key, value) in [
            ("label", json!("B")),
            ("description", json!("e")),
            ("risk", json!("high")),
            ("requires_confirmation", json!(false)),
            ("resource", json!("x:{args.x}")),
            ("reflect", json!(false)),
            ("anything", json!(1)),
        ] {
            let mut other = plain.clone();
            other[key] = value;
            assert_ne!(pinned(plain.clone()), pinned(other), "{key}");
        }
    }
}
