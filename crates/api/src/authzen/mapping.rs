//! From a question of AuthZEN to the call that it asks about. Pure.
//!
//! ```text
//! action stripe.refund on customer:c1       → stripe.refund, resource customer:c1
//! action read          on record:record-1   → record.read,   resource record:record-1
//! action tools/call    on tool:desk__refund → desk.refund    (COAZ, the form of MCP gateways)
//! ```
//!
//! Arguments are `context.arguments`, or what the tool's schema has of the properties of resource and
//! action, with the resource's id where the descriptor reads it. What no schema knows is left out:
//! the gate judges what the tool would see. Must not know: who asks.

use serde_json::{Map, Number, Value};
use toolgate_model::{Call, Catalogue, Descriptor, Mode, ToolId, json};

use super::access::{Access, Entity};
use crate::problem::Problem;

/// The action by which MCP gateways ask for the use of a tool.
pub(super) const USE: &str = "tools/call";

/// The type of the resource that they name then.
pub(super) const TOOL: &str = "tool";

/// The argument that a tool may declare to be given the properties of the subject.
const SUBJECT: &str = "subject";

/// The argument that a tool may declare to be given the id of the resource.
const ID: &str = "id";

/// Whether what the caller says of the subject is taken for true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is a trusted host, or a person who tries something.
    Taken,
    /// It is an agent that speaks of itself.
    NotTaken,
}

/// The call that is asked about; none where no tool can have such a name.
///
/// # Errors
/// A problem where resource and action say two things of one argument.
pub(crate) fn call(
    access: &Access,
    catalogue: &Catalogue,
    word: Word,
) -> Result<Option<Call>, Problem> {
    let Some(tool) = tool(access, catalogue) else {
        return Ok(None);
    };
    let descriptor = catalogue.get(&tool).map(AsRef::as_ref);
    let arguments = match &access.context.arguments {
        Some(arguments) => arguments.clone(),
        None => arguments(access, descriptor, word)?,
    };
    let (resource, context) = (&access.resource, &access.context);
    Ok(Some(Call {
        env: context.env.clone(),
        workflow: context.workflow.clone(),
        resource: (!is_use(access)).then(|| name(resource)),
        session: context.session_id.clone(),
        correlation: context.correlation_id.clone(),
        justification: context.reason(),
        // Nobody runs what is only asked about.
        mode: Mode::Decide,
        ..Call::new(tool, Value::Object(arguments))
    }))
}

/// Whether it is the use of a tool that is asked about in so many words.
fn is_use(access: &Access) -> bool {
    access.action.name == USE && access.resource.kind == TOOL
}

fn tool(access: &Access, catalogue: &Catalogue) -> Option<ToolId> {
    let (action, resource) = (&access.action.name, &access.resource);
    if is_use(access) {
        let id = resource.id.parse().ok();
        let known = id.clone().filter(|id| catalogue.get(id).is_some());
        let wire = || catalogue.by_wire_name(&resource.id);
        return known.or_else(|| wire().map(|tool| tool.id.clone())).or(id);
    }
    match action.contains('.') {
        true => action.parse().ok(),
        false => format!("{}.{action}", resource.kind).parse().ok(),
    }
}

/// `record:record-1`.
fn name(resource: &Entity) -> String {
    format!("{}:{}", resource.kind, resource.id)
}

fn arguments(
    access: &Access,
    tool: Option<&Descriptor>,
    word: Word,
) -> Result<Map<String, Value>, Problem> {
    let schema = Schema(tool.map(|tool| &tool.input_schema));
    let mut made = Map::new();
    let said = [&access.resource.properties, &access.action.properties];
    let properties = said.into_iter().flatten().flatten();
    for (name, value) in properties.filter(|(name, _)| schema.takes(name)) {
        put(&mut made, name, value.clone())?;
    }
    if !is_use(access)
        && let Some(name) = named_by(tool, &access.resource).filter(|name| schema.takes(name))
    {
        put(&mut made, name, schema.id(name, &access.resource.id))?;
    }
    // INVARIANT: no agent says of itself what a rule believes of a subject.
    if let Some(of) = access.subject.properties.as_ref()
        && word == Word::Taken
        && schema.names(SUBJECT)
    {
        made.insert(SUBJECT.to_owned(), Value::Object(of.clone()));
    }
    Ok(made)
}

fn put(made: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Problem> {
    if made.get(name).is_some_and(|there| *there != value) {
        let detail = format!("resource and action say two things of the argument `{name}`");
        return Err(Problem::field("/action/properties", detail));
    }
    made.insert(name.to_owned(), value);
    Ok(())
}

/// The argument that names the resource: the one that the descriptor makes it of, else `id`.
fn named_by<'t>(tool: Option<&'t Descriptor>, resource: &Entity) -> Option<&'t str> {
    let template = tool.and_then(|tool| tool.resource.as_ref());
    let Some(template) = template else {
        return Some(ID);
    };
    let path = template
        .as_str()
        .strip_prefix(resource.kind.as_str())?
        .strip_prefix(":{args.")?
        .strip_suffix('}')?;
    (!path.contains(['.', '{', '['])).then_some(path)
}

/// What is known of a tool's arguments.
struct Schema<'s>(Option<&'s Value>);

impl<'s> Schema<'s> {
    fn property(&self, name: &str) -> Option<&'s Value> {
        self.0?.get("properties")?.get(name)
    }

    /// Whether the tool declares this argument.
    fn names(&self, name: &str) -> bool {
        self.property(name).is_some()
    }

    /// Whether the tool can be given this argument: it declares it, or nothing at all.
    fn takes(&self, name: &str) -> bool {
        self.names(name) || self.0.is_some_and(Value::is_null)
    }

    /// The id as the argument wants it. AuthZEN writes every id as a text.
    fn id(&self, name: &str, id: &str) -> Value {
        let kind = self
            .property(name)
            .and_then(|property| property.get("type"));
        let numeric = matches!(kind.and_then(Value::as_str), Some("integer" | "number"));
        match id.parse::<Number>() {
            Ok(number) if numeric && json::is_exact(id) => Value::Number(number),
            _ => Value::from(id),
        }
    }
}
