//! The tools that a description is: one for each operation that can be called.
//!
//! ```text
//! DELETE /pets/{id}  →  petstore.deletePet, `petstore.delete.pets.id`, high, DELETE, pet:{args.id}
//! ```
//! An operator's word wins over all of it. The definition carries what a call sends, as a digest: a
//! description that sends the same arguments elsewhere is a changed tool, and held like any other.
//!
//! Must not know: how a description is read, how an operation is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_model::{Descriptor, KeyPlace, Lifecycle, Risk, ToolId, Verb};

use super::document::{Document, Skipped};
use super::entry::Entry;
use super::naming::{self, Named};
use super::operation::{Operation, Parameter, Place};
use super::rating::{self, Basis, Rated};
use super::resource;
use super::schema::{self, Detail};
use crate::config::{Overrides, ToolOverride};
use crate::describe::{self, Offered, Origin, UnavailableTool};
use crate::key_place;
use crate::names;

/// What a description offers.
pub(crate) struct Described {
    /// Its tools, in the order of their paths.
    pub(crate) offered: Vec<Offered>,
    /// What cannot be called, and why.
    pub(crate) unavailable: Vec<UnavailableTool>,
    /// What a call of each of them sends.
    pub(crate) operations: BTreeMap<ToolId, Arc<Operation>>,
    /// How many were rated by a rule over their words, by their method alone, and by neither.
    pub(crate) bases: Bases,
}

/// What ratings rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    /// A rule over the words of the operation.
    pub words: usize,
    /// A method that says as much by itself: a read or a removal.
    pub method: usize,
    /// Nothing that tells what the operation writes.
    pub fallback: usize,
}

/// Describes the operations of a document as tools of a source.
pub(crate) fn describe(origin: Origin<'_>, document: Document, overrides: &Overrides) -> Described {
    let version = document.version.clone();
    let origin = Origin {
        version: origin.version.or(version.as_deref()),
        ..origin
    };
    let rated: Vec<Rated> = document.entries.iter().map(rate).collect();
    let ids = {
        let all: Vec<Named<'_>> = document.entries.iter().zip(&rated).map(named).collect();
        naming::ids(origin.source, &all)
    };
    let mut described = Described {
        offered: Vec::new(),
        unavailable: document
            .skipped
            .into_iter()
            .map(|one| skipped(origin, one))
            .collect(),
        operations: BTreeMap::new(),
        bases: Bases::default(),
    };
    let wires = shared_wire_names(origin, &ids);
    for ((entry, rated), id) in document.entries.into_iter().zip(rated).zip(ids) {
        described.take(origin, (entry, rated, id), (overrides, &wires));
    }
    described
}

impl Described {
    fn take(
        &mut self,
        origin: Origin<'_>,
        (entry, rated, id): (Entry, Rated, Result<ToolId, String>),
        (overrides, wires): (&Overrides, &BTreeMap<String, usize>),
    ) {
        let key = entry.operation.key();
        match rated.basis {
            Basis::Words => self.bases.words += 1,
            Basis::Method => self.bases.method += 1,
            Basis::Fallback => self.bases.fallback += 1,
        }
        let descriptor = id.and_then(|id| {
            let full = self.offered.len() >= origin.limits.tools_max;
            let known = self.operations.contains_key(&id);
            match (full, known) {
                (true, _) => Err(format!(
                    "the source offers more than the {} tools allowed",
                    origin.limits.tools_max
                )),
                (_, true) => Err(format!("an earlier operation has the id `{id}`")),
                (false, false) => one(origin, (entry, rated, id), (overrides, wires)),
            }
        });
        match descriptor {
            Ok((descriptor, operation)) => {
                self.operations
                    .insert(descriptor.id.clone(), Arc::new(operation));
                self.offered.push(Offered {
                    name: key,
                    descriptor: Arc::new(descriptor),
                });
            }
            Err(reason) => self
                .unavailable
                .push(skipped(origin, Skipped { key, reason })),
        }
    }
}

fn rate(entry: &Entry) -> Rated {
    rating::rate(
        &entry.operation,
        &entry.template,
        &entry.told,
        &entry.schema,
    )
}

fn named<'n>((entry, rated): (&'n Entry, &Rated)) -> Named<'n> {
    Named {
        method: &entry.operation.method,
        template: &entry.template,
        operation_id: entry.told.operation_id.as_deref(),
        low_read: rated.is_low_read(),
    }
}

fn skipped(origin: Origin<'_>, one: Skipped) -> UnavailableTool {
    UnavailableTool {
        source: origin.source.to_owned(),
        tool: one.key,
        reason: one.reason,
    }
}

/// How many ids make each wire name.
fn shared_wire_names(
    origin: Origin<'_>,
    ids: &[Result<ToolId, String>],
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in ids.iter().flatten() {
        let wire = names::wire_name(origin.wire_names, id);
        *counts.entry(wire).or_default() += 1;
    }
    counts
}

fn one(
    origin: Origin<'_>,
    (mut entry, rated, id): (Entry, Rated, ToolId),
    (overrides, wires): (&Overrides, &BTreeMap<String, usize>),
) -> Result<(Descriptor, Operation), String> {
    let stated = overrides.get(&id).cloned().unwrap_or_default();
    with_own_key(&mut entry, key_place::stated(&stated.checks))?;
    let stated = with_own_wire_name(origin, &id, stated, wires);
    let wire = describe::tools_wire_name(origin, &id, &stated)?;
    let category = stated
        .category
        .clone()
        .or_else(|| entry.told.tags.first().cloned());
    let resource = stated
        .resource
        .clone()
        .or_else(|| resource::of(&entry.operation, &entry.template));
    let usual = match entry.told.deprecated {
        true => Lifecycle::Deprecated,
        false => Lifecycle::Active,
    };
    let lifecycle = stated.lifecycle.unwrap_or(usual);
    let definition = definition(&entry, &rated, &id);
    let low_named = named((&entry, &rated));
    let rating = rated.rating.clone();
    let descriptor = describe::rated_descriptor(origin, definition, (id, wire), (stated, rating))?;
    // The operator's word about a tool is the last, on whether it is a low read as well.
    let low_read = descriptor.risk == Risk::Low && descriptor.verb == Verb::Read;
    let route = naming::route(
        origin.source,
        Named {
            low_read,
            ..low_named
        },
    )?;
    let described = Descriptor {
        route: Some(route),
        method: Some(entry.operation.method.clone()),
        category,
        resource,
        lifecycle,
        ..descriptor
    };
    Ok((described, entry.operation))
}

/// The header of the gate's own key is nobody's argument.
fn with_own_key(entry: &mut Entry, place: Option<&KeyPlace>) -> Result<(), String> {
    let header = match place {
        Some(KeyPlace::Meta(_)) => {
            return Err(
                "an API takes its key in a header or an argument, not in `meta`".to_owned(),
            );
        }
        Some(KeyPlace::Header(name)) => name,
        Some(KeyPlace::Argument(_)) | None => return Ok(()),
    };
    let own = |one: &Parameter| one.place == Place::Header && one.name.eq_ignore_ascii_case(header);
    for parameter in entry.operation.parameters.iter().filter(|one| own(one)) {
        schema::leave_out(&mut entry.schema, &parameter.argument);
    }
    entry.operation.parameters.retain(|one| !own(one));
    Ok(())
}

/// Two operations with one wire name both get another, so that neither is lost.
fn with_own_wire_name(
    origin: Origin<'_>,
    id: &ToolId,
    stated: ToolOverride,
    wires: &BTreeMap<String, usize>,
) -> ToolOverride {
    let wire = names::wire_name(origin.wire_names, id);
    let shared = wires.get(&wire).is_some_and(|count| *count > 1);
    let own = || names::marked(&wire, id.as_str(), names::WIRE_NAME_CHARS_MAX, '_');
    ToolOverride {
        wire_name: stated.wire_name.or_else(|| shared.then(own)),
        ..stated
    }
}

/// The tool as MCP lists it.
fn definition(entry: &Entry, rated: &Rated, id: &ToolId) -> Value {
    let operation = &entry.operation;
    let reads = rated.is_low_read();
    let mut definition = json!({
        "name": id.operation(),
        "description": words(entry),
        "inputSchema": entry.schema,
        "annotations": {
            "readOnlyHint": reads,
            "destructiveHint": rated.rating.risk() >= Risk::High,
            "idempotentHint": matches!(operation.method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE"),
            "openWorldHint": true,
        },
        "_meta": {
            "dev.toolgate/operation": {
                "method": operation.method,
                "path": operation.path,
                "digest": naming::digest(operation),
            },
        },
    });
    if let (Value::Object(members), false) = (&mut definition, entry.told.summary.is_empty()) {
        members.insert("title".to_owned(), entry.told.summary.clone().into());
    }
    definition
}

/// What a model is told.
fn words(entry: &Entry) -> String {
    let told = &entry.told;
    let mut parts = vec![told.summary.as_str()];
    if !told.description.starts_with(&told.summary) || told.summary.is_empty() {
        parts.push(&told.description);
    } else {
        parts = vec![&told.description];
    }
    let key = entry.operation.key();
    if matches!(entry.detail, Detail::Outline(_)) {
        parts.push("The inner parts of its arguments are not described here; the API checks them.");
    }
    parts.push(&key);
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}
