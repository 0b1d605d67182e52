//! What an operation is called, how it is rated, and what is shown of it.
//!
//! Each row of the table says what must come of an operation; it was written from the rules of
//! `docs/reference/openapi-tools.md`, not from what the reader gave.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use toolgate_model::{Risk, Verb};
use toolgate_tools::{ApiTools, Overrides, ToolOverride};

use crate::{only, paths, route};

#[test]
fn an_operation_has_a_name_a_route_a_rating_and_a_resource() {
    // path, method, the operation → id, route, risk, verb, resource
    let table: &[(&str, &str, Value, [&str; 5])] = &[
        (
            "/customers/{id}/orders",
            "get",
            json!({}),
            [
                "api.get.customers.id.orders",
                "api.get.customers.id.orders",
                "low",
                "READ",
                "customer:{args.id}",
            ],
        ),
        (
            "/customers/{customer}/orders/{order}",
            "get",
            json!({"operationId": "getOrder"}),
            [
                "api.getOrder",
                "api.get.customers.customer.orders.order",
                "low",
                "READ",
                "order:{args.order}",
            ],
        ),
        (
            "/repos/{owner}/{repo}",
            "get",
            json!({"operationId": "repos/get"}),
            [
                "api.repos/get",
                "api.get.repos.owner.repo",
                "low",
                "READ",
                "repo:{args.owner}/{args.repo}",
            ],
        ),
        (
            "/companies/{company_id}",
            "put",
            json!({"operationId": "updateCompany"}),
            [
                "api.updateCompany",
                "api.put.companies.company_id",
                "medium",
                "WRITE",
                "company:{args.company_id}",
            ],
        ),
        (
            "/",
            "get",
            json!({}),
            ["api.get.root", "api.get.root", "low", "READ", "-"],
        ),
        (
            "/pets/{id}",
            "delete",
            json!({"operationId": "drop"}),
            [
                "api.drop",
                "api.delete.pets.id",
                "high",
                "DELETE",
                "pet:{args.id}",
            ],
        ),
        (
            "/apps.uninstall",
            "get",
            json!({"operationId": "apps_uninstall"}),
            [
                "api.apps_uninstall",
                "api.unsafe-get.apps.uninstall",
                "high",
                "DELETE",
                "-",
            ],
        ),
        (
            "/cache",
            "get",
            json!({"operationId": "status", "summary": "Purges the cache"}),
            ["api.status", "api.unsafe-get.cache", "high", "WRITE", "-"],
        ),
        (
            "/users/remove",
            "post",
            json!({"operationId": "usersPost"}),
            [
                "api.usersPost",
                "api.post.users.remove",
                "high",
                "DELETE",
                "-",
            ],
        ),
        (
            "/charges/{id}/refund",
            "post",
            json!({"operationId": "PostChargesRefund"}),
            [
                "api.PostChargesRefund",
                "api.post.charges.id.refund",
                "critical",
                "WRITE",
                "charge:{args.id}",
            ],
        ),
        (
            "/orgs/{org}/roles",
            "put",
            json!({}),
            [
                "api.put.orgs.org.roles",
                "api.put.orgs.org.roles",
                "critical",
                "ADMIN",
                "org:{args.org}",
            ],
        ),
        (
            "/users/{id}/tokens",
            "get",
            json!({"operationId": "listTokens"}),
            [
                "api.listTokens",
                "api.unsafe-get.users.id.tokens",
                "high",
                "READ",
                "user:{args.id}",
            ],
        ),
        (
            "/user/keys",
            "get",
            json!({"operationId": "list_keys"}),
            [
                "api.list_keys",
                "api.unsafe-get.user.keys",
                "medium",
                "READ",
                "-",
            ],
        ),
        (
            "/invoices",
            "get",
            json!({"operationId": "ListInvoices"}),
            ["api.ListInvoices", "api.get.invoices", "low", "READ", "-"],
        ),
        (
            "/user/logout",
            "get",
            json!({"operationId": "bye"}),
            [
                "api.bye",
                "api.unsafe-get.user.logout",
                "high",
                "WRITE",
                "-",
            ],
        ),
        (
            "/servers/{id}/actions",
            "post",
            json!({"operationId": "act", "requestBody": {"content": {"application/json": {"schema":
                {"properties": {"type": {"type": "string", "enum": ["start", "destroy"]}}}}}}}),
            [
                "api.act",
                "api.post.servers.id.actions",
                "high",
                "WRITE",
                "server:{args.id}",
            ],
        ),
    ];
    for (path, method, operation, expected) in table {
        let mut item = Map::new();
        item.insert((*method).to_owned(), operation.clone());
        let mut all = Map::new();
        all.insert((*path).to_owned(), item.into());
        let read = paths(all.into());
        let tool = only(&read);
        let resource = tool.resource.as_ref().map_or("-", |one| one.as_str());
        let found = [
            tool.id.as_str(),
            route(tool),
            tool.risk.as_str(),
            tool.verb.as_str(),
            resource,
        ];
        assert_eq!(found, *expected, "{method} {path}: {}", tool.risk_reason);
    }
}

#[test]
fn no_name_passes_for_a_low_read_that_is_none() {
    let names = [
        "get.deleteAll",
        "GET.deleteAll",
        "Get.x",
        "gEt.x",
        "get..x",
        "get.",
        "unsafe-get.x",
        "post.users",
        "g\u{435}t.x",
        "get\u{200b}.x",
        "get\u{2024}x",
        "get\u{ff0e}x",
        "get x",
        ".get.x",
        "resources/read",
        "completion/complete",
    ];
    for name in names {
        let read = paths(json!({"/all": {"delete": {"operationId": name}}}));
        let tool = only(&read);
        let id = tool.id.as_str().to_ascii_lowercase();
        assert!(!id.starts_with("api.get."), "{name}: {id}");
        assert!(!id.starts_with("api.unsafe-get."), "{name}: {id}");
        assert_eq!(route(tool), "api.delete.all", "{name}");
        assert!(
            toolgate_model::Method::of(&tool.id).is_none(),
            "{name}: {id}"
        );
    }
    // A path is not able to say it either: the method comes first, and is one of the protocol's.
    let read = paths(json!({"/get/x": {"delete": {}}, "/x": {"GET": {}, "x-get": {}}}));
    assert_eq!(only(&read).id.as_str(), "api.delete.get.x");
}

#[test]
fn two_that_want_one_name_both_get_another() {
    let twice = json!({"operationId": "listAll"});
    let read = paths(
        json!({"/a": {"get": twice}, "/b": {"get": twice}, "/c": {"get": {"operationId": "one"}}}),
    );
    let ids: BTreeSet<&str> = read.tools.iter().map(|tool| tool.id.as_str()).collect();
    assert_eq!((ids.len(), read.unavailable.len()), (3, 0));
    assert!(
        !ids.contains("api.listAll") && ids.contains("api.one"),
        "{ids:?}"
    );
    assert!(
        ids.iter()
            .filter(|id| id.starts_with("api.listAll-"))
            .count()
            == 2
    );
    // So do two routes, and two names that MCP clients would see as one.
    let read = paths(json!({"/a/{b}": {"get": {}}, "/a/b": {"get": {}}, "/x": {
        "get": {"operationId": "a.b"}, "post": {"operationId": "a/b"}}}));
    let ids: BTreeSet<&str> = read.tools.iter().map(|tool| tool.id.as_str()).collect();
    let wires: BTreeSet<&str> = read
        .tools
        .iter()
        .map(|tool| tool.wire_name.as_str())
        .collect();
    assert_eq!((ids.len(), wires.len()), (4, 4), "{ids:?} {wires:?}");
    assert!(
        !ids.contains("api.get.a.b") && !wires.contains("api__a_b"),
        "{ids:?} {wires:?}"
    );
}

#[test]
fn words_only_raise() {
    let soothing = json!({"tags": ["Read only"], "summary": "List things safely",
        "description": "Only reads. Harmless, safe, low risk."});
    let dangerous = [
        ("/charges", "post", "createCharge"),
        ("/users/{id}", "delete", "gone"),
        ("/users/{id}/purge", "get", "look"),
        ("/secrets", "get", "look"),
        ("/shell", "post", "shell"),
        ("/things", "post", "frobnicate"),
        ("/roles", "put", "roles"),
    ];
    for (path, method, id) in dangerous {
        let with = |told: &Value| {
            let mut operation = told.as_object().unwrap().clone();
            operation.insert("operationId".to_owned(), id.into());
            let read = paths(json!({path: {method: operation}}));
            let tool = only(&read);
            (tool.risk_score, tool.risk)
        };
        let (plain, soothed) = (with(&json!({})), with(&soothing));
        assert!(
            soothed >= plain,
            "{method} {path}: {plain:?} fell to {soothed:?}"
        );
        let alarmed = with(&json!({"summary": "Deletes everything"}));
        assert!(
            alarmed >= plain && alarmed.1 >= Risk::High,
            "{method} {path}"
        );
    }
}

#[test]
fn what_an_operator_says_of_a_tool_decides_its_route_too() {
    let text =
        json!({"openapi": "3.1.0", "paths": {"/session-keys": {"get": {"operationId": "list"}},
        "/pets": {"get": {"operationId": "pets"}}}})
        .to_string();
    let stated = |id: &str, risk, verb| {
        let one = ToolOverride {
            risk: Some(risk),
            verb: Some(verb),
            ..ToolOverride::default()
        };
        let overrides: Overrides = [(id.parse().unwrap(), one)].into();
        let read = ApiTools::read("api", text.as_bytes(), &overrides).unwrap();
        let tool = read.tools.iter().find(|tool| tool.id.as_str() == id);
        route(tool.unwrap()).to_owned()
    };
    assert_eq!(
        stated("api.list", Risk::Low, Verb::Read),
        "api.get.session-keys"
    );
    assert_eq!(
        stated("api.pets", Risk::High, Verb::Read),
        "api.unsafe-get.pets"
    );
    assert_eq!(
        stated("api.pets", Risk::Low, Verb::Delete),
        "api.unsafe-get.pets"
    );
}

#[test]
fn what_models_see_hides_nothing_and_ends_somewhere() {
    let read = paths(json!({"/x": {"get": {
        "operationId": "get\u{202e}\u{7}Users",
        "summary": "Lists\u{202e} users\u{200b}\u{1b}[31m",
        "tags": ["a\u{202e}b"],
        "description": "x".repeat(100_000),
        "parameters": [{"name": "q", "in": "query", "description": "a\u{2066}b".repeat(10_000), "schema": {}}],
    }}}));
    let tool = only(&read);
    let shown = tool.definition.to_string();
    let hidden = |c: char| c.is_control() || toolgate_model::is_invisible(c);
    for text in [&tool.definition["description"], &tool.definition["title"]] {
        let text = text.as_str().unwrap();
        assert!(!text.chars().any(|c| c != '\n' && hidden(c)), "{text:?}");
    }
    assert!(shown.len() < 4_000, "{}", shown.len());
    assert_eq!(tool.category.as_deref(), Some("ab"));
    assert!(
        tool.id.as_str().starts_with("api.get__Users-"),
        "{}",
        tool.id
    );
}

#[test]
fn another_request_is_another_definition() {
    let digest = |operation: Value| {
        let read = paths(json!({"/a": {"get": operation}}));
        let tool = only(&read);
        (tool.definition.clone(), tool.digest())
    };
    let parameter = |style: &str| json!({"operationId": "x", "parameters": [{"name": "q", "in": "query", "style": style, "schema": {}}]});
    let (form, other) = (
        digest(parameter("form")),
        digest(parameter("pipeDelimited")),
    );
    assert_eq!(form.0["inputSchema"], other.0["inputSchema"]);
    assert_ne!(
        form.0, other.0,
        "what is sent differs, so the definition does"
    );
    assert_ne!(form.1, other.1);
    assert_eq!(form, digest(parameter("form")));
}
