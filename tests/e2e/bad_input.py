"""Bad input: each kind gets its own clear error, and a good call works afterwards.

Requests that no client library sends are written by hand. Policies with each kind of mistake go
through `toolgate check`. Upstreams that print garbage, die or never answer are refund desks with
a fault armed from beside, on standard streams and over HTTP.
"""

import json
import socket

from kit import (
    DESK, Desk, Gate, at_end, check, denied_with, desk_source, desk_tools, equal, folder, free_port,
    has_every_field, ledger_lines, effects, one_of, problem, shown, stage, switch, test, wait_for,
)

POLICY = {"name": "base", "rules": [{"rule_id": "ok", "when": "tool == web.get_charge", "effect": "allow"}]}
GRANTS = [part for source in ("web", "pipe") for tool in ("get_charge", "get_customer", "refund", "send_message") for part in ("--tool", f"{source}.{tool}")]
READ = {"tool": "web.get_charge", "arguments": {"charge": "ch_1"}}


def configure(_options):
    """Nothing to configure."""


class Stage:
    """One desk over HTTP (`web`) and one on standard streams (`pipe`), both with switches."""

    def __init__(self):
        home = folder("bad-input")
        self.web = Desk(home, "web")
        at_end(self.web.stop)
        self.control = free_port()
        self.pipe_ledger = home / "pipe.jsonl"
        pipe = [str(DESK), "--stdio", "--switches", "--control", f"127.0.0.1:{self.control}", "--ledger", str(self.pipe_ledger)]
        config = desk_source("web", self.web) + f'[[source]]\nname = "pipe"\nmcp = {{ command = {json.dumps(pipe)} }}\n' + desk_tools("pipe")
        self.gate = Gate(config, {"base.json": POLICY}, home).opened()
        self.token = self.gate.agent("helper", *GRANTS)
        self.gate.wait_tools(self.token, "web.refund", "pipe.refund")

    def still_works(self):
        """A good call after the bad one."""
        envelope = self.gate.invoke(self.token, **READ)
        equal(envelope["outcome"], "success", "a good call afterwards")

    def raw(self, path, body, token=True, headers=()):
        """Bytes as they are, in a request that is otherwise good."""
        lines = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **dict(headers)}
        return self.gate.http("POST", path, body, self.token if token else None, lines)

    def rpc(self, body, **options):
        answer = self.raw("/mcp", body if isinstance(body, bytes) else json.dumps(body).encode(), **options)
        return answer

    def fault(self, source, **fault):
        switch(self.web.port if source == "web" else self.control, fault=fault)


on = stage(Stage)
LEGACY = (("MCP-Protocol-Version", "2025-11-25"),)


def call_text(arguments, name="web__get_charge"):
    return f'{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'.encode()


MODERN = (("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", "web__get_charge"))

TWISTED = {
    "a key that stands twice": (b'{"charge":"ch_1","charge":"ch_2"}', "twice"),
    "an escaped key that stands twice": (b'{"charge":"ch_1","ch\\u0061rge":"ch_2"}', "twice"),
    "a lone surrogate": (b'{"charge":"\\ud800"}', ""),
    "NaN": (b'{"charge":NaN}', ""),
    "Infinity": (b'{"charge":-Infinity}', ""),
    "a number outside exact range": (b'{"charge":9007199254740993}', "exact"),
    "a number with a huge exponent": (b'{"charge":1e400}', "exact"),
    "bytes that are no UTF-8": (b'{"charge":"\xff\xfe"}', ""),
    "a comma too many": (b'{"charge":"ch_1",}', ""),
    "a depth of 10,000": (b"[" * 10_000 + b"]" * 10_000, "64"),
    "a string of 300 KiB": (b'{"charge":"' + b"x" * 300 * 1024 + b'"}', "262144"),
}


@test("JSON that two readers may read differently is a 400 on the HTTP API, each with its own words")
def twisted_http():
    seen = {}
    for what, (arguments, word) in TWISTED.items():
        answer = on().raw("/v1/invocations", b'{"tool":"web.get_charge","arguments":' + arguments + b"}")
        one_of(answer.status, (400, 413, 422), f"{what}: {answer}")
        text = json.dumps(problem(answer, answer.status))
        check(word in text, f"{what}: `{word}` is not in {text}")
        seen[what] = text
    on().still_works()


@test("the same JSON on `/mcp` is a JSON-RPC error in the body of a 400")
def twisted_mcp():
    for what, (arguments, _) in TWISTED.items():
        body = call_text("@").replace(b"@", arguments)
        answer = on().rpc(body, headers=MODERN)
        one_of(answer.status, (400, 413), f"{what}: {answer}")
        error = answer.json.get("error", {})
        one_of(error.get("code"), (-32700, -32600, -32602), f"{what}: {answer}")
        check(error.get("message"), f"{what}: no message")
    requests = [line for line in on().web.lines() if line.get("request", {}).get("tool") not in (None, "get_charge")]
    equal(requests, [], "requests that reached the desk")
    on().still_works()


@test("malformed JSON-RPC gets the protocol's own errors")
def malformed_rpc():
    base = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for what, message, codes in (
        ("no JSON", b"hello", (-32700,)),
        ("nothing", b"", (-32700, -32600)),
        ("an array", [base], (-32600,)),
        ("another version", {**base, "jsonrpc": "1.0"}, (-32600,)),
        ("no method", {"jsonrpc": "2.0", "id": 1}, (-32600,)),
        ("a method that is a number", {**base, "method": 5}, (-32600,)),
        ("an id that is an object", {**base, "id": {}}, (-32600,)),
        ("parameters that are a string", {**base, "params": "x"}, (-32600, -32602)),
    ):
        answer = on().rpc(message, headers=LEGACY)
        equal(answer.status, 400, f"{what}: {answer}")
        one_of(answer.json["error"]["code"], codes, f"{what}: {answer}")
    on().still_works()


@test("a wrong protocol version is a 400 that lists the ones served")
def wrong_protocol():
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2031-01-01", "io.modelcontextprotocol/clientCapabilities": {}}}}
    headers = (("MCP-Protocol-Version", "2031-01-01"), ("Mcp-Method", "tools/list"))
    answer = on().rpc(message, headers=headers)
    equal(answer.status, 400, f"{answer}")
    equal(answer.json["error"]["code"], -32022, f"{answer}")
    check("2026-07-28" in answer.json["error"]["data"]["supported"], f"{answer}")
    on().still_works()


@test("headers that do not say what the body says are a 400 with -32020")
def wrong_headers():
    body = call_text('{"charge":"ch_1"}')
    for changed in (("Mcp-Method", "tools/list"), ("Mcp-Name", "web__refund"), ("MCP-Protocol-Version", "2025-11-25")):
        answer = on().rpc(body, headers=(*[pair for pair in MODERN if pair[0] != changed[0]], changed))
        equal(answer.status, 400, f"{changed}: {answer}")
        equal(answer.json["error"]["code"], -32020, f"{changed}: {answer}")
    good = on().rpc(body, headers=MODERN)
    equal(good.status, 200, f"the same with good headers {good}")


@test("an unknown method, an unknown tool and parameters without a name have their own codes")
def unknown():
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/destroy", "params": {"_meta": meta}}
    headers = (("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/destroy"))
    answer = on().rpc(message, headers=headers)
    equal((answer.status, answer.json["error"]["code"]), (404, -32601), f"{answer}")
    answer = on().rpc(call_text("{}", "web__nothing"), headers=(*MODERN[:2], ("Mcp-Name", "web__nothing")))
    check(b"-32602" in answer.body, f"an unknown tool: {answer}")
    on().still_works()


@test("a body of 10 MiB is a 413 on both faces, and is not read to its end")
def huge():
    body = b'{"tool":"web.get_charge","arguments":{"charge":"' + b"x" * (10 << 20) + b'"}}'
    for path in ("/v1/invocations", "/mcp"):
        head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{on().gate.port}\r\nAuthorization: Bearer {on().token}\r\n"
                f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n")
        # Only the beginning is sent: whoever waits for the rest would wait for ever.
        equal(written(head.encode() + body[:4096]), 413, f"{path}, announced")
        chunked = head.replace(f"Content-Length: {len(body)}", "Transfer-Encoding: chunked").encode()
        chunks = b"".join(b"10000\r\n" + body[:65536] + b"\r\n" for _ in range(20))
        equal(written(chunked + chunks), 413, f"{path}, in chunks above 1 MiB")
    on().still_works()


def written(text, end=False):
    """The status that comes back for these bytes; 0 where the connection is just closed."""
    with socket.create_connection(("127.0.0.1", on().gate.port), timeout=60) as connection:
        try:
            connection.sendall(text)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before all was sent: what was said counts.
        first = connection.makefile("rb").readline().split()
    return int(first[1]) if len(first) > 1 else 0


@test("broken HTTP is refused or closed, and never a 500")
def broken_http():
    for text in (b"nonsense\r\n\r\n", b"POST /mcp HTTP/9.9\r\n\r\n", b"POST /mcp HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        try:
            status = written(text, end=True)
        except (ConnectionResetError, BrokenPipeError):
            status = 0
        check(status == 0 or 400 <= status < 500, f"{text[:60]}: {status}")
    on().still_works()


@test("wrong media types and methods have their own statuses")
def media_types():
    answer = on().gate.http("POST", "/v1/invocations", b"x=1", on().token, {"Content-Type": "text/plain"})
    one_of(answer.status, (400, 415), f"{answer}")
    answer = on().gate.http("PUT", "/mcp", b"{}", on().token)
    equal(answer.status, 405, f"{answer}")
    on().still_works()


@test("a missing, malformed, expired or revoked key is a 401 with its own code on both faces")
def keys():
    gate = on().gate
    expired = gate.cli("key", "create", "helper", "--ttl", "1s")["token"]
    revoked = gate.cli("key", "create", "helper")
    gate.cli("key", "revoke", revoked["id"])
    ask = lambda token: gate.http("POST", "/v1/invocations", READ, token)
    wait_for("the key to expire", lambda: ask(expired).status == 401, 10)
    for token, code in ((None, "unauthenticated"), ("tg_", "unauthenticated"), ("x" * 5000, "unauthenticated"),
                        (expired, "credential_expired"), (revoked["token"], "credential_revoked")):
        problem(ask(token), 401, code)
        answer = gate.http("POST", "/mcp", call_text('{"charge":"ch_1"}'), token, dict(MODERN) | {"Accept": "application/json, text/event-stream"})
        equal(answer.status, 401, f"{code} on /mcp: {answer}")
    on().still_works()


@test("a key of another tenant finds nothing of this one")
def foreign_key():
    foreign = on().gate.foreigner("foreigner", "--tool", "web.get_charge")
    mine = on().gate.invoke(on().token, **READ)
    problem(on().gate.http("GET", f"/v1/invocations/{mine['invocation_id']}", token=foreign), 404)
    on().still_works()


POLICIES = {
    "text that is no JSON": ('{"rules": [', None),
    "a key that stands twice": ('{"name": "a", "name": "b", "rules": []}', "twice"),
    "an unknown key": ('{"rules": [{"when": "amount > 5", "efect": "deny"}]}', "effect"),
    "an unknown key of the document": ('{"allowed_tool": ["x.y"], "rules": []}', "allowed_tools"),
    "an unknown effect": ('{"rules": [{"when": "true", "effect": "denny"}]}', "deny"),
    "an unknown condition": ('{"rules": [{"condition": {"body_contain_any": ["x"]}, "effect": "deny"}]}', "body_contains_any"),
    "an unknown match key": ('{"rules": [{"match": {"tool_nam": "x"}, "effect": "deny"}]}', "tool_name"),
    "two effects": ('{"rules": [{"when": "true", "effect": "deny", "action": "ALLOW"}]}', None),
    "no effect": ('{"rules": [{"when": "true"}]}', "effect"),
    "a value of the wrong type": ('{"rules": {"when": "true", "effect": "deny"}}', "rules"),
    "a number out of range": ('{"rules": [{"when": "true", "effect": "deny", "priority": 1e99}]}', None),
    "an expression that does not end": ('{"rules": [{"when": "amount > ", "effect": "deny"}]}', None),
    "an expression that does not close": ('{"rules": [{"when": "(amount > 5", "effect": "deny"}]}', None),
    "an unknown function": ('{"rules": [{"when": "exist(args.a)", "effect": "deny"}]}', "exists"),
    "an unknown argument of a known tool": ('{"rules": [{"match": {"tools": ["web.refund"]}, "when": "amont > 5", "effect": "deny"}]}', "amount"),
    "an unknown mode": ('{"mode": "montor", "rules": []}', "monitor"),
    "what is not available yet": ('{"rules": [], "invariants": ["every refund above 500 needs approval"]}', "not available yet"),
    "a limit without its window": ('{"rules": [{"when": "true", "effect": "limit", "limit": 5}]}', "per"),
    "an approval of what has happened": ('{"rules": [{"when": "true", "on": "result", "effect": "require_approval"}]}', "result"),
    "a data class that is none": ('{"rules": [{"condition": {"has_data_class": ["PIII"]}, "effect": "deny"}]}', "PII"),
    "a window beyond what is remembered": ('{"rules": [{"when": "rate(agent, 90d) > 3", "effect": "deny"}]}', None),
    "an expression that is too deep": ('{"rules": [{"when": "' + "(" * 5000 + "true" + ")" * 5000 + '", "effect": "deny"}]}', None),
}


@test("a policy with each kind of mistake is refused, with line, column and what was probably meant")
def policies():
    gate = on().gate
    for what, (text, word) in POLICIES.items():
        file = gate.home / "mistake.json"
        file.write_text(text)
        refused = gate.cli("policy", "apply", file, "--activate", exit=3)
        said = json.dumps(refused)
        check(word is None or word in said, f"{what}: `{word}` is not in {shown(said)}")
        if "argument" in what:
            continue
        offline = json.dumps(gate.cli("check", file, url=False, exit=3))
        check('"line"' in offline and '"column"' in offline, f"{what}: no place in {shown(offline)}")
        check(word is None or word in offline, f"{what}: `{word}` is not in {shown(offline)}")
    on().still_works()


@test("a policy above 256 KiB is refused, with the limit in words")
def huge_policy():
    file = on().gate.home / "huge.json"
    file.write_text('{"description": "' + "x" * (257 * 1024) + '", "rules": []}')
    for arguments in (("check", file), ("policy", "apply", file, "--activate")):
        check("262144" in json.dumps(on().gate.cli(*arguments, exit=(2, 3))), f"{arguments}: the limit is not named")
    on().still_works()


@test("a configuration with each kind of mistake is refused, all of them at once, with their places")
def configurations():
    gate = on().gate
    file = gate.home / "mistake.toml"
    file.write_text('lissten = "127.0.0.1:0"\n[posture]\nlow = "alow"\n[[source]]\nname = "a__b"\nmcp = { command = [] }\n')
    said = json.dumps(gate.cli("config", "show", "--origin", "--config", file, url=False, exit=3))
    for word in ("listen", "allow", "a__b"):
        check(word in said, f"`{word}` is not in {shown(said)}")
    gate.cli("serve", "--config", file, "--data", gate.home / "never", url=False, exit=3)
    check(not (gate.home / "never/toolgate.db").exists(), "a store was made")


def doubtful(envelope, what):
    """Nobody can know: said so, never called a failure."""
    has_every_field(envelope)
    equal((envelope["outcome"], envelope["success"]), ("indeterminate", False), f"{what}: {shown(envelope)}")
    equal(envelope["error"]["code"], "unknown_effect", what)
    one_of(envelope["status"], ("unknown_effect", "reconciling", "needs_operator"), what)
    check(envelope["error"]["message"], f"{what}: no message")


def back(source):
    """Waits until this source answers again."""
    ask = lambda: on().gate.invoke(on().token, f"{source}.get_charge", {"charge": "ch_1"}, allow_duplicate=True)
    wait_for(f"`{source}` to answer again", lambda: ask()["outcome"] == "success")


FAULTS = ("garbage", "drop", "cut", "exit")


def upstream(source, ledger, kinds):
    for number, kind in enumerate(kinds):
        amount = round(3 + number / 100, 2)
        on().fault(source, kind=kind, tool="refund", times=1)
        arguments = {"charge": "ch_load", "customer": "cust_load", "amount": amount}
        envelope = on().gate.invoke(on().token, f"{source}.refund", arguments, timeout_ms=3000)
        doubtful(envelope, f"{source}, {kind}")
        landed = [made for made in effects(ledger_lines(ledger), "refund") if float(made["amount"]) == amount]
        equal(len(landed), 1, f"{source}, {kind}: refunds, sent once and never again")
        on().still_works()
        back(source)


@test("an upstream on streams that prints garbage, closes, dies in the middle or ends: unknown, once, and it comes back")
def upstream_streams():
    upstream("pipe", on().pipe_ledger, FAULTS)


@test("an upstream over HTTP that answers garbage, closes or breaks off: unknown, once, and the gate goes on")
def upstream_http():
    upstream("web", on().web.ledger, ("garbage", "drop", "cut"))


@test("an upstream that never answers an effect: unknown after the timeout, and others go on meanwhile")
def never_answers():
    for source in ("web", "pipe"):
        on().fault(source, kind="hang", tool="send_message", when="after", times=1)
        envelope = on().gate.invoke(on().token, f"{source}.send_message", {"to": "a@example.com", "text": source}, timeout_ms=1000)
        doubtful(envelope, source)
        back(source)
    on().still_works()


@test("what the operator calls a read is retried, fails when it stays broken, and never counts as unknown")
def broken_read():
    for source in ("web", "pipe"):
        ask = lambda: on().gate.invoke(on().token, f"{source}.get_customer", {"customer": "cust_123"}, timeout_ms=5000)
        on().fault(source, kind="garbage", tool="get_customer", times=50)
        envelope = ask()
        has_every_field(envelope)
        equal(envelope["outcome"], "failure", f"{source}: {shown(envelope)}")
        one_of(envelope["error"]["code"], ("invalid_result", "upstream_unavailable", "tool_error"), source)
        on().fault(source, kind="none")
        back(source)
        on().fault(source, kind="garbage", tool="get_customer", times=1)
        envelope = ask()
        equal(envelope["outcome"], "success", f"{source}, broken once: {shown(envelope)}")
        check(envelope["attempts"] > 1, f"{source}: {shown(envelope)}")


@test("what only claims to be a read may have left a trace: unknown, and never repeated")
def claimed_read():
    on().fault("web", kind="garbage", tool="get_charge", times=1)
    envelope = on().gate.invoke(on().token, "web.get_charge", {"charge": "ch_2"})
    doubtful(envelope, "an annotation is not the operator's word")
    equal(envelope["attempts"], 1, "attempts")
    on().still_works()


@test("an answer far above every limit is an error on that call alone")
def oversize():
    for source in ("web", "pipe"):
        on().fault(source, kind="oversize", tool="get_customer", bytes=20 << 20, times=50)
        envelope = on().gate.invoke(on().token, f"{source}.get_customer", {"customer": "cust_456"}, timeout_ms=20_000)
        check(envelope["outcome"] in ("failure", "indeterminate"), f"{source}: {shown(envelope)}")
        check(len(json.dumps(envelope)) < 1 << 20, f"{source}: the answer was handed on")
        on().fault(source, kind="none")
        back(source)
    on().still_works()


@test("a protocol error of the upstream is a clear error on that call")
def upstream_error():
    on().fault("web", kind="error", tool="get_customer", times=50)
    envelope = on().gate.invoke(on().token, "web.get_customer", {"customer": "cust_789"})
    one_of(envelope["outcome"], ("failure", "indeterminate"), shown(envelope))
    check(envelope["error"]["message"], shown(envelope))
    on().fault("web", kind="none")
    on().still_works()
