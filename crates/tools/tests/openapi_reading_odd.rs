//! Descriptions as attackers and careless people write them, and what must come of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on had better stop"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use toolgate_model::{Descriptor, Risk, Verb};
use toolgate_tools::{ApiTools, Overrides, ToolOverride};

fn read(document: &Value) -> ApiTools {
    ApiTools::read("api", document.to_string().as_bytes(), &BTreeMap::new()).unwrap()
}

/// A description of these paths, with these components.
fn described(paths: Value, components: Value) -> ApiTools {
    read(
        &json!({"openapi": "3.0.3", "info": {"title": "x", "version": "1"},
        "paths": paths, "components": components}),
    )
}

fn paths(paths: Value) -> ApiTools {
    described(paths, json!({}))
}

/// The only tool of a description with one operation.
fn only(read: &ApiTools) -> &Descriptor {
    assert_eq!((read.tools.len(), &read.unavailable[..]), (1, &[][..]));
    &read.tools[0]
}

fn post(schema: Value) -> Value {
    json!({"post": {"operationId": "send", "requestBody": {"required": true, "content": {
        "application/json": {"schema": schema}}}}})
}

fn route(tool: &Descriptor) -> &str {
    tool.route.as_ref().unwrap().as_str()
}

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
fn one_bad_operation_costs_no_other() {
    let good = json!({"operationId": "good"});
    let bad: &[(&str, Value, &str)] = &[
        ("/bad", json!(5), "it is no object"),
        ("/bad", json!({"parameters": 5}), "`parameters` are no list"),
        (
            "/bad",
            json!({"parameters": [{"in": "query"}]}),
            "has no name",
        ),
        (
            "/bad",
            json!({"parameters": [{"name": "x"}]}),
            "`x` has no place",
        ),
        (
            "/bad",
            json!({"parameters": [{"name": "x", "in": "query", "style": "matrix"}]}),
            "written in no way",
        ),
        (
            "/bad",
            json!({"parameters": [{"name": "a b", "in": "header"}]}),
            "no name of a header",
        ),
        (
            "/bad",
            json!({"parameters": [{"name": "a\u{202e}b", "in": "query"}]}),
            "something invisible",
        ),
        (
            "/bad",
            json!({"parameters": [{"$ref": "#/components/parameters/a"}]}),
            "in a circle",
        ),
        (
            "/bad",
            json!({"parameters": [{"$ref": "#/components/parameters/none"}]}),
            "leads to nothing",
        ),
        (
            "/bad",
            json!({"parameters": [{"$ref": "other.yaml#/x"}]}),
            "leads out of the description",
        ),
        (
            "/bad",
            json!({"requestBody": {"$ref": "http://127.0.0.1:1/x"}}),
            "nothing is fetched",
        ),
        (
            "/bad",
            json!({"requestBody": {"content": {"application/json": {"schema":
            {"type": "array", "items": {"$ref": "file:///etc/passwd"}}}}}}),
            "nothing is fetched",
        ),
        ("bad", json!({}), "does not begin with `/`"),
        ("//bad.example/x", json!({}), "between two slashes"),
        ("/a/../b", json!({}), "may read as another"),
        ("/a/%2e%2e/b", json!({}), "may read as another"),
        ("/a\\b", json!({}), "may read as another"),
        ("/a\u{200b}b", json!({}), "may read as another"),
        ("/a?x=1", json!({}), "a `?`"),
        ("/a/{b", json!({}), "do not pair"),
        ("/a/{}", json!({}), "do not pair"),
    ];
    let components = json!({"parameters": {
        "a": {"$ref": "#/components/parameters/b"}, "b": {"$ref": "#/components/parameters/a"}}});
    for (path, operation, reason) in bad {
        let read = described(
            json!({*path: {"get": operation}, "/good": {"get": good}}),
            components.clone(),
        );
        let told: Vec<&str> = read
            .unavailable
            .iter()
            .map(|one| one.reason.as_str())
            .collect();
        assert_eq!(told.len(), 1, "{path} {operation}");
        assert!(told[0].contains(reason), "{path} {operation}: {}", told[0]);
        assert_eq!(read.tools[0].id.as_str(), "api.good", "{path} {operation}");
        assert_eq!(read.operations, 2);
    }
    let read = paths(json!({"/x": {"trace": {}, "get": {}}}));
    assert!(read.unavailable[0].reason.contains("credentials"));
    // A path that leads elsewhere is one entry, whatever would have stood on it.
    let read = paths(json!({"/x": {"$ref": "x.yaml"}, "/y": {"get": {}}}));
    assert_eq!((read.unavailable.len(), read.tools.len()), (1, 1));
}

#[test]
fn what_is_the_gates_own_is_no_argument() {
    let header = |name: &str| json!({"name": name, "in": "header", "required": true, "schema": {}});
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {}});
    let read = described(
        json!({"/x": {"get": {"parameters": [
            header("Authorization"), header("HOST"), header("cookie"), header("Content-Length"),
            header("Transfer-Encoding"), header("X-HTTP-Method-Override"), header("X-Forwarded-For"),
            header("x-custom"), header("X-Key"), query("_method"), query("key"), query("page"),
            {"name": "id", "in": "cookie", "schema": {}},
        ]}}}),
        json!({"securitySchemes": {
            "a": {"type": "apiKey", "in": "header", "name": "x-key"},
            "b": {"type": "apiKey", "in": "query", "name": "key"},
        }}),
    );
    let properties = only(&read).input_schema["properties"].as_object().unwrap();
    let names: Vec<&String> = properties.keys().collect();
    assert_eq!(names, ["x-custom", "page", "id"]);
    let form = paths(json!({"/x": {"post": {"requestBody": {"content": {
        "application/x-www-form-urlencoded": {"schema": {"properties": {"_method": {}, "a": {}}}}}}}}}));
    assert_eq!(only(&form).input_schema["properties"], json!({"a": {}}));
}

#[test]
fn arguments_are_flat_and_collisions_are_not() {
    let parameter =
        |name: &str, place: &str| json!({"name": name, "in": place, "schema": {"type": "string"}});
    let body = json!({"content": {"application/json": {"schema": {"type": "object",
        "required": ["id"], "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "body": {}}}}},
        "required": true});
    let read = paths(
        json!({"/x/{id}": {"put": {"requestBody": body, "parameters": [
        parameter("filter[status]", "query"), parameter("limit", "query")]}}}),
    );
    let schema = &only(&read).input_schema;
    let text = json!({"type": "string"});
    // `id` is two, so both are in groups; the group `body` takes its name from the member `body`.
    assert_eq!(
        schema["properties"]["path"]["properties"],
        json!({"id": text})
    );
    assert_eq!(
        schema["properties"]["body"]["properties"],
        json!({"id": {"type": "integer"}, "body": {}})
    );
    assert_eq!(schema["properties"]["name"], text);
    assert_eq!(schema["properties"]["limit"], text);
    let renamed = &schema["properties"]["filter_status"];
    assert_eq!(renamed["type"], "string");
    assert!(
        renamed["description"]
            .as_str()
            .unwrap()
            .contains("`filter[status]`")
    );
    assert_eq!(schema["required"], json!(["path", "body"]));
    let read = paths(json!({"/x": {"get": {"parameters": [
        parameter("at", "query"), parameter("at<", "query"), parameter("at>", "query")]}}}));
    let names = only(&read).input_schema["properties"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(names, 3);
}

#[test]
fn a_path_says_which_parameters_it_has() {
    let read = paths(json!({"/a/{b}/{c}": {
        "parameters": [{"name": "b", "in": "path", "schema": {"type": "integer"}}],
        "get": {"parameters": [{"name": "gone", "in": "path", "schema": {}}]}}}));
    let schema = &only(&read).input_schema;
    assert_eq!(
        schema["properties"],
        json!({"b": {"type": "integer"}, "c": {"type": "string"}})
    );
    assert_eq!(schema["required"], json!(["b", "c"]));
}

/// What arguments the tool's schema admits, judged by a validator that is not ours.
fn admits(tool: &Descriptor, arguments: &Value) -> bool {
    jsonschema::draft202012::new(&tool.input_schema)
        .unwrap()
        .is_valid(arguments)
}

#[test]
fn schemas_mean_in_2020_what_they_meant_before() {
    let table: &[(Value, &[Value], &[Value])] = &[
        (
            json!({"type": "string", "nullable": true}),
            &[json!(null), json!("x")],
            &[json!(1)],
        ),
        (
            json!({"type": "string", "enum": ["a"], "nullable": true}),
            &[json!("a"), json!(null)],
            &[json!("b")],
        ),
        (
            json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
            &[json!(4)],
            &[json!(3)],
        ),
        (
            json!({"type": "integer", "maximum": 3, "exclusiveMaximum": false}),
            &[json!(3)],
            &[json!(4)],
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            &[json!("x"), json!(1)],
            &[json!(true)],
        ),
        // What is left out of a branch must not make two of them fit where one was meant.
        (
            json!({"oneOf": [{"type": "integer", "not": {"minimum": 5}}, {"type": "integer", "minimum": 5}]}),
            &[json!(1), json!(7)],
            &[json!("x")],
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            &[json!(["a"])],
            &[json!(["a", "b"])],
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            &[json!("aa")],
            &[json!("b")],
        ),
        (
            json!({"type": "string", "pattern": "("}),
            &[json!("aa")],
            &[json!(1)],
        ),
        (
            json!({"type": "any", "minLength": "3", "required": true, "enum": "x"}),
            &[json!(1), json!("x")],
            &[],
        ),
        (
            json!({"type": "object", "properties": {"v": {"not": {}}}, "patternProperties": {"^x-": {}}, "additionalProperties": false}),
            &[json!({"x-y": 1})],
            &[json!(1)],
        ),
    ];
    for (schema, good, bad) in table {
        let body = json!({"type": "object", "required": ["v"], "properties": {"v": schema}});
        let read = paths(json!({"/x": post(body)}));
        let tool = only(&read);
        for value in *good {
            assert!(
                admits(tool, &json!({"v": value})),
                "{schema} refuses {value}"
            );
        }
        for value in *bad {
            assert!(
                !admits(tool, &json!({"v": value})),
                "{schema} admits {value}"
            );
        }
    }
}

#[test]
fn only_what_a_caller_sends_is_asked_for() {
    let read = described(
        json!({"/x": post(json!({"allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "example": "E"}}},
        ]}))}),
        json!({"schemas": {
            "Base": {"type": "object", "required": ["id", "tag"], "properties": {
                "id": {"type": "string", "readOnly": true}, "at": {"$ref": "#/components/schemas/At"},
                "tag": {"type": "string"}}},
            "At": {"type": "string", "readOnly": true},
        }}),
    );
    let schema = &only(&read).input_schema;
    assert_eq!(
        schema["properties"],
        json!({"tag": {"type": "string"}, "name": {"type": "string"}})
    );
    assert_eq!(schema["required"], json!(["tag", "name"]));
    assert!(schema.get("$defs").is_none());
}

#[test]
fn circles_stay_circles_where_they_read_on_and_are_cut_where_not() {
    let tree = json!({"schemas": {"Node": {"type": "object", "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}}}});
    let read = described(
        json!({"/x": post(json!({"$ref": "#/components/schemas/Node"}))}),
        tree,
    );
    let tool = only(&read);
    let deep = |leaf: Value| json!({"name": "a", "children": [{"children": [{"name": leaf}]}]});
    assert!(admits(tool, &deep(json!("x"))) && !admits(tool, &deep(json!(1))));
    let circular = |circle: Value| {
        described(
            json!({"/x": post(json!({"properties": {"v": {"$ref": "#/components/schemas/A"}}}))}),
            json!({"schemas": {"A": circle}}),
        )
    };
    for circle in [
        json!({"allOf": [{"$ref": "#/components/schemas/A"}]}),
        json!({"anyOf": [{"type": "string"}, {"oneOf": [{"$ref": "#/components/schemas/A"}]}]}),
    ] {
        // A reference to itself says nothing: anything fits, and no validator runs in a circle.
        let read = circular(circle);
        assert!(admits(only(&read), &json!({"v": {"any": 1}})));
    }
    let read = circular(json!({"$ref": "#/components/schemas/A"}));
    assert!(read.unavailable[0].reason.contains("in a circle"));
}

#[test]
fn what_is_too_large_is_told_in_outline() {
    let choices: Vec<String> = (0..100_000).map(|n| format!("choice-{n}")).collect();
    let read = paths(
        json!({"/x": post(json!({"type": "object", "required": ["v"],
        "properties": {"v": {"type": "string", "enum": choices}}}))}),
    );
    let tool = only(&read);
    assert!(tool.input_schema.to_string().len() < 1_000);
    assert!(admits(tool, &json!({"v": "choice-99999"})) && !admits(tool, &json!({"v": 1})));
    assert!(!admits(tool, &json!({})), "what is required stays so");
    // Many operations that share one huge schema cost no more than their outlines.
    let wide: Map<String, Value> = (0..3_000)
        .map(|n| {
            (
                format!("member_{n}"),
                json!({"type": "object", "properties": {"x": {"type": "string"}}}),
            )
        })
        .collect();
    let nested = json!({"type": "object", "required": ["config"], "properties": {
        "config": {"type": "object", "properties": wide}}});
    let mut all = Map::new();
    for n in 0..200 {
        all.insert(
            format!("/x{n}"),
            json!({"post": {"requestBody": {"required": true, "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Wide"}}}}}}),
        );
    }
    let read = described(all.into(), json!({"schemas": {"Wide": nested}}));
    assert_eq!((read.tools.len(), read.unavailable.len()), (200, 0));
    for tool in &read.tools {
        assert!(tool.definition.to_string().len() < 36 << 10);
        assert!(admits(tool, &json!({"config": {"member_1": {"x": "y"}}})));
        assert!(!admits(tool, &json!({"config": 1})) && !admits(tool, &json!({})));
    }
    // Where not even the names of the arguments fit, the operation is told to be unavailable.
    let flat: Map<String, Value> = (0..3_000)
        .map(|n| (format!("member_{n}"), json!({})))
        .collect();
    let read = paths(json!({"/x": post(json!({"type": "object", "properties": flat}))}));
    assert!(
        read.unavailable[0].reason.contains("3000 arguments"),
        "{:?}",
        read.unavailable
    );
}

#[test]
fn a_text_that_would_take_too_much_is_refused() {
    let refused = |text: &str| {
        let read = ApiTools::read("api", text.as_bytes(), &BTreeMap::new());
        read.err().expect("it is refused")
    };
    let deep = format!(
        r##"{{"openapi": "3.0.0", "paths": {{"/x": {{"get": {}1{}}}}}}}"##,
        r##"{"allOf": ["##.repeat(1_000_000),
        "]}".repeat(1_000_000)
    );
    assert!(refused(&deep).contains("nesting deeper"));
    let flow = format!("a: {}", "[".repeat(100_000));
    assert!(!refused(&flow).is_empty());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            before.trim_end_matches(", ")
        ));
    }
    assert!(refused(&bomb).contains("aliases written out"));
    let table = [
        (
            "openapi: 3.0.0\npaths: {}\npaths: {}\n",
            "`paths` stands twice",
        ),
        (
            r#"{"openapi": "3.0.0", "paths": {}, "paths": {}}"#,
            "`paths` stands twice",
        ),
        ("a: &a [*a]\n", "within what it stands for"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n", "merge key"),
        ("a: !!python/object x\n", "the tag"),
        ("openapi: 3.0.0\n---\nopenapi: 3.0.0\n", "second document"),
        ("? [a, b]\n: c\n", "key"),
        ("a: .inf\n", "no number that JSON has"),
        ("", "no value"),
        ("just a text", "no description"),
        ("{}", "no description"),
        (r#"{"openapi": "4.0.0"}"#, "no description"),
        (r#"{"swagger": "1.2"}"#, "no description"),
    ];
    for (text, reason) in table {
        let told = refused(text);
        assert!(told.contains(reason), "{text:?}: {told}");
    }
    let mut many = Map::new();
    for n in 0..10_050 {
        many.insert(format!("/x{n}"), json!({"get": {}}));
    }
    let read = paths(many.into());
    assert_eq!((read.tools.len(), read.operations), (5_000, 10_001));
    assert!(
        read.unavailable
            .iter()
            .any(|one| one.reason.contains("10000 operations allowed"))
    );
}

#[test]
fn yaml_says_what_json_says() {
    let yaml = r#"# a comment
openapi: 3.1.0
info: {title: "x", version: 1.10}
paths:
  /pets/{id}: &item
    parameters:
      - {name: id, in: path, required: true, schema: &id {type: integer, maximum: 9007199254740993}}
    get:
      operationId: getPet
      summary: >
        Gets
        a pet
      responses: {200: {description: yes}}
    post:
      operationId: savePet
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {id: *id, no: {type: [string, "null"], const: 012}}}
"#;
    let read = ApiTools::read("api", yaml.as_bytes(), &BTreeMap::new()).unwrap();
    let named = |id: &str| {
        read.tools
            .iter()
            .find(|tool| tool.id.as_str() == id)
            .unwrap()
    };
    let (get, save) = (named("api.getPet"), named("api.savePet"));
    assert_eq!(get.version, "1.10", "numbers keep their text");
    assert_eq!(get.definition["title"], "Gets a pet");
    let maximum = &get.input_schema["properties"]["id"]["maximum"];
    assert_eq!(maximum.to_string(), "9007199254740993");
    let of_body = &save.input_schema["properties"]["body"]["properties"]["id"]["maximum"];
    assert_eq!(of_body, maximum);
    assert_eq!(
        save.input_schema["properties"]["no"]["const"], "012",
        "no reader takes it for twelve or ten"
    );
}

#[test]
fn what_swagger_2_calls_parameters_is_a_body() {
    let read = read(
        &json!({"swagger": "2.0", "host": "x.example", "consumes": ["application/json"],
        "paths": {
            "/a": {"post": {"operationId": "whole", "parameters": [
                {"in": "body", "name": "pet", "required": true, "schema": {"$ref": "#/definitions/Pet"}}]}},
            "/b": {"post": {"operationId": "upload", "parameters": [
                {"in": "formData", "name": "picture", "type": "file", "required": true},
                {"in": "formData", "name": "note", "type": "string"}]}},
            "/c": {"get": {"operationId": "list", "parameters": [
                {"in": "query", "name": "tags", "type": "array", "items": {"type": "string"}, "collectionFormat": "multi"}]}},
            "/d": {"get": {"operationId": "tabs", "parameters": [
                {"in": "query", "name": "tags", "type": "array", "collectionFormat": "tsv"}]}},
        },
        "definitions": {"Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}}}),
    );
    let named = |id: &str| {
        let found = read.tools.iter().find(|tool| tool.id.operation() == id);
        found.unwrap_or_else(|| panic!("{id}")).clone()
    };
    assert!(admits(&named("whole"), &json!({"name": "x"})) && !admits(&named("whole"), &json!({})));
    let upload = named("upload");
    assert!(admits(
        &upload,
        &json!({"picture": {"base64": "AA==", "name": "a.png"}, "note": "n"})
    ));
    assert!(
        !admits(&upload, &json!({"picture": "AA=="})) && !admits(&upload, &json!({"note": "n"}))
    );
    assert!(
        admits(&named("list"), &json!({"tags": ["a"]}))
            && !admits(&named("list"), &json!({"tags": "a"}))
    );
    assert!(read.unavailable[0].reason.contains("written in no way"));
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
