//! Checkpoints: the signed head of the log, in the form of C2SP tlog-checkpoint.
//!
//! ```text
//! gate.acme.com/log
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — gate.acme.com/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/…
//! ```
//!
//! Origin, size, root. The origin is the name of the key, always, so that one key's checkpoint can
//! never stand in for another log's. Must not know: records, stores.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use toolgate_model::Digest;

use crate::key::{Signer, Verifier, is_name};
use crate::note::{Note, NoteError};
use crate::tree::Frontier;

/// The head of a log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// Why a text is not a checkpoint, or not one of this log.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The note is malformed, unsigned or forged.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text under the signature has another form.
    #[error("the text of the note is not a checkpoint: {0}")]
    Form(&'static str),
    /// The checkpoint is another log's.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    Origin {
        /// The log it is of.
        found: String,
        /// The log it should be of.
        expected: String,
    },
}

impl Checkpoint {
    /// The head of the log `origin` as it stands.
    pub fn of(origin: &str, frontier: &Frontier) -> Self {
        Self {
            origin: origin.to_owned(),
            size: frontier.size(),
            root: frontier.root(),
        }
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let root = BASE64.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads the text of a checkpoint. Only [`Checkpoint::open`] says whether it is signed.
    ///
    /// # Errors
    /// [`CheckpointError::Form`] where it has another form. Extension lines, which the format
    /// allows and this log never signs, are refused.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(CheckpointError::Form(
                "it has exactly the lines origin, size and root",
            ));
        };
        if !is_name(origin) {
            return Err(CheckpointError::Form("the origin is not the name of a key"));
        }
        let size = size_of(size).ok_or(CheckpointError::Form(
            "the size is a decimal number without sign or leading zeros",
        ))?;
        let root = BASE64
            .decode(root)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let root = root.ok_or(CheckpointError::Form(
            "the root is the base64 form of 32 bytes",
        ))?;
        Ok(Self {
            origin: (*origin).to_owned(),
            size,
            root: Digest::from_bytes(root),
        })
    }

    /// The checkpoint as a signed note.
    ///
    /// # Errors
    /// [`CheckpointError`] where `signer` is another log's key, or the text does not fit a note.
    ///
    /// ```
    /// use toolgate_record::{Checkpoint, Frontier, Signer};
    /// let signer = Signer::from_seed("gate.acme.com/log", [7; 32])?;
    /// let head = Checkpoint::of("gate.acme.com/log", &Frontier::default());
    /// let note = head.sign(&signer)?;
    /// assert_eq!(Checkpoint::open(&note, signer.verifier())?, head);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign(&self, signer: &Signer) -> Result<String, CheckpointError> {
        self.check_origin(signer.verifier())?;
        Ok(Note::sign(&self.to_text(), signer)?.to_string())
    }

    /// Reads a signed note, checks the signature, and gives the checkpoint in it.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is malformed, not signed by this key, forged, or another
    /// log's.
    pub fn open(note: &str, verifier: &Verifier) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.verify(verifier)?)?;
        checkpoint.check_origin(verifier)?;
        Ok(checkpoint)
    }

    fn check_origin(&self, verifier: &Verifier) -> Result<(), CheckpointError> {
        if self.origin == verifier.name() {
            return Ok(());
        }
        let (found, expected) = (self.origin.clone(), verifier.name().to_owned());
        Err(CheckpointError::Origin { found, expected })
    }
}

fn size_of(text: &str) -> Option<u64> {
    let size = text.parse::<u64>().ok()?;
    // One number has one form; `+7` and `007` are not it.
    (size.to_string() == text).then_some(size)
}
