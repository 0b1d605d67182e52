"""A model that is a script, behind the Messages API on loopback.

It calls the tools of its script one after the other, each once the one before was answered, and then stops.
Whatever else it is asked (titles, counting) gets a few words. Must not know: who asks.
"""

import http.server
import json
import threading

SAID = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}


class Model(http.server.ThreadingHTTPServer):
    """`script`: pairs of a tool's name and its arguments. `results` is what the tools answered."""

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Answers)
        self.script, self.results = script, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def says(self, asked):
        """The next call, if its tool is offered and there is one."""
        blocks = [block for one in asked["messages"] if isinstance(one["content"], list) for block in one["content"]]
        results = [block for block in blocks if block.get("type") == "tool_result"]
        offered = {one.get("name") for one in asked.get("tools", [])}
        if not all(name in offered for name, _ in self.script):
            return {"type": "text", "text": "a title"}
        self.results = results
        if len(results) == len(self.script):
            return {"type": "text", "text": "done"}
        name, arguments = self.script[len(results)]
        return {"type": "tool_use", "id": f"toolu_script_{len(results)}", "name": name, "input": arguments}


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words):
        """Says nothing."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "count_tokens" in self.path:
            return self.answer("application/json", json.dumps({"input_tokens": 1}).encode())
        block = self.server.says(asked)
        if not asked.get("stream"):
            return self.answer("application/json", json.dumps({**SAID, "content": [block]}).encode())
        return self.answer("text/event-stream", b"".join(events(block)))

    def do_GET(self):
        self.answer("application/json", b"{}")

    do_HEAD = do_GET

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def events(block):
    """One answer as server-sent events."""
    call = block["type"] == "tool_use"
    start = {**block, "input": {}} if call else {**block, "text": ""}
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])} if call else {"type": "text_delta", "text": block["text"]}
    yield event("message_start", message=SAID)
    yield event("content_block_start", index=0, content_block=start)
    yield event("content_block_delta", index=0, delta=delta)
    yield event("content_block_stop", index=0)
    reason = {"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=reason, usage={"output_tokens": 1})
    yield event("message_stop")


def event(kind, **said):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **said})}\n\n".encode()
