//! What another policy set would have said to calls that were recorded.
//!
//! ```text
//! recorded calls, in order of time ──▶ decided twice, as now and as then ──▶ what would change
//! ```
//!
//! Each call is decided by the code that decides calls, under the configuration in force and under
//! the candidate, each with a history of its own: what the candidate denies does not count against
//! the candidate's limits. A call that cannot be decided again as it was is counted apart, with the
//! reason, and never guessed.
//!
//! Must not know: where the calls come from, how a report is shown.

mod exported;
mod watched;

pub use exported::ExportedCall;
pub use watched::{Watched, WatchedCall, WatchedRule, Watching};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use toolgate_execution::{Invocation, Proposal};
use toolgate_model::{
    AgentId, Call, Code, Decision, Identity, InvocationId, KeyId, MatchedRule, Mode, PolicyVersion,
    Timestamp, ToolId, Truth, Verdict,
};
use toolgate_policy::ExplainedRule;

use crate::can::unscoped;
use crate::configuration::Configuration;
use crate::decide::{decide, explain};
use crate::evidence::Evidence;
use crate::history::{Event, Ledger, LedgerLimits, Standing};
use crate::inspect::{measures, session_of};
use crate::question::Question;

/// Examples that are kept of each change.
// LIMIT: five of a kind show what kind it is; the counts are exact.
const EXAMPLES_MAX: usize = 5;

/// A call that was recorded, as far as it is decided again.
#[derive(Clone, Debug)]
pub struct Recorded {
    proposal: Arc<Proposal>,
    at: Timestamp,
    call: Call,
    /// Why it cannot be decided again as it was, as far as it says so itself.
    lacks: Option<Lack>,
    event: Event,
}

/// Why a call cannot be decided again as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// Its arguments are not kept any more.
    ArgumentsErased,
    /// Its arguments are kept only as they were after data in them had been replaced.
    Sanitized,
    /// Its tool is not in the catalogue, or came from a raw request.
    ToolGone,
    /// Its agent is not known any more.
    AgentGone,
    /// A rule reads what was live then: the entity, or whether the event happened.
    LiveFacts,
}

/// What a backtest found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The set in force.
    pub present: Option<PolicyVersion>,
    /// The candidate.
    pub candidate: Option<PolicyVersion>,
    /// Calls that were looked at.
    pub calls: u64,
    /// Calls that were decided under both.
    pub replayed: u64,
    /// Calls that the candidate answers otherwise.
    pub changed: u64,
    /// Calls that the set in force would not answer as they were answered then: policies, grants or
    /// tools have changed since.
    pub moved_since: u64,
    /// How many calls went from which verdict to which, unchanged ones too.
    pub matrix: Vec<Cell>,
    /// How many calls could not be decided again, by reason.
    pub not_replayed: BTreeMap<Lack, u64>,
    /// When the first and the last of the calls were made.
    pub first_at: Option<Timestamp>,
    /// The last.
    pub last_at: Option<Timestamp>,
    /// Approvals that the set in force asks for.
    pub approvals_present: u64,
    /// Approvals that the candidate asks for.
    pub approvals_candidate: u64,
    /// Approvals a day that the candidate adds; fewer than none where it takes some away. A span
    /// shorter than a day counts as a day.
    pub approvals_added_a_day: f64,
    /// Some of the calls that would be answered otherwise, the first of each change.
    pub examples: Vec<Example>,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What the set in force says.
    pub present: Verdict,
    /// What the candidate says.
    pub candidate: Verdict,
    /// To how many calls.
    pub calls: u64,
}

/// A call that would be answered otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// Which.
    pub invocation: InvocationId,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub agent: AgentId,
    /// Of which tool.
    pub tool: ToolId,
    /// With which arguments.
    pub arguments: Value,
    /// What the set in force says.
    pub present: Answer,
    /// What the candidate says.
    pub candidate: Answer,
}

/// One answer, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why not.
    pub code: Option<Code>,
    /// The same in words.
    pub reason: Option<String>,
    /// The rule that is named.
    pub rule: Option<String>,
    /// The truth of every part of every rule that matched.
    pub rules: Vec<ExplainedRule>,
}

/// A backtest that goes on: calls are given to it in order of time.
#[derive(Debug)]
pub struct Backtest<'c> {
    present: Side<'c>,
    candidate: Side<'c>,
    /// Calls before this instant are only remembered.
    since: Timestamp,
    /// Who called, by credential.
    identities: HashMap<KeyId, (AgentId, Option<Identity>)>,
    counts: BTreeMap<(Verdict, Verdict), u64>,
    report: Report,
}

/// One of the two sets, and what it would remember.
#[derive(Debug)]
struct Side<'c> {
    configuration: &'c Configuration,
    /// None where no rule asks.
    ledger: Option<Ledger>,
}

impl Recorded {
    /// The call that an invocation was made for.
    pub fn of(invocation: &Invocation) -> Self {
        let proposal = &invocation.proposal;
        let claimed = proposal.resource.as_ref().filter(|known| !known.derived);
        let call = Call {
            env: proposal.env.clone(),
            workflow: proposal.workflow.clone(),
            resource: claimed.map(|resource| resource.name.clone()),
            // As it was remembered: a name that split nothing then splits nothing now.
            session: proposal
                .session
                .clone()
                .filter(|_| proposal.session_trusted),
            trigger: proposal.trigger.clone(),
            allow_duplicate: proposal.allow_duplicate,
            user_request: proposal.user_request.clone(),
            mode: Mode::Simulate,
            ..Call::new(proposal.tool.clone(), proposal.arguments.clone())
        };
        let lacks = if !proposal.arguments.is_object() {
            Some(Lack::ArgumentsErased)
        } else if !proposal.decision.sanitized.is_empty() {
            Some(Lack::Sanitized)
        } else {
            None
        };
        Self {
            at: invocation.created_at,
            call,
            lacks,
            event: Event::of(invocation, session_of(proposal), Vec::new()),
            proposal: proposal.clone(),
        }
    }

    /// When it was made.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl<'c> Backtest<'c> {
    /// A backtest of calls from `since` on. Earlier ones may be given too: they are remembered for
    /// the rules that ask for history, and counted nowhere.
    pub fn new(present: &'c Configuration, candidate: &'c Configuration, since: Timestamp) -> Self {
        let version = |of: &Configuration| of.policies.as_ref().map(|set| set.version());
        Self {
            report: Report {
                present: version(present),
                candidate: version(candidate),
                ..Report::default()
            },
            present: Side::new(present),
            candidate: Side::new(candidate),
            since,
            identities: HashMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Says that nothing before this instant is known: windows that reach further back are unknown.
    pub fn know_from(&mut self, at: Timestamp) {
        for side in [&mut self.present, &mut self.candidate] {
            if let Some(ledger) = &mut side.ledger {
                ledger.know_from(at);
            }
        }
    }

    /// Decides one more call under both sets.
    pub fn replay(&mut self, recorded: &Recorded) {
        let counted = recorded.at >= self.since;
        if counted {
            self.report.calls += 1;
            self.report.first_at.get_or_insert(recorded.at);
            self.report.last_at = Some(recorded.at);
        }
        match self.decided(recorded) {
            Ok((present, candidate)) => {
                if counted {
                    self.count(recorded, (&present, &candidate));
                }
                self.present.remember(recorded, Some(&present));
                self.candidate.remember(recorded, Some(&candidate));
            }
            Err(lack) => {
                if counted {
                    *self.report.not_replayed.entry(lack).or_default() += 1;
                }
                self.present.remember(recorded, None);
                self.candidate.remember(recorded, None);
            }
        }
    }

    /// What was found.
    pub fn report(mut self) -> Report {
        let cell = |((present, candidate), calls)| Cell {
            present,
            candidate,
            calls,
        };
        self.report.matrix = self.counts.into_iter().map(cell).collect();
        let report = &mut self.report;
        let span = report.first_at.zip(report.last_at);
        let millis = span.map_or(0, |(first, last)| last.since(first).as_millis());
        let days = (millis as f64 / DAY_MILLIS).max(1.0);
        let added = report.approvals_candidate as f64 - report.approvals_present as f64;
        report.approvals_added_a_day = (added / days * 100.0).round() / 100.0;
        self.report
    }

    /// What both sets say.
    fn decided(&mut self, recorded: &Recorded) -> Result<(Decision, Decision), Lack> {
        if let Some(lack) = recorded.lacks {
            return Err(lack);
        }
        if self
            .present
            .configuration
            .catalogue
            .get(&recorded.call.tool)
            .is_none()
        {
            return Err(Lack::ToolGone);
        }
        let identity = self.identity(recorded).ok_or(Lack::AgentGone)?;
        let present = self.present.decide(recorded, &identity);
        let candidate = self.candidate.decide(recorded, &identity);
        let rules = present.rules.iter().chain(&candidate.rules);
        if rules.into_iter().any(lacks_live_facts) {
            return Err(Lack::LiveFacts);
        }
        Ok((present, candidate))
    }

    /// The agent as it is now, with the credential that it used then, whatever became of that.
    fn identity(&mut self, recorded: &Recorded) -> Option<Identity> {
        let key = &recorded.proposal.key;
        let caller = &recorded.proposal.agent;
        let known = self.identities.get(key);
        if let Some((_, known)) = known.filter(|(agent, _)| agent == caller) {
            return known.clone();
        }
        let configuration = self.present.configuration;
        let agent = configuration.agent(caller);
        let identity = agent.map(|agent| match configuration.credential(key) {
            None => unscoped(agent, recorded.at),
            Some(credential) => Identity {
                agent: agent.clone(),
                credential: credential.clone(),
                user: None,
            },
        });
        let found = (caller.clone(), identity.clone());
        self.identities.insert(key.clone(), found);
        identity
    }

    fn count(&mut self, recorded: &Recorded, (present, candidate): (&Decision, &Decision)) {
        let (before, after) = (present.verdict, candidate.verdict);
        let cell = self.counts.entry((before, after)).or_default();
        *cell += 1;
        let seen = usize::try_from(*cell).unwrap_or(usize::MAX);
        let report = &mut self.report;
        report.replayed += 1;
        report.moved_since += u64::from(before != recorded.proposal.decision.verdict);
        report.approvals_present += u64::from(before == Verdict::RequireApproval);
        report.approvals_candidate += u64::from(after == Verdict::RequireApproval);
        if before == after {
            return;
        }
        report.changed += 1;
        if seen <= EXAMPLES_MAX {
            let example = self.example(recorded, (present, candidate));
            self.report.examples.extend(example);
        }
    }

    fn example(
        &mut self,
        recorded: &Recorded,
        (present, candidate): (&Decision, &Decision),
    ) -> Option<Example> {
        let identity = self.identity(recorded)?;
        Some(Example {
            invocation: recorded.event.invocation.clone(),
            at: recorded.at,
            agent: recorded.proposal.agent.clone(),
            tool: recorded.call.tool.clone(),
            arguments: recorded.call.arguments.clone(),
            present: self.present.answer((recorded, &identity), present),
            candidate: self.candidate.answer((recorded, &identity), candidate),
        })
    }
}

/// Milliseconds of a day.
const DAY_MILLIS: f64 = 86_400_000.0;

/// Whether a rule could not be judged because nobody looked.
fn lacks_live_facts(rule: &MatchedRule) -> bool {
    let live = |name: &String| name.starts_with("entity") || name == "trigger.confirmed";
    rule.truth == Truth::Unknown && rule.unknown.iter().any(live)
}

impl<'c> Side<'c> {
    fn new(configuration: &'c Configuration) -> Self {
        let set = configuration.policies.as_ref();
        let ledger = set.filter(|set| set.reads_history()).map(|set| {
            let usual = configuration.settings.history;
            Ledger::new(LedgerLimits {
                span: usual.span.max(set.window_max()),
                ..usual
            })
        });
        Self {
            configuration,
            ledger,
        }
    }

    fn question<'q>(&'q self, recorded: &'q Recorded, unread: &'q Evidence) -> Question<'q> {
        let question = Question::from((&recorded.call, unread));
        match &self.ledger {
            Some(ledger) => question.knowing(ledger),
            None => question,
        }
    }

    fn decide(&self, recorded: &Recorded, identity: &Identity) -> Decision {
        let unread = Evidence::default();
        let question = self.question(recorded, &unread);
        // The clearance that may come with it is dropped: looking back admits nothing.
        let (judged, _) = decide(self.configuration, identity, question, recorded.at);
        judged.decision
    }

    fn answer(&self, (recorded, identity): (&Recorded, &Identity), decision: &Decision) -> Answer {
        let unread = Evidence::default();
        let question = self.question(recorded, &unread);
        let explained = explain(self.configuration, identity, question, recorded.at);
        let rules = explained.map_or_else(|_| Vec::new(), |(_, explanation)| explanation.rules);
        let denial = decision.denial.as_ref();
        Answer {
            verdict: decision.verdict,
            code: denial.map(|denial| denial.code),
            reason: denial.map(|denial| denial.message.clone()),
            rule: decision.determining.as_ref().map(ToString::to_string),
            rules: rules.into_iter().filter(|rule| rule.matched).collect(),
        }
    }

    /// Remembers the call as this set would have answered it; where that is not known, as it was.
    fn remember(&mut self, recorded: &Recorded, decision: Option<&Decision>) {
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let mut event = recorded.event.clone();
        if let Some(decision) = decision {
            let limits = decision.rules.iter();
            let limits = limits.filter(|rule| rule.effect == "limit" && !rule.monitor);
            event.limits = limits.map(|rule| rule.rule.clone()).collect();
            event.standing = match (decision.verdict, event.standing) {
                (Verdict::Deny, _) => Standing::Refused,
                (_, Standing::Refused) => Standing::Taken,
                (_, standing) => standing,
            };
        }
        event.measures = measures(self.configuration, &recorded.proposal);
        ledger.take(event, recorded.at);
    }
}
