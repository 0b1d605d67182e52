//! The order of the gate: one place, before any handler (2-decision, 2).
//!
//! ```text
//! 1 authenticate → 2 catalogue → 3 payload → 4 reach → 5 preconditions → 6 rules → 7 posture
//! ```
//!
//! The first failing step ends it and its code is what the caller gets. [`decide`] is a function
//! of its inputs: the same configuration, identity, call and time give the same answer. A
//! [`Clearance`] comes out only where nothing refused, and it is the only way to run anything.

use std::sync::Arc;

use serde_json::Value;
use toolgate_model::{
    ApprovalTerms, Call, Code, Decision, Denial, Descriptor, Duration, Effect, Filling, Identity,
    Mode, Obligation, Reach, Resource, Runner, Timestamp, Verdict, json, resolves_to_itself,
};
use toolgate_policy::{Budget, Facts, History, Ruling, Sanitize};

use crate::configuration::Configuration;
use crate::evidence::{Established, Evidence, Reading, establish};
use crate::look::{Look, LookError};
use crate::permit::Clearance;
use crate::posture::denial;
use crate::question::{Question, session};
use crate::{payload, reach, sanitize};

/// A call as it was judged: what the caller left open is filled in.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The answer.
    pub decision: Decision,
    /// The tool, if it exists.
    pub descriptor: Option<Arc<Descriptor>>,
    /// The environment in force.
    pub env: Option<String>,
    /// The workflow in force.
    pub workflow: Option<String>,
    /// The resource in force.
    pub resource: Option<Resource>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether the call may leave a trace.
    pub effect: Effect,
    /// What was established live about its entity and its trigger.
    pub established: Established,
    /// The arguments in the form that runs, where that is another one than the caller's.
    pub sanitized: Option<Value>,
}

impl Judged {
    /// The arguments that would run.
    pub fn arguments<'j>(&'j self, call: &'j Call) -> &'j Value {
        self.sanitized.as_ref().unwrap_or(&call.arguments)
    }
}

/// The looks that a call needs before it can be decided.
#[derive(Debug, Default)]
pub struct Looks {
    /// At the thing that it is about.
    pub entity: Option<Result<Look, LookError>>,
    /// At the event that it acts on.
    pub trigger: Option<Result<Look, LookError>>,
}

/// Which looks this call needs. A call that is refused before step 5 needs none: whoever cannot
/// reach a tool cannot make the gate look for them either.
pub fn looks(
    configuration: &Configuration,
    identity: &Identity,
    call: &Call,
    now: Timestamp,
) -> Looks {
    let Some(tool) = configuration.catalogue.get(&call.tool) else {
        return Looks::default();
    };
    if tool.checks.entity.is_none() && tool.checks.trigger.is_none() {
        return Looks::default();
    }
    let mut judged = prepare(configuration, identity, call, now);
    if reachable(configuration, identity, call, &mut judged, now).is_err() {
        return Looks::default();
    }
    let filling = Filling {
        args: &call.arguments,
        trigger: call.trigger.as_ref(),
        invocation: None,
    };
    let look = |probe| Look::of(&configuration.catalogue, probe, &filling);
    let trigger = tool
        .checks
        .trigger
        .as_ref()
        .filter(|_| call.trigger.is_some());
    Looks {
        entity: tool.checks.entity.as_ref().map(|check| look(&check.probe)),
        trigger: trigger.map(|check| look(&check.probe)),
    }
}

/// Decides one call of an agent that was authenticated under this same configuration (step 1 is
/// [`crate::authenticate`], or [`Configuration::standing`] where it is asked again).
///
/// Without the evidence that [`looks`] asks for, the answer is what can be said without looking,
/// and no clearance comes with it.
pub fn decide<'q>(
    configuration: &Configuration,
    identity: &'q Identity,
    question: impl Into<Question<'q>>,
    now: Timestamp,
) -> (Judged, Option<Clearance>) {
    let question = question.into();
    let mut judged = prepare(configuration, identity, question.call, now);
    if let Err(denial) = judge(configuration, identity, &question, &mut judged, now) {
        refuse(&mut judged.decision, denial);
    }
    let clearance = clear(configuration, (question.call, question.evidence), &judged);
    (judged, clearance)
}

/// Names longer than this are not looked at: a resource that nobody could have granted.
// LIMIT: 512 bytes, so that what an argument makes of a resource fits the record.
const RESOURCE_BYTES_MAX: usize = 512;

/// What is known before any question is asked.
fn prepare(
    configuration: &Configuration,
    identity: &Identity,
    call: &Call,
    now: Timestamp,
) -> Judged {
    let scope = &identity.credential.scope;
    let descriptor = descriptor(configuration, call);
    let tool = descriptor.as_deref();
    let decision = Decision {
        verdict: Verdict::Allow,
        denial: None,
        determining: None,
        rules: Vec::new(),
        obligations: Vec::new(),
        approval: None,
        risk: tool.map(|tool| tool.risk),
        risk_score: tool.map(|tool| tool.risk_score),
        sanitized: Vec::new(),
        notices: Vec::new(),
        policy_version: configuration.policies.as_ref().map(|set| set.version()),
        evaluated_at: now,
    };
    Judged {
        decision,
        env: call
            .env
            .clone()
            .or_else(|| scope.fixed_env().map(str::to_owned)),
        workflow: call
            .workflow
            .clone()
            .or_else(|| scope.fixed_workflow().map(str::to_owned)),
        resource: resource(identity, tool, call),
        timeout: tool.map_or(Duration::default(), |tool| tool.timeout),
        effect: tool.map_or(Effect::Some, |tool| tool.effect),
        descriptor,
        established: Established::default(),
        sanitized: None,
    }
}

/// What is known of the tool. A raw request is what its normaliser made of it, also where the
/// catalogue has a tool of that name. What only the gate looks with is nobody's to call.
fn descriptor(configuration: &Configuration, call: &Call) -> Option<Arc<Descriptor>> {
    match &call.recognised {
        Some(known) => Some(Arc::clone(&known.descriptor)),
        None => configuration
            .catalogue
            .get(&call.tool)
            .filter(|tool| tool.runner != Runner::Probe)
            .cloned(),
    }
}

/// The resource that a raw request or the arguments name, else the one that the caller claims. The
/// claim of a trusted host about a tool that hosts run is taken where nothing else could say
/// (2-decision, 1).
fn resource(identity: &Identity, tool: Option<&Descriptor>, call: &Call) -> Option<Resource> {
    let derived = recognised(call)
        .or_else(|| tool?.resource.as_ref()?.fill(&call.arguments))
        .filter(|resource| resource.name.len() <= RESOURCE_BYTES_MAX);
    let silent = call.recognised.is_none()
        && tool.is_some_and(|tool| tool.runner == Runner::Host && tool.resource.is_none());
    let claimed = || {
        call.resource.clone().map(|name| Resource {
            derived: silent && identity.agent.trusted_host && resolves_to_itself(&name),
            name,
        })
    };
    derived.or_else(claimed)
}

/// The resource that a normaliser read from a raw request: as good as one from a template.
fn recognised(call: &Call) -> Option<Resource> {
    let name = call.recognised.as_ref()?.places.get("resource")?.as_str()?;
    Some(Resource {
        name: name.to_owned(),
        derived: true,
    })
}

fn judge(
    configuration: &Configuration,
    identity: &Identity,
    question: &Question<'_>,
    judged: &mut Judged,
    now: Timestamp,
) -> Result<(), Denial> {
    let (call, evidence) = (question.call, question.evidence);
    let tool = reachable(configuration, identity, call, judged, now)?;
    agrees(call, judged)?;
    judged.established = establish(&tool, call, evidence)?;
    let fixed = judged.clone();
    let ruling = with_facts(configuration, identity, (question, &fixed), now, |facts| {
        rule(configuration, facts)
    })?;
    let sanitize = speak(configuration, &tool, ruling, &mut judged.decision);
    owed(&tool, (call, evidence), judged)?;
    if let Some(found) = sanitize {
        sanitize::arguments(configuration, (&tool, call), &found, judged)?;
    }
    sendable(call, judged)
}

/// A raw request that is to be sent can be, in the form in which it was judged.
fn sendable(call: &Call, judged: &Judged) -> Result<(), Denial> {
    let sent = matches!(call.mode, Mode::Execute | Mode::Host);
    match call.raw.as_ref().filter(|_| sent) {
        Some(raw) if raw.request_with(judged.arguments(call)).is_none() => {
            let message = "a rule sanitizes the request, and what it replaces stands in a place \
                           where it cannot be replaced";
            Err(Denial::new(Code::PolicyDenied, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Steps 2 to 4: the tool is there, the arguments fit, and the caller reaches it.
fn reachable(
    configuration: &Configuration,
    identity: &Identity,
    call: &Call,
    judged: &mut Judged,
    now: Timestamp,
) -> Result<Arc<Descriptor>, Denial> {
    unchanged(configuration, call)?;
    let tool = callable(call, judged.descriptor.clone())?;
    match &call.recognised {
        // Its arguments were read from the request itself: they fit, or it was refused.
        Some(known) => known.refusal.clone().map_or(Ok(()), Err)?,
        None => configuration.payloads.check(&tool, &call.arguments)?,
    }
    judged.timeout = payload::timeout(&tool, call.timeout, configuration.settings.timeout_max)?;
    if call.mode == Mode::Host {
        // A host that falls silent is found out no later than its tool allows.
        judged.timeout = judged.timeout.min(tool.timeout);
    }
    let fixed = judged.clone();
    let facts = facts(identity, call, &fixed, now);
    let reach = needed(call, &fixed, &tool);
    reach::check(configuration, identity, &facts, (&tool, &reach))?;
    verifiable(configuration, &tool)?;
    Ok(tool)
}

/// A tool whose own descriptor cannot be kept is not called: what it promises to verify before a
/// call, or to find after a lost answer, would be promised in vain.
fn verifiable(configuration: &Configuration, tool: &Descriptor) -> Result<(), Denial> {
    match configuration.catalogue.faults(&tool.id) {
        [] => Ok(()),
        [first, ..] => {
            let message = format!("`{}` is unavailable: its descriptor's {first}", tool.id);
            Err(Denial::new(Code::GateUnavailable, message))
        }
    }
}

/// What rules want verified must have been. A rule that asks for what the descriptor has no way to
/// find out denies, and says so.
fn owed(
    tool: &Descriptor,
    (call, evidence): (&Call, &Evidence),
    judged: &Judged,
) -> Result<(), Denial> {
    let obliges = |obligation| judged.decision.obligations.contains(&obligation);
    let (entity, trigger) = (&tool.checks.entity, &tool.checks.trigger);
    if obliges(Obligation::VerifyEntity) && entity.is_none() {
        let message = format!(
            "a rule wants the entity verified, and `{}` has no way to",
            tool.id
        );
        return Err(Denial::new(Code::EntityNotFound, message));
    }
    let confirmed = judged.established.trigger_confirmed == Some(true);
    let open = trigger.is_some() && call.trigger.is_some() && evidence.trigger == Reading::Unread;
    if obliges(Obligation::VerifyTrigger) && !confirmed && !open {
        let message = match (&call.trigger, trigger) {
            (None, _) => "a rule wants the event verified, and the call names none".to_owned(),
            (Some(_), None) => {
                format!(
                    "a rule wants the event verified, and `{}` has no way to",
                    tool.id
                )
            }
            (Some(_), Some(_)) => "the event was not confirmed".to_owned(),
        };
        return Err(Denial::new(Code::TriggerUnverified, message));
    }
    Ok(())
}

/// Step 2, before anything else is said about the tool: what people agreed to is what is there.
fn unchanged(configuration: &Configuration, call: &Call) -> Result<(), Denial> {
    // What a normaliser recognised comes from no source that could change it.
    let held = configuration
        .held(&call.tool)
        .filter(|_| call.recognised.is_none());
    held.map_or(Ok(()), |hold| Err(hold.denial(&call.tool)))
}

/// Step 2: does the tool exist, at this version, and may it be called?
fn callable(call: &Call, tool: Option<Arc<Descriptor>>) -> Result<Arc<Descriptor>, Denial> {
    let Some(tool) = tool else {
        let message = format!("there is no tool `{}`", call.tool);
        return Err(Denial::new(Code::ToolNotFound, message));
    };
    if let Some(version) = call
        .version
        .as_ref()
        .filter(|version| **version != tool.version)
    {
        let message = format!(
            "`{}` is at version `{}`, not `{version}`",
            call.tool, tool.version
        );
        return Err(Denial::new(Code::VersionMismatch, message)
            .with("requested", version.as_str())
            .with("available", tool.version.as_str()));
    }
    if !tool.lifecycle.is_callable() {
        return Err(Denial::new(
            Code::ToolDisabled,
            format!("`{}` is disabled", call.tool),
        ));
    }
    if tool.runner == Runner::Host && call.mode == Mode::Execute {
        let message = format!(
            "`{}` runs in its host, not in the gate: propose it with the mode `host`",
            call.tool
        );
        return Err(Denial::new(Code::RunsInHost, message));
    }
    Ok(tool)
}

/// Step 5, as far as the call alone can tell: a claimed resource agrees with the derived one.
fn agrees(call: &Call, judged: &Judged) -> Result<(), Denial> {
    match (&call.resource, &judged.resource) {
        (Some(claimed), Some(resource)) if *claimed != resource.name => {
            let message = "the resource that the call names is not the one its arguments name";
            Err(Denial::new(Code::EntityMismatch, message))
        }
        _ => Ok(()),
    }
}

/// Step 6: the rules. Failing to evaluate is a denial with its own code.
fn rule(configuration: &Configuration, facts: &Facts<'_>) -> Result<Ruling, Denial> {
    let set = configuration.policies.as_ref().ok_or_else(|| {
        Denial::new(
            Code::GateUnavailable,
            "the policy set in force does not load",
        )
    })?;
    if set.is_empty() {
        return Err(Denial::new(
            Code::NoPolicy,
            "no policy is in force, so nothing is decided",
        ));
    }
    set.decide(facts, Budget::default()).map_err(|fault| {
        Denial::new(
            Code::GateUnavailable,
            format!("the rules could not be evaluated: {fault}"),
        )
    })
}

/// Writes down what the rules said and, where none spoke, the posture (step 7). Gives what is to be
/// replaced in the arguments.
fn speak(
    configuration: &Configuration,
    tool: &Descriptor,
    ruling: Ruling,
    decision: &mut Decision,
) -> Option<Sanitize> {
    decision.determining = ruling.determining;
    decision.rules = ruling.rules;
    decision.obligations = ruling.obligations;
    decision.notices = ruling.notices;
    decision.approval = ruling.approval;
    let reason = ruling.reason.unwrap_or_else(|| "a rule matches".to_owned());
    let refusal = match ruling.effect {
        Some(Verdict::Allow | Verdict::Sanitize) => None,
        Some(Verdict::RequireApproval) => Some(Denial::new(Code::ApprovalRequired, reason)),
        Some(Verdict::Deny) => {
            let code = match ruling.is_limited {
                true => Code::RateLimited,
                false => Code::PolicyDenied,
            };
            Some(Denial::new(code, reason))
        }
        None => denial(configuration.settings.posture, tool),
    };
    if let Some(denial) = refusal {
        let denial = match ruling.rule_code {
            Some(code) => denial.with("rule_code", code),
            None => denial,
        };
        let denial = match &decision.determining {
            Some(named) => denial
                .with("policy", named.policy.as_str())
                .with("rule", named.rule.as_str()),
            None => denial,
        };
        refuse(decision, denial);
    }
    ruling
        .sanitize
        .filter(|_| decision.verdict != Verdict::Deny)
}

fn refuse(decision: &mut Decision, denial: Denial) {
    if denial.code == Code::ApprovalRequired {
        decision.verdict = Verdict::RequireApproval;
        decision.approval.get_or_insert_with(ApprovalTerms::default);
    } else {
        decision.verdict = Verdict::Deny;
        decision.approval = None;
        decision.obligations.clear();
    }
    decision.denial = Some(denial);
}

/// The one place that says yes.
fn clear(
    configuration: &Configuration,
    (call, evidence): (&Call, &Evidence),
    judged: &Judged,
) -> Option<Clearance> {
    match judged.decision.verdict {
        Verdict::Allow | Verdict::Sanitize => clearance(configuration, (call, evidence), judged),
        Verdict::RequireApproval | Verdict::Deny => None,
    }
}

/// A clearance for the call as judged; also used by [`crate::thaw`] once people approved.
pub(crate) fn clearance(
    configuration: &Configuration,
    (call, evidence): (&Call, &Evidence),
    judged: &Judged,
) -> Option<Clearance> {
    // INVARIANT: nothing is cleared on evidence that was never gathered.
    judged
        .descriptor
        .as_ref()
        .filter(|tool| evidence.is_complete(tool, call))?;
    Some(Clearance {
        tool: call.tool.clone(),
        arguments: json::digest(judged.arguments(call)),
        policy_version: judged.decision.policy_version?,
        epoch: configuration.epoch,
    })
}

/// Hands `ask` the facts of a call with all that is remembered of earlier ones.
pub(crate) fn with_facts<T>(
    configuration: &Configuration,
    identity: &Identity,
    (question, judged): (&Question<'_>, &Judged),
    now: Timestamp,
    ask: impl FnOnce(&Facts<'_>) -> T,
) -> T {
    let session = session(identity, question.call);
    let resource = judged.resource.as_ref().filter(|known| known.derived);
    let resource = resource.map(|resource| resource.name.as_str());
    let view = question.view(identity, (&session, resource), now);
    ask(&Facts {
        own_domains: &configuration.settings.own_domains,
        history: view.as_ref().map(|view| view as &dyn History),
        approval: question.approval,
        ..facts(identity, question.call, judged, now)
    })
}

fn needed<'c>(call: &'c Call, judged: &'c Judged, tool: &'c Descriptor) -> Reach<'c> {
    Reach {
        tool: call.tool.as_str(),
        route: tool.route.as_ref().map(|route| route.as_str()),
        action: tool.action.as_deref(),
        resource: judged
            .resource
            .as_ref()
            .map(|r| (r.name.as_str(), r.derived)),
        env: judged.env.as_deref(),
        workflow: judged.workflow.as_deref(),
        risk: tool.risk,
    }
}

fn facts<'c>(
    identity: &'c Identity,
    call: &'c Call,
    judged: &'c Judged,
    now: Timestamp,
) -> Facts<'c> {
    let agent = &identity.agent;
    Facts {
        tool: &call.tool,
        descriptor: judged.descriptor.as_deref(),
        args: &call.arguments,
        agent: agent.id.as_str(),
        role: agent.role,
        runtime: agent.runtime.as_deref(),
        tenant: agent.tenant.as_str(),
        project: agent.project.as_deref(),
        env: judged.env.as_deref(),
        workflow: judged.workflow.as_deref(),
        user: identity.user.as_deref(),
        chain: &[],
        resource: judged.resource.as_ref(),
        trigger: call.trigger.as_ref(),
        entity: judged.established.entity.as_ref(),
        trigger_confirmed: judged.established.trigger_confirmed,
        allow_duplicate: call.allow_duplicate,
        places: call.recognised.as_ref().map(|known| &known.places),
        own_domains: &[],
        history: None,
        approval: None,
        result: None,
        now,
    }
}

/// Whether this identity may be shown the tool: it is callable, and some call of it could be
/// reached. What a held tool says of itself now is shown to no model.
pub fn visible(
    configuration: &Configuration,
    identity: &Identity,
    tool: &Arc<Descriptor>,
    now: Timestamp,
) -> bool {
    tool.lifecycle.is_callable()
        && configuration.held(&tool.id).is_none()
        && known(configuration, identity, tool, now)
}

/// Whether this identity may know that the tool exists: some call of it could be reached if it
/// were neither held nor switched off.
pub fn known(
    configuration: &Configuration,
    identity: &Identity,
    tool: &Arc<Descriptor>,
    now: Timestamp,
) -> bool {
    let nothing = Value::Object(serde_json::Map::new());
    opens(configuration, identity, (tool, nothing), now)
}

/// Whether this identity may be shown what these arguments of the tool lead to, such as a resource
/// of its server: the tool is callable, and some call with them could be reached.
pub fn reaches(
    configuration: &Configuration,
    identity: &Identity,
    (tool, arguments): (&Arc<Descriptor>, Value),
    now: Timestamp,
) -> bool {
    tool.lifecycle.is_callable()
        && configuration.held(&tool.id).is_none()
        && opens(configuration, identity, (tool, arguments), now)
}

fn opens(
    configuration: &Configuration,
    identity: &Identity,
    (tool, arguments): (&Arc<Descriptor>, Value),
    now: Timestamp,
) -> bool {
    if tool.runner == Runner::Probe {
        return false;
    }
    let named = arguments.as_object().is_some_and(|all| !all.is_empty());
    let call = Call::new(tool.id.clone(), arguments);
    let judged = prepare(configuration, identity, &call, now);
    let facts = facts(identity, &call, &judged, now);
    let mut reach = needed(&call, &judged, tool);
    if named && tool.resource.is_some() {
        // Arguments that name no resource that a grant could name reach what any grant reaches.
        reach.resource.get_or_insert(("", false));
    }
    reach::visible(configuration, identity, &facts, (tool, &reach))
}

/// The decision again with a recorder: the truth of every part of every candidate rule.
///
/// # Errors
/// A [`Denial`] `gate_unavailable` where the rules could not be evaluated.
pub fn explain<'q>(
    configuration: &Configuration,
    identity: &'q Identity,
    question: impl Into<Question<'q>>,
    now: Timestamp,
) -> Result<(Judged, toolgate_policy::Explanation), Denial> {
    let question = question.into();
    let (judged, _) = decide(configuration, identity, question, now);
    let set = configuration.policies.as_ref().ok_or_else(|| {
        Denial::new(
            Code::GateUnavailable,
            "the policy set in force does not load",
        )
    })?;
    let explained = with_facts(
        configuration,
        identity,
        (&question, &judged),
        now,
        |facts| set.explain(facts, Budget::default()),
    );
    let (_, explanation) = explained.map_err(|fault| {
        Denial::new(
            Code::GateUnavailable,
            format!("the rules could not be evaluated: {fault}"),
        )
    })?;
    Ok((judged, explanation))
}
