//! The ledger as one call's rules see it.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::{AgentId, DataClass, InvocationId, Origin, TenantId, Timestamp, ToolId};
use toolgate_policy::{History, Session, Window};

use super::event::{Event, SessionKey, Standing};
use super::ledger::{BUCKET_MILLIS, CountedFor, Ledger};
use super::session::Remembered;
use super::words::Words;

/// Who asks: the call at hand.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The invocation, where it is in the ledger already: it is never counted for itself.
    pub invocation: Option<&'a InvocationId>,
    /// Its tenant.
    pub tenant: &'a TenantId,
    /// Its agent.
    pub agent: &'a AgentId,
    /// Whom it acts for.
    pub user: Option<&'a AgentId>,
    /// Its session.
    pub session: &'a SessionKey,
    /// Its tool.
    pub tool: &'a ToolId,
    /// What it is about, where the gate itself derived that.
    pub resource: Option<&'a str>,
    /// What the user says with it, where a trusted host passes that on.
    pub user_words: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// The history that one call's rules see.
#[derive(Debug)]
pub struct View<'l> {
    ledger: &'l Ledger,
    asker: Asker<'l>,
    remembered: Option<&'l Remembered>,
    fresh: Session,
}

/// From how many calls in five minutes on an agent can be in a burst at all.
// LIMIT: thirty, six a minute; what is slower than that no person need look at.
const BURST_CALLS_MIN: u32 = 30;

/// How many times its usual pace makes a burst.
const BURST_FACTOR: u64 = 4;

impl<'l> View<'l> {
    pub(super) fn new(ledger: &'l Ledger, asker: Asker<'l>) -> Self {
        Self {
            remembered: ledger.session(asker.session, asker.now),
            ledger,
            asker,
            fresh: Session::default(),
        }
    }

    /// The calls of the window, newest first; `None` where not all of them are known.
    fn calls<'v>(&'v self, of: &'v Window<'_>) -> Option<impl Iterator<Item = &'v Event>> {
        let since = Timestamp::from_millis(self.asker.now.as_millis() - of.span.as_millis());
        let whom = CountedFor::of(of.scope, &self.asker)?;
        if !self.ledger.knows(since) {
            return None;
        }
        let calls: Vec<&Event> = self
            .ledger
            .calls(&whom)
            .rev()
            .take_while(|event| event.at > since)
            .filter(|event| self.asker.invocation != Some(&event.invocation) && fits(event, of))
            .collect();
        Some(calls.into_iter())
    }
}

impl History for View<'_> {
    fn rate(&self, of: &Window<'_>) -> Option<u64> {
        let calls = self.calls(of)?;
        let made = calls.filter(|event| event.counts());
        u64::try_from(made.count()).ok()
    }

    fn sum(&self, subject: &str, of: &Window<'_>) -> Option<Decimal> {
        if !self.ledger.is_measured() {
            return None;
        }
        let mut calls = self.calls(of)?;
        calls.try_fold(Decimal::ZERO, |sum, event| {
            let named = event.measures.iter().find(|(name, _)| name == subject);
            match named.filter(|_| event.standing == Standing::Taken) {
                Some((_, amount)) => sum.checked_add(*amount),
                None => Some(sum),
            }
        })
    }

    fn session(&self) -> Option<&Session> {
        match self.remembered {
            Some(session) => session.facts(),
            None => Some(&self.fresh),
        }
    }

    fn has_read(&self, class: DataClass, of: &Window<'_>) -> Option<bool> {
        let since = Timestamp::from_millis(self.asker.now.as_millis() - of.span.as_millis());
        let whom = CountedFor::of(of.scope, &self.asker)?;
        match self.ledger.last_read(whom, class) {
            Some(at) if at > since => Some(true),
            Some(_) | None => self.ledger.knows(since).then_some(false),
        }
    }

    fn is_new_resource(&self) -> Option<bool> {
        let resource = self.asker.resource?;
        let touched = self
            .ledger
            .has_touched(self.asker.tenant, self.asker.agent, resource);
        Some(!touched)
    }

    fn is_burst(&self) -> Option<bool> {
        let now = self.asker.now.as_millis().div_euclid(BUCKET_MILLIS);
        let Some(buckets) = self.ledger.rhythm(self.asker.tenant, self.asker.agent) else {
            return Some(false);
        };
        // The bucket that is filling and the one before it, so that a burst is not cut in two.
        let recent: u32 = buckets.range(now - 1..).map(|(_, calls)| calls).sum();
        let (mut calls, mut active) = (0_u64, 0_u64);
        for (_, count) in buckets.range(..now - 1) {
            calls += u64::from(*count);
            active += 1;
        }
        let usual = (2 * calls).checked_div(active).unwrap_or_default();
        let floor = u64::from(BURST_CALLS_MIN).max(BURST_FACTOR * usual);
        Some(u64::from(recent) >= floor)
    }

    fn origins(&self, value: &Value) -> Option<BTreeSet<Origin>> {
        let said = self.asker.user_words.map(Words::of_text);
        let mut origins = BTreeSet::new();
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => rest.extend(members.values()),
                leaf if says_nothing(leaf) => {}
                leaf => origins.extend(self.leaf_origins(leaf, said.as_ref())?),
            }
        }
        if origins.is_empty() {
            origins.insert(Origin::None);
        }
        Some(origins)
    }
}

impl View<'_> {
    /// Where one text or number was seen; `None` where what was dropped may
    /// have had it.
    fn leaf_origins(&self, leaf: &Value, said: Option<&Words>) -> Option<BTreeSet<Origin>> {
        let mut origins = BTreeSet::new();
        if said.is_some_and(|words| words.hold(leaf)) {
            origins.insert(Origin::User);
        }
        if let Some(session) = self.remembered {
            origins.extend(session.origins(leaf));
            if origins.is_empty() && session.has_forgotten() {
                return None;
            }
        }
        if origins.is_empty() {
            origins.insert(Origin::None);
        }
        Some(origins)
    }
}

/// A null, a boolean and an empty text come from nowhere, and say nothing either.
fn says_nothing(leaf: &Value) -> bool {
    match leaf {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

impl Event {
    /// Whether it counts as a call that was made or may be.
    fn counts(&self) -> bool {
        matches!(self.standing, Standing::Taken | Standing::Failed)
    }
}

fn fits(event: &Event, of: &Window<'_>) -> bool {
    let tool = of
        .tools
        .is_none_or(|glob| glob.matches(event.tool.as_str()));
    let rule = of.rule.is_none_or(|(policy, rule)| {
        let mut limits = event.limits.iter();
        limits.any(|known| known.policy == policy && known.rule == rule)
    });
    tool && rule
}
