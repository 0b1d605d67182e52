"""A thin MCP server in front of a downstream's own API: what each adapter is made of.

An adapter names its tools; a tool turns arguments into requests to the downstream and the
downstream's answer into a tool's result. It decides nothing and remembers nothing, so that what is
counted in the downstream is what the gate brought about. Statuses are passed on truthfully:

    2xx                              a result
    4xx, without the four below      a result with `isError`: it was refused, nothing happened
    408, 409, 425, 429, 5xx, none    a JSON-RPC error: nobody can know

`python radicale.py --to 5232` prints `{"listening": PORT}` and ends when its input does.
Must not know: the gate, beyond the names of what it sends along.
"""

import argparse
import http.client
import http.server
import json
import os
import sys
import threading

PROTOCOL = "2025-11-25"
BODY_BYTES_MAX = 1 << 20
DOWNSTREAM_SECONDS = 60  # LIMIT: a downstream that says nothing for so long says nothing.
AMBIGUOUS = {408, 409, 425, 429}
TOOLS = {}


class Ambiguous(Exception):
    """The downstream did not say whether it did what was asked."""


class Refused(Exception):
    """The downstream said that it did not do it."""


class Call:
    """One call of a tool, with what came beside its arguments."""

    def __init__(self, arguments, key, invocation):
        self.arguments, self.key, self.invocation = arguments, key, invocation

    def __getitem__(self, name):
        return self.arguments[name]


def tool(name, reads=False, required=(), **arguments):
    """Adds a tool. `reads` says that it leaves no trace; arguments are name and JSON type."""

    def add(function):
        schema = {
            "type": "object",
            "properties": {key: {"type": kind} for key, kind in arguments.items()},
            "required": list(required or arguments),
            "additionalProperties": False,
        }
        listed = {
            "name": name,
            "description": function.__doc__,
            "inputSchema": schema,
            "annotations": {"readOnlyHint": reads, "destructiveHint": not reads},
        }
        TOOLS[name] = (listed, function)
        return function

    return add


class Downstream:
    """The downstream's own API. Each request has a connection of its own."""

    def __init__(self):
        self.port = None

    def ask(self, method, path, body=None, headers=None):
        """The status and the text of an answer that says definitely what happened."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DOWNSTREAM_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Ambiguous(f"no answer from the downstream: {error!r}")
        finally:
            connection.close()
        if status in AMBIGUOUS or status >= 500 or status < 200:
            raise Ambiguous(f"{status} {text[:200]}")
        return status, text

    def done(self, method, path, body=None, headers=None):
        """The text of an answer that says that it was done; a refusal is raised."""
        status, text = self.ask(method, path, body, headers)
        if status >= 300:
            raise Refused(f"{status} {text[:200]}")
        return text


downstream = Downstream()


class Face(http.server.BaseHTTPRequestHandler):
    """MCP over HTTP: one JSON answer to each message, no stream, no session."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_BYTES_MAX:
            return self.say(413, None)
        message = json.loads(self.rfile.read(length))
        if "id" not in message:
            return self.say(202, None)
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            answer["result"] = self.result(message["method"], message.get("params", {}))
        except LookupError as unknown:
            answer["error"] = {"code": -32601, "message": f"there is no {unknown}"}
        except Ambiguous as unclear:
            answer["error"] = {"code": -32603, "message": str(unclear)}
        self.say(200, json.dumps(answer).encode())

    def do_GET(self):
        self.say(405, None)

    do_DELETE = do_GET

    def result(self, method, params):
        match method:
            case "initialize":
                info = {"name": sys.argv[0].rsplit("/", 1)[-1].removesuffix(".py"), "version": "1"}
                return {"protocolVersion": PROTOCOL, "capabilities": {"tools": {}}, "serverInfo": info}
            case "ping":
                return {}
            case "tools/list":
                return {"tools": [listed for listed, _ in TOOLS.values()]}
            case "tools/call" if params["name"] in TOOLS:
                return self.called(params)
        raise LookupError(f"method or tool `{method}`")

    def called(self, params):
        invocation = params.get("_meta", {}).get("dev.toolgate/invocation-id")
        call = Call(params.get("arguments", {}), self.headers.get("Idempotency-Key"), invocation)
        try:
            data = TOOLS[params["name"]][1](call)
        except Refused as refused:
            return {"content": [{"type": "text", "text": str(refused)}], "isError": True}
        return {"content": [{"type": "text", "text": json.dumps(data)}], "structuredContent": data}

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body or b"")))
        if body:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        """What was asked is counted in the downstream."""


class Server(http.server.ThreadingHTTPServer):
    """Its answers to callers who are gone are nobody's loss."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*_)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True, help="the downstream's port on loopback")
    downstream.port = parser.parse_args().to
    serve()


def serve():
    """Says where it listens, and serves until its input ends."""
    server = Server(("127.0.0.1", 0), Face)
    print(json.dumps({"listening": server.server_port}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)
