//! The refund desk as a process of its own: started, its answers lost on purpose, and ended.
//!
//! It is this same program with its hidden subcommand, so the demo needs nothing else. It keeps
//! its own ledger, which the gate never sees.
//!
//! Must not know: the gate.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use toolgate_testkit::desk::{Moment, Sums};

use crate::admin::client;
use crate::fault::Fault;

/// A desk that runs.
pub(crate) struct DeskProcess {
    /// Where it speaks MCP.
    pub(crate) url: String,
    switch: String,
    ledger: PathBuf,
    child: Child,
    // The desk writes nothing more, but a closed pipe would be one more thing that can go wrong.
    _output: BufReader<ChildStdout>,
}

impl DeskProcess {
    /// Starts a desk that keeps its ledger in `directory`.
    ///
    /// # Errors
    /// [`Fault`] where the process does not start or does not say where it listens.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Fault> {
        let ledger = directory.join("refund-desk.jsonl");
        let broken = |why: String| Fault::failed(format!("the refund desk does not start: {why}"));
        let own = std::env::current_exe().map_err(|error| broken(error.to_string()))?;
        let mut child = Command::new(own)
            .args([
                "refund-desk",
                "--listen",
                "127.0.0.1:0",
                "--switches",
                "--loose-schemas",
                "--idempotency",
            ])
            .arg("--ledger")
            .arg(&ledger)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(error.to_string()))?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| broken("it has no output".to_owned()))?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output
            .read_line(&mut line)
            .await
            .map_err(|error| broken(error.to_string()))?;
        let said: Value = serde_json::from_str(&line).map_err(|_| broken(format!("`{line}`")))?;
        let place = |key: &str| {
            let found = said.get(key).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| broken(format!("it does not say `{key}`")))
        };
        let (url, switch) = (place("listening")?, place("switch")?);
        Ok(Self {
            url,
            switch,
            ledger,
            child,
            _output: output,
        })
    }

    /// Loses the answer of the next call of a tool, before or after its effect has landed.
    ///
    /// # Errors
    /// [`Fault`] where the desk does not take the switch.
    pub(crate) async fn lose_answer(&self, tool: &str, when: Moment) -> Result<(), Fault> {
        let when = match when {
            Moment::Before => "before",
            Moment::After => "after",
        };
        let fault = json!({"kind": "drop", "tool": tool, "when": when, "times": 1});
        self.throw(&json!({"fault": fault})).await
    }

    /// Changes where a customer can be reached, as the world does.
    ///
    /// # Errors
    /// [`Fault`] where the desk does not take the switch.
    pub(crate) async fn change_email(&self, customer: &str, email: &str) -> Result<(), Fault> {
        let changed = json!({"id": customer, "email": email, "status": "active"});
        self.throw(&json!({"customer": changed})).await
    }

    async fn throw(&self, switch: &Value) -> Result<(), Fault> {
        let sent = client()?
            .post(&self.switch)
            .header("content-type", "application/json")
            .body(switch.to_string())
            .send()
            .await;
        let sent = sent.map_err(|error| Fault::failed(format!("the desk is away: {error}")))?;
        if sent.status().is_success() {
            Ok(())
        } else {
            Err(Fault::failed(format!(
                "the desk does not take the switch: HTTP {}",
                sent.status()
            )))
        }
    }

    /// What its ledger adds up to.
    ///
    /// # Errors
    /// [`Fault`] where the ledger cannot be read.
    pub(crate) fn sums(&self) -> Result<Sums, Fault> {
        Sums::of_file(&self.ledger).map_err(|error| Fault::failed(error.to_string()))
    }

    /// Its ledger as it is written.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be read.
    pub(crate) fn ledger(&self) -> Result<String, Fault> {
        let read = std::fs::read_to_string(&self.ledger);
        read.map_err(|error| Fault::failed(format!("the desk's ledger cannot be read: {error}")))
    }

    /// Ends the process.
    pub(crate) async fn stop(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::debug!(%error, "the desk had ended already");
        }
    }
}
