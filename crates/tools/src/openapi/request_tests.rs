//! Requests from arguments: what arrives where, and what is never sent.

use super::operation::{
    Argument, BodyShape, Encoding, Group, Media, MediaKind, Member, Operation, Parameter, Place,
    RequestBody, Style,
};
use super::request::{Own, Prepared, prepare};
use serde_json::{Value, json};
use toolgate_model::KeyPlace;

fn argument(name: &str) -> Argument {
    Argument {
        group: None,
        name: name.to_owned(),
    }
}

fn parameter(place: Place, name: &str, style: Style) -> Parameter {
    Parameter {
        name: name.to_owned(),
        place,
        required: place == Place::Path,
        style,
        explode: style == Style::Form || style == Style::DeepObject,
        allow_reserved: false,
        content: None,
        argument: argument(name),
    }
}

fn operation(path: &str, parameters: Vec<Parameter>) -> Operation {
    Operation {
        method: "GET".to_owned(),
        path: path.to_owned(),
        parameters,
        body: None,
        security: Vec::new(),
        idempotency_header: None,
        server: None,
        answers: Vec::new(),
    }
}

fn media(kind: MediaKind) -> Media {
    let name = match kind {
        MediaKind::Json => "application/json",
        MediaKind::Form => "application/x-www-form-urlencoded",
        MediaKind::Multipart => "multipart/form-data",
        MediaKind::Text => "text/plain",
        MediaKind::Binary => "application/octet-stream",
    };
    Media {
        name: name.to_owned(),
        kind,
        encoding: Default::default(),
    }
}

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        argument: argument(name),
        blob: name == "file",
    }
}

fn with_body(media: Media, shape: BodyShape) -> Operation {
    Operation {
        method: "POST".to_owned(),
        body: Some(RequestBody {
            required: true,
            media,
            shape,
        }),
        ..operation("/x", Vec::new())
    }
}

fn members(kind: MediaKind, names: &[&str]) -> Operation {
    let all = names.iter().map(|name| member(name)).collect();
    with_body(media(kind), BodyShape::Members(all))
}

fn send(operation: &Operation, arguments: Value) -> Result<Prepared, String> {
    prepare(operation, &arguments, &Own::default(), None)
}

fn body(operation: &Operation, arguments: Value) -> Result<(String, String), String> {
    let prepared = send(operation, arguments)?;
    let kind = prepared
        .headers
        .get("content-type")
        .unwrap()
        .to_str()
        .unwrap();
    let bytes = prepared.body.unwrap_or_default();
    Ok((
        kind.to_owned(),
        String::from_utf8_lossy(&bytes).into_owned(),
    ))
}

#[test]
fn every_argument_goes_where_the_description_puts_it() {
    let all = operation(
        "/customers/{id}/orders:{kind}",
        vec![
            parameter(Place::Path, "id", Style::Simple),
            parameter(Place::Path, "kind", Style::Simple),
            parameter(Place::Query, "limit", Style::Form),
            parameter(Place::Query, "tag", Style::Form),
            parameter(Place::Header, "X-Trace", Style::Simple),
            parameter(Place::Cookie, "theme", Style::Form),
        ],
    );
    let sent = send(
        &all,
        json!({"id": "a/b?c", "kind": "new", "limit": 10, "tag": ["x", "y&z"], "X-Trace": "t 1", "theme": "a;b"}),
    )
    .unwrap();
    assert_eq!(sent.method, "GET");
    assert_eq!(sent.path, "/customers/a%2Fb%3Fc/orders:new");
    assert_eq!(sent.query.as_deref(), Some("limit=10&tag=x&tag=y%26z"));
    assert_eq!(sent.headers.get("x-trace").unwrap(), "t 1");
    assert_eq!(sent.headers.get("cookie").unwrap(), "theme=a%3Bb");
    assert_eq!(sent.body, None);
}

#[test]
fn what_cannot_be_sent_is_refused_by_name() {
    let one = operation(
        "/c/{id}",
        vec![
            parameter(Place::Path, "id", Style::Simple),
            parameter(Place::Query, "ids", Style::Form),
            parameter(Place::Header, "X-Trace", Style::Simple),
            parameter(Place::Header, "Authorization", Style::Simple),
            parameter(Place::Header, "X-HTTP-Method-Override", Style::Simple),
            parameter(Place::Header, "X-Key", Style::Simple),
            parameter(Place::Query, "api_key", Style::Form),
        ],
    );
    let own = Own {
        headers: ["x-key".to_owned()].into(),
        query: ["api_key".to_owned()].into(),
    };
    for (arguments, named) in [
        (json!({}), "`id` is missing"),
        (json!({"id": ".."}), "`id`"),
        (json!({"id": "1", "ids": []}), "`ids`"),
        (json!({"id": "1", "ids": null}), "`ids`"),
        (
            json!({"id": "1", "X-Trace": "a\r\nHost: evil.example"}),
            "`X-Trace`",
        ),
        (json!({"id": "1", "X-Trace": "ä"}), "`X-Trace`"),
        (
            json!({"id": "1", "X-Trace": "x".repeat(9_000)}),
            "`X-Trace`",
        ),
        (
            json!({"id": "1", "Authorization": "Bearer x"}),
            "`Authorization`",
        ),
        (
            json!({"id": "1", "X-HTTP-Method-Override": "DELETE"}),
            "`X-HTTP-Method-Override`",
        ),
        (json!({"id": "1", "X-Key": "mine"}), "`X-Key`"),
        (json!({"id": "1", "api_key": "mine"}), "`api_key`"),
        (json!({"id": "1", "more": 1}), "no argument `more`"),
        (json!([1]), "no object"),
    ] {
        let refused = prepare(&one, &arguments, &own, None).map(|sent| sent.path);
        let why = refused.unwrap_err();
        assert!(why.contains(named), "{arguments}: {why}");
    }
}

#[test]
fn groups_keep_arguments_of_one_name_apart() {
    let in_group = |place: Place, name: &str| Parameter {
        argument: Argument {
            group: Some(Group::from(place)),
            name: name.to_owned(),
        },
        ..parameter(place, name, Style::Form)
    };
    let mut both = members(MediaKind::Json, &[]);
    both.parameters = vec![in_group(Place::Query, "id")];
    both.body.as_mut().unwrap().shape = BodyShape::Members(vec![Member {
        argument: Argument {
            group: Some(Group::Body),
            name: "id".to_owned(),
        },
        ..member("id")
    }]);
    let sent = send(&both, json!({"query": {"id": 1}, "body": {"id": 2}})).unwrap();
    assert_eq!(sent.query.as_deref(), Some("id=1"));
    assert_eq!(sent.body.unwrap(), br#"{"id":2}"#);
    for (arguments, named) in [
        (json!({"query": {"other": 1}}), "`query.other`"),
        (json!({"header": {"id": 1}}), "`header`"),
        (json!({"query": 1}), "`query`"),
        (json!({"id": 1}), "`id`"),
    ] {
        let why = send(&both, arguments).unwrap_err();
        assert!(why.contains(named), "{why}");
    }
}

#[test]
fn the_downstream_key_has_its_place_to_itself() {
    let mut header = parameter(Place::Header, "Idempotency-Key", Style::Simple);
    header.required = true;
    let one = operation("/x", vec![header]);
    let place = KeyPlace::Header("idempotency-key".to_owned());
    let own = Own::default();
    let keyed = |arguments| prepare(&one, &arguments, &own, Some((&place, "inv_1")));
    let sent = keyed(json!({})).unwrap();
    assert_eq!(sent.headers.get("idempotency-key").unwrap(), "inv_1");
    let why = keyed(json!({"Idempotency-Key": "mine"})).unwrap_err();
    assert!(why.contains("`Idempotency-Key`"), "{why}");
    // Unless the operator says that the gate sends one, it is an argument like any other.
    let sent = send(&one, json!({"Idempotency-Key": "mine"})).unwrap();
    assert_eq!(sent.headers.get("idempotency-key").unwrap(), "mine");
    assert!(send(&one, json!({})).unwrap_err().contains("is missing"));
}

#[test]
fn json_is_sent_as_it_was_judged() {
    let one = members(MediaKind::Json, &["b", "a", "c"]);
    let arguments = serde_json::from_str(r#"{"a":1.50,"b":{"x":[null]}}"#).unwrap();
    let sent = body(&one, arguments).unwrap();
    assert_eq!(sent.0, "application/json");
    assert_eq!(sent.1, r#"{"b":{"x":[null]},"a":1.50}"#);
    assert_eq!(body(&one, json!({})).unwrap().1, "{}");
    let mut optional = one;
    optional.body.as_mut().unwrap().required = false;
    assert_eq!(send(&optional, json!({})).unwrap().body, None);
    let whole = with_body(media(MediaKind::Json), BodyShape::Whole(argument("body")));
    assert_eq!(
        body(&whole, json!({"body": [1, null]})).unwrap().1,
        "[1,null]"
    );
    assert!(
        send(&whole, json!({}))
            .unwrap_err()
            .contains("`body` is missing")
    );
}

/// As Stripe's own libraries write them.
#[test]
fn a_form_says_deep_objects() {
    let mut one = members(
        MediaKind::Form,
        &["amount", "metadata", "expand", "items", "raw"],
    );
    let deep = Encoding {
        style: Some(Style::DeepObject),
        explode: Some(true),
        ..Encoding::default()
    };
    let encoding = &mut one.body.as_mut().unwrap().media.encoding;
    for name in ["metadata", "expand", "items"] {
        encoding.insert(name.to_owned(), deep.clone());
    }
    let sent = body(
        &one,
        json!({"amount": 5, "metadata": {"k": "a&b"}, "expand": ["x"], "items": [{"price": "p"}], "raw": {"a": [1]}}),
    )
    .unwrap();
    assert_eq!(sent.0, "application/x-www-form-urlencoded");
    assert_eq!(
        sent.1,
        "amount=5&metadata%5Bk%5D=a%26b&expand%5B0%5D=x&items%5B0%5D%5Bprice%5D=p&raw=%7B%22a%22%3A%5B1%5D%7D"
    );
    assert_eq!(
        body(&one, json!({"raw": ["a", "b"]})).unwrap().1,
        "raw=a&raw=b"
    );
    for (arguments, named) in [
        (json!({"metadata": {"a][amount": 1}}), "`metadata`"),
        (json!({"metadata": {}}), "`metadata`"),
        (json!({"raw": []}), "`raw`"),
        (json!({"raw": null}), "`raw`"),
    ] {
        let why = body(&one, arguments).unwrap_err();
        assert!(why.contains(named), "{why}");
    }
    let open = with_body(media(MediaKind::Form), BodyShape::Whole(argument("body")));
    assert_eq!(
        body(&open, json!({"body": {"a b": 1}})).unwrap().1,
        "a%20b=1"
    );
    assert!(body(&open, json!({"body": {"a[b]": 1}})).is_err());
    assert!(body(&open, json!({"body": [1]})).is_err());
}

#[test]
fn a_body_that_would_never_end_is_not_written() {
    let mut one = members(MediaKind::Form, &["metadata"]);
    let deep = Encoding {
        style: Some(Style::DeepObject),
        ..Encoding::default()
    };
    let encoding = &mut one.body.as_mut().unwrap().media.encoding;
    encoding.insert("metadata".to_owned(), deep);
    // Half a megabyte of arguments, and a long name before each of 50,000 leaves.
    let leaves = Value::Array(vec![json!(1); 50_000]);
    let why = body(&one, json!({"metadata": {"k".repeat(400_000): leaves}})).unwrap_err();
    assert!(why.contains("longer than"), "{why}");
}

#[test]
fn a_file_is_a_part_of_its_own() {
    let one = members(MediaKind::Multipart, &["file", "note", "meta"]);
    let file = json!({"base64": "AAFhYg==", "name": "a\"\r\nX: y.pdf", "type": "application/pdf"});
    let (kind, text) = body(&one, json!({"file": file, "note": "n", "meta": {"k": 1}})).unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22%0D%0AX: y.pdf\"\r\n\
         Content-Type: application/pdf\r\n\r\n\u{0}\u{1}ab\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n\
         {{\"k\":1}}\r\n--{boundary}--\r\n"
    );
    assert_eq!(text, expected);
    for bad in [
        json!("AAE="),
        json!({"name": "x"}),
        json!({"base64": "***"}),
        json!({"base64": "AAE=", "type": "text/plain\r\nX: y"}),
        json!({"base64": "AAE=", "path": "/etc/passwd"}),
        json!([]),
    ] {
        let why = body(&one, json!({"file": bad})).unwrap_err();
        assert!(why.contains("`file`"), "{bad}: {why}");
    }
}

#[test]
fn a_style_holds_for_parts_as_well() {
    let mut one = members(MediaKind::Multipart, &["meta", "tags"]);
    let styled = |style| Encoding {
        style: Some(style),
        ..Encoding::default()
    };
    let encoding = &mut one.body.as_mut().unwrap().media.encoding;
    encoding.insert("meta".to_owned(), styled(Style::DeepObject));
    encoding.insert("tags".to_owned(), styled(Style::PipeDelimited));
    let (_, text) = body(&one, json!({"meta": {"k": "a&b"}, "tags": ["x", "y"]})).unwrap();
    assert!(text.contains("name=\"meta[k]\"\r\n\r\na&b\r\n"), "{text}");
    assert!(text.contains("name=\"tags\"\r\n\r\nx|y\r\n"), "{text}");
}

#[test]
fn bytes_and_texts_are_sent_as_they_are() {
    let binary = with_body(media(MediaKind::Binary), BodyShape::Whole(argument("body")));
    let sent = send(&binary, json!({"body": {"base64": "/wA="}})).unwrap();
    assert_eq!(sent.body.unwrap(), [0xff, 0]);
    let any = Media {
        name: "image/*".to_owned(),
        ..media(MediaKind::Binary)
    };
    let any = with_body(any, BodyShape::Whole(argument("body")));
    let named = json!({"body": {"base64": "/wA=", "type": "image/png"}});
    assert_eq!(body(&any, named).unwrap().0, "image/png");
    let text = with_body(media(MediaKind::Text), BodyShape::Whole(argument("body")));
    let sent = body(&text, json!({"body": "hé"})).unwrap();
    assert_eq!(sent, ("text/plain".to_owned(), "hé".to_owned()));
    assert!(body(&text, json!({"body": {"a": 1}})).is_err());
}

#[test]
fn a_document_in_a_parameter_is_one_value() {
    let mut one = parameter(Place::Query, "filter", Style::Form);
    one.content = Some("application/json".to_owned());
    let one = operation("/x", vec![one]);
    let sent = send(&one, json!({"filter": {"a": "b&c"}})).unwrap();
    assert_eq!(
        sent.query.as_deref(),
        Some("filter=%7B%22a%22%3A%22b%26c%22%7D")
    );
}
