//! How an errand is put to a server: method, parameters, `_meta` and headers, in its era's form.
//!
//! `crm.refund` becomes `tools/call` of `refund`; `crm.resources/read` becomes `resources/read`
//! with the call's arguments as its parameters. A further round of the same request repeats all of
//! it and adds what the server wanted to know (`inputResponses`, and its own `requestState`).
//!
//! Must not know: when anything is sent, or what is answered.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Map, Value};
use toolgate_model::{KeyPlace, Method, json::Raw};

use crate::declared::Declared;
use crate::describe::Offered;
use crate::era::Era;
use crate::errand::Errand;
use crate::key_place;
use crate::message;
use crate::mirror;

/// What a further round adds to the request.
#[derive(Default)]
pub(crate) struct Addition {
    /// Answers of the client, each under its key.
    pub(crate) responses: Vec<(String, Raw)>,
    /// What the server gave to be echoed.
    pub(crate) state: Option<String>,
}

/// A request without its number.
pub(crate) struct Wording {
    pub(crate) method: &'static str,
    pub(crate) params: Raw,
    pub(crate) headers: Vec<(String, String)>,
}

/// Parameters of the gate's own that no caller's arguments can pass for.
const OWN_PARAMETERS: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// The request that an errand is. `id` is its number, which is its progress token too.
pub(crate) fn of(
    era: Era,
    (tool, errand): (&Offered, &Errand),
    declared: &Declared,
    addition: &Addition,
    id: u64,
) -> Wording {
    let mut meta = errand.meta();
    if errand.progress().is_some() {
        meta.insert("progressToken".to_owned(), id.into());
    }
    match Method::of(errand.tool()) {
        Some(method) => {
            era.stamp(&mut meta, declared);
            method_wording(era, method, errand.arguments(), (addition, meta))
        }
        None => tool_wording(era, (tool, errand), declared, (addition, meta)),
    }
}

fn tool_wording(
    era: Era,
    (tool, errand): (&Offered, &Errand),
    declared: &Declared,
    (addition, mut meta): (&Addition, Map<String, Value>),
) -> Wording {
    let place = key_place::stated(&tool.descriptor.checks).zip(errand.key());
    let arguments = key_place::with_key(place, errand.arguments());
    // The server's own schema: the caller's lacks the argument that is the gate's.
    let schema = tool.descriptor.definition.get("inputSchema");
    let mut headers = mirror::call(era, &tool.name, schema, &arguments);
    match place {
        Some((KeyPlace::Header(name), key)) => headers.push((name.clone(), key.to_owned())),
        Some((KeyPlace::Meta(name), key)) => {
            meta.insert(name.clone(), key.into());
        }
        Some((KeyPlace::Argument(_), _)) | None => {}
    }
    era.stamp(&mut meta, declared);
    let arguments: &Value = &arguments;
    let own = [
        ("name", Part::Text(&tool.name)),
        ("arguments", Part::Value(arguments)),
    ];
    Wording {
        method: "tools/call",
        params: message::raw(&Params {
            own: own.into_iter().collect(),
            addition,
            meta: &meta,
        }),
        headers,
    }
}

fn method_wording(
    era: Era,
    method: Method,
    arguments: &Value,
    (addition, meta): (&Addition, Map<String, Value>),
) -> Wording {
    let named = match method {
        Method::ReadResource => arguments.get("uri"),
        Method::GetPrompt => arguments.get("name"),
        Method::Complete => None,
    };
    let own = arguments.as_object().into_iter().flatten();
    let own = own.filter(|(name, _)| !OWN_PARAMETERS.contains(&name.as_str()));
    let own = own.map(|(name, value)| (name.as_str(), Part::Value(value)));
    Wording {
        method: method.as_str(),
        params: message::raw(&Params {
            own: own.collect(),
            addition,
            meta: &meta,
        }),
        headers: mirror::named(era, method.as_str(), named.and_then(Value::as_str)),
    }
}

/// A request about a task: how it stands, what it wanted to know, that nobody wants it any more.
pub(crate) fn about_task(
    era: Era,
    (method, id): (&'static str, &str),
    declared: &Declared,
    responses: &[(String, Raw)],
) -> Wording {
    let mut meta = Map::new();
    era.stamp(&mut meta, declared);
    let addition = Addition {
        responses: responses.to_vec(),
        state: None,
    };
    let params = Params {
        own: vec![("taskId", Part::Text(id))],
        addition: &addition,
        meta: &meta,
    };
    Wording {
        method,
        params: message::raw(&params),
        headers: mirror::named(era, method, Some(id)),
    }
}

/// Parameters, in the order in which they are written.
struct Params<'a> {
    own: Vec<(&'a str, Part<'a>)>,
    addition: &'a Addition,
    meta: &'a Map<String, Value>,
}

enum Part<'a> {
    Text(&'a str),
    Value(&'a Value),
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, part) in &self.own {
            match part {
                Part::Text(text) => map.serialize_entry(name, text)?,
                Part::Value(value) => map.serialize_entry(name, value)?,
            }
        }
        if !self.addition.responses.is_empty() {
            map.serialize_entry("inputResponses", &Responses(&self.addition.responses))?;
        }
        if let Some(state) = &self.addition.state {
            map.serialize_entry("requestState", state)?;
        }
        map.serialize_entry("_meta", self.meta)?;
        map.end()
    }
}

/// Answers of a client by their keys, each as it wrote it.
struct Responses<'a>(&'a [(String, Raw)]);

impl Serialize for Responses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, answer)| (key, answer)))
    }
}
