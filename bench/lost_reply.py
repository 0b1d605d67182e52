#!/usr/bin/env python3
"""A refund is committed, its answer is held back, and the caller asks again: how many refunds?

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/lost_reply.py

A backend refunds at once and answers after 8 s. A client gives up after 3 s and sends the very same
call once more, with no key and no hint. The same client does so through Toolgate, over MCP and over
HTTP, once where the gate waits for the answer and once where it gives up after 5 s itself, and
through other gateways, installed from PyPI at pinned versions. The refunds are counted at the
backend, and shown beside what the second call was answered.
"""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse

from parts import ROOT, table, title

from kit import Failed, Gate, Process, check, clean_environment, folder, forget, free_port, request, wait_for
import provision

PEERS = ROOT / "target/bench/peers"
PROTOCOL = "2025-11-25"
ORDER = {"charge": "ch_1", "amount": 40}
SHOWN = 80  # Letters of an error.
SECOND_SECONDS = 60  # How patient the client is the second time.


class Backend:
    """The refunds of one case."""

    def __init__(self, home, hold):
        command = [shutil.which("python3"), ROOT / "bench/lost_reply_backend.py", str(hold)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = Process(command, home / "backend.log", **pipes)
        self.port = json.loads(self.process.child.stdout.readline())["listening"]
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def listed(self):
        params = {"name": "refund_list", "arguments": {"charge": ORDER["charge"]}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return request(self.port, "POST", "/mcp", message).json["result"]["structuredContent"]

    def refunds(self):
        """How many there are, once no answer is held any more."""
        wait_for("the backend to have answered", lambda: self.listed()["held"] == 0)
        return len(self.listed()["data"])


class McpClient:
    """A client over MCP: a handshake, then calls on connections of their own."""

    def __init__(self, url, tool, headers=()):
        place = urllib.parse.urlsplit(url)
        self.port, self.path, self.tool = place.port, place.path, tool
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **dict(headers)}
        info = {"name": "lost-reply", "version": "1"}
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": info}
        answer = self.post({"id": 0, "method": "initialize", "params": hello}, 30)
        if "mcp-session-id" in answer.headers:
            self.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        self.headers["MCP-Protocol-Version"] = PROTOCOL
        self.post({"method": "notifications/initialized"}, 30)
        self.count = 0

    def post(self, message, seconds):
        body = {"jsonrpc": "2.0", **message}
        return request(self.port, "POST", self.path, body, self.headers, timeout=seconds)

    def call(self, seconds):
        self.count += 1
        params = {"name": self.tool, "arguments": ORDER}
        return self.post({"id": self.count, "method": "tools/call", "params": params}, seconds)


class HttpClient:
    """A client of Toolgate's own HTTP API."""

    def __init__(self, gate, token, tool):
        self.gate, self.token, self.tool = gate, token, tool

    def call(self, seconds):
        body = {"tool": self.tool, "arguments": ORDER}
        return self.gate.http("POST", "/v1/invocations", body, self.token, timeout=seconds)


class Case:
    """One gateway in front of a backend of its own."""

    name = None
    requirements = None

    def __init__(self, hold):
        self.home = folder("lost-reply")
        self.processes = []
        self.backend = Backend(self.home, hold)

    def start(self):
        raise NotImplementedError

    def run(self, command, **options):
        options.setdefault("env", clean_environment())
        self.processes.append(Process(command, self.home / "gateway.log", cwd=self.home, **options))

    def program(self, name):
        return PEERS / self.requirements / "bin" / name

    def client(self, port, tool, headers=()):
        """The client, once the gateway answers."""

        def there():
            check(self.processes[-1].running, f"{self.name} ended by itself ({self.home}/gateway.log)")
            try:
                return McpClient(f"http://127.0.0.1:{port}/mcp", tool, headers)
            except OSError:
                return None

        return wait_for(f"{self.name} to answer ({self.home}/gateway.log)", there)

    def stop(self):
        for process in self.processes:
            process.kill()
        self.backend.process.kill()

    def lose(self, patience, pause):
        """The first call, given up; a pause; the same call again."""
        try:
            answer = self.caller.call(patience)
            raise SystemExit(f"{self.name}: the first call was answered in time: {answer}")
        except TimeoutError:
            pass
        time.sleep(pause)
        started = time.monotonic()
        try:
            self.second = said(self.caller.call(SECOND_SECONDS))
        except (OSError, http.client.HTTPException) as error:
            self.second = f"nothing: {error!r}"
        self.took = time.monotonic() - started


class ToolgateCase(Case):
    """Toolgate, told how to look for a refund and nothing else."""

    descriptors = """
[tools."be.refund"]
risk = "medium"
timeout = "TIMEOUT"
[tools."be.refund".effect]
probe = "be.refund_list"
args = { charge = "{args.charge}" }
landed = "any(result.data, r, r.invocation_id == $invocation.id)"
tries = 20
backoff = "200ms..1s"
[tools."be.refund_list"]
effect = "none"
"""

    def start(self):
        source = f'\n[[source]]\nname = "be"\nmcp = {{ url = "{self.backend.url}" }}\n'
        rules = [{"rule_id": "small", "when": "amount > 500", "effect": "deny"}]
        descriptors = self.descriptors.replace("TIMEOUT", self.timeout)
        self.gate = Gate(source + descriptors, {"refunds.json": {"name": "refunds", "rules": rules}}, self.home)
        self.gate.start()
        self.processes.append(self.gate.process)
        self.token = self.gate.agent("caller", "--tool", "be.refund")
        self.gate.wait_tools(self.token, "be.refund")
        self.caller = self.face()


class ToolgateMcp(ToolgateCase):
    """The gate is more patient than its client: it gets the answer that the client did not."""

    name = "Toolgate, MCP"
    timeout = "20s"

    def face(self):
        return McpClient(f"{self.gate.url}/mcp", "be__refund", {"Authorization": f"Bearer {self.token}"})


class ToolgateHttp(ToolgateCase):
    """The same over HTTP."""

    name = "Toolgate, HTTP"
    timeout = "20s"

    def face(self):
        return HttpClient(self.gate, self.token, "be.refund")


class ImpatientMcp(ToolgateMcp):
    """The gate loses the answer too: only a look can tell."""

    name = "Toolgate, MCP, 5 s"
    timeout = "5s"


class ImpatientHttp(ToolgateHttp):
    """The same over HTTP."""

    name = "Toolgate, HTTP, 5 s"
    timeout = "5s"


class PolicyGateway(Case):
    """An argument rule and a chained log."""

    name = "mcp-policy-gateway 0.1.0"
    requirements = "mcp-policy-gateway"

    def start(self):
        port = free_port()
        rule = {"name": "small", "effect": "allow", "tools": ["refund"], "when": {"args.amount": {"lte": 500}}}
        config = {
            "version": 1,
            "upstreams": {"be": {"transport": "http", "url": self.backend.url}},
            "policies": {"refunds": {"default": "deny", "rules": [rule]}},
            "tokens": [{"name": "caller", "env": "CALLER_TOKEN", "policy": "refunds"}],
        }
        (self.home / "gateway.yaml").write_text(json.dumps(config))
        token = "known-to-everybody-on-loopback"
        self.run([self.program("mcp-policy-gateway"), "run", "-c", "gateway.yaml", "--transport", "http", "--port", port,
                  "--audit", "audit.jsonl"], env={**clean_environment(), "CALLER_TOKEN": token})
        self.caller = self.client(port, "refund", {"Authorization": f"Bearer {token}"})


class FastMcp(Case):
    """A plain proxy."""

    name = "FastMCP 4.1.2 proxy"
    requirements = "fastmcp"

    def start(self):
        port = free_port()
        script = "import sys; from fastmcp.server import create_proxy; " \
            "create_proxy(sys.argv[1]).run(transport='http', host='127.0.0.1', port=int(sys.argv[2]), stateless_http=True)"
        self.run([self.program("python"), "-c", script, self.backend.url, port])
        self.caller = self.client(port, "refund")


class CtrlRun(Case):
    """Policy, reservation of the effect, durable receipt."""

    name = "CTRLRun 0.12.2"
    requirements = "ctrlrun"

    def start(self):
        port = free_port()
        rules = [{"when": {"amount_gte": 0, "amount_lte": 500}, "decision": "allow"}, {"decision": "deny"}]
        actions = {"mcp.be.refund": {"effect": "refund:{charge}", "rules": rules}}
        (self.home / "ctrlrun.yaml").write_text(json.dumps({"schema": "ctrlrun.policy/v2", "actions": actions}))
        self.run([self.program("ctrlrun"), "gateway", "--upstream", self.backend.url, "--alias", "be",
                  "--listen", f"127.0.0.1:{port}", "--principal", "caller"])
        self.caller = self.client(port, "refund")


CASES = [ToolgateMcp, ToolgateHttp, ImpatientMcp, ImpatientHttp, CtrlRun, PolicyGateway, FastMcp]


def said(answer):
    """What a caller is told, in few words: a result, or an error."""
    text = answer.body.decode(errors="replace")
    events = [line[5:] for line in text.splitlines() if line.startswith("data:")]
    try:
        message = json.loads(events[-1] if events else text)
    except ValueError:
        return f"HTTP {answer.status}: {text[:80]}"
    if "outcome" in message:
        return envelope(message, message.get("data"))
    if "error" in message:
        return f"error: {shown(message['error'].get('message', message['error']))}"
    result = message.get("result", message)
    outcome = result.get("_meta", {}).get("dev.toolgate/outcome")
    if outcome:
        return envelope(outcome, result)
    return f"{'error' if result.get('isError') else 'result'}: {shown(result.get('structuredContent') or result.get('content'))}"


def envelope(outcome, data):
    first = f", duplicate of {outcome['duplicate_of'][:12]}…" if outcome["duplicate_of"] else ""
    return f"{outcome['outcome']}, {outcome['status']}{first}: {shown(data)}"


def shown(value):
    text = json.dumps(value)
    found = text.find("re_")
    if found >= 0:
        return f"the refund {text[found:found + 4]}"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def main():
    options = parsed()
    for case in CASES:
        if case.requirements:
            provision.environment(PEERS / case.requirements, ROOT / f"bench/peers/{case.requirements}.txt", case.name)
    cases = []
    try:
        for case in CASES:
            cases.append(case(options.hold))
            cases[-1].start()
        threads = [threading.Thread(target=case.lose, args=(options.patience, options.pause)) for case in cases]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        rows = [[case.name, case.backend.refunds(), case.second, f"{case.took:.1f} s"] for case in cases]
    except Failed as failed:
        raise SystemExit(str(failed)) from failed
    finally:
        [case.stop() for case in cases]
    flags = f"--hold {options.hold:g} --patience {options.patience:g} --pause {options.pause:g}"
    title("one refund, its answer lost, the same call again", f"bench/lost_reply.py {flags}")
    table(["through", "refunds", "the second call was answered", "after"], rows)
    own = [row for row in rows if row[0].startswith("Toolgate")]
    good = all(refunds == 1 and "the refund re_1" in second and "success" in second for _, refunds, second, _ in own)
    if good:
        forget()
    return 0 if good else 1


def parsed():
    parser = argparse.ArgumentParser(description="One refund, its answer lost, the same call again.")
    parser.add_argument("--hold", type=float, default=8, help="how long the backend holds its answers, in seconds")
    parser.add_argument("--patience", type=float, default=3, help="when the client gives up, in seconds")
    parser.add_argument("--pause", type=float, default=0, help="how long the client then waits, in seconds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
