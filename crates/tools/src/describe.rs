//! Descriptors from what a source says of its tools. Pure.
//!
//! The tool `comment.create` of source `tickets` becomes `tickets.comment.create` for policies and
//! `tickets__comment_create` for MCP clients. A tool that cannot be described safely (too large,
//! malformed, a name that is taken) is left out with a reason, and costs no other tool.
//!
//! Must not know: processes, sockets, time.

use std::collections::BTreeSet;

use serde_json::Value;
use toolgate_model::{
    Descriptor, Digest, Effect, Lifecycle, RiskScore, ToolId,
    json::{self, Limits, Numbers, Raw},
};

use crate::config::{Overrides, SourceLimits, ToolOverride, WireNames};
use crate::risk::{self, Rating};

/// What is known of a source besides its tools.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The source's name.
    pub(crate) source: &'a str,
    /// How its tools are named.
    pub(crate) wire_names: WireNames,
    /// Its bounds.
    pub(crate) limits: SourceLimits,
    /// The version that the server gives of itself.
    pub(crate) version: Option<&'a str>,
}

/// A tool with the name that its source calls it by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offered {
    /// Its name at the source.
    pub(crate) name: String,
    /// All else.
    pub(crate) descriptor: Descriptor,
}

/// A tool that cannot be called, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// The source.
    pub source: String,
    /// The tool's name there, shortened.
    pub tool: String,
    /// Why, and how to put it right.
    pub reason: String,
}

/// Describes the tools of one source, in their order.
pub(crate) fn describe(
    origin: Origin<'_>,
    tools: &[Raw],
    overrides: &Overrides,
) -> (Vec<Offered>, Vec<Unavailable>) {
    let mut names = Taken::default();
    let mut offered = Vec::new();
    let mut unavailable = Vec::new();
    for (position, raw) in tools.iter().enumerate() {
        let described = within_count(origin, position)
            .and_then(|()| one(origin, raw, overrides))
            .and_then(|tool| names.claim(tool));
        match described {
            Ok(tool) => offered.push(tool),
            Err(reason) => unavailable.push(Unavailable {
                source: origin.source.to_owned(),
                tool: shown_name(raw, position),
                reason,
            }),
        }
    }
    (offered, unavailable)
}

/// Keeps of all sources' tools those whose wire name no earlier one has.
pub(crate) fn distinct<'a>(
    offered: impl Iterator<Item = &'a Offered>,
) -> (Vec<Descriptor>, Vec<Unavailable>) {
    let mut names = Taken::default();
    let mut kept = Vec::new();
    let mut unavailable = Vec::new();
    for tool in offered {
        match names.claim(tool.clone()) {
            Ok(tool) => kept.push(tool.descriptor),
            Err(reason) => unavailable.push(Unavailable {
                source: tool.descriptor.id.source().to_owned(),
                tool: tool.name.clone(),
                reason,
            }),
        }
    }
    (kept, unavailable)
}

/// LIMIT: deeper schemas are no use to a model, and every reader of them recurses.
const DEFINITION_DEPTH_MAX: usize = 64;

/// LIMIT: what MCP allows is 128; some servers go beyond, none measured beyond this.
const NAME_BYTES_MAX: usize = 200;

fn within_count(origin: Origin<'_>, position: usize) -> Result<(), String> {
    let max = origin.limits.tools_max;
    (position < max)
        .then_some(())
        .ok_or_else(|| format!("the source offers more than the {max} tools allowed"))
}

fn one(origin: Origin<'_>, raw: &Raw, overrides: &Overrides) -> Result<Offered, String> {
    let limits = Limits {
        bytes_max: origin.limits.definition_bytes_max,
        depth_max: DEFINITION_DEPTH_MAX,
        string_bytes_max: origin.limits.definition_bytes_max,
    };
    let definition = json::parse(raw.get().as_bytes(), limits, Numbers::Relay)
        .map_err(|error| format!("its definition cannot be read: {error}"))?;
    let name = name_of(&definition)?;
    within_text(origin, &definition)?;
    let id = tool_id(origin.source, name)?;
    let stated = overrides.get(&id).cloned().unwrap_or_default();
    let offered_name = name.to_owned();
    let descriptor = descriptor(origin, definition, id, stated)?;
    Ok(Offered {
        name: offered_name,
        descriptor,
    })
}

fn name_of(definition: &Value) -> Result<&str, String> {
    match definition.get("name").and_then(Value::as_str) {
        None | Some("") => Err("it has no name".to_owned()),
        Some(name) if name.len() > NAME_BYTES_MAX => Err(format!(
            "its name has {} bytes, more than the {NAME_BYTES_MAX} allowed",
            name.len()
        )),
        Some(name) => Ok(name),
    }
}

fn within_text(origin: Origin<'_>, definition: &Value) -> Result<(), String> {
    let max = origin.limits.description_bytes_max;
    for key in ["description", "title"] {
        let bytes = match definition.get(key) {
            None | Some(Value::Null) => 0,
            Some(Value::String(text)) => text.len(),
            Some(_) => return Err(format!("its `{key}` is no text")),
        };
        if bytes > max {
            return Err(format!(
                "its `{key}` has {bytes} bytes, more than the {max} allowed"
            ));
        }
    }
    match definition.get("inputSchema") {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err("its `inputSchema` is no object".to_owned()),
    }
}

/// The id by which policies know the tool. What an id cannot hold becomes `_`, and a piece of the
/// name's digest follows, so that two names stay two ids and each stays the same for ever.
fn tool_id(source: &str, name: &str) -> Result<ToolId, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let operation = if name.chars().all(plain) {
        name.to_owned()
    } else {
        let kept: String = name
            .chars()
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        format!("{kept}-{}", mark(name))
    };
    format!("{source}.{operation}")
        .parse()
        .map_err(|error| format!("it cannot be named: {error}"))
}

/// LIMIT: clients put `mcp__{server}__` in front, and models' interfaces end at 64 characters.
const WIRE_NAME_CHARS_MAX: usize = 48;
const MARK_CHARS: usize = 8;

/// The name by which MCP clients know the tool.
fn wire_name(origin: Origin<'_>, id: &ToolId) -> String {
    let full = match origin.wire_names {
        WireNames::Prefixed => format!("{}__{}", origin.source, id.operation()),
        WireNames::Bare => id.operation().to_owned(),
    };
    let plain: String = full
        .chars()
        .map(|c| if is_wire_char(c) { c } else { '_' })
        .collect();
    if plain.len() <= WIRE_NAME_CHARS_MAX {
        return plain;
    }
    let kept: String = plain
        .chars()
        .take(WIRE_NAME_CHARS_MAX - MARK_CHARS - 1)
        .collect();
    format!("{kept}_{}", mark(id.as_str()))
}

/// Whether MCP clients accept this as a tool's name.
pub(crate) fn is_wire_name(name: &str) -> bool {
    (1..=WIRE_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_wire_char)
}

fn is_wire_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// A few hex digits that stand for a whole name.
fn mark(name: &str) -> String {
    Digest::of(name.as_bytes())
        .hex()
        .chars()
        .take(MARK_CHARS)
        .collect()
}

fn descriptor(
    origin: Origin<'_>,
    definition: Value,
    id: ToolId,
    stated: ToolOverride,
) -> Result<Descriptor, String> {
    let wire = stated.wire_name.unwrap_or_else(|| wire_name(origin, &id));
    if !is_wire_name(&wire) {
        return Err(format!(
            "its `wire_name` `{wire}` is not 1 to {WIRE_NAME_CHARS_MAX} letters, digits, `_`, `-`"
        ));
    }
    let rating = stated.risk.map_or_else(
        || risk::rate(&definition),
        |risk| Rating {
            score: RiskScore::of_band(risk),
            reason: "the operator says so".to_owned(),
            ..risk::rate(&definition)
        },
    );
    Ok(Descriptor {
        version: stated
            .version
            .unwrap_or_else(|| version(&definition, origin.version)),
        wire_name: wire,
        input_schema: definition.get("inputSchema").cloned().unwrap_or_default(),
        category: stated.category,
        method: None,
        verb: stated.verb.unwrap_or(rating.verb),
        risk: rating.risk(),
        risk_score: rating.score,
        risk_reason: rating.reason,
        resource: stated.resource,
        // Annotations are claims: only an operator states that a call leaves no trace.
        effect: stated.effect.unwrap_or(Effect::Some),
        timeout: stated.timeout.unwrap_or(origin.limits.call_timeout),
        lifecycle: stated.lifecycle.unwrap_or(Lifecycle::Active),
        attributes: stated.attributes,
        definition,
        id,
    })
}

/// LIMIT: a version is a word, not a text.
const VERSION_BYTES_MAX: usize = 64;

/// The version of the tool, else of its server, else `1.0.0`.
fn version(definition: &Value, server: Option<&str>) -> String {
    let own = definition.get("version");
    let meta = definition.get("_meta").and_then(|meta| meta.get("version"));
    let fits = |text: &&str| {
        (1..=VERSION_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    [
        own.and_then(Value::as_str),
        meta.and_then(Value::as_str),
        server,
    ]
    .into_iter()
    .flatten()
    .find(fits)
    .unwrap_or("1.0.0")
    .to_owned()
}

/// Which names are given away already.
#[derive(Default)]
struct Taken {
    ids: BTreeSet<ToolId>,
    wire_names: BTreeSet<String>,
}

impl Taken {
    /// INVARIANT: no two tools share an id or a wire name, or a call of one would run the other.
    fn claim(&mut self, tool: Offered) -> Result<Offered, String> {
        let (id, wire) = (&tool.descriptor.id, &tool.descriptor.wire_name);
        if self.ids.contains(id) {
            return Err(format!("an earlier tool has the id `{id}`"));
        }
        if !self.wire_names.insert(wire.clone()) {
            return Err(format!(
                "an earlier tool has the wire name `{wire}`; give this one a `wire_name`"
            ));
        }
        self.ids.insert(id.clone());
        Ok(tool)
    }
}

/// LIMIT: enough of a name to find it by.
const SHOWN_CHARS_MAX: usize = 64;

fn shown_name(raw: &Raw, position: usize) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str::<Named>(raw.get()).map_or_else(
        |_| format!("number {}", position + 1),
        |named| named.name.chars().take(SHOWN_CHARS_MAX).collect(),
    )
}
