//! Plugins: actions over signed HTTP.
//!
//! A plugin says what it can do (`discover`), may refuse a call (`authorize`), does it (`execute`),
//! reads afterwards whether it is done (`reflect`), and says how it is (`health`). The action `issue`
//! of the source `refunds` is the tool `refunds.issue`, which grants of actions know as
//! `refunds:issue`. What a plugin says of itself may tighten, and never loosens anything.
//!
//! ```text
//! source.rs → wording.rs   what it is asked
//!           → wire.rs      signed requests and answers
//!           → actions.rs   what it can do, as descriptors
//!           → said.rs      what its answers mean
//! ```
//! Must not know: other sources, who may call what.

mod actions;
mod said;
mod source;
mod wire;
mod wording;

pub(crate) use source::PluginSource;

use crate::config::{Secret, url_problem};

/// A plugin: where it is, and the secret that it shares with the gate.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// Where its actions are: `https://refunds.acme.com`; the paths begin with `/action/`.
    pub url: String,
    /// What requests and answers are signed with: `whsec_` and base64, and while it is changed two
    /// of them with a space between, the new one first.
    pub secret: Secret,
    /// Who answers for it, for people.
    pub owner: Option<String>,
}

impl PluginConfig {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        url_problem(&self.url)
    }
}
