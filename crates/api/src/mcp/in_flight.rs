//! The requests of one session (or stdio connection) that have not been answered yet.
//!
//! `notifications/cancelled` names a request by its id; here is where it is found. An id that is
//! under way cannot be used again, or two answers could not be told apart.
//!
//! Must not know: what the requests are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::limits::REQUESTS_IN_FLIGHT_MAX;
use super::message::RpcError;

/// Requests under way, by id.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    open: Mutex<HashMap<String, CancellationToken>>,
}

/// One request under way; its place is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    among: Arc<InFlight>,
    id: String,
    /// Resolves when the client gives the request up.
    pub(super) cancelled: CancellationToken,
}

impl InFlight {
    /// Takes a place for the request with this id.
    pub(super) fn enter(self: &Arc<Self>, id: &Value) -> Result<Slot, RpcError> {
        let id = id.to_string();
        let mut open = self.open();
        if open.contains_key(&id) {
            let message = "the `id` belongs to a request that has not been answered yet";
            return Err(RpcError::invalid_request(message));
        }
        if open.len() >= REQUESTS_IN_FLIGHT_MAX {
            let message = format!(
                "{REQUESTS_IN_FLIGHT_MAX} requests of this session are under way: wait for an answer"
            );
            return Err(RpcError::refused(429, message));
        }
        let cancelled = CancellationToken::new();
        open.insert(id.clone(), cancelled.clone());
        Ok(Slot {
            among: self.clone(),
            id,
            cancelled,
        })
    }

    /// Gives up the request that a `notifications/cancelled` names; an unknown one is ignored.
    pub(super) fn cancel(&self, params: &Map<String, Value>) {
        let id = params.get("requestId").map(Value::to_string);
        if let Some(cancelled) = id.and_then(|id| self.open().get(&id).cloned()) {
            cancelled.cancel();
        }
    }

    /// Gives up all of them.
    pub(super) fn cancel_all(&self) {
        self.open().values().for_each(CancellationToken::cancel);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.among.open().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::{InFlight, REQUESTS_IN_FLIGHT_MAX};
    use serde_json::{Value, json};
    use std::sync::Arc;

    #[test]
    fn an_id_under_way_is_not_used_again_and_is_free_afterwards() {
        let requests = Arc::new(InFlight::default());
        let first = requests.enter(&json!(1)).unwrap();
        assert!(
            requests
                .enter(&json!(1))
                .unwrap_err()
                .message
                .contains("not been answered")
        );
        // A number and a text are two ids.
        let _second = requests.enter(&json!("1")).unwrap();
        drop(first);
        assert!(requests.enter(&json!(1)).is_ok());
    }

    #[test]
    fn cancelling_finds_the_request_and_no_other() {
        let requests = Arc::new(InFlight::default());
        let (one, two) = (
            requests.enter(&json!(1)).unwrap(),
            requests.enter(&json!(2)).unwrap(),
        );
        for params in [
            json!({"requestId": "1"}),
            json!({"requestId": 3}),
            json!({}),
        ] {
            let Value::Object(params) = params else {
                panic!()
            };
            requests.cancel(&params);
        }
        assert!(!one.cancelled.is_cancelled() && !two.cancelled.is_cancelled());
        let Value::Object(params) = json!({"requestId": 1}) else {
            panic!()
        };
        requests.cancel(&params);
        assert!(one.cancelled.is_cancelled() && !two.cancelled.is_cancelled());
    }

    #[test]
    fn a_session_has_room_for_so_many_requests() {
        let requests = Arc::new(InFlight::default());
        let slots: Vec<_> = (0..REQUESTS_IN_FLIGHT_MAX)
            .map(|id| requests.enter(&json!(id)).unwrap())
            .collect();
        assert_eq!(requests.enter(&json!("more")).unwrap_err().status, 429);
        drop(slots);
        assert!(requests.enter(&json!("more")).is_ok());
    }
}
