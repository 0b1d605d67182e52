//! What a source offers over MCP besides its tools: prompts, resources, completion.
//!
//! Reading a resource of the source `crm` is a use of the tool `crm.resources/read`, getting a
//! prompt one of `crm.prompts/get`, completing an argument one of `crm.completion/complete`. So
//! they are granted, judged, recorded and run like every other call; the slash keeps the names
//! apart from tools that a server lists. The call's arguments are the parameters of the method, in
//! the server's own names.
//!
//! Must not know: how any of it is fetched.

use serde_json::{Map, Value};

use crate::ToolId;

/// A method of MCP, other than `tools/call`, that is called like a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `completion/complete`: values that fit an argument of a prompt or a template.
    Complete,
    /// `prompts/get`.
    GetPrompt,
    /// `resources/read`.
    ReadResource,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Complete, Self::GetPrompt, Self::ReadResource];

    /// The method, as the protocol names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "completion/complete",
            Self::GetPrompt => "prompts/get",
            Self::ReadResource => "resources/read",
        }
    }

    /// The method that a tool stands for; none for a tool that its server lists.
    pub fn of(tool: &ToolId) -> Option<Self> {
        let same = |method: &Self| method.as_str() == tool.operation();
        Self::ALL.into_iter().find(same)
    }

    /// The tool that stands for this method of a source; none where the source's name is no name.
    pub fn tool(self, source: &str) -> Option<ToolId> {
        format!("{source}.{}", self.as_str()).parse().ok()
    }
}

/// What one source offers besides tools, as it wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// Whether clients see its prompts and URIs under their own names, without the source's.
    pub bare: bool,
    /// What its server declared that it can do (`ServerCapabilities`).
    pub capabilities: Map<String, Value>,
    /// What its server tells models about itself, within bounds.
    pub instructions: Option<String>,
    /// Its prompts, each as in `prompts/list`.
    pub prompts: Vec<Value>,
    /// Its resources, each as in `resources/list`.
    pub resources: Vec<Value>,
    /// Its templates of resources, each as in `resources/templates/list`.
    pub templates: Vec<Value>,
    /// How often its server has said that a list of it changed.
    pub announced: Announced,
}

/// How often a server has said that a list of its changed, whatever came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Of `notifications/tools/list_changed`.
    pub tools: u64,
    /// Of `notifications/prompts/list_changed`.
    pub prompts: u64,
    /// Of `notifications/resources/list_changed`.
    pub resources: u64,
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn a_method_is_a_tool_that_no_server_lists() {
        for method in Method::ALL {
            let tool = method.tool("crm").unwrap();
            assert_eq!(tool.as_str(), format!("crm.{}", method.as_str()));
            assert_eq!(Method::of(&tool), Some(method));
        }
        assert_eq!(Method::of(&"crm.resources.read".parse().unwrap()), None);
        assert_eq!(Method::of(&"crm.x/resources/read".parse().unwrap()), None);
    }
}
