"""Programs in front of tools: the proxy, the hooks of coding agents, and the search for what is ungated.

The upstream is a server of our own that counts what really arrives. The hooks are fed the payloads that
the agents' makers document. Must not know: how any of the programs works.
"""

import contextlib
import http.client
import http.server
import json
import os
import socket
import subprocess
import threading

import kit
import provision
from kit import Gate, Process, check, equal, folder, free_port, one_of, request, stage, test, wait_for
from servers.messages import Model

EVERYTHING = {"name": "all", "rules": [
    {"rule_id": "no", "match": {"tool_name": "http", "path_patterns": ["/denied*"]}, "effect": "deny", "reason": "not there"},
    {"rule_id": "clean", "match": {"tool_name": "http", "path_patterns": ["/clean"]}, "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"},
    {"rule_id": "ask", "match": {"tool_name": "http", "path_patterns": ["/ask*"]}, "effect": "require_approval"},
    {"rule_id": "read", "on": "result", "match": {"tool_name": "http"}, "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"},
    {"rule_id": "kept", "on": "result", "match": {"tool_name": "http"}, "condition": {"body_contains_any": ["for-people"]}, "effect": "deny", "reason": "for people only"},
    {"rule_id": "rm", "match": {"tool_name": "code", "operations": ["Bash", "Shell", "run_shell_command"]}, "when": "command starts_with \"rm \"", "effect": "deny", "reason": "nothing is removed"},
    {"rule_id": "push", "match": {"tool_name": "code", "operations": ["Bash"]}, "when": "command starts_with \"git push\"", "effect": "require_approval"},
    {"rule_id": "mail", "match": {"tool_name": "code", "operations": ["Bash", "Shell", "run_shell_command"]}, "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"},
    {"rule_id": "cat", "on": "result", "match": {"tool_name": "code", "operations": ["Bash", "run_shell_command"]}, "condition": {"has_data_class": ["PII"]}, "effect": "deny", "reason": "it names people"},
]}
SECRET = "Bearer " + "of-the-caller-" + "4711"


def configure(_options):
    """Nothing to configure."""


class Upstream(http.server.ThreadingHTTPServer):
    """Counts what arrives, and answers by path."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.seen, self.go_on = [], threading.Event()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()
        kit.at_end(self.close)

    def close(self):
        self.go_on.set()
        self.shutdown()
        self.server_close()

    def count(self, path):
        return sum(1 for one in self.seen if one["path"] == path)

    def handle_error(self, _request, _address):
        """A caller that goes away is what some tests are about."""


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words):
        """Silence: the tests print."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.seen.append({"method": self.command, "path": self.path.split("?")[0], "query": self.path, "headers": headers, "body": body})
        {"/events": self.events, "/dies": self.dies, "/away": self.away}.get(self.path, self.plain)()

    do_GET = do_POST

    def plain(self):
        words = {"/leak": {"mail": "ana@acme.com"}, "/kept": {"x": "for-people"}, "/missing": {"why": "no such thing"}}
        body = json.dumps(words.get(self.path, {"path": self.path.split("?")[0]})).encode()
        self.send_response({"/missing": 404, "/breaks": 500}.get(self.path, 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "session=of-upstream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        self.server.go_on.wait(30)
        self.wfile.write(b"data: last\n\n")
        self.close_connection = True

    def dies(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"half": ')
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def away(self):
        self.send_response(307)
        self.send_header("Location", "/denied")
        self.send_header("Content-Length", "0")
        self.end_headers()


class Proxy:
    """`toolgate proxy` beside a gate."""

    def __init__(self, gate, key, *arguments):
        environment = {**kit.clean_environment(), "TOOLGATE_URL": gate.url, "TOOLGATE_KEY": key}
        command = [kit.TOOLGATE, "proxy", "--listen", "127.0.0.1:0", "--json", *arguments]
        self.process = Process(command, gate.home / "proxy.log", stdout=subprocess.PIPE, env=environment, cwd=gate.home)
        kit.at_end(self.stop)
        line = self.process.child.stdout.readline()
        check(line, f"the proxy did not start: see {gate.home}/proxy.log")
        self.port = int(json.loads(line)["listening"].rsplit(":", 1)[1])

    def ask(self, method, url, body=None, headers=None):
        return request(self.port, method, f"/proxy/{url}", body, headers)

    def stop(self):
        if self.process.running:
            self.process.stop()
        self.process.child.stdout.close()


def ready_made():
    """What `toolgate init --for` writes for the gate of a coding agent, where high risk needs nobody."""
    home = folder("init")
    done = subprocess.run([str(kit.TOOLGATE), "init", "--for", "claude-code", str(home)], capture_output=True, text=True, timeout=60)
    equal(done.returncode, 0, done.stderr)
    text = (home / "toolgate.toml").read_text()
    return text[text.index("[posture]"):].replace('high = "require_approval"', 'high = "allow"')


class Stage:
    def __init__(self):
        self.upstream = Upstream()
        self.base = f"http://127.0.0.1:{self.upstream.port}"
        self.gate = Gate(ready_made(), {"all.json": EVERYTHING}, folder("programs")).opened()
        self.key = self.gate.agent("walker", "--tool", "http.*", "--max-risk", "high")
        self.coder = self.gate.cli("key", "create", "coder")["token"]
        self.approver = self.gate.person("cleo@acme.com")
        self.proxy = Proxy(self.gate, self.key, "--allow-host", "127.0.0.1")
        self.hooks = 0

    def record(self, id):
        answer = self.gate.http("GET", f"/v1/invocations/{id}", token=self.gate.admin)
        equal(answer.status, 200, f"{id}")
        return answer.json

    def approve(self, envelope):
        equal(self.gate.decide(envelope, self.approver).status, 200, "the approval")

    def hook(self, coder, payload, *arguments, environment=None, raw=None):
        """Runs a hook as its agent does: a payload in, an exit code out."""
        variables = {**kit.clean_environment(), "TOOLGATE_URL": self.gate.url, "TOOLGATE_KEY": self.coder,
                     "XDG_STATE_HOME": str(self.gate.home / "state"), **(environment or {})}
        text = raw if raw is not None else json.dumps(payload).encode()
        command = [str(kit.TOOLGATE), "hook", coder, "--wait", "0", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, env=variables, cwd=self.gate.home, timeout=60)
        out = json.loads(done.stdout) if done.stdout.strip() else None
        return done.returncode, out, done.stderr.decode()

    def claude(self, event, tool, arguments, id=None, **more):
        self.hooks += 1
        return {"session_id": "s-1", "transcript_path": "/tmp/t.jsonl", "cwd": "/srv/shop", "permission_mode": "default",
                "hook_event_name": event, "tool_name": tool, "tool_input": arguments, "tool_use_id": id or f"toolu_{self.hooks}", **more}


there = stage(Stage)


@test("an allowed request is sent once, with the caller's credentials, which are on no record")
def allowed():
    it = there()
    headers = {"Authorization": SECRET, "X-Unheard-Of": "a-message", "Connection": "close, X-Of-The-Hop", "X-Of-The-Hop": "1", "Accept-Encoding": "gzip"}
    answer = it.proxy.ask("POST", f"{it.base}/orders?page=2", {"order": 7}, headers)
    equal(answer.status, 200, f"{answer}")
    equal(answer.json, {"path": "/orders"}, "what upstream was asked")
    [seen] = [one for one in it.upstream.seen if one["path"] == "/orders"]
    equal(seen["headers"].get("authorization"), SECRET, "the caller's credential")
    equal(json.loads(seen["body"]), {"order": 7}, "the body")
    equal(seen["query"], "/orders?page=2", "the address")
    for name in ("x-unheard-of", "x-of-the-hop", "proxy-connection", "x-forwarded-for"):
        check(name not in seen["headers"], f"`{name}` travelled on")
    equal(seen["headers"]["accept-encoding"], "identity", "what the gate can read")
    found = it.record(answer.headers["toolgate-invocation"])
    equal((found["status"], found["data"]["status"]), ("succeeded", 200), "the outcome")
    for place in it.gate.data.rglob("*"):
        if place.is_file():
            text = place.read_bytes()
            for secret in (b"of-the-caller-" + b"4711", b"of-upstream"):
                check(secret not in text, f"{place.name} holds `{secret.decode()}`")


@test("a denied request is not sent, and says why")
def denied():
    it = there()
    answer = it.proxy.ask("POST", f"{it.base}/denied", {"x": 1})
    equal((answer.status, answer.json["code"]), (403, "policy_denied"), f"{answer}")
    equal(answer.headers["content-type"], "application/problem+json", "the type")
    equal(it.upstream.count("/denied"), 0, "requests that arrived")
    equal(it.record(answer.json["envelope"]["invocation_id"])["status"], "denied", "the record")


@test("what a rule replaces is replaced in what is sent, and in what comes back")
def sanitized():
    it = there()
    answer = it.proxy.ask("POST", f"{it.base}/clean", {"note": {"to": "ana@acme.com", "n": 1}})
    equal(answer.status, 200, f"{answer}")
    [seen] = [one for one in it.upstream.seen if one["path"] == "/clean"]
    check(b"ana@acme.com" not in seen["body"], f"{seen['body']} was sent")
    equal(json.loads(seen["body"])["note"]["n"], 1, "what nobody minds")
    answer = it.proxy.ask("GET", f"{it.base}/leak")
    check(answer.status == 200 and "ana@acme.com" not in str(answer), f"{answer}")
    check("mail" in answer.json, f"{answer}")
    answer = it.proxy.ask("GET", f"{it.base}/kept")
    equal((answer.status, answer.json["code"]), (403, "result_withheld"), f"{answer}")


@test("a request that waits is sent once it is approved, by the same request again, and not twice")
def pending():
    it = there()
    ask = lambda: it.proxy.ask("POST", f"{it.base}/ask", {"amount": 5})
    first, second = ask(), ask()
    equal((first.status, second.status), (202, 202), f"{first} {second}")
    envelope = first.json["envelope"]
    equal(second.json["envelope"]["invocation_id"], envelope["invocation_id"], "the call that was joined")
    check("retry-after" in first.headers and it.upstream.count("/ask") == 0, f"{first.headers}")
    it.approve(envelope)
    third = ask()
    equal((third.status, third.json), (200, {"path": "/ask"}), f"{third}")
    fourth = ask()
    equal((fourth.status, fourth.headers.get("toolgate-replayed")), (200, "true"), f"{fourth}")
    equal(it.upstream.count("/ask"), 1, "requests that arrived")


@test("an answer that breaks off is an unknown effect; a refused connection is none")
def lost():
    it = there()
    answer = it.proxy.ask("POST", f"{it.base}/dies", {"amount": 6})
    equal((answer.status, answer.json["code"]), (502, "unknown_effect"), f"{answer}")
    found = it.record(answer.json["envelope"]["invocation_id"])
    one_of(found["status"], ("unknown_effect", "needs_operator"), "the outcome")
    again = it.proxy.ask("POST", f"{it.base}/dies", {"amount": 6})
    equal(again.status, 502, f"{again}")
    equal(it.upstream.count("/dies"), 1, "requests that arrived")
    answer = it.proxy.ask("POST", f"http://127.0.0.1:{free_port()}/x", {"amount": 7})
    equal((answer.status, answer.json["code"]), (502, "upstream_unavailable"), f"{answer}")
    equal(answer.json["envelope"]["status"], "failed", "the outcome")
    answer = it.proxy.ask("POST", f"{it.base}/breaks", {"amount": 8})
    equal((answer.status, answer.json["code"]), (500, "unknown_effect"), f"{answer}")
    answer = it.proxy.ask("GET", f"{it.base}/missing")
    equal((answer.status, answer.json), (404, {"why": "no such thing"}), f"{answer}")


@test("a stream arrives as it comes, and its end is on the record")
def streaming():
    it = there()
    connection = http.client.HTTPConnection("127.0.0.1", it.proxy.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", f"/proxy/{it.base}/events")
        answer = connection.getresponse()
        # The upstream holds the rest back until the beginning has been read here.
        equal(answer.readline(), b"data: first\n", "the beginning")
        it.upstream.go_on.set()
        check(b"data: last" in answer.read(), "the end did not come")
        id = answer.headers["toolgate-invocation"]
    ended = lambda: it.record(id)["status"] == "succeeded" and it.record(id)
    found = wait_for("the report of the stream", ended)
    equal((found["data"]["bytes"], found["data"]["digest"][:7]), (25, "sha256:"), "what is kept of it")


@test("no address of this machine or a private network is reached that was not opened, however it is written")
def inside():
    it = there()
    shut = Proxy(it.gate, it.key)
    port, before = it.upstream.port, len(it.upstream.seen)
    for host in ("127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
                 "0.0.0.0", "[::]", "169.254.169.254", "2852039166", "[fe80::1]", "10.0.0.1", "192.168.0.1", "172.16.0.1",
                 "100.64.0.1", "[fd00::1]", "[64:ff9b::7f00:1]"):
        answer = shut.ask("GET", f"http://{host}:{port}/inside")
        equal((answer.status, answer.json["code"]), (403, "address_forbidden"), f"{host}: {answer}")
    answer = shut.ask("GET", f"http://localhost:{port}/inside")
    equal((answer.status, answer.json["code"]), (502, "upstream_unavailable"), f"a name that leads here: {answer}")
    for url in (f"http://ana:pw@127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1/", "//127.0.0.1/", "metadata"):
        one_of(shut.ask("GET", url).status, (400, 403, 404), url)
    # An opened host opens no other, and metadata services stay shut for everybody.
    for host in ("127.0.0.2", "[::1]", "10.0.0.1", "169.254.169.254"):
        equal(it.proxy.ask("GET", f"http://{host}:{port}/inside").status, 403, host)
    equal(len(it.upstream.seen), before, "requests that arrived")


@test("a redirect is handed back, leads through the proxy, and is followed by nobody else")
def redirect():
    it = there()
    answer = it.proxy.ask("POST", f"{it.base}/away", {"x": 2})
    equal((answer.status, answer.headers["location"]), (307, f"/proxy/{it.base}/denied"), f"{answer}")
    equal(it.upstream.count("/denied"), 0, "requests that arrived")
    equal(request(it.proxy.port, "POST", answer.headers["location"], {"x": 2}).status, 403, "the redirect itself")


@test("as HTTP_PROXY it judges plain http, and refuses tunnels with words")
def as_http_proxy():
    it = there()
    answer = request(it.proxy.port, "POST", f"{it.base}/absolute", {"x": 3}, {"Host": f"127.0.0.1:{it.upstream.port}"})
    equal((answer.status, it.upstream.count("/absolute")), (200, 1), f"{answer}")
    answer = request(it.proxy.port, "POST", f"{it.base}/denied", {"x": 3})
    equal((answer.status, it.upstream.count("/denied")), (403, 0), f"{answer}")
    with socket.create_connection(("127.0.0.1", it.proxy.port), timeout=30) as line:
        line.sendall(b"CONNECT api.acme.com:443 HTTP/1.1\r\nHost: api.acme.com:443\r\n\r\n")
        head = line.recv(65536)
    check(head.startswith(b"HTTP/1.1 501"), f"{head}")


@test("a web page and a strange name are refused, and what cannot be read is not sent")
def refused():
    it = there()
    before = len(it.upstream.seen)
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Host": "evil.example"}, 421),
                            ({"Content-Type": "application/octet-stream"}, 415), ({"X-HTTP-Method-Override": "DELETE"}, 403)):
        answer = it.proxy.ask("POST", f"{it.base}/odd", b"\xff\xfe" if status == 415 else b"{}", headers)
        equal(answer.status, status, f"{headers}: {answer}")
    equal(it.proxy.ask("POST", f"{it.base}/odd", b"x" * ((1 << 20) + 1)).status, 413, "a body that is too long")
    equal(request(it.proxy.port, "GET", "/elsewhere").status, 404, "no address")
    equal(len(it.upstream.seen), before, "requests that arrived")


@test("in monitor mode everything is sent, and the verdict is on the record and on the answer")
def monitor():
    it = there()
    watching = Proxy(it.gate, it.key, "--mode", "monitor", "--allow-host", "127.0.0.1")
    answer = watching.ask("POST", f"{it.base}/denied/watched", {"x": 4}, {"Authorization": SECRET, "X-Unheard-Of": "1"})
    equal((answer.status, answer.headers["toolgate-verdict"]), (200, "deny"), f"{answer}")
    [seen] = [one for one in it.upstream.seen if one["path"] == "/denied/watched"]
    equal((seen["headers"]["authorization"], seen["headers"]["x-unheard-of"]), (SECRET, "1"), "as it was")
    records = it.gate.http("GET", f"/v1/records?invocation={answer.headers['toolgate-invocation']}", token=it.gate.admin)
    check(records.status == 200 and "policy_denied" in str(records.json), f"{records}")
    equal(watching.ask("GET", f"http://10.0.0.1:{it.upstream.port}/").status, 403, "an address inside, in monitor mode")


@test("without a gate the proxy sends nothing")
def gateless():
    it = there()
    nowhere = Proxy(type("Gone", (), {"url": f"http://127.0.0.1:{free_port()}", "home": it.gate.home}), it.key, "--allow-host", "127.0.0.1")
    answer = nowhere.ask("POST", f"{it.base}/gateless", {"x": 5})
    equal((answer.status, answer.json["code"]), (503, "unreachable"), f"{answer}")
    equal(it.upstream.count("/gateless"), 0, "requests that arrived")


@test("a coding agent's tool runs under a lease, and what came of it is on the record")
def hooked():
    it = there()
    arguments = {"command": "cargo test", "description": "Runs the tests"}
    before = it.claude("PreToolUse", "Bash", arguments, "toolu_a")
    equal(it.hook("claude-code", before)[:2], (0, {}), "before")
    after = it.claude("PostToolUse", "Bash", arguments, "toolu_a", tool_response={"stdout": "ok", "stderr": "", "interrupted": False})
    equal(it.hook("claude-code", after)[:2], (0, {}), "after")
    [call] = [one for one in calls(it) if one["capability_id"] == "code.Bash"]
    found = it.record(call["invocation_id"])
    equal((found["status"], found["data"]["stdout"], found["call"]["arguments"]), ("succeeded", "ok", arguments), "the record")
    # The same command again is another use, and runs again; the same use again is not.
    for id, code in (("toolu_b", 0), ("toolu_a", 2)):
        equal(it.hook("claude-code", it.claude("PreToolUse", "Bash", arguments, id))[0], code, id)
    failed = it.claude("PostToolUseFailure", "Bash", arguments, "toolu_b", error="Command exited with non-zero status code 1")
    equal(it.hook("claude-code", failed)[0], 0, "after a failure")
    equal(sorted(one["status"] for one in calls(it) if one["capability_id"] == "code.Bash"), ["failed", "succeeded"], "both")


def calls(it):
    answer = it.gate.http("GET", "/v1/invocations?agent=coder&limit=200", token=it.gate.admin)
    return answer.json["items"]


@test("a hook refuses with the reason, replaces arguments, and lets an approved call run once")
def judged():
    it = there()
    code, _, why = it.hook("claude-code", it.claude("PreToolUse", "Bash", {"command": "rm -r build"}))
    equal(code, 2, why)
    check("nothing is removed" in why and "not executed" in why, why)
    code, out, why = it.hook("claude-code", it.claude("PreToolUse", "Bash", {"command": "echo ana@acme.com", "description": "x"}))
    equal(code, 0, why)
    output = out["hookSpecificOutput"]
    equal((output["permissionDecision"], output["updatedInput"]["description"]), ("allow", "x"), "the answer")
    check("ana@acme.com" not in output["updatedInput"]["command"], f"{output}")
    push = {"command": "git push origin topic"}
    code, _, why = it.hook("claude-code", it.claude("PreToolUse", "Bash", push, "toolu_p1"))
    check(code == 2 and "approve" in why and "same call again" in why, why)
    [waiting] = [one for one in calls(it) if one["status"] == "pending_approval"]
    it.approve(it.record(waiting["invocation_id"]))
    equal(it.hook("claude-code", it.claude("PreToolUse", "Bash", push, "toolu_p2"))[0], 0, "once it is approved")
    done = it.claude("PostToolUse", "Bash", push, "toolu_p2", tool_response={"stdout": "pushed"})
    equal(it.hook("claude-code", done)[0], 0, "after it")
    equal(it.record(waiting["invocation_id"])["status"], "succeeded", "the approved call")
    equal(it.hook("claude-code", it.claude("PreToolUse", "Bash", push, "toolu_p3"))[0], 2, "a second push asks again")
    cat = {"command": "cat people.txt"}
    equal(it.hook("claude-code", it.claude("PreToolUse", "Bash", cat, "toolu_c"))[0], 0, "cat")
    code, out, why = it.hook("claude-code", it.claude("PostToolUse", "Bash", cat, "toolu_c", tool_response={"stdout": "ana@acme.com"}))
    check(code == 0 and out["decision"] == "block" and "ana@acme.com" not in json.dumps(out), f"{out} {why}")


@test("whatever goes wrong before a tool is a refusal")
def fails_closed():
    it = there()
    good = it.claude("PreToolUse", "Bash", {"command": "ls"})
    without = lambda key: {name: value for name, value in good.items() if name != key}
    for what, payload, arguments, environment in (
        ("no gate", good, (), {"TOOLGATE_URL": f"http://127.0.0.1:{free_port()}"}),
        ("no address", good, (), {"TOOLGATE_URL": "nonsense"}),
        ("no key", good, (), {"TOOLGATE_KEY": ""}),
        ("a wrong key", good, (), {"TOOLGATE_KEY": "tg_" + "nobody"}),
        ("a key file that is not there", good, ("--key-file", "none.key"), {}),
        ("a source that is not there", good, ("--source", "nowhere"), {}),
        ("an unknown event", {**good, "hook_event_name": "SessionStart"}, (), {}),
        ("no event", without("hook_event_name"), (), {}),
        ("no tool", without("tool_name"), (), {}),
        ("no arguments", without("tool_input"), (), {}),
        ("arguments that are none", {**good, "tool_input": [1]}, (), {}),
        ("a strange name", {**good, "tool_name": "Ba sh\n"}, (), {}),
        ("no place for leases", good, (), {"XDG_STATE_HOME": "/dev/null/x"}),
        ("an unknown flag", good, ("--no-such-flag",), {}),
        ("another agent's event", good, (), {"coder": "gemini"}),
    ):
        coder = environment.pop("coder", "claude-code")
        code, out, why = it.hook(coder, payload, *arguments, environment=environment)
        equal((code, bool(why)), (2, True), f"{what}: {out} {why}")
    # A gate that takes the call and never answers: the hook ends before its agent gives it up.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, _, why = it.hook("claude-code", good, environment={"TOOLGATE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"})
    equal((code, "took too long" in why), (2, True), why)
    for raw in (b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"hook_event_name": "PreToolUse"}', b"x" * (9 << 20)):
        equal(it.hook("claude-code", None, raw=raw)[0], 2, f"{raw[:20]}")


@test("Codex, Gemini CLI and Cursor are answered in their own words")
def others():
    it = there()
    codex = {"session_id": "s", "turn_id": "t", "cwd": "/srv", "model": "m", "permission_mode": "default",
             "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_use_id": "call_1", "tool_input": {"command": "ls"}}
    gemini = {"session_id": "s", "transcript_path": "/t", "cwd": "/srv", "hook_event_name": "BeforeTool", "timestamp": "2026-01-01T00:00:00Z",
              "tool_name": "run_shell_command", "tool_input": {"command": "ls"}}
    cursor = {"conversation_id": "c", "generation_id": "g", "workspace_roots": ["/srv"], "hook_event_name": "beforeShellExecution", "command": "ls", "cwd": "/srv"}
    mcp = {**cursor, "hook_event_name": "beforeMCPExecution", "tool_name": "query", "tool_input": "{\"q\": 1}", "url": "http://x"}
    mail = "echo ana@acme.com"
    for coder, payload, expected in (("codex", codex, {}), ("gemini", gemini, {}), ("cursor", cursor, {"permission": "allow"}),
                                     ("cursor", {**cursor, "command": "rm -r x"}, None), ("cursor", {**cursor, "command": mail}, None),
                                     ("gemini", {**gemini, "tool_input": {"command": "rm -r x"}}, None),
                                     ("codex", {**codex, "tool_use_id": "call_2", "tool_input": {"command": "rm -r x"}}, None)):
        code, out, why = it.hook(coder, payload)
        equal((code, out), (0 if expected is not None else 2, expected), f"{coder} {payload}: {why}")
    code, out, why = it.hook("cursor", mcp)
    one_of(code, (0,), why)
    _, out, _ = it.hook("gemini", {**gemini, "tool_input": {"command": mail}})
    check("ana@acme.com" not in out["hookSpecificOutput"]["tool_input"]["command"], f"{out}")
    done = {**gemini, "hook_event_name": "AfterTool", "tool_response": {"llmContent": "ana@acme.com"}}
    code, out, why = it.hook("gemini", done)
    check(code == 0 and out["decision"] == "block", f"{out} {why}")
    # Without an id of its own the same use again is another one.
    equal(it.hook("gemini", gemini)[0], 0, "again")


@test("Claude Code itself, with the ready configuration, runs what is allowed and nothing else")
def claude_code():
    it = there()
    [program] = provision.SDK_PYTHON.glob("lib/python*/site-packages/claude_agent_sdk/_bundled/claude")
    home = folder("claude-code")
    project = home / "project"
    subprocess.run([str(kit.TOOLGATE), "init", "--for", "claude-code", str(project)], check=True, capture_output=True, timeout=60)
    (project / "keep").write_text("x")
    script = [("Bash", {"command": f"touch {project}/made", "description": "Makes a file"}), ("Bash", {"command": "rm keep", "description": "Removes a file"})]
    model = Model(script)
    kit.at_end(model.stop)
    environment = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "-".join(["scripted", "model"]), "HOME": str(home),
                   "CLAUDE_CONFIG_DIR": str(home / "config"), "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1",
                   "IS_SANDBOX": "1", "NO_PROXY": "127.0.0.1", "PATH": f"{kit.TOOLGATE.parent}:{os.environ['PATH']}",
                   "TOOLGATE_URL": it.gate.url, "TOOLGATE_KEY": it.coder}
    # The mode in which it asks nobody: the hook is asked all the same.
    command = [str(program), "-p", "go", "--model", "scripted", "--permission-mode", "bypassPermissions"]
    run = lambda **more: subprocess.run(command, capture_output=True, text=True, cwd=project, env={**environment, **more}, stdin=subprocess.DEVNULL, timeout=120)
    done = run()
    equal(done.returncode, 0, done.stdout + done.stderr)
    check((project / "made").exists(), f"what is allowed did not run: {model.results} {done.stdout} {done.stderr}")
    check((project / "keep").exists(), "what is denied ran")
    equal([bool(one.get("is_error")) for one in model.results], [False, True], f"{model.results}")
    check("nothing is removed" in json.dumps(model.results[1]), f"{model.results}")
    made = [one for one in calls(it) if it.record(one["invocation_id"])["call"]["arguments"] == script[0][1]]
    equal([one["status"] for one in made], ["succeeded"], "the record")
    # Without a gate, and without the program of the hook, nothing runs at all.
    (project / "made").unlink()
    for more in ({"TOOLGATE_URL": f"http://127.0.0.1:{free_port()}"}, {"PATH": os.environ["PATH"]}):
        model.results = []
        done = run(**more)
        check(not (project / "made").exists(), f"{more}: it ran without the gate: {done.stdout} {done.stderr}")
        equal([bool(one.get("is_error")) for one in model.results], [True, True], f"{more}: {model.results}")


@test("coverage lists what is ungated and ends with 4 where that is asked for")
def coverage():
    home = folder("coverage")
    (home / "app.py").write_text("from langchain_core.tools import tool\n\n@tool\ndef search(q): ...\n")
    command = [str(kit.TOOLGATE), "coverage", str(home)]
    run = lambda *more: subprocess.run([*command, *more], capture_output=True, text=True, env=kit.clean_environment(), timeout=60)
    found = json.loads(run("--json").stdout)
    equal(found["sums"], {"tools": 1, "covered": 0, "uncovered": 1, "unknown": 0}, "the sums")
    equal((run().returncode, run("--fail-uncovered").returncode), (0, 4), "the exit codes")
    check("search" in run().stdout and "0 of 1 covered" in run().stdout, run().stdout)
    (home / "app.py").write_text("from toolgate import Toolgate\ngate = Toolgate()\n\n@gate.tool()\ndef search(q): ...\n")
    equal(run("--fail-uncovered").returncode, 0, "once it is gated")
    (home / "odd.ts").write_text("const x = {\n")
    equal(run("--fail-uncovered").returncode, 4, "what cannot be read is not covered")
    equal(subprocess.run([*command[:2], str(home / "none")], capture_output=True, env=kit.clean_environment()).returncode, 2, "a path that is not there")
