//! AWS: the service is in the host, the action in a field, a header, or method and path.
//!
//! `POST https://iam.amazonaws.com/` with `Action=AttachUserPolicy&UserName=bob&PolicyArn=…` is
//! `aws.iam.attach_user_policy`, about the principals `bob` and the policy. DynamoDB and its like
//! say `X-Amz-Target: DynamoDB_20120810.PutItem`. A request that names its action twice is refused.
//!
//! Which account a request acts in follows from its signature; only names within it are seen.
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use toolgate_model::{Risk, Verb};

use super::arn;
use super::aws_host::{self, Place, place};
use super::body::Speaks;
use super::graphql::snake;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::s3;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const AWS: Service = Service {
    name: "aws",
    speaks: Speaks::AsTyped,
    secrets: &[
        "AWSAccessKeyId",
        "Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
    ],
    lists: &[],
    owns: |address, _| aws_host::is_own(address),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/aws.txt")]));

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let place = place(asked.address);
    if place.service == "s3" {
        return s3::read(asked, &place);
    }
    let mut arguments = asked.parameters(&[])?;
    let target = asked.headers.get("x-amz-target");
    let action = arguments.remove("Action");
    let action = match (target, &action) {
        (Some(_), Some(_)) => return Err(Refusal::twice("Action")),
        (Some(target), None) => target.rsplit_once('.').map_or(target, |(_, action)| action),
        (None, Some(Value::String(action))) => action.as_str(),
        (None, Some(_)) => return Err(Refusal::at("Action", "is not a text")),
        (None, None) => return by_path(asked, &place),
    };
    let name = word(action)?;
    arguments.remove("Version");
    let operation = named(&place.service, &name);
    let places = places(&place, asked, &arguments);
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

fn word(action: &str) -> Result<String, Refusal> {
    let plain = !action.is_empty()
        && action.len() <= 100
        && action.bytes().all(|b| b.is_ascii_alphanumeric());
    plain
        .then(|| snake(action))
        .ok_or_else(|| Refusal::at("Action", "is no name of an action"))
}

fn by_path(asked: &Asked<'_>, place: &Place) -> Result<Option<Understood>, Refusal> {
    let mut parts = vec![place.service.as_str()];
    parts.extend(asked.address.parts());
    let Some(found) = TABLE.find(asked.method, &parts)? else {
        return Ok(None);
    };
    let arguments = asked.parameters(&found.path)?;
    let places = places(place, asked, &arguments);
    Ok(Some(Understood {
        operation: Operation::of(found.row),
        arguments,
        places,
    }))
}

/// First words of actions that only look.
const LOOKS: &[&str] = &[
    "batch_get",
    "check",
    "describe",
    "detect",
    "estimate",
    "filter",
    "get",
    "head",
    "list",
    "lookup",
    "preview",
    "query",
    "receive",
    "scan",
    "search",
    "select",
    "simulate",
    "test",
    "transact_get",
    "validate",
    "verify",
];

/// First words of actions that take something away.
const TAKES: &[&str] = &[
    "batch_delete",
    "cancel",
    "delete",
    "deregister",
    "disassociate",
    "purge",
    "remove",
    "revoke",
    "terminate",
];

/// Services whose changes are about who may do what.
const ACCESS: &[&str] = &[
    "iam",
    "identitystore",
    "kms",
    "organizations",
    "ram",
    "secretsmanager",
    "sso",
    "sts",
];

/// Words of actions that hand out rights.
const GRANTS: &[&str] = &[
    "access_key",
    "assume_role",
    "attach",
    "grant",
    "group",
    "login_profile",
    "mfa",
    "password",
    "permission",
    "policy",
    "resource_share",
    "saml",
    "trust",
    "attribute",
];

fn named(service: &str, name: &str) -> Operation {
    let starts = |words: &[&str]| {
        words.iter().any(|word| {
            name == *word
                || name
                    .strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with('_'))
        })
    };
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let access = ACCESS.contains(&service);
    let policy = name.contains("policy") || name.contains("permission");
    let secret = access
        && [
            "get_secret_value",
            "get_session_token",
            "get_federation_token",
            "generate_data_key",
            "decrypt",
        ]
        .contains(&name);
    let (verb, risk) = match () {
        () if secret => (Verb::Admin, Some(Risk::Critical)),
        () if starts(LOOKS) => (Verb::Read, None),
        () if access && has(GRANTS) => (Verb::Admin, Some(Risk::Critical)),
        () if access => (Verb::Admin, Some(Risk::High)),
        () if starts(TAKES) => (Verb::Delete, Some(Risk::High)),
        () if policy => (Verb::Admin, Some(Risk::Critical)),
        () => (Verb::Write, None),
    };
    Operation {
        verb: Some(verb),
        risk,
        ..Operation::named(format!("{service}.{name}"), service)
    }
}

/// Arguments that name who may do something, or what they may.
const PRINCIPALS: &[&str] = &[
    "UserName",
    "RoleName",
    "GroupName",
    "PolicyArn",
    "RoleArn",
    "PrincipalArn",
    "Principal",
    "GranteePrincipal",
    "PrincipalId",
    "InstanceProfileName",
];

/// Places that all services have.
pub(super) fn places(place: &Place, asked: &Asked<'_>, arguments: &Map<String, Value>) -> Places {
    let mut places = Places::default();
    match &place.region {
        Some(region) => places.set("region", region.as_str()),
        None => places.open("region"),
    }
    let mut accounts = arn::accounts(arguments.values());
    let others = asked.address.segments.iter().chain(&place.before);
    accounts.extend(others.filter(|text| arn::is_account(text)).cloned());
    match accounts.is_empty() {
        true => places.open("account"),
        false => places.any("account", accounts),
    }
    let texts = |names: &[&str]| -> Vec<String> {
        let found = names
            .iter()
            .filter_map(|name| arguments.get(*name)?.as_str());
        found.map(str::to_owned).collect()
    };
    let principals = texts(PRINCIPALS);
    let public = principals.iter().any(|one| one == "*");
    if let Some(first) = principals.first() {
        places.set("resource", format!("{}:{first}", place.service));
    }
    places.any("principal", principals);
    places.set("tags", tags(arguments));
    places.any("recipient", recipients(arguments));
    if public {
        places.set("external", true);
    }
    // Who is on a list of accounts, or in a policy, is nobody that a domain could tell.
    const SHARES: &[&str] = &[
        "PolicyDocument",
        "Policy",
        "AssumeRolePolicyDocument",
        "AccountId",
        "AccountIds",
        "LaunchPermission",
    ];
    let shares = arguments.keys().any(|name| {
        SHARES.iter().any(|share| name.starts_with(share)) || name.starts_with("UserId")
    });
    if shares {
        places.0.entry("external").or_insert(Value::Null);
    }
    places
}

/// Tags in any of the ways in which AWS writes them, by key.
fn tags(arguments: &Map<String, Value>) -> Map<String, Value> {
    let mut tags = Map::new();
    for (name, value) in arguments {
        // `Tags.member.1.Key`, `TagSpecification.1.Tag.2.Key`, `Tag.1.Key`
        if let Some(stem) = name
            .strip_suffix(".Key")
            .filter(|stem| stem.contains("Tag"))
        {
            let said = arguments
                .get(&format!("{stem}.Value"))
                .cloned()
                .unwrap_or_default();
            tags.insert(value.as_str().unwrap_or_default().to_owned(), said);
        }
    }
    match arguments.get("Tags").or_else(|| arguments.get("tags")) {
        Some(Value::Array(items)) => {
            for item in items {
                if let Some(key) = item.get("Key").and_then(Value::as_str) {
                    tags.insert(
                        key.to_owned(),
                        item.get("Value").cloned().unwrap_or_default(),
                    );
                }
            }
        }
        Some(Value::Object(members)) => tags.extend(members.clone()),
        _ => {}
    }
    tags
}

/// Whom a mail or a message goes to.
fn recipients(arguments: &Map<String, Value>) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in arguments {
        let flat = name.starts_with("Destination") || name == "PhoneNumber";
        match value {
            Value::String(text) if flat && (text.contains('@') || name == "PhoneNumber") => {
                all.push(text.clone())
            }
            Value::Object(kinds) if name == "Destination" => {
                let lists = kinds.values().filter_map(Value::as_array).flatten();
                all.extend(lists.filter_map(|item| item.as_str().map(str::to_owned)));
            }
            _ => {}
        }
    }
    all
}
