"""A server of MCP with one tool, `echo`, that breaks in the way a file names: `frail.py stdio FILE`, or `frail.py http FILE PORT`.

The file FILE.fault holds one word; without it all is well. FILE.pid holds the number of the process.

    garbage     lines, or a body, that are none of the protocol, and no answer
    half        the first half of an answer, and then something else
    ids         the answer under an id that nobody waits for
    huge        an answer far beyond every limit
    flood       more garbage than anybody should read, and no answer
    mute        no answer

It speaks 2025-11-25. Must not know: who calls it.
"""

import http.server
import json
import os
import pathlib
import sys
import threading

PLACE = pathlib.Path(sys.argv[2])
HUGE = 3 << 20
LINES = 20000


def main():
    PLACE.with_suffix(".pid").write_text(str(os.getpid()))
    if sys.argv[1] == "stdio":
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message and "method" in message:
                for part in spoken(message):
                    sys.stdout.buffer.write(part)
                    sys.stdout.buffer.flush()
    else:
        Server(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    allow_reuse_address = True


def fault(message):
    """What is wrong with the answer to this message: only calls are answered badly."""
    file = PLACE.with_suffix(".fault")
    return file.read_text().strip() if message["method"] == "tools/call" and file.exists() else ""


def answer(message):
    """The answer, as it should be."""
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        info = {"name": "frail", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
        result = {"tools": [{"name": "echo", "inputSchema": schema, "annotations": {"readOnlyHint": True}}]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": params["arguments"]["n"]}]}
    elif method == "ping":
        result = {}
    else:
        return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "method not found"}}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def spoken(message):
    """The answer as it is, in pieces."""
    whole = json.dumps(answer(message)).encode() + b"\n"
    wrong = fault(message)
    if wrong == "garbage":
        return [b"\x00\xff}{ not a message\n", b'{"jsonrpc":"2.0","id":', b"\n", b"[[[[[[[[\n"]
    if wrong == "half":
        return [whole[: len(whole) // 2]]
    if wrong == "ids":
        return [json.dumps({**answer(message), "id": 10**9 + message["id"]}).encode() + b"\n"]
    if wrong == "huge":
        return [b'{"jsonrpc":"2.0","id":%d,"result":{"x":"' % message["id"], b"x" * HUGE, b'"}}\n']
    if wrong == "flood":
        return [b"0123456789" * 10 + b"\n"] * LINES
    if wrong == "mute":
        return []
    return [whole]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in message:
            return self.give(202, b"")
        parts = spoken(message)
        if not parts:
            threading.Event().wait()
        body = b"".join(parts)
        if fault(message) == "half":
            self.give(200, body, len(body) * 2)
            self.close_connection = True
        else:
            self.give(200, body)

    def do_GET(self):
        self.give(405, b"")

    do_DELETE = do_GET

    def give(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


main()
