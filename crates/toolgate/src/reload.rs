//! Policy files: read at the start, and again when they change.
//!
//! At the start a file that does not load stops the gate, with every problem drawn. Later a change
//! that does not load is refused as a whole: what was in force stays so, and the log says why. A
//! file that goes away takes nothing out of force; that is `toolgate policy deactivate`.
//!
//! Must not know: what a policy means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use toolgate_driver::{Driver, PolicyError};
use toolgate_gate::port::Clock;
use toolgate_model::{AgentId, Diagnostic, Duration};
use toolgate_policy::Document;

use crate::exit::Exit;
use crate::fault::{Fault, Findings};
use crate::shell::{Shell, problems, read_text};

/// How often the files are looked at.
// LIMIT: two seconds; looking costs one stat a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// LIMIT: as many files as there may be rules; more is a directory named by mistake.
const FILES_MAX: usize = 10_000;

/// LIMIT: 256 KiB a document (4-interfaces, 5).
const DOCUMENT_BYTES_MAX: u64 = 256 << 10;

/// Policy files as they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyFiles {
    /// The documents, by the stem of their file.
    pub(crate) documents: Vec<Document>,
    /// Which file a document came from.
    pub(crate) names: BTreeMap<String, String>,
}

/// Files that are watched, and how they looked.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    seen: Vec<Look>,
}

/// How a file looked: enough to notice that somebody saved it.
type Look = (PathBuf, Option<SystemTime>, u64);

/// Reads all policy files of these files and directories.
///
/// # Errors
/// [`Fault`] where one cannot be read, or two have the same name.
pub(crate) fn read(paths: &[PathBuf]) -> Result<PolicyFiles, Fault> {
    let mut read = PolicyFiles::default();
    for path in files(paths)? {
        let shown = path.display().to_string();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        let text = read_text(&path, DOCUMENT_BYTES_MAX)?;
        if let Some(other) = read.names.insert(name.clone(), shown.clone()) {
            let message = format!("`{other}` and `{shown}` would both be the policy `{name}`");
            return Err(Fault::new(Exit::Invalid, message).help("rename one of them"));
        }
        read.documents.push(Document { name, text });
    }
    Ok(read)
}

/// The findings of a check, with the texts they are about, named by their files.
pub(crate) fn findings(diagnostics: Vec<Diagnostic>, files: &PolicyFiles) -> Findings {
    let named = |name: &String| files.names.get(name).unwrap_or(name).clone();
    let rename = |found: Diagnostic| Diagnostic {
        file: named(&found.file),
        ..found
    };
    let texts = files.documents.iter();
    Findings {
        diagnostics: diagnostics.into_iter().map(rename).collect(),
        texts: texts
            .map(|document| (named(&document.name), document.text.clone()))
            .collect(),
    }
}

/// Puts the configured files in force.
///
/// # Errors
/// [`Fault`] with every problem where they do not load.
pub(crate) async fn declare(
    driver: &Driver,
    paths: &[PathBuf],
    own: &[Document],
    shell: &Shell,
) -> Result<Watched, Fault> {
    // Looked at before they are read, so that a change in between is noticed.
    let seen = looks(paths);
    let mut files = read(paths)?;
    files.documents.extend(own.iter().cloned());
    if !files.documents.is_empty() {
        match driver.declare_policies(files.documents.clone()).await {
            Ok(published) => shell.say(findings(published.diagnostics, &files).drawn().trim_end()),
            // Rules that were in force are better than none, and their author is told.
            Err(error @ PolicyError::TestsFailed(_))
                if !driver.configuration().documents().is_empty() =>
            {
                let why = refused(error, &files).drawn();
                tracing::error!(
                    "tests of the policy files fail; the old ones stay in force\n{why}"
                );
            }
            Err(error) => return Err(refused(error, &files)),
        }
    }
    for name in orphans(driver, &files).await {
        tracing::warn!(
            "the policy `{name}` is in force and no longer in a file: \
             `toolgate policy deactivate {name}` ends it"
        );
    }
    Ok(Watched {
        paths: paths.to_owned(),
        seen,
    })
}

/// Looks at the files from time to time, forever.
pub(crate) async fn watch(driver: Arc<Driver>, watched: Watched, clock: Arc<dyn Clock>) {
    let Watched { paths, mut seen } = watched;
    loop {
        clock.sleep_until(clock.now().plus(LOOK_EVERY)).await;
        let now = looks(&paths);
        if now != seen {
            seen = now;
            reload(&driver, &paths).await;
        }
    }
}

async fn reload(driver: &Driver, paths: &[PathBuf]) {
    let files = match read(paths) {
        Ok(files) => files,
        Err(fault) => {
            tracing::error!(%fault, "the policy files cannot be read; the old ones stay in force");
            return;
        }
    };
    match driver.declare_policies(files.documents.clone()).await {
        Ok(published) => {
            tracing::info!(
                documents = published.drafts.len(),
                "the policy files are in force"
            );
        }
        Err(error) => {
            let why = refused(error, &files).drawn();
            tracing::error!("the policy files do not load; the old ones stay in force\n{why}");
        }
    }
}

fn refused(error: PolicyError, files: &PolicyFiles) -> Fault {
    match error {
        PolicyError::Invalid(diagnostics) => {
            let message = format!("the policies have {}", problems(diagnostics.len()));
            Fault::invalid(message, findings(diagnostics, files))
        }
        PolicyError::TestsFailed(failing) => {
            let count = failing.len();
            let message = format!("{count} of the tests that the policies carry fail");
            Fault::invalid(message, findings(failing, files))
        }
        error @ PolicyError::SecondPerson { .. } => Fault::failed(error.to_string()),
        PolicyError::Failed(failed) => Fault::failed(failed.to_string()),
    }
}

/// Documents that the gate once put in force from files that are gone.
async fn orphans(driver: &Driver, files: &PolicyFiles) -> Vec<String> {
    let drafts = driver.store().drafts(None).await.unwrap_or_default();
    let mine = drafts
        .into_iter()
        .filter(|draft| draft.active && draft.author == AgentId::gate());
    mine.map(|draft| draft.name)
        .filter(|name| {
            files
                .documents
                .iter()
                .all(|document| document.name != *name)
        })
        .collect()
}

/// The files that the paths mean, in order, tests left out.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(inside(path)?);
        } else if path.exists() {
            files.push(path.clone());
        } else {
            let message = format!("there is no policy file or directory `{}`", path.display());
            return Err(Fault::usage(message).help("name a JSON file or a directory of them"));
        }
    }
    if files.len() > FILES_MAX {
        return Err(Fault::usage(format!("more than {FILES_MAX} policy files")));
    }
    Ok(files)
}

fn inside(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("`{}` cannot be read: {error}", directory.display()))
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let policy = name.ends_with(".json") && !name.ends_with(".test.json");
        if policy && !name.starts_with('.') && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn looks(paths: &[PathBuf]) -> Vec<Look> {
    let look = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let modified = metadata.as_ref().and_then(|found| found.modified().ok());
        (path, modified, metadata.map_or(0, |found| found.len()))
    };
    // A directory that cannot be read looks like an empty one, and reading it then says why.
    files(paths)
        .unwrap_or_default()
        .into_iter()
        .map(look)
        .collect()
}
