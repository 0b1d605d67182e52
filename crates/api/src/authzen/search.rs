//! Who may do it, with what, and what else: the searches of AuthZEN, as far as the gate can count up.
//!
//! ```text
//! subjects   of the type `agent`            the agents that the caller may ask about
//! resources  of the type `tool`             the tools; of others those that grants name exactly
//! actions    on a resource of the type t    the tools `t.*`, and those that work on a `t`
//! ```
//!
//! Each candidate is decided like a question of its own, with nothing recorded and nothing counted,
//! and only an allow is found. People are in directories that the gate does not hold, and a pattern
//! in a grant has no end: where more may be allowed than was looked at, the answer says `complete:
//! false`. Must not know: how a call is decided.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolgate_gate::{Caller, Configuration};
use toolgate_model::{Agent, Descriptor, Glob, Profile};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Access, Action, Context, Entity, given};
use super::binding::Binder;
use super::evaluation::Asker;
use super::mapping::{TOOL, USE};
use super::page::{Cut, Page, PageRequest};
use super::tolerant::{Tolerant, Tolerates};
use super::whom::{AGENT, Whom, whom};
use crate::auth::AnyCaller;
use crate::problem::Problem;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// LIMIT: candidates that one search decides on; five thousand are the tools of the largest source.
const CANDIDATES_MAX: usize = 5_000;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(subjects))
        .routes(routes!(resources))
        .routes(routes!(actions))
}

/// What is searched for: a type. An id beside it is ignored.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SearchedEntity)]
struct Searched {
    /// The type.
    #[serde(rename = "type")]
    kind: String,
    /// What else is known of those that are searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    properties: Option<Map<String, Value>>,
}

/// Which subjects may do it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct SubjectSearch {
    /// Of which type. Required.
    subject: Option<Searched>,
    /// What. Required.
    action: Option<Action>,
    /// With which thing. Required.
    resource: Option<Entity>,
    /// What surrounds it.
    context: Option<Context>,
    /// Which page.
    page: Option<PageRequest>,
}

/// With which resources it may be done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct ResourceSearch {
    /// Who. Required.
    subject: Option<Entity>,
    /// What. Required.
    action: Option<Action>,
    /// Of which type. Required.
    resource: Option<Searched>,
    /// What surrounds it.
    context: Option<Context>,
    /// Which page.
    page: Option<PageRequest>,
}

/// Which actions may be done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct ActionSearch {
    /// Who. Required.
    subject: Option<Entity>,
    /// With which thing. Required.
    resource: Option<Entity>,
    /// What surrounds it.
    context: Option<Context>,
    /// Which page.
    page: Option<PageRequest>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
struct SearchResults<T> {
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<Page>,
    /// What may help whoever asked.
    context: SearchContext,
    /// What was found, by name.
    results: Vec<T>,
}

/// What may help whoever asked.
#[derive(Serialize, ToSchema)]
struct SearchContext {
    /// Whether everything that could be allowed was looked at.
    complete: bool,
}

/// A subject or a resource that was found.
#[derive(Clone, Serialize, ToSchema)]
struct FoundEntity {
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Its id.
    id: String,
}

/// An action that was found.
#[derive(Clone, Serialize, ToSchema)]
struct FoundAction {
    /// Its name.
    name: String,
}

impl Tolerates for SubjectSearch {}
impl Tolerates for ResourceSearch {}
impl Tolerates for ActionSearch {}

/// Search the subjects that may do something
///
/// AuthZEN 1.0, Subject Search, over the agents that the caller may ask about.
#[utoipa::path(
    post, path = "/access/v1/search/subject", tag = "authzen", operation_id = "search_subjects",
    request_body = SubjectSearch,
    responses((status = 200, description = "Those.", body = SearchResults<FoundEntity>)),
)]
async fn subjects(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Tolerant(search): Tolerant<SubjectSearch>,
) -> Answer<SearchResults<FoundEntity>> {
    let cut = Cut::of(search.page.as_ref(), &search)?;
    let wanted = given(search.subject, "/subject", "subjects of which type")?;
    let action = given(search.action, "/action", "what is to be done")?;
    let resource = given(search.resource, "/resource", "with which thing")?;
    let context = search.context.unwrap_or_default();
    let asker = Asker::new(&api, caller, Binder::default());
    let found = asker.agents(&wanted.kind);
    let about = |subject: Entity| Access {
        subject,
        action: action.clone(),
        resource: resource.clone(),
        context: context.clone(),
    };
    entities(&asker, found, (&wanted, &cut), about)
}

/// Search the resources that something may be done with
///
/// AuthZEN 1.0, Resource Search, over tools and over what grants name exactly.
#[utoipa::path(
    post, path = "/access/v1/search/resource", tag = "authzen", operation_id = "search_resources",
    request_body = ResourceSearch,
    responses((status = 200, description = "Those.", body = SearchResults<FoundEntity>)),
)]
async fn resources(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Tolerant(search): Tolerant<ResourceSearch>,
) -> Answer<SearchResults<FoundEntity>> {
    let cut = Cut::of(search.page.as_ref(), &search)?;
    let subject = given(search.subject, "/subject", "who wants it")?;
    let action = given(search.action, "/action", "what is to be done")?;
    let wanted = given(search.resource, "/resource", "resources of which type")?;
    let context = search.context.unwrap_or_default();
    let asker = Asker::new(&api, caller, Binder::default());
    let found = asker.things((&subject, &context), &action, &wanted.kind)?;
    let about = |resource: Entity| Access {
        subject: subject.clone(),
        action: action.clone(),
        resource,
        context: context.clone(),
    };
    entities(&asker, found, (&wanted, &cut), about)
}

/// Search the actions that may be done
///
/// AuthZEN 1.0, Action Search, over the tools that work on such a resource.
#[utoipa::path(
    post, path = "/access/v1/search/action", tag = "authzen", operation_id = "search_actions",
    request_body = ActionSearch,
    responses((status = 200, description = "Those.", body = SearchResults<FoundAction>)),
)]
async fn actions(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Tolerant(search): Tolerant<ActionSearch>,
) -> Answer<SearchResults<FoundAction>> {
    let cut = Cut::of(search.page.as_ref(), &search)?;
    let subject = given(search.subject, "/subject", "who wants it")?;
    let resource = given(search.resource, "/resource", "with which thing")?;
    let context = search.context.unwrap_or_default();
    let asker = Asker::new(&api, caller, Binder::default());
    let names = asker.operations(&resource.kind);
    let may = |name: &String| {
        asker.may(Access {
            subject: subject.clone(),
            action: Action::named(name),
            resource: resource.clone(),
            context: context.clone(),
        })
    };
    let found = filtered(names, may)?;
    Ok(results((found, true), &cut, |name| FoundAction { name }))
}

/// The candidates of a type for which the answer is yes.
fn entities(
    asker: &Asker,
    (names, complete): (BTreeSet<String>, bool),
    (wanted, cut): (&Searched, &Cut),
    about: impl Fn(Entity) -> Access,
) -> Answer<SearchResults<FoundEntity>> {
    let found = filtered(names, |id| asker.may(about(wanted.as_entity(id))))?;
    let entity = |id: String| FoundEntity {
        kind: wanted.kind.clone(),
        id,
    };
    Ok(results((found, complete), cut, entity))
}

/// The candidates for which the answer is yes.
fn filtered(
    names: BTreeSet<String>,
    may: impl Fn(&String) -> Result<bool, Problem>,
) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    for name in names {
        if may(&name)? {
            found.push(name);
        }
    }
    Ok(found)
}

fn results<T>(
    (found, complete): (Vec<String>, bool),
    cut: &Cut,
    entity: impl Fn(String) -> T,
) -> Reply<SearchResults<T>> {
    let (found, page) = cut.page(found);
    Reply::ok(SearchResults {
        page,
        context: SearchContext { complete },
        results: found.into_iter().map(entity).collect(),
    })
}

impl Searched {
    fn as_entity(&self, id: &str) -> Entity {
        let mut entity = Entity::named(&self.kind, id);
        entity.properties.clone_from(&self.properties);
        entity
    }
}

impl Asker {
    /// Whether the answer to this question is yes. Nothing is recorded.
    fn may(&self, access: Access) -> Result<bool, Problem> {
        let Whom::Known(asked) = whom(&self.api, &self.caller, access.about())? else {
            return Ok(false);
        };
        let Some(call) = self.call(&access, &asked)? else {
            return Ok(false);
        };
        Ok(self.try_out(&asked, &call, &access.context).decision)
    }

    /// The subjects of a type that this caller may ask about, and whether those are all.
    fn agents(&self, kind: &str) -> (BTreeSet<String>, bool) {
        if kind != AGENT {
            return (BTreeSet::new(), !super::whom::is_person(kind));
        }
        let configuration = self.api.driver.configuration();
        let agents = configuration
            .agents()
            .filter(|agent| self.asks_about(agent));
        let names = agents.map(|agent| agent.id.to_string());
        bounded(names, true)
    }

    fn asks_about(&self, agent: &Agent) -> bool {
        match &self.caller {
            Caller::Person { operator, .. } => agent.tenant == operator.tenant,
            Caller::Agent(me) if me.agent.trusted_host => {
                let scope = &me.credential.scope.agents;
                let scoped =
                    scope.is_empty() || scope.contains(&agent.id) || agent.id == me.agent.id;
                scoped && agent.tenant == me.agent.tenant
            }
            Caller::Agent(me) => agent.id == me.agent.id,
        }
    }

    /// The resources of a type that are known by name, and whether there can be no others.
    fn things(
        &self,
        (subject, context): (&Entity, &Context),
        action: &Action,
        kind: &str,
    ) -> Result<(BTreeSet<String>, bool), Problem> {
        let whom = whom(&self.api, &self.caller, (subject, context.agent.as_deref()))?;
        let Whom::Known(asked) = whom else {
            return Ok((BTreeSet::new(), true));
        };
        let configuration = self.api.driver.configuration();
        if kind == TOOL && action.name == USE {
            let tools = configuration
                .catalogue
                .iter()
                .map(|tool| tool.id.to_string());
            return Ok(bounded(tools, true));
        }
        let Profile::Scoped { grants } = &asked.agent().profile else {
            return Ok((BTreeSet::new(), false));
        };
        let own = grants
            .iter()
            .flat_map(|grant| &grant.resources)
            .map(Glob::as_str);
        let policies = policy_resources(&configuration);
        let all: Vec<&str> = own.chain(policies.iter().map(String::as_str)).collect();
        let open = all.is_empty() || all.iter().any(|name| is_pattern(name));
        let exact = all.into_iter().filter(|name| !is_pattern(name));
        let of_kind = exact.filter_map(|name| name.strip_prefix(kind)?.strip_prefix(':'));
        Ok(bounded(of_kind.map(str::to_owned), !open))
    }

    /// The actions that a resource of this type can be asked about.
    fn operations(&self, kind: &str) -> BTreeSet<String> {
        let configuration = self.api.driver.configuration();
        let tools = configuration.catalogue.iter();
        let names = tools.filter_map(|tool| action_on(tool, kind));
        let mut names: BTreeSet<_> = names.take(CANDIDATES_MAX).collect();
        if kind == TOOL {
            names.insert(USE.to_owned());
        }
        names
    }
}

/// The name of the action that this tool is on resources of a type.
fn action_on(tool: &Descriptor, kind: &str) -> Option<String> {
    if tool.id.source() == kind {
        return Some(tool.id.operation().to_owned()).filter(|name| !name.contains('.'));
    }
    let template = tool.resource.as_ref()?.as_str();
    let works_on = template.strip_prefix(kind)?.starts_with(':');
    works_on.then(|| tool.id.to_string())
}

/// What documents in force name as `resources`.
fn policy_resources(configuration: &Configuration) -> Vec<String> {
    let documents = configuration.documents().iter();
    let values = documents.filter_map(|document| serde_json::from_str(&document.text).ok());
    let listed = values.filter_map(|value: Value| value.get("resources")?.as_array().cloned());
    let texts = listed
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned));
    texts.collect()
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

fn bounded(names: impl Iterator<Item = String>, complete: bool) -> (BTreeSet<String>, bool) {
    let mut all: BTreeSet<_> = names.take(CANDIDATES_MAX + 1).collect();
    let cut = all.len() > CANDIDATES_MAX;
    if cut {
        all.pop_last();
    }
    (all, complete && !cut)
}
