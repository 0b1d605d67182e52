//! What operations are called: `stripe.GetCustomers`, and by route `stripe.get.v1.customers`.
//!
//! An operation is named by its `operationId`, else by its route. Names are made from the operation
//! alone, so that what else the description gains or loses renames nothing; only where two want the
//! same name do both get a piece of a digest, so that no name ever changes hands.
//!
//! INVARIANT: what begins `{source}.get.` was rated a low read. No `operationId` can begin so, in any
//! letter case, and a `GET` that is more than a low read is routed `unsafe-get`.
//!
//! Must not know: how anything is rated.

use std::collections::BTreeMap;

use toolgate_model::{Digest, Method, ToolId};

use super::operation::{BodyShape, Operation};
use super::path::Template;
use crate::names;

/// What a route begins with.
const ROUTE_WORDS: [&str; 13] = [
    "connect",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "query",
    "trace",
    "unsafe-get",
    "unsafe-head",
    "unsafe-options",
];

/// LIMIT: what an id has room for beside the longest source's name.
const OPERATION_CHARS_MAX: usize = 200;

/// Whose names are made.
#[derive(Clone, Copy)]
pub(super) struct Named<'n> {
    /// `GET`
    pub(super) method: &'n str,
    pub(super) template: &'n Template,
    pub(super) operation_id: Option<&'n str>,
    /// Whether it is a read, rated low.
    pub(super) low_read: bool,
}

/// The ids of these operations, in their order.
pub(super) fn ids(source: &str, all: &[Named<'_>]) -> Vec<Result<ToolId, String>> {
    let wanted: Vec<String> = all.iter().map(|one| wanted(source, *one)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &wanted {
        *counts.entry(name).or_default() += 1;
    }
    let named = all.iter().zip(&wanted).map(|(one, name)| {
        let operation = match counts.get(name.as_str()) {
            Some(1) => name.clone(),
            _ => names::marked(name, &key(*one), OPERATION_CHARS_MAX, '-'),
        };
        names::tool_id(source, &operation)
    });
    named.collect()
}

/// The route of an operation, by which patterns know it: `{method}.{path…}`.
pub(super) fn route(source: &str, one: Named<'_>) -> Result<ToolId, String> {
    let (name, _) = routed(one);
    names::tool_id(source, &name)
}

/// The name that an operation wants, whatever others want.
fn wanted(source: &str, one: Named<'_>) -> String {
    let Some(id) = one.operation_id else {
        let (name, whole) = routed(one);
        return match whole {
            true => name,
            false => names::marked(&name, &key(one), OPERATION_CHARS_MAX, '-'),
        };
    };
    let plain: String = id
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let taken = format!("{source}.{plain}")
        .parse::<ToolId>()
        .is_ok_and(|id| Method::of(&id).is_some());
    let routed = is_like_route(&plain);
    match plain == id && !taken && !routed && id.len() <= OPERATION_CHARS_MAX {
        true => plain,
        false => {
            let kept = if routed {
                plain.replacen('.', "_", 1)
            } else {
                plain
            };
            names::marked(&kept, id, OPERATION_CHARS_MAX, '-')
        }
    }
}

/// Whether a name would pass for a route.
fn is_like_route(name: &str) -> bool {
    let (first, _) = name.split_once('.').unwrap_or_default();
    ROUTE_WORDS.contains(&first.to_ascii_lowercase().as_str())
}

/// The route, and whether all of the path is in it as it stands there.
fn routed(one: Named<'_>) -> (String, bool) {
    let method = one.method.to_ascii_lowercase();
    let safe = matches!(method.as_str(), "get" | "head" | "options");
    let word = match safe && !one.low_read {
        true => format!("unsafe-{method}"),
        false => method,
    };
    let mut whole = true;
    let mut name = word;
    for segment in &one.template.segments {
        let bare = segment.bare();
        // A slash at the end says nothing.
        if bare.is_empty() {
            whole &= one.template.segments.len() == 1;
            continue;
        }
        whole &= bare.chars().all(|c| is_plain(c) && c != '.');
        name.push('.');
        name.extend(bare.chars().map(|c| if is_plain(c) { c } else { '_' }));
    }
    if let Some(fragment) = &one.template.fragment {
        whole = false;
        name.push('.');
        name.extend(fragment.chars().map(|c| if is_plain(c) { c } else { '_' }));
    }
    if one
        .template
        .segments
        .iter()
        .all(|segment| segment.text.is_empty())
    {
        name.push_str(".root");
    }
    match name.len() > OPERATION_CHARS_MAX {
        true => (
            names::marked(&name, &key(one), OPERATION_CHARS_MAX, '-'),
            true,
        ),
        false => (name, whole),
    }
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

/// What sets an operation apart from every other one of its description.
fn key(one: Named<'_>) -> String {
    let fragment = one.template.fragment.as_deref().unwrap_or_default();
    format!("{} {}#{fragment}", one.method, one.template.path())
}

/// A digest of a whole operation, so that a change of it is a change of its tool.
pub(super) fn digest(operation: &Operation) -> Digest {
    let mut sorted = operation.clone();
    // In which order an object has its members says nothing.
    if let Some(BodyShape::Members(members)) = sorted.body.as_mut().map(|body| &mut body.shape) {
        members.sort_by(|a, b| a.name.cmp(&b.name));
    }
    sorted.security.iter_mut().for_each(|one| one.sort());
    let value = serde_json::to_value(&sorted).unwrap_or_default();
    toolgate_model::json::digest(&value)
}
