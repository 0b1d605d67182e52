//! Everything a decision reads, at one epoch, immutable.
//!
//! Agents, credentials, policies and the catalogue are joined here once per change, so that a
//! decision only looks up. A node swaps the whole thing; a call that was decided on an old one is
//! refused at its admission and decided again (3-execution, 5).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toolgate_detect::Detector;
use toolgate_execution::Escalation;
use toolgate_model::{
    Agent, AgentId, Catalogue, Code, Credential, Denial, Descriptor, Diagnostic, Digest, Duration,
    Epoch, Identity, KeyId, Operator, Severity, Timestamp, TokenKind, ToolId,
};
use toolgate_policy::{Document, PolicySet, load_with};

use crate::history::LedgerLimits;

use crate::payload::Payloads;
use crate::pin::{self, Hold, ToolChanges, ToolPin, held};
use crate::port::{PolicyDocument, Stored};
use crate::posture::Posture;

/// The code of a rule that names an argument which no tool within its reach declares.
const UNKNOWN_ARGUMENT: &str = "P050";

/// What is set by the operator of this gate and not by its database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a granted call gets when no rule speaks.
    pub posture: Posture,
    /// How long approvers have where no rule says.
    pub approval_expires_in: Duration,
    /// How long a caller's idempotency key is kept after its invocation ended.
    pub idempotency_ttl: Duration,
    /// How long the same call without a key is answered from the first one, where its tool's
    /// descriptor does not say.
    pub duplicate_window: Duration,
    /// After how long others may decide, and who, where nobody has.
    pub escalation: Option<(Duration, Vec<String>)>,
    /// The longest timeout that a caller may ask for.
    pub timeout_max: Duration,
    /// What the record keeps of arguments.
    pub capture: Capture,
    /// What happens to a tool whose definition changed.
    pub tool_changes: ToolChanges,
    /// The same for single sources.
    pub source_changes: BTreeMap<String, ToolChanges>,
    /// Whether the author of a policy version needs somebody else to put it in force.
    pub second_person: bool,
    /// The channels that a rule can `notify`.
    pub channels: Vec<String>,
    /// The tenant's own domains, in lower case.
    pub own_domains: Vec<String>,
    /// What finds classes of data and hidden instructions.
    pub detector: Arc<Detector>,
    /// What is remembered of earlier calls.
    pub history: LedgerLimits,
}

/// What the record keeps of arguments and results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Only salted digests; the bodies stay erasable beside the log.
    #[default]
    Digest,
    /// The arguments as they are.
    Full,
}

impl Settings {
    /// What a change of definition does to the tools of this source.
    pub fn changes_of(&self, source: &str) -> ToolChanges {
        let own = self.source_changes.get(source);
        own.copied().unwrap_or(self.tool_changes)
    }

    /// What happens to an approval that is asked for at `now` and that nobody decides; nothing
    /// where it lapses before.
    pub fn escalates(&self, now: Timestamp, expires_at: Timestamp) -> Option<Escalation> {
        let (after, to) = self.escalation.as_ref()?;
        let at = now.plus(*after);
        (at < expires_at).then(|| Escalation {
            at,
            to: to.clone(),
            told: false,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            posture: Posture::default(),
            approval_expires_in: Duration::from_secs(24 * 3_600),
            idempotency_ttl: Duration::from_secs(24 * 3_600),
            duplicate_window: Duration::from_secs(600),
            escalation: None,
            timeout_max: Duration::from_secs(600),
            capture: Capture::Digest,
            tool_changes: ToolChanges::Hold,
            source_changes: BTreeMap::new(),
            second_person: false,
            channels: Vec::new(),
            own_domains: Vec::new(),
            detector: Detector::builtin(),
            history: LedgerLimits::default(),
        }
    }
}

/// The state of the world that decisions are made on.
#[derive(Debug)]
pub struct Configuration {
    /// At which epoch.
    pub epoch: Epoch,
    /// What the operator set.
    pub settings: Settings,
    /// The policy set in force; none where it does not load, and then nothing is allowed.
    pub policies: Option<Arc<PolicySet>>,
    /// What is wrong or doubtful about the policies.
    pub diagnostics: Vec<Diagnostic>,
    /// All tools.
    pub catalogue: Arc<Catalogue>,
    pub(crate) payloads: Arc<Payloads>,
    documents: Vec<PolicyDocument>,
    /// The digest of what each tool's source says of it now.
    definitions: Arc<HashMap<ToolId, Digest>>,
    pins: HashMap<ToolId, Arc<ToolPin>>,
    held: HashMap<ToolId, Hold>,
    agents: HashMap<AgentId, Arc<Agent>>,
    operators: HashMap<AgentId, Arc<Operator>>,
    credentials: HashMap<KeyId, Arc<Credential>>,
}

impl Configuration {
    /// Joins what the store says with the tools known now, and takes over from `before` what did
    /// not change: compiling a large policy set on every new credential would be a waste.
    pub fn build(
        stored: Stored,
        catalogue: Arc<Catalogue>,
        settings: Settings,
        before: Option<&Self>,
    ) -> Self {
        let same_tools = before.filter(|old| Arc::ptr_eq(&old.catalogue, &catalogue));
        let (policies, diagnostics) = match same_tools {
            Some(old) if old.documents == stored.policies => {
                (old.policies.clone(), old.diagnostics.clone())
            }
            _ => load_policies(&stored.policies, &catalogue, &settings.detector),
        };
        let payloads = same_tools.map_or_else(
            || Arc::new(Payloads::of(&catalogue)),
            |old| old.payloads.clone(),
        );
        let definitions = same_tools.map_or_else(
            || Arc::new(pin::definitions(&catalogue)),
            |old| old.definitions.clone(),
        );
        let pins = stored.pins.into_iter().map(|pin| (pin.tool.clone(), pin));
        let pins: HashMap<_, _> = pins.collect();
        let held = match same_tools {
            Some(old) if old.pins == pins => old.held.clone(),
            _ => held(&definitions, &pins, |source| settings.changes_of(source)),
        };
        Self {
            epoch: stored.epoch,
            settings,
            policies,
            diagnostics,
            payloads,
            catalogue,
            documents: stored.policies,
            definitions,
            pins,
            held,
            agents: by(stored.agents, |agent| agent.id.clone()),
            operators: by(stored.operators, |operator| operator.id.clone()),
            credentials: by(stored.credentials, |credential| credential.id.clone()),
        }
    }

    /// The documents in force, as they were written.
    pub fn documents(&self) -> &[PolicyDocument] {
        &self.documents
    }

    /// The digest of what the source of this tool of the catalogue says of it now.
    pub fn definition(&self, tool: &Descriptor) -> Digest {
        let known = self.definitions.get(&tool.id).copied();
        known.unwrap_or_else(|| pin::definition_digest(tool))
    }

    /// What this tool is pinned to.
    pub fn pin(&self, tool: &ToolId) -> Option<&ToolPin> {
        self.pins.get(tool).map(Arc::as_ref)
    }

    /// All pins, in no order; also of tools that no source offers now.
    pub fn pins(&self) -> impl Iterator<Item = &ToolPin> {
        self.pins.values().map(Arc::as_ref)
    }

    /// Why this tool of the catalogue is not callable although it is there; none where it is.
    pub fn held(&self, tool: &ToolId) -> Option<&Hold> {
        self.held.get(tool)
    }

    /// The agent of this name.
    pub fn agent(&self, id: &AgentId) -> Option<&Arc<Agent>> {
        self.agents.get(id)
    }

    /// All agents, in no order.
    pub fn agents(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.agents.values()
    }

    /// The person of this name.
    pub fn operator(&self, id: &AgentId) -> Option<&Arc<Operator>> {
        self.operators.get(id)
    }

    /// All people, in no order.
    pub fn operators(&self) -> impl Iterator<Item = &Arc<Operator>> {
        self.operators.values()
    }

    /// The credential of this id, revoked or not.
    pub fn credential(&self, id: &KeyId) -> Option<&Arc<Credential>> {
        self.credentials.get(id)
    }

    /// All credentials, in no order.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values()
    }

    /// The errors that keep the policies from being used.
    pub fn policy_errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The agent that this credential authenticates now.
    ///
    /// # Errors
    /// A [`Denial`] with the code of step 1 where credential or agent no longer stand.
    pub fn standing(&self, key: &KeyId, now: Timestamp) -> Result<Identity, Denial> {
        let credential = self.credential(key).ok_or_else(unauthenticated)?;
        stands(credential, now)?;
        let agent = self
            .agent(&credential.subject)
            .ok_or_else(unauthenticated)?;
        if credential.kind != TokenKind::Agent || agent.tenant != credential.tenant {
            return Err(unauthenticated());
        }
        if agent.suspended {
            let message = format!("agent `{}` is suspended", agent.id);
            return Err(Denial::new(Code::CredentialRevoked, message));
        }
        Ok(Identity {
            agent: agent.clone(),
            credential: credential.clone(),
            user: None,
        })
    }
}

fn by<K: std::hash::Hash + Eq, T>(items: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Arc<T>> {
    items
        .into_iter()
        .map(|item| (key(&item), Arc::new(item)))
        .collect()
}

fn load_policies(
    stored: &[PolicyDocument],
    catalogue: &Catalogue,
    detector: &Arc<Detector>,
) -> (Option<Arc<PolicySet>>, Vec<Diagnostic>) {
    let documents: Vec<_> = stored
        .iter()
        .map(|document| Document {
            name: document.name.clone(),
            text: document.text.clone(),
        })
        .collect();
    let mut loaded = load_with(&documents, catalogue, detector);
    if loaded.set.is_none() && loaded.diagnostics.iter().all(is_about_schemas) {
        // A tool server changed its schema under a rule that was in force. Its author is told,
        // but one server must not be able to close the gate for all others.
        loaded.set = load_with(&documents, &catalogue.without_schemas(), detector).set;
        for diagnostic in &mut loaded.diagnostics {
            diagnostic.severity = Severity::Warning;
        }
    }
    (loaded.set.map(Arc::new), loaded.diagnostics)
}

/// What is no error, or one that only the tools known at this moment make.
fn is_about_schemas(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Warning || diagnostic.code == UNKNOWN_ARGUMENT
}

/// Whether a credential works at `now`.
pub(crate) fn stands(credential: &Credential, now: Timestamp) -> Result<(), Denial> {
    // INVARIANT: what is revoked is revoked now, whatever this node's clock shows: the instant was
    // written by another clock, which may be ahead of this one.
    if let Some(at) = credential.revoked_at {
        let message = format!("credential `{}` was revoked at {at}", credential.id);
        return Err(Denial::new(Code::CredentialRevoked, message));
    }
    if let Some(at) = credential.expires_at.filter(|at| now >= *at) {
        let message = format!("credential `{}` expired at {at}", credential.id);
        return Err(Denial::new(Code::CredentialExpired, message));
    }
    Ok(())
}

/// The one answer for whatever is missing, malformed or unknown, so that nothing can be probed.
pub(crate) fn unauthenticated() -> Denial {
    Denial::new(
        Code::Unauthenticated,
        "the credential is missing or not known",
    )
}
