//! The sample log, and what tests ask of a report.

use std::sync::LazyLock;

use serde_json::{Map, json};
use toolgate_model::{AgentId, Digest, InvocationId, RecordId, Severity, TenantId, Timestamp};
use toolgate_record::{
    Actor, Checkpoint, Entry, Frontier, Place, Problem, Record, Report, Signer, VerifyInput, verify,
};

pub(crate) const ORIGIN: &str = "gate.acme.com/log";
pub(crate) const RECORDS: u64 = 300;

/// Sizes that are signed. The last ten records are not.
pub(crate) const HEADS: [u64; 6] = [1, 64, 100, 181, 256, 290];

/// A log as it lies in a store.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn signer() -> Signer {
    Signer::from_seed(ORIGIN, [7; 32]).unwrap()
}

/// Bytes that differ in many places between any two numbers.
fn random<const N: usize>(number: u64) -> [u8; N] {
    let digest = Digest::of(&number.to_be_bytes());
    digest.as_bytes()[..N].try_into().unwrap()
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_millis(1_781_622_862_104 + i64::try_from(number).unwrap() * 700)
}

/// The invocation that every third record in a row is about.
pub(crate) fn invocation(number: u64) -> InvocationId {
    InvocationId::mint(at(number), random(number))
}

/// The entry with this number; 300 and above are not in the sample log.
pub(crate) fn entry(number: u64) -> Entry {
    let kinds = ["invocation.admitted", "invocation.succeeded", "key.revoked"];
    let id = "billing_agent".parse::<AgentId>().unwrap();
    let key = "key_019700000000700080000000000000cd".parse().unwrap();
    let about = (number % 3 < 2).then(|| invocation(number / 3));
    Entry {
        id: RecordId::mint(at(number), random(number)),
        at: at(number),
        kind: kinds[usize::try_from(number % 3).unwrap()].to_owned(),
        tenant: TenantId::default(),
        actor: match number % 3 {
            0 => Actor::Agent {
                id,
                key,
                chain: Vec::new(),
            },
            1 => Actor::Gate,
            _ => Actor::Person { id, key },
        },
        invocation: about,
        correlation: number.is_multiple_of(2).then(|| format!("c-{number}")),
        data: Map::from_iter([("amount".to_owned(), json!(number as f64 + 0.5))]),
    }
}

/// The records of these entries, sealed in this order.
pub(crate) fn sealed(entries: impl IntoIterator<Item = Entry>) -> Vec<Record> {
    (0..)
        .zip(entries)
        .map(|(index, entry)| entry.seal(index).unwrap())
        .collect()
}

/// The signed note over the first `size` of these records.
pub(crate) fn note(records: &[Record], size: u64) -> String {
    let mut frontier = Frontier::default();
    let covered = &records[..usize::try_from(size).unwrap()];
    covered
        .iter()
        .for_each(|record| frontier.append(record.leaf));
    Checkpoint::of(ORIGIN, &frontier).sign(&signer()).unwrap()
}

/// The sample log.
pub(crate) static LOG: LazyLock<Log> = LazyLock::new(|| {
    let records = sealed((0..RECORDS).map(entry));
    let notes = HEADS.into_iter().map(|size| note(&records, size)).collect();
    Log { records, notes }
});

impl Log {
    pub(crate) fn report(&self) -> Report {
        let records = self.records.iter().cloned();
        verify(VerifyInput {
            verifier: signer().verifier(),
            checkpoints: &self.notes,
            records,
        })
    }
}

/// The errors of a report, each with its place.
pub(crate) fn errors(report: &Report) -> Vec<(Place, Problem)> {
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    errors
        .map(|finding| (finding.place, finding.problem.clone()))
        .collect()
}

pub(crate) fn records(from: u64, to: u64) -> Place {
    Place::Records { from, to }
}

/// The finding that a rewritten record at `index` must give: the range that only the tree can
/// tell, from the last checkpoint that still fits to the first that does not. None in the tail
/// that nobody has signed.
pub(crate) fn rewritten(index: u64) -> Vec<(Place, Problem)> {
    let before = HEADS.into_iter().rfind(|size| *size <= index).unwrap_or(0);
    let after = HEADS.into_iter().find(|size| *size > index);
    after
        .map(|size| (records(before, size - 1), Problem::RootDiffers))
        .into_iter()
        .collect()
}
