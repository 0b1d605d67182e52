//! Signed notes: a text and the signatures under it, in the form of C2SP signed-note.
//!
//! ```text
//! If you think cryptography is the answer to your problem,
//! then you don't know what your problem is.
//!
//! — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
//! ```
//!
//! A signature of a key that nobody here knows (a witness, the next key of the log) is kept and
//! ignored; a bad signature of the known key condemns the note. The text must not be looked at
//! before [`Note::verify`]. Must not know: what the text says.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::key::{NoteKeyId, Signer, Verifier, is_name};

/// Bytes of a whole note.
// LIMIT: 256 KiB, room for the sixteen signatures that every reader must accept even where each
// is a post-quantum one of 5 kB.
pub const NOTE_BYTES_MAX: usize = 256 << 10;

/// Signatures under one note.
// LIMIT: one hundred, as in the reference implementation.
pub const SIGNATURES_MAX: usize = 100;

/// What a signature line begins with: an em dash and a space.
const LINE_PREFIX: &str = "— ";

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub id: NoteKeyId,
    /// The signature itself; for Ed25519 64 bytes.
    pub bytes: Vec<u8>,
}

/// A text with signatures that may or may not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// Why a text is not a note, or not one to be believed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes, more than the {max} allowed")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// More than [`SIGNATURES_MAX`] signatures.
    #[error("the note has more than {max} signatures")]
    TooMany {
        /// Signatures allowed.
        max: usize,
    },
    /// A control character other than a newline.
    #[error("the note has a control character: only newlines are allowed")]
    Control,
    /// The text does not end in a newline.
    #[error("the text of a note ends in a newline")]
    Unended,
    /// No blank line, or nothing but a text.
    #[error("the note has no blank line with signatures after it")]
    Unsigned,
    /// A line below the text that is no signature line.
    #[error("signature line {0} of the note is not of the form `— name base64`")]
    Line(usize),
    /// The known key has not signed it.
    #[error("the note is not signed by `{name}+{id}`")]
    Missing {
        /// The known key's name.
        name: String,
        /// The known key's id.
        id: NoteKeyId,
    },
    /// The known key's signature does not hold.
    #[error("the signature of `{name}+{id}` does not fit the text of the note")]
    Forged {
        /// The known key's name.
        name: String,
        /// The known key's id.
        id: NoteKeyId,
    },
}

impl Note {
    /// The note with this text and the signature of `signer`.
    ///
    /// # Errors
    /// [`NoteError`] where the text cannot stand in a note.
    pub fn sign(text: &str, signer: &Signer) -> Result<Self, NoteError> {
        check_text(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Unended);
        }
        let signature = NoteSignature {
            name: signer.verifier().name().to_owned(),
            id: signer.verifier().id(),
            bytes: signer.signature(text.as_bytes()),
        };
        Ok(Self {
            text: text.to_owned(),
            signatures: vec![signature],
        })
    }

    /// Reads a note. Nothing is verified yet.
    ///
    /// # Errors
    /// [`NoteError`] where the form is wrong.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        check_text(note)?;
        // The text may have blank lines itself; the last one ends it.
        let blank = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, rest) = note.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').unwrap_or_default();
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::TooMany {
                max: SIGNATURES_MAX,
            });
        }
        let signature = |(place, line)| signature(line).ok_or(NoteError::Line(place + 1));
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(signature)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Checks that `verifier`'s key has signed the note, and gives its text.
    ///
    /// # Errors
    /// [`NoteError::Missing`] where it has not, [`NoteError::Forged`] where any signature under
    /// its name and id does not hold.
    pub fn verify(&self, verifier: &Verifier) -> Result<&str, NoteError> {
        let (name, id) = (verifier.name().to_owned(), verifier.id());
        let known = |line: &&NoteSignature| line.name == name && line.id == id;
        let mut lines = self.signatures.iter().filter(known).peekable();
        if lines.peek().is_none() {
            return Err(NoteError::Missing { name, id });
        }
        if lines.all(|line| verifier.accepts(self.text.as_bytes(), &line.bytes)) {
            Ok(&self.text)
        } else {
            Err(NoteError::Forged { name, id })
        }
    }

    /// The signatures as they stand, verified or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{LINE_PREFIX}{} {}", self.name, BASE64.encode(bytes))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong {
            bytes: text.len(),
            max: NOTE_BYTES_MAX,
        });
    }
    match text.bytes().any(|b| b < 0x20 && b != b'\n') {
        true => Err(NoteError::Control),
        false => Ok(()),
    }
}

fn signature(line: &str) -> Option<NoteSignature> {
    let (name, text) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
    let bytes = BASE64.decode(text).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    if !is_name(name) || bytes.is_empty() {
        return None;
    }
    let (id, bytes) = (NoteKeyId::from_bytes(*id), bytes.to_vec());
    Some(NoteSignature {
        name: name.to_owned(),
        id,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::{Note, NoteError, SIGNATURES_MAX};
    use crate::key::{Signer, Verifier};

    // Key, text and signatures of the tests of Go's note package.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_SECRET: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUg\
        YN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+v\
        AF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

    fn verifier(text: &str) -> Verifier {
        Verifier::parse(text).unwrap()
    }

    fn note(lines: &[&str]) -> String {
        format!("{TEXT}\n{}", lines.concat())
    }

    fn open(note: &str, key: &str) -> Result<String, NoteError> {
        Ok(Note::parse(note)?.verify(&verifier(key))?.to_owned())
    }

    #[test]
    fn the_published_note_is_made_and_verified() {
        let signed = Note::sign(TEXT, &Signer::parse(PETER_SECRET).unwrap()).unwrap();
        assert_eq!(signed.to_string(), note(&[PETER_LINE]));
        assert_eq!(open(&note(&[PETER_LINE]), PETER).as_deref(), Ok(TEXT));
        // Another published one, of the text of the format's own documentation.
        let foo = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let example = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnag\
            v1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        assert_eq!(
            open(example, foo).as_deref(),
            Ok("This is an example message.\n")
        );
    }

    #[test]
    fn signatures_of_strangers_are_kept_and_ignored() {
        let both = note(&[PETER_LINE, ENOCH_LINE]);
        let read = Note::parse(&both).unwrap();
        assert_eq!(read.to_string(), both);
        let names: Vec<_> = read
            .signatures()
            .iter()
            .map(|line| line.name.as_str())
            .collect();
        assert_eq!(names, ["PeterNeumann", "EnochRoot"]);
        assert!(read.verify(&verifier(PETER)).is_ok());
        assert!(read.verify(&verifier(ENOCH)).is_ok());
        let forged = ENOCH_LINE.replace("2/5n2t", "2/5n3t");
        assert!(open(&note(&[PETER_LINE, &forged]), PETER).is_ok());
        let missing = open(&note(&[ENOCH_LINE]), PETER).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the note is not signed by `PeterNeumann+c74f20a3`"
        );
    }

    #[test]
    fn a_bad_signature_of_the_known_key_condemns_the_note() {
        let forged = PETER_LINE.replace("RyyBwJnAM=", "RyyBwJnBM=");
        let longer = PETER_LINE.replace("nAM=", "nAMA");
        for lines in [
            vec![forged.as_str()],
            vec![&forged, PETER_LINE],
            vec![PETER_LINE, &forged],
            vec![PETER_LINE, &longer],
        ] {
            let error = open(&note(&lines), PETER).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the signature of `PeterNeumann+c74f20a3` does not fit the text of the note"
            );
        }
        let other_text = note(&[PETER_LINE]).replace("answer", "Answer");
        assert!(matches!(
            open(&other_text, PETER),
            Err(NoteError::Forged { .. })
        ));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = PETER_LINE.trim_end();
        let reason = |text: &str| Note::parse(text).unwrap_err().to_string();
        let unsigned = "the note has no blank line with signatures after it";
        assert_eq!(reason(""), unsigned);
        assert_eq!(reason(TEXT), unsigned);
        assert_eq!(reason(&note(&[])), unsigned);
        assert_eq!(reason(&format!("{TEXT}\n{line}")), unsigned);
        assert_eq!(
            reason(&note(&[PETER_LINE, "Unexpected line.\n"])),
            "signature line 2 of the note is not of the form `— name base64`"
        );
        for bad in [
            PETER_LINE.replace("PeterNeumann", "Bad Name"),
            PETER_LINE.replace("PeterNeumann", "Bad+Name"),
            PETER_LINE.replace("PeterNeumann", ""),
            PETER_LINE.replace("—", "--"),
            PETER_LINE.replace("nAM=", "nAM"),
            PETER_LINE.replace("nAM=", "nAN="),
            "— PeterNeumann x08gow==\n".to_owned(),
        ] {
            assert_eq!(
                Note::parse(&note(&[&bad])),
                Err(NoteError::Line(1)),
                "{bad}"
            );
        }
        assert_eq!(
            Note::parse(&format!("\u{1}{}", note(&[line]))),
            Err(NoteError::Control)
        );
        assert_eq!(Note::parse(&note(&[line, "\r\n"])), Err(NoteError::Control));
    }

    #[test]
    fn the_text_may_have_blank_lines_and_must_end() {
        let signer = Signer::from_seed("log", [3; 32]).unwrap();
        let text = "Ognuno sta solo\n\n— log AAAA\n\ned è subito sera.\n";
        let signed = Note::sign(text, &signer).unwrap().to_string();
        assert_eq!(
            open(&signed, &signer.verifier().to_string()).as_deref(),
            Ok(text)
        );
        assert_eq!(Note::sign("abc", &signer), Err(NoteError::Unended));
        assert_eq!(Note::sign("a\tb\n", &signer), Err(NoteError::Control));
    }

    #[test]
    fn length_and_signatures_are_bounded() {
        let most = vec![PETER_LINE; SIGNATURES_MAX];
        assert!(open(&note(&most), PETER).is_ok());
        let more = note(&[&most[..], &[PETER_LINE]].concat());
        assert_eq!(Note::parse(&more), Err(NoteError::TooMany { max: 100 }));
        let long = format!("{}{}", "x\n".repeat(131_072), note(&[PETER_LINE]));
        assert!(matches!(
            Note::parse(&long),
            Err(NoteError::TooLong { max: 262_144, .. })
        ));
    }
}
