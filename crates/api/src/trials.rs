//! Policies tried before they bind: their tests, what is odd about them, and what they would have
//! said to recorded calls; and what watched rules noticed.
//!
//! ```text
//! POST /v1/policies/test      {"documents": [{"name": "refunds", "text": "{…}"}], "cases": "{…}"}
//! POST /v1/policies/lint      {"documents": […]}
//! POST /v1/policies/backtest  {"documents": […], "since": "7d", "limit": 10000}
//! GET  /v1/policies/monitor?policy=refunds&since=7d
//! GET  /v1/policies/calls?since=7d
//! ```
//!
//! Documents stand for those of the same name in the set in force; nothing is written. Must not
//! know: the language, how a case is run.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use toolgate_driver::Period;
use toolgate_gate::Configuration;
use toolgate_gate::case::{Case, CaseFile, Coverage, Outcome, Runner, stage};
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_model::{Diagnostic, Duration, HttpRequest, Permission, Timestamp};
use toolgate_policy::{Document, Lint, findings};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Asked, Given};
use crate::diagnostic::DiagnosticView;
use crate::policies::{DocumentBody, documents_of};
use crate::problem::Problem;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// How far back is looked where nobody says.
const SINCE_USUAL: Duration = Duration::from_secs(7 * 86_400);

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(test))
        .routes(routes!(lint))
        .routes(routes!(backtest))
        .routes(routes!(monitor))
        .routes(routes!(calls))
}

/// Documents to test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestBody {
    /// The documents; none: the set in force as it is.
    #[serde(default)]
    documents: Vec<DocumentBody>,
    /// The text of a file of cases, run beside those that the documents carry. Its `tools`,
    /// `own_domains` and `posture` hold for its own cases; its `policies` are not read.
    cases: Option<String>,
    /// Only these documents, without the others in force.
    #[serde(default)]
    alone: bool,
}

/// Documents to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LintBody {
    /// The documents; none: the set in force as it is.
    #[serde(default)]
    documents: Vec<DocumentBody>,
}

/// A candidate, and the calls that it is tried on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BacktestBody {
    /// The documents that are new or changed.
    #[serde(default)]
    documents: Vec<DocumentBody>,
    /// Documents in force that the candidate does not have.
    #[serde(default)]
    without: Vec<String>,
    /// From when on: an instant, or how long ago (`7d`). None: seven days.
    since: Option<String>,
    /// At most so many calls, the newest ones. None: 10,000.
    limit: Option<usize>,
}

/// Which watched rules, and over which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MonitorQuery {
    /// Only rules of this document.
    policy: Option<String>,
    /// From when on: an instant, or how long ago (`7d`). None: seven days.
    since: Option<String>,
    /// At most so many calls, the newest ones. None: 10,000.
    limit: Option<usize>,
}

/// Run the tests of policies
///
/// Those that the documents carry and those of `cases`, on the code that decides calls. Nothing is
/// recorded. With it comes what the cases leave untried.
#[utoipa::path(
    post, path = "/v1/policies/test", tag = "policies", operation_id = "test_policies",
    request_body = TestBody,
    responses((status = 200, description = "What every case came to.", body = Value)),
)]
async fn test(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<TestBody>,
) -> Answer<Value> {
    person.require_host(Permission::View)?;
    let alone = body.alone;
    let documents = documents_of(body.documents)?;
    let set = match alone {
        true => documents,
        false => api.driver.set_with(&documents),
    };
    let mut carried = Vec::new();
    for document in &set {
        carried.extend(Case::of_document(&document.name, &document.text)?);
    }
    let own = CaseFile {
        cases: carried,
        ..CaseFile::default()
    };
    let mut files = vec![own];
    if let Some(text) = &body.cases {
        files.push(CaseFile::read("cases", text)?);
    }
    let (mut outcomes, mut coverage) = (Vec::new(), Coverage::default());
    for file in files {
        let (found, tried) = tried(&api, &set, file)?;
        outcomes.extend(found);
        coverage.merge(tried);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let outcomes: Vec<Value> = outcomes.iter().map(outcome_view).collect();
    Ok(Reply::ok(json!({
        "cases": outcomes.len(), "failed": failed, "outcomes": outcomes, "coverage": coverage,
    })))
}

/// Runs one file of cases on the set.
fn tried(
    api: &Api,
    set: &[Document],
    file: CaseFile,
) -> Result<(Vec<Outcome>, Coverage), Vec<Diagnostic>> {
    let present = api.driver.configuration();
    let mut settings = present.settings.clone();
    settings.posture = file.posture.unwrap_or(settings.posture);
    settings.own_domains = file.own_domains.unwrap_or(settings.own_domains);
    let known = present.catalogue.iter().map(|tool| tool.as_ref().clone());
    let catalogue = match file.tools.is_empty() {
        true => present.catalogue.clone(),
        false => toolgate_model::Catalogue::new(file.tools.into_iter().chain(known)).into(),
    };
    let policies = set.iter().map(|document| PolicyDocument {
        name: document.name.clone(),
        text: document.text.clone(),
    });
    let stored = Stored {
        policies: policies.collect(),
        ..Stored::default()
    };
    let configuration = stage(stored, &catalogue, settings, &file.cases);
    loads(&configuration)?;
    let runner = Runner {
        configuration: &configuration,
        recognise: &|request: &HttpRequest, own| api.driver.tools().recognise(request, own),
    };
    let outcomes: Vec<_> = file.cases.iter().map(|case| runner.run(case)).collect();
    let set = configuration.policies.as_deref();
    let coverage = set.map(|set| Coverage::of(set, &catalogue, &outcomes));
    Ok((outcomes, coverage.unwrap_or_default()))
}

fn loads(configuration: &Configuration) -> Result<(), Vec<Diagnostic>> {
    match configuration.policy_errors().next() {
        None => Ok(()),
        Some(_) => Err(configuration.policy_errors().cloned().collect()),
    }
}

fn outcome_view(outcome: &Outcome) -> Value {
    let why = (!outcome.passed()).then_some(&outcome.explanation);
    json!({
        "name": outcome.name, "file": outcome.file, "line": outcome.span.map(|span| span.line),
        "passed": outcome.passed(), "differences": outcome.differences,
        "decision": outcome.decision, "explanation": why,
    })
}

/// Look for rules that cannot do what they seem to
///
/// In the documents and in the others in force, taken together. Each finding has a code; its page
/// says what it means and how to mend it.
#[utoipa::path(
    post, path = "/v1/policies/lint", tag = "policies", operation_id = "lint_policies",
    request_body = LintBody,
    responses((status = 200, description = "What was found.", body = Value)),
)]
async fn lint(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<LintBody>,
) -> Answer<Value> {
    person.require_host(Permission::View)?;
    let documents = documents_of(body.documents)?;
    let candidate = api.driver.candidate(&documents, &[]).await?;
    let (set, approvers) = (api.driver.set_with(&documents), approvers(&candidate));
    let found = candidate.policies.as_ref().map(|policies| {
        findings(&Lint {
            set: policies,
            documents: &set,
            catalogue: &candidate.catalogue,
            approvers: Some(&approvers),
        })
    });
    let found = found.unwrap_or_default().into_iter();
    let views: Vec<_> = found.map(DiagnosticView::from).collect();
    Ok(Reply::ok(json!({"findings": views})))
}

/// Everything that `approvers` of a rule can name.
fn approvers(configuration: &Configuration) -> BTreeSet<String> {
    let people = configuration
        .operators()
        .filter(|operator| !operator.disabled);
    let names = people.flat_map(|operator| {
        let own = [operator.id.as_str(), operator.role.as_str()];
        let groups = operator.groups.iter().cloned();
        own.map(str::to_owned).into_iter().chain(groups)
    });
    names.collect()
}

/// Try a candidate on recorded calls
///
/// Each call is decided under the set in force and under the candidate, in order of time, each with
/// a history of its own. What cannot be decided again as it was is counted apart. Nothing is
/// recorded or run.
#[utoipa::path(
    post, path = "/v1/policies/backtest", tag = "policies", operation_id = "backtest_policies",
    request_body = BacktestBody,
    responses((status = 200, description = "What would have changed.", body = Value)),
)]
async fn backtest(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<BacktestBody>,
) -> Answer<Value> {
    person.require_host(Permission::View)?;
    let period = period(&api, body.since.as_deref(), body.limit)
        .map_err(|detail| Problem::field("/since", detail))?;
    let documents = documents_of(body.documents)?;
    let candidate = api.driver.candidate(&documents, &body.without).await?;
    let report = api.driver.backtest(&candidate, period).await?;
    Ok(Reply::ok(json!(report)))
}

/// See what watched rules noticed
///
/// How often each rule in monitor mode matched a recorded call, and what it would have changed.
#[utoipa::path(
    get, path = "/v1/policies/monitor", tag = "policies", operation_id = "monitor_policies",
    params(MonitorQuery),
    responses((status = 200, description = "What each of them noticed.", body = Value)),
)]
async fn monitor(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<MonitorQuery>,
) -> Answer<Value> {
    person.require_host(Permission::View)?;
    let period = period(&api, query.since.as_deref(), query.limit)
        .map_err(|detail| Problem::parameter("since", detail))?;
    let watched = api.driver.watched(query.policy.as_deref(), period).await?;
    Ok(Reply::ok(json!(watched)))
}

/// Which recorded calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CallsQuery {
    /// From when on: an instant, or how long ago (`7d`). None: seven days.
    since: Option<String>,
    /// At most so many calls, the newest ones. None: 10,000.
    limit: Option<usize>,
}

/// Export recorded calls
///
/// Oldest first, with what a decision reads of them, to try policies on them elsewhere.
#[utoipa::path(
    get, path = "/v1/policies/calls", tag = "policies", operation_id = "export_calls",
    params(CallsQuery),
    responses((status = 200, description = "The calls.", body = Value)),
)]
async fn calls(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<CallsQuery>,
) -> Answer<Value> {
    person.require_host(Permission::View)?;
    let period = period(&api, query.since.as_deref(), query.limit)
        .map_err(|detail| Problem::parameter("since", detail))?;
    let calls = api.driver.exported(period).await?;
    Ok(Reply::ok(json!({"calls": calls})))
}

/// The period that an instant or a span before now means.
fn period(api: &Api, since: Option<&str>, limit: Option<usize>) -> Result<Period, String> {
    let now = api.driver.now();
    let ago = |span: Duration| Timestamp::from_millis(now.as_millis() - span.as_millis());
    let since = match since {
        None => ago(SINCE_USUAL),
        Some(text) => match (text.parse::<Duration>(), text.parse::<Timestamp>()) {
            (Ok(span), _) => ago(span),
            (_, Ok(at)) => at,
            _ => {
                return Err(format!(
                    "`{text}` is neither an instant nor a span such as `7d`"
                ));
            }
        },
    };
    Ok(Period { since, limit })
}
