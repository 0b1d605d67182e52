//! Append-only record: what happened, in a log that cannot be changed without being found out.
//!
//! An [`Entry`] says who did what and when. Sealed at its index it is a [`Record`], whose bytes
//! are one leaf of a Merkle tree (RFC 6962 hashing). The root of the tree is signed from time to
//! time as a [`Checkpoint`] in the C2SP note format. Whoever has the [`Verifier`] key can check a
//! whole log ([`verify`], [`verify_bundle`]), or the few records of one invocation ([`Receipt`]), offline.
//! Bodies that must stay erasable are committed to by a salted digest ([`Commitment`]).
//!
//! What this can promise: whatever was signed in a checkpoint that somebody kept can no longer be
//! changed, dropped or reordered unnoticed. It cannot promise that a gate wrote everything down.
//!
//! Must not know: stores, rules, the state machine, transports, clocks, randomness.

mod commitment;
mod entry;
mod tree;

mod key;
mod note;

mod checkpoint;
mod proof;

mod report;
mod verify;

mod bundle;
mod receipt;

pub use bundle::{
    BundleError, BundleReader, LINE_BYTES_MAX, checkpoint_line, header_line, record_line,
    verify_bundle,
};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitment::{Commitment, Salt, SaltError};
pub use entry::{Actor, ENTRY_BYTES_MAX, Entry, EntryError, INDEX_MAX, Record};
pub use key::{KeyError, NoteKeyId, Signer, Verifier};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, NoteSignature, SIGNATURES_MAX};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use receipt::{Proven, RECEIPT_RECORDS_MAX, Receipt, ReceiptError, Ties};
pub use report::{FINDINGS_MAX, Finding, Place, Problem, Report};
pub use tree::{Frontier, FrontierError, Leaves, Tree, empty_root, leaf_hash, node_hash, root_of};
pub use verify::{CHECKPOINTS_MAX, TIME_BACKWARDS_MAX, Verification, VerifyInput, verify};
