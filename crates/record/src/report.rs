//! What a verification found: each problem with its place, and the sums.
//!
//! ```text
//! record 5: the bytes do not hash to the stored leaf
//! records 120 to 179: their tree has another root than the checkpoint signed
//! ```
//!
//! Neighbouring records with the same problem make one finding, so that one inserted record does
//! not bury everything else under a thousand that moved. Must not know: how anything is found.

use std::fmt;

use serde::Serialize;
use toolgate_model::Severity;

/// Findings that a report lists.
// LIMIT: a thousand; whoever wrote the log may have written millions of faults. The sums and the
// verdict still count those that are not listed.
pub const FINDINGS_MAX: usize = 1_000;

/// How many of the last findings a new one may be merged with: as many as there are problems that
/// one record can have at a time.
const MERGE_REACH: usize = 8;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub v: u32,
    /// Whether nothing is wrong. Warnings and an unsigned tail leave a log sound.
    pub sound: bool,
    /// How many records were read.
    pub records: u64,
    /// Up to which size a checkpoint confirms the records.
    pub size_confirmed: u64,
    /// How many checkpoints were given.
    pub checkpoints: u64,
    /// How many of them are signed by the key and fit the records.
    pub checkpoints_confirmed: u64,
    /// How many records stand after the last checkpoint: well-formed, and not yet signed.
    pub unsigned_tail: u64,
    /// How many errors were found.
    pub errors: u64,
    /// How many warnings.
    pub warnings: u64,
    /// The findings, in the order in which they were found, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_dropped: u64,
}

/// One problem at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether the log is unsound because of it.
    pub severity: Severity,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What.
    #[serde(flatten)]
    pub problem: Problem,
    /// The problem in words.
    pub message: String,
}

/// Where a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Place {
    /// The log as a whole.
    Log,
    /// Records, by index, both ends included.
    Records {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A checkpoint.
    Checkpoint {
        /// Its place in the list, from 1.
        number: u64,
    },
    /// A line of a bundle.
    Line {
        /// Which, from 1.
        number: u64,
    },
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Bytes or stored leaf hash were changed.
    #[error("the bytes do not hash to the stored leaf")]
    BytesChanged,
    /// The bytes are no entry.
    #[error("{reason}")]
    Malformed {
        /// Why not.
        reason: String,
    },
    /// The record says that it belongs elsewhere: something was moved, inserted or dropped.
    #[error("the record says that it belongs {shift:+} places from here")]
    Misplaced {
        /// Where it says it belongs, less where it stands.
        shift: i64,
    },
    /// No record has this index.
    #[error("missing")]
    Missing,
    /// The index was there already.
    #[error("the index comes again or out of order")]
    OutOfOrder,
    /// Two records have one id.
    #[error("the id is that of record {first}")]
    IdRepeated {
        /// The index of the first.
        first: u64,
    },
    /// The instant is earlier than one before it. A warning: clocks do step.
    #[error("the time runs backwards")]
    TimeBackwards,
    /// There are more records than ids are compared of. A warning.
    #[error("ids are compared no further")]
    IdsUnchecked,
    /// Bytes and leaves were changed alike; only the tree can tell.
    #[error("the tree has another root than the checkpoint over it: a record was rewritten")]
    RootDiffers,
    /// A checkpoint is over more records than there are.
    #[error("missing at the end of the log, but a checkpoint is over them")]
    Truncated,
    /// There are records, and no checkpoint over any of them that the key signed.
    #[error("no valid checkpoint over any record: nothing here is confirmed")]
    Unsigned,
    /// The checkpoint is malformed, not signed by the key, forged, or another log's.
    #[error("{reason}")]
    CheckpointRefused {
        /// Why.
        reason: String,
    },
    /// The checkpoint is over fewer records than the one before it.
    #[error("the checkpoint has size {size}, less than {before} before it")]
    CheckpointShrinks {
        /// Its size.
        size: u64,
        /// The size before it.
        before: u64,
    },
    /// Two checkpoints of one size have different roots: the log was told in two ways.
    #[error("the checkpoint has the size of the one before it and another root")]
    CheckpointForked,
    /// The checkpoint was read after the records that it is over.
    #[error("the checkpoint comes after the records that it is over")]
    CheckpointLate,
    /// There are more checkpoints than are read.
    #[error("more than {max} checkpoints")]
    CheckpointsTooMany {
        /// How many are read.
        max: u64,
    },
    /// The line does not belong there or cannot be read.
    #[error("{reason}")]
    LineRefused {
        /// Why.
        reason: String,
    },
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.sound
    }
}

impl Place {
    /// The place of one record.
    pub const fn record(index: u64) -> Self {
        Self::Records {
            from: index,
            to: index,
        }
    }

    /// This place and `next` as one, where they are neighbouring records.
    fn joined(self, next: Self) -> Option<Self> {
        match (self, next) {
            (
                Self::Records { from, to },
                Self::Records {
                    from: start,
                    to: end,
                },
            ) => (to.checked_add(1) == Some(start)).then_some(Self::Records { from, to: end }),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("the log"),
            Self::Records { from, to } if from == to => write!(f, "record {from}"),
            Self::Records { from, to } => write!(f, "records {from} to {to}"),
            Self::Checkpoint { number } => write!(f, "checkpoint {number}"),
            Self::Line { number } => write!(f, "line {number}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Problem {
    const fn severity(&self) -> Severity {
        match self {
            Self::TimeBackwards | Self::IdsUnchecked => Severity::Warning,
            Self::BytesChanged
            | Self::Malformed { .. }
            | Self::Misplaced { .. }
            | Self::Missing
            | Self::OutOfOrder
            | Self::IdRepeated { .. }
            | Self::RootDiffers
            | Self::Truncated
            | Self::Unsigned
            | Self::CheckpointRefused { .. }
            | Self::CheckpointShrinks { .. }
            | Self::CheckpointForked
            | Self::CheckpointLate
            | Self::CheckpointsTooMany { .. }
            | Self::LineRefused { .. } => Severity::Error,
        }
    }
}

/// Collects findings, merges neighbours, and stops listing at the limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    pub(crate) dropped: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, place: Place, problem: Problem) {
        let severity = problem.severity();
        if self.merge(place, &problem) {
            return;
        }
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() >= FINDINGS_MAX {
            self.dropped += 1;
            return;
        }
        let message = problem.to_string();
        self.list.push(Finding {
            severity,
            place,
            problem,
            message,
        });
    }

    fn merge(&mut self, place: Place, problem: &Problem) -> bool {
        let near = self.list.iter_mut().rev().take(MERGE_REACH);
        for finding in near.filter(|finding| finding.problem == *problem) {
            if let Some(joined) = finding.place.joined(place) {
                finding.place = joined;
                return true;
            }
        }
        false
    }
}
