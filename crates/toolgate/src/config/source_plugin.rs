//! `plugin = { … }` of a `[[source]]`: actions over signed HTTP.
//!
//! ```toml
//! plugin = { url = "http://127.0.0.1:9100", secret = "env:REFUNDS_SECRET" }
//! ```
//! Must not know: what the plugin offers.

use toolgate_tools::{PluginConfig, Secret};

use super::Reading;
use super::reader::Problem;
use super::secret::SecretPlace;
use super::source::Transport;
use super::tree::Node;

/// A plugin, with its secret named and not known.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredPlugin {
    /// Where its actions are.
    pub(crate) url: String,
    /// What requests to it are signed with.
    pub(crate) secret: SecretPlace,
    /// Who answers for it.
    pub(crate) owner: Option<String>,
}

impl DeclaredPlugin {
    /// The plugin as it is started, its secret got by `fetch`.
    ///
    /// # Errors
    /// A sentence of `fetch` where it cannot be had.
    pub(super) fn started_with(
        &self,
        fetch: impl Fn(&SecretPlace) -> Result<Secret, String>,
    ) -> Result<PluginConfig, String> {
        Ok(PluginConfig {
            url: self.url.clone(),
            secret: fetch(&self.secret)?,
            owner: self.owner.clone(),
        })
    }
}

impl Reading<'_, '_> {
    /// The plugin that this table describes.
    pub(super) fn plugin(&mut self, path: &str, node: Node) -> Option<Transport> {
        let origin = node.origin.clone();
        let mut table = self.reader.as_table(path, node);
        let url: Option<String> = self.reader.required(&mut table, "url");
        let owner = self.reader.optional(&mut table, "owner");
        let place = format!("{}secret", table.path);
        let secret = match table.take("secret") {
            Some(node) => self.place(&place, "secret", &node),
            None => {
                let message = format!("`{place}` is missing");
                let help = "requests to a plugin are signed: write `secret = \"env:NAME\"`";
                let help = Some(help.to_owned());
                self.reader
                    .complain(Problem::Missing, (&place, &origin), message, help);
                None
            }
        };
        self.reader.finish(table);
        Some(Transport::Plugin(DeclaredPlugin {
            url: url?,
            secret: secret?,
            owner,
        }))
    }
}
