//! Tools behind the gate's port: MCP servers over stdio and HTTP
