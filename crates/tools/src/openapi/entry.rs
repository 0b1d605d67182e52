//! One operation as it is read from a description, and what the description tells of it.
//!
//! ```json
//! "/pets/{id}": {"delete": {"operationId": "deletePet", "tags": ["pets"], "summary": "Deletes a pet"}}
//! ```
//! gives an [`Operation`] to send, an input schema, and the words that it is rated by.
//!
//! Must not know: the tool that it becomes.

use serde_json::Value;

use super::argument::{self, Wanted};
use super::body::{self, DeclaredBody, Shape};
use super::document::{self, Dialect, Reading};
use super::operation::{
    Argument, BodyShape, Group, Member, Operation, Parameter, Place, RequestBody, Scheme,
};
use super::parameters::{self, Declared, Parameters, Setting};
use super::path::Template;
use super::schema::{Detail, Kind, Slot};
use super::text;

/// An operation that can be called.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) operation: Operation,
    pub(super) template: Template,
    pub(super) told: Told,
    /// The input schema.
    pub(super) schema: Value,
    /// How much of it is told.
    pub(super) detail: Detail,
}

/// What a description tells of an operation. Words: they prove nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) operation_id: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) deprecated: bool,
    /// The scopes of each way to sign in.
    pub(super) scopes: Vec<Vec<String>>,
}

/// LIMIT: tags of one operation that are read, and bytes of one.
const TAGS_MAX: usize = 8;
const TAG_BYTES_MAX: usize = 64;
/// LIMIT: bytes of a summary and of a description.
const SUMMARY_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 1_000;
/// LIMIT: media types of answers, and ways to sign in, that are kept.
const LISTED_MAX: usize = 16;

/// Reads the operation that stands on a path under a method.
///
/// # Errors
/// Why it cannot be called.
pub(super) fn read<'d>(
    reading: &Reading<'d>,
    (method, path): (&str, &str),
    (item, operation): (&'d Value, &'d Value),
) -> Result<Entry, String> {
    if !operation.is_object() {
        return Err("it is no object".to_owned());
    }
    if method == "trace" {
        return Err("the method `trace` gives back what was sent, credentials too".to_owned());
    }
    let template = Template::parse(path)?;
    let item = reading.references.resolve(item)?;
    let security = security(operation.get("security").or(reading.root.get("security")));
    let names: Vec<Vec<String>> = security.iter().map(|one| names(one)).collect();
    let schemes: Vec<&Scheme> = reading.schemes.values().collect();
    let setting = Setting {
        dialect: reading.dialect,
        references: reading.references,
        schemes: &schemes,
    };
    let lists = [item.get("parameters"), operation.get("parameters")];
    let parameters = parameters::read(setting, &template, lists)?;
    let body =
        body_of(reading, operation, &parameters)?.filter(|body| says_something(method, body));
    let arguments = argument::assign(&wanted(&parameters.declared, body.as_ref()))?;
    let slots = slots(&parameters.declared, body.as_ref(), &arguments);
    let (schema, detail) = reading.schemas.input(&slots)?;
    let servers = operation.get("servers").or(item.get("servers"));
    Ok(Entry {
        operation: Operation {
            method: method.to_ascii_uppercase(),
            path: template.path(),
            idempotency_header: idempotency_header(&parameters.declared),
            security: names,
            server: servers.and_then(|all| document::server(all.get(0)?)),
            answers: answers(reading, operation),
            body: body.map(|body| assembled(body, &arguments, parameters.declared.len())),
            parameters: sent(parameters.declared, &arguments),
        },
        told: told(operation, &security),
        template,
        schema,
        detail,
    })
}

fn body_of<'d>(
    reading: &Reading<'d>,
    operation: &'d Value,
    parameters: &Parameters<'d>,
) -> Result<Option<DeclaredBody<'d>>, String> {
    if reading.dialect != Dialect::V2 {
        let body = operation.get("requestBody");
        return body.map_or(Ok(None), |body| body::read(reading.references, body));
    }
    let consumes = operation.get("consumes").or(reading.root.get("consumes"));
    let consumes = consumes.and_then(Value::as_array).into_iter().flatten();
    let consumes: Vec<&str> = consumes.filter_map(Value::as_str).collect();
    let given = (parameters.body, parameters.form.as_slice());
    body::read_v2(reading.references, given, &consumes)
}

/// Some descriptions give every `GET` an empty form, which nobody sends.
fn says_something(method: &str, body: &DeclaredBody<'_>) -> bool {
    let empty = matches!(&body.shape, Shape::Members(parts) if parts.is_empty());
    !(empty && matches!(method, "get" | "head" | "delete" | "options"))
}

fn wanted<'w>(declared: &'w [Declared<'_>], body: Option<&'w DeclaredBody<'_>>) -> Vec<Wanted<'w>> {
    let of_parameters = declared.iter().map(|one| Wanted {
        group: one.place.into(),
        name: &one.name,
        fixed: false,
    });
    let of_body = match body.map(|body| &body.shape) {
        None => Vec::new(),
        Some(Shape::Whole(_)) => vec![("body", true)],
        Some(Shape::Members(parts)) => parts
            .iter()
            .map(|part| (part.name.as_str(), false))
            .collect(),
    };
    let of_body = of_body.into_iter().map(|(name, fixed)| Wanted {
        group: Group::Body,
        name,
        fixed,
    });
    of_parameters.chain(of_body).collect()
}

fn slots<'d>(
    declared: &[Declared<'d>],
    body: Option<&DeclaredBody<'d>>,
    arguments: &[Argument],
) -> Vec<Slot<'d>> {
    let of_parameters = declared.iter().map(|one| {
        let kind = match one.schema {
            None => Kind::Text,
            Some(schema) => Kind::Of(Some(schema)),
        };
        (one.name.as_str(), one.required, kind, one.description)
    });
    let of_body = match body {
        None => Vec::new(),
        Some(body) => match &body.shape {
            Shape::Whole(kind) => vec![("body", body.required, *kind, body.description)],
            // A member is needed where the body is: without the others there would be none.
            Shape::Members(parts) => parts
                .iter()
                .map(|part| {
                    let required = part.required && body.required;
                    (part.name.as_str(), required, part.kind, part.description)
                })
                .collect(),
        },
    };
    let all = of_parameters.chain(of_body).zip(arguments);
    all.map(|((name, required, kind, description), argument)| Slot {
        argument: argument.clone(),
        required,
        kind,
        description: match argument.name == name {
            true => description.to_owned(),
            false => format!(
                "Sent as `{}`. {description}",
                text::line(name, TAG_BYTES_MAX)
            ),
        },
    })
    .collect()
}

fn sent(declared: Vec<Declared<'_>>, arguments: &[Argument]) -> Vec<Parameter> {
    let all = declared.into_iter().zip(arguments);
    all.map(|(one, argument)| Parameter {
        name: one.name,
        place: one.place,
        required: one.required,
        style: one.style,
        explode: one.explode,
        allow_reserved: one.allow_reserved,
        content: one.content,
        argument: argument.clone(),
    })
    .collect()
}

/// The body, with the arguments that follow those of `count` parameters.
fn assembled(body: DeclaredBody<'_>, arguments: &[Argument], count: usize) -> RequestBody {
    let mut own = arguments.iter().skip(count).cloned();
    let shape = match body.shape {
        Shape::Whole(_) => BodyShape::Whole(own.next().unwrap_or(Argument {
            group: None,
            name: "body".to_owned(),
        })),
        Shape::Members(parts) => {
            let members = parts.into_iter().zip(own).map(|(part, argument)| Member {
                name: part.name,
                argument,
                blob: matches!(part.kind, Kind::File | Kind::Files),
            });
            BodyShape::Members(members.collect())
        }
    };
    RequestBody {
        required: body.required,
        media: body.media,
        shape,
    }
}

/// The header in which the API takes a key of the caller's own.
fn idempotency_header(declared: &[Declared<'_>]) -> Option<String> {
    let is = |one: &&Declared<'_>| {
        let lower = one.name.to_ascii_lowercase();
        one.place == Place::Header
            && matches!(lower.as_str(), "idempotency-key" | "x-idempotency-key")
    };
    declared.iter().find(is).map(|one| one.name.clone())
}

/// The media types of what comes back when all is well.
fn answers(reading: &Reading<'_>, operation: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if reading.dialect == Dialect::V2 {
        let produces = operation.get("produces").or(reading.root.get("produces"));
        let produces = produces.and_then(Value::as_array).into_iter().flatten();
        found.extend(produces.filter_map(Value::as_str).map(str::to_owned));
    }
    let responses = operation.get("responses").and_then(Value::as_object);
    let well = |status: &str| status.starts_with('2') || status == "default";
    for (_, answer) in responses
        .into_iter()
        .flatten()
        .filter(|(status, _)| well(status))
    {
        let to = super::reference::reference(answer).map(|to| reading.references.target(to));
        let answer = match to {
            Some(Ok(target)) => target,
            Some(Err(_)) => continue,
            None => answer,
        };
        let content = answer.get("content").and_then(Value::as_object);
        found.extend(content.into_iter().flat_map(|all| all.keys().cloned()));
    }
    found.sort();
    found.dedup();
    found.truncate(LISTED_MAX);
    found
}

/// The ways to sign in, each with its schemes and their scopes.
type Alternative<'d> = Vec<(&'d String, Vec<&'d str>)>;

fn security(list: Option<&Value>) -> Vec<Alternative<'_>> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let objects = list.filter_map(Value::as_object);
    objects.map(alternative).take(LISTED_MAX).collect()
}

fn alternative(all: &serde_json::Map<String, Value>) -> Alternative<'_> {
    all.iter()
        .map(|(name, scopes)| {
            let scopes = scopes.as_array().into_iter().flatten();
            (name, scopes.filter_map(Value::as_str).collect())
        })
        .collect()
}

fn names(alternative: &Alternative<'_>) -> Vec<String> {
    alternative
        .iter()
        .map(|(name, _)| (*name).clone())
        .collect()
}

fn told(operation: &Value, security: &[Alternative<'_>]) -> Told {
    let said = |key: &str| {
        operation
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let tags = operation.get("tags").and_then(Value::as_array);
    let tags = tags.into_iter().flatten().filter_map(Value::as_str);
    let scopes = |one: &Alternative<'_>| -> Vec<String> {
        let all = one.iter().flat_map(|(_, scopes)| scopes);
        all.map(|scope| (*scope).to_owned()).collect()
    };
    Told {
        operation_id: operation
            .get("operationId")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        tags: tags
            .take(TAGS_MAX)
            .map(|tag| text::line(tag, TAG_BYTES_MAX))
            .collect(),
        summary: text::line(said("summary"), SUMMARY_BYTES_MAX),
        description: text::clean(said("description"), DESCRIPTION_BYTES_MAX),
        deprecated: operation.get("deprecated").and_then(Value::as_bool) == Some(true),
        scopes: security.iter().map(scopes).collect(),
    }
}
