//! Descriptors of what is called like a tool and listed by no server: reading a resource, getting
//! a prompt, completing an argument. Pure.
//!
//! A source `crm` whose server declares `resources` has the tool `crm.resources/read` with the
//! argument `uri`, which is also the resource that the call is about. Its definition is the gate's
//! own text and never changes, so that a pin of it holds.
//!
//! Must not know: what a server offers, how any of it is fetched.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_model::{Effect, Method, ResourceTemplate, Risk, Verb};

use crate::config::{Overrides, ToolOverride};
use crate::describe::{self, Offered, Origin, UnavailableTool};
use crate::era::Server;
use crate::names;

/// The capabilities of which a server declares one where it knows the method.
const fn capabilities(method: Method) -> &'static [&'static str] {
    match method {
        // Not every server that completes says so; one that does not will say that.
        Method::Complete => &["completions", "prompts", "resources"],
        Method::GetPrompt => &["prompts"],
        Method::ReadResource => &["resources"],
    }
}

/// The methods that a server may know, by what it declares.
pub(crate) fn declared(server: &Server) -> impl Iterator<Item = Method> {
    let can = |method: &Method| capabilities(*method).iter().any(|one| server.can(one));
    Method::ALL.into_iter().filter(can)
}

/// Describes the methods of one source that are called like tools.
pub(crate) fn describe(
    origin: Origin<'_>,
    methods: impl Iterator<Item = Method>,
    overrides: &Overrides,
) -> (Vec<Offered>, Vec<UnavailableTool>) {
    let mut offered = Vec::new();
    let mut unavailable = Vec::new();
    for method in methods {
        match one(origin, method, overrides) {
            Ok(tool) => offered.push(tool),
            Err(reason) => unavailable.push(UnavailableTool {
                source: origin.source.to_owned(),
                tool: method.as_str().to_owned(),
                reason,
            }),
        }
    }
    (offered, unavailable)
}

fn one(origin: Origin<'_>, method: Method, overrides: &Overrides) -> Result<Offered, String> {
    let unnamed = || format!("the source's name `{}` is no name", origin.source);
    let id = method.tool(origin.source).ok_or_else(unnamed)?;
    let stated = overrides.get(&id).cloned().unwrap_or_default();
    if stated.wire_name.is_some() {
        return Err(
            "it is a method of MCP and listed as no tool; leave `wire_name` out".to_owned(),
        );
    }
    // Reading is what these methods are for; an operator who knows better says so.
    let stated = ToolOverride {
        risk: stated.risk.or(Some(Risk::Low)),
        verb: stated.verb.or(Some(Verb::Read)),
        effect: stated.effect.or(Some(Effect::None)),
        resource: stated.resource.or_else(|| resource(method)),
        ..stated
    };
    let says_so = overrides.get(&id).is_some_and(|said| said.risk.is_some());
    let wire = names::method_wire_name(origin.wire_names, &id);
    let definition = definition(method);
    let mut descriptor = describe::descriptor(origin, definition, (id, wire), stated)?;
    if !says_so {
        "a method of MCP that only reads".clone_into(&mut descriptor.risk_reason);
    }
    Ok(Offered {
        name: method.as_str().to_owned(),
        descriptor: Arc::new(descriptor),
    })
}

/// What `tools/list` would say of the method if it were a tool.
fn definition(method: Method) -> Value {
    let (description, schema) = match method {
        Method::Complete => (
            "Suggests values for an argument of a prompt or of a template of resources.",
            object(
                &json!({
                    "ref": {"type": "object"},
                    "argument": {"type": "object"},
                    "context": {"type": "object"},
                }),
                &["ref", "argument"],
            ),
        ),
        Method::GetPrompt => (
            "Gets a prompt, filled in with arguments.",
            object(
                &json!({"name": {"type": "string"}, "arguments": {"type": "object"}}),
                &["name"],
            ),
        ),
        Method::ReadResource => (
            "Reads a resource.",
            object(&json!({"uri": {"type": "string"}}), &["uri"]),
        ),
    };
    json!({"name": method.as_str(), "description": description, "inputSchema": schema})
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

/// What a call of the method is about, where its arguments say it.
fn resource(method: Method) -> Option<ResourceTemplate> {
    let template = match method {
        Method::Complete => return None,
        Method::GetPrompt => "prompt:{args.name}",
        Method::ReadResource => "{args.uri}",
    };
    ResourceTemplate::parse(template).ok()
}

#[cfg(test)]
mod tests {
    use super::{declared, definition, resource};
    use crate::era::{Era, Server};
    use expect_test::expect;
    use serde_json::{Value, json};
    use toolgate_model::Method;

    fn server(capabilities: Value) -> Server {
        let Value::Object(capabilities) = capabilities else {
            panic!("capabilities are an object")
        };
        Server {
            capabilities,
            ..Server::unknown(Era::Modern)
        }
    }

    #[test]
    fn only_what_a_server_declares_is_there() {
        let names = |capabilities| -> Vec<&str> {
            let server = server(capabilities);
            declared(&server).map(Method::as_str).collect()
        };
        assert_eq!(
            names(json!({"prompts": {}, "resources": {"subscribe": true}, "completions": {}})),
            ["completion/complete", "prompts/get", "resources/read"]
        );
        assert_eq!(
            names(json!({"prompts": {}, "tools": {}})),
            ["completion/complete", "prompts/get"]
        );
        // `null` and `false` declare nothing.
        assert_eq!(names(json!({"prompts": null, "resources": false})), [""; 0]);
    }

    #[test]
    fn definitions_never_change() {
        let all: Vec<String> = Method::ALL
            .map(|method| definition(method).to_string())
            .to_vec();
        expect![[r#"
            {"name":"completion/complete","description":"Suggests values for an argument of a prompt or of a template of resources.","inputSchema":{"type":"object","properties":{"ref":{"type":"object"},"argument":{"type":"object"},"context":{"type":"object"}},"required":["ref","argument"]}}
            {"name":"prompts/get","description":"Gets a prompt, filled in with arguments.","inputSchema":{"type":"object","properties":{"name":{"type":"string"},"arguments":{"type":"object"}},"required":["name"]}}
            {"name":"resources/read","description":"Reads a resource.","inputSchema":{"type":"object","properties":{"uri":{"type":"string"}},"required":["uri"]}}"#]]
        .assert_eq(&all.join("\n"));
    }

    #[test]
    fn a_call_is_about_what_its_arguments_name() {
        let about = |method, arguments: Value| -> Option<String> {
            let resource = resource(method)?.fill(&arguments)?;
            Some(format!("{} {}", resource.name, resource.derived))
        };
        assert_eq!(
            about(Method::ReadResource, json!({"uri": "file:///a/b"})).as_deref(),
            Some("file:///a/b true")
        );
        assert_eq!(
            about(Method::GetPrompt, json!({"name": "greet"})).as_deref(),
            Some("prompt:greet true")
        );
        assert_eq!(about(Method::Complete, json!({"ref": {}})), None);
    }
}
