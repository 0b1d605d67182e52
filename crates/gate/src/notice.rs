//! What the record says that others are told: the notices of one entry.
//!
//! They stand in the decision of a call's first entry, `call.decision.notices`, and as `notices`
//! in the entry of a result that rules judged. Whoever tells a channel and whoever opens an
//! incident read them here, so that the record alone says what was to be told.
//!
//! Must not know: channels, incidents.

use serde_json::Value;
use toolgate_model::Notice;
use toolgate_record::Entry;

/// Notices that one entry may carry.
// LIMIT: 64, far above the rules that match one call in practice; more would make one call open
// hundreds of incidents.
const NOTICES_MAX: usize = 64;

/// Everything that this entry says others are told.
pub fn notices(entry: &Entry) -> Vec<Notice> {
    let of_call = entry
        .data
        .get("call")
        .and_then(|call| call.pointer("/decision/notices"));
    let lists = [of_call, entry.data.get("notices")];
    let items = lists
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten();
    items
        .filter_map(|item| serde_json::from_value(item.clone()).ok())
        .take(NOTICES_MAX)
        .collect()
}
