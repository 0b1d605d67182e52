//! The reads, each one statement or one read transaction on a connection that cannot write.
//!
//! An invocation whose body does not parse, or in which something is broken that always holds, is
//! an error of that one read; lists leave it out, so that one bad row never stops the gate.
//!
//! Must not know: threads, the writer.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};
use toolgate_execution::{Invocation, Status};
use toolgate_gate::port::{
    ClaimKey, InvocationFilter, PolicyDocument, PolicyDraft, RecordFilter, Stamp, Stored,
    Unavailable,
};
use toolgate_model::{
    AgentId, ApprovalId, Digest, Epoch, InvocationId, KeyId, RecordId, TenantId, Timestamp,
};
use toolgate_record::Record;

use crate::failure::{listed, sound, unreadable};
use crate::sqlite::commit;
use crate::sqlite::text;

/// One invocation as it was read: there and sound, not there, or there and unusable.
type Found = Result<Option<Invocation>, Unavailable>;

pub(super) fn configuration(connection: &Connection) -> rusqlite::Result<Stored> {
    // One transaction, so that the epoch is that of all the rest.
    let snapshot = connection.unchecked_transaction()?;
    let epoch = snapshot
        .prepare_cached("SELECT epoch FROM head")?
        .query_row([], |row| row.get::<_, i64>(0))?;
    Ok(Stored {
        epoch: Epoch(epoch.cast_unsigned()),
        agents: bodies(&snapshot, "SELECT body FROM agents ORDER BY tenant, id")?,
        operators: bodies(&snapshot, "SELECT body FROM operators ORDER BY tenant, id")?,
        credentials: bodies(&snapshot, "SELECT body FROM credentials ORDER BY id")?,
        policies: policies(&snapshot)?,
        pins: bodies(&snapshot, "SELECT body FROM tool_pins ORDER BY tool")?
            .into_iter()
            .map(Arc::new)
            .collect(),
    })
}

fn bodies<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    sql: &str,
) -> rusqlite::Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map([], |row| text::json(row, 0))?
        .collect()
}

fn policies(connection: &Connection) -> rusqlite::Result<Vec<PolicyDocument>> {
    connection
        .prepare_cached("SELECT name, text FROM policy_drafts WHERE active = 1 ORDER BY name")?
        .query_map([], |row| {
            Ok(PolicyDocument {
                name: row.get(0)?,
                text: row.get(1)?,
            })
        })?
        .collect()
}

pub(super) fn invocation(connection: &Connection, id: &InvocationId) -> rusqlite::Result<Found> {
    one(
        connection,
        "SELECT id, body FROM invocations WHERE id = ?1",
        params![id.as_str()],
    )
}

pub(super) fn by_approval(connection: &Connection, id: &ApprovalId) -> rusqlite::Result<Found> {
    one(
        connection,
        "SELECT invocations.id, body FROM approvals
         JOIN invocations ON invocations.id = approvals.invocation
         WHERE approvals.id = ?1",
        params![id.as_str()],
    )
}

pub(super) fn by_fingerprint(
    connection: &Connection,
    (tenant, agent, fingerprint): (&TenantId, &AgentId, &Digest),
    statuses: &[Status],
) -> rusqlite::Result<Found> {
    one(
        connection,
        "SELECT id, body FROM invocations
         WHERE tenant = ?1 AND agent = ?2 AND fingerprint = ?3
           AND status IN (SELECT value FROM json_each(?4))
         ORDER BY id DESC LIMIT 1",
        params![
            tenant.as_str(),
            agent.as_str(),
            fingerprint.as_bytes(),
            words(statuses)
        ],
    )
}

fn one(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Found> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(params, decoded)
        .optional()?;
    Ok(found.transpose())
}

/// The invocation in a row of id and body.
fn decoded(row: &Row<'_>) -> rusqlite::Result<Result<Invocation, Unavailable>> {
    let id = row.get_ref(0)?.as_str()?;
    let body = row.get_ref(1)?.as_str()?;
    Ok(match serde_json::from_str::<Invocation>(body) {
        // A body under another's id would let one call's approval run another call.
        Ok(invocation) if invocation.id.as_str() != id => {
            Err(unreadable(id, &"its body is that of another one"))
        }
        Ok(invocation) => sound(invocation),
        Err(error) => Err(unreadable(id, &error)),
    })
}

pub(super) fn claimed(
    connection: &Connection,
    key: &ClaimKey,
    now: Timestamp,
) -> rusqlite::Result<Option<(InvocationId, Digest)>> {
    let holder = commit::holder(connection, key)?.filter(|holder| !holder.has_let_go(now));
    Ok(holder.map(|holder| (holder.invocation, holder.fingerprint)))
}

pub(super) fn invocations(
    connection: &Connection,
    filter: &InvocationFilter,
) -> rusqlite::Result<Vec<Invocation>> {
    // The planner would walk the whole index of ids and read each row; the listed one answers
    // every filter but the correlation, which has its own.
    let index = match filter.correlation {
        Some(_) => "invocations_correlated",
        None => "invocations_listed",
    };
    let mut query = Query::over(&format!(
        "SELECT id, body FROM invocations INDEXED BY {index}"
    ));
    query.equal("correlation", filter.correlation.as_deref());
    query.equal("tenant", filter.tenant.as_ref().map(TenantId::as_str));
    query.equal("agent", filter.agent.as_ref().map(AgentId::as_str));
    query.equal("tool", filter.tool.as_ref().map(|tool| tool.as_str()));
    if let Some(before) = &filter.before {
        query.clause("id <", before.as_str().to_owned().into());
    }
    if !filter.statuses.is_empty() {
        query.among("status", words(&filter.statuses));
    }
    query.end("ORDER BY id DESC");
    query.take(connection, filter.limit)
}

pub(super) fn unfinished(
    connection: &Connection,
    after: Option<&InvocationId>,
    limit: usize,
) -> rusqlite::Result<Vec<Invocation>> {
    let mut query = Query::over("SELECT id, body FROM invocations INDEXED BY invocations_open");
    // Word for word the condition of the index, or it could not be used.
    query.text.push_str(
        " AND status NOT IN \
         ('denied', 'succeeded', 'failed', 'rejected', 'expired', 'cancelled')",
    );
    if let Some(after) = after {
        query.clause("id >", after.as_str().to_owned().into());
    }
    query.end("ORDER BY id");
    query.take(connection, limit)
}

pub(super) fn records(
    connection: &Connection,
    filter: &RecordFilter,
) -> rusqlite::Result<Vec<Record>> {
    let mut query = Query::over("SELECT idx, bytes, leaf FROM records");
    query.clause(
        "idx >=",
        filter
            .from
            .min(i64::MAX.cast_unsigned())
            .cast_signed()
            .into(),
    );
    query.equal("tenant", filter.tenant.as_ref().map(TenantId::as_str));
    query.equal(
        "invocation",
        filter.invocation.as_ref().map(InvocationId::as_str),
    );
    if let Some(prefix) = filter.kind_prefix.as_deref().filter(|it| !it.is_empty()) {
        query.prefix("kind", prefix);
    }
    query.end(if filter.newest {
        "ORDER BY idx DESC"
    } else {
        "ORDER BY idx"
    });
    let mut statement = connection.prepare_cached(&query.text)?;
    let rows = statement.query_map(params_from_iter(query.values), record_in)?;
    let mut found: Vec<_> = rows.take(filter.limit).collect::<Result<_, _>>()?;
    if filter.newest {
        found.reverse();
    }
    Ok(found)
}

pub(super) fn record(connection: &Connection, id: &RecordId) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached("SELECT idx, bytes, leaf FROM records WHERE id = ?1 ORDER BY idx LIMIT 1")?
        .query_row([id.as_str()], record_in)
        .optional()
}

fn record_in(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        index: row.get::<_, i64>(0)?.cast_unsigned(),
        bytes: row.get_ref(1)?.as_bytes()?.to_vec(),
        leaf: text::digest(row, 2)?,
    })
}

pub(super) fn drafts(
    connection: &Connection,
    name: Option<&str>,
) -> rusqlite::Result<Vec<PolicyDraft>> {
    connection
        .prepare_cached(
            "SELECT name, number, digest, text, author, message, created_at, active,
                activated_by, activated_at, requested_by, requested_at
             FROM policy_drafts WHERE ?1 IS NULL OR name = ?1 ORDER BY seq DESC",
        )?
        .query_map([name], |row| {
            Ok(PolicyDraft {
                name: row.get(0)?,
                number: row.get(1)?,
                digest: text::digest(row, 2)?,
                text: row.get(3)?,
                author: text::parsed(row, 4)?,
                message: row.get(5)?,
                created_at: Timestamp::from_millis(row.get(6)?),
                active: row.get(7)?,
                activated: stamp(row, 8)?,
                requested: stamp(row, 10)?,
            })
        })?
        .collect()
}

/// Who did something and when, in this column and the next.
fn stamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Stamp>> {
    let at: Option<i64> = row.get(column + 1)?;
    at.map(|at| {
        Ok(Stamp {
            by: text::parsed(row, column)?,
            at: Timestamp::from_millis(at),
        })
    })
    .transpose()
}

pub(super) fn last_used(connection: &Connection) -> rusqlite::Result<Vec<(KeyId, Timestamp)>> {
    connection
        .prepare_cached("SELECT id, at FROM credential_uses ORDER BY id")?
        .query_map([], |row| {
            Ok((text::parsed(row, 0)?, Timestamp::from_millis(row.get(1)?)))
        })?
        .collect()
}

pub(super) fn checkpoints(
    connection: &Connection,
    from_size: u64,
) -> rusqlite::Result<Vec<String>> {
    let from = from_size.min(i64::MAX.cast_unsigned()).cast_signed();
    connection
        .prepare_cached("SELECT note FROM checkpoints WHERE size >= ?1 ORDER BY size")?
        .query_map([from], |row| row.get(0))?
        .collect()
}

/// The statuses as a JSON list, so that one text of a statement serves any number of them.
fn words(statuses: &[Status]) -> String {
    let words: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
    serde_json::json!(words).to_string()
}

/// A statement whose conditions are those that a filter has. Texts are ours, values are bound.
pub(super) struct Query {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Query {
    pub(super) fn over(select: &str) -> Self {
        Self {
            text: format!("{select} WHERE true"),
            values: Vec::new(),
        }
    }

    pub(super) fn clause(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        let place = self.values.len();
        self.text.push_str(&format!(" AND {condition} ?{place}"));
    }

    pub(super) fn equal(&mut self, column: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.clause(&format!("{column} ="), value.to_owned().into());
        }
    }

    pub(super) fn among(&mut self, column: &str, words: String) {
        self.values.push(words.into());
        let place = self.values.len();
        self.text.push_str(&format!(
            " AND {column} IN (SELECT value FROM json_each(?{place}))"
        ));
    }

    fn prefix(&mut self, column: &str, prefix: &str) {
        self.values.push(prefix.to_owned().into());
        let place = self.values.len();
        self.text.push_str(&format!(
            " AND substr({column}, 1, length(?{place})) = ?{place}"
        ));
    }

    pub(super) fn end(&mut self, order: &str) {
        self.text.push(' ');
        self.text.push_str(order);
    }

    /// The first sound invocations, read one by one: a broken row costs no place in the list.
    fn take(self, connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Invocation>> {
        let mut statement = connection.prepare_cached(&self.text)?;
        let rows = statement.query_map(params_from_iter(self.values), decoded)?;
        let mut found = Vec::new();
        for row in rows {
            if found.len() == limit {
                break;
            }
            found.extend(listed(row?));
        }
        Ok(found)
    }
}
