//! The judge's last look, when nothing moves any more: is everything ended, once, and on the log?
//!
//! Must not know: how the world came to rest.

use std::collections::BTreeMap;

use toolgate_execution::{Invocation, Status};
use toolgate_gate::port::{RecordFilter, Store, Unavailable};
use toolgate_model::InvocationId;
use toolgate_record::{Verifier, VerifyInput, verify};

use super::{Case, Judge, Sent, Violation, call_of};
use crate::cast::Part;

/// Two calls are twins within this many milliseconds.
// LIMIT: the window of ten minutes, less what clocks may be wrong by.
const TWINS_WITHIN: i64 = 560_000;

impl Judge {
    /// 4: when nothing moves any more, nobody waits for an answer and no work is under way.
    pub(crate) fn rested(&self, waiting: &BTreeMap<&'static str, usize>) {
        let idle = |name: &&str| *name == "life";
        let busy: Vec<_> = waiting.keys().filter(|name| !idle(name)).collect();
        let mut seen = self.seen();
        seen.hold(busy.is_empty(), 4, || format!("{busy:?} never ended"));
    }

    /// Checks what only the end can show.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(crate) async fn close(&self, store: &dyn Store) -> Result<(), Unavailable> {
        let log = log(store).await?;
        let stored = stored(store, self.known()).await?;
        let mut seen = self.seen();
        let (records, entries) = (log.records, seen.entries);
        seen.hold(log.sound, 0, || {
            format!("the log does not verify: {}", log.told)
        });
        seen.hold(records == entries, 3, || {
            format!("{entries} records were acknowledged, {records} are there")
        });
        let mut broken = Vec::new();
        for (id, case) in &seen.cases {
            let last = &case.last;
            let same = stored.iter().any(|there| there == last);
            if !same {
                broken.push((
                    3,
                    format!("{id} is stored otherwise than it was acknowledged"),
                ));
            }
            if !at_rest(last) {
                broken.push((4, format!("{id} is left as {}", last.status().as_str())));
            }
            let part = Part::of(last.proposal.tool.as_str());
            if last.status() == Status::NeedsOperator && part.is_some_and(|part| !part.acts()) {
                broken.push((4, format!("{id} only reads and waits for a person")));
            }
            let denied = call_of(last).and_then(|call| seen.calls.get(&call));
            if case.effects > 0 && denied.is_some_and(|sent| sent.unwritten_denial) {
                broken.push((
                    6,
                    format!("the caller of {id} heard that it was denied, and it landed"),
                ));
            }
        }
        broken.extend(twins(&seen.cases, &seen.calls));
        broken.extend(same_key_twice(
            seen.cases.values().map(|case| (&case.last, case.effects)),
        ));
        for (invariant, text) in broken {
            let violation = Violation { invariant, text };
            seen.violations.push(violation);
        }
        Ok(())
    }
}

/// Ended, or waiting for a person who was told.
fn at_rest(last: &Invocation) -> bool {
    last.status().is_terminal() || last.status() == Status::NeedsOperator
}

/// The same call of one agent in one session, with no key and no word that a second one is meant,
/// has at most one effect within the window.
fn twins(cases: &BTreeMap<InvocationId, Case>, calls: &BTreeMap<u64, Sent>) -> Vec<(u8, String)> {
    let guarded = |case: &&Case| {
        let sent = call_of(&case.last).and_then(|call| calls.get(&call));
        let meant = sent.is_none_or(|sent| sent.allow_duplicate);
        case.effects > 0 && !meant && case.last.proposal.idempotency_key.is_none()
    };
    let guarded: Vec<_> = cases.values().filter(guarded).collect();
    let mut found = Vec::new();
    for (place, one) in guarded.iter().enumerate() {
        for other in guarded.iter().skip(place + 1) {
            let same = one.last.proposal.fingerprint == other.last.proposal.fingerprint;
            let apart = one.last.created_at.as_millis() - other.last.created_at.as_millis();
            if same && apart.abs() < TWINS_WITHIN {
                let (id, twin) = (&one.last.id, &other.last.id);
                found.push((2, format!("{id} and its twin {twin} both had their effect")));
            }
        }
    }
    found
}

/// One key of a caller has at most one effect, whichever invocations it led to.
fn same_key_twice<'c>(cases: impl Iterator<Item = (&'c Invocation, usize)>) -> Vec<(u8, String)> {
    let mut by_key: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (last, effects) in cases {
        let proposal = &last.proposal;
        if let Some(key) = &proposal.idempotency_key {
            *by_key.entry((proposal.tool.as_str(), key)).or_default() += effects;
        }
    }
    let twice = by_key.into_iter().filter(|(_, effects)| *effects > 1);
    twice
        .map(|((tool, key), effects)| {
            (
                2,
                format!("the key `{key}` of {tool} had {effects} effects"),
            )
        })
        .collect()
}

struct Log {
    sound: bool,
    told: String,
    records: u64,
}

async fn log(store: &dyn Store) -> Result<Log, Unavailable> {
    store.checkpoint().await?;
    let filter = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let records = store.records(filter).await?;
    let checkpoints = store.checkpoints(0).await?;
    let count = records.len() as u64;
    let Ok(verifier) = Verifier::parse(&store.verifier_key()) else {
        return Ok(Log {
            sound: false,
            told: "its key is no key".to_owned(),
            records: count,
        });
    };
    let report = verify(VerifyInput {
        verifier: &verifier,
        checkpoints: &checkpoints,
        records,
    });
    Ok(Log {
        sound: report.is_sound(),
        told: format!("{report:?}").chars().take(400).collect(),
        records: count,
    })
}

async fn stored(store: &dyn Store, ids: Vec<InvocationId>) -> Result<Vec<Invocation>, Unavailable> {
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        all.extend(store.invocation(&id).await?);
    }
    Ok(all)
}
