//! Google Drive: files, and with whom they are shared.
//!
//! `POST …/drive/v3/files/{fileId}/permissions` is `gdrive.share_file` where it lets in one of the
//! own domains, and `gdrive.share_file_external` where it lets in anybody else or everybody. Where
//! no own domains are configured, everybody else is all there is.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use toolgate_model::Risk;

use super::body::Speaks;
use super::google::{self, text};
use super::operation::{Operation, Places, Understood};
use super::own::{is_own, is_own_address};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const GDRIVE: Service = Service {
    name: "gdrive",
    speaks: Speaks::Json,
    secrets: google::SECRETS,
    lists: &["includeLabels", "spaces"],
    owns: |address, _| google::is_of(address, "drive"),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/gdrive.txt")]));

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    if let Some(batch) = google::batch(asked)? {
        return Ok(Some(batch));
    }
    let Some(found) = asked.find(&TABLE)? else {
        return Ok(None);
    };
    let arguments = asked.parameters(&found.path)?;
    let mut operation = Operation::of(found.row);
    let mut places = Places::default();
    if let Some(file) = text(&arguments, "fileId") {
        places.set("resource", format!("file:{file}"));
    }
    match operation.name.as_str() {
        "share_file" => share(&mut operation, &mut places, &arguments, asked.own_domains),
        // Whom a permission is for is not said where it is changed.
        "update_permission" => places.open("external"),
        "get_file" if text(&arguments, "alt") == Some("media") => {
            operation.name = "download_file".to_owned();
            operation.risk = Some(Risk::Medium);
        }
        // Links that are published and files that everybody may read.
        "update_revision" => places.open("external"),
        _ => {}
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

fn share(
    operation: &mut Operation,
    places: &mut Places,
    arguments: &Map<String, Value>,
    own: &[String],
) {
    // Version 2 says `value` for an address or a domain.
    let of = |name| text(arguments, name).or_else(|| text(arguments, "value"));
    let (address, domain) = (of("emailAddress"), of("domain"));
    let inside = match text(arguments, "type") {
        Some("user" | "group") => address.is_some_and(|address| is_own_address(address, own)),
        Some("domain") => domain.is_some_and(|domain| is_own(domain, own)),
        _ => false,
    };
    let recipient = match text(arguments, "type") {
        Some("domain") => domain,
        Some("anyone") => Some("anyone"),
        _ => address,
    };
    match recipient {
        Some(recipient) => places.set("recipient", recipient),
        None => places.open("recipient"),
    }
    places.set("external", !inside);
    if !inside {
        operation.name = "share_file_external".to_owned();
        operation.risk = Some(Risk::Critical);
    }
    let owner = text(arguments, "role") == Some("owner");
    if owner
        || arguments
            .get("transferOwnership")
            .is_some_and(|value| value != "false" && *value != Value::Bool(false))
    {
        operation.risk = Some(Risk::Critical);
    }
}
