//! Tools as they were agreed to: pinned when first seen, noted when they change, reviewed by a
//! person.
//!
//! ```text
//! first list   get_weather "The weather"              tool.pinned    callable
//! later list   get_weather "The weather. First …"     tool.changed   held, hidden from models
//! tool review --accept --digest sha256:5f…            tool.reviewed  callable
//! ```
//!
//! Whether a tool is held follows from its pin and the catalogue alone (`gate::pin`), in the same
//! instant in which the catalogue changes; what is written here is the record of it.
//!
//! Must not know: sources, how a review is shown.

use serde::Serialize;
use serde_json::{Value, json};
use toolgate_gate::pin::{Seen, Standing, ToolPin};
use toolgate_gate::port::{Change, Commit, CommitError, Unavailable};
use toolgate_gate::{Caller, Configuration};
use toolgate_model::{AgentId, Code, Descriptor, Digest, Permission, TenantId, Timestamp, ToolId};
use toolgate_record::{Actor, Entry};

use crate::difference::{Difference, differences};
use crate::driver::Driver;
use crate::entries;
use crate::outcome::Failed;
use crate::people::{actor, fits, require};

/// Tools that one commit pins, and that one record names.
// LIMIT: a hundred, so that their names and digests fit a record of 64 KiB.
const BATCH_MAX: usize = 100;

/// Commits of one look at the catalogue.
// LIMIT: 256, enough for 16 sources of 1,000 tools; what is left waits for the next look.
const ROUNDS_MAX: usize = 256;

/// What a person says of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be called as it is now.
    Accept,
    /// It may not be called any more, whatever it becomes.
    Disable,
}

/// A tool as it is pinned beside what it says now.
#[derive(Clone, Debug, Serialize)]
pub struct Review {
    /// The tool.
    pub tool: ToolId,
    /// How it stands.
    pub state: ReviewState,
    /// Whether its calls are denied and models are not shown it.
    pub held: bool,
    /// What it is pinned to; none where it never was.
    pub pinned: Option<Pinned>,
    /// What its source says now; none where no source offers it.
    pub present: Option<Present>,
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// Signs that the present definition speaks to the model.
    pub signals: Vec<SignalFound>,
    /// Other definitions that were seen since it was pinned.
    pub seen: Vec<SeenAt>,
}

/// How a tool stands against its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewState {
    /// It is what it was pinned to.
    Accepted,
    /// It is not.
    Changed,
    /// A person disabled it.
    Disabled,
    /// It was never pinned.
    Unpinned,
    /// No source offers it now.
    Absent,
}

/// The pinned side.
#[derive(Clone, Debug, Serialize)]
pub struct Pinned {
    /// Its digest.
    pub digest: Digest,
    /// Who pinned it.
    pub by: AgentId,
    /// When.
    pub at: Timestamp,
    /// The definition.
    pub definition: Value,
}

/// The present side.
#[derive(Clone, Debug, Serialize)]
pub struct Present {
    /// Its digest: what a person accepts.
    pub digest: Digest,
    /// The definition.
    pub definition: Value,
}

/// A sign in the present definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalFound {
    /// `hidden_text`, `instructions`, `tool_poisoning`, …
    pub kind: &'static str,
    /// JSON pointer to the text.
    pub path: String,
}

/// Another definition that was seen.
#[derive(Clone, Debug, Serialize)]
pub struct SeenAt {
    /// Its digest.
    pub digest: Digest,
    /// When it was first seen.
    pub at: Timestamp,
}

impl Driver {
    /// Pins every tool that is seen for the first time, and notes on the record what changed. Call
    /// it at the start and whenever the catalogue may have changed; where nothing did, it only
    /// compares digests.
    ///
    /// # Errors
    /// [`Unavailable`] where the store does not answer; the next look finds the same again.
    pub async fn pin_tools(&self) -> Result<(), Unavailable> {
        for _ in 0..ROUNDS_MAX {
            let configuration = self.configuration();
            let (changes, entries) = self.news(&configuration)?;
            if changes.is_empty() {
                return Ok(());
            }
            let commit = Commit {
                // INVARIANT: a pin that a person just made is never overwritten by an older look.
                epoch: Some(configuration.epoch),
                changes,
                entries,
                ..Commit::default()
            };
            match self.ports.store.commit(commit).await {
                Ok(_) | Err(CommitError::EpochMoved { .. }) => self.reload().await?,
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable),
                Err(other) => return Err(unexpected(&other)),
            }
        }
        Ok(())
    }

    /// What of the catalogue is not in the pins yet, as far as one commit goes.
    fn news(
        &self,
        configuration: &Configuration,
    ) -> Result<(Vec<Change>, Vec<Entry>), Unavailable> {
        let now = self.now();
        let (mut changes, mut entries, mut pinned) = (Vec::new(), Vec::new(), Vec::new());
        for tool in configuration.catalogue.iter() {
            if changes.len() == BATCH_MAX {
                break;
            }
            let present = configuration.definition(tool);
            match configuration.pin(&tool.id) {
                None if configuration.held(&tool.id).is_none() => {
                    pinned.push(json!({"tool": tool.id, "digest": present}));
                    changes.push(Change::ToolPin(ToolPin::of(tool, AgentId::gate(), now)));
                }
                Some(pin) if pin.is_news(&present) => {
                    let data = json!({"tool": tool.id, "pinned": pin.digest, "present": present});
                    entries.push(self.of_tools("tool.changed", &Actor::Gate, data)?);
                    changes.push(Change::ToolPin(pin.clone().with_seen(present, now)));
                }
                None | Some(_) => {}
            }
        }
        if !pinned.is_empty() {
            let data = json!({"tools": pinned});
            entries.push(self.of_tools("tool.pinned", &Actor::Gate, data)?);
        }
        Ok((changes, entries))
    }

    fn of_tools(
        &self,
        kind: &'static str,
        actor: &Actor,
        data: Value,
    ) -> Result<Entry, Unavailable> {
        let stamp = (self.record_id()?, self.now());
        Ok(entries::of_change(
            stamp,
            kind,
            &TenantId::default(),
            actor,
            data,
        ))
    }

    /// A tool as it is pinned beside what it says now.
    ///
    /// # Errors
    /// [`Failed::NotFound`] where there is neither.
    pub fn review_tool(&self, id: &ToolId) -> Result<Review, Failed> {
        let configuration = self.configuration();
        let tool = configuration.catalogue.get(id);
        let pin = configuration.pin(id);
        if tool.is_none() && pin.is_none() {
            return Err(Failed::not_found("tool", id));
        }
        let present = tool.map(|tool| Present {
            digest: configuration.definition(tool),
            definition: tool.definition.clone(),
        });
        let pinned = pin.map(pinned);
        let differences = match (&pinned, &present) {
            (Some(pinned), Some(present)) => differences(&pinned.definition, &present.definition),
            (None, _) | (_, None) => Vec::new(),
        };
        Ok(Review {
            tool: id.clone(),
            state: state(pin, present.as_ref().map(|present| present.digest)),
            held: configuration.held(id).is_some(),
            signals: present.as_ref().map_or_else(Vec::new, |present| {
                signals(&configuration, &present.definition)
            }),
            seen: pin.map_or_else(Vec::new, |pin| pin.seen.iter().map(SeenAt::from).collect()),
            pinned,
            present,
            differences,
        })
    }

    /// A person says what is to be of the tool that they have looked at: the one with this digest
    /// and no other.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, the tool is not offered, or it says something else by
    /// now.
    pub async fn settle_review(
        &self,
        caller: &Caller,
        id: &ToolId,
        (digest, verdict, reason): (Digest, Verdict, String),
    ) -> Result<Review, Failed> {
        require(caller, Permission::ActivatePolicy)?;
        fits("reason", &reason)?;
        // What is decided on is on the record before the decision, however fast a person is.
        self.pin_tools().await?;
        let configuration = self.configuration();
        let tool = configuration
            .catalogue
            .get(id)
            .ok_or_else(|| Failed::not_found("tool that is offered", id))?;
        let present = configuration.definition(tool);
        if present != digest {
            let message = format!("`{id}` says something else by now: its digest is `{present}`");
            return Err(Failed::Conflict {
                code: Code::ToolChanged,
                message,
            });
        }
        let by = entries::name(&actor(caller))
            .cloned()
            .unwrap_or_else(AgentId::gate);
        let pin = reviewed((tool, configuration.pin(id)), verdict, (by, self.now()));
        let data = json!({
            "tool": id,
            "decision": verdict.as_str(),
            "digest": digest,
            "before": configuration.pin(id).map(|pin| pin.digest),
            "reason": reason,
        });
        let changes = vec![Change::ToolPin(pin)];
        let tenant = TenantId::default();
        self.change(&actor(caller), &tenant, ("tool.reviewed", data), changes)
            .await?;
        self.review_tool(id)
    }
}

/// How a tool of the catalogue stands against its pin.
pub fn review_state(configuration: &Configuration, tool: &Descriptor) -> ReviewState {
    state(
        configuration.pin(&tool.id),
        Some(configuration.definition(tool)),
    )
}

impl ReviewState {
    /// The state in its written form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Changed => "changed",
            Self::Disabled => "disabled",
            Self::Unpinned => "unpinned",
            Self::Absent => "absent",
        }
    }
}

impl Verdict {
    /// What the record calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Disable => "disable",
        }
    }
}

impl From<&Seen> for SeenAt {
    fn from(seen: &Seen) -> Self {
        Self {
            digest: seen.digest,
            at: seen.at,
        }
    }
}

/// The pin after a review. Whoever disables a tool has not agreed to what it says now.
fn reviewed(
    (tool, before): (&Descriptor, Option<&ToolPin>),
    verdict: Verdict,
    (by, at): (AgentId, Timestamp),
) -> ToolPin {
    let present = ToolPin::of(tool, by.clone(), at);
    match verdict {
        Verdict::Accept => present,
        Verdict::Disable => ToolPin {
            standing: Standing::Disabled,
            by,
            at,
            ..before.cloned().unwrap_or(present)
        },
    }
}

fn pinned(pin: &ToolPin) -> Pinned {
    Pinned {
        digest: pin.digest,
        by: pin.by.clone(),
        at: pin.at,
        // It was canonical JSON when it was stored; text that is none any more is shown as it is.
        definition: serde_json::from_str(&pin.definition)
            .unwrap_or_else(|_| pin.definition.clone().into()),
    }
}

fn state(pin: Option<&ToolPin>, present: Option<Digest>) -> ReviewState {
    match (pin, present) {
        (Some(pin), _) if pin.standing == Standing::Disabled => ReviewState::Disabled,
        (_, None) => ReviewState::Absent,
        (None, Some(_)) => ReviewState::Unpinned,
        (Some(pin), Some(present)) if pin.digest == present => ReviewState::Accepted,
        (Some(_), Some(_)) => ReviewState::Changed,
    }
}

/// What the detector notices in a definition. One that is too large to be scanned says so.
fn signals(configuration: &Configuration, definition: &Value) -> Vec<SignalFound> {
    match configuration.settings.detector.scan(definition) {
        Ok(scan) => scan
            .signals
            .into_iter()
            .map(|signal| SignalFound {
                kind: signal.kind,
                path: signal.path,
            })
            .collect(),
        Err(_) => vec![SignalFound {
            kind: "too_large_to_scan",
            path: String::new(),
        }],
    }
}

fn unexpected(error: &CommitError) -> Unavailable {
    Unavailable {
        part: "store",
        detail: format!("a pin was refused: {error}"),
    }
}
