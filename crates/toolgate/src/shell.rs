//! What every command is given: the global flags, the environment, and how to speak.
//!
//! stdout is data, stderr is talk. With `--json` a command prints one JSON value (or one a line,
//! for streams); without it, text for people. A command says what it has to say once, as data and
//! as text, and the shell picks.
//!
//! Must not know: any command.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{self, ConfigFile, Flags, Resolved, resolve};
use crate::diagnostic;
use crate::exit::Exit;
use crate::fault::{Fault, Findings};

/// The configuration file that is used when none is named.
pub(crate) const DEFAULT_FILE: &str = "toolgate.toml";

/// Flags that every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Print data as JSON.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// The configuration file; `toolgate.toml` here, if there is one.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The data directory.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) data: Option<PathBuf>,
    /// The running gate to talk to; else TOOLGATE_URL, else the one on the data directory.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) url: Option<String>,
}

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Shell {
    /// The global flags.
    pub(crate) global: GlobalArgs,
    /// The environment.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Shell {
    /// Prints data: `value` for programs, `text` for people.
    ///
    /// # Errors
    /// [`Fault`] where standard output is gone.
    pub(crate) fn print(&self, value: &Value, text: impl FnOnce() -> String) -> Result<(), Fault> {
        if self.global.json {
            return line(&pretty(value));
        }
        let text = text();
        if text.is_empty() {
            Ok(())
        } else {
            line(text.trim_end_matches('\n'))
        }
    }

    /// Prints one line of a stream.
    ///
    /// # Errors
    /// [`Fault`] where standard output is gone.
    pub(crate) fn print_line(
        &self,
        value: &Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        if self.global.json {
            line(&value.to_string())
        } else {
            line(&text())
        }
    }

    /// Prints text as it is, for programs and people alike.
    ///
    /// # Errors
    /// [`Fault`] where standard output is gone.
    pub(crate) fn print_raw(&self, text: &str) -> Result<(), Fault> {
        line(text.trim_end_matches('\n'))
    }

    /// Says something to people.
    pub(crate) fn say(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        // A closed stderr is nobody listening, not a failure of the command.
        let _unheard = writeln!(anstream::stderr(), "{text}");
    }

    /// Reports why the command ends.
    pub(crate) fn report(&self, fault: &Fault) {
        if self.global.json {
            // A program reads the reason where it reads everything else.
            let _unheard = line(&pretty(&fault.to_json()));
        } else {
            self.say(&fault.drawn());
        }
    }

    /// The variable of this name, if it says anything.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The configuration file: the one named, else `toolgate.toml` if it is here.
    ///
    /// # Errors
    /// [`Fault`] where a named file cannot be read.
    pub(crate) fn config_file(&self) -> Result<Option<ConfigFile>, Fault> {
        let named = self.global.config.clone();
        let named = named.or_else(|| self.variable("TOOLGATE_CONFIG").map(PathBuf::from));
        match named {
            Some(path) => read_config(&path).map(Some),
            None if Path::new(DEFAULT_FILE).exists() => {
                read_config(Path::new(DEFAULT_FILE)).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The configuration in force for this command.
    ///
    /// # Errors
    /// [`Fault`] with everything that is wrong with it.
    pub(crate) fn resolve(&self, flags: Flags) -> Result<Resolved, Fault> {
        let file = self.config_file()?;
        self.resolve_file(flags, file)
    }

    /// The configuration as it would be in force with this file.
    ///
    /// # Errors
    /// [`Fault`] with everything that is wrong with it.
    pub(crate) fn resolve_file(
        &self,
        mut flags: Flags,
        file: Option<ConfigFile>,
    ) -> Result<Resolved, Fault> {
        if let Some(data) = &self.global.data {
            flags.push(("--data", "data", data.display().to_string()));
        }
        let texts: BTreeMap<_, _> = file
            .iter()
            .map(|file| (file.name(), file.text.clone()))
            .collect();
        let resolved = resolve(&flags, &self.variables, file.as_ref());
        match resolved {
            Ok(resolved) => {
                for warning in &resolved.warnings {
                    let text = texts.get(&warning.file).map_or("", String::as_str);
                    self.say(&diagnostic::drawn(warning, text));
                }
                Ok(resolved)
            }
            Err(diagnostics) => {
                let message = format!("the configuration has {}", problems(diagnostics.len()));
                Err(Fault::invalid(message, Findings { diagnostics, texts }))
            }
        }
    }

    /// The data directory, without asking for the rest of the configuration to be right.
    ///
    /// # Errors
    /// [`Fault`] where only the configuration could say, and it is wrong.
    pub(crate) fn data_directory(&self) -> Result<PathBuf, Fault> {
        match (&self.global.data, self.variable("TOOLGATE_DATA")) {
            (Some(data), _) => Ok(data.clone()),
            (None, Some(data)) => Ok(PathBuf::from(data)),
            (None, None) => Ok(self.resolve(Vec::new())?.config.data),
        }
    }
}

/// Reads a file that a person named, or standard input for `-`.
///
/// # Errors
/// [`Fault`] where it cannot be read or has more than `bytes_max` bytes.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, Fault> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("`{shown}` cannot be read: {error}")).help("name a readable file")
    };
    let mut text = String::new();
    if path == Path::new("-") {
        let read = std::io::stdin()
            .lock()
            .take(bytes_max + 1)
            .read_to_string(&mut text);
        read.map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(bytes_max + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
    }
    if text.len() as u64 > bytes_max {
        return Err(Fault::usage(format!(
            "`{shown}` has more than {bytes_max} bytes"
        )));
    }
    Ok(text)
}

/// `1 problem`, `2 problems`.
pub(crate) fn problems(count: usize) -> String {
    if count == 1 {
        "1 problem".to_owned()
    } else {
        format!("{count} problems")
    }
}

/// JSON for programs that people read too.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn read_config(path: &Path) -> Result<ConfigFile, Fault> {
    let text = read_text(path, config::FILE_BYTES_MAX).map_err(|fault| {
        let (shown, what) = (path.display(), fault.to_string());
        Fault::new(
            Exit::Invalid,
            format!("the configuration `{shown}` is not there: {what}"),
        )
    })?;
    Ok(ConfigFile {
        path: path.to_owned(),
        text,
    })
}

fn line(text: &str) -> Result<(), Fault> {
    let mut out = anstream::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| Fault::failed(format!("standard output cannot be written: {error}")))
}
