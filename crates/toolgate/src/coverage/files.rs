//! The files that a scan reads: code, and configurations of MCP clients, by their names.
//!
//! Folders that hold other people's code or what a build made are left out, and links are not
//! followed. Must not know: what stands in a file.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::reader::Tongue;

/// LIMIT: more files than any project has that people look through; a scan of more says so.
const FILES_MAX: usize = 50_000;

/// LIMIT: a folder within a folder within …
const DEPTH_MAX: usize = 64;

/// LIMIT: bytes of one file; what is larger was not written by hand.
const FILE_BYTES_MAX: u64 = 2 << 20;

/// Folders whose contents are not the project's own.
const FOREIGN: [&str; 16] = [
    ".git",
    ".hg",
    ".mypy_cache",
    ".next",
    ".nox",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "target",
    "vendor",
    "venv",
];

/// Files that MCP clients read their servers from, and the gate its sources.
const CLIENTS: [&str; 10] = [
    ".claude.json",
    ".mcp.json",
    "claude_desktop_config.json",
    "cline_mcp_settings.json",
    "config.toml",
    "mcp.json",
    "mcp_config.json",
    "mcp_settings.json",
    "settings.json",
    "toolgate.toml",
];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Code.
    Code(Tongue),
    /// A configuration that may name MCP servers.
    Client,
}

/// A file to read.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// Every file of these paths, in order. A file that is named is read whatever its name is.
///
/// # Errors
/// What cannot be listed, or that there are too many.
pub(super) fn list(paths: &[PathBuf]) -> Result<Vec<Listed>, String> {
    let mut listed = Vec::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if kind.is_dir() {
            walk(path, 0, &mut listed)?;
        } else {
            let kind = kind_of(path).unwrap_or(Kind::Client);
            listed.push(Listed {
                path: path.clone(),
                kind,
            });
        }
    }
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    listed.dedup_by(|a, b| a.path == b.path);
    Ok(listed)
}

/// What stands in a file.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn walk(folder: &Path, depth: usize, listed: &mut Vec<Listed>) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "`{}` lies more than {DEPTH_MAX} folders deep: name it by itself",
            folder.display()
        ));
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let kind = entry
            .file_type()
            .map_err(|error| unreadable(&entry.path(), &error))?;
        if kind.is_dir() {
            let name = entry.file_name();
            if !FOREIGN.iter().any(|foreign| name == *foreign) {
                walk(&entry.path(), depth + 1, listed)?;
            }
        } else if kind.is_file()
            && let Some(kind) = kind_of(&entry.path())
        {
            listed.push(Listed {
                path: entry.path(),
                kind,
            });
        }
        if listed.len() > FILES_MAX {
            return Err(format!(
                "`{}` has more than {FILES_MAX} files: name the folders that matter",
                folder.display()
            ));
        }
    }
    Ok(())
}

fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    if CLIENTS.contains(&name) {
        return Some(Kind::Client);
    }
    Tongue::of(path.extension()?.to_str()?).map(Kind::Code)
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be read: {error}", path.display())
}
