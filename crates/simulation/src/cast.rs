//! Who and what takes part: the tools with their habits, the people, the policies.
//!
//! The downstream behind each tool treats a repeated request in its own way, and its descriptor
//! says honestly what can be relied on; these are the habits that reconciliation must tell apart
//! (3-execution, 1). The truth about a policy stands here a second time, in one match, so that the
//! judge need not ask the gate what the gate should have said.
//!
//! Must not know: the driver.

use serde_json::json;
use toolgate_model::{
    Backoff, Catalogue, Checks, Descriptor, Duration, Effect, EffectCheck, EffectLook, EntityCheck,
    KeyPlace, Lifecycle, Probe, ResourceTemplate, Risk, RiskScore, Template, ToolId, TriggerCheck,
    Verb, Verdict,
};

/// What a downstream does with the same request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It honours the key and answers again what it answered first.
    Replays,
    /// It honours the key and refuses the second one.
    Refuses,
    /// It writes only over the version that the request names.
    Conditional,
    /// It does it twice.
    Bare,
    /// It only reads.
    Reads,
}

/// One tool of the cast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) tool: &'static str,
    /// What its downstream does.
    pub(crate) habit: Habit,
    /// Whether the effect can be looked for.
    pub(crate) readable: bool,
    /// The descriptor's bound, in seconds.
    pub(crate) lands_within: Option<u32>,
    /// Whether its entity is verified.
    pub(crate) entity: bool,
    /// Whether the event that the agent acts on is.
    pub(crate) trigger: bool,
}

/// The bound that descriptors state, in seconds.
pub(crate) const LANDS_WITHIN: u32 = 90;

/// How late an effect may really land where a bound is stated, in milliseconds.
// LIMIT: the bound less what clocks may be wrong by: an operator's bound is honest only when it
// counts that in, because it is measured by the gate's clocks.
pub(crate) const LATE_BOUNDED_MAX: i64 = 50_000;

/// How late it may land where none is stated, in milliseconds.
pub(crate) const LATE_UNBOUNDED_MAX: i64 = 500_000;

/// Every tool with an effect, then those that read.
pub(crate) const PARTS: [Part; 8] = [
    part("desk.replaying", Habit::Replays, true, None),
    part("desk.refusing", Habit::Refuses, true, Some(LANDS_WITHIN)),
    part("desk.blind", Habit::Replays, false, None),
    part("desk.checked", Habit::Bare, true, Some(LANDS_WITHIN)),
    part("desk.unbounded", Habit::Bare, true, None),
    part(
        "desk.conditional",
        Habit::Conditional,
        true,
        Some(LANDS_WITHIN),
    ),
    part("desk.bare", Habit::Bare, false, None),
    part("desk.find", Habit::Reads, false, None),
];

/// The tool that entities are read with.
pub(crate) const CHARGE: &str = "desk.charge";

/// The tool that events are confirmed with.
pub(crate) const EVENT: &str = "desk.event";

/// The tool that effects are looked for with, which agents may call too.
pub(crate) const FIND: &str = "desk.find";

const fn part(tool: &'static str, habit: Habit, readable: bool, lands_within: Option<u32>) -> Part {
    Part {
        tool,
        habit,
        readable,
        lands_within,
        entity: matches!(habit, Habit::Bare | Habit::Replays),
        trigger: matches!(habit, Habit::Bare) && readable,
    }
}

impl Part {
    /// The part that plays this tool.
    pub(crate) fn of(tool: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.tool == tool)
    }

    /// Whether it may leave a trace.
    pub(crate) fn acts(&self) -> bool {
        self.habit != Habit::Reads
    }

    /// Whether the downstream honours the gate's key.
    pub(crate) fn keyed(&self) -> bool {
        matches!(self.habit, Habit::Replays | Habit::Refuses)
    }

    /// Whether more than one attempt can be harmless without a person's word.
    pub(crate) fn protected(&self) -> bool {
        self.keyed() || (self.readable && self.lands_within.is_some())
    }
}

/// What the operator may change about a tool while calls are under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    /// The tool, by its place, that is disabled.
    pub(crate) disabled: Option<usize>,
    /// How often descriptors were edited.
    pub(crate) edition: u32,
}

/// The catalogue as a node sees it, with this bound, in seconds, where one is stated.
///
/// # Errors
/// Where a name or template of the cast does not parse.
pub(crate) fn catalogue(shelf: Shelf, bound: u32) -> Result<Catalogue, String> {
    let mut all = Vec::new();
    for (place, part) in PARTS.iter().enumerate() {
        let mut descriptor = descriptor(part, (shelf.edition, bound))?;
        if shelf.disabled == Some(place) {
            descriptor.lifecycle = Lifecycle::Disabled;
        }
        all.push(descriptor);
    }
    for tool in [CHARGE, EVENT] {
        let reads = part(tool, Habit::Reads, false, None);
        all.push(descriptor(&reads, (0, bound))?);
    }
    Ok(Catalogue::new(all))
}

fn descriptor(part: &Part, (edition, bound): (u32, u32)) -> Result<Descriptor, String> {
    let (risk, verb, effect) = if part.acts() {
        (Risk::Medium, Verb::Write, Effect::Some)
    } else {
        (Risk::Low, Verb::Read, Effect::None)
    };
    Ok(Descriptor {
        id: tool(part.tool)?,
        version: "1.0.0".to_owned(),
        wire_name: part.tool.replace('.', "__"),
        definition: json!({"name": part.tool, "edition": edition}),
        input_schema: json!({"type": "object", "properties": {
            "amount": {"type": "number"}, "charge": {"type": "string"},
            "customer": {"type": "string"}, "version": {"type": "number"},
            "invocation": {"type": "string"}, "id": {"type": "string"},
        }}),
        category: None,
        method: None,
        verb,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: String::new(),
        resource: Some(ResourceTemplate::parse("customer:{args.customer}")?),
        effect,
        timeout: Duration::from_secs(20),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
        checks: checks(part, bound)?,
        authors: Default::default(),
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    })
}

fn checks(part: &Part, bound: u32) -> Result<Checks, String> {
    if !part.acts() {
        return Ok(Checks::default());
    }
    let look = EffectLook {
        probe: Probe {
            tool: tool(FIND)?,
            arguments: Template::parse(json!({"invocation": "{invocation.id}"}))?,
        },
        landed: "any(result.rows, r, r.invocation == $invocation.id)".to_owned(),
    };
    let effect = EffectCheck {
        idempotency: part
            .keyed()
            .then(|| KeyPlace::Header("Idempotency-Key".to_owned())),
        look: part.readable.then_some(look),
        lands_within: part.lands_within.map(|_| Duration::from_secs(bound)),
        tries: 3,
        backoff: Backoff {
            first: Duration::from_secs(1),
            last: Duration::from_secs(20),
        },
    };
    let bare = !part.keyed() && !part.readable;
    Ok(Checks {
        entity: part.entity.then(entity).transpose()?,
        effect: (!bare).then_some(effect),
        trigger: part.trigger.then(trigger).transpose()?,
        duplicate_window: None,
    })
}

fn entity() -> Result<EntityCheck, String> {
    let customer = Template::parse(json!("{args.customer}"))?;
    Ok(EntityCheck {
        probe: Probe {
            tool: tool(CHARGE)?,
            arguments: Template::parse(json!({"id": "{args.charge}"}))?,
        },
        list: None,
        matches: [("customer".to_owned(), customer)].into(),
        pin: vec!["customer".to_owned(), "amount".to_owned()],
    })
}

fn trigger() -> Result<TriggerCheck, String> {
    let charge = Template::parse(json!("{args.charge}"))?;
    Ok(TriggerCheck {
        probe: Probe {
            tool: tool(EVENT)?,
            arguments: Template::parse(json!({"id": "{trigger.id}"}))?,
        },
        matches: [("charge".to_owned(), charge)].into(),
    })
}

/// A tool's name.
///
/// # Errors
/// Where it is none.
pub(crate) fn tool(name: &str) -> Result<ToolId, String> {
    name.parse().map_err(|error| format!("{error}"))
}

/// A policy that may be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Above 500 a person must approve.
    Open,
    /// Nothing with an effect runs.
    Closed,
    /// As open, and nothing is sent again without a look first.
    Careful,
    /// Two people must approve whatever has an effect.
    Asking,
}

/// The document that all of them are versions of.
pub(crate) const DOCUMENT: &str = "desk";

/// Above this amount the open policy asks.
pub(crate) const ASKS_ABOVE: i64 = 500;

impl Policy {
    /// Every policy.
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::Careful, Self::Closed, Self::Asking];

    /// Its text.
    pub(crate) fn text(self) -> String {
        let acting: Vec<_> = PARTS
            .iter()
            .filter(|part| part.acts())
            .map(|part| part.tool)
            .collect();
        let tools = json!({"tools": acting});
        let big = json!({"rule_id": "big", "match": tools,
            "when": format!("amount > {ASKS_ABOVE}"), "effect": "require_approval"});
        let rules = match self {
            Self::Open => json!([big]),
            Self::Careful => json!([big, {"rule_id": "look", "match": tools, "effect": "allow",
                "obligations": ["reconcile_before_retry"]}]),
            Self::Closed => json!([{"rule_id": "none", "match": tools, "effect": "deny"}]),
            Self::Asking => json!([{"rule_id": "two", "match": tools,
                "effect": "require_approval", "quorum": 2, "approvers": NAMED}]),
        };
        json!({"name": DOCUMENT, "rules": rules}).to_string()
    }

    /// Which policy this text is.
    pub(crate) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.text() == text)
    }

    /// What it says of a call, and how many people it wants.
    pub(crate) fn says(self, part: &Part, amount: i64) -> (Verdict, usize) {
        match self {
            _ if !part.acts() => (Verdict::Allow, 0),
            Self::Open | Self::Careful if amount > ASKS_ABOVE => (Verdict::RequireApproval, 1),
            Self::Open | Self::Careful => (Verdict::Allow, 0),
            Self::Closed => (Verdict::Deny, 0),
            Self::Asking => (Verdict::RequireApproval, 2),
        }
    }
}

/// The agent that calls.
pub(crate) const AGENT: &str = "billing_agent";

/// The person who owns it, and must never approve what it asks for.
pub(crate) const OWNER: &str = "ana@acme.com";

/// Whom the asking policy names.
pub(crate) const NAMED: [&str; 2] = ["bo@acme.com", "cy@acme.com"];

/// Who is asked too where nobody has decided for [`ESCALATES_AFTER`].
pub(crate) const LATER: &str = "di@acme.com";

/// After how long others are asked.
pub(crate) const ESCALATES_AFTER: Duration = Duration::from_secs(15);

/// People who may approve.
pub(crate) const APPROVERS: [&str; 3] = ["bo@acme.com", "cy@acme.com", "di@acme.com"];

#[cfg(test)]
mod tests {
    use super::{LANDS_WITHIN, PARTS, Policy, Shelf, catalogue};
    use toolgate_model::Recovery;

    #[test]
    fn every_descriptor_is_as_honest_as_its_part() {
        let catalogue = catalogue(Shelf::default(), LANDS_WITHIN).unwrap();
        for part in PARTS {
            let recovery = catalogue
                .get(&part.tool.parse().unwrap())
                .unwrap()
                .recovery();
            let expected = match (part.acts(), part.keyed(), part.readable) {
                (false, ..) => Recovery::Read,
                (_, true, _) => Recovery::Idempotent,
                (_, _, true) => Recovery::Checkable,
                _ => Recovery::Irreversible,
            };
            assert_eq!(recovery, expected, "{}", part.tool);
        }
        for policy in Policy::ALL {
            assert_eq!(Policy::of(&policy.text()), Some(policy));
        }
    }
}
