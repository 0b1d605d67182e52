//! The history that a case writes down, as a ledger.
//!
//! Each earlier call is decided in its turn, at its own instant and on what came before it, so that
//! it counts for exactly those rules that it matched. Whether it was let through is the case's word.
//!
//! Must not know: what is expected of the case.

use std::sync::Arc;

use toolgate_model::{
    AgentId, Authors, Call, Descriptor, Digest, Duration, Identity, InvocationId, KeyId, Timestamp,
    Verdict,
};

use super::run::Runner;
use super::written::{Case, Past, When};
use crate::configuration::Configuration;
use crate::decide::{Judged, decide, with_facts};
use crate::evidence::Evidence;
use crate::history::{Event, Ledger, LedgerLimits, Read, Standing, Words};
use crate::inspect::scanned;
use crate::live::live;
use crate::question::{Question, session};

/// LIMIT: the longest window that a rule can ask for, 31 days.
const SPAN: Duration = Duration::from_secs(31 * 86_400);

/// Where an earlier call stands that does not say when it was.
const JUST_NOW: When = When::Before(1_000);

impl Runner<'_> {
    /// What is remembered when the case's call is made.
    pub(super) fn remembered(&self, case: &Case) -> Ledger {
        let mut ledger = Ledger::new(LedgerLimits {
            span: SPAN,
            session_idle: SPAN,
            ..LedgerLimits::default()
        });
        let mut past: Vec<(Timestamp, &Past)> = case
            .history
            .iter()
            .map(|past| (past.at.unwrap_or(JUST_NOW).instant(case.now), past))
            .collect();
        past.sort_by_key(|(at, _)| *at);
        for (number, (at, past)) in (0_u64..).zip(past) {
            let event = self.event(case, (number, past), (&ledger, at));
            ledger.take(event, at);
        }
        ledger
    }

    fn event(
        &self,
        case: &Case,
        (number, past): (u64, &Past),
        (ledger, at): (&Ledger, Timestamp),
    ) -> Event {
        let identity = self.identity(case, past.agent.as_ref());
        let call = Call {
            env: case.call.env().map(str::to_owned),
            workflow: case.call.workflow().map(str::to_owned),
            resource: past.resource.clone(),
            session: case.call.session().map(str::to_owned),
            user_request: past.user_request.clone(),
            ..Call::new(past.tool.clone(), past.arguments.clone().into())
        };
        let unread = Evidence::default();
        let question = Question::from((&call, &unread)).knowing(ledger);
        let (judged, _) = decide(self.configuration, &identity, question, at);
        let measures = measured(self.configuration, (&identity, &question, &judged), at);
        let limits = judged.decision.rules.iter();
        let limits = limits.filter(|rule| rule.effect == "limit" && !rule.monitor);
        let refused = past.verdict == Some(Verdict::Deny);
        Event {
            invocation: InvocationId::mint(at, numbered(number)),
            at,
            tenant: identity.agent.tenant.clone(),
            agent: identity.agent.id.clone(),
            user: case.call.user.as_ref().map(|user| user.id.clone()),
            session: session(&identity, &call),
            tool: past.tool.clone(),
            resource: resource(past, &judged),
            standing: if refused {
                Standing::Refused
            } else {
                Standing::Taken
            },
            limits: limits.map(|rule| rule.rule.clone()).collect(),
            measures,
            read: self.read(past, (judged.descriptor.as_deref(), at)),
            user_words: past.user_request.as_deref().map(Words::of_text),
        }
    }

    fn read(&self, past: &Past, (tool, at): (Option<&Descriptor>, Timestamp)) -> Read {
        let authors = tool.map_or(&Authors::Anyone, |tool| &tool.authors);
        let mut read = match &past.result {
            Some(result) => {
                let data = live(&result.to_string()).unwrap_or_else(|_| result.clone());
                scanned(self.configuration, (result, &data), authors, at).read
            }
            None => Read::default(),
        };
        if !past.read.is_empty() {
            read.at = Some(at);
            read.classes.extend(past.read.iter().copied());
        }
        read
    }
}

/// What the subjects of sums are in a call.
fn measured(
    configuration: &Configuration,
    (identity, question, judged): (&Identity, &Question<'_>, &Judged),
    now: Timestamp,
) -> Vec<(String, rust_decimal::Decimal)> {
    let Some(set) = &configuration.policies else {
        return Vec::new();
    };
    with_facts(configuration, identity, (question, judged), now, |facts| {
        set.measures(facts)
    })
}

/// What an earlier call was about: the case's word, else what its tool's template makes of it.
fn resource(past: &Past, judged: &Judged) -> Option<String> {
    let derived = || {
        judged
            .resource
            .as_ref()
            .map(|resource| resource.name.clone())
    };
    past.resource.clone().or_else(derived)
}

/// Ten bytes by which one earlier call is told from another.
fn numbered(number: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    for (byte, value) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *byte = value;
    }
    bytes
}

/// The same agent with a credential of its own: each agent of a case has its own session.
pub(super) fn with_own_key(identity: Identity, agent: &AgentId, now: Timestamp) -> Identity {
    let digest = Digest::of(agent.as_str().as_bytes());
    let mut bytes = [0; 10];
    for (byte, value) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *value;
    }
    let mut credential = identity.credential.as_ref().clone();
    credential.id = KeyId::mint(now, bytes);
    Identity {
        credential: Arc::new(credential),
        ..identity
    }
}
