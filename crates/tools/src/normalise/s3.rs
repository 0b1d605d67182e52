//! Amazon S3: buckets and objects by method, path and one word in the query.
//!
//! `PUT https://photos.s3.eu-west-1.amazonaws.com/a.png` and
//! `PUT https://s3.eu-west-1.amazonaws.com/photos/a.png` are both `aws.s3.put_object` of
//! `object:photos/a.png`. `?acl`, `?policy` and their like make another operation of the same path;
//! two of them at once are refused. Whose bucket it is cannot be seen.
//!
//! Must not know: other services.

use serde_json::{Map, Value};
use toolgate_model::{Risk, Verb};

use super::aws::places;
use super::aws_host::Place;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::Asked;

/// Words of the query that make another operation of the same path.
const SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Those that say who may do what.
const ACCESS: &[&str] = &[
    "acl",
    "policy",
    "publicAccessBlock",
    "ownershipControls",
    "replication",
    "website",
    "cors",
    "legal-hold",
    "retention",
    "object-lock",
];

/// Reads a request to S3.
///
/// # Errors
/// A [`Refusal`] where it is two operations at once.
pub(super) fn read(asked: &Asked<'_>, place: &Place) -> Result<Option<Understood>, Refusal> {
    let (bucket, key) = thing(asked, place);
    let words: Vec<&str> = asked
        .address
        .query
        .iter()
        .map(|(name, _)| name)
        .filter(|name| SUBRESOURCES.contains(name))
        .collect();
    if words.len() > 1 {
        return Err(Refusal::at("query", "names two operations of one path"));
    }
    let mut arguments = asked.parameters(&[])?;
    for (name, value) in [("bucket", &bucket), ("key", &key)] {
        if let Some(value) = value {
            super::service::put(&mut arguments, name, Value::from(value.as_str()))?;
        }
    }
    let subject = if key.is_some() { "object" } else { "bucket" };
    let Some(operation) = operation(asked, (bucket.is_some(), subject), words.first().copied())
    else {
        return Ok(None);
    };
    let mut places = places(place, asked, &arguments);
    match (&bucket, &key) {
        (Some(bucket), Some(key)) => {
            places.set("resource", format!("object:{bucket}/{key}"));
            places.set("path", key.as_str());
        }
        (Some(bucket), None) => places.set("resource", format!("bucket:{bucket}")),
        (None, _) => {}
    }
    outside(&mut places, &operation, asked, &arguments);
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// Bucket and key: from host and path, or from the path alone.
fn thing(asked: &Asked<'_>, place: &Place) -> (Option<String>, Option<String>) {
    let segments = &asked.address.segments;
    let (bucket, rest) = match &place.before {
        Some(bucket) => (Some(bucket.clone()), segments.as_slice()),
        None => (
            segments.first().cloned(),
            segments.get(1..).unwrap_or_default(),
        ),
    };
    let mut key = rest.join("/");
    if asked.address.trailing && !key.is_empty() {
        key.push('/');
    }
    (bucket, (!key.is_empty()).then_some(key))
}

fn operation(
    asked: &Asked<'_>,
    (bucket, subject): (bool, &str),
    word: Option<&str>,
) -> Option<Operation> {
    let has = |name: &str| asked.address.query.get(name).is_some();
    let object = subject == "object";
    let plain = |name: &str, verb, risk| {
        Some(Operation::named(format!("s3.{name}"), "s3").rated(verb, risk))
    };
    match (asked.method, word) {
        ("GET" | "HEAD", Some("uploads")) => plain("list_multipart_uploads", Verb::Read, Risk::Low),
        ("GET" | "HEAD", Some("versions")) => plain("list_object_versions", Verb::Read, Risk::Low),
        ("GET" | "HEAD", Some(word)) => plain(
            &format!("get_{subject}_{}", spoken(word)),
            Verb::Read,
            Risk::Low,
        ),
        ("GET" | "HEAD", None) if object => plain("get_object", Verb::Read, Risk::Medium),
        ("GET" | "HEAD", None) if bucket => plain("list_objects", Verb::Read, Risk::Low),
        ("GET", None) => plain("list_buckets", Verb::Read, Risk::Low),
        ("POST", Some("delete")) => plain("delete_objects", Verb::Delete, Risk::Critical),
        ("POST", Some("uploads")) => plain("create_multipart_upload", Verb::Write, Risk::Medium),
        ("POST", Some("select")) => plain("select_object_content", Verb::Read, Risk::Medium),
        ("POST", Some("restore")) => plain("restore_object", Verb::Write, Risk::Medium),
        ("POST", None) if has("uploadId") => {
            plain("complete_multipart_upload", Verb::Write, Risk::Medium)
        }
        ("POST", None) if bucket => plain("put_object", Verb::Write, Risk::Medium),
        ("PUT", Some(word)) => {
            let name = format!("put_{subject}_{}", spoken(word));
            match ACCESS.contains(&word) {
                true => plain(&name, Verb::Admin, Risk::Critical),
                false => plain(&name, Verb::Write, Risk::High),
            }
        }
        ("PUT", None) if has("uploadId") => plain("upload_part", Verb::Write, Risk::Medium),
        ("PUT", None) if asked.headers.get("x-amz-copy-source").is_some() => {
            plain("copy_object", Verb::Write, Risk::Medium)
        }
        ("PUT", None) if object => plain("put_object", Verb::Write, Risk::Medium),
        ("PUT", None) if bucket => plain("create_bucket", Verb::Admin, Risk::High),
        ("DELETE", Some(word)) if ACCESS.contains(&word) => plain(
            &format!("delete_{subject}_{}", spoken(word)),
            Verb::Admin,
            Risk::Critical,
        ),
        ("DELETE", Some(word)) => plain(
            &format!("delete_{subject}_{}", spoken(word)),
            Verb::Delete,
            Risk::High,
        ),
        ("DELETE", None) if has("uploadId") => {
            plain("abort_multipart_upload", Verb::Delete, Risk::Medium)
        }
        ("DELETE", None) if object => plain("delete_object", Verb::Delete, Risk::High),
        ("DELETE", None) if bucket => plain("delete_bucket", Verb::Delete, Risk::Critical),
        _ => None,
    }
}

/// A word of the query as part of a name.
fn spoken(word: &str) -> String {
    super::graphql::snake(&word.replace('-', "_"))
}

/// Whether everybody, or somebody else, may read what is written.
fn outside(
    places: &mut Places,
    operation: &Operation,
    asked: &Asked<'_>,
    arguments: &Map<String, Value>,
) {
    let open = |value: &str| value.starts_with("public-") || value == "authenticated-read";
    let acl = asked
        .headers
        .get("x-amz-acl")
        .or_else(|| arguments.get("acl")?.as_str());
    let everybody =
        asked.headers.kept.iter().any(|(name, value)| {
            name.starts_with("x-amz-grant-") && value.contains("groups/global/")
        });
    if acl.is_some_and(open) || everybody {
        places.set("external", true);
    } else if operation.verb != Some(Verb::Read) {
        // Whose bucket it is that is written to, or who is in a policy, is not in the request.
        places.open("external");
    }
}
