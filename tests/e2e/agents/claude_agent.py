"""A Claude agent: the SDK and the program that comes with it, before a model that is a script.

The script speaks the Messages API on loopback: asked for the first time it calls the tool, answered
it stops. Whatever else the program asks it (titles, counting) gets a few words.
"""

import asyncio
import http.server
import json
import os
import pathlib
import threading

from claude_agent_sdk import ClaudeAgentOptions, UserMessage, create_sdk_mcp_server, query, tool
from claude_agent_sdk.types import ToolResultBlock
from desk import SOURCE, STATED, refund, serve

from toolgate import AsyncToolgate
from toolgate.claude import hooks

NAME = "mcp__desk__refund"
GATE = AsyncToolgate(source=SOURCE)
HOME = pathlib.Path(os.environ["LEDGER"]).parent / "claude-home"
HOME.mkdir(exist_ok=True)
SCHEMA = {
    "type": "object",
    "properties": {"charge": {"type": "string"}, "amount": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["charge", "amount", "note"],
    "additionalProperties": False,
}
ORDER = {}
TOLD = []
"""All that the model was told, request by request."""


@tool("refund", "Pays money back to a customer.", SCHEMA)
async def refund_tool(arguments):
    return {"content": [{"type": "text", "text": refund(**arguments)}]}


class Model(http.server.BaseHTTPRequestHandler):
    """The Messages API, as far as a script needs it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "count_tokens" in self.path:
            return self.answer("application/json", json.dumps({"input_tokens": 1}).encode())
        blocks = spoken(asked)
        TOLD.append(json.dumps(asked["messages"], ensure_ascii=False))
        if not asked.get("stream"):
            return self.answer("application/json", json.dumps({**message(), "content": blocks}).encode())
        return self.answer("text/event-stream", b"".join(events(blocks)))

    def do_GET(self):
        self.answer("application/json", b"{}")

    do_HEAD = do_GET

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


def spoken(asked):
    """What the model says: the call, unless it was answered already or the tool is not offered."""
    offered = any(one.get("name") == NAME for one in asked.get("tools", []))
    contents = [message["content"] for message in asked["messages"] if isinstance(message["content"], list)]
    # What a hook adds comes after the answer, in a message of its own.
    answered = any(block.get("type") == "tool_result" for content in contents for block in content)
    if not offered or answered:
        return [{"type": "text", "text": "done"}]
    return [{"type": "tool_use", "id": ORDER["call"], "name": NAME, "input": ORDER["args"]}]


def message():
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def events(blocks):
    """One answer as server-sent events."""
    yield event("message_start", message=message())
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield event("content_block_start", index=index, content_block=start)
        yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    reason = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
    yield event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 1})
    yield event("message_stop")


def event(kind, **said):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **said})}\n\n".encode()


def run(order):
    TOLD.clear()
    ORDER.clear()
    ORDER.update(order)
    return asyncio.run(asked(order))


async def asked(order):
    options = ClaudeAgentOptions(
        hooks=hooks(GATE, {NAME: STATED}, tools=[refund_tool], on_approval=order["way"], wait_timeout=30),
        mcp_servers={"desk": create_sdk_mcp_server("desk", tools=[refund_tool])},
        permission_mode="bypassPermissions",
        tools=[],
        setting_sources=[],
        model="scripted",
        cwd=str(HOME),
        env=environment(),
    )
    saw = []
    async for said in query(prompt="go", options=options):
        if isinstance(said, UserMessage) and isinstance(said.content, list):
            saw += [block.content for block in said.content if isinstance(block, ToolResultBlock)]
    return {"saw": text(saw[-1]) if saw else None, "told": TOLD[-1] if TOLD else ""}


def text(content):
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def environment():
    """A home of its own, and no way out."""
    return {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{SERVER.server_port}",
        "ANTHROPIC_API_KEY": "-".join(["scripted", "model"]),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "HOME": str(HOME),
        "CLAUDE_CONFIG_DIR": str(HOME / "config"),
        "IS_SANDBOX": "1",
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
serve(run)
