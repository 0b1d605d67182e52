//! `toolgate pack`: policies to begin with, carried by the binary.
//!
//! ```text
//! toolgate pack ls
//! toolgate pack add money-movement --dir policies/
//! toolgate test policies/
//! ```
//!
//! `add` copies a pack's documents and their cases into a directory and says what to set; what is
//! there already is never written over. Must not know: what a policy means.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::table;

/// Every file of every pack, as its path below `packs/` and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// What a pack says of itself.
const ABOUT_FILE: &str = "pack.json";

/// Arguments of `toolgate pack`.
#[derive(Debug, Args)]
pub(crate) struct Pack {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the packs
    Ls,
    /// Show what a pack catches, what it does not, and what it takes
    Show {
        /// Its name
        name: String,
    },
    /// Copy a pack's policies and cases into a directory
    #[command(after_help = "Example: toolgate pack add money-movement --dir policies/")]
    Add {
        /// Its name
        name: String,
        /// Where to
        #[arg(long, default_value = "policies")]
        dir: PathBuf,
        /// Say what would be written, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// A pack as it describes itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct About {
    name: String,
    title: String,
    about: String,
    #[serde(default)]
    catches: Vec<String>,
    #[serde(default)]
    does_not_catch: Vec<String>,
    policies: Vec<String>,
    #[serde(default)]
    requires: Vec<String>,
}

impl Run for Pack {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        match self.what {
            What::Ls => {
                let packs = packs()?;
                let value = json!({"packs": packs});
                let rows: Vec<_> = packs.iter().map(|pack| json!(pack)).collect();
                shell.print(&value, || {
                    table(&rows, &[("NAME", "/name"), ("TITLE", "/title")])
                })?;
            }
            What::Show { name } => {
                let pack = pack(&name)?;
                shell.print(&json!(pack), || shown(&pack))?;
            }
            What::Add { name, dir, dry_run } => add(shell, &pack(&name)?, (&dir, dry_run))?,
        }
        Ok(Exit::Done)
    }
}

fn packs() -> Result<Vec<About>, Fault> {
    let abouts = FILES.iter().filter(|(path, _)| path.ends_with(ABOUT_FILE));
    let read = |(path, text): &(&str, &str)| {
        serde_json::from_str(text)
            .map_err(|error| Fault::failed(format!("the pack file `{path}` is broken: {error}")))
    };
    abouts.map(read).collect()
}

fn pack(name: &str) -> Result<About, Fault> {
    let mut packs = packs()?;
    let known: Vec<String> = packs.iter().map(|pack| pack.name.clone()).collect();
    match packs.iter().position(|pack| pack.name == name) {
        Some(at) => Ok(packs.swap_remove(at)),
        None => {
            let near = toolgate_model::nearest(name, known.iter().map(String::as_str));
            let fault = Fault::usage(format!("there is no pack `{name}`"));
            Err(match near {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("`toolgate pack ls` lists them"),
            })
        }
    }
}

fn shown(pack: &About) -> String {
    let mut text = format!("{}\n\n{}\n", pack.title, pack.about);
    let lists = [
        ("catches", &pack.catches),
        ("does not catch", &pack.does_not_catch),
        ("takes", &pack.requires),
        ("policies", &pack.policies),
    ];
    for (head, items) in lists {
        if !items.is_empty() {
            text.push_str(&format!("\n{head}\n"));
            text.extend(items.iter().map(|item| format!("  - {item}\n")));
        }
    }
    text
}

/// Copies everything but what the pack says of itself.
fn add(shell: &Shell, pack: &About, (dir, dry_run): (&Path, bool)) -> Result<(), Fault> {
    let below = format!("{}/", pack.name);
    let files = FILES.iter().filter_map(|(path, text)| {
        let name = path
            .strip_prefix(&below)
            .filter(|name| *name != ABOUT_FILE)?;
        Some((dir.join(name), *text))
    });
    let files: Vec<(PathBuf, &str)> = files.collect();
    let there = files.iter().find(|(path, _)| path.exists());
    if let Some((path, _)) = there {
        let message = format!(
            "`{}` is there already, and nothing was written",
            path.display()
        );
        return Err(Fault::new(Exit::Conflict, message)
            .help("move it away, or name another directory with `--dir`"));
    }
    let names: Vec<String> = files
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !dry_run {
        write(dir, &files)?;
    }
    let value =
        json!({"pack": pack.name, "files": names, "written": !dry_run, "requires": pack.requires});
    shell.print(&value, || {
        let mut text: String = names.iter().map(|name| format!("{name}\n")).collect();
        if !pack.requires.is_empty() {
            text.push_str("\nto set before it does what it says:\n");
            text.extend(pack.requires.iter().map(|item| format!("  - {item}\n")));
        }
        text.push_str(&format!("\ntry it: toolgate test {}\n", dir.display()));
        text
    })
}

fn write(dir: &Path, files: &[(PathBuf, &str)]) -> Result<(), Fault> {
    let refused = |path: &Path, error: std::io::Error| {
        Fault::failed(format!("`{}` cannot be written: {error}", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|error| refused(dir, error))?;
    for (path, text) in files {
        std::fs::write(path, text).map_err(|error| refused(path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FILES, packs};

    #[test]
    fn every_pack_is_whole() {
        let packs = packs().unwrap();
        assert!(!packs.is_empty());
        for pack in packs {
            for policy in &pack.policies {
                let path = format!("{}/{policy}", pack.name);
                assert!(FILES.iter().any(|(known, _)| *known == path), "{path}");
            }
        }
    }
}
