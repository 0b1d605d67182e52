//! Why a command did not do what was asked: the thing, the place, and the fix.
//!
//! ```text
//! error: `127.0.0.1:8787` is in use
//!   help: stop the other process, or choose another port with `--listen 127.0.0.1:0`
//! ```
//!
//! Must not know: which command it was.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use toolgate_model::Diagnostic;

use crate::diagnostic;
use crate::exit::Exit;

/// One refusal of the command line.
#[derive(Debug)]
pub(crate) struct Fault(Box<Cause>);

#[derive(Debug)]
struct Cause {
    exit: Exit,
    code: String,
    message: String,
    help: Option<String>,
    findings: Findings,
}

/// Complaints about texts, with the texts they are about.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What was found.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The texts by the name that a diagnostic gives as its file.
    pub(crate) texts: BTreeMap<String, String>,
}

impl Fault {
    /// A fault that ends the process with `exit`.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let code = match exit {
            Exit::Done | Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Invalid => "invalid",
            Exit::TestsFailed => "tests_failed",
            Exit::Denied => "denied",
            Exit::ApprovalRequired => "approval_required",
            Exit::Conflict => "conflict",
            Exit::NotPermitted => "not_permitted",
        };
        // INVARIANT: a fault is never a success, whatever it was made from.
        let exit = if exit == Exit::Done {
            Exit::Failed
        } else {
            exit
        };
        Self(Box::new(Cause {
            exit,
            code: code.to_owned(),
            message: message.into(),
            help: None,
            findings: Findings::default(),
        }))
    }

    /// Something in the world did not cooperate.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line names something that is not so.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A policy or configuration is invalid.
    pub(crate) fn invalid(message: impl Into<String>, findings: Findings) -> Self {
        Self::new(Exit::Invalid, message).with_findings(|_| findings)
    }

    /// The same fault with a way out.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same fault with the code that the gate gave it.
    #[must_use]
    pub(crate) fn coded(mut self, code: &str) -> Self {
        self.0.code = code.to_owned();
        self
    }

    /// The same fault with what it found made into something else.
    #[must_use]
    pub(crate) fn with_findings(mut self, change: impl FnOnce(Findings) -> Findings) -> Self {
        self.0.findings = change(std::mem::take(&mut self.0.findings));
        self
    }

    /// How the process ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.0.code,
            "message": self.0.message,
            "help": self.0.help,
            "exit": self.0.exit as u8,
            "diagnostics": self.0.findings.diagnostics,
        }})
    }

    /// For people, drawn with the places it is about.
    pub(crate) fn drawn(&self) -> String {
        let mut text = self.0.findings.drawn();
        text.push_str("error: ");
        text.push_str(&self.to_string());
        text
    }
}

impl Findings {
    /// All complaints, drawn one after the other.
    pub(crate) fn drawn(&self) -> String {
        let draw = |found: &Diagnostic| {
            let text = self.texts.get(&found.file).map_or("", String::as_str);
            diagnostic::drawn(found, text) + "\n\n"
        };
        self.diagnostics.iter().map(draw).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
