//! Programs that run their tools themselves, under a lease, and report what came of them.
//!
//! Some of their tools stand in the configuration, others are registered while the gate runs, and a
//! gate that starts again knows those from its pins. The gate reaches no such program: it waits for
//! it to propose calls and to report.
//!
//! ```text
//! source.rs → tools.rs   what is declared and registered, as descriptors
//! ```
//! Must not know: other sources, leases, who may call what.

mod source;
mod tools;

use toolgate_model::HostTool;

pub(crate) use source::HostSource;

/// A program that runs its tools itself.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// Which agents may register tools, exact or pattern; none: any trusted host.
    pub agents: Vec<String>,
    /// Tools that it has in any case. Nobody registers others of their names.
    pub tools: Vec<HostTool>,
}
