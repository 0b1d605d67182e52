//! PagerDuty: incidents, who is called, and events.
//!
//! `POST https://events.pagerduty.com/v2/enqueue` with `event_action: resolve` is
//! `pagerduty.resolve_event`: it ends an incident as surely as a change of the incident itself. The
//! `routing_key` in it is a credential.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::Value;
use toolgate_model::{Risk, Verb};

use super::body::Speaks;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const PAGERDUTY: Service = Service {
    name: "pagerduty",
    speaks: Speaks::Json,
    secrets: &["routing_key", "service_key"],
    lists: &[],
    owns: |address, _| address.is_under("pagerduty.com"),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(&[include_str!("tables/pagerduty.txt")]));

/// Parameters of an event.
const EVENT: &[&str] = &[
    "event_action",
    "dedup_key",
    "payload",
    "images",
    "links",
    "client",
    "client_url",
];

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let mut places = Places::default();
    let parts = asked.address.parts();
    if asked.address.host.starts_with("events.")
        && (asked.method, parts.as_slice()) == ("POST", &["v2", "enqueue"])
    {
        let arguments = asked.parameters(&[])?;
        let (name, risk) = match arguments.get("event_action").and_then(Value::as_str) {
            Some("trigger") => ("trigger_event", Risk::Medium),
            Some("acknowledge") => ("acknowledge_event", Risk::High),
            Some("resolve") => ("resolve_event", Risk::High),
            _ => return Ok(None),
        };
        let operation = Operation {
            parameters: Some(EVENT.iter().map(|name| (*name).to_owned()).collect()),
            ..Operation::named(name, "events").rated(Verb::Write, risk)
        };
        return Ok(Some(Understood {
            operation,
            arguments,
            places,
        }));
    }
    let Some(found) = asked.find(&TABLE)? else {
        return Ok(None);
    };
    let arguments = asked.parameters(&found.path)?;
    let operation = Operation::of(found.row);
    if let Some((_, id)) = found.path.first() {
        let kind = operation.template.split('/').nth(1).unwrap_or_default();
        places.set("resource", format!("{}:{id}", kind.trim_end_matches('s')));
    }
    let email = arguments
        .get("user")
        .and_then(|user| user.get("email"))
        .and_then(Value::as_str);
    if let Some(email) = email {
        places.set("recipient", email);
    }
    if operation.name == "create_webhook" {
        places.open("external");
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}
