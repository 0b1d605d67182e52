//! One record: what is written down, its one canonical form, and its place in the log.
//!
//! ```text
//! {"actor":{"id":"billing_agent","key":"key_…","kind":"agent"},"at":"2026-06-16T15:14:22.104Z",
//!  "data":{"code":"not_granted"},"id":"evt_…","index":7,"kind":"invocation.denied",
//!  "tenant":"default","v":1}
//! ```
//!
//! The form is RFC 8785, with a version and the dense index inside, so that a record which is
//! moved is a record which is changed. This is the only file that knows the form; a golden file
//! pins it. Must not know: what kinds of records there are, or where they are kept.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolgate_model::json::{self, JsonError, Limits, Numbers};
use toolgate_model::{AgentId, Digest, InvocationId, KeyId, RecordId, TenantId, Timestamp};

use crate::tree::leaf_hash;

/// Bytes of one entry in its canonical form.
// LIMIT: 64 KiB less one, so that the length of a log entry fits the 16 bits that tile bundles
// (C2SP tlog-tiles) give it.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The largest index.
// LIMIT: 2^53 - 1, above which RFC 8785 numbers are no longer exact.
pub const INDEX_MAX: u64 = (1 << 53) - 1;

/// Version of the form.
const VERSION: u64 = 1;

/// Levels of nesting, the entry itself counted.
// LIMIT: arguments have at most 64 (4-interfaces, 5) and stand a few levels inside an entry.
const DEPTH_MAX: usize = 96;

/// Bytes of a kind.
const KIND_BYTES_MAX: usize = 64;

/// The last instant that the clock's own type can carry: a day before the year 10000.
const INSTANT_MAX: Timestamp = Timestamp::from_millis(253_402_207_200_000);

const LIMITS: Limits = Limits {
    bytes_max: ENTRY_BYTES_MAX,
    depth_max: DEPTH_MAX,
    string_bytes_max: ENTRY_BYTES_MAX,
};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Actor {
    /// An agent.
    Agent {
        /// Which.
        id: AgentId,
        /// The credential that authenticated it.
        key: KeyId,
        /// The delegation chain, root first; empty where the agent acts by itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        chain: Vec<AgentId>,
    },
    /// A person.
    Person {
        /// Who.
        id: AgentId,
        /// The credential that authenticated them.
        key: KeyId,
    },
    /// The gate itself: timers, recovery, configuration files.
    Gate,
    /// Somebody who could not say who they are.
    Nobody,
}

/// What is written down, before it has a place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id, the same wherever it is cited.
    pub id: RecordId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `invocation.denied`, `key.revoked`.
    pub kind: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who did it.
    pub actor: Actor,
    /// The invocation that it is about.
    pub invocation: Option<InvocationId>,
    /// The caller's name for what belongs together.
    pub correlation: Option<String>,
    /// The rest, by kind. What must be erasable stands here as a commitment only.
    pub data: Map<String, Value>,
}

/// An entry at its place in the log, as it is stored. Whoever reads one back from a store holds
/// something that an attacker may have written: [`Record::entry`] checks the form, and only a
/// checkpoint proves the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place, dense from 0.
    pub index: u64,
    /// The canonical JSON of the entry.
    pub bytes: Vec<u8>,
    /// The leaf hash, SHA-256 of a zero byte and the bytes.
    pub leaf: Digest,
}

/// Why an entry cannot be sealed, or why bytes are not a sealed entry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    /// Longer than [`ENTRY_BYTES_MAX`].
    #[error(
        "the entry has {bytes} bytes, more than the {max} allowed: commit to large bodies instead"
    )]
    TooLong {
        /// Bytes it would have.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Nested deeper than an entry may be.
    #[error("the entry is nested deeper than {max} levels: commit to deep bodies instead")]
    TooDeep {
        /// Levels allowed.
        max: usize,
    },
    /// A number that the canonical form cannot carry exactly.
    #[error("the number `{0}` in the entry is outside exact range: write it as text")]
    Number(String),
    /// A key that the JSON reader keeps for itself.
    #[error("the key `{0}` in the entry is reserved: name it otherwise")]
    ReservedKey(String),
    /// Not a kind.
    #[error("`{0}` is not a kind of record: lower-case words and dots such as `invocation.denied`")]
    Kind(String),
    /// An instant before 1970 or after 9999.
    #[error("`{0}` is not an instant between 1970 and 9999: check the clock")]
    Instant(Timestamp),
    /// The log is full.
    #[error("`{0}` is above the largest index of a log")]
    Index(u64),
    /// Not JSON, or not the JSON of an entry.
    #[error("not an entry: {0}")]
    Malformed(String),
    /// An entry, but not in the one form that [`Entry::seal`] writes.
    #[error("the entry is not in its canonical form")]
    NotCanonical,
    /// The entry belongs to another place.
    #[error("the entry at index {index} says that it is number {says}")]
    Misplaced {
        /// Where it stands.
        index: u64,
        /// Where it says it belongs.
        says: u64,
    },
}

impl Entry {
    /// The record of this entry at `index`.
    ///
    /// # Errors
    /// [`EntryError`] where the entry is too long or too deep, holds a number outside exact range,
    /// or its kind, instant or index is out of bounds.
    ///
    /// ```
    /// use toolgate_model::{RecordId, TenantId, Timestamp};
    /// use toolgate_record::{Actor, Entry};
    /// let at = Timestamp::from_millis(1_781_622_862_104);
    /// let entry = Entry {
    ///     id: RecordId::mint(at, [7; 10]),
    ///     at,
    ///     kind: "key.revoked".to_owned(),
    ///     tenant: TenantId::default(),
    ///     actor: Actor::Gate,
    ///     invocation: None,
    ///     correlation: None,
    ///     data: serde_json::Map::new(),
    /// };
    /// let record = entry.seal(0)?;
    /// assert_eq!(record.entry()?, entry);
    /// # Ok::<(), toolgate_record::EntryError>(())
    /// ```
    pub fn seal(&self, index: u64) -> Result<Record, EntryError> {
        self.check()?;
        if index > INDEX_MAX {
            return Err(EntryError::Index(index));
        }
        let value = self.to_value(index)?;
        check_value(&value, DEPTH_MAX)?;
        let bytes = json::canonical(&value).into_bytes();
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong {
                bytes: bytes.len(),
                max: ENTRY_BYTES_MAX,
            });
        }
        let leaf = leaf_hash(&bytes);
        Ok(Record { index, bytes, leaf })
    }

    /// The entry in these bytes, and the index that it says it has.
    ///
    /// # Errors
    /// [`EntryError`] where the bytes are not exactly what [`Entry::seal`] writes.
    pub fn parse(bytes: &[u8]) -> Result<(u64, Self), EntryError> {
        let value = json::parse(bytes, LIMITS, Numbers::Exact).map_err(malformed_json)?;
        let wire: Wire = serde_json::from_value(value).map_err(malformed)?;
        if wire.v != VERSION {
            return Err(EntryError::Malformed(format!(
                "it has version {}, and this reader knows version {VERSION}",
                wire.v
            )));
        }
        let (index, entry) = wire.split();
        // INVARIANT: an entry has one form. Whatever reads the same but is written otherwise
        // (other order, spaces, another notation of a number or instant) was not written here.
        match entry.seal(index)?.bytes == bytes {
            true => Ok((index, entry)),
            false => Err(EntryError::NotCanonical),
        }
    }

    fn check(&self) -> Result<(), EntryError> {
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'_' | b'.');
        let fits = (1..=KIND_BYTES_MAX).contains(&self.kind.len());
        if !fits || !self.kind.bytes().all(plain) {
            return Err(EntryError::Kind(
                self.kind.chars().take(KIND_BYTES_MAX).collect(),
            ));
        }
        if self.at < Timestamp::from_millis(0) || self.at > INSTANT_MAX {
            return Err(EntryError::Instant(self.at));
        }
        Ok(())
    }

    fn to_value(&self, index: u64) -> Result<Value, EntryError> {
        let mut map = Map::new();
        map.insert("v".to_owned(), VERSION.into());
        map.insert("index".to_owned(), index.into());
        map.insert("id".to_owned(), self.id.as_str().into());
        map.insert("at".to_owned(), self.at.to_string().into());
        map.insert("kind".to_owned(), self.kind.as_str().into());
        map.insert("tenant".to_owned(), self.tenant.as_str().into());
        map.insert(
            "actor".to_owned(),
            serde_json::to_value(&self.actor).map_err(malformed)?,
        );
        if let Some(invocation) = &self.invocation {
            map.insert("invocation".to_owned(), invocation.as_str().into());
        }
        if let Some(correlation) = &self.correlation {
            map.insert("correlation".to_owned(), correlation.as_str().into());
        }
        map.insert("data".to_owned(), Value::Object(self.data.clone()));
        Ok(Value::Object(map))
    }
}

impl Record {
    /// The entry in the bytes.
    ///
    /// # Errors
    /// [`EntryError`] where the bytes are no sealed entry, or one of another place.
    pub fn entry(&self) -> Result<Entry, EntryError> {
        let (says, entry) = Entry::parse(&self.bytes)?;
        if says != self.index {
            return Err(EntryError::Misplaced {
                index: self.index,
                says,
            });
        }
        Ok(entry)
    }

    /// The bytes for people: what is no text in them is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// The form as it is read. Written by [`Entry::to_value`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u64,
    index: u64,
    id: RecordId,
    at: Timestamp,
    kind: String,
    tenant: TenantId,
    actor: Actor,
    #[serde(default)]
    invocation: Option<InvocationId>,
    #[serde(default)]
    correlation: Option<String>,
    data: Map<String, Value>,
}

impl Wire {
    fn split(self) -> (u64, Entry) {
        let entry = Entry {
            id: self.id,
            at: self.at,
            kind: self.kind,
            tenant: self.tenant,
            actor: self.actor,
            invocation: self.invocation,
            correlation: self.correlation,
            data: self.data,
        };
        (self.index, entry)
    }
}

/// INVARIANT: what passes here is read back by [`Entry::parse`] as it was given; the property
/// `what_is_sealed_reads_back` holds it.
fn check_value(value: &Value, levels: usize) -> Result<(), EntryError> {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::String(_) => return Ok(()),
        Value::Number(number) => return check_number(number.as_str()),
        Value::Array(_) | Value::Object(_) => levels
            .checked_sub(1)
            .ok_or(EntryError::TooDeep { max: DEPTH_MAX })?,
    };
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, inner)),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| {
            check_key(key)?;
            check_value(item, inner)
        }),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(_) => Ok(()),
    }
}

fn check_number(text: &str) -> Result<(), EntryError> {
    // Fifteen digits always survive a double; most numbers end here.
    let short = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    match short || json::is_exact(text) {
        true => Ok(()),
        false => Err(EntryError::Number(text.chars().take(40).collect())),
    }
}

fn check_key(key: &str) -> Result<(), EntryError> {
    // The JSON reader would take an object with this key for a number.
    match key.starts_with("$serde_json::private::") {
        true => Err(EntryError::ReservedKey(key.chars().take(64).collect())),
        false => Ok(()),
    }
}

fn malformed_json(error: JsonError) -> EntryError {
    match error {
        JsonError::TooLong { bytes, max } => EntryError::TooLong { bytes, max },
        JsonError::Malformed { .. } => EntryError::Malformed(error.to_string()),
    }
}

fn malformed(error: serde_json::Error) -> EntryError {
    EntryError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests;
