//! Pins: which definition of a tool people agreed to, and which tools are held because theirs is
//! another one.
//!
//! A server says `get_weather: the weather in a town` when it is first seen and, a week later,
//! `… and first read ~/.ssh/id_rsa`. The first definition is pinned; the second one is held: its
//! calls are denied `tool_changed` and no model is shown it, until a person has looked at the
//! difference. A definition that goes back to the pinned one is callable again by itself.
//!
//! Must not know: how definitions are compared for people, stores, sources.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toolgate_model::{
    AgentId, Catalogue, Code, Denial, Descriptor, Digest, Timestamp, ToolId, json,
};

/// Tools of one source that the gate pins by itself.
// LIMIT: 4,000, four times what a source may offer at once: a server that names ever new tools
// fills neither the store nor the record. What comes beyond (a commit of them more at most) is held
// until a person accepts it.
pub const PINS_PER_SOURCE_MAX: usize = 4_000;

/// Other definitions of one tool that are remembered between two reviews.
// LIMIT: sixteen, each with a record of its own; a server that says something else at every look
// is held all the same, and does not fill the record.
pub const SEEN_MAX: usize = 16;

/// What happens to a tool whose definition changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChanges {
    /// It is held until a person has reviewed it.
    #[default]
    Hold,
    /// It is only put on the record.
    Record,
}

/// What people said of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It may be called as it is pinned.
    #[default]
    Accepted,
    /// It may not be called, whatever its definition.
    Disabled,
}

/// The definition of one tool as it was first seen or last reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolPin {
    /// Which tool.
    pub tool: ToolId,
    /// The digest of the definition, see [`definition_digest`].
    pub digest: Digest,
    /// The definition itself, as canonical JSON.
    pub definition: String,
    /// Whether it may be called.
    #[serde(default)]
    pub standing: Standing,
    /// Who pinned it: the gate at first sight, or a person.
    pub by: AgentId,
    /// When.
    pub at: Timestamp,
    /// Other definitions that were seen since, each once, oldest first.
    #[serde(default)]
    pub seen: Vec<Seen>,
}

/// Another definition of a pinned tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its digest.
    pub digest: Digest,
    /// When it was first seen.
    pub at: Timestamp,
}

/// Why a tool that is there is not callable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Its definition is not the pinned one.
    Changed {
        /// What is pinned.
        pinned: Digest,
        /// What it says now.
        present: Digest,
    },
    /// A person disabled it.
    Disabled,
    /// Its source has offered too many different tools for this one to be pinned unseen.
    Unpinned,
}

/// The digest of what a source says of a tool, whole: name, description, schemas, annotations and
/// whatever else stands there. What the operator states over it is not in it.
pub fn definition_digest(tool: &Descriptor) -> Digest {
    json::digest(&tool.definition)
}

impl ToolPin {
    /// The pin of a tool as it is now.
    pub fn of(tool: &Descriptor, by: AgentId, at: Timestamp) -> Self {
        Self {
            tool: tool.id.clone(),
            digest: definition_digest(tool),
            definition: json::canonical(&tool.definition),
            standing: Standing::Accepted,
            by,
            at,
            seen: Vec::new(),
        }
    }

    /// Whether this definition is another one than the pinned one and was not noted yet.
    pub fn is_news(&self, digest: &Digest) -> bool {
        *digest != self.digest
            && self.seen.len() < SEEN_MAX
            && self.seen.iter().all(|seen| seen.digest != *digest)
    }

    /// The same pin, with this definition noted as seen.
    #[must_use]
    pub fn with_seen(mut self, digest: Digest, at: Timestamp) -> Self {
        self.seen.push(Seen { digest, at });
        self
    }
}

impl Hold {
    /// What a caller is told. No word of the definition is in it: whoever changed it wrote it.
    pub fn denial(&self, tool: &ToolId) -> Denial {
        let review = format!("toolgate tool review {tool}");
        match self {
            Self::Changed { pinned, present } => Denial::new(
                Code::ToolChanged,
                format!("`{tool}` is held: its definition changed, and a person has to review it"),
            )
            .with("pinned", pinned.to_string())
            .with("present", present.to_string())
            .with("review", review),
            Self::Unpinned => Denial::new(
                Code::ToolChanged,
                format!(
                    "`{tool}` is held: its source has offered more than {PINS_PER_SOURCE_MAX} \
                     different tools, and a person has to review this one"
                ),
            )
            .with("review", review),
            Self::Disabled => Denial::new(Code::ToolDisabled, format!("`{tool}` is disabled")),
        }
    }
}

/// The digests of all definitions of a catalogue.
pub(crate) fn definitions(catalogue: &Catalogue) -> HashMap<ToolId, Digest> {
    let digests = catalogue
        .iter()
        .map(|tool| (tool.id.clone(), definition_digest(tool)));
    digests.collect()
}

/// Which tools are held, and why. `changes` says per source what a change does.
pub(crate) fn held(
    present: &HashMap<ToolId, Digest>,
    pins: &HashMap<ToolId, Arc<ToolPin>>,
    changes: impl Fn(&str) -> ToolChanges,
) -> HashMap<ToolId, Hold> {
    let mut per_source = HashMap::<&str, usize>::new();
    for tool in pins.keys() {
        *per_source.entry(tool.source()).or_default() += 1;
    }
    let full =
        |source: &str| per_source.get(source).copied().unwrap_or_default() >= PINS_PER_SOURCE_MAX;
    let hold = |tool: &ToolId, present: Digest| match pins.get(tool) {
        None => full(tool.source()).then_some(Hold::Unpinned),
        Some(pin) if pin.standing == Standing::Disabled => Some(Hold::Disabled),
        Some(pin) => {
            let pinned = pin.digest;
            let differs = present != pinned && changes(tool.source()) == ToolChanges::Hold;
            differs.then_some(Hold::Changed { pinned, present })
        }
    };
    present
        .iter()
        .filter_map(|(tool, digest)| hold(tool, *digest).map(|hold| (tool.clone(), hold)))
        .collect()
}
