//! What the client behind a call can be asked and wants to hear, as it declared it. Pure.
//!
//! `{"elicitation": {"url": {}}}` shows pages to its user and no forms; `{"sampling": {}}` samples
//! its model without tools. Whoever passes a question on asks here first, at the front and towards
//! the server alike, so that both draw the line at the same place (MCP 2026-07-28, client features).
//!
//! Must not know: who asks, how a question travels.

use serde_json::{Map, Value};

/// Whether a client that declared these capabilities may be asked this.
pub fn permits(capabilities: &Map<String, Value>, method: &str, params: &Value) -> bool {
    let ability = |name: &str| capabilities.get(name).and_then(Value::as_object);
    match method {
        "elicitation/create" => ability("elicitation").is_some_and(|can| shows(can, params)),
        "sampling/createMessage" => ability("sampling").is_some_and(|can| {
            let tools = ["tools", "toolChoice"];
            can.contains_key("tools") || tools.iter().all(|key| params.get(key).is_none())
        }),
        "roots/list" => ability("roots").is_some(),
        _ => false,
    }
}

/// Whether a client sends its user to pages.
pub fn shows_pages(capabilities: &Map<String, Value>) -> bool {
    let page = serde_json::json!({"mode": "url"});
    permits(capabilities, "elicitation/create", &page)
}

/// A question that names no mode is a form, and a client that names no mode shows forms.
fn shows(modes: &Map<String, Value>, params: &Value) -> bool {
    match params.get("mode").map_or(Some("form"), Value::as_str) {
        Some("form") => modes.contains_key("form") || !modes.contains_key("url"),
        Some("url") => modes.get("url").is_some_and(Value::is_object),
        Some(_) | None => false,
    }
}

/// How severe a log message is (RFC 5424), the least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(usize);

impl Severity {
    /// All names, the least severe first.
    pub const NAMES: [&str; 8] = [
        "debug",
        "info",
        "notice",
        "warning",
        "error",
        "critical",
        "alert",
        "emergency",
    ];

    /// What a client hears that says nothing of it, where it hears anything.
    pub const INFO: Self = Self(1);

    /// The severity of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .position(|known| *known == name)
            .map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self.0).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Severity, permits};
    use serde_json::json;

    #[test]
    fn nobody_is_asked_what_it_did_not_declare() {
        let (form, url) = (json!({"mode": "form"}), json!({"mode": "url"}));
        for (declared, method, params, asked) in [
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
                form.clone(),
                true,
            ),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                url.clone(),
                false,
            ),
            (
                json!({"elicitation": {"form": {}}}),
                "elicitation/create",
                url.clone(),
                false,
            ),
            (
                json!({"elicitation": {"url": {}}}),
                "elicitation/create",
                url.clone(),
                true,
            ),
            (
                json!({"elicitation": {"url": {}}}),
                "elicitation/create",
                form.clone(),
                false,
            ),
            (
                json!({"elicitation": {"url": {}, "form": {}}}),
                "elicitation/create",
                form,
                true,
            ),
            (
                json!({"elicitation": {"url": true}}),
                "elicitation/create",
                url,
                false,
            ),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                json!({"mode": "page"}),
                false,
            ),
            (
                json!({"elicitation": {}}),
                "elicitation/create",
                json!({"mode": 7}),
                false,
            ),
            (
                json!({"elicitation": null}),
                "elicitation/create",
                json!({}),
                false,
            ),
            (
                json!({"sampling": {}}),
                "sampling/createMessage",
                json!({}),
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
            (
                json!({"roots": {}, "sampling": {}, "elicitation": {}}),
                "tools/call",
                json!({}),
                false,
            ),
        ] {
            let text = format!("{method} {params} of {declared}");
            let declared = declared.as_object().unwrap();
            assert_eq!(permits(declared, method, &params), asked, "{text}");
        }
    }

    #[test]
    fn severities_have_an_order_and_names() {
        let named = |name| Severity::named(name).unwrap();
        assert!(named("debug") < Severity::INFO && Severity::INFO < named("emergency"));
        assert!(
            Severity::NAMES
                .iter()
                .all(|name| named(name).name() == *name)
        );
        assert_eq!(Severity::INFO.name(), "info");
        assert_eq!(Severity::named("verbose"), None);
    }
}
