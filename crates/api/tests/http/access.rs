//! Who may reach which operation: nobody without a token, and each role what its table says.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use toolgate_model::Permission::{
    self, ActivatePolicy, Approve, ManageAgents, ManagePeople, View, WritePolicy,
};
use toolgate_model::Role;

use crate::sending::Answer;
use crate::world::World;

/// Every operation that needs a token, from the description itself.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(toolgate_api::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] != json!([{}]) {
                found.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    found
}

/// A path with something in every place of its template.
fn filled(path: &str, world: &Things) -> String {
    let id = match path {
        _ if path.starts_with("/v1/agents") => "billing_agent",
        _ if path.starts_with("/v1/keys") => &world.key,
        _ if path.starts_with("/v1/approvals") => &world.approval,
        _ if path.starts_with("/v1/records") => &world.record,
        _ if path.starts_with("/v1/users") => "vi@acme.com",
        _ if path.starts_with("/v1/tools") => "desk.lookup",
        _ if path.starts_with("/v1/incidents") => &world.incident,
        _ => &world.invocation,
    };
    let name = match path {
        _ if path.starts_with("/v1/endpoints") => "pager",
        _ if path.starts_with("/v1/sources") => "desk",
        _ => "refunds",
    };
    path.replace("{id}", id).replace("{name}", name)
}

/// Things that are there to be asked about.
struct Things {
    invocation: String,
    approval: String,
    digest: String,
    record: String,
    /// The record that the approval was asked for.
    asked: String,
    key: String,
    incident: String,
    /// What a tool says of itself now.
    definition: String,
}

impl Things {
    async fn of(world: &World) -> Self {
        let incident = crate::incidents::opened(world).await;
        let review = world.get("/v1/tools/desk.lookup/review");
        let review = review.token(world.person("owner")).await.value();
        let envelope = world.call("desk.refund", json!({"amount": 640})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            invocation: text(&envelope["invocation_id"]),
            approval: text(&envelope["denial"]["details"]["approval_id"]),
            digest: text(&envelope["denial"]["details"]["digest"]),
            record: text(&envelope["evidence_ids"][0]),
            asked: text(&envelope["evidence_ids"][0]),
            incident,
            definition: text(&review["present"]["digest"]),
            key: format!("key_{}", world.other_agent.split('_').nth(1).unwrap()),
        }
    }
}

#[tokio::test]
async fn no_operation_is_reached_without_a_token_of_this_gate() {
    let world = World::new().await;
    let things = Things::of(&world).await;
    let operations = operations();
    assert!(operations.len() > 35, "{} operations", operations.len());
    let forged = format!("{}0", &world.agent[..world.agent.len() - 1]);
    let forged = if forged == world.agent {
        format!("{}1", &forged[..forged.len() - 1])
    } else {
        forged
    };
    for (method, path) in operations {
        let path = filled(&path, &things);
        let bare = world.request(method.clone(), &path).await;
        expect_refusal(&bare, &method, &path);
        let forged = world.request(method.clone(), &path).token(&forged).await;
        expect_refusal(&forged, &method, &path);
        let query = world.request(
            method.clone(),
            &format!("{path}?access_token={}", world.agent),
        );
        expect_refusal(&query.await, &method, &path);
        let basic = world
            .request(method.clone(), &path)
            .header("authorization", "Basic YTpi");
        expect_refusal(&basic.await, &method, &path);
    }
}

fn expect_refusal(answer: &Answer, method: &Method, path: &str) {
    assert_eq!(
        answer.problem(),
        (401, "unauthenticated".to_owned()),
        "{method} {path}"
    );
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer"),
        "{method} {path}"
    );
}

/// What each operation for people needs, with a body that fits.
fn needs(things: &Things) -> Vec<(Method, &'static str, Permission, Value)> {
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let none = Value::Null;
    let text = json!({"text": crate::world::POLICY});
    let live = json!({"text": crate::world::POLICY, "activate": true});
    let decision = json!({"digest": things.digest, "decision": "approve"});
    let trial = json!({"agent": "billing_agent", "tool": "desk.lookup"});
    let finding = json!({"finding": "landed", "reason": "seen"});
    let document = json!({"documents": []});
    let trying = json!({"documents": [{"name": "refunds", "text": crate::world::POLICY}]});
    let user = json!({"id": "new@acme.com", "role": "viewer"});
    let asked = json!({
        "subject": {"type": "agent", "id": "billing_agent"},
        "action": {"name": "desk.lookup"},
        "resource": {"type": "customer", "id": "cust_1"},
    });
    vec![
        (get.clone(), "/v1/invocations", View, none.clone()),
        (get.clone(), "/v1/invocations/{id}", View, none.clone()),
        (
            get.clone(),
            "/v1/invocations/{id}/receipt",
            View,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/invocations/{id}/cancel",
            Approve,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/invocations/{id}/reconcile",
            Approve,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/invocations/{id}/resolve",
            Approve,
            finding,
        ),
        (get.clone(), "/v1/approvals", View, none.clone()),
        (get.clone(), "/v1/approvals/{id}", View, none.clone()),
        (
            post.clone(),
            "/v1/approvals/{id}/decision",
            Approve,
            decision,
        ),
        (post.clone(), "/access/v1/evaluation", View, asked.clone()),
        (post.clone(), "/access/v1/evaluations", View, asked.clone()),
        (
            post.clone(),
            "/access/v1/search/subject",
            View,
            asked.clone(),
        ),
        (
            post.clone(),
            "/access/v1/search/resource",
            View,
            asked.clone(),
        ),
        (post.clone(), "/access/v1/search/action", View, asked),
        (get.clone(), "/v1/tools", View, none.clone()),
        (get.clone(), "/v1/sources", View, none.clone()),
        (
            post.clone(),
            "/v1/sources/{name}/refresh",
            View,
            none.clone(),
        ),
        (get.clone(), "/v1/tools/{id}/review", View, none.clone()),
        (
            post.clone(),
            "/v1/tools/{id}/review",
            ActivatePolicy,
            json!({"digest": things.definition, "decision": "accept"}),
        ),
        (get.clone(), "/v1/incidents", View, none.clone()),
        (get.clone(), "/v1/incidents/{id}", View, none.clone()),
        (
            Method::PATCH,
            "/v1/incidents/{id}",
            Approve,
            json!({"state": "investigating"}),
        ),
        (get.clone(), "/v1/agents", View, none.clone()),
        (
            post.clone(),
            "/v1/agents",
            ManageAgents,
            json!({"id": "new_agent"}),
        ),
        (get.clone(), "/v1/agents/{id}", View, none.clone()),
        (
            put.clone(),
            "/v1/agents/{id}",
            ManageAgents,
            json!({"owner": "ana@acme.com"}),
        ),
        (
            post.clone(),
            "/v1/agents/{id}/suspend",
            ManageAgents,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/agents/{id}/resume",
            ManageAgents,
            none.clone(),
        ),
        (get.clone(), "/v1/agents/{id}/can", View, none.clone()),
        (get.clone(), "/v1/keys", View, none.clone()),
        (
            post.clone(),
            "/v1/keys",
            ManageAgents,
            json!({"agent": "billing_agent"}),
        ),
        (
            post.clone(),
            "/v1/keys/{id}/rotate",
            ManageAgents,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/keys/{id}/revoke",
            ManageAgents,
            none.clone(),
        ),
        (get.clone(), "/v1/users", View, none.clone()),
        (post.clone(), "/v1/users", ManagePeople, user),
        (get.clone(), "/v1/users/{id}", View, none.clone()),
        (
            Method::PATCH,
            "/v1/users/{id}",
            ManagePeople,
            json!({"groups": ["finance"]}),
        ),
        (get.clone(), "/v1/policies", View, none.clone()),
        (post.clone(), "/v1/policies/check", View, document),
        (post.clone(), "/v1/policies/test", View, trying.clone()),
        (post.clone(), "/v1/policies/lint", View, trying.clone()),
        (post.clone(), "/v1/policies/backtest", View, trying),
        (get.clone(), "/v1/policies/monitor", View, none.clone()),
        (get.clone(), "/v1/policies/calls", View, none.clone()),
        (get.clone(), "/v1/policies/{name}", View, none.clone()),
        (put.clone(), "/v1/policies/{name}", WritePolicy, text),
        (put, "/v1/policies/{name}", ActivatePolicy, live),
        (
            get.clone(),
            "/v1/policies/{name}/versions",
            View,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/policies/{name}/activate",
            ActivatePolicy,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/policies/{name}/rollback",
            ActivatePolicy,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/policies/{name}/deactivate",
            ActivatePolicy,
            none.clone(),
        ),
        (post.clone(), "/v1/evaluate", View, trial),
        (get.clone(), "/v1/records", View, none.clone()),
        (get.clone(), "/v1/records/{id}", View, none.clone()),
        (get.clone(), "/v1/checkpoints", View, none.clone()),
        (post.clone(), "/v1/checkpoints", View, none.clone()),
        (get.clone(), "/v1/export", View, none.clone()),
        (get.clone(), "/v1/endpoints", View, none.clone()),
        (
            post.clone(),
            "/v1/endpoints/{name}/test",
            ManagePeople,
            none.clone(),
        ),
        (
            post.clone(),
            "/v1/endpoints/{name}/redeliver",
            ManagePeople,
            json!({"event": things.asked}),
        ),
        (
            post,
            "/v1/endpoints/{name}/resume",
            ManagePeople,
            none.clone(),
        ),
        (get.clone(), "/v1/deliveries", View, none.clone()),
        (get, "/v1/events", View, none),
    ]
}

async fn status(
    world: &World,
    method: &Method,
    path: &str,
    token: &str,
    body: &Value,
) -> StatusCode {
    let mut sending = world.request(method.clone(), path).token(token);
    if matches!(*method, Method::PUT | Method::PATCH) {
        sending = sending.header("if-match", "*");
    }
    if !body.is_null() {
        sending = sending.body(body.to_string());
    }
    sending.open().await.status()
}

#[tokio::test]
async fn each_role_does_what_its_table_says_and_nothing_more() {
    let people = [
        ("viewer", Role::Viewer),
        ("approver", Role::Approver),
        ("author", Role::Author),
        ("activator", Role::Activator),
        ("agent_admin", Role::AgentAdmin),
        ("owner", Role::Owner),
    ];
    for (name, role) in people {
        // One world a role, so that what one may change is as before for the next.
        let world = World::new().await;
        let things = Things::of(&world).await;
        for (method, path, permission, body) in needs(&things) {
            let path = filled(path, &things);
            let status = status(&world, &method, &path, world.person(name), &body).await;
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(
                refused,
                !role.may(permission),
                "{name} {method} {path}: {status}"
            );
            assert!(
                !status.is_server_error(),
                "{name} {method} {path}: {status}"
            );
            let allowed = refused || status.is_success() || status == StatusCode::CONFLICT;
            assert!(allowed, "{name} {method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn an_agent_reaches_its_own_calls_and_nothing_of_the_administration() {
    let own = BTreeSet::from([
        "GET /v1/invocations",
        "GET /v1/invocations/{id}",
        "GET /v1/invocations/{id}/receipt",
        "POST /v1/invocations/{id}/cancel",
        "GET /v1/approvals",
        "GET /v1/approvals/{id}",
        "GET /v1/tools",
        "GET /v1/agents/{id}/can",
        "POST /access/v1/evaluation",
        "POST /access/v1/evaluations",
        "POST /access/v1/search/subject",
        "POST /access/v1/search/resource",
        "POST /access/v1/search/action",
    ]);
    let world = World::new().await;
    let things = Things::of(&world).await;
    for (method, path, _, body) in needs(&things) {
        let line = format!("{method} {path}");
        let path = filled(path, &things);
        let status = status(&world, &method, &path, &world.agent, &body).await;
        match own.contains(line.as_str()) {
            true => assert_eq!(status, StatusCode::OK, "{line}"),
            false => assert_eq!(status, StatusCode::FORBIDDEN, "{line}"),
        }
    }
}

/// What people do not do, whatever their role.
const FOR_AGENTS: [(&str, &str); 7] = [
    ("POST", "/v1/invocations"),
    ("POST", "/v1/invocations/{id}/lease"),
    ("POST", "/v1/invocations/{id}/outcome"),
    ("POST", "/v1/sources/{name}/tools"),
    ("POST", "/access/v1/requests"),
    ("GET", "/access/v1/requests/{id}"),
    ("POST", "/access/v1/requests/{id}/cancel"),
];

#[tokio::test]
async fn no_person_does_what_agents_do() {
    let world = World::new().await;
    let things = Things::of(&world).await;
    for (method, path) in FOR_AGENTS {
        let (method, path) = (method.parse().unwrap(), filled(path, &things));
        let owner = world.person("owner");
        let refused = status(&world, &method, &path, owner, &json!({})).await;
        assert_eq!(refused, StatusCode::FORBIDDEN, "{method} {path}");
    }
}

#[tokio::test]
async fn no_operation_is_missing_from_the_table() {
    let world = World::new().await;
    let things = Things::of(&world).await;
    let mut known: BTreeSet<_> = needs(&things)
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    known.extend(FOR_AGENTS.map(|(method, path)| format!("{method} {path}")));
    let described: BTreeSet<_> = operations()
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    assert_eq!(known, described);
}
