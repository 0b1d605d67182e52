//! Faces of the gate: HTTP API and MCP
