"""What the end-to-end tests share: processes, the gate, HTTP by hand, and a list of tests.

A test is a function with one sentence as its name:

    @test("a denied call says why")
    def denied(): ...

Nothing here waits "long enough": everything waits for a condition and says for which one. A
process is stopped by its own id. Must not know: what any one scenario expects.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("TOOLGATE_E2E_DIR", ROOT / "target"))
TOOLGATE = pathlib.Path(os.environ.get("TOOLGATE_BIN", ROOT / "target/debug/toolgate"))
PROXY = pathlib.Path(os.environ.get("FAULTY_PROXY_BIN", TOOLGATE.parent / "faulty-proxy"))
DESK = pathlib.Path(os.environ.get("REFUND_DESK_BIN", TOOLGATE.parent / "refund-desk"))
VENV = TARGET / "e2e-venv"
VENV_1X = TARGET / "e2e-venv-1x"
NODE = TARGET / "e2e-node"

READY_SECONDS = 60  # LIMIT: Node and Python servers start within three seconds on a slow machine.
TESTS = []


def test(name):
    """Adds a function to the list of tests."""

    def add(function):
        TESTS.append((pathlib.Path(sys.modules[function.__module__].__file__).stem, name, function))
        return function

    return add


ENDINGS = []
FOLDERS = []


def stage(setup):
    """Sets something up at its first use, once for all tests of a scenario."""
    made, broken = [], []

    def there():
        if broken:
            raise Failed(f"the scenario was not set up: {broken[0]}")
        try:
            made or made.append(setup())
        except Exception as error:
            broken.append(error)
            raise
        return made[0]

    return there


def at_end(ending):
    """Remembers what is to be stopped when the run ends."""
    ENDINGS.append(ending)


def end():
    """Stops everything, the last started first."""
    while ENDINGS:
        ENDINGS.pop()()


class Failed(AssertionError):
    """What a check found, in one line."""


def check(condition, message):
    if not condition:
        raise Failed(message)


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what}: found {shown(found)}, expected {shown(expected)}")


def one_of(found, expected, what):
    if found not in expected:
        raise Failed(f"{what}: found {shown(found)}, expected one of {sorted(map(str, expected))}")


def shown(value, length=600):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= length else text[:length] + "…"


def wait_for(what, look, seconds=READY_SECONDS):
    """Looks until `look` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def folder(name):
    """A fresh folder; `forget` removes it when the run ended well."""
    made = pathlib.Path(tempfile.mkdtemp(prefix=f"toolgate-{name}-"))
    FOLDERS.append(made)
    return made


def forget():
    """Removes every folder of this run."""
    while FOLDERS:
        shutil.rmtree(FOLDERS.pop(), ignore_errors=True)


class Response:
    """An answer over HTTP."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"{self.status} with a body that is no JSON: {shown(self.body.decode(errors='replace'))}")

    def __repr__(self):
        return f"{self.status} {shown(self.body.decode(errors='replace'))}"


def request(port, method, path, body=None, headers=None, timeout=60):
    """One request on its own connection. `body` may be bytes (sent as they are) or JSON data."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Response(answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read())
    finally:
        connection.close()


class Process:
    """A child, stopped by its own id."""

    def __init__(self, command, log, **options):
        self.command = [str(part) for part in command]
        self.log = open(log, "ab")
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", self.log)
        self.child = subprocess.Popen(self.command, stderr=self.log, **options)

    @property
    def running(self):
        return self.child.poll() is None

    def kill(self):
        """As `kill -9` does."""
        if self.running:
            self.child.kill()
        self.child.wait()
        self.log.close()

    def stop(self, seconds=20):
        """Asks it to end, and insists."""
        if self.running:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f"`{self.command[0]}` did not end within {seconds} s of being asked to")
        self.log.close()
        return self.child.returncode


class Desk:
    """A refund desk on HTTP, with its ledger."""

    def __init__(self, home, name="desk", arguments=("--switches",)):
        self.ledger = pathlib.Path(home) / f"{name}.ledger.jsonl"
        command = [DESK, "--listen", "127.0.0.1:0", "--ledger", self.ledger, *arguments]
        self.process = Process(command, pathlib.Path(home) / f"{name}.log", stdout=subprocess.PIPE)
        line = self.process.child.stdout.readline()
        check(line, f"the desk did not start: {self.process.command}")
        self.url = json.loads(line)["listening"]
        self.port = int(self.url.split(":")[2].split("/")[0])

    def fault(self, **fault):
        switch(self.port, fault=fault)

    def lines(self):
        return ledger_lines(self.ledger)

    def stop(self):
        self.process.kill()
        self.process.child.stdout.close()


class Proxy:
    """A proxy that loses answers, in front of whatever listens at a port of this machine."""

    def __init__(self, home, to, **plan):
        check(PROXY.exists(), f"there is no binary `{PROXY}`: `cargo build -p toolgate-testkit --bins` makes it")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [PROXY, "--to", f"127.0.0.1:{to}", "--plan", json.dumps(plan)]
        self.process = Process(command, pathlib.Path(home) / "proxy.log", **pipes)
        line = self.process.child.stdout.readline()
        check(line, f"the proxy did not start: {self.process.command}")
        self.port = int(json.loads(line)["listening"].rsplit(":", 1)[1])
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def tell(self, command):
        """Obeys, and says what it has done so far."""
        self.process.child.stdin.write(json.dumps(command) + "\n")
        self.process.child.stdin.flush()
        said = json.loads(self.process.child.stdout.readline())
        check("error" not in said, f"the proxy did not understand {command}: {said}")
        return said

    @property
    def counts(self):
        return self.tell("counts")

    def stop(self):
        self.process.kill()
        self.process.child.stdin.close()
        self.process.child.stdout.close()


def switch(port, **what):
    """Throws a switch of a desk from beside."""
    answer = request(port, "POST", "/switch", what)
    equal(answer.status, 200, f"the desk's switch {what}")


def ledger_lines(path):
    """All whole lines of a desk's ledger."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def effects(lines, kind):
    """The effects of one kind in a ledger."""
    return [line["effect"][kind] for line in lines if kind in line.get("effect", {})]


class Gate:
    """A gate of its own: data, configuration, port, processes. Used as a context."""

    ready_seconds = READY_SECONDS

    def __init__(self, config="", policies=None, home=None, name="gate"):
        check(TOOLGATE.exists(), f"there is no binary `{TOOLGATE}`: `cargo build -p toolgate` makes it, or name one by TOOLGATE_BIN")
        self.home = pathlib.Path(home or folder(name))
        self.data = self.home / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = self.home / "toolgate.toml"
        (self.home / "policies").mkdir(exist_ok=True)
        for file, text in (policies or {}).items():
            text = text if isinstance(text, str) else json.dumps(text)
            (self.home / "policies" / file).write_text(text)
        head = f'listen = "127.0.0.1:{self.port}"\ndata = "{self.data}"\npolicies = ["{self.home}/policies/"]\n'
        self.config.write_text(head + config)
        self.process = None
        self.tokens = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        if self.process:
            self.process.kill()

    def opened(self):
        """Starts it for all tests of a scenario; it ends with the run."""
        at_end(lambda: self.process and self.process.kill())
        self.start()
        return self

    def start(self):
        command = [TOOLGATE, "serve", "--config", self.config, "--data", self.data]
        self.process = Process(command, self.home / "gate.log", cwd=self.home, env=clean_environment())
        wait_for(f"the gate to be ready ({self.home}/gate.log)", self.ready, self.ready_seconds)

    def ready(self):
        check(self.process.running, f"the gate ended by itself: {self.tail()}")
        try:
            return request(self.port, "GET", "/readyz").status == 200
        except OSError:
            return False

    def tail(self):
        return shown((self.home / "gate.log").read_text(errors="replace")[-1500:], 1500)

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    @property
    def admin(self):
        return (self.data / "admin.token").read_text().strip()

    def http(self, method, path, body=None, token=None, headers=None, timeout=60):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return request(self.port, method, path, body, headers, timeout)

    def cli(self, *arguments, token=None, exit=0, url=True):
        """Runs the command line and returns what it printed as JSON."""
        environment = clean_environment()
        if url:
            environment["TOOLGATE_URL"] = self.url
            environment["TOOLGATE_TOKEN"] = token or self.admin
        command = [str(part) for part in (TOOLGATE, *arguments, "--json")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.home, timeout=120)
        said = f"`toolgate {' '.join(command[1:])}` said {shown(done.stdout + done.stderr)}"
        one_of(done.returncode, exit if isinstance(exit, tuple) else (exit,), said)
        try:
            return json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            lines = [line for line in done.stdout.splitlines() if line.strip()]
            try:
                return [json.loads(line) for line in lines]
            except ValueError:
                raise Failed(f"{said}, which is no JSON")

    def agent(self, name, *arguments, owner="ana@acme.com", by=None):
        """Adds an agent and returns a token for it. `--tool` and its like open its reach."""
        self.cli("agent", "add", name, "--owner", owner, *arguments, token=by)
        return self.cli("key", "create", name, token=by)["token"]

    def person(self, name, role="approver", *arguments):
        return self.cli("user", "add", name, "--role", role, *arguments)["token"]

    def foreigner(self, name, *arguments):
        """An agent of another tenant, made by a person of that tenant."""
        person = self.person(f"{name}@other.example", "owner", "--tenant", "other")
        return self.agent(name, *arguments, owner=f"{name}@other.example", by=person)

    def invoke(self, token, tool, arguments=None, headers=None, status=200, timeout=60, **fields):
        """One call over HTTP; returns its envelope."""
        body = {"tool": tool, "arguments": arguments or {}, **fields}
        answer = self.http("POST", "/v1/invocations", body, token, headers, timeout)
        equal(answer.status, status, f"`{tool}` {shown(answer.body.decode(errors='replace'))}")
        return answer.json

    def wait_tools(self, token, *names):
        """Waits until the agent is shown these tools."""

        def there():
            answer = self.http("GET", "/v1/tools", token=token)
            text = answer.body.decode(errors="replace")
            return answer.status == 200 and all(f'"{name}"' in text for name in names)

        wait_for(f"the tools {', '.join(names)} to be listed ({self.home}/gate.log)", there)

    def decide(self, envelope, token, decision="approve", digest=None, **fields):
        """Decides the approval that an envelope names."""
        details = envelope["denial"]["details"]
        body = {"digest": digest or details["digest"], "decision": decision, **fields}
        return self.http("POST", f"/v1/approvals/{details['approval_id']}/decision", body, token)

    def wait_status(self, token, envelope, *statuses):
        """Waits until the invocation is in one of these states, and returns its envelope."""
        path = f"/v1/invocations/{envelope['invocation_id']}?wait_ms=1000"

        def there():
            answer = self.http("GET", path, token=token)
            equal(answer.status, 200, f"{path} {shown(answer.body.decode(errors='replace'))}")
            return answer.json if answer.json["status"] in statuses else None

        return wait_for(f"{envelope['invocation_id']} to be {' or '.join(statuses)}", there)


def clean_environment():
    """The environment without anything that would configure a gate."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TOOLGATE_")}


def desk_source(name, desk):
    """The configuration of a desk as a source, with a refund that is no more than medium."""
    return f"""
[[source]]
name = "{name}"
mcp = {{ url = "{desk.url}" }}
{desk_tools(name)}"""


def desk_tools(name):
    return f"""
[tools."{name}.refund"]
risk = "medium"
resource = "customer:{{args.customer}}"
[tools."{name}.send_message"]
risk = "medium"
[tools."{name}.get_customer"]
effect = "none"
"""


ENVELOPE_FIELDS = [
    "invocation_id", "capability_id", "capability_version", "correlation", "outcome", "success", "data",
    "error", "denial", "decision", "status", "replayed", "duplicate_of", "attempts", "evidence_ids",
    "started_at", "completed_at",
]
DENIAL_FIELDS = ["code", "message", "retryable", "details"]
DECISION_FIELDS = ["verdict", "policy_version", "rules", "obligations", "risk", "risk_score", "sanitized"]
PENDING_DETAILS = ["policy", "rule", "approval_id", "digest", "expires_at", "url"]


def has_every_field(envelope, denied=False, pending=False):
    """Holds an envelope against 4-interfaces, part 3."""
    for field in ENVELOPE_FIELDS:
        check(field in envelope, f"the envelope has no `{field}`: {shown(envelope)}")
    for field in DECISION_FIELDS:
        check(field in envelope["decision"], f"the decision has no `{field}`: {shown(envelope['decision'])}")
    check("correlation_id" in envelope["correlation"], f"no correlation id: {shown(envelope['correlation'])}")
    check(envelope["invocation_id"].startswith("inv_"), f"`{envelope['invocation_id']}` is no invocation")
    check(all(id.startswith("evt_") for id in envelope["evidence_ids"]), "evidence that is no record")
    check(envelope["evidence_ids"], f"no evidence: {shown(envelope)}")
    if denied or pending:
        equal(envelope["outcome"], "denied", "the outcome")
        for field in DENIAL_FIELDS:
            check(field in envelope["denial"], f"the denial has no `{field}`: {shown(envelope['denial'])}")
    if pending:
        for field in PENDING_DETAILS:
            check(envelope["denial"]["details"].get(field), f"the details have no `{field}`: {shown(envelope['denial'])}")


def denied_with(envelope, code):
    """A denial with this code that reached no tool."""
    has_every_field(envelope, denied=True)
    equal(envelope["denial"]["code"], code, f"the code of {shown(envelope)}")
    equal((envelope["success"], envelope["attempts"]), (False, 0), "success and attempts")
    check(envelope["denial"]["message"], "a denial without a message")


def problem(answer, status, code=None):
    """Holds an answer against RFC 9457, and returns it."""
    equal(answer.status, status, f"the status of {answer}")
    kind = answer.headers.get("content-type", "")
    check(kind.startswith("application/problem+json"), f"a problem of type `{kind}`: {answer}")
    for field in ("title", "status", "code"):
        check(field in answer.json, f"the problem has no `{field}`: {answer}")
    equal(answer.json["status"], status, "the status in the body")
    if code:
        equal(answer.json["code"], code, f"the code of {answer}")
    return answer.json
