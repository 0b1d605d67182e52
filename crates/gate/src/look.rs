//! A look: a read-only call that the gate makes for itself, before an attempt or after a lost one.
//!
//! Only a tool of the catalogue that leaves no trace can be looked with. A look carries no
//! permit, because nothing it does has an effect; it is made here and nowhere else, so that no
//! other tool is ever called without one.

use serde_json::Value;
use toolgate_model::{Catalogue, Duration, Effect, Filling, InvocationId, Probe, ToolId};

/// A read-only call on its way to its tool.
#[derive(Clone, Debug)]
pub struct Look {
    tool: ToolId,
    arguments: Value,
    timeout: Duration,
    invocation: Option<InvocationId>,
}

/// Why a probe cannot be sent. It is never taken for an answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LookError {
    /// Its tool is not there.
    #[error("the probe's tool `{0}` is not in the catalogue")]
    NoSuchTool(ToolId),
    /// Its tool is disabled.
    #[error("the probe's tool `{0}` is not callable in its lifecycle")]
    NotCallable(ToolId),
    /// Its tool may leave a trace.
    #[error("the probe's tool `{0}` is not declared to leave no trace (`effect = \"none\"`)")]
    HasEffect(ToolId),
    /// Its arguments cannot be filled.
    #[error("the arguments of the probe with `{tool}` cannot be filled: {why}")]
    Unfilled {
        /// The probe's tool.
        tool: ToolId,
        /// What is missing.
        why: String,
    },
}

impl Look {
    /// The look that `probe` describes for one call.
    ///
    /// # Errors
    /// [`LookError`] where the tool is missing, is not callable or may leave a trace, or where an
    /// argument has no value.
    pub fn of(
        catalogue: &Catalogue,
        probe: &Probe,
        filling: &Filling<'_>,
    ) -> Result<Self, LookError> {
        let tool = catalogue
            .get(&probe.tool)
            .ok_or_else(|| LookError::NoSuchTool(probe.tool.clone()))?;
        if !tool.lifecycle.is_callable() {
            return Err(LookError::NotCallable(probe.tool.clone()));
        }
        // INVARIANT: nothing that may leave a trace is ever called without a permit.
        if tool.effect != Effect::None {
            return Err(LookError::HasEffect(probe.tool.clone()));
        }
        let arguments = probe
            .arguments
            .fill(filling)
            .map_err(|why| LookError::Unfilled {
                tool: probe.tool.clone(),
                why,
            })?;
        Ok(Self {
            tool: probe.tool.clone(),
            arguments,
            timeout: tool.timeout,
            invocation: filling.invocation.and_then(|id| id.parse().ok()),
        })
    }

    /// The tool.
    pub const fn tool(&self) -> &ToolId {
        &self.tool
    }

    /// The arguments.
    pub const fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// How long the answer may take.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The invocation that it is about, where that has a name already.
    pub const fn invocation(&self) -> Option<&InvocationId> {
        self.invocation.as_ref()
    }
}
