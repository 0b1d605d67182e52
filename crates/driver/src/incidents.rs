//! Incidents: opened by the commit that decided, counted by the next ones, edited by people.
//!
//! A step's entries say which rules wanted an incident; each of them is opened, or counted on, in
//! the very commit that writes the entries. Two calls that want the same one at the same time meet
//! in the store: the second is refused there, reads again, and is counted.
//!
//! Must not know: what the rules are, who is told.

use serde_json::{Value, json};
use toolgate_execution::Invocation;
use toolgate_gate::incident::{
    Incident, IncidentEdit, IncidentFilter, IncidentKey, IncidentState, IncidentWrite, Sighting,
};
use toolgate_gate::port::{Commit, CommitError, Committed, Unavailable};
use toolgate_gate::{Caller, notices};
use toolgate_model::{Code, IncidentId, Permission, Risk};
use toolgate_record::{Actor, Entry};

use crate::driver::Driver;
use crate::entries;
use crate::outcome::Failed;
use crate::people::{actor, fits, require, tenant};

/// How often a commit is made again because somebody opened or closed the same incident.
// LIMIT: eight; each lost round means that another call or a person got on with it.
const ROUNDS_MAX: usize = 8;

impl Driver {
    /// Commits, with the incidents that the entries about this call ask for.
    pub(crate) async fn commit_noticed(
        &self,
        commit: Commit,
        invocation: &Invocation,
    ) -> Result<Committed, CommitError> {
        let keys = wanted(&commit.entries, invocation);
        if keys.is_empty() {
            return self.ports.store.commit(commit).await;
        }
        for _ in 0..ROUNDS_MAX {
            let mut with = commit.clone();
            for key in &keys {
                self.join(key, invocation, &mut with).await?;
            }
            match self.ports.store.commit(with).await {
                Err(CommitError::IncidentMoved) => {}
                made => return made,
            }
        }
        Err(CommitError::IncidentMoved)
    }

    /// Adds to the commit what this match means for the incident of its rule and agent.
    async fn join(
        &self,
        key: &IncidentKey,
        invocation: &Invocation,
        commit: &mut Commit,
    ) -> Result<(), Unavailable> {
        let filter = IncidentFilter {
            open_under: Some(key.clone()),
            limit: 1,
            ..IncidentFilter::default()
        };
        let open = self.ports.store.incidents(filter).await?.pop();
        let sighting = Sighting {
            invocation: invocation.id.clone(),
            at: self.now(),
        };
        let id = match open {
            Some(open) => {
                let id = open.id;
                commit
                    .incidents
                    .push(IncidentWrite::Collect(id.clone(), sighting));
                id
            }
            None => {
                let incident = self.fresh(key, invocation, sighting)?;
                let id = incident.id.clone();
                let entry = self.opening(&incident)?;
                commit.entries.push(entry);
                commit
                    .incidents
                    .push(IncidentWrite::Open(Box::new(incident)));
                id
            }
        };
        note(&mut commit.entries, &id);
        Ok(())
    }

    fn fresh(
        &self,
        key: &IncidentKey,
        invocation: &Invocation,
        sighting: Sighting,
    ) -> Result<Incident, Unavailable> {
        let proposal = &invocation.proposal;
        Ok(Incident {
            id: IncidentId::mint(self.now(), self.random()?),
            tenant: key.tenant.clone(),
            state: IncidentState::Open,
            // A tool that nobody rated is as bad as it can be.
            severity: proposal.decision.risk.unwrap_or(Risk::Critical),
            rule: key.rule.clone(),
            agent: key.agent.clone(),
            tool: proposal.tool.clone(),
            first: sighting.clone(),
            last: sighting,
            count: 1,
            note: None,
            changed_by: None,
            changed_at: None,
            revision: 0,
        })
    }

    fn opening(&self, incident: &Incident) -> Result<Entry, Unavailable> {
        let data = json!({
            "incident": incident.id,
            "severity": incident.severity,
            "policy": incident.rule.policy,
            "rule": incident.rule.rule,
            "agent": incident.agent,
            "tool": incident.tool,
        });
        let stamp = (self.record_id()?, self.now());
        let tenant = &incident.tenant;
        let entry = entries::of_change(stamp, "incident.opened", tenant, &Actor::Gate, data);
        let invocation = Some(incident.first.invocation.clone());
        Ok(Entry {
            invocation,
            ..entry
        })
    }

    /// Lists incidents of the caller's tenant.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not look.
    pub async fn incidents(
        &self,
        caller: &Caller,
        filter: IncidentFilter,
    ) -> Result<Vec<Incident>, Failed> {
        require(caller, Permission::View)?;
        let tenant = Some(tenant(caller).clone());
        let filter = IncidentFilter { tenant, ..filter };
        Ok(self.ports.store.incidents(filter).await?)
    }

    /// One incident of the caller's tenant.
    ///
    /// # Errors
    /// [`Failed::NotFound`] also where it is another tenant's.
    pub async fn incident(&self, caller: &Caller, id: &IncidentId) -> Result<Incident, Failed> {
        let filter = IncidentFilter {
            id: Some(id.clone()),
            limit: 1,
            ..IncidentFilter::default()
        };
        let found = self.incidents(caller, filter).await?.pop();
        found.ok_or_else(|| Failed::not_found("incident", id))
    }

    /// Changes an incident that the caller has seen at this revision.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, it is closed, or it moved on.
    pub async fn edit_incident(
        &self,
        caller: &Caller,
        id: &IncidentId,
        (expected, edit): (u64, IncidentEdit),
    ) -> Result<Incident, Failed> {
        require(caller, Permission::Approve)?;
        fits("note", edit.note.as_deref().unwrap_or_default())?;
        let before = self.incident(caller, id).await?;
        if !before.is_open() {
            return Err(conflict(format!("`{id}` is closed, and stays so")));
        }
        let by = actor(caller);
        let entry = self.edition(&before, &edit, &by)?;
        let write = IncidentWrite::Edit {
            id: id.clone(),
            expected,
            edit,
            by: crate::policies::author(&by),
            at: self.now(),
        };
        let commit = Commit {
            incidents: vec![write],
            entries: vec![entry],
            ..Commit::default()
        };
        match self.ports.store.commit(commit).await {
            Ok(_) => self.incident(caller, id).await,
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
            Err(error) => Err(conflict(format!("{error}: look again and repeat"))),
        }
    }

    fn edition(
        &self,
        before: &Incident,
        edit: &IncidentEdit,
        by: &Actor,
    ) -> Result<Entry, Unavailable> {
        let kind = match edit.state {
            Some(IncidentState::Closed) => "incident.closed",
            Some(IncidentState::Open | IncidentState::Investigating) | None => "incident.updated",
        };
        let data = json!({
            "incident": before.id,
            "state": edit.state.unwrap_or(before.state),
            "severity": edit.severity.unwrap_or(before.severity),
            "note": edit.note,
            "count": before.count,
        });
        let stamp = (self.record_id()?, self.now());
        Ok(entries::of_change(stamp, kind, &before.tenant, by, data))
    }
}

/// Under which keys the entries about this call want an incident, each once.
fn wanted(entries: &[Entry], invocation: &Invocation) -> Vec<IncidentKey> {
    let proposal = &invocation.proposal;
    let mut keys: Vec<_> = entries
        .iter()
        .flat_map(notices)
        .filter(|notice| notice.incident)
        .map(|notice| IncidentKey {
            tenant: proposal.tenant.clone(),
            rule: notice.rule,
            agent: proposal.agent.clone(),
        })
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The entries that say what was noticed also say in which incident it is counted.
fn note(entries: &mut [Entry], id: &IncidentId) {
    let noticing = |entry: &&mut Entry| notices(entry).iter().any(|notice| notice.incident);
    for entry in entries.iter_mut().filter(noticing) {
        let list = entry
            .data
            .entry("incidents")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            list.push(json!(id));
        }
    }
}

fn conflict(message: String) -> Failed {
    Failed::Conflict {
        code: Code::WrongState,
        message,
    }
}
