//! A call in doubt, with everything that a person needs to say what happened.
//!
//! What was sent and when, how its answer was lost, what each look found, by which name the effect
//! can be searched for downstream, and which step is safe next. A step that can make a second
//! effect says so: the gate proposes nothing that it could not answer for.
//!
//! Must not know: how a look is made; what follows from one is the machine's to say.

use serde::Serialize;
use serde_json::Value;
use toolgate_execution::{Attempt, Invocation, LossCause, Sighting, State as Stage};
use toolgate_gate::port::RecordFilter;
use toolgate_model::{EffectCheck, KeyPlace, Timestamp, ToolId};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::state::Api;

/// Looks that are shown, the newest ones.
// LIMIT: fifty; a descriptor's `tries` stay far below, and each may be begun anew by a person.
const LOOKS_MAX: usize = 50;

/// The record of a look that did not find the effect.
const LOOKED: &str = "invocation.probed";

/// What is known of a call whose answer is lost.
#[derive(Serialize, ToSchema)]
#[schema(as = Doubt)]
pub(crate) struct DoubtView {
    /// How the answer was lost.
    #[schema(value_type = String)]
    cause: LossCause,
    /// The attempt in doubt.
    attempt: u32,
    /// When it was admitted; it was sent after that.
    #[schema(value_type = String, format = DateTime)]
    sent_at: Timestamp,
    /// When its answer was lost. From then on nothing of it was being sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    lost_at: Option<Timestamp>,
    /// Why the gate cannot settle it by itself; none while it is still looking.
    ground: Option<String>,
    /// How often the gate has looked since it began.
    looks: u32,
    /// What each look found, oldest first.
    sightings: Vec<SightingView>,
    /// When the gate looks next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_look_at: Option<Timestamp>,
    /// How the descriptor lets the effect be looked for.
    probe: Option<ProbeView>,
    /// From when on a look that finds nothing proves that nothing landed; none where the
    /// descriptor names no bound, and then nothing ever does.
    #[schema(value_type = Option<String>, format = DateTime)]
    absence_proves_from: Option<Timestamp>,
    /// The gate's name for this call at the downstream; look for it there.
    search_for: String,
    /// Where the downstream got that name as its idempotency key, if it takes one.
    downstream_key: Option<String>,
    /// What can be done next.
    next: Vec<StepView>,
}

/// One look.
#[derive(Serialize, ToSchema)]
#[schema(as = Sighting)]
struct SightingView {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `not_found`, or `unclear` where it told nothing.
    found: &'static str,
    /// Why it told nothing.
    why: Option<String>,
}

/// How an effect is looked for.
#[derive(Serialize, ToSchema)]
#[schema(as = EffectProbe)]
struct ProbeView {
    /// The tool that reads.
    #[schema(value_type = String)]
    tool: ToolId,
    /// What holds of its answer where the effect is there.
    landed: String,
}

/// One thing that can be done.
#[derive(Serialize, ToSchema)]
#[schema(as = NextStep)]
struct StepView {
    /// `wait`, `reconcile`, `landed`, `not_landed` or `retry`.
    step: &'static str,
    /// Whether it can never make a second effect.
    safe: bool,
    /// What it does, and what to know before.
    why: &'static str,
}

/// What the states of doubt have in common.
struct Doubt<'i> {
    attempt: &'i Attempt,
    cause: LossCause,
    lost_at: Option<Timestamp>,
    looks: u32,
    last: Option<&'i Sighting>,
    next_look_at: Option<Timestamp>,
    ground: Option<&'i str>,
}

impl DoubtView {
    /// What is known of this call, where it is in doubt.
    pub(crate) async fn of(api: &Api, invocation: &Invocation) -> Result<Option<Self>, Problem> {
        let Some(doubt) = Doubt::of(&invocation.state) else {
            return Ok(None);
        };
        let mut sightings = looks(api, invocation).await?;
        if sightings.is_empty() {
            sightings.extend(doubt.last.map(SightingView::from));
        }
        let check = invocation.proposal.effect_check.as_ref();
        let bound = check.and_then(|check| check.lands_within);
        let look = check.and_then(|check| check.look.as_ref());
        Ok(Some(Self {
            cause: doubt.cause,
            attempt: doubt.attempt.number,
            sent_at: doubt.attempt.started_at,
            lost_at: doubt.lost_at,
            ground: doubt.ground.map(str::to_owned),
            looks: doubt.looks,
            sightings,
            next_look_at: doubt.next_look_at,
            probe: look.map(|look| ProbeView {
                tool: look.probe.tool.clone(),
                landed: look.landed.clone(),
            }),
            absence_proves_from: doubt.lost_at.zip(bound).map(|(at, bound)| at.plus(bound)),
            search_for: invocation.id.to_string(),
            downstream_key: check
                .and_then(|check| check.idempotency.as_ref())
                .map(place),
            next: steps(check, doubt.ground.is_some()),
        }))
    }
}

impl<'i> Doubt<'i> {
    const fn of(state: &'i Stage) -> Option<Self> {
        match state {
            Stage::UnknownEffect {
                attempt,
                cause,
                lost_at,
                ..
            } => Some(Self {
                attempt,
                cause: *cause,
                lost_at: *lost_at,
                looks: 0,
                last: None,
                next_look_at: None,
                ground: None,
            }),
            Stage::Reconciling {
                attempt,
                cause,
                lost_at,
                tries,
                last,
                next_look_at,
                ..
            } => Some(Self {
                attempt,
                cause: *cause,
                lost_at: *lost_at,
                looks: *tries,
                last: last.as_ref(),
                next_look_at: *next_look_at,
                ground: None,
            }),
            Stage::NeedsOperator {
                attempt,
                cause,
                lost_at,
                tries,
                last,
                ground,
                ..
            } => Some(Self {
                attempt,
                cause: *cause,
                lost_at: *lost_at,
                looks: *tries,
                last: last.as_ref(),
                next_look_at: None,
                ground: Some(ground.as_str()),
            }),
            Stage::Proposed
            | Stage::Denied { .. }
            | Stage::PendingApproval { .. }
            | Stage::Approved { .. }
            | Stage::Executing { .. }
            | Stage::Succeeded { .. }
            | Stage::Failed { .. }
            | Stage::Rejected { .. }
            | Stage::Expired { .. }
            | Stage::Cancelled { .. } => None,
        }
    }
}

/// What can be done: by waiting, by having the gate look, or by a person's own word.
fn steps(check: Option<&EffectCheck>, waits_for_person: bool) -> Vec<StepView> {
    let mut steps = Vec::new();
    let mut offer = |step, safe, why| steps.push(StepView { step, safe, why });
    if !waits_for_person {
        offer("wait", true, "the gate is finding out by itself");
    }
    if check.is_some_and(|check| check.look.is_some()) {
        offer("reconcile", true, "has the gate look for the effect now");
    }
    if waits_for_person {
        let landed = "say so once you have seen the effect downstream";
        let absent = "say so once you know that it is not there and can no longer come";
        offer("landed", true, landed);
        offer("not_landed", true, absent);
        match check.and_then(|check| check.idempotency.as_ref()) {
            Some(_) => {
                let why = "sends it again under the same key, which the downstream honours";
                offer("retry", true, why);
            }
            None => {
                let why = "sends it again: a second effect, if the first one landed or still does";
                offer("retry", false, why);
            }
        }
    }
    steps
}

fn place(key: &KeyPlace) -> String {
    match key {
        KeyPlace::Header(name) => format!("header {name}"),
        KeyPlace::Argument(name) => format!("argument {name}"),
        KeyPlace::Meta(name) => format!("_meta {name}"),
    }
}

/// The looks that stand on the record, oldest first.
async fn looks(api: &Api, invocation: &Invocation) -> Result<Vec<SightingView>, Problem> {
    let filter = RecordFilter {
        tenant: Some(invocation.proposal.tenant.clone()),
        invocation: Some(invocation.id.clone()),
        kind_prefix: Some(LOOKED.to_owned()),
        limit: LOOKS_MAX,
        newest: true,
        ..RecordFilter::default()
    };
    let records = api.driver.store().records(filter).await?;
    let entries = records.iter().filter_map(|record| record.entry().ok());
    let looks = entries.filter_map(|entry| entry.data.get("look").cloned());
    Ok(looks.filter_map(sighting).collect())
}

fn sighting(look: Value) -> Option<SightingView> {
    let sighting: Sighting = serde_json::from_value(look).ok()?;
    Some(SightingView::from(&sighting))
}

impl From<&Sighting> for SightingView {
    fn from(sighting: &Sighting) -> Self {
        let found = match sighting.unclear {
            Some(_) => "unclear",
            None => "not_found",
        };
        Self {
            at: sighting.at,
            found,
            why: sighting.unclear.clone(),
        }
    }
}
