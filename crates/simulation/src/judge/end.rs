//! The judge's last look, when nothing moves any more: is everything ended, once, and on the log?
//!
//! Must not know: how the world came to rest.

use std::collections::BTreeMap;

use toolgate_execution::{Invocation, Status};
use toolgate_gate::port::{RecordFilter, Store, Unavailable};
use toolgate_record::{Verifier, VerifyInput, verify};

use super::{Judge, Violation, call_of};
use crate::cast::Part;

impl Judge {
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

async fn stored(
    store: &dyn Store,
    ids: Vec<toolgate_model::InvocationId>,
) -> Result<Vec<Invocation>, Unavailable> {
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        all.extend(store.invocation(&id).await?);
    }
    Ok(all)
}
