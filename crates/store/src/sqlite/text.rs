//! Columns read back into the nouns they were written from, in one place.
//!
//! An id is parsed again and a digest must have its 32 bytes: whoever edits the file by hand is
//! met by an error that names the column, never by a noun that could not exist.
//!
//! Must not know: which query a row came from.

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::DeserializeOwned;
use toolgate_model::Digest;

/// The noun whose text stands in this column.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|error| broken(column, Box::new(error)))
}

/// The noun whose JSON stands in this column.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| broken(column, Box::new(error)))
}

/// The digest whose bytes stand in this column.
pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get(column).map(Digest::from_bytes)
}

fn broken(
    column: usize,
    cause: Box<dyn std::error::Error + Send + Sync + 'static>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, cause)
}
