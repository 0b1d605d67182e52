//! What goes to a tool: an attempt under its permit, or a look of the gate's own.
//!
//! Both take the same way (one session, one timeout, one verdict on the answer), and differ in what
//! travels beside the arguments. An attempt carries its invocation and the downstream key. A look
//! carries `dev.toolgate/probe: true` and names no invocation: a server that knows an invocation
//! again by its name must not answer a look with what it answered the attempt.
//!
//! Must not know: how it is sent.

use std::sync::Arc;

use serde_json::{Map, Value};
use toolgate_gate::Look;
use toolgate_gate::peer::Peer;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{BoxFuture, ProgressSink};
use toolgate_model::{Duration, HttpRequest, ToolId};

use crate::caller::Principal;
use crate::era;

/// One thing to ask of a tool, once.
pub(crate) enum Errand {
    /// An attempt; only a permit makes one.
    Call(Box<Dispatch>),
    /// A read for the gate itself.
    Look(Look),
}

impl Errand {
    pub(crate) const fn tool(&self) -> &ToolId {
        match self {
            Self::Call(dispatch) => dispatch.tool(),
            Self::Look(look) => look.tool(),
        }
    }

    /// The raw request that it is; a look is none.
    pub(crate) const fn request(&self) -> Option<&HttpRequest> {
        match self {
            Self::Call(dispatch) => dispatch.request(),
            Self::Look(_) => None,
        }
    }

    pub(crate) const fn arguments(&self) -> &Value {
        match self {
            Self::Call(dispatch) => dispatch.arguments(),
            Self::Look(look) => look.arguments(),
        }
    }

    /// The downstream idempotency key. A look has none: it may be made again and again, and each
    /// time must be answered from what is there then.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Call(dispatch) => Some(dispatch.idempotency_key()),
            Self::Look(_) => None,
        }
    }

    pub(crate) const fn timeout(&self) -> Duration {
        match self {
            Self::Call(dispatch) => dispatch.timeout(),
            Self::Look(look) => look.timeout(),
        }
    }

    pub(crate) const fn progress(&self) -> Option<&ProgressSink> {
        match self {
            Self::Call(dispatch) => dispatch.progress(),
            Self::Look(_) => None,
        }
    }

    /// The client behind the call, while it is there.
    pub(crate) const fn peer(&self) -> Option<&Arc<dyn Peer>> {
        match self {
            Self::Call(dispatch) => dispatch.peer(),
            Self::Look(_) => None,
        }
    }

    /// Whose call it is; a look is the gate's own.
    pub(crate) fn principal(&self) -> Option<Principal> {
        match self {
            Self::Call(dispatch) => {
                let (tenant, agent) = dispatch.principal();
                Some(Principal {
                    tenant: tenant.clone(),
                    agent: agent.clone(),
                    user: dispatch.user().cloned(),
                })
            }
            Self::Look(_) => None,
        }
    }

    /// Waits for whoever asked to give up; nobody gives up a look but its timeout.
    pub(crate) fn take_cancelled(&mut self) -> BoxFuture<'static, ()> {
        match self {
            Self::Call(dispatch) => dispatch.take_cancelled(),
            Self::Look(_) => Box::pin(std::future::pending()),
        }
    }

    /// What travels beside the arguments. The gate's own entries win over whatever a caller sent.
    pub(crate) fn meta(&self) -> Map<String, Value> {
        let dispatch = match self {
            Self::Call(dispatch) => dispatch,
            Self::Look(_) => {
                return Map::from_iter([("dev.toolgate/probe".to_owned(), true.into())]);
            }
        };
        let reserved = |key: &str| key == "progressToken" || era::is_protocols_own(key);
        let mut meta: Map<String, Value> = dispatch
            .meta()
            .iter()
            .filter(|(key, _)| !reserved(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let invocation = dispatch.invocation().as_str();
        meta.insert("dev.toolgate/invocation-id".to_owned(), invocation.into());
        let key = dispatch.idempotency_key();
        meta.insert("dev.toolgate/idempotency-key".to_owned(), key.into());
        meta
    }
}
