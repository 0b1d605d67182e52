//! HubSpot: objects of the CRM, mails, and the account's users.
//!
//! `PATCH https://api.hubapi.com/crm/v3/objects/contacts/151` is `hubspot.update_object` of
//! `contacts:151`. Versions named by a date (`/crm/objects/2026-03/contacts`) are the same.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::body::Speaks;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const HUBSPOT: Service = Service {
    name: "hubspot",
    speaks: Speaks::Json,
    secrets: &["access_token", "client_secret", "hapikey", "refresh_token"],
    lists: &["associations", "properties", "propertiesWithHistory"],
    owns: |address, _| {
        ["hubapi.com", "hubspot.com", "hsforms.com"]
            .iter()
            .any(|domain| address.is_under(domain))
    },
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(&[include_str!("tables/hubspot.txt")]));

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let parts = asked.address.parts();
    let found = match undated(&parts) {
        Some(parts) => TABLE.find(asked.method, &parts)?,
        None => TABLE.find(asked.method, &parts)?,
    };
    let Some(found) = found else {
        return Ok(None);
    };
    let arguments = asked.parameters(&found.path)?;
    let operation = Operation::of(found.row);
    let mut places = Places::default();
    let said = |name: &str| {
        found
            .path
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    };
    if let Some(kind) = said("objectType") {
        places.set(
            "resource",
            format!("{kind}:{}", said("objectId").unwrap_or("*")),
        );
    }
    match operation.name.as_str() {
        "send_email" => addressed(&mut places, &arguments),
        "create_user" | "subscribe_contact" => {
            places.from("recipient", &arguments, &["email", "emailAddress"])
        }
        "publish_email" | "send_conversation_message" => places.open("recipient"),
        _ => {}
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// `/crm/objects/2026-03/…` as `/crm/v3/objects/…`.
fn undated<'p>(parts: &[&'p str]) -> Option<Vec<&'p str>> {
    let [area, kind, version, rest @ ..] = parts else {
        return None;
    };
    let dated = version.len() == 7 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut undated = vec![*area, "v3", *kind];
    undated.extend(rest);
    dated.then_some(undated)
}

/// Everybody whom a mail goes to.
fn addressed(places: &mut Places, arguments: &Map<String, Value>) {
    let mut all = Vec::new();
    for name in ["to", "cc", "bcc", "replyTo"] {
        match arguments
            .get("message")
            .and_then(|message| message.get(name))
        {
            Some(Value::String(one)) => all.push(one.clone()),
            Some(Value::Array(many)) => all.extend(
                many.iter()
                    .filter_map(|one| one.as_str().map(str::to_owned)),
            ),
            _ => {}
        }
    }
    match all.is_empty() {
        true => places.open("recipient"),
        false => places.any("recipient", all),
    }
}
