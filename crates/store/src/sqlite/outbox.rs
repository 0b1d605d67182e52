//! Where endpoints stand and what was sent to them, on SQLite.
//!
//! A delivery's body is the JSON of the noun itself, without the number that its row gives it.
//!
//! Must not know: how anything is sent.

use rusqlite::{Connection, params};
use toolgate_gate::outbox::{DELIVERIES_KEPT_MAX, Delivery, DeliveryFilter, Standing};
use toolgate_model::Timestamp;

use crate::sqlite::text;

/// A standing and a delivery, in one transaction with their group.
pub(super) type Note = (Option<Standing>, Option<Delivery>);

pub(super) fn note(connection: &Connection, note: &Note) -> rusqlite::Result<()> {
    if let Some(standing) = &note.0 {
        stand(connection, standing)?;
    }
    match &note.1 {
        Some(delivery) => append(connection, delivery),
        None => Ok(()),
    }
}

fn stand(connection: &Connection, standing: &Standing) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO endpoints (name, next, attempts, refusals, due_at, disabled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            standing.endpoint,
            standing.next.cast_signed(),
            standing.attempts,
            standing.refusals,
            standing.due_at.map(Timestamp::as_millis),
            standing.disabled,
        ])
        .map(drop)
}

fn append(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let body = serde_json::to_string(delivery)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection
        .prepare_cached("INSERT INTO deliveries (tenant, endpoint, body) VALUES (?1, ?2, ?3)")?
        .execute(params![delivery.tenant.as_str(), delivery.endpoint, body])?;
    let newest = connection.last_insert_rowid();
    let oldest = newest.saturating_sub(DELIVERIES_KEPT_MAX.cast_signed());
    connection
        .prepare_cached("DELETE FROM deliveries WHERE number <= ?1")?
        .execute([oldest])
        .map(drop)
}

pub(super) fn standings(connection: &Connection) -> rusqlite::Result<Vec<Standing>> {
    connection
        .prepare_cached(
            "SELECT name, next, attempts, refusals, due_at, disabled FROM endpoints ORDER BY name",
        )?
        .query_map([], |row| {
            Ok(Standing {
                endpoint: row.get(0)?,
                next: row.get::<_, i64>(1)?.cast_unsigned(),
                attempts: row.get(2)?,
                refusals: row.get(3)?,
                due_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
                disabled: row.get(5)?,
            })
        })?
        .collect()
}

pub(super) fn deliveries(
    connection: &Connection,
    filter: &DeliveryFilter,
) -> rusqlite::Result<Vec<Delivery>> {
    let before = filter.before.unwrap_or(u64::MAX);
    let before = before.min(i64::MAX.cast_unsigned()).cast_signed();
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let tenant = filter.tenant.as_ref().map(|tenant| tenant.as_str());
    connection
        .prepare_cached(
            "SELECT number, body FROM deliveries
             WHERE number < ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR endpoint = ?3)
             ORDER BY number DESC LIMIT ?4",
        )?
        .query_map(params![before, tenant, filter.endpoint, limit], |row| {
            let number = row.get::<_, i64>(0)?.cast_unsigned();
            let delivery: Delivery = text::json(row, 1)?;
            Ok(Delivery { number, ..delivery })
        })?
        .collect()
}
