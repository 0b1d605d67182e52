//! `toolgate coverage` behind the command: tools in code and in configurations, and whether the gate
//! stands before them.
//!
//! ```text
//! a file of code            its tools, and the agents that get them
//! a client's configuration  the servers that it reaches, directly or through a gate
//! ```
//!
//! Nothing is run and nothing is asked over a network. Must not know: how findings are printed.

mod clients;
mod expr;
mod files;
mod frameworks;
mod names;
mod reader;
mod survey;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::clients::{Client, Gates};
use self::files::Kind;
use self::names::Source;

/// Whether the gate stands before a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing of the gate is before it.
    Uncovered,
    /// It cannot be seen.
    Unknown,
    /// The gate is before it.
    Covered,
}

/// One tool, or one server of a client.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    /// The file.
    pub(crate) path: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What it is called there.
    pub(crate) name: String,
    /// The framework, `MCP client`, or `file` for one that could not be read.
    pub(crate) kind: String,
    /// Whether it is a tool of an MCP server, which runs for whoever connects.
    #[serde(skip)]
    served: bool,
    /// Whether the gate is before it.
    pub(crate) state: State,
    /// What was seen.
    pub(crate) reason: String,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Every tool and server, by file and line.
    pub(crate) findings: Vec<Finding>,
    /// How many files were read.
    pub(crate) files: usize,
}

/// Scans files and folders. `gates` are the addresses of gates besides those on this machine.
///
/// # Errors
/// What could not be read of what was named, or the limit that was reached.
pub(crate) fn scan(paths: &[PathBuf], gates: &[String]) -> Result<Scan, String> {
    let gates = Gates::of(gates);
    let (mut sources, mut clients, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    let listed = files::list(paths)?;
    for file in &listed {
        let text = match files::text(&file.path) {
            Ok(text) => text,
            Err(why) => {
                findings.push(unread(&file.path, 1, why));
                continue;
            }
        };
        match file.kind {
            Kind::Code(tongue) => {
                let extension = file.path.extension().and_then(|ending| ending.to_str());
                let code = reader::read(&text, extension.unwrap_or_default(), tongue);
                if let Some(line) = code.broken {
                    findings.push(unread(
                        &file.path,
                        line,
                        "it cannot be read from here on".to_owned(),
                    ));
                }
                sources.push(Source {
                    path: file.path.clone(),
                    tongue,
                    code,
                });
            }
            Kind::Client => match clients::read(&file.path, &text, &gates) {
                Ok(Some(client)) => clients.push(client),
                Ok(None) => {}
                Err(why) => findings.push(unread(&file.path, 1, why)),
            },
        }
    }
    findings.extend(served(survey::survey(&sources), &clients));
    findings.extend(clients::findings(&clients));
    findings.sort_by(|a, b| (&a.path, a.line, &a.name).cmp(&(&b.path, b.line, &b.name)));
    Ok(Scan {
        findings,
        files: listed.len(),
    })
}

/// A tool of an MCP server is reached by whoever starts or connects to that server: the
/// configurations that were scanned say who does.
fn served(mut findings: Vec<Finding>, clients: &[Client]) -> Vec<Finding> {
    for finding in &mut findings {
        if !finding.served || finding.state == State::Covered {
            continue;
        }
        let launches = clients
            .iter()
            .flat_map(|client| client.launches(&finding.path));
        let mut launches: Vec<_> = launches.collect();
        launches.sort();
        (finding.state, finding.reason) = launches.into_iter().next().unwrap_or_else(|| {
            let reason = "no scanned configuration says who starts this server";
            (State::Unknown, reason.to_owned())
        });
    }
    findings
}

fn unread(path: &Path, line: usize, reason: String) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        kind: "file".to_owned(),
        served: false,
        state: State::Unknown,
        reason,
    }
}

#[cfg(test)]
mod tests;
