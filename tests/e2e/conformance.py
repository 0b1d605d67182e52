"""The official conformance suites, in front of the gate: nothing an upstream can do gets lost in it.

Three levels (suite 0.1.16, and 0.2.0-alpha.12 at either revision) against five stands:

    direct        the fixture server of tests/conformance alone: the control
    transparent   one upstream over HTTP, bare names, everything allowed, nobody asked for a key
    granted       policies, postures and a key: an agent to whom every tool was granted
    streams       the same upstream on standard streams
    legacy        an upstream that speaks nothing newer than 2025-11-25, behind the modern front

There is no file of expected failures. What a legacy upstream cannot do is named in LACKING, check
by check, and a check that is named there and passes fails the test as well.
Must not know: how the gate does it.
"""

import asyncio
import collections
import dataclasses
import functools
import json
import subprocess
import threading

import kit
import provision
import verdict
from kit import Gate, Process, at_end, check, equal, folder, free_port, stage, test, wait_for

SUITE_SECONDS = 300  # LIMIT: a level takes 15 s where nothing hangs; each scenario has 30 s of its own.
HEAD_BYTES_MAX = 65536  # LIMIT: of a request's head, in the forwarder; the suites send some hundred bytes.


@dataclasses.dataclass(frozen=True)
class Level:
    """One run of a suite, and how many checks it makes of a server that can do everything."""

    name: str
    package: str
    arguments: tuple
    checks: int


LEVELS = [
    Level("0.1.16", "conformance-stable", (), 40),
    Level("2025-11-25", "conformance-next", ("--requirements", "2025-11-25"), 83),
    Level("2026-07-28", "conformance-next", ("--requirements", "2026-07-28"), 197),
]

# What an upstream that speaks nothing newer than 2025-11-25 cannot do, however it is asked.
NO_KEYS = "its questions have no keys of their own, and come one by one while the call runs"
NO_TASKS = "there are no tasks before 2026-07-28"
LACKING = {"2026-07-28": {
    "input-required-result-basic-elicitation: sep-2322-elicitation-complete": NO_KEYS,
    "input-required-result-basic-elicitation: sep-2322-elicitation-incomplete": NO_KEYS,
    "input-required-result-ignore-extra-params: sep-2322-ignore-unexpected-params": NO_KEYS,
    "input-required-result-multiple-input-requests: sep-2322-multiple-inputs-complete": NO_KEYS,
    "input-required-result-multiple-input-requests: sep-2322-multiple-inputs-incomplete": NO_KEYS,
    "tasks-capability-negotiation: tasks-per-request-meta-opt-in": NO_TASKS,
    "tasks-dispatch-and-envelope: sep-2663-durable-create-strong-consistency": NO_TASKS,
    "tasks-dispatch-and-envelope: tasks-result-type-complete-on-non-task-responses": NO_TASKS,
    "tasks-dispatch-and-envelope: tasks-server-directed-creation-no-hint": NO_TASKS,
    "tasks-lifecycle: sep-2663-cancel-ack-empty-result": NO_TASKS,
    "tasks-lifecycle: sep-2663-result-type-task-on-create": NO_TASKS,
    "tasks-lifecycle: sep-2663-tasks-get-status-completed": NO_TASKS,
    "tasks-lifecycle: sep-2663-tasks-get-status-failed": NO_TASKS,
    "tasks-lifecycle: sep-2663-tasks-get-status-working": NO_TASKS,
    "tasks-lifecycle: sep-2663-tool-error-uses-completed-status": NO_TASKS,
    "tasks-lifecycle: tasks-cancel-terminal-idempotent-ack": NO_TASKS,
    "tasks-mrtr-composition: sep-2663-mrtr-synchronous-before-task-creation": NO_TASKS,
    "tasks-mrtr-input: sep-2663-tasks-get-status-input-required": NO_TASKS,
    "tasks-mrtr-input: tasks-mrtr-partial-fulfillment": NO_TASKS,
    "tasks-mrtr-input: tasks-mrtr-tasks-update-resumes": NO_TASKS,
    "tasks-request-headers: sep-2663-routing-headers-accepted-on-tasks-get": NO_TASKS,
    "tasks-request-headers: sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get": NO_TASKS,
    "tasks-request-state-removal: tasks-create-result-no-request-state": NO_TASKS,
    "tasks-request-state-removal: tasks-get-detailed-no-request-state": NO_TASKS,
    "tasks-request-state-removal: tasks-request-state-removal-setup": NO_TASKS,
    "tasks-wire-fields: tasks-no-early-ttl-expiry": NO_TASKS,
    "tasks-wire-fields: tasks-no-related-task-meta-on-inlined-result": NO_TASKS,
    "tasks-wire-fields: tasks-wire-field-renames": NO_TASKS,
}}

ALL = {"name": "all", "rules": [
    {"rule_id": "all", "match": {"verbs": ["READ", "WRITE", "DELETE", "ADMIN"]}, "effect": "allow"},
]}
OPEN = """
[posture]
low = "allow"
medium = "allow"
high = "allow"
critical = "allow"
[mcp]
own_tools = false
anonymous = "transparent"
[[agent]]
id = "transparent"
owner = "owner@acme.com"
role = "service"
profile = "admin"
"""
KEYED = """
[mcp]
own_tools = false
"""
GRANTS = ("--tool", "up.*", "--resource", "*", "--max-risk", "critical")


def configure(_options):
    """Nothing to configure."""


class Fixture:
    """The fixture server over HTTP, at a port of its own."""

    def __init__(self, *flags):
        home = folder("fixture")
        command = [provision.fixture_server(), "--listen", "127.0.0.1:0", *flags]
        process = Process(command, home / "fixture.log", stdout=subprocess.PIPE)
        at_end(process.kill)
        self.url = process.child.stdout.readline().decode().strip()
        check(self.url, f"the fixture server did not start: {home}/fixture.log")


modern, legacy = stage(Fixture), stage(lambda: Fixture("--legacy"))


def source(where, *lines):
    return "\n".join(['[[source]]', 'name = "up"', 'names = "bare"', 'effect = "none"', *lines, f"mcp = {{ {where} }}", ""])


def over_http(url):
    return f"url = {json.dumps(url)}"


def over_streams():
    return f"command = {json.dumps([str(provision.fixture_server())])}"


def gate(config):
    opened = Gate(config, {"all.json": ALL}, name="conformance").opened()
    wait_for("the upstream's tools", lambda: any(tool["id"] == "up.greet" for tool in opened.cli("tool", "ls")["items"]))
    return opened


def transparent(where, *lines):
    return f"{gate(OPEN + source(where, *lines)).url}/mcp"


def granted():
    """The suites send no credential of their own: a forwarder adds the key of the agent."""
    opened = gate(KEYED + source(over_http(modern().url)))
    return Forwarder(opened.port, opened.agent("suite", *GRANTS)).url


STANDS = {
    "direct": stage(lambda: modern().url),
    "transparent": stage(lambda: transparent(over_http(modern().url))),
    "granted": stage(granted),
    "streams": stage(lambda: transparent(over_streams())),
    "legacy": stage(lambda: transparent(over_http(legacy().url), 'era = "legacy"')),
}


class Forwarder:
    """Adds one header to whatever goes through; everything else passes as it is, a broken line too."""

    def __init__(self, port, token):
        self.port, self.line = port, f"Authorization: Bearer {token}\r\nConnection: close\r\n".encode()
        self.loop, self.listening = asyncio.new_event_loop(), free_port()
        self.url = f"http://127.0.0.1:{self.listening}/mcp"
        self.ready = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()
        check(self.ready.wait(kit.READY_SECONDS), "the forwarder did not start")

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.forward, "127.0.0.1", self.listening, limit=HEAD_BYTES_MAX))
        self.ready.set()
        self.loop.run_forever()

    async def forward(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            inward, outward = await asyncio.open_connection("127.0.0.1", self.port)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.close()
            return
        lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(b"connection:")]
        outward.write(b"\r\n".join(lines) + b"\r\n" + self.line + b"\r\n")
        ways = {asyncio.ensure_future(pass_on(*way)) for way in ((reader, outward), (inward, writer))}
        # Whichever side ends first ends both: a client that hangs up is seen to hang up.
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for end in (outward, writer):
            end.close()


async def pass_on(reader, writer):
    try:
        while data := await reader.read(HEAD_BYTES_MAX):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass


@functools.cache
def measured(stand, level):
    """What a suite found at a stand: how often each check passed, and why others did not."""
    url, results = STANDS[stand](), folder("suite")
    index = kit.NODE / "node_modules" / level.package / "dist/index.js"
    command = [provision.node_binary(), index, "server", "--url", url, *level.arguments, "-o", results]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env=kit.clean_environment(), timeout=SUITE_SECONDS)
    check("Total: " in done.stdout, f"the suite did not come to its end: {kit.shown(done.stdout[-500:] + done.stderr)}")
    found = [(f"{scenario(place.parent.name)}: {each['id']}", each)
             for place in sorted(results.glob("*/checks.json")) for each in json.loads(place.read_text())]
    passed = collections.Counter(name for name, each in found if each["status"] == "SUCCESS")
    bad = {name: each.get("errorMessage", each["description"])
           for name, each in found if each["status"] not in ("SUCCESS", "INFO", "SKIPPED")}
    ROWS.append({"stand": stand, "level": level.name, "passed": passed.total(), "failed": len(bad)})
    return passed, bad


def scenario(folder_name):
    """`server-tools-list-2026-11-21T20-14-24-584Z` holds what `tools-list` found."""
    return folder_name.removeprefix("server-").rsplit("-", 6)[0]


def holds(stand, level):
    """Everything that passes without the gate passes, but for what is named."""
    lacking = LACKING.get(level.name, {}) if stand == "legacy" else {}
    control, _ = measured("direct", level)
    passed, bad = measured(stand, level)
    lost = {*(control - passed), *bad}
    wrong = [f"{name}: {bad.get(name, 'was not checked')}" for name in sorted(lost - set(lacking))]
    wrong += [f"{name}: is named as lacking, and passes" for name in sorted(set(lacking) - lost)]
    check(not wrong, f"{len(wrong)} checks are not as they should be\n     " + "\n     ".join(wrong))
    equal(control.total(), level.checks, "the number of checks that the control passes")


ROWS = []
at_end(lambda: ROWS and print("\n" + verdict.table(ROWS)))


def add(stand, level):
    @test(f"{stand}: suite level {level.name} passes")
    def _passes():
        holds(stand, level)


for one in STANDS:
    for level in LEVELS:
        add(one, level)
