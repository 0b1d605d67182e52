//! Bundles: a whole log in one text, to be kept and checked by whoever has the verifier key.
//!
//! ```text
//! {"toolgate_bundle":1,"origin":"gate.acme.com/log","verifier_key":"gate.acme.com/log+…"}
//! {"checkpoint":"gate.acme.com/log\n2\nCsUY…\n\n— gate.acme.com/log Az3g…\n"}
//! {"index":0,"leaf":"sha256:…","entry":{"actor":…}}
//! {"index":1,"leaf":"sha256:…","entry":{"actor":…}}
//! ```
//!
//! One JSON value a line: the header, all checkpoints oldest first, all records in order. Written
//! line by line and read line by line, so that no log is too long. The key in the header says
//! which key is meant; what is trusted is the one that the reader brings along. This is the only
//! file that knows the form. Must not know: files, streams.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use toolgate_model::Digest;

use crate::entry::{ENTRY_BYTES_MAX, Record};
use crate::key::Verifier;
use crate::note::NOTE_BYTES_MAX;
use crate::report::{Place, Problem, Report};
use crate::verify::Verification;

/// Version of the form.
const VERSION: u32 = 1;

/// Bytes of one line.
// LIMIT: the longest note with every newline escaped; entries are shorter.
pub const LINE_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX + 1_024;

const _: () = assert!(ENTRY_BYTES_MAX < LINE_BYTES_MAX);

/// A record that no bundle can carry.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("record {index} is not one line of JSON: verify the log where it is stored")]
pub struct BundleError {
    /// Its index.
    pub index: u64,
}

/// Reads a bundle line by line and verifies it.
#[derive(Debug)]
pub struct BundleReader {
    verifier: Verifier,
    verification: Verification,
    stage: Stage,
    line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Checkpoints,
    Records,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    toolgate_bundle: u32,
    origin: String,
    verifier_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine<'l> {
    index: u64,
    leaf: Digest,
    #[serde(borrow)]
    entry: &'l RawValue,
}

/// How a checkpoint line begins.
const CHECKPOINT_PREFIX: &str = "{\"checkpoint\":";

/// The first line of a bundle of this key's log, without its newline.
pub fn header_line(verifier: &Verifier) -> String {
    json!({
        "toolgate_bundle": VERSION,
        "origin": verifier.name(),
        "verifier_key": verifier.to_string(),
    })
    .to_string()
}

/// The line of one checkpoint, a signed note, without its newline.
pub fn checkpoint_line(note: &str) -> String {
    json!({ "checkpoint": note }).to_string()
}

/// The line of one record, without its newline.
///
/// # Errors
/// [`BundleError`] where the bytes are not one line of JSON, as those of every sealed entry are.
pub fn record_line(record: &Record) -> Result<String, BundleError> {
    let bad = || BundleError {
        index: record.index,
    };
    let entry = std::str::from_utf8(&record.bytes).map_err(|_| bad())?;
    let raw: &RawValue = serde_json::from_str(entry).map_err(|_| bad())?;
    // A newline would end the line, and outer space would be lost on the way back.
    if entry.contains('\n') || raw.get() != entry {
        return Err(bad());
    }
    Ok(format!(
        r#"{{"index":{},"leaf":"{}","entry":{entry}}}"#,
        record.index, record.leaf
    ))
}

/// Verifies a bundle that is at hand as a whole.
///
/// ```
/// use toolgate_record::{Checkpoint, Frontier, Signer, checkpoint_line, header_line, verify_bundle};
/// let signer = Signer::from_seed("gate.acme.com/log", [7; 32])?;
/// let note = Checkpoint::of("gate.acme.com/log", &Frontier::default()).sign(&signer)?;
/// let text = [header_line(signer.verifier()), checkpoint_line(&note)].join("\n");
/// assert!(verify_bundle(text.as_bytes(), signer.verifier()).is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_bundle(text: &[u8], verifier: &Verifier) -> Report {
    let mut reader = BundleReader::new(verifier);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    // An empty text has no line, not an empty one.
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|_| !text.is_empty());
    lines.for_each(|line| reader.line(line));
    reader.finish()
}

impl BundleReader {
    /// A reader that trusts this key and no other.
    pub fn new(verifier: &Verifier) -> Self {
        Self {
            verifier: verifier.clone(),
            verification: Verification::new(verifier),
            stage: Stage::Header,
            line: 0,
        }
    }

    /// Reads the next line, given without its newline.
    pub fn line(&mut self, line: &[u8]) {
        self.line += 1;
        if let Err(reason) = self.read(line) {
            self.refuse(reason);
        }
    }

    /// The report over all lines.
    pub fn finish(mut self) -> Report {
        if self.stage == Stage::Header {
            self.line += 1;
            self.refuse("the bundle has no header".to_owned());
        }
        self.verification.finish()
    }

    fn refuse(&mut self, reason: String) {
        let place = Place::Line { number: self.line };
        self.verification
            .find(place, Problem::LineRefused { reason });
    }

    fn read(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > LINE_BYTES_MAX {
            return Err(format!("longer than the {LINE_BYTES_MAX} bytes allowed"));
        }
        let line = std::str::from_utf8(line).map_err(|error| error.to_string())?;
        match self.stage {
            Stage::Header => {
                self.stage = Stage::Checkpoints;
                self.read_header(line)
            }
            Stage::Checkpoints | Stage::Records if line.starts_with(CHECKPOINT_PREFIX) => {
                self.read_checkpoint(line)
            }
            Stage::Checkpoints | Stage::Records => {
                self.stage = Stage::Records;
                self.read_record(line)
            }
        }
    }

    fn read_header(&self, line: &str) -> Result<(), String> {
        let header: Header = parse("header", line)?;
        if header.toolgate_bundle != VERSION {
            let found = header.toolgate_bundle;
            return Err(format!(
                "bundle version {found}, and this reader knows {VERSION}"
            ));
        }
        let expected = self.verifier.to_string();
        if header.verifier_key != expected || header.origin != self.verifier.name() {
            let found = header.verifier_key;
            return Err(format!(
                "the bundle names the key `{found}`, not `{expected}`"
            ));
        }
        Ok(())
    }

    fn read_checkpoint(&mut self, line: &str) -> Result<(), String> {
        if self.stage == Stage::Records {
            return Err("a checkpoint after the first record".to_owned());
        }
        let line: CheckpointLine = parse("checkpoint", line)?;
        self.verification.checkpoint(&line.checkpoint);
        Ok(())
    }

    fn read_record(&mut self, line: &str) -> Result<(), String> {
        let line: RecordLine<'_> = parse("record", line)?;
        let bytes = line.entry.get().as_bytes().to_vec();
        self.verification.record(&Record {
            index: line.index,
            bytes,
            leaf: line.leaf,
        });
        Ok(())
    }
}

fn parse<'l, T: Deserialize<'l>>(what: &str, line: &'l str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        // The line that counts is the bundle's, and the place of the finding has it.
        let message = text.split(" at line ").next().unwrap_or(&text);
        format!("not a {what}: {message} at column {}", error.column())
    })
}
