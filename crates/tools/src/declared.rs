//! What the client behind a call declared, cut to what one source may use of it.
//!
//! A client that can fill in forms and sample its model, behind a source whose operator wrote
//! `client = { sampling = false }`, is one that can fill in forms. A server is told exactly that,
//! and asks exactly that: what it asks beyond is refused before anybody sees it. Pure.
//!
//! Must not know: how anything is asked.

use serde_json::{Map, Value};
use toolgate_gate::peer::Peer;

use crate::config::ClientScope;

/// The extension by which a server may turn a call into a task.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// How severe a log message is, from the least.
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

/// What a server is told of the client behind a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    /// `ClientCapabilities`, each as the client wrote it.
    capabilities: Map<String, Value>,
    /// The least severe log message that it wants.
    level: Option<Level>,
}

/// How severe a log message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(usize);

impl Level {
    /// The level of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        LEVELS.iter().position(|known| *known == name).map(Self)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        LEVELS.get(self.0).copied().unwrap_or_default()
    }
}

impl Declared {
    /// What a client declared, as far as its source may use it.
    ///
    /// INVARIANT: nothing is in it that the client did not write.
    pub(crate) fn of(peer: &dyn Peer, scope: ClientScope) -> Self {
        let given = peer.capabilities();
        let mut capabilities = Map::new();
        let usable = [
            ("elicitation", scope.elicitation),
            ("sampling", scope.sampling),
            ("roots", scope.roots),
        ];
        for (name, _) in usable.into_iter().filter(|(_, usable)| *usable) {
            if let Some(value @ Value::Object(_)) = given.get(name) {
                capabilities.insert(name.to_owned(), value.clone());
            }
        }
        // The gate passes on no changes of roots, so no server may count on them.
        if let Some(Value::Object(roots)) = capabilities.get_mut("roots") {
            roots.remove("listChanged");
        }
        let tasks = given
            .get("extensions")
            .and_then(|extensions| extensions.get(TASKS));
        if let Some(tasks @ Value::Object(_)) = tasks {
            let extensions = Map::from_iter([(TASKS.to_owned(), tasks.clone())]);
            capabilities.insert("extensions".to_owned(), extensions.into());
        }
        Self {
            capabilities,
            level: peer.log_level().as_deref().and_then(Level::named),
        }
    }

    /// What a legacy server is told where its tools are listed: nothing, unless the operator has it
    /// told what no client declared.
    pub(crate) fn assumed(scope: ClientScope) -> Self {
        let usable = [
            ("elicitation", scope.elicitation),
            ("sampling", scope.sampling),
            ("roots", scope.roots),
        ];
        let told = usable
            .into_iter()
            .filter(|(_, usable)| *usable && scope.assumed);
        let empty = || Value::Object(Map::new());
        Self {
            capabilities: told.map(|(name, _)| (name.to_owned(), empty())).collect(),
            level: None,
        }
    }

    /// The same as a legacy server is told it: without extensions, which its era does not have.
    pub(crate) fn for_legacy(mut self) -> Self {
        self.capabilities.remove("extensions");
        self
    }

    /// The same in a session whose server was told at its start what `told` says: exactly that, or
    /// nothing.
    pub(crate) fn for_legacy_within(self, told: &Self) -> Self {
        let mut own = self.for_legacy();
        if own.capabilities != told.capabilities {
            own.capabilities.clear();
        }
        own
    }

    /// As it stands on the wire.
    pub(crate) const fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    /// The least severe log message that is wanted.
    pub(crate) const fn level(&self) -> Option<Level> {
        self.level
    }

    /// Whether the server may answer a call with a task.
    pub(crate) fn has_tasks(&self) -> bool {
        self.capabilities
            .get("extensions")
            .is_some_and(|all| all.get(TASKS).is_some())
    }

    /// Whether the client may be asked this.
    pub(crate) fn permits(&self, method: &str, params: &Value) -> bool {
        let named = |name: &str| self.capabilities.get(name).and_then(Value::as_object);
        match method {
            "elicitation/create" => {
                named("elicitation").is_some_and(|can| permits_elicitation(can, params))
            }
            "sampling/createMessage" => named("sampling").is_some_and(|can| {
                let tools = ["tools", "toolChoice"];
                can.contains_key("tools") || tools.iter().all(|key| params.get(key).is_none())
            }),
            "roots/list" => named("roots").is_some(),
            _ => false,
        }
    }
}

/// A client that names no mode can show forms.
fn permits_elicitation(can: &Map<String, Value>, params: &Value) -> bool {
    match params.get("mode").and_then(Value::as_str) {
        Some("url") => can.contains_key("url"),
        Some("form") | None => can.contains_key("form") || !can.contains_key("url"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Declared, Level};
    use crate::config::ClientScope;
    use expect_test::{Expect, expect};
    use serde_json::{Map, Value, json};
    use toolgate_gate::peer::{Peer, Reply, Round, Unanswered};
    use toolgate_gate::port::BoxFuture;
    use toolgate_model::json::Raw;

    struct Client(Map<String, Value>);

    impl Peer for Client {
        fn capabilities(&self) -> &Map<String, Value> {
            &self.0
        }
        fn log_level(&self) -> Option<String> {
            Some("warning".to_owned())
        }
        fn given(&self) -> Option<&Map<String, Value>> {
            None
        }
        fn tell(&self, _: &str, _: Raw) {}
        fn ask(&self, _: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>> {
            Box::pin(std::future::ready(Err(Unanswered::Gone)))
        }
        fn task(&self, _: Map<String, Value>) {}
    }

    fn declared(capabilities: &Value, scope: ClientScope) -> Declared {
        Declared::of(
            &Client(capabilities.as_object().cloned().unwrap_or_default()),
            scope,
        )
    }

    fn check(capabilities: &Value, scope: ClientScope, expected: Expect) {
        let told = declared(capabilities, scope).capabilities().clone();
        expected.assert_eq(&Value::Object(told).to_string());
    }

    #[test]
    fn a_server_is_told_what_its_source_may_use_and_no_more() {
        let all = json!({"sampling": {"tools": {}}, "elicitation": {"url": {}}, "experimental": {},
            "roots": {"listChanged": true}, "extensions": {
                "io.modelcontextprotocol/tasks": {"x": 1}, "com.example/other": {}}});
        check(
            &all,
            ClientScope::default(),
            expect![[
                r#"{"elicitation":{"url":{}},"sampling":{"tools":{}},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{"x":1}}}"#
            ]],
        );
        let none = ClientScope {
            sampling: false,
            elicitation: false,
            roots: false,
            assumed: true,
        };
        check(
            &all,
            none,
            expect![[r#"{"extensions":{"io.modelcontextprotocol/tasks":{"x":1}}}"#]],
        );
        let odd = json!({"sampling": true, "roots": [], "extensions": {"io.modelcontextprotocol/tasks": 1}});
        check(&odd, ClientScope::default(), expect!["{}"]);
    }

    #[test]
    fn a_client_is_asked_what_it_declared() {
        let cases = [
            (json!({}), "elicitation/create", json!({}), false),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                json!({}),
                true,
            ),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                json!({"mode": "url"}),
                false,
            ),
            (
                json!({"elicitation": {"url": {}}}),
                "elicitation/create",
                json!({"mode": "url"}),
                true,
            ),
            (
                json!({"elicitation": {"url": {}}}),
                "elicitation/create",
                json!({"mode": "form"}),
                false,
            ),
            (
                json!({"elicitation": {"form": {}, "url": {}}}),
                "elicitation/create",
                json!({}),
                true,
            ),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                json!({"mode": "voice"}),
                false,
            ),
            (
                json!({"sampling": {}}),
                "sampling/createMessage",
                json!({"messages": []}),
                true,
            ),
            (
                json!({"sampling": {}}),
                "sampling/createMessage",
                json!({"tools": []}),
                false,
            ),
            (
                json!({"sampling": {"tools": {}}}),
                "sampling/createMessage",
                json!({"tools": []}),
                true,
            ),
            (json!({"roots": {}}), "roots/list", json!({}), true),
            (json!({"sampling": {}}), "roots/list", json!({}), false),
            (json!({"roots": {}}), "tools/list", json!({}), false),
        ];
        for (can, method, params, permitted) in cases {
            let declared = declared(&can, ClientScope::default());
            assert_eq!(
                declared.permits(method, &params),
                permitted,
                "{can} {method} {params}"
            );
        }
    }

    #[test]
    fn levels_are_in_order() {
        let named = |name| Level::named(name).unwrap();
        assert!(named("debug") < named("info") && named("alert") < named("emergency"));
        assert_eq!(named("warning").name(), "warning");
        assert_eq!(Level::named("loud"), None);
    }
}
