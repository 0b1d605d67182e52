//! How the parameters and members of one operation are named among the arguments of a call.
//!
//! ```text
//! GET  /customers/{id}?expand=      → {"id", "expand"}
//! PUT  /customers/{id}  {"id", …}   → {"path": {"id"}, "body": {"id"}, …}
//! ```
//! One flat object, because rules and models read that best. Only what would have the same name goes
//! into an object of its place. Models' interfaces allow few characters in names, so `filter[status]`
//! is the argument `filter_status`.
//!
//! Must not know: schemas, what is done with a value.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::{Argument, Group};
use crate::names;

/// LIMIT: what models' interfaces allow.
const NAME_CHARS_MAX: usize = 64;

/// Something that wants an argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'d> {
    /// Where it goes.
    pub(super) group: Group,
    /// Its name there.
    pub(super) name: &'d str,
    /// Whether it stays outside of groups: a body that is one argument.
    pub(super) fixed: bool,
}

/// An argument for each, in their order.
///
/// # Errors
/// Which two cannot be told apart.
pub(super) fn assign(wanted: &[Wanted<'_>]) -> Result<Vec<Argument>, String> {
    let names = distinct(wanted);
    let grouped = grouped(wanted, &names);
    let mut seen = BTreeSet::new();
    let mut arguments = Vec::new();
    for (one, name) in wanted.iter().zip(names) {
        let inside = !one.fixed && grouped.contains(&name);
        let group = inside.then_some(one.group);
        if !seen.insert((group, name.clone())) {
            return Err(format!("two of its arguments would be called `{name}`"));
        }
        arguments.push(Argument { group, name });
    }
    Ok(arguments)
}

/// A name for each that is its own among those of its group.
fn distinct(wanted: &[Wanted<'_>]) -> Vec<String> {
    let plain: Vec<String> = wanted.iter().map(|one| plain(one.name)).collect();
    let mut counts: BTreeMap<(Group, &str), usize> = BTreeMap::new();
    for (one, name) in wanted.iter().zip(&plain) {
        *counts.entry((one.group, name)).or_default() += 1;
    }
    let shared = |group, name: &str| counts.get(&(group, name)).is_some_and(|count| *count > 1);
    wanted
        .iter()
        .zip(&plain)
        .map(
            |(one, name)| match shared(one.group, name) && one.name != name || name.is_empty() {
                true => names::marked(name, one.name, NAME_CHARS_MAX, '_'),
                false => name.clone(),
            },
        )
        .collect()
}

/// The names that are not one argument's alone. A group that is used takes its own name, too.
fn grouped(wanted: &[Wanted<'_>], names: &[String]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let twice = counts.iter().filter(|(_, count)| **count > 1);
    let mut grouped: BTreeSet<String> = twice.map(|(name, _)| (*name).to_owned()).collect();
    loop {
        let inside = |(one, name): (&Wanted<'_>, &String)| {
            (!one.fixed && grouped.contains(name)).then_some(one.group.as_str())
        };
        let used: BTreeSet<&str> = wanted.iter().zip(names).filter_map(inside).collect();
        let more: Vec<String> = used
            .into_iter()
            .filter(|group| counts.contains_key(group) && !grouped.contains(*group))
            .map(str::to_owned)
            .collect();
        // LIMIT: there are five groups, so this ends after five rounds.
        if more.is_empty() {
            return grouped;
        }
        grouped.extend(more);
    }
}

/// The name in characters that models' interfaces allow.
fn plain(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let replaced: String = name
        .chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    let trimmed = match replaced == name {
        true => replaced.as_str(),
        false => replaced.trim_matches('_'),
    };
    match trimmed.len() > NAME_CHARS_MAX {
        true => names::marked(trimmed, name, NAME_CHARS_MAX, '_'),
        false => trimmed.to_owned(),
    }
}
