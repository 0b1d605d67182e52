//! `host = { … }` of a `[[source]]`: a program that runs its tools itself.
//!
//! ```toml
//! host = { agents = ["billing_agent"] }
//! ```
//! Must not know: which tools it registers.

use toolgate_tools::HostConfig;

use super::Reading;
use super::source::Transport;
use super::tree::Node;

impl Reading<'_, '_> {
    /// The host that this table describes.
    pub(super) fn host(&mut self, path: &str, node: Node) -> Option<Transport> {
        let mut table = self.reader.as_table(path, node);
        let agents: Option<Vec<String>> = self.reader.optional(&mut table, "agents");
        self.reader.finish(table);
        Some(Transport::Host(HostConfig {
            agents: agents.unwrap_or_default(),
        }))
    }
}
