//! Slack: the Web API and incoming webhooks.
//!
//! `POST https://slack.com/api/chat.postMessage` and `POST https://hooks.slack.com/services/T…/B…/…`
//! are both `slack.post_message`. A method that looks may be asked with `GET`, one that writes too:
//! Slack takes both, so both are recognised. The last part of a webhook's path is its password.
//!
//! Whether a channel is shared with another company cannot be seen from its id; an invitation of
//! another company can. Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use toolgate_model::{Risk, Verb};

use super::address::Address;
use super::body::Speaks;
use super::operation::{Operation, Places, Understood};
use super::own::{is_own_address, place_is_external};
use super::refusal::Refusal;
use super::service::{Asked, Service};
use super::table::Table;

/// The service.
pub(super) const SLACK: Service = Service {
    name: "slack",
    speaks: Speaks::AsTyped,
    secrets: &["token"],
    lists: &[],
    owns: |address, _| FAMILIES.iter().any(|family| address.is_under(family)),
    read,
    secret_segment: |address| (is_webhook(address) && address.segments.len() > 3).then_some(3),
};

/// Domains that are Slack's own.
const FAMILIES: &[&str] = &["slack.com", "slack-gov.com"];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/slack.txt")]));

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    if is_webhook(asked.address) {
        return webhook(asked);
    }
    if !is_api(&asked.address.host) || !matches!(asked.method, "GET" | "POST") {
        return Ok(None);
    }
    let Some(found) = TABLE.find("POST", &asked.address.parts())? else {
        return Ok(None);
    };
    let arguments = asked.parameters(&found.path)?;
    let operation = Operation::of(found.row);
    let mut places = places(&operation, &arguments, asked.own_domains);
    if let Some(place) = workspace(&asked.address.host, asked.own_domains) {
        places.0.entry("external").or_insert(place);
    }
    places.0.entry("external").or_insert(Value::Bool(false));
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

fn is_webhook(address: &Address) -> bool {
    let hooks = FAMILIES
        .iter()
        .any(|family| address.host == format!("hooks.{family}"));
    hooks && !address.segments.is_empty()
}

/// `slack.com`, or a workspace's own `acme.slack.com`; files and pages live elsewhere.
fn is_api(host: &str) -> bool {
    !["files.", "hooks.", "status.", "app."]
        .iter()
        .any(|start| host.starts_with(start))
}

fn webhook(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let posts = asked.method == "POST";
    let parts = asked.address.parts();
    let operation = match parts.as_slice() {
        ["services", _, _, _] if posts => Operation {
            parameters: Some(WEBHOOK.iter().map(|name| (*name).to_owned()).collect()),
            template: "/services/{team}/{webhook}".to_owned(),
            ..Operation::named("post_message", "webhooks")
        }
        .rated(Verb::Write, Risk::Medium),
        ["workflows" | "triggers", ..] if posts => {
            Operation::named("run_workflow", "webhooks").rated(Verb::Write, Risk::High)
        }
        _ => return Ok(None),
    };
    let arguments = asked.parameters(&[])?;
    let mut places = Places::default();
    places.open("channel");
    // Which workspace a webhook belongs to is a number that says nothing of whose it is.
    places.open("external");
    if let ["services", team, ..] = parts.as_slice() {
        places.set("account", *team);
        places.set("resource", format!("webhook:{team}"));
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// What a webhook takes.
const WEBHOOK: &[&str] = &[
    "text",
    "blocks",
    "attachments",
    "channel",
    "username",
    "icon_emoji",
    "thread_ts",
];

/// Whether another company is meant by the host: none for the host that all share.
fn workspace(host: &str, own_domains: &[String]) -> Option<Value> {
    let family = FAMILIES.iter().find(|family| host.ends_with(**family))?;
    let own_name = host.strip_suffix(family)?;
    match own_name {
        "" | "www." | "api." => None,
        _ => Some(place_is_external(host, family, own_domains)),
    }
}

fn places(operation: &Operation, arguments: &Map<String, Value>, own: &[String]) -> Places {
    let mut places = Places::default();
    let takes = |name: &str| {
        let named = operation
            .parameters
            .iter()
            .flatten()
            .any(|known| known == name);
        named || arguments.contains_key(name)
    };
    const CHANNELS: &[&str] = &["channel", "channel_id", "channels", "channel_ids"];
    if CHANNELS.iter().any(|name| takes(name)) {
        places.any("channel", channels(arguments, CHANNELS));
        places.0.entry("channel").or_insert(Value::Null);
    }
    // Of several channels none is what the call is about: a grant for one is none for another.
    if let [only] = named(arguments, CHANNELS).as_slice() {
        places.set(
            "resource",
            format!("channel:{}", only.trim_start_matches('#')),
        );
    }
    let people = named(arguments, &["emails", "email", "users", "user_ids", "user"]);
    match operation.name.as_str() {
        "invite_external" | "invite_user" => {
            let emails = named(arguments, &["emails", "email"]);
            let inside = !emails.is_empty() && emails.iter().all(|one| is_own_address(one, own));
            // Whoever is invited by id alone may be of any company.
            places.set("external", operation.name == "invite_external" || !inside);
            places.any("recipient", people);
        }
        "accept_external_invite"
        | "approve_external_invite"
        | "set_external_permissions"
        | "share_channel_with_teams"
        | "share_file_publicly" => places.set("external", true),
        "open_conversation" | "invite_to_channel" | "post_ephemeral" => {
            places.any("recipient", people)
        }
        _ => {}
    }
    places
}

/// The channels that are named, each with and without its `#`: rules write either.
fn channels(arguments: &Map<String, Value>, keys: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for name in named(arguments, keys) {
        match name.strip_prefix('#') {
            Some(bare) => all.extend([bare.to_owned(), name.clone()]),
            None => all.push(name),
        }
    }
    all
}

/// The texts of these arguments: a list, or names with commas between them.
fn named(arguments: &Map<String, Value>, keys: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for value in keys.iter().filter_map(|key| arguments.get(*key)) {
        for text in texts(value) {
            let parts = text.split(',').map(|part| part.trim().to_owned());
            all.extend(parts.filter(|part| !part.is_empty()));
        }
    }
    all
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}
