//! One commit inside the writer's transaction: its guards, then its rows.
//!
//! Many commits share a transaction, so the guards look at the transaction's own state: the second
//! of two commits on one invocation sees what the first one wrote. A refused commit has written
//! nothing, and its neighbours never notice it.
//!
//! Must not know: threads, when the transaction ends.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use toolgate_execution::Status;
use toolgate_gate::incident::{Incident, IncidentKey};
use toolgate_gate::pin::ToolPin;
use toolgate_gate::port::{
    Change, Claim, ClaimKey, Commit, CommitError, Committed, InvocationWrite, PolicyDraft,
    Publication, Stamp,
};
use toolgate_model::{Epoch, IncidentId, InvocationId, KeyId, RecordId, Timestamp};

use crate::facts;
use crate::failure::unavailable;
use crate::guard::{self, Holder, INVOCATION_BYTES_MAX, Standing, Stop};
use crate::log::{Log, Row};
use crate::sqlite::{incidents, text};

/// Where the store stands: what the one row of `head` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    pub(super) log: Log,
}

/// A commit whose invocation is already written out, which is done on the caller's own thread.
pub(super) struct Prepared {
    commit: Commit,
    body: Option<String>,
}

impl Prepared {
    pub(super) fn new(commit: Commit) -> Result<Self, CommitError> {
        let body = match &commit.invocation {
            Some(write) => Some(body(write)?),
            None => None,
        };
        Ok(Self { commit, body })
    }
}

fn body(write: &InvocationWrite) -> Result<String, CommitError> {
    let id = &write.next.id;
    let body = serde_json::to_string(&write.next)
        .map_err(|error| unavailable(format!("the invocation `{id}` cannot be stored: {error}")))?;
    if body.len() > INVOCATION_BYTES_MAX {
        let bytes = body.len();
        return Err(unavailable(format!(
            "the invocation `{id}` has {bytes} bytes, more than the {INVOCATION_BYTES_MAX} allowed"
        ))
        .into());
    }
    Ok(body)
}

/// Makes one commit in the open transaction of `connection`, moving `head` along; or refuses it,
/// leaving both as they were. An error means that the transaction is lost.
pub(super) fn apply(
    connection: &Connection,
    head: &mut Head,
    prepared: &Prepared,
    now: Timestamp,
) -> rusqlite::Result<Result<Committed, CommitError>> {
    let Prepared { commit, body } = prepared;
    let standing = Transaction {
        connection,
        epoch: head.epoch,
    };
    match guard::check(&standing, commit, now) {
        Ok(()) => {}
        Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
        Err(Stop::Broken(error)) => return Err(error),
    }
    let mut log = head.log.clone();
    let rows = match log.extend(&commit.entries) {
        Ok(rows) => rows,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // INVARIANT: nothing was written up to here, and nothing is refused from here on.
    if let (Some(write), Some(body)) = (&commit.invocation, body) {
        keep(connection, write, body)?;
        if let Some(claim) = &commit.claim {
            keep_claim(connection, claim, &write.next.id)?;
        }
    }
    for change in &commit.changes {
        make_change(connection, change)?;
    }
    for write in &commit.incidents {
        incidents::write(connection, write)?;
    }
    for row in &rows {
        append(connection, row)?;
    }
    head.log = log;
    if !commit.changes.is_empty() {
        head.epoch = Epoch(head.epoch.0 + 1);
    }
    Ok(Ok(Committed {
        epoch: head.epoch,
        records: rows.into_iter().map(|row| row.record).collect(),
    }))
}

/// Writes where the store stands after all that.
pub(super) fn save(connection: &Connection, head: &Head) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO head (one, epoch, size, frontier, root)
             VALUES (1, ?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            head.epoch.0.cast_signed(),
            head.log.size().cast_signed(),
            head.log.to_bytes(),
            head.log.root().as_bytes(),
        ])
        .map(drop)
}

/// Notes when credentials were last used; an older note never replaces a newer one.
pub(super) fn touch(connection: &Connection, used: &[(KeyId, Timestamp)]) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO credential_uses (id, at) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET at = max(at, excluded.at)",
    )?;
    for (key, at) in used {
        upsert.execute(params![key.as_str(), at.as_millis()])?;
    }
    Ok(())
}

fn keep(connection: &Connection, write: &InvocationWrite, body: &str) -> rusqlite::Result<()> {
    match write.expected {
        None => insert(connection, write, body)?,
        Some(expected) => replace(connection, write, expected, body)?,
    }
    match facts::approval(&write.next.state) {
        // The first owner of a request stays its owner.
        Some(approval) => connection
            .prepare_cached(
                "INSERT INTO approvals (id, invocation) VALUES (?1, ?2)
                 ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![approval.as_str(), write.next.id.as_str()])
            .map(drop),
        None => Ok(()),
    }
}

fn insert(connection: &Connection, write: &InvocationWrite, body: &str) -> rusqlite::Result<()> {
    let next = &write.next;
    let proposal = &next.proposal;
    connection
        .prepare_cached(
            "INSERT INTO invocations
                (id, tenant, agent, tool, status, correlation, fingerprint, revision, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            next.id.as_str(),
            proposal.tenant.as_str(),
            proposal.agent.as_str(),
            proposal.tool.as_str(),
            next.status().as_str(),
            proposal.correlation,
            proposal.fingerprint.as_bytes(),
            next.revision.cast_signed(),
            body,
        ])
        .map(drop)
}

fn replace(
    connection: &Connection,
    write: &InvocationWrite,
    expected: u64,
    body: &str,
) -> rusqlite::Result<()> {
    let next = &write.next;
    let changed = connection
        .prepare_cached(
            "UPDATE invocations SET status = ?1, revision = ?2, body = ?3
             WHERE id = ?4 AND revision = ?5",
        )?
        .execute(params![
            next.status().as_str(),
            next.revision.cast_signed(),
            body,
            next.id.as_str(),
            expected.cast_signed(),
        ])?;
    // INVARIANT: the guard has just seen this revision in this very transaction.
    if changed == 1 {
        Ok(())
    } else {
        Err(rusqlite::Error::StatementChangedRows(changed))
    }
}

fn keep_claim(
    connection: &Connection,
    claim: &Claim,
    invocation: &InvocationId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO claims
                (tenant, agent, tool, key, fingerprint, invocation, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            claim.key.tenant.as_str(),
            claim.key.agent.as_str(),
            claim.key.tool.as_str(),
            claim.key.key,
            claim.fingerprint.as_bytes(),
            invocation.as_str(),
            claim.expires_at.as_millis(),
        ])
        .map(drop)
}

fn make_change(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Agent(agent) => connection.execute(
            "INSERT OR REPLACE INTO agents (tenant, id, body) VALUES (?1, ?2, ?3)",
            params![agent.tenant.as_str(), agent.id.as_str(), json(agent)?],
        ),
        Change::Operator(operator) => connection.execute(
            "INSERT OR REPLACE INTO operators (tenant, id, body) VALUES (?1, ?2, ?3)",
            params![
                operator.tenant.as_str(),
                operator.id.as_str(),
                json(operator)?
            ],
        ),
        Change::Credential(credential) => connection.execute(
            "INSERT OR REPLACE INTO credentials (id, body) VALUES (?1, ?2)",
            params![credential.id.as_str(), json(credential)?],
        ),
        Change::PolicyDraft(draft) => add_draft(connection, draft),
        Change::PolicySet(publication) => put_in_force(connection, publication),
        Change::PolicyRequest(name, number, stamp) => request(connection, (name, *number), stamp),
        Change::ToolPin(pin) => keep_pin(connection, pin),
    }
    .map(drop)
}

fn add_draft(connection: &Connection, draft: &PolicyDraft) -> rusqlite::Result<usize> {
    connection.execute(
        "INSERT INTO policy_drafts
            (name, number, digest, text, author, message, created_at, active)
         SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, 0
         FROM policy_drafts WHERE name = ?1",
        params![
            draft.name,
            draft.digest.as_bytes(),
            draft.text,
            draft.author.as_str(),
            draft.message,
            draft.created_at.as_millis(),
        ],
    )
}

fn put_in_force(connection: &Connection, new: &Publication) -> rusqlite::Result<usize> {
    let Publication { set, stamp } = new;
    // Stamped before anything is taken out of force: what stays in force keeps its stamp.
    let mut stamped = connection.prepare_cached(
        "UPDATE policy_drafts SET activated_by = ?3, activated_at = ?4
         WHERE name = ?1 AND number = ?2 AND active = 0",
    )?;
    let mut settled = connection.prepare_cached(
        "UPDATE policy_drafts SET requested_by = NULL, requested_at = NULL
         WHERE name = ?1 AND requested_at IS NOT NULL",
    )?;
    for (name, number) in set {
        let by = stamp.by.as_str();
        if stamped.execute(params![name, number, by, stamp.at.as_millis()])? > 0 {
            settled.execute([name])?;
        }
    }
    connection.execute("UPDATE policy_drafts SET active = 0 WHERE active = 1", [])?;
    for (name, number) in set {
        connection.execute(
            "UPDATE policy_drafts SET active = 1 WHERE name = ?1 AND number = ?2",
            params![name, number],
        )?;
    }
    Ok(set.len())
}

fn request(
    connection: &Connection,
    (name, number): (&str, u32),
    stamp: &Stamp,
) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE policy_drafts SET requested_by = iif(number = ?2, ?3, NULL),
             requested_at = iif(number = ?2, ?4, NULL)
         WHERE name = ?1",
        params![name, number, stamp.by.as_str(), stamp.at.as_millis()],
    )
}

fn keep_pin(connection: &Connection, pin: &ToolPin) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO tool_pins (tool, body) VALUES (?1, ?2)")?
        .execute(params![pin.tool.as_str(), json(pin)?])
}

fn append(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let text = std::str::from_utf8(&row.record.bytes).map_err(broken)?;
    connection
        .prepare_cached(
            "INSERT INTO records (idx, bytes, leaf, id, at, kind, tenant, invocation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            row.record.index.cast_signed(),
            text,
            row.record.leaf.as_bytes(),
            row.id.as_str(),
            row.at.as_millis(),
            row.kind,
            row.tenant.as_str(),
            row.invocation.as_ref().map(InvocationId::as_str),
        ])
        .map(drop)
}

pub(super) fn json<T: Serialize>(noun: &T) -> rusqlite::Result<String> {
    serde_json::to_string(noun).map_err(broken)
}

/// A noun that cannot be written. None of ours is one, so it is a defect, and stops the writer.
fn broken<E: std::error::Error + Send + Sync + 'static>(error: E) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// The open transaction, as the guards look at it.
struct Transaction<'t> {
    connection: &'t Connection,
    epoch: Epoch,
}

impl Standing for Transaction<'_> {
    type Error = rusqlite::Error;

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn revision(&self, id: &InvocationId) -> rusqlite::Result<Option<u64>> {
        self.connection
            .prepare_cached("SELECT revision FROM invocations WHERE id = ?1")?
            .query_row([id.as_str()], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
            .optional()
    }

    fn holder(&self, key: &ClaimKey) -> rusqlite::Result<Option<Holder>> {
        holder(self.connection, key)
    }

    fn drafts(&self, name: &str) -> rusqlite::Result<u32> {
        self.connection
            .prepare_cached("SELECT coalesce(max(number), 0) FROM policy_drafts WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
    }

    fn incident(&self, id: &IncidentId) -> rusqlite::Result<Option<Incident>> {
        incidents::one(self.connection, id)
    }

    fn has_open_incident(&self, key: &IncidentKey) -> rusqlite::Result<bool> {
        incidents::has_open(self.connection, key)
    }

    fn has_record(&self, id: &RecordId) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM records WHERE id = ?1")?
            .exists([id.as_str()])
    }
}

/// Who holds this key. An invocation that is not there has not ended: its key stays taken.
pub(super) fn holder(connection: &Connection, key: &ClaimKey) -> rusqlite::Result<Option<Holder>> {
    connection
        .prepare_cached(
            "SELECT claims.invocation, claims.fingerprint, claims.expires_at, invocations.status
             FROM claims LEFT JOIN invocations ON invocations.id = claims.invocation
             WHERE claims.tenant = ?1 AND claims.agent = ?2 AND claims.tool = ?3
               AND claims.key = ?4",
        )?
        .query_row(
            params![
                key.tenant.as_str(),
                key.agent.as_str(),
                key.tool.as_str(),
                key.key
            ],
            |row| {
                let status: Option<String> = row.get(3)?;
                let status = status.as_deref().and_then(Status::parse);
                Ok(Holder {
                    invocation: text::parsed(row, 0)?,
                    fingerprint: text::digest(row, 1)?,
                    expires_at: Timestamp::from_millis(row.get(2)?),
                    ended: status.is_some_and(Status::is_terminal),
                })
            },
        )
        .optional()
}
