//! GitHub: REST, GraphQL, uploads, raw files, git over HTTP and its large files.
//!
//! `PUT https://api.github.com/repos/Acme/site/contents/docs/a.md` is `github.update_file`, about
//! `repo:acme/site`. Owners and repositories have no letter case, so their places are given in lower
//! case, and as written beside. `/repositories/{id}/…` is the same as `/repos/{owner}/{repo}/…`
//! without saying which repository: nobody can say then, and rules about repositories hold.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use toolgate_model::{Risk, Verb};

use super::address::Address;
use super::body::Speaks;
use super::graphql;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret};
use super::table::Table;

/// The service.
pub(super) const GITHUB: Service = Service {
    name: "github",
    speaks: Speaks::Json,
    secrets: &["access_token", "client_secret", "token"],
    lists: &[],
    owns: |address, _| FAMILIES.iter().any(|family| address.is_under(family)),
    read,
    secret_segment: no_secret,
};

/// Domains that are GitHub's own. `ghe.com` has a company's own place each.
const FAMILIES: &[&str] = &["github.com", "ghe.com", "githubusercontent.com"];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(&[
        include_str!("tables/github.hand.txt"),
        include_str!("tables/github.txt"),
    ])
});

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let address = asked.address;
    match address.host.as_str() {
        "raw.githubusercontent.com" => raw(asked),
        "github.com" | "www.github.com" => git(asked),
        _ if !is_api(address) => Ok(None),
        _ if graphql_path(&address.parts()) => query(asked),
        _ => rest(asked),
    }
}

fn is_api(address: &Address) -> bool {
    address.host == "api.github.com"
        || address.host == "uploads.github.com"
        || address.is_under("ghe.com")
            && ["api.", "uploads."]
                .iter()
                .any(|start| address.host.starts_with(start))
}

fn graphql_path(parts: &[&str]) -> bool {
    matches!(parts, [only] if only.eq_ignore_ascii_case("graphql"))
}

fn rest(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let parts = asked.address.parts();
    let (parts, by_number) = unnumbered(&parts);
    let Some(found) = TABLE.find(asked.method, &parts)? else {
        return Ok(None);
    };
    let path: Vec<(&'static str, String)> = match by_number {
        // The stand-ins for owner and repository are no parameters of the request.
        true => found
            .path
            .into_iter()
            .filter(|(name, _)| !OWNERS.contains(name) && *name != "repo")
            .collect(),
        false => found.path,
    };
    let arguments = asked.parameters(&path)?;
    let operation = Operation::of(found.row);
    let mut places = Places::default();
    owner(&mut places, &operation, &path, &arguments);
    if by_number {
        places.open("org");
        places.open("repo");
    }
    branch(&mut places, &operation, &path, &arguments);
    if operation.template.contains("/contents") {
        places.from("path", &arguments, &["path"]);
    }
    people(&mut places, &operation, &arguments);
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// `/repositories/1296269/issues` as if it named the repository.
fn unnumbered<'p>(parts: &[&'p str]) -> (Vec<&'p str>, bool) {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match parts {
        [kind, id, rest @ ..] if kind.eq_ignore_ascii_case("repositories") && number(id) => (
            ["repos", id, id]
                .into_iter()
                .chain(rest.iter().copied())
                .collect(),
            true,
        ),
        [kind, id, rest @ ..] if kind.eq_ignore_ascii_case("organizations") && number(id) => (
            ["orgs", id]
                .into_iter()
                .chain(rest.iter().copied())
                .collect(),
            true,
        ),
        _ => (parts.to_vec(), false),
    }
}

/// Names of the path that say whose it is.
const OWNERS: &[&str] = &["owner", "org", "template_owner", "enterprise"];

fn owner(
    places: &mut Places,
    operation: &Operation,
    path: &[(&'static str, String)],
    arguments: &Map<String, Value>,
) {
    let part = |names: &[&str]| {
        let named = |(name, _): &&(&'static str, String)| names.contains(name);
        path.iter().find(named).map(|(_, value)| value.as_str())
    };
    let repo = part(&["repo", "template_repo"]);
    match (part(OWNERS), repo) {
        (Some(owner), Some(repo)) => named(places, owner, repo),
        (Some(owner), None) => {
            places.any("org", cased(owner));
            places.set("resource", format!("org:{}", owner.to_ascii_lowercase()));
        }
        _ => {}
    }
    // Where an argument names another owner, the call is about that one too.
    let other = ["new_owner", "organization", "owner"]
        .iter()
        .find_map(|key| arguments.get(*key)?.as_str());
    if let Some(other) = other.filter(|other| part(OWNERS) != Some(*other)) {
        let mut all = part(OWNERS).map(cased).unwrap_or_default();
        all.extend(cased(other));
        places.any("org", all);
    }
    if operation.name == "create_repo_for_authenticated_user" {
        places.open("org");
    }
}

/// The places that a repository's name gives.
fn named(places: &mut Places, owner: &str, repo: &str) {
    let repo = repo.strip_suffix(".git").unwrap_or(repo);
    places.any("org", cased(owner));
    let mut all = cased(&format!("{owner}/{repo}"));
    all.extend(cased(repo));
    places.any("repo", all);
    let whole = format!("{owner}/{repo}").to_ascii_lowercase();
    places.set("resource", format!("repo:{whole}"));
}

/// In lower case, and as written where that differs.
fn cased(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    match lower == text {
        true => vec![lower],
        false => vec![lower, text.to_owned()],
    }
}

/// Operations whose branch is the repository's default one where none is named.
const ON_A_BRANCH: &[&str] = &[
    "update_file",
    "delete_file",
    "run_workflow",
    "create_dispatch_event",
];

fn branch(
    places: &mut Places,
    operation: &Operation,
    path: &[(&'static str, String)],
    arguments: &Map<String, Value>,
) {
    let in_path = |wanted: &str| {
        let found = path.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let said = |key: &str| {
        arguments
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let found = in_path("branch").or_else(|| match operation.name.as_str() {
        "create_pull_request" | "update_pull_request" | "merge_branch" => said("base"),
        "create_ref" | "update_ref" | "delete_ref" | "run_workflow" => said("ref"),
        "sync_fork_with_upstream" | "merge_upstream" => said("branch"),
        name if ON_A_BRANCH.contains(&name) => said("branch"),
        _ => None,
    });
    match found {
        Some(name) => {
            let short = name
                .trim_start_matches("refs/")
                .trim_start_matches("heads/");
            places.set("branch", short);
        }
        // A merge goes where its pull request says, which is not in the call.
        None if ON_A_BRANCH.contains(&operation.name.as_str())
            || operation.name == "merge_pull_request" =>
        {
            places.open("branch");
        }
        None => {}
    }
}

/// Operations that let somebody in.
const INVITING: &[&str] = &[
    "add_collaborator",
    "add_team_member",
    "invite_org_member",
    "set_org_membership",
    "transfer_repo",
];

fn people(places: &mut Places, operation: &Operation, arguments: &Map<String, Value>) {
    let inviting = INVITING.contains(&operation.name.as_str());
    let email = arguments.get("email").and_then(Value::as_str);
    match email.filter(|_| inviting) {
        // An address says by its domain whether it is one of the own.
        Some(email) => places.set("recipient", email),
        None if inviting => {
            places.from(
                "principal",
                arguments,
                &["username", "new_owner", "invitee_id"],
            );
            places.open("external");
        }
        None => places.set("external", false),
    }
    if operation.name == "create_gist" {
        places.set("external", true);
    }
}

/// `raw.githubusercontent.com/{owner}/{repo}/{ref}/{path}`.
fn raw(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let parts = asked.address.parts();
    let (["GET" | "HEAD"], [owner, repo, reference, path @ ..]) =
        ([asked.method], parts.as_slice())
    else {
        return Ok(None);
    };
    let mut places = Places::default();
    named(&mut places, owner, repo);
    places.set("path", path.join("/"));
    places.set("external", false);
    let mut arguments = asked.parameters(&[])?;
    arguments.insert("ref".to_owned(), Value::from(*reference));
    let operation = Operation {
        parameters: Some(Vec::new()),
        ..Operation::named("get_content", "repos").rated(Verb::Read, Risk::Low)
    };
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// `github.com/{owner}/{repo}.git/git-receive-pack` is a push: what it writes is in its body, which
/// no rule can read.
fn git(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let parts = asked.address.parts();
    let [owner, repo, service @ ..] = parts.as_slice() else {
        return Ok(None);
    };
    let asks = |name: &str| asked.address.query.get("service") == Some(name);
    let (name, verb, risk) = match (asked.method, service) {
        ("POST", ["git-receive-pack"]) => ("git_push", Verb::Write, Risk::High),
        ("GET", ["info", "refs"]) if asks("git-receive-pack") => {
            ("git_push", Verb::Write, Risk::High)
        }
        ("POST", ["git-upload-pack"]) => ("git_fetch", Verb::Read, Risk::Low),
        ("GET", ["info", "refs"]) if asks("git-upload-pack") => {
            ("git_fetch", Verb::Read, Risk::Low)
        }
        ("POST", ["info", "lfs", "objects", "batch"]) => {
            match asked.body.fields()?.get("operation") {
                Some(Value::String(word)) if word == "download" => {
                    ("lfs_download", Verb::Read, Risk::Low)
                }
                _ => ("lfs_upload", Verb::Write, Risk::High),
            }
        }
        ("POST", ["info", "lfs", "locks", ..]) => ("lfs_lock", Verb::Write, Risk::Medium),
        _ => return Ok(None),
    };
    let mut places = Places::default();
    named(&mut places, owner, repo);
    if verb == Verb::Write {
        places.open("branch");
    }
    places.set("external", false);
    Ok(Some(Understood {
        operation: Operation {
            parameters: Some(Vec::new()),
            ..Operation::named(name, "git").rated(verb, risk)
        },
        arguments: asked.parameters(&[])?,
        places,
    }))
}

/// A GraphQL request: a mutation of one field is the operation of that name.
fn query(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    if asked.method != "POST" {
        return Ok(None);
    }
    let arguments = asked.parameters(&[])?;
    let asks = graphql::read(&arguments)?;
    let operation = match (asks.mutates, asks.fields.as_slice()) {
        (true, [only]) => Operation::named(graphql::snake(only), "graphql"),
        (true, _) => Operation::named("batch", "graphql").rated(Verb::Write, Risk::High),
        (false, _) => Operation::named("query", "graphql").rated(Verb::Read, Risk::Medium),
    };
    // GraphQL names what it is about by ids that say nothing of themselves.
    let mut places = Places::default();
    for place in ["org", "repo", "branch", "path", "external"] {
        places.open(place);
    }
    if !asks.mutates {
        places.set("external", false);
    }
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}
