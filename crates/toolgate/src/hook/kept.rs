//! What a hook keeps between two of its processes: the lease of a use that runs, and which tools are
//! registered.
//!
//! Small files in the user's state directory, one a use, gone when it has ended. Whoever changes them
//! can report a call as something else; that is so for whoever holds the agent's key.
//! Must not know: the gate.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use toolgate_model::Digest;

use super::event::Use;
use crate::fault::Fault;
use crate::hosted::Lease;
use crate::shell::Shell;

/// LIMIT: uses whose end no hook was told of; beyond it the oldest half is forgotten.
const KEPT_MAX: usize = 512;

/// The files.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Those of this user.
    ///
    /// # Errors
    /// [`Fault`] where there is no place for them.
    pub(super) fn open(shell: &Shell) -> Result<Self, Fault> {
        let state = shell.variable("XDG_STATE_HOME").map(PathBuf::from);
        let home = || {
            shell
                .variable("HOME")
                .map(|home| PathBuf::from(home).join(".local/state"))
        };
        let base = state.or_else(home).ok_or_else(|| {
            Fault::usage("there is no home directory to keep leases in").help("set XDG_STATE_HOME")
        })?;
        let folder = base.join("toolgate").join("hook");
        fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        Ok(Self { folder })
    }

    /// Keeps the lease of a use.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be written.
    pub(super) fn keep(&self, pair: &str, lease: &Lease) -> Result<(), Fault> {
        self.prune();
        let path = self.folder.join(format!("{pair}.json"));
        let text = json!({"id": lease.id, "attempt": lease.attempt}).to_string();
        fs::write(&path, text).map_err(|error| unwritable(&path, &error))
    }

    /// The lease of a use that has ended; once.
    pub(super) fn take(&self, pair: &str) -> Option<Lease> {
        let path = self.folder.join(format!("{pair}.json"));
        let text = fs::read_to_string(&path).ok()?;
        fs::remove_file(&path).ok()?;
        let kept: Value = serde_json::from_str(&text).ok()?;
        Some(Lease {
            id: kept.get("id")?.as_str()?.to_owned(),
            attempt: kept.get("attempt")?.as_u64()?,
        })
    }

    /// Whether this tool was registered by no hook of this user yet.
    pub(super) fn is_new_tool(&self, source: &str, call: &Use) -> bool {
        !self.mark(source, call).exists()
    }

    /// Remembers that it was.
    ///
    /// # Errors
    /// [`Fault`] where that cannot be written.
    pub(super) fn remember_tool(&self, source: &str, call: &Use) -> Result<(), Fault> {
        let path = self.mark(source, call);
        fs::write(&path, "").map_err(|error| unwritable(&path, &error))
    }

    fn mark(&self, source: &str, call: &Use) -> PathBuf {
        let name = json!([source, call.definition(0)]).to_string();
        let digest: String = Digest::of(name.as_bytes()).hex().chars().take(32).collect();
        self.folder.join(format!("{digest}.tool"))
    }

    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let age = |entry: &fs::DirEntry| entry.metadata().and_then(|about| about.modified()).ok();
        let mut all: Vec<_> = entries
            .flatten()
            .map(|entry| (age(&entry), entry.path()))
            .collect();
        if all.len() <= KEPT_MAX {
            return;
        }
        all.sort();
        for (_, path) in all.iter().take(KEPT_MAX / 2) {
            // Another hook may have been quicker.
            let _gone = fs::remove_file(path);
        }
    }
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Fault {
    Fault::failed(format!("`{}` cannot be written: {error}", path.display()))
        .help("set XDG_STATE_HOME to a directory of yours")
}
