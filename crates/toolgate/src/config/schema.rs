//! The JSON Schema of `toolgate.toml`, for editors.
//!
//! A test holds that it names exactly the keys that are read. Editors complete and underline with
//! it; what decides is [`super::resolve`].
//!
//! Must not know: how values are read.

use serde_json::{Value, json};

/// The schema.
pub(crate) fn json_schema() -> Value {
    let mut properties = object(json!({
        "listen": text("Where the gate listens: an address with a port"),
        "data": text("The data directory"),
        "store": {"const": "sqlite", "description": "Where the data is kept"},
        "policies": texts("Files and directories with policy documents"),
        "own_domains": texts("Domains whose people are not external"),
        "public_url": text("How people reach the gate"),
        "hosts": texts("Host names that requests may name beside loopback ones"),
        "origins": texts("Origins that browsers may call from"),
        "tool_changes": tool_changes(),
        "policy": object(json!({"second_person": {
            "type": "boolean",
            "description": "Whether the author of a version needs somebody else to put it in force",
        }})),
        "posture": posture(),
        "approvals": object(json!({
            "expires_in": duration("How long approvers have"),
            "escalate_after": duration("After how long others may decide too"),
            "escalate_to": texts("People, roles or groups who may decide from then on"),
        })),
        "idempotency": object(json!({
            "ttl": duration("How long a caller's key is kept"),
            "duplicate_window": duration("How long the same call without a key is answered from the first"),
        })),
        "record": object(json!({"capture": {
            "enum": ["digest", "full"], "description": "What the record keeps of arguments",
        }})),
        "limits": object(json!({
            "body_bytes": count("Bytes of a request body"),
            "json_depth": count("Nesting of JSON"),
            "string_bytes": count("Bytes of one string"),
            "wait": duration("How long a caller may ask to wait"),
        })),
        "mcp": object(json!({
            "hold": duration("How long a call that needs approval waits before it is pending"),
            "own_tools": {"type": "boolean", "description": "Whether the gate lists its own tools"},
            "page_size": count("How many entries a page of a list has at most"),
            "links": {"type": "boolean", "description":
                "Whether a client that can show links is sent to the page of an approval"},
            "anonymous": text("The agent that whoever comes without a token is; only on loopback"),
        })),
        "oauth": oauth(),
        "detect": detect(),
        "source": list(source()),
        "agent": list(agent()),
        "notify": list(endpoint()),
        "tools": {"type": "object", "additionalProperties": tool()},
    }));
    if let Some(map) = properties.as_object_mut() {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        map.insert("$schema".to_owned(), json!(draft));
        map.insert("title".to_owned(), json!("toolgate.toml"));
    }
    properties
}

fn source() -> Value {
    let secrets = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut source = object(json!({
        "name": text("The first half of its tools' names"),
        "names": {"enum": ["prefixed", "bare"], "description": "How MCP clients see its tools"},
        "era": {"enum": ["auto", "modern", "legacy"], "description": "Which era of MCP it is spoken to in"},
        "isolation": {"enum": ["shared", "principal"], "description": "Whether principals share its session or process"},
        "effect": {"enum": ["some", "none"], "description": "Whether its tools may leave a trace"},
        "client": object(json!({
            "sampling": {"type": "boolean", "description": "Whether it may sample the client's model"},
            "elicitation": {"type": "boolean", "description": "Whether it may ask the client's user"},
            "roots": {"type": "boolean", "description": "Whether it may see the client's roots"},
            "assumed": {"type": "boolean", "description": "Whether it lists its tools as for a client that can do all of that"},
        })),
        "timeout": duration("How long a call may take"),
        "start_timeout": duration("How long it may take to come up"),
        "tools_max": count("How many tools it may offer"),
        "offers_max": count("How many prompts, resources and templates it may offer, of each"),
        "message_bytes": count("Bytes of one message from it"),
        "tool_changes": tool_changes(),
        "mcp": object(json!({
            "command": texts("A process that speaks MCP on its standard streams"),
            "env": secrets.clone(),
            "cwd": text("Where the process runs"),
            "url": text("A server that speaks MCP over HTTP"),
            "auth": object(json!({
                "bearer": text("env:NAME or file:PATH"),
                "client_credentials": grant("The gate's own token there"),
                "token_exchange": grant("A token made from the user's own"),
            })),
            "headers": secrets.clone(),
        })),
        "openapi": openapi(&secrets),
        "http": raw(&secrets),
        "plugin": plugin(),
        "host": host(),
    }));
    require(&mut source, &["name"]);
    source
}

fn host() -> Value {
    let mut tool = object(json!({
        "name": text("Its name within the source"),
        "description": text("What models and people are told of it"),
        "input_schema": {"type": "object", "description": "JSON Schema of its arguments"},
        "risk": risk(),
        "verb": {"enum": ["READ", "WRITE", "DELETE", "ADMIN"]},
        "effect": {"enum": ["none", "some"]},
        "resource": text("A template such as customer:{args.customer}"),
        "timeout": duration("How long one run may take"),
        "category": text("A tag such as billing"),
        "version": text("Its version"),
    }));
    require(&mut tool, &["name"]);
    object(json!({
        "agents": texts("Which agents may register tools, exact or pattern; any trusted host if not said"),
        "tools": {"type": "array", "items": tool,
            "description": "Tools that it has in any case, by the operator's word"},
    }))
}

fn openapi(secrets: &Value) -> Value {
    let mut auth = granted_or(credential());
    if let Some(properties) = auth.get_mut("properties") {
        properties["schemes"] = json!({"type": "object", "additionalProperties": credential(),
            "description": "Credentials for single security schemes of the description, by their names"});
    }
    let mut openapi = object(json!({
        "file": text("The description: OpenAPI 3.0, 3.1 or Swagger 2.0, in JSON or YAML"),
        "base_url": text("Where the API is; nothing else is spoken to"),
        "auth": auth,
        "headers": secrets,
        "private_addresses": {"type": "boolean", "description":
            "Whether a host named by name may be on this machine or in private networks"},
        "include": texts("Which operations are tools, by id or route, exact or pattern; all if not said"),
        "exclude": texts("Which are not, whatever `include` says"),
    }));
    require(&mut openapi, &["file"]);
    openapi
}

fn raw(secrets: &Value) -> Value {
    let mut raw = object(json!({
        "base_url": text("Where the service is; raw requests to addresses below it are sent"),
        "auth": granted_or(credential()),
        "headers": secrets,
        "private_addresses": {"type": "boolean", "description":
            "Whether a host named by name may be on this machine or in private networks"},
    }));
    require(&mut raw, &["base_url"]);
    raw
}

/// One credential of the gate's own, or how it gets one.
fn granted_or(mut credential: Value) -> Value {
    if let Some(properties) = credential.get_mut("properties") {
        properties["client_credentials"] = grant("The gate's own token there");
        properties["token_exchange"] = grant("A token made from the user's own");
    }
    credential
}

/// One credential of the gate's own.
fn credential() -> Value {
    let named = |description: &str| {
        let mut named =
            object(json!({"name": text(description), "value": text("env:NAME or file:PATH")}));
        require(&mut named, &["name", "value"]);
        named
    };
    let mut basic =
        object(json!({"user": text("The user"), "password": text("env:NAME or file:PATH")}));
    require(&mut basic, &["user", "password"]);
    object(json!({
        "bearer": text("env:NAME or file:PATH"),
        "basic": basic,
        "header": named("A header of the API's own"),
        "query": named("A parameter of the query"),
    }))
}

fn plugin() -> Value {
    let mut plugin = object(json!({
        "url": text("Where its actions are"),
        "secret": text("What requests are signed with: env:NAME or file:PATH"),
        "owner": text("The person who answers for it"),
    }));
    require(&mut plugin, &["url", "secret"]);
    plugin
}

fn grant(description: &str) -> Value {
    let mut grant = object(json!({
        "issuer": text("The authorization server"),
        "token_url": text("Its token endpoint, where it has no metadata"),
        "client_id": text("The gate's name there"),
        "client_secret": text("env:NAME or file:PATH"),
        "scopes": texts("What is asked for"),
        "resource": text("What the token is for; the source's URL if not said"),
    }));
    if let Some(map) = grant.as_object_mut() {
        map.insert("description".to_owned(), json!(description));
    }
    require(&mut grant, &["client_id", "client_secret"]);
    grant
}

fn oauth() -> Value {
    let names = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut issuer = object(json!({
        "issuer": text("Its identifier, exactly as it stands in its tokens"),
        "audience": text("Whom its tokens are for; the resource if not said"),
        "jwks_url": text("Where its keys are, if not where its metadata says"),
        "claim": text("The claim that names the client: client_id, azp or sub if not said"),
        "agents": names,
        "agent": text("The agent's name with {claim} in it, for clients that `allow` lets"),
        "allow": texts("Clients that `agent` is for, exact or pattern"),
        "user": text("The claim that names the person whom the client acts for"),
        "groups": text("The claim that lists that person's groups"),
        "scopes": texts("What its tokens must be allowed"),
    }));
    require(&mut issuer, &["issuer"]);
    object(json!({
        "resource": text("What tokens are asked for: this gate's own address"),
        "private_addresses": {"type": "boolean", "description":
            "Whether issuers may be on this machine and in private networks"},
        "issuers": list(issuer),
    }))
}

fn detect() -> Value {
    let mut pattern = object(json!({
        "name": text("Its kind in findings: capitals, digits and underscores"),
        "class": {"enum": ["SECRETS", "PII", "PHI", "INTERNAL"]},
        "regex": text("A linear-time regular expression; its first group is what is found"),
        "words": texts("Words of which one must stand near it"),
        "confidence_percent": count("How sure a match is, up to 100"),
    }));
    require(&mut pattern, &["name", "class", "regex"]);
    object(json!({
        "allow": texts("Values that are never data, exact or pattern"),
        "allow_domains": texts("Domains whose addresses of mail are no personal data"),
        "disabled": texts("Kinds that are not looked for, as toolgate detect --kinds lists them"),
        "confidence_percent_min": count("What is less sure is left out, up to 100"),
        "pattern": list(pattern),
    }))
}

fn tool_changes() -> Value {
    json!({
        "enum": ["hold", "record"],
        "description": "What happens to a tool whose definition changed",
    })
}

fn agent() -> Value {
    let grant = object(json!({
        "tools": texts("Tools, exact or pattern"),
        "resources": texts("Resources; empty: any"),
        "actions": texts("Plugin actions, provider:action"),
        "envs": texts("Environments; empty: any"),
        "workflows": texts("Workflows; empty: any"),
        "max_risk": risk(),
    }));
    let mut agent = object(json!({
        "id": text("Its name"),
        "owner": text("The person who answers for it"),
        "role": {"enum": ["reader", "agent", "service"]},
        "tenant": text("Its tenant"),
        "runtime": text("What runs it"),
        "project": text("The project it belongs to"),
        "trusted_host": {"type": "boolean", "description":
            "Whether its word is taken for what its user said and which session a call belongs to"},
        "profile": {"oneOf": [grant, {"type": "array", "items": grant}, {"const": "admin"}]},
    }));
    require(&mut agent, &["id", "owner"]);
    agent
}

fn endpoint() -> Value {
    let mut endpoint = object(json!({
        "name": text("The name that deliveries are kept under"),
        "url": text("Where it is, over https"),
        "secret": text("env:NAME or file:PATH, what signs: whsec_ and base64"),
        "events": texts("Events it is told of, exact or pattern"),
        "tenant": text("Whose record it is told of"),
    }));
    require(&mut endpoint, &["name", "url", "secret"]);
    endpoint
}

/// The schema of one tool's descriptor, `[tools."source.operation"]`.
pub(crate) fn descriptor_schema() -> Value {
    let mut schema = tool();
    if let Some(map) = schema.as_object_mut() {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        map.insert("$schema".to_owned(), json!(draft));
        map.insert(
            "title".to_owned(),
            json!("What an operator states about a tool"),
        );
    }
    schema
}

fn tool() -> Value {
    object(json!({
        "risk": risk(),
        "verb": {"enum": ["READ", "WRITE", "DELETE", "ADMIN"]},
        "resource": text("A template such as customer:{args.customer}"),
        "timeout": duration("How long one attempt may take"),
        "effect": {
            "anyOf": [{"enum": ["none", "some"]}, effect()],
            "description": "Whether a call may leave a trace, and how to look for it",
        },
        "entity": entity(),
        "trigger": trigger(),
        "duplicate_window": duration("How long the same call without a key is answered from the first"),
        "lifecycle": {"enum": ["declared", "active", "deprecated", "disabled"]},
        "version": text("Its version"),
        "category": text("A tag such as issues"),
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
        "wire_name": text("The name that MCP clients see"),
        "posture": stance(),
        "authors": {
            "anyOf": [{"enum": ["anyone", "trusted"]}, texts("Fields that anyone can write")],
            "description": "Who can write what it returns",
        },
    }))
}

fn entity() -> Value {
    let mut entity = object(json!({
        "probe": text("The tool that looks up what the call is about"),
        "args": templates("Its arguments; {args.path}, {trigger.id} and {trigger.source} are filled in"),
        "list": text("Where the candidates stand in its answer: a dotted path to a list"),
        "match": templates("What must hold of it: dotted path to value"),
        "pin": texts("What an approver sees and what must be the same when the call runs: dotted paths"),
    }));
    require(&mut entity, &["probe"]);
    entity
}

fn trigger() -> Value {
    let mut trigger = object(json!({
        "probe": text("The tool that asks the event's source of truth"),
        "args": templates("Its arguments; {args.path}, {trigger.id} and {trigger.source} are filled in"),
        "match": templates("What must hold of the event: dotted path to value"),
    }));
    require(&mut trigger, &["probe"]);
    trigger
}

fn effect() -> Value {
    let mut place = object(json!({
        "header": text("A header of the HTTP request"),
        "argument": text("An argument of the tool; callers do not fill it in"),
        "meta": text("An entry of the request's _meta"),
    }));
    if let Some(map) = place.as_object_mut() {
        map.insert("minProperties".to_owned(), json!(1));
        map.insert("maxProperties".to_owned(), json!(1));
        let what = "Where the downstream takes the gate's key, if it knows a repeated one again";
        map.insert("description".to_owned(), json!(what));
    }
    object(json!({
        "idempotency": place,
        "probe": text("The tool that finds the effect after an answer was lost"),
        "args": templates("Its arguments; {invocation.id} too is filled in"),
        "landed": text("True of its answer where the effect is there: over result, args, $invocation.id"),
        "lands_within": duration("How late the effect may appear; without it, not finding it proves nothing"),
        "tries": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5,
            "description": "How often to look before a person is asked"},
        "backoff": {"type": "string", "default": "1s..1m",
            "pattern": "^[0-9]+(ms|s|m|h|d)\\.\\.[0-9]+(ms|s|m|h|d)$",
            "description": "How long to wait between looks: the first and the longest"},
    }))
}

fn posture() -> Value {
    let stance = stance();
    object(json!({"low": stance, "medium": stance, "high": stance, "critical": stance}))
}

fn stance() -> Value {
    json!({"enum": ["allow", "require_approval", "deny"],
        "description": "What a granted call gets when no rule speaks"})
}

fn risk() -> Value {
    json!({"enum": ["low", "medium", "high", "critical"]})
}

fn object(properties: Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn texts(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

fn templates(description: &str) -> Value {
    let values = json!({"type": ["string", "integer", "boolean", "array", "object"]});
    json!({"type": "object", "additionalProperties": values, "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 1, "description": description})
}

fn duration(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": description})
}

fn require(schema: &mut Value, keys: &[&str]) {
    if let Some(map) = schema.as_object_mut() {
        map.insert("required".to_owned(), json!(keys));
    }
}
