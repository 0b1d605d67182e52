//! The gate as programs see it that run what it allows themselves: the proxy and the hooks.
//!
//! ```text
//! propose   POST /v1/invocations {"mode": "host", …}     a lease, a denial, or something that waits
//! report    POST /v1/invocations/{id}/outcome            what came of it
//! ```
//!
//! Must not know: what is run.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::admin::{Admin, Ask, recorded_url};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, read_text};

/// Where a gate is of which nothing else is said.
const DEFAULT_URL: &str = "http://127.0.0.1:8787";

/// LIMIT: a token has some hundred bytes.
const KEY_BYTES_MAX: u64 = 4_096;

/// A gate, with an agent's key.
#[derive(Debug)]
pub(crate) struct Hosted {
    admin: Admin,
}

/// That a call may be run, once, and its outcome reported.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    /// The invocation.
    pub(crate) id: String,
    /// The attempt to report on.
    pub(crate) attempt: u64,
}

impl Lease {
    /// The lease that an envelope carries; none where it lets nobody run anything.
    pub(crate) fn of(envelope: &Value) -> Option<Self> {
        Some(Self {
            id: envelope.get("invocation_id")?.as_str()?.to_owned(),
            attempt: envelope.pointer("/lease/attempt")?.as_u64()?,
        })
    }
}

impl Hosted {
    /// The gate that this shell means, with the agent's key from the file, `TOOLGATE_KEY` or
    /// `TOOLGATE_TOKEN`.
    ///
    /// # Errors
    /// [`Fault`] where there is no key, or the address is none.
    pub(crate) fn open(shell: &Shell, key_file: Option<&Path>) -> Result<Self, Fault> {
        let key = match key_file {
            Some(path) => read_text(path, KEY_BYTES_MAX)?.trim().to_owned(),
            None => ["TOOLGATE_KEY", "TOOLGATE_TOKEN"]
                .iter()
                .find_map(|name| shell.variable(name))
                .unwrap_or_default()
                .to_owned(),
        };
        if key.is_empty() {
            return Err(Fault::new(Exit::NotPermitted, "there is no agent's key").help(
                "make one with `toolgate key create AGENT`, and set TOOLGATE_KEY or `--key-file`",
            ));
        }
        let named = shell.global.url.as_deref();
        let url = match named.or_else(|| shell.variable("TOOLGATE_URL")) {
            Some(url) => url.to_owned(),
            None => recorded(shell).unwrap_or_else(|| DEFAULT_URL.to_owned()),
        };
        Ok(Self {
            admin: Admin::at(&url, Some(key))?,
        })
    }

    /// Where the gate is.
    pub(crate) fn url(&self) -> &str {
        self.admin.base().as_str()
    }

    /// Proposes a call, and gives its envelope.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not answer, or refuses to consider it.
    pub(crate) async fn propose(&self, call: Value, key: Option<&str>) -> Result<Value, Fault> {
        let ask = Ask::post("/v1/invocations", call);
        let ask = match key {
            Some(key) => ask.header("idempotency-key", key),
            None => ask,
        };
        self.admin.body(ask).await
    }

    /// Reports what came of a call, and gives its envelope. The same report twice counts once, so
    /// it is sent a second time where the first was not answered.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not answer, or refuses it.
    pub(crate) async fn report(&self, lease: &Lease, mut report: Value) -> Result<Value, Fault> {
        if let Some(members) = report.as_object_mut() {
            members.insert("attempt".to_owned(), Value::from(lease.attempt));
        }
        let place = format!("/v1/invocations/{}/outcome", lease.id);
        let first = self
            .admin
            .body(Ask::post(place.clone(), report.clone()))
            .await;
        match first {
            Err(fault) if fault.exit() == Exit::Failed => {
                tokio::time::sleep(REPORT_PAUSE).await;
                self.admin.body(Ask::post(place, report)).await
            }
            answered => answered,
        }
    }

    /// Registers tools with a source, and gives how each stands.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not answer, or refuses them.
    pub(crate) async fn register(&self, source: &str, tools: Value) -> Result<Value, Fault> {
        let place = format!("/v1/sources/{source}/tools");
        self.admin.body(Ask::post(place, tools)).await
    }
}

/// LIMIT: between two tries of a report; a gate that starts again takes about so long.
const REPORT_PAUSE: Duration = Duration::from_secs(1);

fn recorded(shell: &Shell) -> Option<String> {
    recorded_url(&shell.data_directory().ok()?)
}
