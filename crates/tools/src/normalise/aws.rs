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

use super::address::Address;
use super::arn;
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
    owns: |address, _| DOMAINS.iter().any(|domain| address.is_under(domain)),
    read,
    secret_segment: no_secret,
};

/// Domains that AWS serves its services under.
const DOMAINS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "on.aws",
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(&[include_str!("tables/aws.txt")]));

/// What a host says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// `iam`, `s3`, `dynamodb`.
    pub(super) service: String,
    /// `eu-west-1`; none for a service that has no regions.
    pub(super) region: Option<String>,
    /// What stands before the service: a bucket, an account, an id.
    pub(super) before: Option<String>,
}

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

/// Labels of the host from its end: domain, region, service, and what stands before.
pub(super) fn place(address: &Address) -> Place {
    let host = address.host.as_str();
    let rest = DOMAINS
        .iter()
        .filter(|domain| address.is_under(domain))
        .find_map(|domain| host.strip_suffix(domain)?.strip_suffix('.'));
    let labels: Vec<&str> = rest.unwrap_or_default().split('.').collect();
    let s3 = labels
        .iter()
        .rposition(|label| *label == "s3" || label.starts_with("s3-") && *label != "s3-control");
    let known = |label: &&&str| is_region(label);
    let mut place = Place {
        region: labels
            .iter()
            .rev()
            .find(known)
            .map(|region| (*region).to_owned()),
        ..Place::default()
    };
    let at = match s3 {
        Some(at) => {
            let legacy = labels.get(at).and_then(|label| label.strip_prefix("s3-"));
            place.region = place
                .region
                .or_else(|| legacy.filter(|text| is_region(text)).map(str::to_owned));
            place.service = "s3".to_owned();
            at
        }
        None => {
            let skipped = |label: &str| {
                is_region(label) || label.is_empty() || ["vpce", "dualstack"].contains(&label)
            };
            let at = labels
                .iter()
                .rposition(|label| !skipped(label))
                .unwrap_or_default();
            let label = labels.get(at).copied().unwrap_or_default();
            place.service = alias(label.strip_suffix("-fips").unwrap_or(label)).to_owned();
            at
        }
    };
    let before: Vec<&str> = labels
        .iter()
        .take(at)
        .filter(|label| !is_region(label))
        .copied()
        .collect();
    let before = before.join(".");
    place.before = (!before.is_empty()).then_some(before);
    place
}

/// Services whose host says another word than their name.
fn alias(label: &str) -> &str {
    match label {
        "email" => "ses",
        "monitoring" => "cloudwatch",
        "queue" => "sqs",
        "bedrock-runtime" => "bedrock",
        other => other,
    }
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.split_last() {
        Some((last, rest)) => {
            rest.len() >= 2
                && rest.iter().all(letters)
                && rest.first().is_some_and(|first| first.len() <= 4)
                && last.len() == 1
                && last.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    }
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

#[cfg(test)]
mod tests {
    use super::{Address, Place, place};

    #[test]
    fn a_host_says_service_region_and_what_is_before() {
        for (host, service, region, before) in [
            ("iam.amazonaws.com", "iam", None, None),
            (
                "ec2.eu-west-1.amazonaws.com",
                "ec2",
                Some("eu-west-1"),
                None,
            ),
            (
                "ec2-fips.us-gov-west-1.amazonaws.com",
                "ec2",
                Some("us-gov-west-1"),
                None,
            ),
            (
                "dynamodb.cn-north-1.amazonaws.com.cn",
                "dynamodb",
                Some("cn-north-1"),
                None,
            ),
            (
                "email.us-east-1.amazonaws.com",
                "ses",
                Some("us-east-1"),
                None,
            ),
            (
                "us-east-1.queue.amazonaws.com",
                "sqs",
                Some("us-east-1"),
                None,
            ),
            ("s3.amazonaws.com", "s3", None, None),
            (
                "b.s3.eu-west-1.amazonaws.com",
                "s3",
                Some("eu-west-1"),
                Some("b"),
            ),
            (
                "my.b.s3-us-west-2.amazonaws.com",
                "s3",
                Some("us-west-2"),
                Some("my.b"),
            ),
            (
                "b.s3.dualstack.eu-west-1.amazonaws.com",
                "s3",
                Some("eu-west-1"),
                Some("b"),
            ),
            (
                "123456789012.s3-control.eu-west-1.amazonaws.com",
                "s3-control",
                Some("eu-west-1"),
                Some("123456789012"),
            ),
            (
                "x1.execute-api.eu-west-1.amazonaws.com",
                "execute-api",
                Some("eu-west-1"),
                Some("x1"),
            ),
            (
                "api.ecr.eu-west-1.amazonaws.com",
                "ecr",
                Some("eu-west-1"),
                Some("api"),
            ),
            (
                "lambda.eu-west-1.api.aws",
                "lambda",
                Some("eu-west-1"),
                None,
            ),
        ] {
            let address = Address::read(&format!("https://{host}/")).unwrap();
            let own = |text: Option<&str>| text.map(str::to_owned);
            let expected = Place {
                service: service.to_owned(),
                region: own(region),
                before: own(before),
            };
            assert_eq!(place(&address), expected, "{host}");
        }
    }
}
