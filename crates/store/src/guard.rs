//! The guards of a commit, checked by every store in the same words and the same order.
//!
//! A store answers seven small questions about itself ([`Standing`]); [`check`] asks them and says
//! whether the commit may be made: the epoch, then the invocation's revision, then the caller's
//! key, then that the changes name drafts that exist, then that the incidents are as they were
//! seen, then that no record stands twice. Nothing
//! is written before all of them hold, so a refused commit leaves nothing.
//!
//! Must not know: SQL, threads, how anything is kept.

use std::collections::{BTreeMap, BTreeSet};

use toolgate_gate::incident::{Incident, IncidentKey, IncidentWrite};
use toolgate_gate::port::{Change, Claim, ClaimKey, Commit, CommitError, InvocationWrite};
use toolgate_model::{Digest, Epoch, IncidentId, InvocationId, RecordId, Timestamp};

use crate::failure::unavailable;

/// Records that one commit may append.
// LIMIT: a transition writes a handful; a policy set of every document writes one for each.
pub(crate) const ENTRIES_MAX: usize = 1_024;

/// Changes of configuration that one commit may make.
// LIMIT: as many as records, since each change is on the record.
pub(crate) const CHANGES_MAX: usize = 1_024;

/// Incidents that one commit may write.
// LIMIT: as many as one entry may carry notices, for the few entries of one step.
pub(crate) const INCIDENTS_MAX: usize = 256;

/// Bytes of one invocation as it is stored.
// LIMIT: arguments are at most 1 MiB and a result 16 MiB; a result that is escaped as a string
// inside JSON may double, and nothing else in an invocation comes near.
pub(crate) const INVOCATION_BYTES_MAX: usize = 48 << 20;

/// What a store knows at the moment of a commit.
pub(crate) trait Standing {
    /// What goes wrong where it looks.
    type Error;

    /// The epoch in force.
    fn epoch(&self) -> Epoch;

    /// The revision of this invocation, if it is there.
    fn revision(&self, id: &InvocationId) -> Result<Option<u64>, Self::Error>;

    /// Who holds this key, if anybody ever did.
    fn holder(&self, key: &ClaimKey) -> Result<Option<Holder>, Self::Error>;

    /// How many versions this policy document has.
    fn drafts(&self, name: &str) -> Result<u32, Self::Error>;

    /// The incident of this id.
    fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, Self::Error>;

    /// Whether an incident is open under this key.
    fn has_open_incident(&self, key: &IncidentKey) -> Result<bool, Self::Error>;

    /// Whether a record of this id is in the log.
    fn has_record(&self, id: &RecordId) -> Result<bool, Self::Error>;
}

/// Who holds a caller's key.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) invocation: InvocationId,
    pub(crate) fingerprint: Digest,
    pub(crate) expires_at: Timestamp,
    /// Whether the invocation has ended for good.
    pub(crate) ended: bool,
}

impl Holder {
    /// Whether the key is free again: its time is over *and* its invocation has ended. A key whose
    /// call may still have its effect is kept forever (3-execution, 2).
    pub(crate) fn has_let_go(&self, now: Timestamp) -> bool {
        self.ended && self.expires_at <= now
    }
}

/// Why a commit is not made.
pub(crate) enum Stop<E> {
    /// It does not fit what is there; nothing else is touched.
    Refused(CommitError),
    /// The store could not look.
    Broken(E),
}

impl<E> From<CommitError> for Stop<E> {
    fn from(refusal: CommitError) -> Self {
        Self::Refused(refusal)
    }
}

/// Checks every guard of `commit` against `standing`.
pub(crate) fn check<S: Standing>(
    standing: &S,
    commit: &Commit,
    now: Timestamp,
) -> Result<(), Stop<S::Error>> {
    size(commit)?;
    epoch(standing.epoch(), commit.epoch)?;
    if let Some(write) = &commit.invocation {
        revision(standing, write)?;
    }
    if let Some(claim) = &commit.claim {
        key(standing, commit, claim, now)?;
    }
    changes(standing, &commit.changes)?;
    incidents(standing, &commit.incidents)?;
    records(standing, commit)
}

fn size(commit: &Commit) -> Result<(), CommitError> {
    let (entries, changes) = (commit.entries.len(), commit.changes.len());
    let incidents = commit.incidents.len();
    if incidents > INCIDENTS_MAX {
        return Err(refused(format!(
            "a commit of {incidents} incidents, more than the {INCIDENTS_MAX} allowed: split it"
        )));
    }
    if entries > ENTRIES_MAX {
        return Err(refused(format!(
            "a commit of {entries} records, more than the {ENTRIES_MAX} allowed: split it"
        )));
    }
    if changes > CHANGES_MAX {
        return Err(refused(format!(
            "a commit of {changes} changes, more than the {CHANGES_MAX} allowed: split it"
        )));
    }
    Ok(())
}

fn epoch(current: Epoch, decided_at: Option<Epoch>) -> Result<(), CommitError> {
    match decided_at {
        Some(epoch) if epoch != current => Err(CommitError::EpochMoved { current }),
        Some(_) | None => Ok(()),
    }
}

fn revision<S: Standing>(standing: &S, write: &InvocationWrite) -> Result<(), Stop<S::Error>> {
    let current = standing.revision(&write.next.id).map_err(Stop::Broken)?;
    match (write.expected, current) {
        (None, None) => Ok(()),
        (None, Some(_)) | (Some(_), None) => Err(CommitError::NoSuchInvocation.into()),
        (Some(expected), Some(current)) if expected != current => {
            Err(CommitError::RevisionMoved { current }.into())
        }
        // INVARIANT: a revision only grows; otherwise two writers who read the same one could
        // both be let in.
        (Some(expected), Some(_)) if write.next.revision <= expected => Err(refused(format!(
            "the invocation `{}` would stay at revision {expected}: step it before it is stored",
            write.next.id
        ))
        .into()),
        (Some(_), Some(_)) => Ok(()),
    }
}

fn key<S: Standing>(
    standing: &S,
    commit: &Commit,
    claim: &Claim,
    now: Timestamp,
) -> Result<(), Stop<S::Error>> {
    if commit.invocation.is_none() {
        let text = "a key is claimed for no invocation: claim it together with the insertion";
        return Err(refused(text.to_owned()).into());
    }
    match standing.holder(&claim.key).map_err(Stop::Broken)? {
        Some(holder) if claim.replaces.as_ref() == Some(&holder.invocation) => Ok(()),
        Some(holder) if !holder.has_let_go(now) => Err(CommitError::KeyTaken {
            invocation: holder.invocation,
            fingerprint: holder.fingerprint,
        }
        .into()),
        Some(_) | None => Ok(()),
    }
}

/// Every version put in force must exist, be it from this very commit, and a document has one
/// version in force: a set that silently lacked a document would lack its denials.
fn changes<S: Standing>(standing: &S, changes: &[Change]) -> Result<(), Stop<S::Error>> {
    let mut added: BTreeMap<&str, u32> = BTreeMap::new();
    for change in changes {
        match change {
            Change::PolicyDraft(draft) => *added.entry(&draft.name).or_default() += 1,
            Change::PolicySet(publication) => policy_set(standing, &added, &publication.set)?,
            Change::PolicyRequest(name, number, _) => version(standing, &added, (name, *number))?,
            Change::Agent(_) | Change::Operator(_) | Change::Credential(_) | Change::ToolPin(_) => {
            }
        }
    }
    Ok(())
}

fn policy_set<S: Standing>(
    standing: &S,
    added: &BTreeMap<&str, u32>,
    set: &[(String, u32)],
) -> Result<(), Stop<S::Error>> {
    let mut names = BTreeSet::new();
    for (name, number) in set {
        if !names.insert(name) {
            return Err(refused(format!(
                "the policy `{name}` stands twice in the set: one version of it can be in force"
            ))
            .into());
        }
        version(standing, added, (name, *number))?;
    }
    Ok(())
}

/// The version exists, be it from this very commit.
fn version<S: Standing>(
    standing: &S,
    added: &BTreeMap<&str, u32>,
    (name, number): (&str, u32),
) -> Result<(), Stop<S::Error>> {
    let stored = standing.drafts(name).map_err(Stop::Broken)?;
    let last = stored + added.get(name).copied().unwrap_or_default();
    if (1..=last).contains(&number) {
        return Ok(());
    }
    Err(refused(format!(
        "the policy `{name}` has no version {number}: it has {last}, so write it first"
    ))
    .into())
}

/// Each write fits the incident that is there, and each key has one that is open at most.
fn incidents<S: Standing>(standing: &S, writes: &[IncidentWrite]) -> Result<(), Stop<S::Error>> {
    let (mut ids, mut opened) = (BTreeSet::new(), BTreeSet::new());
    for write in writes {
        let now = standing.incident(write.id()).map_err(Stop::Broken)?;
        let fits = ids.insert(write.id()) && Incident::after(now.as_ref(), write).is_some();
        let taken = match write {
            IncidentWrite::Open(incident) => {
                let key = incident.key();
                let there = standing.has_open_incident(&key).map_err(Stop::Broken)?;
                there || !opened.insert(key)
            }
            IncidentWrite::Collect(..) | IncidentWrite::Edit { .. } => false,
        };
        if !fits || taken {
            return Err(CommitError::IncidentMoved.into());
        }
    }
    Ok(())
}

fn records<S: Standing>(standing: &S, commit: &Commit) -> Result<(), Stop<S::Error>> {
    let mut ids = BTreeSet::new();
    for entry in &commit.entries {
        let stands = standing.has_record(&entry.id).map_err(Stop::Broken)?;
        if stands || !ids.insert(&entry.id) {
            return Err(refused(format!(
                "the record `{}` is in the log already: mint an id for each",
                entry.id
            ))
            .into());
        }
    }
    Ok(())
}

fn refused(detail: String) -> CommitError {
    CommitError::Unavailable(unavailable(detail))
}
