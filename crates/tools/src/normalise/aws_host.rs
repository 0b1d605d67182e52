//! Hosts of AWS: which service, in which region, and what stands before.
//!
//! `photos.s3.eu-west-1.amazonaws.com` is S3 in `eu-west-1` with `photos` before it; `email` is the
//! host of the service that everybody calls SES.
//!
//! Must not know: what requests ask.

use super::address::Address;

/// Domains that AWS serves its services under.
const DOMAINS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "on.aws",
];

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

/// Whether AWS serves its services under this address.
pub(super) fn is_own(address: &Address) -> bool {
    DOMAINS.iter().any(|domain| address.is_under(domain))
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
