//! Switches: the ways in which the desk can be told to misbehave.
//!
//! `tool=refund,kind=drop,when=after,times=1` loses one answer after the refund landed: the case
//! that a gate must not call a failure. A fault is orthogonal to its moment: `before` means that
//! the effect does not land, `after` that it did.
//!
//! Must not know: what the tools do, or how a face breaks a connection.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

/// One armed fault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// For which tool; none means every tool.
    #[serde(default)]
    pub tool: Option<String>,
    /// Before the effect or after it.
    #[serde(default)]
    pub when: Moment,
    /// How many calls it strikes; none means all until it is cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// How long `slow` waits, in milliseconds.
    #[serde(default)]
    pub millis: u64,
    /// How much `oversize` adds, in bytes.
    #[serde(default)]
    pub bytes: usize,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// The answer takes its time.
    Slow,
    /// The answer never comes.
    Hang,
    /// The connection closes without an answer.
    Drop,
    /// The process ends without an answer.
    Exit,
    /// Something that is not JSON stands where the answer should.
    Garbage,
    /// The connection closes in the middle of the answer.
    Cut,
    /// The answer is far too long.
    Oversize,
    /// The answer is a protocol error of the server's own making.
    Error,
    /// Nothing goes wrong any more: clears what is armed for the tool.
    None,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the effect, which then does not land.
    Before,
    /// After the effect landed.
    #[default]
    After,
}

/// A fault's text is not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a fault: {reason}")]
pub struct FaultError {
    text: String,
    reason: String,
}

impl Fault {
    /// How long `slow` waits.
    pub fn pause(&self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    /// Reads `key=value,…` with the keys of [`Fault`].
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let bad = |reason: String| FaultError {
            text: text.to_owned(),
            reason,
        };
        let mut object = serde_json::Map::new();
        for part in text.split(',') {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| bad(format!("`{part}` is not `key=value`")))?;
            let number = value.parse::<u64>().map(serde_json::Value::from);
            object.insert(key.to_owned(), number.unwrap_or_else(|_| value.into()));
        }
        serde_json::from_value(object.into()).map_err(|error| bad(error.to_string()))
    }
}

/// LIMIT: more armed faults than this are a mistake in a test, not a scenario.
const ARMED_MAX: usize = 64;

/// All armed faults, in the order they were armed.
#[derive(Debug, Default)]
pub struct Switches {
    armed: Mutex<Vec<Fault>>,
}

impl Switches {
    /// Arms a fault, or clears what is armed for its tool. Beyond 64 the oldest is disarmed.
    pub fn set(&self, fault: Fault) {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.kind == FaultKind::None {
            armed.retain(|other| fault.tool.is_some() && other.tool != fault.tool);
            return;
        }
        if armed.len() >= ARMED_MAX {
            armed.remove(0);
        }
        armed.push(fault);
    }

    /// The fault that strikes this call, counted down.
    pub fn take(&self, tool: &str) -> Option<Fault> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let strikes = |fault: &Fault| fault.tool.as_deref().is_none_or(|name| name == tool);
        let place = armed.iter().position(strikes)?;
        let fault = armed.get_mut(place)?;
        let struck = fault.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                armed.remove(place);
            }
        }
        Some(struck)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, FaultKind, Switches};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let shown = match text.parse::<Fault>() {
            Ok(fault) => format!("{:?} {:?} {:?}", fault.kind, fault.when, fault.times),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_fault_is_written_as_keys_and_values() {
        check("kind=slow,millis=20", expect!["Slow After None"]);
        check(
            "kind=drop,tool=refund,when=before,times=1",
            expect!["Drop Before Some(1)"],
        );
        check(
            "kind",
            expect!["`kind` is not a fault: `kind` is not `key=value`"],
        );
        check(
            "kind=explode",
            expect![
                "`kind=explode` is not a fault: unknown variant `explode`, expected one of `slow`, `hang`, `drop`, `exit`, `garbage`, `cut`, `oversize`, `error`, `none`"
            ],
        );
    }

    #[test]
    fn a_fault_strikes_its_tool_its_number_of_times() {
        let switches = Switches::default();
        switches.set("kind=drop,tool=refund,times=2".parse().unwrap());
        switches.set("kind=slow".parse().unwrap());
        let struck = |tool| switches.take(tool).map(|fault| fault.kind);
        assert_eq!(struck("refund"), Some(FaultKind::Drop));
        assert_eq!(struck("get_charge"), Some(FaultKind::Slow));
        assert_eq!(struck("refund"), Some(FaultKind::Drop));
        assert_eq!(struck("refund"), Some(FaultKind::Slow));
        switches.set("kind=none".parse().unwrap());
        assert_eq!(struck("refund"), None);
    }

    #[test]
    fn clearing_one_tool_leaves_the_others_armed() {
        let switches = Switches::default();
        switches.set("kind=drop,tool=refund".parse().unwrap());
        switches.set("kind=hang,tool=get_charge".parse().unwrap());
        switches.set("kind=none,tool=refund".parse().unwrap());
        assert_eq!(switches.take("refund"), None);
        assert!(switches.take("get_charge").is_some());
    }
}
