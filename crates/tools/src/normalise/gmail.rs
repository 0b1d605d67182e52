//! Gmail: mails, drafts, and the settings that send mail on.
//!
//! `POST …/users/me/messages/send` is `gmail.send_message`; its `raw` is undone, so that rules see
//! recipients, subject and text. A draft that is sent by its id alone has recipients that nobody
//! can see in the call.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::body::{Body, Speaks};
use super::google::{self, text};
use super::mail::{self, Mail};
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret, put};
use super::table::Table;

/// The service.
pub(super) const GMAIL: Service = Service {
    name: "gmail",
    speaks: Speaks::Json,
    secrets: google::SECRETS,
    lists: &["historyTypes", "labelIds", "metadataHeaders"],
    owns: |address, _| google::is_of(address, "gmail"),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/gmail.txt")]));

/// Operations that carry a mail.
const MAILS: &[&str] = &[
    "send_message",
    "create_draft",
    "update_draft",
    "insert_message",
    "import_message",
];

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    if let Some(batch) = google::batch(asked)? {
        return Ok(Some(batch));
    }
    let Some(found) = asked.find(&TABLE)? else {
        return Ok(None);
    };
    let mut arguments = asked.parameters(&found.path)?;
    let operation = Operation::of(found.row);
    let mut places = Places::default();
    if let Some(user) = text(&arguments, "userId") {
        places.set("resource", format!("mailbox:{user}"));
        places.set("account", user);
    }
    if MAILS.contains(&operation.name.as_str()) {
        let mail = mail_of(&mut arguments, asked.body)?;
        let recipients = mail
            .as_ref()
            .map(|mail| mail.recipients.clone())
            .unwrap_or_default();
        match recipients.is_empty() {
            true => places.open("recipient"),
            false => places.any("recipient", recipients),
        }
        for (name, value) in mail.map(|mail| mail.arguments).unwrap_or_default() {
            put(&mut arguments, &name, value)?;
        }
    }
    forwards(&mut places, &arguments);
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// The mail in a request: as `raw`, within `message`, or as the body itself.
fn mail_of(arguments: &mut Map<String, Value>, body: &Body) -> Result<Option<Mail>, Refusal> {
    let inner = arguments.get_mut("message").and_then(Value::as_object_mut);
    let nested = inner.and_then(|message| message.remove("raw"));
    let raw = match (arguments.remove("raw"), nested) {
        (Some(_), Some(_)) => return Err(Refusal::twice("raw")),
        (one, other) => one.or(other),
    };
    match (raw, body) {
        (Some(Value::String(raw)), _) => mail::decode(&raw).map(Some),
        (Some(_), _) => Err(Refusal::at("raw", "is not a text")),
        (None, Body::Text(text)) => {
            arguments.remove("body");
            mail::read(text).map(Some)
        }
        (None, Body::Multipart(parts, _)) => {
            arguments.remove("content");
            let part = parts
                .iter()
                .find(|part| part.media.as_deref() == Some("message/rfc822"));
            part.map(|part| mail::read(&part.text)).transpose()
        }
        (None, Body::Nothing | Body::Json(_) | Body::Form(_)) => Ok(None),
    }
}

/// Whom settings send mail on to.
fn forwards(places: &mut Places, arguments: &Map<String, Value>) {
    const NAMES: &[&str] = &[
        "forwardingEmail",
        "delegateEmail",
        "emailAddress",
        "sendAsEmail",
    ];
    let named = NAMES.iter().find_map(|name| text(arguments, name));
    let action = arguments
        .get("action")
        .and_then(|action| action.get("forward"));
    if let Some(address) = named.or(action.and_then(Value::as_str)) {
        places.set("recipient", address);
    }
}
