//! Texts that are wrong, hostile or just odd, and what must come of the rest of them.
//!
//! One bad operation costs no other; a text that would take too much is refused before it does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use toolgate_model::{Risk, Verb};
use toolgate_tools::ApiTools;

use crate::{Dice, described, paths, route};

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

/// Characters that mean something in JSON or YAML.
const ODD: &[u8] = b"{}[]:,\"&*!-?|> \n\\#0";

/// What somebody may write where something else belongs.
fn junk(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(-1),
        json!(""),
        json!("get.delete"),
        json!([]),
        json!({}),
        json!([{}]),
        json!({"$ref": "#"}),
        json!({"$ref": "#/paths"}),
        json!({"$ref": "#/components/schemas/Node"}),
        json!({"$ref": 5}),
        json!({"type": ["string", "string"], "enum": [], "required": [1]}),
        json!({"allOf": [{"$ref": "#/components/schemas/Node"}, {"oneOf": [true, false]}]}),
    ];
    all[dice.below(all.len())].clone()
}

/// Puts junk at a random place.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let inner = match value {
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            items.get_mut(at)
        }
        Value::Object(members) if !members.is_empty() => {
            let at = dice.below(members.len());
            members.values_mut().nth(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if dice.below(5) > 0 => spoil(inner, dice),
        Some(inner) => *inner = junk(dice),
        None => *value = junk(dice),
    }
}

#[test]
fn whatever_is_wrong_in_a_description_what_always_holds_holds() {
    let whole = json!({"openapi": "3.1.0", "servers": [{"url": "/"}],
        "security": [{"key": ["read"]}],
        "paths": {
            "/nodes/{id}": {"parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}],
                "get": {"operationId": "getNode", "tags": ["nodes"], "responses": {"200": {"content": {"application/json": {}}}}},
                "delete": {"operationId": "get.it"}},
            "/nodes": {"get": {"parameters": [{"name": "q[x]", "in": "query", "style": "deepObject", "schema": {"type": "object"}}]},
                "post": {"operationId": "addNode", "requestBody": {"content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Node"}},
                    "multipart/form-data": {"schema": {"properties": {"file": {"format": "binary", "type": "string"}}}}}}}},
        },
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
            "schemas": {"Node": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "pattern": "^n"}, "next": {"$ref": "#/components/schemas/Node"}}}}}});
    let mut read_at_all = 0;
    for seed in 0..3_000 {
        let mut dice = Dice(seed);
        let mut document = whole.clone();
        for _ in 0..=dice.below(3) {
            spoil(&mut document, &mut dice);
        }
        let text = document.to_string();
        let Ok(read) = ApiTools::read("api", text.as_bytes(), &BTreeMap::new()) else {
            continue;
        };
        read_at_all += read.tools.len();
        assert_eq!(
            read.operations,
            read.tools.len() + read.unavailable.len(),
            "seed {seed}"
        );
        let ids: BTreeSet<&str> = read.tools.iter().map(|tool| tool.id.as_str()).collect();
        assert_eq!(ids.len(), read.tools.len(), "seed {seed}");
        for tool in &read.tools {
            let low = tool.method.as_deref() == Some("GET") && tool.risk == Risk::Low;
            let get = |name: &str| name.starts_with("api.get.");
            assert_eq!(
                get(route(tool)),
                low && tool.verb == Verb::Read,
                "seed {seed}"
            );
            assert!(low || !get(tool.id.as_str()), "seed {seed}: {}", tool.id);
            assert!(
                jsonschema::draft202012::new(&tool.input_schema).is_ok(),
                "seed {seed}: {}",
                tool.input_schema
            );
        }
    }
    assert!(read_at_all > 5_000, "{read_at_all}");
    // The same of the text itself, which is mostly refused, and never with a panic.
    let text = whole.to_string().into_bytes();
    for seed in 0..1_000 {
        let mut dice = Dice(seed);
        let mut spoilt = text.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(spoilt.len());
            spoilt[at] = ODD[dice.below(ODD.len())];
        }
        let _ = ApiTools::read("api", &spoilt, &BTreeMap::new());
        let _ = ApiTools::read(
            "api",
            &[b"a: ", spoilt.as_slice()].concat(),
            &BTreeMap::new(),
        );
    }
}
