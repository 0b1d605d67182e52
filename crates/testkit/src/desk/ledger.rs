//! The desk's own ledger: one line of JSON an entry, flushed before anything is answered.
//!
//! `{"seq":7,"request":{"tool":"refund","key":"k-1"}}` counts what came in;
//! `{"seq":8,"effect":{"refund":{"id":"re_1","charge":"ch_1",…}}}` is money that moved. A test
//! sums the effects and compares them with what the gate says happened. A line that was cut by
//! a crash was never acknowledged and is dropped at the next start.
//!
//! Must not know: whether an entry is allowed. It writes down what it is given.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Amount, Customer};

/// A refund as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its id, `re_1`.
    pub id: String,
    /// Of which charge.
    pub charge: String,
    /// Whose charge.
    pub customer: String,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: String,
    /// What the caller wanted kept with it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The key it came with.
    pub key: Option<String>,
}

/// A message as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id, `msg_1`.
    pub id: String,
    /// To whom.
    pub to: String,
    /// What it says.
    pub text: String,
    /// The key it came with.
    pub key: Option<String>,
}

/// An account that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// Whose.
    pub customer: String,
    /// The key it came with.
    pub key: Option<String>,
}

/// Something that happened and cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Money went back.
    Refund(Refund),
    /// A message went out.
    Message(Message),
    /// An account was closed.
    Closure(Closure),
}

impl Effect {
    /// The key it came with.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Refund(refund) => refund.key.as_deref(),
            Self::Message(message) => message.key.as_deref(),
            Self::Closure(closure) => closure.key.as_deref(),
        }
    }

    /// Whether both are the same order, whatever ids they got.
    pub fn is_same_order(&self, other: &Self) -> bool {
        let nameless = |effect: &Self| {
            let mut effect = effect.clone();
            match &mut effect {
                Self::Refund(refund) => refund.id.clear(),
                Self::Message(message) => message.id.clear(),
                Self::Closure(_) => {}
            }
            effect
        };
        nameless(self) == nameless(other)
    }
}

/// One line of the ledger. Exactly one of the three parts is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// Its place, from 1.
    pub seq: u64,
    /// A request that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// An effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Data that changed without anybody asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Customer>,
}

/// A request that came in, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// For which tool.
    pub tool: String,
    /// The idempotency key that it carried.
    pub key: Option<String>,
}

/// What a ledger adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests that came in, by tool.
    pub requests: BTreeMap<String, u64>,
    /// Refunds made.
    pub refunds: u64,
    /// Money refunded, in cents.
    pub refunded_cents: u64,
    /// Messages sent.
    pub messages: u64,
    /// Accounts closed.
    pub closures: u64,
}

impl Sums {
    /// All effects.
    pub fn effects(&self) -> u64 {
        self.refunds + self.messages + self.closures
    }

    /// Adds up a ledger while a desk may still be writing it.
    ///
    /// # Errors
    /// [`LedgerError`] where the file cannot be read or a line is not one of ours.
    pub fn of_file(path: &Path) -> Result<Self, LedgerError> {
        let text = std::fs::read(path).map_err(|source| unusable(path, source))?;
        let (lines, _) = parse(path, &text)?;
        let mut sums = Self::default();
        for line in &lines {
            sums.add(line);
        }
        Ok(sums)
    }

    fn add(&mut self, line: &LedgerLine) {
        if let Some(request) = &line.request {
            *self.requests.entry(request.tool.clone()).or_default() += 1;
        }
        match &line.effect {
            Some(Effect::Refund(refund)) => {
                self.refunds += 1;
                self.refunded_cents += refund.amount.cents();
            }
            Some(Effect::Message(_)) => self.messages += 1,
            Some(Effect::Closure(_)) => self.closures += 1,
            None => {}
        }
    }
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the ledger `{}` cannot be used: {source}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not one of ours.
    #[error("line {line} of the ledger `{}` is not an entry: {reason}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The open ledger. Holds the file's lock: two desks on one ledger would both spend the rest.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    seq: u64,
}

impl Ledger {
    /// Opens or makes the file, waits for its lock, and reads what stands in it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path) -> Result<(Self, Vec<LedgerLine>), LedgerError> {
        let failed = |source| unusable(path, source);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let (lines, whole) = parse(path, &text)?;
        file.set_len(whole as u64).map_err(failed)?;
        let seq = lines.last().map_or(0, |line| line.seq);
        let path = path.to_owned();
        Ok((Self { path, file, seq }, lines))
    }

    /// Notes a request. Not flushed: it is a count, nothing was promised.
    pub(super) fn append_request(
        &mut self,
        tool: &str,
        key: Option<&str>,
    ) -> Result<(), LedgerError> {
        let request = Request {
            tool: tool.to_owned(),
            key: key.map(str::to_owned),
        };
        self.append(LedgerLine {
            request: Some(request),
            ..LedgerLine::default()
        })
    }

    /// Writes an effect down and flushes it to the disk.
    pub(super) fn append_effect(&mut self, effect: &Effect) -> Result<(), LedgerError> {
        self.append(LedgerLine {
            effect: Some(effect.clone()),
            ..LedgerLine::default()
        })?;
        self.flush()
    }

    /// Writes changed data down and flushes it to the disk.
    pub(super) fn append_change(&mut self, customer: &Customer) -> Result<(), LedgerError> {
        self.append(LedgerLine {
            change: Some(customer.clone()),
            ..LedgerLine::default()
        })?;
        self.flush()
    }

    fn append(&mut self, line: LedgerLine) -> Result<(), LedgerError> {
        let seq = self.seq + 1;
        let written = serde_json::to_string(&LedgerLine { seq, ..line })
            .map_err(io::Error::from)
            .and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()));
        written.map_err(|source| unusable(&self.path, source))?;
        self.seq = seq;
        Ok(())
    }

    fn flush(&self) -> Result<(), LedgerError> {
        let flushed = self.file.sync_data();
        flushed.map_err(|source| unusable(&self.path, source))
    }
}

fn unusable(path: &Path, source: io::Error) -> LedgerError {
    let path = path.to_owned();
    LedgerError::Unusable { path, source }
}

/// All whole lines, and how many bytes they take. A tail without its line end was cut by a crash.
fn parse(path: &Path, text: &[u8]) -> Result<(Vec<LedgerLine>, usize), LedgerError> {
    let whole = text
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let lines = text.get(..whole).unwrap_or_default();
    let lines = lines.split_inclusive(|b| *b == b'\n').enumerate();
    let parsed = lines.map(|(place, line)| {
        serde_json::from_slice(line).map_err(|error| LedgerError::Broken {
            path: path.to_owned(),
            line: place + 1,
            reason: error.to_string(),
        })
    });
    Ok((parsed.collect::<Result<_, _>>()?, whole))
}
