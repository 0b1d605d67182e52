//! Where a call acts: repositories, branches, channels, paths, hosts, recipients, resources, …
//!
//! `{"repo_patterns": ["acme/*"]}` reads what a normaliser recognised, else what the tool's descriptor
//! maps `repo` to, else the argument `repo`. A tool that has no such thing is not meant; one that
//! could have it and was called without it is unknown, so leaving the repository out is no way
//! around the rule. Of several recipients one that fits is enough.

use serde_json::{Value, json};
use toolgate_model::Glob;

use crate::checker::Checker;
use crate::patterns::PlacePatterns;
use crate::plain::{self, Place};
use crate::reading::Item;
use crate::test::{Key, Test};

macro_rules! place {
    ($constant:ident, $key:literal, $attribute:literal, $doc:literal) => {
        pub(super) const $constant: Key = Key {
            name: $key,
            doc: $doc,
            schema,
            read: |checker, item| over(checker, item, $attribute),
        };
    };
}

place!(
    ACCOUNT,
    "account_patterns",
    "account",
    "globs over the account"
);
place!(BRANCH, "branch_patterns", "branch", "globs over the branch");
place!(
    CHANNEL,
    "channel_patterns",
    "channel",
    "globs over the channel"
);
place!(HOST, "host_patterns", "host", "globs over the host");
place!(ORG, "org_patterns", "org", "globs over the organisation");
place!(PATH, "path_patterns", "path", "globs over the path");
place!(
    PRINCIPAL,
    "principal_patterns",
    "principal",
    "globs over the principal"
);
place!(
    RECIPIENT,
    "recipient_patterns",
    "recipient",
    "globs over the recipient"
);
place!(REGION, "region_patterns", "region", "globs over the region");
place!(REPO, "repo_patterns", "repo", "globs over the repository");
place!(
    RESOURCES,
    "resources",
    "resource",
    "globs over the resource, `customer:*`"
);

fn schema() -> Value {
    json!({"$ref": "#/$defs/patterns"})
}

fn over(checker: &mut Checker<'_, '_>, item: &Item<'_>, name: &str) -> Option<Box<dyn Test>> {
    let globs = checker.report.globs(item)?;
    let term = checker.fact(name)?;
    let place = Place::named(name);
    let globs = globs.into_iter().map(|glob| plain_glob(place, glob.value));
    Some(Box::new(PlacePatterns::new(term, globs.collect())))
}

/// A pattern over the plain form of a place: hosts and the domains of addresses are in lower case.
fn plain_glob(place: Place, glob: Glob) -> Glob {
    let text = glob.as_str();
    match (place, text.rsplit_once('@')) {
        (Place::Host, _) => {
            let exact = plain::host(text).filter(|_| glob.is_exact());
            Glob::new(exact.unwrap_or_else(|| text.to_lowercase()))
        }
        (Place::Recipient, Some((local, domain))) => {
            let exact = plain::name(domain).filter(|_| !domain.contains(['*', '?']));
            let domain = exact.unwrap_or_else(|| domain.to_lowercase());
            Glob::new(format!("{local}@{domain}"))
        }
        _ => glob,
    }
}
