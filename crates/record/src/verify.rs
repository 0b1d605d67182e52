//! The offline verifier: a whole log against its signed checkpoints, and everything that is wrong.
//!
//! Records are read in the order in which they are stored, one at a time. Each is checked alone
//! (bytes against leaf, form, place, id, time), and its leaf is added to the tree; wherever a
//! checkpoint is due, the root must be the signed one. Somebody who rewrites a record and its leaf
//! alike is found by the first checkpoint after it, and named by the range since the one before.
//!
//! Two frontiers run side by side, one of stored leaves and one of leaves hashed anew: as long as
//! either has the signed root, the records in which they differ are all that was changed. Must not
//! know: where records come from.

use std::collections::{BTreeMap, VecDeque};

use toolgate_model::{Digest, Duration, RecordId, Timestamp};

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, Record};
use crate::key::Verifier;
use crate::report::{Findings, Place, Problem, Report};
use crate::tree::{Frontier, leaf_hash};

/// How far the time of a record may lie before that of an earlier one.
// LIMIT: five seconds, since calls that end together are written in either order.
pub const TIME_BACKWARDS_MAX: Duration = Duration::from_secs(5);

/// Checkpoints that one verification reads.
// LIMIT: four million, 64 bytes each; one a second for seven weeks.
pub const CHECKPOINTS_MAX: u64 = 1 << 22;

/// Records of which ids are compared.
// LIMIT: sixteen million, some 30 bytes each.
const IDS_MAX: usize = 1 << 24;

/// A stored log and what it is checked against.
#[derive(Debug)]
pub struct VerifyInput<'v, R> {
    /// The key, from a place that whoever could write the log could not write.
    pub verifier: &'v Verifier,
    /// The signed notes, oldest first, among them any that somebody kept elsewhere.
    pub checkpoints: &'v [String],
    /// The records in the order of their stored index.
    pub records: R,
}

/// Checks a whole log.
///
/// ```
/// use toolgate_record::{Signer, VerifyInput, verify};
/// let signer = Signer::from_seed("gate.acme.com/log", [7; 32])?;
/// let report = verify(VerifyInput { verifier: signer.verifier(), checkpoints: &[], records: [] });
/// assert!(report.is_sound());
/// # Ok::<(), toolgate_record::KeyError>(())
/// ```
pub fn verify<R: IntoIterator<Item = Record>>(input: VerifyInput<'_, R>) -> Report {
    let mut verification = Verification::new(input.verifier);
    for note in input.checkpoints {
        verification.checkpoint(note);
    }
    for record in input.records {
        verification.record(&record);
    }
    verification.finish()
}

/// A verification under way, for logs that come page by page: first all checkpoints, oldest
/// first, then all records in the order of their stored index, then the report.
#[derive(Clone, Debug)]
pub struct Verification {
    verifier: Verifier,
    findings: Findings,
    heads: Heads,
    tree: TreeCheck,
    records: u64,
    /// The index that the next record must have.
    next: u64,
    latest: Option<Timestamp>,
    ids: BTreeMap<u128, u64>,
}

/// The checkpoints whose signature holds, and how far they were compared.
#[derive(Clone, Debug, Default)]
struct Heads {
    given: u64,
    due: VecDeque<Head>,
    last: Option<Head>,
    confirmed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    number: u64,
    size: u64,
    root: Digest,
}

/// The tree as far as it can be told.
#[derive(Clone, Debug, Default)]
struct TreeCheck {
    stored: Frontier,
    hashed: Frontier,
    /// Set for good once a record is missing or a root differs: no later root can be compared.
    torn: bool,
    size_confirmed: u64,
}

impl Verification {
    /// A verification that trusts this key.
    pub fn new(verifier: &Verifier) -> Self {
        Self {
            verifier: verifier.clone(),
            findings: Findings::default(),
            heads: Heads::default(),
            tree: TreeCheck::default(),
            records: 0,
            next: 0,
            latest: None,
            ids: BTreeMap::new(),
        }
    }

    /// Reads the next checkpoint. One that comes after the records it is over can be compared with
    /// nothing any more, and is a finding.
    pub fn checkpoint(&mut self, note: &str) {
        self.heads.given += 1;
        let number = self.heads.given;
        if let Err((place, problem)) = self.read_head(number, note) {
            self.findings.add(place, problem);
        }
    }

    fn read_head(&mut self, number: u64, note: &str) -> Result<(), (Place, Problem)> {
        if number > CHECKPOINTS_MAX {
            // Only the first one too many is a finding; it says enough.
            let problem = Problem::CheckpointsTooMany {
                max: CHECKPOINTS_MAX,
            };
            return if number == CHECKPOINTS_MAX + 1 {
                Err((Place::Log, problem))
            } else {
                Ok(())
            };
        }
        let place = Place::Checkpoint { number };
        let refused = |reason| (place, Problem::CheckpointRefused { reason });
        let head = Checkpoint::open(note, &self.verifier).map_err(|e| refused(e.to_string()))?;
        let head = Head {
            number,
            size: head.size,
            root: head.root,
        };
        if let Some(last) = self.heads.last {
            if head.size < last.size {
                let (size, before) = (head.size, last.size);
                return Err((place, Problem::CheckpointShrinks { size, before }));
            }
            if head.size == last.size && head.root != last.root {
                return Err((place, Problem::CheckpointForked));
            }
        }
        self.heads.last = Some(head);
        self.heads.due.push_back(head);
        Ok(())
    }

    /// Reads the next record.
    pub fn record(&mut self, record: &Record) {
        self.records += 1;
        self.compare_heads();
        let place = Place::record(record.index);
        let hashed = leaf_hash(&record.bytes);
        if hashed != record.leaf {
            self.findings.add(place, Problem::BytesChanged);
        }
        self.check_entry(record);
        if record.index < self.next {
            self.findings.add(place, Problem::OutOfOrder);
            return;
        }
        if record.index > self.next {
            let gap = Place::Records {
                from: self.next,
                to: record.index - 1,
            };
            self.findings.add(gap, Problem::Missing);
            self.tree.torn = true;
        }
        self.next = record.index.saturating_add(1);
        self.tree.stored.append(record.leaf);
        self.tree.hashed.append(hashed);
    }

    /// The report over all that was read.
    pub fn finish(mut self) -> Report {
        self.compare_heads();
        let signed = self.heads.last.map_or(0, |head| head.size);
        if signed > self.next {
            let lost = Place::Records {
                from: self.next,
                to: signed - 1,
            };
            self.findings.add(lost, Problem::Truncated);
        }
        if self.records > 0 && signed == 0 {
            self.findings.add(Place::Log, Problem::Unsigned);
        }
        Report {
            v: 1,
            sound: self.findings.errors == 0,
            records: self.records,
            size_confirmed: self.tree.size_confirmed,
            checkpoints: self.heads.given,
            checkpoints_confirmed: self.heads.confirmed,
            unsigned_tail: self.next.saturating_sub(signed),
            errors: self.findings.errors,
            warnings: self.findings.warnings,
            findings: self.findings.list,
            findings_dropped: self.findings.dropped,
        }
    }

    pub(crate) fn find(&mut self, place: Place, problem: Problem) {
        self.findings.add(place, problem);
    }

    /// Compares the tree with every checkpoint that is over exactly the records read so far.
    fn compare_heads(&mut self) {
        while let Some(head) = self.heads.due.pop_front_if(|head| head.size <= self.next) {
            if self.tree.torn {
                continue;
            }
            if head.size < self.next {
                let place = Place::Checkpoint {
                    number: head.number,
                };
                self.findings.add(place, Problem::CheckpointLate);
                continue;
            }
            if self.tree.fits(&head) {
                self.heads.confirmed += 1;
                self.tree.size_confirmed = head.size;
                continue;
            }
            self.tree.torn = true;
            let place = match head.size.checked_sub(1) {
                Some(to) => Place::Records {
                    from: self.tree.size_confirmed,
                    to,
                },
                None => Place::Checkpoint {
                    number: head.number,
                },
            };
            self.findings.add(place, Problem::RootDiffers);
        }
    }

    fn check_entry(&mut self, record: &Record) {
        let place = Place::record(record.index);
        let (says, entry) = match Entry::parse(&record.bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                let reason = error.to_string();
                return self.findings.add(place, Problem::Malformed { reason });
            }
        };
        if says != record.index {
            let shift = says.cast_signed().wrapping_sub(record.index.cast_signed());
            self.findings.add(place, Problem::Misplaced { shift });
        }
        self.check_id(record.index, &entry.id);
        self.check_time(place, entry.at);
    }

    fn check_id(&mut self, index: u64, id: &RecordId) {
        let place = Place::record(index);
        let digits = id.as_str().rsplit('_').next().unwrap_or_default();
        let Ok(number) = u128::from_str_radix(digits, 16) else {
            let reason = format!("`{id}` is not an id");
            return self.findings.add(place, Problem::Malformed { reason });
        };
        if let Some(first) = self.ids.get(&number) {
            self.findings
                .add(place, Problem::IdRepeated { first: *first });
        } else if self.ids.len() < IDS_MAX {
            self.ids.insert(number, index);
        } else {
            self.findings.add(place, Problem::IdsUnchecked);
        }
    }

    fn check_time(&mut self, place: Place, at: Timestamp) {
        let latest = self.latest.unwrap_or(at);
        if latest.since(at) > TIME_BACKWARDS_MAX {
            self.findings.add(place, Problem::TimeBackwards);
        }
        self.latest = Some(latest.max(at));
    }
}

impl TreeCheck {
    /// Whether the signed root is that of the stored leaves or that of the hashed ones. From
    /// there on both go on as the one that fits, so that one damaged record spoils no later root.
    fn fits(&mut self, head: &Head) -> bool {
        if self.hashed.root() == head.root {
            self.stored = self.hashed.clone();
            return true;
        }
        let fits = self.stored.root() == head.root;
        if fits {
            self.hashed = self.stored.clone();
        }
        fits
    }
}
