//! Cases in files: which there are, and which documents and tools each is run on.
//!
//! ```text
//! policies/refunds.json        its `tests`, on all documents of `policies/`
//! policies/refunds.test.json   on `refunds.json`, or on what it names in `policies`
//! ```
//!
//! Must not know: how a case is run, how an outcome is shown.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toolgate_gate::case::{Case, CaseFile, Coverage, Gap, Outcome, Runner, gaps, stage};
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_gate::{Configuration, Settings};
use toolgate_model::{Catalogue, Diagnostic, Severity};
use toolgate_policy::Document;

use crate::catalogue;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload::{self, PolicyFiles};
use crate::shell::{problems, read_text};

/// LIMIT: as many files as there may be rules; more is a directory named by mistake.
const FILES_MAX: usize = 10_000;

/// LIMIT: four levels below what was named: `packs/<name>/`, and room for order.
const DEPTH_MAX: usize = 4;

/// LIMIT: 4 MiB a file of cases.
const CASES_BYTES_MAX: u64 = 4 << 20;

/// What a directory of packs has beside policies.
const PACK_FILE: &str = "pack.json";

/// Cases, and what they are run on.
#[derive(Debug)]
pub(crate) struct Suite {
    files: PolicyFiles,
    cases: Vec<Case>,
    catalogue: Arc<Catalogue>,
    settings: Settings,
}

/// What came of running suites.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Every case.
    pub(crate) outcomes: Vec<Outcome>,
    /// What the cases tried.
    pub(crate) coverage: Coverage,
    /// What would be answered more mildly.
    pub(crate) gaps: Vec<Gap>,
}

impl Tried {
    /// Joins what another suite came to.
    pub(crate) fn add(&mut self, other: Self) {
        self.outcomes.extend(other.outcomes);
        self.coverage.merge(other.coverage);
        self.gaps.extend(other.gaps);
    }
}

/// The suites in these files and directories.
///
/// # Errors
/// [`Fault`] where a file cannot be read or is no file of cases.
pub(crate) fn find(
    paths: &[PathBuf],
    tools: Option<&Path>,
    settings: &Settings,
) -> Result<Vec<Suite>, Fault> {
    let known = Arc::new(catalogue::read(tools)?);
    let (mut documents, mut written) = (BTreeMap::<PathBuf, Vec<PathBuf>>::new(), Vec::new());
    for file in files(paths)? {
        let name = file.to_string_lossy();
        if name.ends_with(".test.json") {
            written.push(file);
        } else {
            let directory = file.parent().unwrap_or(Path::new("")).to_owned();
            documents.entry(directory).or_default().push(file);
        }
    }
    let mut suites = Vec::new();
    for documents in documents.values() {
        suites.push(Suite::of_documents(documents, &known, settings)?);
    }
    for file in &written {
        suites.push(Suite::of_cases(file, &known, settings)?);
    }
    Ok(suites)
}

/// The policy documents in these files and directories, files of cases left out.
///
/// # Errors
/// [`Fault`] where one cannot be read, or two have the same name.
pub(crate) fn documents(paths: &[PathBuf]) -> Result<PolicyFiles, Fault> {
    let mut files = files(paths)?;
    files.retain(|file| !file.to_string_lossy().ends_with(".test.json"));
    reload::read(&files)
}

impl Suite {
    /// Documents that stand together, and the tests that they carry.
    fn of_documents(
        paths: &[PathBuf],
        known: &Arc<Catalogue>,
        settings: &Settings,
    ) -> Result<Self, Fault> {
        let files = reload::read(paths)?;
        let mut cases = Vec::new();
        for document in &files.documents {
            let shown = shown(&files, document);
            let read = Case::of_document(&shown, &document.text);
            cases.extend(read.map_err(|found| unreadable(&shown, &document.text, found))?);
        }
        Ok(Self {
            files,
            cases,
            catalogue: known.clone(),
            settings: settings.clone(),
        })
    }

    /// A file of cases, and the documents that it is about.
    fn of_cases(path: &Path, known: &Arc<Catalogue>, settings: &Settings) -> Result<Self, Fault> {
        let shown = path.display().to_string();
        let text = read_text(path, CASES_BYTES_MAX)?;
        let written = CaseFile::read(&shown, &text);
        let written = written.map_err(|found| unreadable(&shown, &text, found))?;
        let own = shown
            .strip_suffix(".test.json")
            .map(|stem| format!("{stem}.json"));
        let directory = path.parent().unwrap_or(Path::new(""));
        let paths: Vec<PathBuf> = match written.policies.as_slice() {
            [] => own.into_iter().map(PathBuf::from).collect(),
            named => named
                .iter()
                .map(|name| tidy(&directory.join(name)))
                .collect(),
        };
        let files = reload::read(&paths).map_err(|fault| {
            Fault::new(Exit::Invalid, format!("`{shown}` is about {fault}"))
                .help("name its documents in `policies`, by path beside the file")
        })?;
        let described = written.tools.into_iter();
        let rest = known.iter().map(|tool| tool.as_ref().clone());
        Ok(Self {
            files,
            cases: written.cases,
            catalogue: Arc::new(Catalogue::new(described.chain(rest))),
            settings: Settings {
                own_domains: written.own_domains.unwrap_or(settings.own_domains.clone()),
                posture: written.posture.unwrap_or(settings.posture),
                ..settings.clone()
            },
        })
    }

    /// Runs every case.
    ///
    /// # Errors
    /// [`Fault`] with every problem where the documents do not load.
    pub(crate) fn run(&self, with_gaps: bool) -> Result<Tried, Fault> {
        let configuration = self.configuration()?;
        let runner = Runner {
            configuration: &configuration,
            recognise: &toolgate_tools::recognise,
        };
        let outcomes: Vec<_> = self.cases.iter().map(|case| runner.run(case)).collect();
        let gaps = self.cases.iter().filter(|_| with_gaps);
        let gaps = gaps.flat_map(|case| gaps_of(&runner, case)).collect();
        let set = configuration.policies.as_deref();
        let mut coverage = set.map_or_else(Coverage::default, |set| {
            Coverage::of(set, &self.catalogue, &outcomes)
        });
        for rule in &mut coverage.rules {
            if let Some(path) = self.files.names.get(&rule.file) {
                rule.file.clone_from(path);
            }
        }
        Ok(Tried {
            outcomes,
            coverage,
            gaps,
        })
    }

    fn configuration(&self) -> Result<Configuration, Fault> {
        let documents = self.files.documents.iter().map(|document| PolicyDocument {
            name: document.name.clone(),
            text: document.text.clone(),
        });
        let stored = Stored {
            policies: documents.collect(),
            ..Stored::default()
        };
        let settings = self.settings.clone();
        let configuration = stage(stored, &self.catalogue, settings, &self.cases);
        match configuration.policy_errors().count() {
            0 => Ok(configuration),
            errors => {
                let message = format!("the policies have {}", problems(errors));
                let found = configuration.diagnostics.iter();
                let errors = found.filter(|found| found.severity == Severity::Error);
                let findings = reload::findings(errors.cloned().collect(), &self.files);
                Err(Fault::invalid(message, findings))
            }
        }
    }
}

fn gaps_of(runner: &Runner<'_>, case: &Case) -> Vec<Gap> {
    gaps(runner, case)
}

fn shown(files: &PolicyFiles, document: &Document) -> String {
    let path = files.names.get(&document.name);
    path.unwrap_or(&document.name).clone()
}

/// The complaints about a file of cases, drawn under its text.
fn unreadable(shown: &str, text: &str, diagnostics: Vec<Diagnostic>) -> Fault {
    let message = format!(
        "the cases of `{shown}` have {}",
        problems(diagnostics.len())
    );
    let texts = [(shown.to_owned(), text.to_owned())].into_iter().collect();
    Fault::invalid(message, crate::fault::Findings { diagnostics, texts })
}

/// Documents and files of cases, in order; what a directory says of itself as a pack left out.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, DEPTH_MAX, &mut found)?;
        } else if path.exists() {
            found.push(path.clone());
        } else {
            let message = format!("there is no file or directory `{}`", path.display());
            return Err(Fault::usage(message).help("name a JSON file or a directory of them"));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("`{}` cannot be read: {error}", directory.display()))
    };
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with('.') || name == PACK_FILE {
            continue;
        }
        if path.is_dir() && depth > 0 {
            walk(&path, depth - 1, found)?;
        } else if name.ends_with(".json") && path.is_file() {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(Fault::usage(format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

/// The path without `.` and without `name/..`, so that one file has one name.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}
