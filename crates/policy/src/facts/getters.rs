//! How attributes are read from the facts of a call.
//!
//! What is not there is missing, what nobody can say is unknown, and what the tool cannot have is
//! impossible: `resource` of a tool without a template, `method` of one that has none.
//!
//! Must not know: which attributes there are.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use toolgate_detect::Scan;
use toolgate_model::{Descriptor, Resource};

use super::Reading;
use crate::history::Session;
use crate::input::{ApprovalFacts, Facts};
use crate::path::{self, Step};
use crate::value::{Datum, Got};

/// A text of the descriptor. A tool that is known and has none cannot have it; of a tool that is
/// not known nothing is known.
pub(super) fn descriptor<'c>(
    reading: &Reading<'_, 'c>,
    get: fn(&'c Descriptor) -> Option<&'c str>,
) -> Got<'c> {
    match reading.facts.descriptor {
        Some(tool) => get(tool).map_or(Got::Impossible, Got::text),
        None => Got::Missing,
    }
}

/// A field of the live entity. A tool whose descriptor says nothing of an entity has none; where
/// one is declared, what is not in it is merely missing.
pub(crate) fn entity<'c>(facts: &Facts<'c>, steps: &[Step]) -> Got<'c> {
    match (facts.entity, facts.descriptor) {
        (Some(entity), _) => path::find(entity, steps).map_or(Got::Missing, Got::json),
        (None, Some(tool)) if tool.checks.entity.is_none() => Got::Impossible,
        (None, _) => Got::Missing,
    }
}

/// The resource that the gate derived. A merely claimed one proves nothing, in either direction,
/// so it is unknown; a tool whose descriptor has no template has no resource.
pub(super) fn resource<'c>(reading: &Reading<'_, 'c>, get: fn(&'c Resource) -> &'c str) -> Got<'c> {
    resource_of(reading.facts, get)
}

/// The resource by its whole name.
pub(crate) fn resource_name<'c>(facts: &Facts<'c>) -> Got<'c> {
    resource_of(facts, |resource| resource.name.as_str())
}

fn resource_of<'c>(facts: &Facts<'c>, get: fn(&'c Resource) -> &'c str) -> Got<'c> {
    match (facts.resource, facts.descriptor) {
        (Some(resource), _) if resource.derived => Got::text(get(resource)),
        (Some(_), _) => Got::Unknown,
        (None, Some(tool)) if tool.resource.is_none() => Got::Impossible,
        (None, _) => Got::Missing,
    }
}

pub(super) fn number<'c>(count: usize) -> Got<'c> {
    Got::Value(Datum::Number(Decimal::from(count)))
}

pub(super) fn local<'c>(reading: &Reading<'_, 'c>, get: fn(jiff::Zoned) -> Datum<'c>) -> Got<'c> {
    match jiff::Timestamp::from_millisecond(reading.facts.now.as_millis()) {
        Ok(instant) => Got::Value(get(instant.to_zoned(reading.zone.clone()))),
        Err(_) => Got::Unknown,
    }
}

/// A thing of which only the presence can be asked.
pub(super) fn present<'c>(there: bool) -> Got<'c> {
    if there {
        Got::Value(Datum::Bool(true))
    } else {
        Got::Missing
    }
}

/// A fact of the approval; none was asked for when the call is decided for the first time.
pub(super) fn approval<'c>(
    reading: &Reading<'_, 'c>,
    get: fn(&'c ApprovalFacts) -> Datum<'c>,
) -> Got<'c> {
    let approval = reading.facts.approval;
    approval.map_or(Got::Missing, |approval| Got::Value(get(approval)))
}

/// A fact of the session. It is never merely missing: `default(session.calls, 0)` must not turn
/// what nobody can say into a number.
pub(super) fn session<'c>(reading: &Reading<'_, 'c>, get: fn(&'c Session) -> Datum<'c>) -> Got<'c> {
    let session = reading.facts.history.and_then(|history| history.session());
    session.map_or(Got::Unknown, |session| Got::Value(get(session)))
}

/// Whether the resource is new to the agent. A tool without a resource has none that could be.
pub(super) fn new_resource<'c>(reading: &Reading<'_, 'c>) -> Got<'c> {
    match resource_name(reading.facts) {
        Got::Impossible => Got::Impossible,
        Got::Value(_) => known(
            reading
                .facts
                .history
                .and_then(|history| history.is_new_resource()),
        ),
        Got::Missing | Got::Unknown => Got::Unknown,
    }
}

/// What somebody knows or nobody can say.
pub(super) fn known<'c>(value: Option<bool>) -> Got<'c> {
    value.map_or(Got::Unknown, |value| Got::Value(Datum::Bool(value)))
}

/// The kinds of signals that a scan noticed.
pub(super) fn kinds(scan: &Scan) -> BTreeSet<&'static str> {
    scan.signals.iter().map(|signal| signal.kind).collect()
}
