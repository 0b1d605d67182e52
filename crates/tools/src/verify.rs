//! Whether the probes that descriptors name are there, only read, and take what they are given.
//!
//! `stripe.refund` says that it is looked for with `stripe.list_refunds` and `{ charge =
//! "{args.charge}" }`: then that tool must exist, be declared `effect = "none"`, know `charge`, ask
//! for nothing else, and `stripe.refund` itself must have an argument `charge`. Found out when the
//! sources have said what they offer, long before an answer is lost (3-execution, 4). Pure.
//!
//! Must not know: how a probe is sent, what its answer means.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use toolgate_model::{Descriptor, Effect, Probe, Template, ToolId, nearest};

use crate::room::{Member, fits, meant, member, missing_step};

/// What is known of a source when nothing is known of its tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not said yet what it offers.
    Starting,
    /// It has.
    Known,
    /// It is down, and never said.
    Down,
}

/// What is wrong with the probes of each tool, in words.
pub(crate) type Faults = BTreeMap<ToolId, Vec<String>>;

/// LIMIT: faults told of one tool; one is enough to keep it from being called.
const FAULTS_MAX: usize = 10;

/// What is wrong with the checks of these tools.
pub(crate) fn faults(tools: &[Arc<Descriptor>], standing: &BTreeMap<String, Standing>) -> Faults {
    let known: BTreeMap<&ToolId, &Descriptor> =
        tools.iter().map(|tool| (&tool.id, &**tool)).collect();
    let mut all = Faults::new();
    for tool in tools {
        let mut found = Vec::new();
        for stated in stated(tool) {
            let of_probe = probe_faults(&stated, &known, standing);
            let lines = of_probe.into_iter().chain(name_faults(&stated, tool));
            found.extend(lines.map(|line| format!("`{}` {line}", stated.table)));
        }
        found.truncate(FAULTS_MAX);
        if !found.is_empty() {
            all.insert(tool.id.clone(), found);
        }
    }
    all
}

/// One table of a descriptor.
struct Stated<'d> {
    table: &'static str,
    probe: &'d Probe,
    matches: Vec<&'d Template>,
}

fn stated(tool: &Descriptor) -> Vec<Stated<'_>> {
    let checks = &tool.checks;
    let entity = checks.entity.iter().map(|check| Stated {
        table: "entity",
        probe: &check.probe,
        matches: check.matches.values().collect(),
    });
    let look = checks.effect.iter().filter_map(|check| check.look.as_ref());
    let effect = look.map(|look| Stated {
        table: "effect",
        probe: &look.probe,
        matches: Vec::new(),
    });
    let trigger = checks.trigger.iter().map(|check| Stated {
        table: "trigger",
        probe: &check.probe,
        matches: check.matches.values().collect(),
    });
    entity.chain(effect).chain(trigger).collect()
}

/// What is wrong with the tool that a probe names, and with what it is given.
fn probe_faults(
    stated: &Stated<'_>,
    known: &BTreeMap<&ToolId, &Descriptor>,
    standing: &BTreeMap<String, Standing>,
) -> Vec<String> {
    let id = &stated.probe.tool;
    let Some(tool) = known.get(id) else {
        return absent(id, known, standing).into_iter().collect();
    };
    let mut found = Vec::new();
    if tool.effect != Effect::None {
        found.push(format!(
            "is probed with `{id}`, which may leave a trace; if it only reads, write `effect = \
             \"none\"` in `[tools.\"{id}\"]`"
        ));
    }
    if !tool.lifecycle.is_callable() {
        found.push(format!(
            "is probed with `{id}`, which is not callable; change its `lifecycle`"
        ));
    }
    found.extend(argument_faults(&stated.probe.arguments, tool));
    found
}

fn absent(
    id: &ToolId,
    known: &BTreeMap<&ToolId, &Descriptor>,
    standing: &BTreeMap<String, Standing>,
) -> Option<String> {
    match standing.get(id.source()) {
        Some(Standing::Starting) => None,
        Some(Standing::Down) => Some(format!(
            "is probed with `{id}`, and the source `{}` is down; see `toolgate source ls`",
            id.source()
        )),
        Some(Standing::Known) => {
            let near = nearest(id.as_str(), known.keys().map(|id| id.as_str()));
            let help = near.map_or_else(
                || "`toolgate tool ls` lists what there is".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Some(format!("is probed with `{id}`, which is not there; {help}"))
        }
        None => Some(format!(
            "is probed with `{id}`, and no source is called `{}`; add it as `[[source]]`",
            id.source()
        )),
    }
}

/// Whether the probe's schema knows every argument it is given, and is given all it asks for.
fn argument_faults(arguments: &Template, tool: &Descriptor) -> Vec<String> {
    let Value::Object(given) = arguments.as_json() else {
        return vec!["has `args` that are no table; write `args = { … }`".to_owned()];
    };
    let (id, schema) = (&tool.id, &tool.input_schema);
    let mut found = Vec::new();
    for (name, value) in given {
        match member(schema, name) {
            Member::Undeclared => found.push(format!(
                "gives `{name}` to `{id}`, which knows no such argument{}",
                meant(name, schema)
            )),
            Member::Declared(inner) if !fits(inner, value) => found.push(format!(
                "gives `{name}` to `{id}`, whose schema wants another value there"
            )),
            Member::Declared(_) | Member::Open => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !given.contains_key(*name)) {
        found.push(format!(
            "does not give `{name}`, which `{id}` asks for; add it to `args`"
        ));
    }
    found
}

/// Whether the tool itself has every argument that its templates name.
fn name_faults(stated: &Stated<'_>, tool: &Descriptor) -> Vec<String> {
    let templates = stated
        .matches
        .iter()
        .copied()
        .chain([&stated.probe.arguments]);
    let names = templates.flat_map(Template::names);
    let mut found: Vec<String> = names
        .filter_map(|name| {
            let path = name.strip_prefix("args.")?;
            let missing = missing_step(&tool.input_schema, path)?;
            let near = meant(&missing, &tool.input_schema);
            Some(format!(
                "names `{{{name}}}`, and `{}` has no argument `{missing}`{near}",
                tool.id
            ))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::{Faults, Standing, faults};
    use crate::config::{Overrides, SourceLimits, ToolOverride, WireNames};
    use crate::describe::{Origin, describe};
    use crate::era::Era;
    use crate::message::raw;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use toolgate_model::{
        Checks, Descriptor, Effect, EffectCheck, EffectLook, EntityCheck, Lifecycle, Probe,
        Template, ToolId,
    };

    fn tool(name: &str, schema: &Value, stated: ToolOverride) -> Arc<Descriptor> {
        let id: ToolId = format!("stripe.{name}").parse().unwrap();
        let origin = Origin {
            source: "stripe",
            wire_names: WireNames::Prefixed,
            limits: SourceLimits::default(),
            version: None,
            era: Era::Modern,
            headers: None,
            effect: Effect::Some,
        };
        let definition = raw(&json!({"name": name, "inputSchema": schema}));
        let (mut tools, _) = describe(origin, &[definition], &Overrides::from([(id, stated)]));
        tools.remove(0).descriptor
    }

    fn reads() -> ToolOverride {
        ToolOverride {
            effect: Some(Effect::None),
            ..ToolOverride::default()
        }
    }

    fn looks(probe: &str, arguments: Value) -> ToolOverride {
        let look = EffectLook {
            probe: Probe {
                tool: probe.parse().unwrap(),
                arguments: Template::parse(arguments).unwrap(),
            },
            landed: "result.ok".to_owned(),
        };
        let effect = EffectCheck {
            look: Some(look),
            ..EffectCheck::default()
        };
        ToolOverride {
            checks: Checks {
                effect: Some(effect),
                ..Checks::default()
            },
            ..ToolOverride::default()
        }
    }

    fn standing(of: &[(&str, Standing)]) -> BTreeMap<String, Standing> {
        let named = of
            .iter()
            .map(|(name, one)| ((*name).to_owned(), one.clone()));
        named.collect()
    }

    fn refund(stated: ToolOverride) -> Arc<Descriptor> {
        let schema = json!({"type": "object", "properties": {
            "charge": {"type": "string"},
            "customer": {"type": "object", "properties": {"id": {"type": "string"}}},
            "note": {"type": "object"},
        }});
        tool("refund", &schema, stated)
    }

    fn list_schema() -> Value {
        json!({"type": "object", "required": ["charge"], "properties": {
            "charge": {"type": "string"}, "limit": {"type": "integer"},
            "state": {"enum": ["open", "closed"]}, "any": {},
        }})
    }

    /// What is wrong where `stripe.refund` is looked for with `stripe.list`.
    fn found(arguments: Value) -> String {
        let list = tool("list", &list_schema(), reads());
        let tools = [refund(looks("stripe.list", arguments)), list];
        in_words(&faults(&tools, &standing(&[("stripe", Standing::Known)])))
    }

    fn in_words(faults: &Faults) -> String {
        assert!(faults.keys().all(|id| id.as_str() == "stripe.refund"));
        faults
            .values()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(" / ")
    }

    #[test]
    fn what_fits_has_no_fault() {
        for arguments in [
            json!({"charge": "{args.charge}"}),
            json!({"charge": "{args.customer.id}", "limit": 5, "state": "open", "any": [1]}),
            json!({"charge": "ch-{args.charge}", "limit": "{args.note.deep.er}"}),
            json!({"charge": "{invocation.id}", "state": "{trigger.id}"}),
        ] {
            assert_eq!(found(arguments.clone()), "", "{arguments}");
        }
    }

    #[test]
    fn what_the_probe_is_given_is_held_against_its_schema() {
        for (arguments, expected) in [
            (
                json!({}),
                "`effect` does not give `charge`, which `stripe.list` asks for; add it to `args`",
            ),
            (
                json!({"charge": "x", "chrage": "y"}),
                "`effect` gives `chrage` to `stripe.list`, which knows no such argument; did you mean `charge`?",
            ),
            (
                json!({"charge": 5}),
                "`effect` gives `charge` to `stripe.list`, whose schema wants another value there",
            ),
            (
                json!({"charge": "x", "limit": "five"}),
                "`effect` gives `limit` to `stripe.list`, whose schema wants another value there",
            ),
            (
                json!({"charge": "x", "limit": "n{args.charge}"}),
                "`effect` gives `limit` to `stripe.list`, whose schema wants another value there",
            ),
            (
                json!({"charge": "x", "state": "gone"}),
                "`effect` gives `state` to `stripe.list`, whose schema wants another value there",
            ),
            (
                json!({"charge": "{args.chrage}"}),
                "`effect` names `{args.chrage}`, and `stripe.refund` has no argument `chrage`; did you mean `charge`?",
            ),
            (
                json!({"charge": "{args.customer.name}"}),
                "`effect` names `{args.customer.name}`, and `stripe.refund` has no argument `name`",
            ),
            (
                json!({"charge": "{args.charge.id}"}),
                "`effect` names `{args.charge.id}`, and `stripe.refund` has no argument `id`",
            ),
        ] {
            assert_eq!(found(arguments.clone()), expected, "{arguments}");
        }
    }

    #[test]
    fn a_schema_that_says_nothing_is_held_against_nobody() {
        for schema in [
            json!(null),
            json!({"type": "object"}),
            json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}),
            json!({"properties": {"a": {}}, "allOf": [{"properties": {"charge": {}}}]}),
        ] {
            let tools = [
                refund(looks("stripe.list", json!({"charge": "{args.charge}"}))),
                tool("list", &schema, reads()),
            ];
            let found = faults(&tools, &standing(&[("stripe", Standing::Known)]));
            assert_eq!(in_words(&found), "", "{schema}");
        }
    }

    #[test]
    fn a_probe_is_a_tool_that_is_there_and_only_reads() {
        let disabled = ToolOverride {
            lifecycle: Some(Lifecycle::Disabled),
            ..reads()
        };
        let given = json!({"charge": "x"});
        for (stated, expected) in [
            (
                ToolOverride::default(),
                "`effect` is probed with `stripe.list`, which may leave a trace; if it only reads, \
                 write `effect = \"none\"` in `[tools.\"stripe.list\"]`",
            ),
            (
                disabled,
                "`effect` is probed with `stripe.list`, which is not callable; change its `lifecycle`",
            ),
        ] {
            let tools = [
                refund(looks("stripe.list", given.clone())),
                tool("list", &list_schema(), stated),
            ];
            let found = faults(&tools, &standing(&[("stripe", Standing::Known)]));
            assert_eq!(in_words(&found), expected);
        }
        for (probe, stands, expected) in [
            (
                "stripe.lst",
                Standing::Known,
                "`effect` is probed with `stripe.lst`, which is not there; did you mean `stripe.list`?",
            ),
            (
                "stripe.elsewhere",
                Standing::Known,
                "`effect` is probed with `stripe.elsewhere`, which is not there; `toolgate tool ls` lists what there is",
            ),
            (
                "crm.get",
                Standing::Known,
                "`effect` is probed with `crm.get`, and no source is called `crm`; add it as `[[source]]`",
            ),
            ("stripe.later", Standing::Starting, ""),
            (
                "stripe.later",
                Standing::Down,
                "`effect` is probed with `stripe.later`, and the source `stripe` is down; see `toolgate source ls`",
            ),
        ] {
            let tools = [
                refund(looks(probe, given.clone())),
                tool("list", &list_schema(), reads()),
            ];
            let found = faults(&tools, &standing(&[("stripe", stands)]));
            assert_eq!(in_words(&found), expected);
        }
    }

    #[test]
    fn every_table_is_looked_at() {
        let probe = || Probe {
            tool: "stripe.nothing".parse().unwrap(),
            arguments: Template::parse(json!({})).unwrap(),
        };
        let matches = BTreeMap::from([(
            "customer".to_owned(),
            Template::parse(json!("{args.owner}")).unwrap(),
        )]);
        let stated = ToolOverride {
            checks: Checks {
                entity: Some(EntityCheck {
                    probe: probe(),
                    list: None,
                    matches: matches.clone(),
                    pin: Vec::new(),
                }),
                trigger: Some(toolgate_model::TriggerCheck {
                    probe: probe(),
                    matches,
                }),
                ..Checks::default()
            },
            ..ToolOverride::default()
        };
        let found = faults(&[refund(stated)], &standing(&[("stripe", Standing::Known)]));
        let lines: Vec<&str> = found.values().flatten().map(String::as_str).collect();
        let begins = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(
            (begins("`entity`"), begins("`trigger`")),
            (2, 2),
            "{lines:#?}"
        );
        assert!(lines[1].contains("has no argument `owner`"), "{lines:#?}");
    }
}
