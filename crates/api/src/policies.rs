//! Policy documents: versions are written, listed, and checked as a whole set.
//!
//! ```text
//! PUT  /v1/policies/refunds   If-None-Match: *   {"text": "{…}", "message": "first"}
//! POST /v1/policies/check     {"documents": [{"name": "refunds", "text": "{…}"}]}
//! ```
//!
//! Writing changes nothing in force; what does not load is never in force. Policies belong to all
//! tenants, so people of the tenant that runs the gate write them. Must not know: the language.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use toolgate_gate::port::{PolicyDraft, Stamp};
use toolgate_model::{AgentId, Digest, Permission, PolicyVersion, Severity, Timestamp};
use toolgate_policy::Document;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Asked, Given};
use crate::conditional::{Expected, Tag};
use crate::diagnostic::DiagnosticView;
use crate::kinds::Kind;
use crate::named::{Named, PolicyName};
use crate::problem::Problem;
use crate::reply::{Answer, Page, Reply, carried};
use crate::state::Api;

/// Documents that are checked at once.
const CHECKED_MAX: usize = 200;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(check))
        .routes(routes!(show, put))
        .routes(routes!(versions))
}

/// The policy set and its documents.
#[derive(Serialize, ToSchema)]
struct PolicySetView {
    /// The digest of the whole set in force; none where it does not load, and then every call is
    /// denied.
    #[schema(value_type = Option<String>)]
    policy_version: Option<PolicyVersion>,
    /// The documents, by name.
    items: Vec<PolicySummary>,
    /// What is wrong or doubtful about the set in force.
    diagnostics: Vec<DiagnosticView>,
}

/// One document.
#[derive(Serialize, ToSchema)]
struct PolicySummary {
    /// Its name.
    name: String,
    /// The version in force.
    active_number: Option<u32>,
    /// The digest of what it says.
    #[schema(value_type = Option<String>)]
    active_digest: Option<Digest>,
    /// Who put it in force, and since when it is.
    activated: Option<StampView>,
    /// The newest version.
    latest: PolicyVersionView,
}

/// One version of a document.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyVersion)]
struct PolicyVersionView {
    /// Its number within the document, from 1.
    number: u32,
    /// The digest of what it says.
    #[schema(value_type = String)]
    digest: Digest,
    /// Who wrote it.
    #[schema(value_type = String)]
    author: AgentId,
    /// What they said about it.
    message: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Whether it is in force.
    active: bool,
    /// Who last put it in force; in force since then, where it is.
    activated: Option<StampView>,
    /// Who asked for it to be put in force, while a second person has to confirm that.
    requested: Option<StampView>,
}

/// Who did something, and when.
#[derive(Serialize, ToSchema)]
#[schema(as = Stamp)]
struct StampView {
    /// Who.
    #[schema(value_type = String)]
    by: AgentId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// One version of a document with its text.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub(crate) struct PolicyView {
    /// The document's name.
    name: String,
    /// The version in force.
    active_number: Option<u32>,
    /// The version shown.
    #[serde(flatten)]
    version: PolicyVersionView,
    /// Its text as written.
    text: String,
    /// Warnings about it, where it was just written.
    diagnostics: Vec<DiagnosticView>,
    /// Who may confirm that it is put in force, where that takes a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    awaits: Option<Vec<AgentId>>,
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VersionQuery {
    /// Its number. None: the newest.
    number: Option<u32>,
}

/// A new version of a document.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    /// The document as text: JSON, kept as it is written.
    text: String,
    /// What is said about it.
    #[serde(default)]
    message: String,
    /// Whether it is put in force at once; that needs the permission to activate.
    #[serde(default)]
    activate: bool,
}

/// Documents to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    /// The documents. They are checked together with the others in force.
    documents: Vec<DocumentBody>,
}

/// One document.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Document)]
pub(crate) struct DocumentBody {
    /// Its name.
    name: String,
    /// Its text.
    text: String,
}

/// What a check found.
#[derive(Serialize, ToSchema)]
struct Checked {
    /// Whether the set would load.
    valid: bool,
    /// Everything that was found.
    diagnostics: Vec<DiagnosticView>,
}

/// List policies
#[utoipa::path(
    get, path = "/v1/policies", tag = "policies", operation_id = "list_policies",
    responses((status = 200, description = "The set and its documents.", body = PolicySetView)),
)]
async fn list(State(api): State<Api>, person: PersonCaller) -> Answer<PolicySetView> {
    person.require_host(Permission::View)?;
    let drafts = api.driver.store().drafts(None).await?;
    let mut names: Vec<_> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let documents = names
        .into_iter()
        .filter_map(|name| Versions::of(name, &drafts));
    let items = documents
        .map(|found| PolicySummary {
            name: found.latest.name.clone(),
            active_number: found.active.map(|active| active.number),
            active_digest: found.active.map(|active| active.digest),
            activated: found.active.and_then(|active| stamp(&active.activated)),
            latest: found.latest.into(),
        })
        .collect();
    let configuration = api.driver.configuration();
    Ok(Reply::ok(PolicySetView {
        policy_version: configuration.policies.as_ref().map(|set| set.version()),
        items,
        diagnostics: views(configuration.diagnostics.clone()),
    }))
}

/// Check documents
///
/// Together with everything else that is in force. Nothing is written.
#[utoipa::path(
    post, path = "/v1/policies/check", tag = "policies", operation_id = "check_policies",
    request_body = CheckBody,
    responses((status = 200, description = "What was found.", body = Checked)),
)]
async fn check(
    State(api): State<Api>,
    person: PersonCaller,
    Given(CheckBody { documents }): Given<CheckBody>,
) -> Answer<Checked> {
    person.require_host(Permission::View)?;
    let documents = documents_of(documents)?;
    let found = api.driver.check_policies(&documents);
    let valid = found.iter().all(|found| found.severity != Severity::Error);
    Ok(Reply::ok(Checked {
        valid,
        diagnostics: views(found),
    }))
}

/// Look at a policy
///
/// The newest version, or the one with this number. The `ETag` is that of the document.
#[utoipa::path(
    get, path = "/v1/policies/{name}", tag = "policies", operation_id = "get_policy",
    params(("name" = String, Path, description = "The document's name."), VersionQuery),
    responses((status = 200, description = "The version, with its text.", body = PolicyView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
    Asked(query): Asked<VersionQuery>,
) -> Answer<PolicyView> {
    person.require_host(Permission::View)?;
    let drafts = api.driver.store().drafts(Some(&name)).await?;
    let found = Versions::of(&name, &drafts).ok_or_else(|| Problem::not_found("policy", &name))?;
    let tag = found.tag();
    let wanted = query.number.unwrap_or(found.latest.number);
    let draft = drafts.iter().find(|draft| draft.number == wanted);
    let draft = draft.ok_or_else(|| Problem::not_found("policy version", wanted))?;
    Ok(Reply::ok(PolicyView::of(draft, found.active_number())).tagged(&tag))
}

/// Write a version of a policy
///
/// `If-Match` with the `ETag` that was seen, or `If-None-Match: *` for a new document. The same
/// text again makes no new version. Nothing is in force by it unless `activate` says so.
#[utoipa::path(
    put, path = "/v1/policies/{name}", tag = "policies", operation_id = "put_policy",
    params(
        ("name" = String, Path, description = "The document's name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen."),
        ("If-None-Match" = Option<String>, Header, description = "`*` for a new document."),
    ),
    request_body = PolicyBody,
    responses((status = 200, description = "The version written.", body = PolicyView)),
)]
async fn put(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
    headers: HeaderMap,
    Given(body): Given<PolicyBody>,
) -> Answer<PolicyView> {
    person.require_host(Permission::WritePolicy)?;
    let expected = Expected::of(&headers)?;
    let before = api.driver.store().drafts(Some(&name)).await?;
    expected.meets(
        Versions::of(&name, &before)
            .map(|found| found.tag())
            .as_ref(),
    )?;
    let (driver, written) = (api.driver.clone(), name.clone());
    let work = async move {
        let documents = vec![Document {
            name: written,
            text: body.text,
        }];
        match body.activate {
            true => {
                driver
                    .publish_policies(&person.caller, documents, &body.message)
                    .await
            }
            false => {
                driver
                    .draft_policies(&person.caller, documents, &body.message)
                    .await
            }
        }
    };
    let published = carried(&api, "http-policy", work).await??;
    let Some(draft) = published.drafts.first() else {
        return Err(Problem::new(Kind::Defect, "the version was not written"));
    };
    shown(&api, draft, (published.diagnostics, published.awaits)).await
}

/// List the versions of a policy
#[utoipa::path(
    get, path = "/v1/policies/{name}/versions", tag = "policies",
    operation_id = "list_policy_versions",
    params(("name" = String, Path, description = "The document's name.")),
    responses((status = 200, description = "Newest first.", body = Page<PolicyVersionView>)),
)]
async fn versions(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
) -> Answer<Page<PolicyVersionView>> {
    person.require_host(Permission::View)?;
    let mut drafts = api.driver.store().drafts(Some(&name)).await?;
    if drafts.is_empty() {
        return Err(Problem::not_found("policy", &name));
    }
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.number));
    Ok(Reply::ok(Page::whole(
        drafts.iter().map(PolicyVersionView::from).collect(),
    )))
}

/// A version as it stands now, with the tag of its document.
pub(crate) async fn shown(
    api: &Api,
    draft: &PolicyDraft,
    (diagnostics, awaits): (Vec<toolgate_model::Diagnostic>, Option<Vec<AgentId>>),
) -> Answer<PolicyView> {
    let name = &draft.name;
    let drafts = api.driver.store().drafts(Some(name)).await?;
    let found = Versions::of(name, &drafts).ok_or_else(|| Problem::not_found("policy", name))?;
    let tag = found.tag();
    let present = drafts
        .iter()
        .find(|other| other.number == draft.number)
        .unwrap_or(draft);
    let waits = awaits.is_some();
    let view = PolicyView {
        diagnostics: views(diagnostics),
        awaits,
        ..PolicyView::of(present, found.active_number())
    };
    let reply = if waits {
        Reply::accepted(view)
    } else {
        Reply::ok(view)
    };
    Ok(reply.tagged(&tag))
}

fn views(diagnostics: Vec<toolgate_model::Diagnostic>) -> Vec<DiagnosticView> {
    diagnostics.into_iter().map(DiagnosticView::from).collect()
}

/// The documents of a body, as many as are looked at at once, under plain names.
pub(crate) fn documents_of(documents: Vec<DocumentBody>) -> Result<Vec<Document>, Problem> {
    if documents.len() > CHECKED_MAX {
        let detail = format!("{} documents, more than {CHECKED_MAX}", documents.len());
        return Err(Problem::field("/documents", detail));
    }
    for (place, document) in documents.iter().enumerate() {
        plain_name(&format!("/documents/{place}/name"), &document.name)?;
    }
    Ok(documents.into_iter().map(Document::from).collect())
}

fn plain_name(pointer: &str, name: &str) -> Result<(), Problem> {
    let named = name.parse::<PolicyName>();
    named
        .map(|_| ())
        .map_err(|error| Problem::field(pointer, error.to_string()))
}

/// What there is of one document.
struct Versions<'d> {
    latest: &'d PolicyDraft,
    active: Option<&'d PolicyDraft>,
}

impl<'d> Versions<'d> {
    fn of(name: &str, drafts: &'d [PolicyDraft]) -> Option<Self> {
        let mine = || drafts.iter().filter(|draft| draft.name == name);
        let latest = mine().max_by_key(|draft| draft.number)?;
        let active = mine().find(|draft| draft.active);
        Some(Self { latest, active })
    }

    fn active_number(&self) -> Option<u32> {
        self.active.map(|draft| draft.number)
    }

    /// Changes with every new version and with what is in force.
    fn tag(&self) -> Tag {
        Tag::of(format_args!(
            "{}.{}",
            self.latest.number,
            self.active_number().unwrap_or(0)
        ))
    }
}

impl PolicyView {
    fn of(draft: &PolicyDraft, active_number: Option<u32>) -> Self {
        Self {
            name: draft.name.clone(),
            active_number,
            version: PolicyVersionView::from(draft),
            text: draft.text.clone(),
            diagnostics: Vec::new(),
            awaits: None,
        }
    }
}

impl From<&PolicyDraft> for PolicyVersionView {
    fn from(draft: &PolicyDraft) -> Self {
        Self {
            number: draft.number,
            digest: draft.digest,
            author: draft.author.clone(),
            message: draft.message.clone(),
            created_at: draft.created_at,
            active: draft.active,
            activated: stamp(&draft.activated),
            requested: stamp(&draft.requested),
        }
    }
}

fn stamp(stamp: &Option<Stamp>) -> Option<StampView> {
    stamp.clone().map(|Stamp { by, at }| StampView { by, at })
}

impl From<DocumentBody> for Document {
    fn from(body: DocumentBody) -> Self {
        Self {
            name: body.name,
            text: body.text,
        }
    }
}
