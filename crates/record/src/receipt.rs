//! Receipts: everything that proves one invocation, in one self-contained JSON text.
//!
//! Its records, for each the way from its leaf to the root, the signed checkpoint over that root,
//! and the digests that tie what was described, approved and executed together. A year later an
//! auditor with nothing but the verifier key sees that the refund which ran is the one that was
//! approved. It proves that these records are on the log, not that there are no others.
//!
//! Must not know: stores, or what else the records say.

use serde::Deserialize;
use serde_json::{Value, json};
use toolgate_model::json::{self as strict, Limits, Numbers};
use toolgate_model::{Digest, InvocationId};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::entry::{Entry, EntryError, Record};
use crate::key::Verifier;
use crate::proof::{InclusionProof, ProofError};
use crate::tree::{Leaves, leaf_hash};

/// Records in one receipt.
// LIMIT: a thousand; attempts, votes and requeues of one invocation are bounded far below.
pub const RECEIPT_RECORDS_MAX: usize = 1_000;

/// Version of the form.
const VERSION: u32 = 1;

/// Bounds of the text: the records, their proofs and the note.
const LIMITS: Limits = Limits {
    bytes_max: 80 << 20,
    depth_max: 112,
    string_bytes_max: 256 << 10,
};

/// The digests that are tied together: each over exactly the call that was meant. They are read
/// from the fields `described`, `approved` and `executed` of the records' data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// What was last described: frozen for approval, or allowed as it came.
    pub described: Option<Digest>,
    /// What was last approved.
    pub approved: Option<Digest>,
    /// What was last executed.
    pub executed: Option<Digest>,
}

/// A self-contained proof about one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    invocation: InvocationId,
    checkpoint: String,
    ties: Ties,
    parts: Vec<Part>,
}

/// One record and its way to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    record: Record,
    path: Vec<Digest>,
}

/// What a receipt that verifies has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// About which invocation.
    pub invocation: InvocationId,
    /// The checkpoint that the records are under.
    pub checkpoint: Checkpoint,
    /// The records, each with its index, in order.
    pub entries: Vec<(u64, Entry)>,
    /// What was described, approved and executed.
    pub ties: Ties,
}

/// Why a receipt cannot be made, or proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiptError {
    /// The text has another form.
    #[error("not a receipt: {0}")]
    Form(String),
    /// The checkpoint does not hold.
    #[error("the receipt's checkpoint does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// No records.
    #[error("the receipt has no records: `{0}` is not on the log yet")]
    Empty(InvocationId),
    /// More than [`RECEIPT_RECORDS_MAX`] records.
    #[error("the receipt has {records} records, more than the {max} allowed")]
    TooMany {
        /// Records given.
        records: usize,
        /// Records allowed.
        max: usize,
    },
    /// A record is not after the one before it.
    #[error("record {0} of the receipt is out of order")]
    Order(u64),
    /// A record is not well-formed.
    #[error("record {index} of the receipt does not hold: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: EntryError,
    },
    /// A record is about something else.
    #[error("record {index} of the receipt is not about `{invocation}`")]
    Stranger {
        /// Its index.
        index: u64,
        /// What the receipt is about.
        invocation: InvocationId,
    },
    /// A record is not under the checkpoint.
    #[error("record {index} of the receipt is not under its checkpoint: {source}")]
    Proof {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: ProofError,
    },
    /// A field that should hold a digest holds something else.
    #[error("`{field}` in record {index} of the receipt is not a digest")]
    Digest {
        /// The index of the record.
        index: u64,
        /// The field.
        field: &'static str,
    },
    /// What was described, approved and executed is not the same.
    #[error("record {index} of the receipt names another `{field}` than was {before} before it")]
    Untied {
        /// The index of the record.
        index: u64,
        /// The field.
        field: &'static str,
        /// What it should be the same as.
        before: &'static str,
    },
    /// The digests that the receipt states are not those in its records.
    #[error("the digests stated in the receipt are not those in its records")]
    Misstated,
}

impl Receipt {
    /// The receipt for `invocation`: its records in order, proved from the log's leaves against
    /// the checkpoint in `note`.
    ///
    /// # Errors
    /// [`ReceiptError`] where it would not verify: among others where no checkpoint is over all of
    /// the records yet, or where what ran is not what was described and approved.
    pub fn make<L: Leaves + ?Sized>(
        invocation: &InvocationId,
        records: Vec<Record>,
        leaves: &L,
        note: &str,
        verifier: &Verifier,
    ) -> Result<Self, ReceiptError> {
        let size = Checkpoint::open(note, verifier)?.size;
        let part = |record: Record| {
            let index = record.index;
            let proof = InclusionProof::make(leaves, index, size)
                .map_err(|source| ReceiptError::Proof { index, source })?;
            Ok(Part {
                record,
                path: proof.path,
            })
        };
        let mut receipt = Self {
            invocation: invocation.clone(),
            checkpoint: note.to_owned(),
            ties: Ties::default(),
            parts: records
                .into_iter()
                .map(part)
                .collect::<Result<_, ReceiptError>>()?,
        };
        receipt.ties = Ties::of(&receipt.entries()?)?;
        // INVARIANT: no receipt is handed out that its reader would refuse.
        receipt.verify(verifier)?;
        Ok(receipt)
    }

    /// Checks everything that the receipt says, and gives it.
    ///
    /// # Errors
    /// [`ReceiptError`] names the first thing that does not hold.
    pub fn verify(&self, verifier: &Verifier) -> Result<Proven, ReceiptError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, verifier)?;
        let entries = self.entries()?;
        self.parts
            .iter()
            .try_for_each(|part| part.verify(&checkpoint))?;
        let ties = Ties::of(&entries)?;
        if ties != self.ties {
            return Err(ReceiptError::Misstated);
        }
        Ok(Proven {
            invocation: self.invocation.clone(),
            checkpoint,
            entries,
            ties,
        })
    }

    /// The receipt as JSON.
    pub fn to_value(&self) -> Value {
        let records: Vec<Value> = self.parts.iter().map(Part::to_value).collect();
        json!({
            "toolgate_receipt": VERSION,
            "invocation": self.invocation,
            "described": self.ties.described,
            "approved": self.ties.approved,
            "executed": self.ties.executed,
            "checkpoint": self.checkpoint,
            "records": records,
        })
    }

    /// Reads a receipt, in whatever way its JSON is laid out. Nothing is verified yet.
    ///
    /// # Errors
    /// [`ReceiptError::Form`] where it is none.
    ///
    /// ```
    /// use toolgate_record::Receipt;
    /// let error = Receipt::parse(br#"{"toolgate_receipt":1}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "not a receipt: missing field `invocation`");
    /// ```
    pub fn parse(text: &[u8]) -> Result<Self, ReceiptError> {
        let value = strict::parse(text, LIMITS, Numbers::Exact).map_err(form)?;
        let wire: Wire = serde_json::from_value(value).map_err(form)?;
        if wire.toolgate_receipt != VERSION {
            let found = wire.toolgate_receipt;
            return Err(form(format!(
                "version {found}, and this reader knows {VERSION}"
            )));
        }
        let (described, approved, executed) = (wire.described, wire.approved, wire.executed);
        Ok(Self {
            invocation: wire.invocation,
            checkpoint: wire.checkpoint,
            ties: Ties {
                described,
                approved,
                executed,
            },
            parts: wire.records.into_iter().map(WirePart::part).collect(),
        })
    }

    /// The entries with their indexes, which are about the invocation and in order.
    fn entries(&self) -> Result<Vec<(u64, Entry)>, ReceiptError> {
        if self.parts.is_empty() {
            return Err(ReceiptError::Empty(self.invocation.clone()));
        }
        if self.parts.len() > RECEIPT_RECORDS_MAX {
            let (records, max) = (self.parts.len(), RECEIPT_RECORDS_MAX);
            return Err(ReceiptError::TooMany { records, max });
        }
        let mut entries: Vec<(u64, Entry)> = Vec::new();
        for Part { record, .. } in &self.parts {
            let index = record.index;
            if entries.last().is_some_and(|(before, _)| *before >= index) {
                return Err(ReceiptError::Order(index));
            }
            let entry = record
                .entry()
                .map_err(|source| ReceiptError::Entry { index, source })?;
            if entry.invocation.as_ref() != Some(&self.invocation) {
                let invocation = self.invocation.clone();
                return Err(ReceiptError::Stranger { index, invocation });
            }
            entries.push((index, entry));
        }
        Ok(entries)
    }
}

impl Part {
    fn verify(&self, checkpoint: &Checkpoint) -> Result<(), ReceiptError> {
        let (index, size) = (self.record.index, checkpoint.size);
        // Hashed anew: the leaf that came along is only what somebody says.
        let leaf = leaf_hash(&self.record.bytes);
        InclusionProof {
            index,
            size,
            path: self.path.clone(),
        }
        .verify(&leaf, &checkpoint.root)
        .map_err(|source| ReceiptError::Proof { index, source })
    }

    fn to_value(&self) -> Value {
        // Only receipts that hold are written, and theirs are entries in canonical form.
        let entry = serde_json::from_slice(&self.record.bytes).unwrap_or(Value::Null);
        json!({"index": self.record.index, "path": self.path, "entry": entry})
    }
}

impl Ties {
    /// The newest digests, where each step names the same as the one that it rests on. After a
    /// requeue another description stands, and only an approval of that one counts.
    fn of(entries: &[(u64, Entry)]) -> Result<Self, ReceiptError> {
        let mut ties = Self::default();
        for (index, entry) in entries {
            let read = |field| digest_of(*index, entry, field);
            let same = |field, digest, before, than: Option<Digest>| match than == digest {
                true => Ok(digest),
                false => Err(ReceiptError::Untied {
                    index: *index,
                    field,
                    before,
                }),
            };
            if let Some(described) = read("described")? {
                ties.described = Some(described);
            }
            if let Some(approved) = read("approved")? {
                ties.approved = same("approved", Some(approved), "described", ties.described)?;
            }
            if let Some(executed) = read("executed")? {
                ties.executed = same("executed", Some(executed), "described", ties.described)?;
                // A call that was ever put to approvers runs only as they approved it.
                if ties.approved.is_some() {
                    same("executed", Some(executed), "approved", ties.approved)?;
                }
            }
        }
        Ok(ties)
    }
}

/// The form as it is read. Written by [`Receipt::to_value`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    toolgate_receipt: u32,
    invocation: InvocationId,
    described: Option<Digest>,
    approved: Option<Digest>,
    executed: Option<Digest>,
    checkpoint: String,
    records: Vec<WirePart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePart {
    index: u64,
    path: Vec<Digest>,
    entry: Value,
}

impl WirePart {
    fn part(self) -> Part {
        // However the receipt was laid out on its way here, the leaf is over the canonical form.
        let bytes = strict::canonical(&self.entry).into_bytes();
        let leaf = leaf_hash(&bytes);
        Part {
            record: Record {
                index: self.index,
                bytes,
                leaf,
            },
            path: self.path,
        }
    }
}

fn digest_of(
    index: u64,
    entry: &Entry,
    field: &'static str,
) -> Result<Option<Digest>, ReceiptError> {
    match entry.data.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| ReceiptError::Digest { index, field }),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(ReceiptError::Digest { index, field })
        }
    }
}

fn form(error: impl std::fmt::Display) -> ReceiptError {
    ReceiptError::Form(error.to_string())
}
