//! The balance: what the desk's own ledger says against what the gate's record says.
//!
//! The two never saw each other. Every refund that the desk made must be a call that the record
//! says succeeded, with the same amount, and the other way round.
//!
//! Must not know: what happened in between.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use toolgate_testkit::desk::{Amount, Sums};

use crate::admin::{Admin, Ask};
use crate::fault::Fault;
use crate::table::rows;

/// Records that are read at once.
const PAGE: u64 = 200;

/// Both sides.
#[derive(Debug)]
pub(crate) struct Balance {
    desk: Side,
    record: Side,
    denied: u64,
    records: u64,
}

/// How many refunds, and how much in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Side {
    refunds: u64,
    cents: u64,
}

impl Balance {
    /// Adds both sides up.
    ///
    /// # Errors
    /// [`Fault`] where the record cannot be read.
    pub(crate) async fn of(admin: &Admin, desk: &Sums) -> Result<Self, Fault> {
        let mut balance = Self {
            desk: Side {
                refunds: desk.refunds,
                cents: desk.refunded_cents,
            },
            record: Side::default(),
            denied: 0,
            records: 0,
        };
        let mut amounts: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let ask = Ask::get("/v1/records")
                .with("from", Some(balance.records))
                .with("limit", Some(PAGE));
            let page = rows(&admin.body(ask).await?);
            if page.is_empty() {
                return Ok(balance);
            }
            for record in &page {
                balance.records += 1;
                balance.add(record, &mut amounts);
            }
        }
    }

    /// One record: the first of an invocation says what was called, a later one how it ended.
    fn add(&mut self, record: &Value, amounts: &mut BTreeMap<String, u64>) {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let entry = text("/text").and_then(|text| serde_json::from_str::<Value>(text).ok());
        let invocation = text("/invocation").unwrap_or_default().to_owned();
        if let Some(cents) = entry.as_ref().and_then(refund_cents) {
            amounts.insert(invocation.clone(), cents);
        }
        match text("/kind") {
            Some("invocation.succeeded") => {
                if let Some(cents) = amounts.get(&invocation) {
                    self.record.refunds += 1;
                    self.record.cents += cents;
                }
            }
            Some("invocation.denied" | "auth.refused") => self.denied += 1,
            _ => {}
        }
    }

    /// Whether both sides agree, and something happened at all.
    pub(crate) fn is_even(&self) -> bool {
        self.desk == self.record && self.desk.refunds > 0
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "desk": {"refunds": self.desk.refunds, "cents": self.desk.cents},
            "record": {"refunds": self.record.refunds, "cents": self.record.cents},
            "balanced": self.is_even(),
            "denied": self.denied,
            "records": self.records,
        })
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let side = |side: Side| {
            format!(
                "{} refunds of {}.{:02}",
                side.refunds,
                side.cents / 100,
                side.cents % 100
            )
        };
        let verdict = if self.is_even() {
            "balanced"
        } else {
            "NOT BALANCED"
        };
        format!(
            "{verdict}: the desk's ledger has {}; the gate's record has {}",
            side(self.desk),
            side(self.record),
        )
    }
}

/// The amount of a refund that this entry says was called.
fn refund_cents(entry: &Value) -> Option<u64> {
    let call = entry.pointer("/data/call")?;
    if call.get("tool")?.as_str()? != "desk.refund" {
        return None;
    }
    let amount = call.pointer("/arguments/amount")?.to_string();
    amount.parse::<Amount>().ok().map(Amount::cents)
}

#[cfg(test)]
mod tests {
    use super::{Balance, Side};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn record(kind: &str, invocation: &str, amount: Option<u32>) -> Value {
        let call =
            amount.map(|amount| json!({"tool": "desk.refund", "arguments": {"amount": amount}}));
        let entry = json!({"data": {"call": call}}).to_string();
        json!({"kind": kind, "invocation": invocation, "text": entry})
    }

    fn balance(cents: u64, records: &[Value]) -> Balance {
        let desk = Side { refunds: 1, cents };
        let mut balance = Balance {
            desk,
            record: Side::default(),
            denied: 0,
            records: 0,
        };
        let mut amounts = BTreeMap::new();
        records
            .iter()
            .for_each(|record| balance.add(record, &mut amounts));
        balance
    }

    #[test]
    fn only_what_ended_well_counts_and_only_once() {
        let records = [
            record("invocation.admitted", "a", Some(40)),
            record("invocation.succeeded", "a", None),
            record("invocation.admitted", "b", Some(60)),
            record("invocation.denied", "c", Some(70)),
        ];
        assert!(balance(4_000, &records).is_even());
        assert!(!balance(10_000, &records).is_even());
    }
}
