//! `tools/list`: what this identity may reach.
//!
//! The code that decides calls also decides what is shown. Each entry is its server's own
//! definition with nothing but the name replaced, so that fields nobody here knows travel on. The
//! order is that in which servers gave them, with the gate's own behind.
//!
//! Must not know: transports.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolgate_gate::{Configuration, visible};
use toolgate_model::{Catalogue, Descriptor, Identity, KeyPlace, Method, Runner, Timestamp};

use super::options::Presence;
use super::own;
use super::paging::{Entry, Page};

/// What is shown on a page and behind it, in order.
pub(super) fn entries<'c>(
    configuration: &'c Configuration,
    (identity, now): (&'c Identity, Timestamp),
    presence: Presence,
    page: &'c Page,
) -> impl Iterator<Item = Entry> + 'c {
    let catalogue = &configuration.catalogue;
    let names = catalogue.in_order().map(|tool| tool.id.as_str());
    let own = own::offered(presence).map(|tool| tool.name);
    let start = page.start(names.chain(own));
    let tools = catalogue.in_order().enumerate().skip(start);
    let shown =
        tools.filter(move |(_, tool)| is_listed(configuration, (identity, now), presence, tool));
    let own = own_entries(presence, catalogue.len());
    let own = own.filter(move |entry| entry.place >= start);
    shown.map(|(place, tool)| entry(place, tool)).chain(own)
}

/// The tools that are shown, by their full names.
pub(super) fn listed(
    configuration: &Configuration,
    identity: &Identity,
    presence: Presence,
    now: Timestamp,
) -> Vec<Arc<Descriptor>> {
    let tools = configuration.catalogue.iter();
    let shown = tools.filter(|tool| is_listed(configuration, (identity, now), presence, tool));
    shown.cloned().collect()
}

fn is_listed(
    configuration: &Configuration,
    (identity, now): (&Identity, Timestamp),
    presence: Presence,
    tool: &Arc<Descriptor>,
) -> bool {
    is_named(&configuration.catalogue, presence, tool)
        && visible(configuration, identity, tool, now)
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

/// Whether the tool's name leads to it: of two with one name the first has it, nobody takes the
/// name of an own tool, what stands for another method is called by that one alone, and what runs
/// in its host is called there.
fn is_named(catalogue: &Catalogue, presence: Presence, tool: &Descriptor) -> bool {
    let first = catalogue.by_wire_name(&tool.wire_name);
    first.is_some_and(|first| first.id == tool.id)
        && tool.runner == Runner::Gate
        && Method::of(&tool.id).is_none()
        && own::find(presence, &tool.wire_name).is_none()
}

fn entry(place: usize, tool: &Descriptor) -> Entry {
    let mut definition = match &tool.definition {
        Value::Object(given) => given.clone(),
        _ => Map::new(),
    };
    definition.insert("name".to_owned(), tool.wire_name.clone().into());
    // The argument in which the downstream takes the gate's key is nobody else's to fill in.
    let effect = tool.checks.effect.as_ref();
    let key = effect.and_then(|effect| effect.idempotency.as_ref());
    if matches!(key, Some(KeyPlace::Argument(_))) && !tool.input_schema.is_null() {
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
        place,
        name: tool.id.to_string(),
        definition: Value::Object(definition).to_string(),
    }
}

/// The gate's own tools, behind so many others.
fn own_entries(presence: Presence, behind: usize) -> impl Iterator<Item = Entry> {
    let own = own::offered(presence).enumerate();
    own.map(move |(place, tool)| Entry {
        place: behind + place,
        name: tool.name.to_owned(),
        definition: tool.definition().to_string(),
    })
}
