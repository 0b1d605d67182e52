//! What the store in memory holds, and each operation on it.
//!
//! Everything is read by walking it: plain enough to be right at a glance, which is what a store
//! is for that others are compared with.
//!
//! Must not know: locks, clocks, signing keys.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use toolgate_execution::{Invocation, Status};
use toolgate_gate::incident::{Incident, IncidentFilter, IncidentKey, IncidentWrite};
use toolgate_gate::pin::ToolPin;
use toolgate_gate::port::{
    Change, Claim, ClaimKey, Commit, CommitError, Committed, InvocationFilter, InvocationWrite,
    PolicyDocument, PolicyDraft, Publication, RecordFilter, Stamp, Stored, Unavailable,
};
use toolgate_model::{
    Agent, AgentId, ApprovalId, Credential, Digest, Epoch, IncidentId, InvocationId, KeyId,
    Operator, RecordId, TenantId, Timestamp, ToolId,
};
use toolgate_record::Record;

use crate::facts;
use crate::failure::{listed, sound};
use crate::guard::{self, Holder, Standing, Stop};
use crate::log::{Log, Notary, Row};

/// All of it.
#[derive(Default)]
pub(super) struct World {
    epoch: Epoch,
    agents: BTreeMap<(TenantId, AgentId), Agent>,
    operators: BTreeMap<(TenantId, AgentId), Operator>,
    credentials: BTreeMap<KeyId, Credential>,
    uses: BTreeMap<KeyId, Timestamp>,
    drafts: Vec<PolicyDraft>,
    pins: BTreeMap<ToolId, ToolPin>,
    incidents: BTreeMap<IncidentId, Incident>,
    invocations: BTreeMap<InvocationId, Invocation>,
    approvals: BTreeMap<ApprovalId, InvocationId>,
    claims: BTreeMap<ClaimKey, (InvocationId, Claim)>,
    log: Log,
    rows: Vec<Row>,
    places: BTreeMap<RecordId, usize>,
    notes: Vec<(u64, String)>,
}

impl World {
    pub(super) fn commit(
        &mut self,
        commit: Commit,
        now: Timestamp,
    ) -> Result<Committed, CommitError> {
        match guard::check(self, &commit, now) {
            Ok(()) => {}
            Err(Stop::Refused(refusal)) => return Err(refusal),
            Err(Stop::Broken(never)) => match never {},
        }
        let mut log = self.log.clone();
        let rows = log.extend(&commit.entries)?;
        // INVARIANT: nothing was changed up to here, and nothing fails from here on.
        self.log = log;
        let records = rows.iter().map(|row| row.record.clone()).collect();
        for row in rows {
            self.places.insert(row.id.clone(), self.rows.len());
            self.rows.push(row);
        }
        if let Some(write) = commit.invocation {
            self.keep(write, commit.claim);
        }
        self.change(commit.changes);
        self.write_incidents(&commit.incidents);
        Ok(Committed {
            epoch: self.epoch,
            records,
        })
    }

    fn keep(&mut self, write: InvocationWrite, claim: Option<Claim>) {
        let next = write.next;
        if let Some(approval) = facts::approval(&next.state) {
            self.approvals
                .entry(approval.clone())
                .or_insert_with(|| next.id.clone());
        }
        if let Some(claim) = claim {
            self.claims
                .insert(claim.key.clone(), (next.id.clone(), claim));
        }
        self.invocations.insert(next.id.clone(), next);
    }

    fn change(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.epoch = Epoch(self.epoch.0 + 1);
        }
        for change in changes {
            match change {
                Change::Agent(agent) => {
                    let key = (agent.tenant.clone(), agent.id.clone());
                    self.agents.insert(key, agent);
                }
                Change::Operator(operator) => {
                    let key = (operator.tenant.clone(), operator.id.clone());
                    self.operators.insert(key, operator);
                }
                Change::Credential(credential) => {
                    self.credentials.insert(credential.id.clone(), credential);
                }
                Change::PolicyDraft(draft) => self.draft(draft),
                Change::PolicySet(publication) => self.put_in_force(&publication),
                Change::PolicyRequest(name, number, stamp) => self.request((&name, number), &stamp),
                Change::ToolPin(pin) => {
                    self.pins.insert(pin.tool.clone(), pin);
                }
            }
        }
    }

    fn write_incidents(&mut self, writes: &[IncidentWrite]) {
        for write in writes {
            let now = self.incidents.get(write.id());
            if let Some(next) = Incident::after(now, write) {
                self.incidents.insert(next.id.clone(), next);
            }
        }
    }

    fn draft(&mut self, draft: PolicyDraft) {
        let number = self.versions(&draft.name) + 1;
        self.drafts.push(PolicyDraft {
            number,
            active: false,
            activated: None,
            requested: None,
            ..draft
        });
    }

    fn put_in_force(&mut self, publication: &Publication) {
        let mut settled = BTreeSet::new();
        for draft in &mut self.drafts {
            let before = draft.active;
            draft.active = publication
                .set
                .iter()
                .any(|(name, number)| *name == draft.name && *number == draft.number);
            if draft.active && !before {
                draft.activated = Some(publication.stamp.clone());
                settled.insert(draft.name.clone());
            }
        }
        for draft in &mut self.drafts {
            draft.requested.take_if(|_| settled.contains(&draft.name));
        }
    }

    fn request(&mut self, (name, number): (&str, u32), stamp: &Stamp) {
        for draft in self.drafts.iter_mut().filter(|draft| draft.name == name) {
            draft.requested = (draft.number == number).then(|| stamp.clone());
        }
    }

    fn versions(&self, name: &str) -> u32 {
        self.drafts
            .iter()
            .filter(|draft| draft.name == name)
            .map(|draft| draft.number)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn configuration(&self) -> Stored {
        let mut policies: Vec<_> = self.drafts.iter().filter(|draft| draft.active).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Stored {
            epoch: self.epoch,
            agents: self.agents.values().cloned().collect(),
            operators: self.operators.values().cloned().collect(),
            credentials: self.credentials.values().cloned().collect(),
            policies: policies
                .into_iter()
                .map(|draft| PolicyDocument {
                    name: draft.name.clone(),
                    text: draft.text.clone(),
                })
                .collect(),
            pins: self.pins.values().cloned().map(Arc::new).collect(),
        }
    }

    pub(super) fn incidents(&self, filter: &IncidentFilter) -> Vec<Incident> {
        self.incidents
            .values()
            .rev()
            .filter(|incident| filter.fits(incident))
            .take(filter.limit)
            .cloned()
            .collect()
    }

    pub(super) fn invocation(&self, id: &InvocationId) -> Result<Option<Invocation>, Unavailable> {
        self.invocations.get(id).cloned().map(sound).transpose()
    }

    pub(super) fn by_approval(&self, id: &ApprovalId) -> Result<Option<Invocation>, Unavailable> {
        match self.approvals.get(id) {
            Some(invocation) => self.invocation(invocation),
            None => Ok(None),
        }
    }

    pub(super) fn claimed(&self, key: &ClaimKey, now: Timestamp) -> Option<(InvocationId, Digest)> {
        self.holding(key)
            .filter(|holder| !holder.has_let_go(now))
            .map(|holder| (holder.invocation, holder.fingerprint))
    }

    fn holding(&self, key: &ClaimKey) -> Option<Holder> {
        let (invocation, claim) = self.claims.get(key)?;
        let ended = self
            .invocations
            .get(invocation)
            .is_some_and(|it| it.status().is_terminal());
        Some(Holder {
            invocation: invocation.clone(),
            fingerprint: claim.fingerprint,
            expires_at: claim.expires_at,
            ended,
        })
    }

    pub(super) fn by_fingerprint(
        &self,
        (tenant, agent, fingerprint): (&TenantId, &AgentId, &Digest),
        statuses: &[Status],
    ) -> Result<Option<Invocation>, Unavailable> {
        let same = |invocation: &&Invocation| {
            let proposal = &invocation.proposal;
            proposal.tenant == *tenant
                && proposal.agent == *agent
                && proposal.fingerprint == *fingerprint
                && statuses.contains(&invocation.status())
        };
        let newest = self.invocations.values().rev().find(same);
        newest.cloned().map(sound).transpose()
    }

    pub(super) fn invocations(&self, filter: &InvocationFilter) -> Vec<Invocation> {
        self.invocations
            .values()
            .rev()
            .filter(|invocation| facts::fits(filter, invocation))
            .filter_map(|invocation| listed(sound(invocation.clone())))
            .take(filter.limit)
            .collect()
    }

    pub(super) fn unfinished(&self, after: Option<&InvocationId>, limit: usize) -> Vec<Invocation> {
        self.invocations
            .values()
            .filter(|invocation| after.is_none_or(|after| invocation.id > *after))
            .filter(|invocation| !invocation.status().is_terminal())
            .filter_map(|invocation| listed(sound(invocation.clone())))
            .take(limit)
            .collect()
    }

    pub(super) fn records(&self, filter: &RecordFilter) -> Vec<Record> {
        let fitting = self.rows.iter().filter(|row| row.fits(filter));
        let mut found: Vec<_> = if filter.newest {
            fitting.rev().take(filter.limit).collect()
        } else {
            fitting.take(filter.limit).collect()
        };
        if filter.newest {
            found.reverse();
        }
        found.into_iter().map(|row| row.record.clone()).collect()
    }

    pub(super) fn record(&self, id: &RecordId) -> Option<Record> {
        let row = self.rows.get(*self.places.get(id)?)?;
        Some(row.record.clone())
    }

    pub(super) fn drafts(&self, name: Option<&str>) -> Vec<PolicyDraft> {
        self.drafts
            .iter()
            .rev()
            .filter(|draft| name.is_none_or(|name| draft.name == name))
            .cloned()
            .collect()
    }

    pub(super) fn touch(&mut self, used: Vec<(KeyId, Timestamp)>) {
        for (key, at) in used {
            let last = self.uses.entry(key).or_insert(at);
            *last = at.max(*last);
        }
    }

    pub(super) fn last_used(&self) -> Vec<(KeyId, Timestamp)> {
        self.uses
            .iter()
            .map(|(key, at)| (key.clone(), *at))
            .collect()
    }

    pub(super) fn checkpoint(&mut self, notary: &Notary) -> Result<String, Unavailable> {
        let size = self.log.size();
        if let Some((_, newest)) = self.notes.last().filter(|(signed, _)| *signed == size) {
            return Ok(newest.clone());
        }
        let note = notary.sign(&self.log)?;
        self.notes.push((size, note.clone()));
        Ok(note)
    }

    pub(super) fn checkpoints(&self, from_size: u64) -> Vec<String> {
        self.notes
            .iter()
            .filter(|(size, _)| *size >= from_size)
            .map(|(_, note)| note.clone())
            .collect()
    }
}

impl Standing for World {
    type Error = Infallible;

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn revision(&self, id: &InvocationId) -> Result<Option<u64>, Infallible> {
        Ok(self.invocations.get(id).map(|it| it.revision))
    }

    fn holder(&self, key: &ClaimKey) -> Result<Option<Holder>, Infallible> {
        Ok(self.holding(key))
    }

    fn drafts(&self, name: &str) -> Result<u32, Infallible> {
        Ok(self.versions(name))
    }

    fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, Infallible> {
        Ok(self.incidents.get(id).cloned())
    }

    fn has_open_incident(&self, key: &IncidentKey) -> Result<bool, Infallible> {
        let open = |incident: &Incident| incident.is_open() && incident.key() == *key;
        Ok(self.incidents.values().any(open))
    }

    fn has_record(&self, id: &RecordId) -> Result<bool, Infallible> {
        Ok(self.places.contains_key(id))
    }
}
