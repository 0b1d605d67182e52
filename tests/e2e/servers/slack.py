"""A small MCP server on standard streams with one tool, `post_message`, on the official SDK.

It stands for a chat system: what is posted is kept in the file that the first argument names.
"""

import json
import sys

from mcp.server import MCPServer

server = MCPServer("slack")


@server.tool(annotations={"readOnlyHint": False, "destructiveHint": False})
def post_message(channel: str, text: str) -> str:
    """Posts a message to a channel."""
    with open(sys.argv[1], "a", encoding="utf-8") as posted:
        posted.write(json.dumps({"channel": channel, "text": text}) + "\n")
    return f"posted to {channel}"


server.run("stdio")
