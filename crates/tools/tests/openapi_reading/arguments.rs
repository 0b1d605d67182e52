//! Which arguments an operation takes, and what they are held against.
//!
//! A schema is judged by what it admits, and that by a validator that is not the reader's.

use serde_json::{Map, Value, json};

use crate::{admits, described, only, paths, post, read};

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
        let tool = only(&read);
        assert!(admits(tool, &json!({"v": {"any": 1}})));
        assert!(!tool.input_schema.to_string().contains("$ref"));
    }
    let read = circular(json!({"$ref": "#/components/schemas/A"}));
    assert!(read.unavailable[0].reason.contains("in a circle"));
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
