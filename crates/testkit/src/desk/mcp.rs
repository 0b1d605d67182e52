//! The desk's MCP face, apart from any transport: one message in, one reply out.
//!
//! Both eras: `initialize` opens the legacy one (2025-11-25 and back to 2025-03-26), a request
//! whose `_meta` names 2026-07-28 is served as it stands. A call is counted in the ledger, then
//! struck by a fault if one is armed, then run. Over HTTP the modern headers must say what the
//! body says.
//!
//! Must not know: sockets and streams. A reply says what damage to do; the transport does it.

use std::future;

use serde_json::{Value, json};

use super::operations::{self, Said};
use super::rpc::{self, Incoming, RpcError};
use super::{Desk, Fault, FaultKind, Moment, Switches, catalogue};

const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
const IDEMPOTENCY_KEY: &str = "dev.toolgate/idempotency-key";
/// How clients write a header value that is not plain ASCII.
const BASE64_MARK: &str = "=?base64?";

/// A desk that answers MCP messages.
#[derive(Debug)]
pub struct Face {
    desk: Desk,
    switches: Switches,
    control: Control,
    schemas: Schemas,
    page_size: usize,
}

/// Whether the desk can be told to misbehave from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// No.
    #[default]
    Hidden,
    /// By the tool `desk_switch`, and by the path `/switch`.
    Open,
}

/// How much the desk's schemas say about arguments. The desk itself is always strict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schemas {
    /// Types, what is required, and nothing beside.
    #[default]
    Strict,
    /// Names alone: what a rule reads may be missing or of another type.
    Loose,
}

/// The headers of a request over HTTP that must say what the body says.
#[derive(Clone, Debug, Default)]
pub struct HttpHeads {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`.
    pub name: Option<String>,
}

/// What is to be written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status; stdio has none.
    pub status: u16,
    /// One JSON text, if anything is to be said.
    pub body: Option<String>,
    /// What is to go wrong while it is written: `Drop`, `Exit`, `Garbage` or `Cut`.
    pub damage: Option<FaultKind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Legacy,
    Modern,
}

impl Face {
    /// A face of this desk. `page_size` bounds one page of `tools/list`.
    pub fn new(desk: Desk, control: Control, page_size: usize) -> Self {
        Self {
            desk,
            switches: Switches::default(),
            control,
            schemas: Schemas::Strict,
            page_size: page_size.max(1),
        }
    }

    /// The same face with schemas that say more or less.
    #[must_use]
    pub fn with_schemas(self, schemas: Schemas) -> Self {
        Self { schemas, ..self }
    }

    /// The switches, for those who start with a fault armed.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// The desk behind it.
    pub(super) const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Whether `/switch` may be served.
    pub fn control(&self) -> Control {
        self.control
    }

    /// Throws a switch: arguments of `desk_switch`, from outside any MCP call.
    ///
    /// # Errors
    /// One sentence on what does not fit.
    pub fn throw(&self, args: Value) -> Result<Value, String> {
        operations::switch(&self.desk, &self.switches, args)
    }

    /// Answers one message. Never returns where a `hang` is armed for it.
    pub async fn answer(&self, text: &[u8], heads: Option<&HttpHeads>) -> Reply {
        match rpc::read(text) {
            Err(answer) => Reply::said(400, &answer),
            Ok(Incoming::Silent) => Reply::accepted(),
            Ok(Incoming::Request { id, method, params }) => match era(&method, &params, heads) {
                Err(error) => Reply::said(400, &error.response(id)),
                Ok(era) => self.request(era, id, &method, params).await,
            },
        }
    }

    async fn request(&self, era: Era, id: Value, method: &str, params: Value) -> Reply {
        let result = match (era, method) {
            (Era::Legacy, "initialize") => Ok(initialize(&params)),
            (Era::Legacy, "ping") => Ok(json!({})),
            (Era::Modern, "server/discover") => Ok(discover()),
            (_, "tools/list") => self.list(&params),
            (_, "tools/call") => return self.call(era, id, params).await,
            (era, method) => {
                let error = format!("there is no method `{}`", shorten(method));
                let error = RpcError::new(rpc::METHOD_NOT_FOUND, error);
                let status = if era == Era::Modern { 404 } else { 200 };
                return Reply::said(status, &error.response(id));
            }
        };
        finished(era, id, result)
    }

    fn list(&self, params: &Value) -> Result<Value, RpcError> {
        let tools = catalogue::tools(self.desk.key_policy(), self.control, self.schemas);
        let start = match params.get("cursor") {
            None => Some(0),
            Some(cursor) => cursor.as_str().and_then(|text| text.parse().ok()),
        };
        let page = start.and_then(|start| tools.get(start..)?.chunks(self.page_size).next());
        let (Some(start), Some(page)) = (start, page) else {
            return Err(RpcError::new(
                rpc::INVALID_PARAMS,
                "the cursor is not one of ours",
            ));
        };
        let mut result = json!({"tools": page});
        let next = start + page.len();
        if let (true, Some(map)) = (next < tools.len(), result.as_object_mut()) {
            map.insert("nextCursor".to_owned(), next.to_string().into());
        }
        Ok(result)
    }

    async fn call(&self, era: Era, id: Value, params: Value) -> Reply {
        let Some(tool) = params.get("name").and_then(Value::as_str) else {
            let error = RpcError::new(rpc::INVALID_PARAMS, "`name` must name a tool");
            return Reply::said(200, &error.response(id));
        };
        let args = params.get("arguments").cloned().unwrap_or(json!({}));
        let meta_key = params
            .get("_meta")
            .and_then(|meta| meta.get(IDEMPOTENCY_KEY));
        let key = meta_key.and_then(Value::as_str);
        let key = key.or(operations::key_argument(&args)).map(str::to_owned);
        if tool == "desk_switch" && self.control == Control::Open {
            return finished(era, id, Ok(tool_result(self.throw(args))));
        }
        if let Err(error) = self.desk.note_request(tool, key.as_deref()) {
            let error = RpcError::new(rpc::INTERNAL_ERROR, error.to_string());
            return Reply::said(200, &error.response(id));
        }
        let fault = self.switches.take(tool);
        if let Some(struck) = strike(fault.as_ref(), Moment::Before, &id).await {
            return struck;
        }
        let Some(said) = operations::run(&self.desk, tool, args, key.as_deref()) else {
            let message = format!("there is no tool `{}`", shorten(tool));
            return finished(era, id, Err(RpcError::new(rpc::INVALID_PARAMS, message)));
        };
        let struck = strike(fault.as_ref(), Moment::After, &id).await;
        let reply = finished(era, id, Ok(tool_result(said)));
        match struck {
            None => reply,
            // The damaged answer is the one that was due.
            Some(struck) if struck.damage == Some(FaultKind::Cut) => Reply {
                body: reply.body,
                ..struck
            },
            Some(struck) => struck,
        }
    }
}

impl Reply {
    pub(super) fn said(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: Some(body.to_string()),
            damage: None,
        }
    }

    /// The answer to a message that was not read to its end.
    pub(super) fn too_long(bytes_max: usize) -> Self {
        let message = format!("the message has more than {bytes_max} bytes");
        Self::said(
            413,
            &RpcError::new(rpc::PARSE_ERROR, message).response(Value::Null),
        )
    }

    fn accepted() -> Self {
        Self {
            status: 202,
            body: None,
            damage: None,
        }
    }

    fn damaged(kind: FaultKind, body: &Value) -> Self {
        Self {
            damage: Some(kind),
            ..Self::said(200, body)
        }
    }
}

/// What a fault does at this moment; `None` where the call goes on.
pub(super) async fn strike(fault: Option<&Fault>, now: Moment, id: &Value) -> Option<Reply> {
    let fault = fault.filter(|fault| fault.when == now)?;
    let result = |text: String| {
        rpc::success(
            id.clone(),
            json!({"content": [{"type": "text", "text": text}]}),
        )
    };
    match fault.kind {
        FaultKind::Slow => {
            tokio::time::sleep(fault.pause()).await;
            None
        }
        FaultKind::Hang => future::pending().await,
        FaultKind::Drop | FaultKind::Exit | FaultKind::Garbage | FaultKind::Cut => {
            Some(Reply::damaged(fault.kind, &result(String::new())))
        }
        FaultKind::Oversize => Some(Reply::said(200, &result("x".repeat(fault.bytes)))),
        FaultKind::Error => {
            let error = RpcError::new(rpc::INTERNAL_ERROR, "the desk is out of order");
            Some(Reply::said(200, &error.response(id.clone())))
        }
        FaultKind::None => None,
    }
}

/// Which era a request belongs to; the body alone says so, and the headers must agree.
fn era(method: &str, params: &Value, heads: Option<&HttpHeads>) -> Result<Era, RpcError> {
    let meta = params.get("_meta");
    let Some(version) = meta.and_then(|meta| meta.get(VERSION_KEY)) else {
        let claims_modern = heads.is_some_and(|heads| heads.version.as_deref() == Some(MODERN));
        return match (claims_modern, method) {
            (true, _) | (_, "server/discover") => Err(RpcError::new(
                rpc::INVALID_PARAMS,
                format!("`_meta[\"{VERSION_KEY}\"]` is missing"),
            )),
            (false, _) => Ok(Era::Legacy),
        };
    };
    if version.as_str() != Some(MODERN) {
        return Err(RpcError {
            data: Some(json!({"supported": [MODERN], "requested": version})),
            ..RpcError::new(
                rpc::UNSUPPORTED_VERSION,
                "this protocol version is not served",
            )
        });
    }
    if !meta
        .and_then(|meta| meta.get(CAPABILITIES_KEY))
        .is_some_and(Value::is_object)
    {
        let message = format!("`_meta[\"{CAPABILITIES_KEY}\"]` is missing");
        return Err(RpcError::new(rpc::INVALID_PARAMS, message));
    }
    heads.map_or(Ok(()), |heads| agree(heads, method, params))?;
    Ok(Era::Modern)
}

fn agree(heads: &HttpHeads, method: &str, params: &Value) -> Result<(), RpcError> {
    let differs = |name: &str| {
        let message = format!("the header `{name}` does not say what the body says");
        Err(RpcError::new(rpc::HEADER_MISMATCH, message))
    };
    if heads.version.as_deref() != Some(MODERN) {
        return differs("MCP-Protocol-Version");
    }
    if heads.method.as_deref() != Some(method) {
        return differs("Mcp-Method");
    }
    let name = params.get("name").and_then(Value::as_str);
    let plain = |head: &&str| !head.starts_with(BASE64_MARK);
    let head = heads.name.as_deref();
    // Our own tool names are plain: an encoded name names none of them, and the call says so.
    if method == "tools/call" && head.is_none_or(|head| plain(&head) && Some(head) != name) {
        return differs("Mcp-Name");
    }
    Ok(())
}

fn initialize(params: &Value) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let known = LEGACY.into_iter().find(|version| Some(*version) == asked);
    json!({
        "protocolVersion": known.unwrap_or(LEGACY[0]),
        "capabilities": {"tools": {"listChanged": false}},
        "serverInfo": server_info(),
    })
}

fn discover() -> Value {
    json!({
        "supportedVersions": [MODERN],
        "capabilities": {"tools": {"listChanged": false}},
        "instructions": "A refund desk. Refunds cannot be taken back.",
    })
}

fn server_info() -> Value {
    json!({"name": "refund-desk", "version": env!("CARGO_PKG_VERSION")})
}

/// An answer in the words of its era: modern results say that they are complete and for how long
/// they hold.
fn finished(era: Era, id: Value, result: Result<Value, RpcError>) -> Reply {
    let mut result = match result {
        Ok(result) => result,
        Err(error) => return Reply::said(200, &error.response(id)),
    };
    if let (Era::Modern, Some(map)) = (era, result.as_object_mut()) {
        map.insert("resultType".to_owned(), "complete".into());
        if map.contains_key("tools") || map.contains_key("supportedVersions") {
            map.insert("ttlMs".to_owned(), 0.into());
            map.insert("cacheScope".to_owned(), "public".into());
        }
        map.insert("_meta".to_owned(), json!({SERVER_INFO_KEY: server_info()}));
    }
    Reply::said(200, &rpc::success(id, result))
}

fn tool_result(said: Said) -> Value {
    match said {
        Ok(data) => {
            let text = data.to_string();
            json!({"content": [{"type": "text", "text": text}], "structuredContent": data})
        }
        Err(text) => json!({"content": [{"type": "text", "text": text}], "isError": true}),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
