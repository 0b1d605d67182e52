//! What the client behind a call declared, cut to what one source may use of it.
//!
//! A client that can fill in forms and sample its model, behind a source whose operator wrote
//! `client = { sampling = false }`, is one that can fill in forms. A server is told exactly that,
//! and asks exactly that: what it asks beyond is refused before anybody sees it. Pure.
//!
//! Must not know: how anything is asked.

use serde_json::{Map, Value};
use toolgate_gate::ability::{Severity, permits, shows_pages};
use toolgate_gate::peer::Peer;

use crate::config::ClientScope;

/// The extension by which a server may turn a call into a task.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What a server is told of the client behind a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    /// `ClientCapabilities`, each as the client wrote it.
    capabilities: Map<String, Value>,
    /// The least severe log message that it wants.
    level: Option<Severity>,
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
            level: peer.log_level(),
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
    pub(crate) const fn level(&self) -> Option<Severity> {
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
        permits(&self.capabilities, method, params)
    }

    /// Whether it sends its user to pages.
    pub(crate) fn shows_pages(&self) -> bool {
        shows_pages(&self.capabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::Declared;
    use crate::config::ClientScope;
    use expect_test::{Expect, expect};
    use serde_json::{Map, Value, json};
    use toolgate_gate::ability::Severity;
    use toolgate_gate::peer::{Peer, Reply, Round, Unanswered};
    use toolgate_gate::port::BoxFuture;
    use toolgate_model::json::Raw;

    struct Client(Map<String, Value>);

    impl Peer for Client {
        fn capabilities(&self) -> &Map<String, Value> {
            &self.0
        }
        fn log_level(&self) -> Option<Severity> {
            Severity::named("warning")
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
}
