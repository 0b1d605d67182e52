//! Descriptors from what a source says of its tools. Pure.
//!
//! The tool `comment.create` of source `tickets` becomes `tickets.comment.create` for policies and
//! `tickets__comment_create` for MCP clients. A tool that cannot be described safely (too large,
//! malformed, a name that is taken) is left out with a reason, and costs no other tool.
//!
//! Must not know: processes, sockets, time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use toolgate_model::{
    Descriptor, Effect, Lifecycle, Method, RiskScore, Runner, ToolId,
    json::{self, Limits, Numbers, Raw},
};

use crate::config::{Overrides, Secret, SourceLimits, ToolOverride, WireNames};
use crate::era::Era;
use crate::key_place;
use crate::marks;
use crate::names::{self, WIRE_NAME_CHARS_MAX, is_wire_name};
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
    /// How it is spoken to.
    pub(crate) era: Era,
    /// The headers that each request to it carries; none where it is not spoken to over HTTP.
    pub(crate) headers: Option<&'a BTreeMap<String, Secret>>,
    /// Whether its tools may leave a trace, where nothing else is said of one.
    pub(crate) effect: Effect,
}

impl Origin<'_> {
    /// Whether marked arguments travel to it as headers: the modern era has that over HTTP alone.
    fn mirrors(&self) -> bool {
        self.headers.is_some() && self.era == Era::Modern
    }
}

/// A tool with the name that its source calls it by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offered {
    /// Its name at the source.
    pub(crate) name: String,
    /// All else.
    /// Shared with every catalogue that it stands in: another source's change copies none of it.
    pub(crate) descriptor: Arc<Descriptor>,
}

/// A tool that cannot be called, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnavailableTool {
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
) -> (Vec<Offered>, Vec<UnavailableTool>) {
    let mut names = Taken::default();
    let mut offered = Vec::new();
    let mut unavailable = Vec::new();
    for (position, raw) in tools.iter().enumerate() {
        let described = within_count(origin, position)
            .and_then(|()| one(origin, raw, overrides))
            .and_then(|tool| names.claim(&tool.descriptor).map(|()| tool));
        match described {
            Ok(tool) => offered.push(tool),
            Err(reason) => unavailable.push(UnavailableTool {
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
) -> (Vec<Arc<Descriptor>>, Vec<UnavailableTool>) {
    let mut names = Taken::default();
    let mut kept = Vec::new();
    let mut unavailable = Vec::new();
    for tool in offered {
        match names.claim(&tool.descriptor) {
            Ok(()) => kept.push(Arc::clone(&tool.descriptor)),
            Err(reason) => unavailable.push(UnavailableTool {
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
    within_form(origin, &definition)?;
    let id = names::tool_id(origin.source, name)?;
    if let Some(method) = Method::of(&id) {
        let method = method.as_str();
        return Err(format!(
            "its name is that of the method `{method}`, whose calls could not be told from its own"
        ));
    }
    let stated = overrides.get(&id).cloned().unwrap_or_default();
    let offered_name = name.to_owned();
    let wire = tools_wire_name(origin, &id, &stated)?;
    let descriptor = descriptor(origin, definition, (id, wire), stated)?;
    Ok(Offered {
        name: offered_name,
        descriptor: Arc::new(descriptor),
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

fn within_form(origin: Origin<'_>, definition: &Value) -> Result<(), String> {
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
        Some(schema @ Value::Object(_)) if origin.mirrors() => marks::check(schema),
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(_) => Err("its `inputSchema` is no object".to_owned()),
    }
}

/// How the gate's own tools begin (4-interfaces, 4): nobody else's may pass for one.
const OWN_PREFIX: &str = "toolgate_";

pub(crate) fn tools_wire_name(
    origin: Origin<'_>,
    id: &ToolId,
    stated: &ToolOverride,
) -> Result<String, String> {
    let named = || names::wire_name(origin.wire_names, id);
    let wire = stated.wire_name.clone().unwrap_or_else(named);
    if !is_wire_name(&wire) {
        return Err(format!(
            "its `wire_name` `{wire}` is not 1 to {WIRE_NAME_CHARS_MAX} letters, digits, `_`, `-`"
        ));
    }
    if wire.starts_with(OWN_PREFIX) {
        return Err(format!(
            "its wire name `{wire}` begins like the gate's own tools; give it a `wire_name`"
        ));
    }
    Ok(wire)
}

/// The descriptor of what has this definition, id and wire name, rated by its definition alone.
pub(crate) fn descriptor(
    origin: Origin<'_>,
    definition: Value,
    names: (ToolId, String),
    stated: ToolOverride,
) -> Result<Descriptor, String> {
    let rating = risk::rate(&definition);
    rated_descriptor(origin, definition, names, (stated, rating))
}

/// The same of what was rated by something else.
pub(crate) fn rated_descriptor(
    origin: Origin<'_>,
    definition: Value,
    (id, wire): (ToolId, String),
    (stated, rating): (ToolOverride, Rating),
) -> Result<Descriptor, String> {
    let schema = definition.get("inputSchema").cloned().unwrap_or_default();
    let place = key_place::stated(&stated.checks);
    if let Some(place) = place {
        key_place::check(place, origin.headers, &schema)?;
    }
    let input_schema = key_place::callers_schema(place, schema);
    let rating = match stated.risk {
        None => rating,
        Some(risk) => Rating {
            score: RiskScore::of_band(risk),
            reason: "the operator says so".to_owned(),
            ..rating
        },
    };
    Ok(Descriptor {
        version: stated
            .version
            .unwrap_or_else(|| version(&definition, origin.version)),
        wire_name: wire,
        input_schema,
        category: stated.category,
        method: None,
        verb: stated.verb.unwrap_or(rating.verb),
        risk: rating.risk(),
        risk_score: rating.score,
        risk_reason: rating.reason,
        resource: stated.resource,
        // Annotations are claims: only an operator states that a call leaves no trace.
        effect: stated.effect.unwrap_or(origin.effect),
        timeout: stated.timeout.unwrap_or(origin.limits.call_timeout),
        lifecycle: stated.lifecycle.unwrap_or(Lifecycle::Active),
        attributes: stated.attributes,
        checks: stated.checks,
        // Annotations are claims here too: who could write a result is for the operator to state.
        authors: stated.authors.unwrap_or_default(),
        definition,
        id,
        action: None,
        route: None,
        posture: stated.posture,
        runner: Runner::Gate,
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
    fn claim(&mut self, tool: &Descriptor) -> Result<(), String> {
        let (id, wire) = (&tool.id, &tool.wire_name);
        if self.ids.contains(id) {
            return Err(format!("an earlier tool has the id `{id}`"));
        }
        if !self.wire_names.insert(wire.clone()) {
            return Err(format!(
                "an earlier tool has the wire name `{wire}`; give this one a `wire_name`"
            ));
        }
        self.ids.insert(id.clone());
        Ok(())
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

#[cfg(test)]
mod tests;
