//! Runs cases on the code that decides calls.
//!
//! [`stage`] makes the configuration that they are run against: the documents, the tools, and for
//! every tool that a case calls and nobody has described, one that is assumed to take anything at
//! high risk. A [`Runner`] then decides each call of each case and holds the answer against it.
//!
//! Must not know: files, how an outcome is shown.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use toolgate_model::{
    Agent, AgentId, Call, Catalogue, Decision, Denial, Descriptor, EntityCheck, HttpRequest,
    Identity, Probe, Profile, Recognition, Risk, RuleRef, Span, Template, Timestamp, ToolId,
    Verdict,
};
use toolgate_policy::{Budget, Explanation, Facts, ResultFacts};

use super::expect::{Actual, Difference};
use super::past::with_own_key;
use super::tool::assumed;
use super::written::Case;
use crate::can::unscoped;
use crate::configuration::{Configuration, Settings};
use crate::decide::{Judged, decide, explain, with_facts};
use crate::evidence::{Evidence, Reading};
use crate::inspect::{Inspected, judged as inspect_by, scanned, withheld};
use crate::live::live;
use crate::port::Stored;
use crate::question::Question;

/// What makes a call of a raw request, given the tenant's own domains.
pub type Recognise<'r> =
    &'r (dyn Fn(&HttpRequest, &[String]) -> Result<Recognition, Denial> + Send + Sync + 'r);

/// The configuration that cases are run against.
pub fn stage(
    stored: Stored,
    catalogue: &Arc<Catalogue>,
    settings: Settings,
    cases: &[Case],
) -> Configuration {
    let missing = |tool: &ToolId| catalogue.get(tool).is_none();
    let mut strangers: Vec<Descriptor> = Vec::new();
    for case in cases {
        let called = case.call.tool.iter();
        let tools = called.chain(case.history.iter().map(|past| &past.tool));
        for tool in tools.filter(|tool| missing(tool)) {
            let mut descriptor = assumed(tool.clone(), Risk::High);
            if case.entity.is_some() && case.call.tool.as_ref() == Some(tool) {
                descriptor.checks.entity = looked_up_with(tool);
            }
            strangers.push(descriptor);
        }
    }
    let catalogue = if strangers.is_empty() {
        catalogue.clone()
    } else {
        // Of two with the same name the first stays, and the one with an entity says more.
        strangers.sort_by_key(|tool| tool.checks.entity.is_none());
        let known = catalogue.iter().map(|tool| tool.as_ref().clone());
        Arc::new(Catalogue::new(known.chain(strangers)))
    };
    Configuration::build(stored, catalogue, settings, None)
}

/// A check by which an assumed tool has the entity that its case writes down.
fn looked_up_with(tool: &ToolId) -> Option<EntityCheck> {
    let probe = Probe {
        tool: tool.clone(),
        arguments: Template::parse(json!({})).ok()?,
    };
    Some(EntityCheck {
        probe,
        list: None,
        matches: Default::default(),
        pin: Vec::new(),
    })
}

/// Runs cases against one configuration.
#[derive(Clone, Copy)]
pub struct Runner<'r> {
    /// What they are decided on.
    pub configuration: &'r Configuration,
    /// What makes calls of raw requests.
    pub recognise: Recognise<'r>,
}

/// What one case came to.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// The file or document it stands in.
    pub file: String,
    /// Where in it.
    pub span: Option<Span>,
    /// What came out otherwise than expected; nothing where it passed.
    pub differences: Vec<Difference>,
    /// How the call was decided.
    pub decision: Decision,
    /// The truth of every part of every rule that was looked at; none where no rules could be.
    pub explanation: Option<Explanation>,
    /// The tool that was called.
    pub tool: Option<ToolId>,
    /// Whether the rules about its result were judged, and not those about the call.
    pub on_result: bool,
}

impl Outcome {
    /// Whether everything came out as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// How one call was decided, and what its result came to.
pub(super) struct Answered {
    pub(super) decision: Decision,
    pub(super) explanation: Option<Explanation>,
    arguments: Value,
    result: Option<Value>,
}

impl Runner<'_> {
    /// Runs one case.
    pub fn run(&self, case: &Case) -> Outcome {
        let answered = self.answered(case);
        let actual = Actual {
            decision: &answered.decision,
            arguments: &answered.arguments,
            result: answered.result.as_ref(),
        };
        Outcome {
            name: case.name.clone(),
            file: case.file.clone(),
            span: case.span,
            differences: case.expect.differences(&actual),
            explanation: answered.explanation,
            tool: case.call.tool.clone(),
            on_result: case.result.is_some(),
            decision: answered.decision,
        }
    }

    /// The decision on a case's call (on its result, where it has one), and why.
    pub(super) fn answered(&self, case: &Case) -> Answered {
        let configuration = self.configuration;
        let identity = self.identity(case, None);
        let own_domains = &configuration.settings.own_domains;
        let call = match case.call.call(self.recognise, own_domains) {
            Ok(call) => Call {
                user_request: case.user_request.clone(),
                ..call
            },
            Err(denial) => return unjudged(denial, case),
        };
        let evidence = Evidence {
            entity: case.entity.clone().map_or(Reading::Unread, Reading::Seen),
            trigger: Reading::Unread,
            raw: None,
        };
        let (ledger, approval) = (self.remembered(case), case.approval(case.now));
        let question = Question {
            approval: approval.as_ref(),
            ..Question::from((&call, &evidence)).knowing(&ledger)
        };
        let (judged, _) = decide(configuration, &identity, question, case.now);
        if let Some(result) = &case.result {
            return self.told(result, (&identity, &question, judged), case.now);
        }
        let explained = explain(configuration, &identity, question, case.now);
        Answered {
            explanation: explained.ok().map(|(_, explanation)| explanation),
            arguments: judged.arguments(&call).clone(),
            result: None,
            decision: judged.decision,
        }
    }

    /// What the result rules make of what the tool returned.
    fn told(
        &self,
        result: &Value,
        (identity, question, judged): (&Identity, &Question<'_>, Judged),
        now: Timestamp,
    ) -> Answered {
        let configuration = self.configuration;
        let authors = judged.descriptor.as_ref().map(|tool| tool.authors.clone());
        let data = live(&result.to_string()).unwrap_or_else(|_| result.clone());
        let authors = authors.unwrap_or_default();
        let mut inspected = scanned(configuration, (result, &data), &authors, now);
        let asked = with_facts(configuration, identity, (question, &judged), now, |facts| {
            let set = configuration.policies.as_ref()?;
            let facts = Facts {
                result: Some(ResultFacts {
                    whole: result,
                    data: &data,
                }),
                ..*facts
            };
            let held = inspect_by(set, &facts, result, &mut inspected);
            let explained = set.explain(&facts, Budget::default()).ok();
            Some((held, explained.map(|(_, explanation)| explanation)))
        });
        let (held, explanation) = asked.unwrap_or((Ok(()), None));
        let withheld = held.as_ref().err().map(|denial| withheld(result, denial));
        let seen = withheld.or_else(|| inspected.result.clone());
        let seen = seen.and_then(|text| serde_json::from_str(&text).ok());
        Answered {
            decision: of_result(judged.decision, held, inspected),
            explanation,
            arguments: question.call.arguments.clone(),
            result: Some(seen.unwrap_or_else(|| result.clone())),
        }
    }

    /// Who calls: the agent as it is declared, else one that reaches everything, so that rules and
    /// posture alone decide.
    pub(super) fn identity(&self, case: &Case, other: Option<&AgentId>) -> Identity {
        let call = &case.call;
        let caller = call.agent.clone().unwrap_or_else(AgentId::gate);
        let id = other.cloned().unwrap_or_else(|| caller.clone());
        let declared = self.configuration.agent(&id);
        let base = declared.map_or_else(
            || stranger(id.clone(), case),
            |agent| agent.as_ref().clone(),
        );
        let agent = if id == caller {
            Agent {
                tenant: call.tenant.clone().unwrap_or(base.tenant),
                role: call.role.unwrap_or(base.role),
                runtime: call.runtime.clone().or(base.runtime),
                project: call.project.clone().or(base.project),
                ..base
            }
        } else {
            base
        };
        let user = call.user.clone().map(Arc::new);
        with_own_key(unscoped(&Arc::new(agent), case.now), &id, case.now).acting_for(user)
    }
}

/// An agent that nobody declared: it reaches everything, and is a host whose word is taken for the
/// session and for what the user said, because the case says so.
fn stranger(id: AgentId, case: &Case) -> Agent {
    Agent {
        tenant: case.call.tenant.clone().unwrap_or_default(),
        owner: AgentId::gate(),
        role: Default::default(),
        profile: Profile::Admin,
        runtime: None,
        project: None,
        trusted_host: true,
        suspended: false,
        created_at: case.now,
        id,
    }
}

/// The decision as the rules about the result make it.
fn of_result(decision: Decision, held: Result<(), Denial>, inspected: Inspected) -> Decision {
    let inspection = inspected.inspection;
    let sanitizing = inspection
        .rules
        .iter()
        .find(|rule| rule.effect == "sanitize" && !rule.monitor);
    let (verdict, denial) = match held {
        Err(denial) => (Verdict::Deny, Some(denial)),
        Ok(()) if inspection.sanitized.is_empty() => (Verdict::Allow, None),
        Ok(()) => (Verdict::Sanitize, None),
    };
    let named = denial.as_ref().and_then(named);
    let sanitizing = sanitizing.filter(|_| verdict == Verdict::Sanitize);
    Decision {
        verdict,
        determining: named.or_else(|| sanitizing.map(|rule| rule.rule.clone())),
        denial,
        obligations: Vec::new(),
        approval: None,
        sanitized: inspection.sanitized,
        notices: inspection.notices,
        rules: inspection.rules,
        ..decision
    }
}

fn named(denial: &Denial) -> Option<RuleRef> {
    let text = |key: &str| denial.details.get(key)?.as_str().map(str::to_owned);
    Some(RuleRef {
        policy: text("policy")?,
        rule: text("rule")?,
    })
}

/// A request that is no call at all.
fn unjudged(denial: Denial, case: &Case) -> Answered {
    let decision = Decision {
        verdict: Verdict::Deny,
        denial: Some(denial),
        determining: None,
        rules: Vec::new(),
        obligations: Vec::new(),
        approval: None,
        risk: None,
        risk_score: None,
        sanitized: Vec::new(),
        notices: Vec::new(),
        policy_version: None,
        evaluated_at: case.now,
    };
    Answered {
        decision,
        explanation: None,
        arguments: case.call.arguments(),
        result: None,
    }
}
