//! The file with the key that signs the log: `signing.key` in the data directory.
//!
//! Made once, from randomness that is handed in, and never written over. Only its owner may read
//! it: whoever else could, could sign another history, so a file that others can read is refused
//! rather than used.
//!
//! Must not know: what is signed, where the store is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use toolgate_gate::port::{Entropy, Unavailable};
use toolgate_record::{KeyError, Signer};

/// The name of the file in its directory.
pub const FILE: &str = "signing.key";

/// Bytes of the file.
// LIMIT: a key with the longest name has some 400 bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error(
        "the signing key `{}` cannot be used: {source}: \
         let the gate's own user own the directory", path.display()
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner can get at it.
    #[error(
        "the signing key `{0}` is open to others (mode {mode:o}): \
         run `chmod 600 {0}`, and make a new key if they may have read it", path.display()
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no key.
    #[error(
        "the signing key `{}` is damaged: {source}: restore it from where it is kept safe",
        path.display()
    )]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
    /// It signs another log.
    #[error(
        "the signing key `{}` signs the log `{found}`, not `{expected}`: \
         set the origin back, or name another data directory", path.display()
    )]
    Origin {
        /// Which.
        path: PathBuf,
        /// The log that it signs.
        found: String,
        /// The log that was asked for.
        expected: String,
    },
    /// The name of the log does not fit into a signed note.
    #[error("`{origin}` cannot name a log: {source}")]
    Name {
        /// The name.
        origin: String,
        /// Why not.
        source: KeyError,
    },
    /// There is no randomness to make one from.
    #[error(transparent)]
    Entropy(#[from] Unavailable),
}

/// The key in `dir` that signs the log `origin`; made where there is none.
///
/// # Errors
/// [`KeyFileError`] where the file is open to others, damaged, of another log, or cannot be made.
pub fn load_or_create(
    dir: &Path,
    origin: &str,
    entropy: &dyn Entropy,
) -> Result<Signer, KeyFileError> {
    let path = dir.join(FILE);
    if !path.try_exists().map_err(file_error(&path))? {
        create(dir, &path, origin, entropy)?;
    }
    load(&path, origin)
}

fn load(path: &Path, origin: &str) -> Result<Signer, KeyFileError> {
    let file = File::open(path).map_err(file_error(path))?;
    let mode = file.metadata().map_err(file_error(path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(file_error(path))?;
    let signer = Signer::parse(text.trim_end()).map_err(|source| KeyFileError::Malformed {
        path: path.to_owned(),
        source,
    })?;
    if signer.verifier().name() != origin {
        return Err(KeyFileError::Origin {
            path: path.to_owned(),
            found: signer.verifier().name().to_owned(),
            expected: origin.to_owned(),
        });
    }
    Ok(signer)
}

fn create(
    dir: &Path,
    path: &Path,
    origin: &str,
    entropy: &dyn Entropy,
) -> Result<(), KeyFileError> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed)?;
    let signer = Signer::from_seed(origin, seed).map_err(|source| KeyFileError::Name {
        origin: origin.to_owned(),
        source,
    })?;
    place(dir, path, &signer.reveal()).map_err(file_error(path))
}

/// Writes the file beside its place and links it there when it is whole. A link never replaces
/// what is there: of two gates that start together, both use the key of the first.
fn place(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let part = path.with_extension(format!("key.{}.part", std::process::id()));
    let written = write_private(&part, text).and_then(|()| match std::fs::hard_link(&part, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = std::fs::remove_file(&part);
    written.and(removed)?;
    File::open(dir)?.sync_all()
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::File {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use expect_test::expect;
    use toolgate_gate::port::{Entropy, Unavailable};

    use super::{FILE, load_or_create};

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    struct Dry;

    impl Entropy for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), Unavailable> {
            Err(Unavailable {
                part: "entropy",
                detail: "none left".to_owned(),
            })
        }
    }

    fn refusal(dir: &Path, origin: &str, entropy: &dyn Entropy) -> String {
        let error = load_or_create(dir, origin, entropy)
            .unwrap_err()
            .to_string();
        error.replace(dir.to_str().unwrap(), "DIR")
    }

    #[test]
    fn it_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let made = load_or_create(&data, "gate/log", &Fixed(1)).unwrap();
        let found = load_or_create(&data, "gate/log", &Fixed(2)).unwrap();
        assert_eq!(made.verifier(), found.verifier());
        let files = std::fs::read_dir(&data).unwrap().count();
        assert_eq!(files, 1, "something was left beside the key");
        let mode = data.join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_fix() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), "gate/log", &Fixed(1)).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            let open = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path().join(FILE), open).unwrap();
            let said = refusal(dir.path(), "gate/log", &Fixed(1));
            assert!(said.contains("run `chmod 600 DIR/signing.key`"), "{said}");
        }
    }

    #[test]
    fn another_logs_key_and_a_damaged_one_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), "gate/log", &Fixed(1)).unwrap();
        expect![[
            "the signing key `DIR/signing.key` signs the log `gate/log`, not `other/log`: \
             set the origin back, or name another data directory"
        ]]
        .assert_eq(&refusal(dir.path(), "other/log", &Fixed(1)));
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("gate/log", "gate/lag")).unwrap();
        let said = refusal(dir.path(), "gate/lag", &Fixed(1));
        assert!(
            said.starts_with("the signing key `DIR/signing.key` is damaged"),
            "{said}"
        );
        assert!(
            !said.contains("PRIVATE"),
            "the key is in the message: {said}"
        );
    }

    #[test]
    fn without_randomness_or_with_a_bad_name_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        expect!["entropy is unavailable: none left"].assert_eq(&refusal(
            dir.path(),
            "gate/log",
            &Dry,
        ));
        let said = refusal(dir.path(), "gate log", &Fixed(1));
        assert!(said.starts_with("`gate log` cannot name a log"), "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
