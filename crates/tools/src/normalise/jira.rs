//! Jira: in the cloud, behind Atlassian's gateway, and on a server of one's own.
//!
//! `POST https://acme.atlassian.net/rest/api/3/issue` is `jira.create_issue`. A server of one's own is
//! taken for Jira only under an own domain: else anybody could set up a host that passes for it.
//! `acme.atlassian.net` is the tenant's where it is listed as an own domain; where no place of
//! Atlassian's is, nobody can say.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::address::Address;
use super::body::Speaks;
use super::operation::{Operation, Places, Understood};
use super::own::{is_own, place_is_external};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const JIRA: Service = Service {
    name: "jira",
    speaks: Speaks::Json,
    secrets: &["os_password", "os_username", "jwt"],
    lists: &["expand", "fields", "properties"],
    owns: |address, own| is_cloud(address) || is_own(&address.host, own) && rest(address).is_some(),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/jira.txt")]));

fn is_cloud(address: &Address) -> bool {
    let gateway =
        address.host == "api.atlassian.com" && address.parts().starts_with(&["ex", "jira"]);
    gateway || address.is_under("atlassian.net") || address.is_under("jira.com")
}

/// The path from `/rest` on: a server may stand under a path of its own.
fn rest(address: &Address) -> Option<Vec<&str>> {
    let parts = address.parts();
    let at = match parts.as_slice() {
        ["ex", "jira", _, ..] => 3,
        _ => parts.iter().take(2).position(|part| *part == "rest")?,
    };
    let apis = ["api", "agile", "servicedeskapi"];
    match parts.get(at..) {
        Some(rest @ ["rest", api, ..]) if apis.contains(api) => Some(rest.to_vec()),
        _ => None,
    }
}

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let Some(parts) = rest(asked.address) else {
        return Ok(None);
    };
    let Some(found) = TABLE.find(asked.method, &parts)? else {
        return Ok(None);
    };
    let path: Vec<_> = found
        .path
        .iter()
        .filter(|(name, _)| *name != "v")
        .cloned()
        .collect();
    let arguments = asked.parameters(&path)?;
    let operation = Operation::of(found.row);
    let mut places = Places::default();
    site(&mut places, asked);
    about(&mut places, &arguments);
    if let Some(email) = arguments.get("emailAddress").and_then(Value::as_str) {
        places.set("recipient", email);
        places.0.remove("external");
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// Whose place it is.
fn site(places: &mut Places, asked: &Asked<'_>) {
    let address = asked.address;
    if address.host == "api.atlassian.com" {
        // The gateway names a site by a number that says nothing of whose it is.
        let site = address.segments.get(2).cloned().unwrap_or_default();
        places.set("org", site);
        places.open("external");
        return;
    }
    let family = address
        .host
        .split_once('.')
        .map_or("", |(_, family)| family);
    let site = address.host.split('.').next().unwrap_or_default();
    places.set("org", site);
    places.set(
        "external",
        place_is_external(&address.host, family, asked.own_domains),
    );
}

/// The issue or the project.
fn about(places: &mut Places, arguments: &Map<String, Value>) {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let named = arguments
        .get("fields")
        .and_then(|fields| fields.get("project"));
    let said = |name: &str| named.and_then(|project| project.get(name));
    // Key and id together could name two projects.
    let project = match (said("key"), said("id")) {
        (Some(only), None) | (None, Some(only)) => only.as_str(),
        _ => None,
    };
    if let Some(issue) = text("issueIdOrKey") {
        places.set("resource", format!("issue:{}", issue.to_ascii_uppercase()));
    } else if let Some(project) = project.or(text("projectIdOrKey")) {
        places.set(
            "resource",
            format!("project:{}", project.to_ascii_uppercase()),
        );
    }
}
