//! Incidents as rows: what they are is in the body, what they are found by stands beside it.
//!
//! Must not know: what follows from an incident.

use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use toolgate_gate::incident::{
    Incident, IncidentFilter, IncidentKey, IncidentState, IncidentWrite,
};
use toolgate_model::{IncidentId, TenantId};

use crate::sqlite::commit::json;
use crate::sqlite::read::Query;
use crate::sqlite::text;

pub(super) fn one(connection: &Connection, id: &IncidentId) -> rusqlite::Result<Option<Incident>> {
    connection
        .prepare_cached("SELECT body FROM incidents WHERE id = ?1")?
        .query_row([id.as_str()], |row| text::json(row, 0))
        .optional()
}

pub(super) fn has_open(connection: &Connection, key: &IncidentKey) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM incidents
             WHERE tenant = ?1 AND policy = ?2 AND rule = ?3 AND agent = ?4 AND state <> 'closed'",
        )?
        .exists(params![
            key.tenant.as_str(),
            key.rule.policy,
            key.rule.rule,
            key.agent.as_str()
        ])
}

/// Makes a write whose guards have just been checked in this very transaction.
pub(super) fn write(connection: &Connection, write: &IncidentWrite) -> rusqlite::Result<()> {
    let now = one(connection, write.id())?;
    let Some(next) = Incident::after(now.as_ref(), write) else {
        return Err(rusqlite::Error::StatementChangedRows(0));
    };
    connection
        .prepare_cached(
            "INSERT INTO incidents (id, tenant, policy, rule, agent, state, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body",
        )?
        .execute(params![
            next.id.as_str(),
            next.tenant.as_str(),
            next.rule.policy,
            next.rule.rule,
            next.agent.as_str(),
            next.state.as_str(),
            json(&next)?,
        ])
        .map(drop)
}

pub(super) fn list(
    connection: &Connection,
    filter: &IncidentFilter,
) -> rusqlite::Result<Vec<Incident>> {
    let mut query = Query::over("SELECT body FROM incidents");
    query.equal("id", filter.id.as_ref().map(IncidentId::as_str));
    query.equal("tenant", filter.tenant.as_ref().map(TenantId::as_str));
    if let Some(key) = &filter.open_under {
        query.text.push_str(" AND state <> 'closed'");
        query.equal("tenant", Some(key.tenant.as_str()));
        query.equal("policy", Some(&key.rule.policy));
        query.equal("rule", Some(&key.rule.rule));
        query.equal("agent", Some(key.agent.as_str()));
    }
    if let Some(before) = &filter.before {
        query.clause("id <", before.as_str().to_owned().into());
    }
    if !filter.states.is_empty() {
        query.among("state", words(&filter.states));
    }
    query.end("ORDER BY id DESC");
    let mut statement = connection.prepare_cached(&query.text)?;
    let rows = statement.query_map(params_from_iter(query.values), |row| text::json(row, 0))?;
    rows.take(filter.limit).collect()
}

fn words(states: &[IncidentState]) -> String {
    let words: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    serde_json::json!(words).to_string()
}
