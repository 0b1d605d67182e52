//! Which names of which packages make tools, offer them, or take them: one line each.
//!
//! A name is known by where it was imported from. `Agent().tool` is a method of what `Agent(…)` made.
//! To add a framework: its lines here and its case in `tests.rs`.
//!
//! Must not know: how names are resolved.

/// What a name does with tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Makes a tool: as a decorator, a call, or a base class.
    Tool,
    /// Makes a tool of an MCP server, which runs for whoever connects.
    Served,
    /// Is given tools, in this positional argument or by one of [`TOOL_ARGUMENTS`], and runs them.
    Runs(Option<usize>),
    /// Is given tools and passes them on within what it makes.
    Holds(Option<usize>),
}

/// One name.
#[derive(Debug)]
pub(super) struct Known {
    /// The first part of the module: the package.
    pub(super) package: &'static str,
    /// What it is called there, after any module within the package.
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// What people call it.
    pub(super) framework: &'static str,
}

/// Names of arguments, or of members of an options object, that carry tools.
pub(super) const TOOL_ARGUMENTS: [&str; 6] = [
    "tools",
    "toolsets",
    "mcp_servers",
    "mcpServers",
    "activeTools",
    "toolkits",
];

/// Packages of the gate's own SDKs.
pub(super) const GATE: [&str; 2] = ["toolgate", "@toolgate"];

/// Names that decorate tools in some framework; from anywhere else they are unknown, not harmless.
pub(super) const SUSPECTS: [&str; 4] = ["tool", "function_tool", "tool_plain", "mcp_tool"];

const fn known(
    package: &'static str,
    name: &'static str,
    role: Role,
    framework: &'static str,
) -> Known {
    Known {
        package,
        name,
        role,
        framework,
    }
}

use Role::{Holds, Runs, Served, Tool};

/// Every name.
pub(super) const KNOWN: &[Known] = &[
    // LangChain and LangGraph, Python.
    known("langchain", "tool", Tool, "LangChain"),
    known("langchain", "StructuredTool", Tool, "LangChain"),
    known(
        "langchain",
        "StructuredTool.from_function",
        Tool,
        "LangChain",
    ),
    known("langchain", "BaseTool", Tool, "LangChain"),
    known("langchain", "Tool", Tool, "LangChain"),
    known("langchain", "Tool.from_function", Tool, "LangChain"),
    known("langchain", "create_agent", Runs(Some(1)), "LangChain"),
    known("langchain", "AgentExecutor", Runs(None), "LangChain"),
    known("langchain_core", "tool", Tool, "LangChain"),
    known("langchain_core", "StructuredTool", Tool, "LangChain"),
    known(
        "langchain_core",
        "StructuredTool.from_function",
        Tool,
        "LangChain",
    ),
    known("langchain_core", "BaseTool", Tool, "LangChain"),
    known("langchain_core", "Tool", Tool, "LangChain"),
    known("langchain_core", "Tool.from_function", Tool, "LangChain"),
    known(
        "langgraph",
        "create_react_agent",
        Runs(Some(1)),
        "LangGraph",
    ),
    known("langgraph", "ToolNode", Runs(Some(0)), "LangGraph"),
    known(
        "deepagents",
        "create_deep_agent",
        Runs(Some(0)),
        "LangGraph",
    ),
    // LangChain and LangGraph, TypeScript.
    known("@langchain/core", "tool", Tool, "LangChain"),
    known(
        "@langchain/core",
        "DynamicStructuredTool",
        Tool,
        "LangChain",
    ),
    known("@langchain/core", "DynamicTool", Tool, "LangChain"),
    known("@langchain/core", "StructuredTool", Tool, "LangChain"),
    known("@langchain/core", "Tool", Tool, "LangChain"),
    known("langchain", "DynamicStructuredTool", Tool, "LangChain"),
    known("langchain", "DynamicTool", Tool, "LangChain"),
    known("langchain", "createAgent", Runs(None), "LangChain"),
    known(
        "@langchain/langgraph",
        "createReactAgent",
        Runs(None),
        "LangGraph",
    ),
    known(
        "@langchain/langgraph",
        "ToolNode",
        Runs(Some(0)),
        "LangGraph",
    ),
    // OpenAI Agents.
    known("agents", "function_tool", Tool, "OpenAI Agents"),
    known("agents", "FunctionTool", Tool, "OpenAI Agents"),
    known("agents", "Agent", Runs(None), "OpenAI Agents"),
    known("@openai/agents", "tool", Tool, "OpenAI Agents"),
    known("@openai/agents", "Agent", Runs(None), "OpenAI Agents"),
    known(
        "@openai/agents",
        "Agent.create",
        Runs(None),
        "OpenAI Agents",
    ),
    known("@openai/agents-core", "tool", Tool, "OpenAI Agents"),
    known("@openai/agents-core", "Agent", Runs(None), "OpenAI Agents"),
    known("@openai/agents-realtime", "tool", Tool, "OpenAI Agents"),
    known(
        "@openai/agents-realtime",
        "RealtimeAgent",
        Runs(None),
        "OpenAI Agents",
    ),
    // PydanticAI.
    known("pydantic_ai", "Agent().tool", Tool, "PydanticAI"),
    known("pydantic_ai", "Agent().tool_plain", Tool, "PydanticAI"),
    known("pydantic_ai", "Tool", Tool, "PydanticAI"),
    known("pydantic_ai", "Tool.from_schema", Tool, "PydanticAI"),
    known("pydantic_ai", "FunctionToolset().tool", Tool, "PydanticAI"),
    known(
        "pydantic_ai",
        "FunctionToolset",
        Holds(Some(0)),
        "PydanticAI",
    ),
    known("pydantic_ai", "Agent", Runs(None), "PydanticAI"),
    // Claude Agent SDK.
    known("claude_agent_sdk", "tool", Tool, "Claude Agent SDK"),
    known(
        "claude_agent_sdk",
        "create_sdk_mcp_server",
        Holds(None),
        "Claude Agent SDK",
    ),
    known(
        "claude_agent_sdk",
        "ClaudeAgentOptions",
        Runs(None),
        "Claude Agent SDK",
    ),
    known(
        "@anthropic-ai/claude-agent-sdk",
        "tool",
        Tool,
        "Claude Agent SDK",
    ),
    known(
        "@anthropic-ai/claude-agent-sdk",
        "createSdkMcpServer",
        Holds(None),
        "Claude Agent SDK",
    ),
    known(
        "@anthropic-ai/claude-agent-sdk",
        "query",
        Runs(None),
        "Claude Agent SDK",
    ),
    // Vercel AI SDK.
    known("ai", "tool", Tool, "AI SDK"),
    known("ai", "dynamicTool", Tool, "AI SDK"),
    known("ai", "generateText", Runs(None), "AI SDK"),
    known("ai", "streamText", Runs(None), "AI SDK"),
    known("ai", "Agent", Runs(None), "AI SDK"),
    known("ai", "Experimental_Agent", Runs(None), "AI SDK"),
    known("ai", "ToolLoopAgent", Runs(None), "AI SDK"),
    // CrewAI.
    known("crewai", "tool", Tool, "CrewAI"),
    known("crewai", "BaseTool", Tool, "CrewAI"),
    known("crewai", "Agent", Runs(None), "CrewAI"),
    known("crewai_tools", "tool", Tool, "CrewAI"),
    known("crewai_tools", "BaseTool", Tool, "CrewAI"),
    // Others.
    known("smolagents", "tool", Tool, "smolagents"),
    known("smolagents", "Tool", Tool, "smolagents"),
    known("smolagents", "CodeAgent", Runs(Some(0)), "smolagents"),
    known(
        "smolagents",
        "ToolCallingAgent",
        Runs(Some(0)),
        "smolagents",
    ),
    known("strands", "tool", Tool, "Strands"),
    known("strands", "Agent", Runs(None), "Strands"),
    known(
        "llama_index",
        "FunctionTool.from_defaults",
        Tool,
        "LlamaIndex",
    ),
    known("google", "adk.tools.FunctionTool", Tool, "Google ADK"),
    known("google", "adk.agents.Agent", Runs(None), "Google ADK"),
    known("google", "adk.agents.LlmAgent", Runs(None), "Google ADK"),
    known("agno", "tool", Tool, "Agno"),
    known("agno", "Agent", Runs(None), "Agno"),
    known("@mastra/core", "createTool", Tool, "Mastra"),
    known("@mastra/core", "Agent", Runs(None), "Mastra"),
    // MCP servers.
    known("mcp", "FastMCP().tool", Served, "MCP server"),
    known("mcp", "FastMCP().add_tool", Served, "MCP server"),
    known("mcp", "MCPServer().tool", Served, "MCP server"),
    known("mcp", "MCPServer().add_tool", Served, "MCP server"),
    known("mcp", "Server().call_tool", Served, "MCP server"),
    known("fastmcp", "FastMCP().tool", Served, "MCP server"),
    known("fastmcp", "FastMCP().add_tool", Served, "MCP server"),
    known("fastmcp", "FastMCP().addTool", Served, "MCP server"),
    known(
        "@modelcontextprotocol/sdk",
        "McpServer().tool",
        Served,
        "MCP server",
    ),
    known(
        "@modelcontextprotocol/sdk",
        "McpServer().registerTool",
        Served,
        "MCP server",
    ),
    known(
        "@modelcontextprotocol/sdk",
        "Server().setRequestHandler",
        Served,
        "MCP server",
    ),
    known(
        "@modelcontextprotocol/server",
        "McpServer().tool",
        Served,
        "MCP server",
    ),
    known(
        "@modelcontextprotocol/server",
        "McpServer().registerTool",
        Served,
        "MCP server",
    ),
];
