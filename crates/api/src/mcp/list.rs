//! `tools/list`: what this identity may reach, page by page.
//!
//! The code that decides calls also decides what is shown. Each entry is its server's own
//! definition with nothing but the name replaced, so that fields nobody here knows travel on. The
//! order is that of the tools' full names and a cursor names the last one shown, so that a page
//! turned while the list changes neither repeats nor loses a tool that stayed.
//!
//! Must not know: transports.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use toolgate_gate::{Configuration, visible};
use toolgate_model::{Catalogue, Descriptor, Identity, KeyPlace, Timestamp};

use super::limits::PAGE_BYTES_MAX;
use super::message::RpcError;
use super::options::{McpOptions, Presence};
use super::own;

/// The mark at the front of our own cursors.
const CURSOR_PREFIX: &str = "1:";

/// What comes before the name of an own tool in its place among all: after every full name.
const OWN_PLACE: char = '~';

/// One entry of the list: its place in the order, and its definition.
struct Entry {
    place: String,
    definition: Value,
}

/// The page that the parameters ask for, as the fields of a result.
pub(super) fn page(
    configuration: &Configuration,
    (identity, now): (&Identity, Timestamp),
    options: &McpOptions,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, RpcError> {
    let after = params.get("cursor").map(read_cursor).transpose()?;
    let shown = listed(configuration, identity, options.presence, now);
    let entries = shown
        .iter()
        .map(|tool| entry(tool))
        .chain(own_entries(options.presence));
    let mut rest = entries.filter(|entry| after.as_ref().is_none_or(|after| entry.place > *after));
    let mut tools = Vec::new();
    let (mut bytes, mut last) = (0, String::new());
    let mut result = Map::new();
    for entry in rest.by_ref() {
        bytes += entry.definition.to_string().len();
        let full = tools.len() >= options.page_size.max(1) || bytes > PAGE_BYTES_MAX;
        if full && !tools.is_empty() {
            result.insert("nextCursor".to_owned(), cursor(&last).into());
            break;
        }
        last = entry.place;
        tools.push(entry.definition);
    }
    result.insert("tools".to_owned(), tools.into());
    Ok(result)
}

/// The tools that are shown, in order.
pub(super) fn listed(
    configuration: &Configuration,
    identity: &Identity,
    presence: Presence,
    now: Timestamp,
) -> Vec<Arc<Descriptor>> {
    let catalogue = &configuration.catalogue;
    let tools = catalogue.iter().filter(|tool| {
        is_named(catalogue, presence, tool) && visible(configuration, identity, tool, now)
    });
    tools.cloned().collect()
}

/// The tool that clients know by this name, shown or not.
pub(super) fn named<'c>(
    configuration: &'c Configuration,
    presence: Presence,
    name: &str,
) -> Option<&'c Arc<Descriptor>> {
    let catalogue = &configuration.catalogue;
    catalogue
        .by_wire_name(name)
        .filter(|tool| is_named(catalogue, presence, tool))
}

/// Whether the two lists look the same to a client.
pub(super) fn looks_same(before: &[Arc<Descriptor>], after: &[Arc<Descriptor>]) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| {
            before.id == after.id
                && before.wire_name == after.wire_name
                && before.definition == after.definition
                && before.input_schema == after.input_schema
        })
}

/// Whether the tool's name leads to it: of two with one name the first has it, and nobody takes
/// the name of an own tool.
fn is_named(catalogue: &Catalogue, presence: Presence, tool: &Descriptor) -> bool {
    let first = catalogue.by_wire_name(&tool.wire_name);
    first.is_some_and(|first| first.id == tool.id) && own::find(presence, &tool.wire_name).is_none()
}

fn entry(tool: &Descriptor) -> Entry {
    let mut definition = match &tool.definition {
        Value::Object(given) => given.clone(),
        _ => Map::new(),
    };
    definition.insert("name".to_owned(), tool.wire_name.clone().into());
    // The argument in which the downstream takes the gate's key is nobody else's to fill in.
    let effect = tool.checks.effect.as_ref();
    let place = effect.and_then(|effect| effect.idempotency.as_ref());
    if matches!(place, Some(KeyPlace::Argument(_))) && !tool.input_schema.is_null() {
        definition.insert("inputSchema".to_owned(), tool.input_schema.clone());
    }
    // MCP wants a schema; a source that gives none takes any object.
    definition
        .entry("inputSchema")
        .or_insert_with(|| match &tool.input_schema {
            Value::Null => json!({"type": "object"}),
            schema => schema.clone(),
        });
    Entry {
        place: tool.id.to_string(),
        definition: Value::Object(definition),
    }
}

fn own_entries(presence: Presence) -> impl Iterator<Item = Entry> {
    own::offered(presence).map(|tool| Entry {
        place: format!("{OWN_PLACE}{}", tool.name),
        definition: tool.definition(),
    })
}

fn cursor(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_PREFIX}{place}"))
}

fn read_cursor(cursor: &Value) -> Result<String, RpcError> {
    let bytes = cursor
        .as_str()
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let place = text
        .as_deref()
        .and_then(|text| text.strip_prefix(CURSOR_PREFIX));
    place.map(str::to_owned).ok_or_else(|| {
        RpcError::invalid_params("`cursor` is not one of this gate's: begin again without one")
    })
}
