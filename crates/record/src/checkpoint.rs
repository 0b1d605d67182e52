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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use toolgate_model::Digest;

    use super::Checkpoint;
    use crate::key::Signer;
    use crate::note::Note;
    use crate::tree::{Frontier, leaf_hash};

    fn signer(name: &str) -> Signer {
        Signer::from_seed(name, [7; 32]).unwrap()
    }

    fn check_parse(text: &str, expected: Expect) {
        expected.assert_eq(&Checkpoint::parse(text).unwrap_err().to_string());
    }

    #[test]
    fn the_published_example_reads_and_writes() {
        // The text of the example in tlog-checkpoint.
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(
            checkpoint.root.hex(),
            "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
        );
        assert_eq!(checkpoint.to_text(), text);
    }

    #[test]
    fn a_checkpoint_is_signed_and_opened() {
        let signer = signer("gate.acme.com/log");
        let mut frontier = Frontier::default();
        frontier.append(leaf_hash(b"one"));
        let checkpoint = Checkpoint::of("gate.acme.com/log", &frontier);
        let note = checkpoint.sign(&signer).unwrap();
        assert!(note.starts_with("gate.acme.com/log\n1\n"));
        assert_eq!(Checkpoint::open(&note, signer.verifier()), Ok(checkpoint));
        let witnessed = format!("{note}— witness.example/w AAAAAAA=\n");
        assert!(Checkpoint::open(&witnessed, signer.verifier()).is_ok());
        let longer = note.replace("\n1\n", "\n2\n");
        assert!(Checkpoint::open(&longer, signer.verifier()).is_err());
    }

    #[test]
    fn a_checkpoint_of_another_log_is_refused() {
        let here = signer("gate.acme.com/log");
        let root = Digest::of(b"");
        let other = Checkpoint {
            origin: "other.acme.com/log".to_owned(),
            size: 0,
            root,
        };
        let expected =
            "the checkpoint is of the log `other.acme.com/log`, not of `gate.acme.com/log`";
        assert_eq!(other.sign(&here).unwrap_err().to_string(), expected);
        // Even where the key did sign it.
        let note = Note::sign(&other.to_text(), &here).unwrap().to_string();
        let error = Checkpoint::open(&note, here.verifier()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let there = other.sign(&signer("other.acme.com/log")).unwrap();
        assert!(Checkpoint::open(&there, here.verifier()).is_err());
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let form = || {
            expect![
                "the text of the note is not a checkpoint: it has exactly the lines origin, size and root"
            ]
        };
        check_parse("", form());
        check_parse(&format!("log\n5\n{ROOT}"), form());
        check_parse(&format!("log\n5\n{ROOT}\nextension\n"), form());
        check_parse(&format!("log\n5\n{ROOT}\n\n"), form());
        check_parse(&format!("\nlog\n5\n{ROOT}\n"), form());
        check_parse(
            &format!("a b\n5\n{ROOT}\n"),
            expect![
                "the text of the note is not a checkpoint: the origin is not the name of a key"
            ],
        );
        for size in [
            "",
            "05",
            "+5",
            "-5",
            " 5",
            "5 ",
            "0x5",
            "18446744073709551616",
        ] {
            check_parse(
                &format!("log\n{size}\n{ROOT}\n"),
                expect![
                    "the text of the note is not a checkpoint: the size is a decimal number without sign or leading zeros"
                ],
            );
        }
        for root in [
            "",
            "AAAA",
            &ROOT[..43],
            &ROOT.replace("2I=", "2J="),
            &format!("{ROOT}AAAA"),
        ] {
            check_parse(
                &format!("log\n5\n{root}\n"),
                expect![
                    "the text of the note is not a checkpoint: the root is the base64 form of 32 bytes"
                ],
            );
        }
    }
}
