//! Salesforce: records, queries, and requests that carry others.
//!
//! `PATCH https://acme.my.salesforce.com/services/data/v60.0/sobjects/Account/001xx` is
//! `salesforce.update_record` of `Account:001xx`. `/composite` and `/composite/batch` carry whole
//! requests of their own: they are a `batch` of high risk, whatever is inside.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use toolgate_model::Risk;

use super::body::Speaks;
use super::operation::{Operation, Places, Understood};
use super::own::place_is_external;
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const SALESFORCE: Service = Service {
    name: "salesforce",
    speaks: Speaks::AsTyped,
    secrets: &[
        "access_token",
        "assertion",
        "client_secret",
        "password",
        "refresh_token",
        "sid",
    ],
    lists: &[],
    owns: |address, _| FAMILIES.iter().any(|family| address.is_under(family)),
    read,
    secret_segment: no_secret,
};

/// Domains that Salesforce serves its tenants under.
const FAMILIES: &[&str] = &[
    "salesforce.com",
    "force.com",
    "cloudforce.com",
    "salesforce-setup.com",
];

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(&[include_str!("tables/salesforce.txt")]));

/// Objects that say who may do what.
const ACCESS: &[&str] = &[
    "user",
    "userrole",
    "profile",
    "permissionset",
    "permissionsetassignment",
    "group",
    "groupmember",
    "setupentityaccess",
    "connectedapplication",
];

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let Some(found) = asked.find(&TABLE)? else {
        return Ok(None);
    };
    let path: Vec<_> = found
        .path
        .iter()
        .filter(|(name, _)| *name != "v")
        .cloned()
        .collect();
    let arguments = asked.parameters(&path)?;
    let mut operation = Operation::of(found.row);
    let mut places = Places::default();
    let said = |name: &str| {
        path.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    };
    if let Some(object) = said("sobject") {
        operation.category = Some(object.to_owned());
        let access = ACCESS
            .iter()
            .any(|known| object.eq_ignore_ascii_case(known));
        if access && operation.verb != Some(toolgate_model::Verb::Read) {
            operation.verb = Some(toolgate_model::Verb::Admin);
            operation.risk = Some(Risk::Critical);
        }
        let id = said("id").or_else(|| said("value")).unwrap_or("*");
        places.set("resource", format!("{object}:{id}"));
    }
    let host = asked.address.host.as_str();
    places.set("org", host.split('.').next().unwrap_or_default());
    let shared = ["login.salesforce.com", "test.salesforce.com"].contains(&host);
    let family = FAMILIES
        .iter()
        .find(|family| asked.address.is_under(family))
        .copied()
        .unwrap_or_default();
    places.set(
        "external",
        if shared {
            Value::Bool(false)
        } else {
            place_is_external(host, family, asked.own_domains)
        },
    );
    if operation.name == "send_email" {
        places.any("recipient", recipients(&arguments));
        places.0.remove("external");
        places.0.entry("recipient").or_insert(Value::Null);
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// Whom the action that sends mail sends it to.
fn recipients(arguments: &Map<String, Value>) -> Vec<String> {
    let inputs = arguments.get("inputs").and_then(Value::as_array);
    let mut all = Vec::new();
    for input in inputs.into_iter().flatten() {
        for name in [
            "emailAddresses",
            "emailAddressesArray",
            "ccRecipientAddressList",
            "bccRecipientAddressList",
        ] {
            match input.get(name) {
                Some(Value::String(text)) => {
                    all.extend(text.split(',').map(|one| one.trim().to_owned()))
                }
                Some(Value::Array(items)) => all.extend(
                    items
                        .iter()
                        .filter_map(|item| item.as_str().map(str::to_owned)),
                ),
                _ => {}
            }
        }
    }
    all
}
