"""The Python client and its adapters, from the wheel, against the real gate.

The list that the fake gate passes is run on the real one; the README's quickstart is run as it is
printed; and for each framework a scripted agent in a process of its own (agents/) meets what an
agent meets: an allow, a denial, arguments that a rule changes, an approval in every way, an answer
that is lost, and the death of its own process. What the model is told, what the tool did and what
stands on the record must agree.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import uuid
import zipfile

import provision
from kit import ROOT, Failed, Gate, at_end, check, clean_environment, equal, folder, stage, test, wait_for

SDK = ROOT / "sdk/python"
HERE = pathlib.Path(__file__).resolve().parent
WHEEL_BYTES_MAX = 50 << 10  # LIMIT: what somebody who adds a client to a program is asked to download.
AGENT_SECONDS = 60
QUICKSTART_LINES_MAX = 10
PENDING_SECONDS = 20
EPOCH = "1767225600"  # Any instant: a build must not depend on when it is done.
FRAMEWORKS = ("langchain", "openai", "pydantic", "claude")
INTERRUPTING = ("langchain", "openai", "pydantic")
SOURCES = "".join(f'[[source]]\nname = "{name}"\nhost = {{}}\n' for name in ("app", *FRAMEWORKS))
POLICY = {
    "name": "desk",
    "rules": [
        {
            "rule_id": "large",
            "when": "amount > 500",
            "effect": "require_approval",
            "reason": "a refund above 500 needs a person",
        },
        {"rule_id": "closed", "when": "charge == ch_closed", "effect": "deny", "reason": "this charge is disputed"},
        {"rule_id": "notes", "when": "charge == ch_noted", "effect": "sanitize", "sanitize_fields": ["note"]},
    ],
}


def configure(_options):
    """Brings the frameworks: a download the first time."""
    provision.sdk_python()


def environment(gate, key, **more):
    """What a program is given: the client from its wheel, a gate, a key."""
    paths = os.pathsep.join(map(str, (installed(), HERE / "agents")))
    return {**clean_environment(), "PYTHONPATH": paths, "TOOLGATE_URL": gate.url, "TOOLGATE_KEY": key, **more}


def python(arguments, **options):
    """The interpreter that has the frameworks."""
    return subprocess.run(
        [provision.SDK_PYTHON / "bin/python", *map(str, arguments)],
        text=True,
        capture_output=True,
        timeout=300,
        **options,
    )


def done(found):
    check(found.returncode == 0, f"`{' '.join(map(str, found.args[1:]))}` said {(found.stdout + found.stderr)[-1500:]}")
    return found.stdout


# ── The package


def built(name):
    """A wheel and a source archive, built from a copy of nothing: the build sees the repository alone."""
    place = folder(name)
    environment = {**clean_environment(), "SOURCE_DATE_EPOCH": EPOCH}
    done(python(["-m", "build", "--no-isolation", "--outdir", place, SDK], env=environment))
    return {path.suffix: path for path in place.iterdir()}


package = stage(lambda: built("wheel"))


@stage
def installed():
    """The folder that the wheel's files are in."""
    place = folder("site")
    with zipfile.ZipFile(package()[".whl"]) as wheel:
        wheel.extractall(place)
    return place


@test("the package builds twice to the same bytes, is small and is well described")
def reproducible():
    first, second = package(), built("wheel-again")
    for kind in (".whl", ".gz"):
        digests = [hashlib.sha256(one[kind].read_bytes()).hexdigest() for one in (first, second)]
        equal(digests[0], digests[1], f"the bytes of {first[kind].name}")
    size = first[".whl"].stat().st_size
    check(size < WHEEL_BYTES_MAX, f"the wheel has {size} bytes, and may have {WHEEL_BYTES_MAX}")
    check(first[".whl"].name.endswith("-py3-none-any.whl"), first[".whl"].name)
    check((installed() / "toolgate/py.typed").exists(), "no `py.typed`")
    done(python(["-m", "twine", "check", "--strict", *first.values()]))


@test("nothing of a framework is imported unless its adapter is")
def imports_little():
    text = "import sys, toolgate, toolgate.testing, toolgate.plugin; print(sorted({name.split('.')[0] for name in sys.modules}))"
    found = done(python(["-c", text], env={**clean_environment(), "PYTHONPATH": str(installed())}))
    for name in (
        "langchain",
        "langchain_core",
        "langgraph",
        "agents",
        "openai",
        "claude_agent_sdk",
        "pydantic_ai",
        "pydantic",
    ):
        check(f"'{name}'" not in found, f"`{name}` is imported")


@test("the client's own tests pass, from the wheel")
def own_tests():
    env = {**clean_environment(), "PYTHONPATH": os.pathsep.join((str(installed()), str(SDK / "tests")))}
    done(python(["-m", "unittest", "discover", "-s", SDK / "tests"], env=env))


@test("the quickstart of the README runs as it is printed")
def quickstart():
    text = re.search(r"```python\n(.*?)```", (SDK / "README.md").read_text(), re.DOTALL).group(1)
    check(len([line for line in text.splitlines() if line.strip()]) <= QUICKSTART_LINES_MAX, "it is too long")
    place = folder("quickstart")
    (place / "quickstart.py").write_text(text)
    # No rule speaks of it: what decides is the posture of a high risk.
    with Gate(SOURCES, policies={"empty.json": {"name": "empty", "rules": []}}, home=place) as gate:
        key = gate.agent("newcomer", "--tool", "app.*", "--resource", "customer:*", "--trusted-host")
        env, approver = environment(gate, key), gate.person("bo@acme.com")
        first = done(python([place / "quickstart.py"], env=env))
        check(first.startswith("Approval required: ") and "/approvals/apr_" in first, f"it printed {first}")
        [pending] = gate.http("GET", "/v1/invocations", token=gate.admin).json["items"]
        envelope = gate.http("GET", f"/v1/invocations/{pending['invocation_id']}", token=gate.admin).json
        equal(gate.decide(envelope, approver, reason="checked").status, 200, "the approval")
        equal(done(python([place / "quickstart.py"], env=env)), "640 went back to cust_123\n", "after the approval")


# ── The client against the real gate


class Stage:
    """A gate whose host source is open to anybody's agents."""

    def __init__(self):
        self.home = folder("sdk-python")
        self.gate = Gate(SOURCES, policies={"desk.json": POLICY}, home=self.home).opened()
        self.approver = self.gate.person("bo@acme.com")
        self.agents = {}
        at_end(self.stop)

    def agent(self, framework):
        if framework not in self.agents or not self.agents[framework].running:
            self.agents[framework] = Agent(self, framework)
        return self.agents[framework]

    def stop(self):
        for agent in self.agents.values():
            agent.stop()

    def pending(self, thread):
        """The approval that a thread's call waits for, once there is one."""

        def there():
            found = [one for one in self.recorded(thread) if one["status"] == "pending_approval"]
            return found[0] if found else None

        found = wait_for(f"a call of {thread} to be pending", there, PENDING_SECONDS)
        return self.envelope(found["invocation_id"])

    def envelope(self, id):
        return self.gate.http("GET", f"/v1/invocations/{id}", token=self.gate.admin).json

    def recorded(self, thread):
        """What the gate has on record of a thread."""
        answer = self.gate.http("GET", f"/v1/invocations?correlation_id={thread}", token=self.gate.admin)
        return answer.json["items"]

    def approve(self, thread):
        answer = self.gate.decide(self.pending(thread), self.approver, reason="checked")
        equal(answer.status, 200, f"the approval: {answer}")


on = stage(Stage)


class Agent:
    """A scripted agent in a process of its own; obeys orders on its stdin."""

    def __init__(self, stage, framework):
        self.framework = framework
        self.ledger = stage.home / f"{framework}.ledger"
        self.log = open(stage.home / f"{framework}.log", "ab")
        name = f"{framework}_agent"
        if name not in stage.gate.tokens:
            stage.gate.tokens[name] = stage.gate.agent(name, "--tool", f"{framework}.*", "--trusted-host")
        env = environment(stage.gate, stage.gate.tokens[name], LEDGER=str(self.ledger), SOURCE=framework)
        command = [provision.SDK_PYTHON / "bin/python", HERE / f"agents/{framework}_agent.py"]
        self.child = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        check(self.answer().get("ready"), f"the agent did not start ({self.log.name})")

    @property
    def running(self):
        return self.child.poll() is None

    def order(self, **order):
        """Says what to do, and does not wait for it."""
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise Failed(f"the agent ended ({self.log.name})")
        return json.loads(line)

    def asked(self, **order):
        self.order(**order)
        return self.answer()

    def ran(self, charge):
        """What the tool was really called with, for a charge."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return [line for line in map(json.loads, text.splitlines()) if line["charge"] == charge]

    def stop(self):
        if self.running:
            self.child.stdin.close()
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        self.log.close()


class Talk:
    """One conversation of an agent: a thread, a call, its arguments."""

    def __init__(self, framework, way="return", charge=None, amount=5, note=""):
        self.framework, self.way = framework, way
        mark = uuid.uuid4().hex[:10]
        self.charge = charge or f"ch_{mark}"
        self.order = {
            "way": way,
            "thread": f"t-{mark}",
            "call": f"call_{mark}",
            "args": {"charge": self.charge, "amount": amount, "note": note},
        }

    @property
    def agent(self):
        return on().agent(self.framework)

    @property
    def thread(self):
        return self.order["thread"]

    def run(self, **changed):
        return self.agent.asked(do="run", **{**self.order, **changed})

    def resume(self):
        return self.agent.asked(do="resume", **self.order)

    def saw(self, answer, start):
        # The Claude program says first which hook it was.
        text = str(answer.get("saw", "")).removeprefix("PreToolUse:mcp__desk__refund hook error: ")
        check(text.startswith(start), f"the model saw {answer}, and not `{start}…`")

    def ran(self, times):
        equal(len(self.agent.ran(self.charge)), times, f"runs of the tool for {self.charge}")

    def recorded(self, *statuses):
        equal(
            sorted(one["status"] for one in on().recorded(self.thread)),
            sorted(statuses),
            f"the record of {self.thread}",
        )


def allowed(framework):
    talk = Talk(framework)
    talk.saw(talk.run(), f"refunded {talk.charge}")
    talk.ran(1)
    talk.recorded("succeeded")


def denied(framework):
    talk = Talk(framework, charge="ch_closed")
    talk.saw(talk.run(), "Denied by desk/closed: this charge is disputed. This call was not executed.")
    talk.ran(0)
    talk.recorded("denied")


def sanitized(framework):
    talk = Talk(framework, charge="ch_noted", note="call me at 555-0199")
    talk.saw(talk.run(), "refunded ch_noted")
    [line] = talk.agent.ran("ch_noted")
    check("555" not in line["note"], f"the tool was given {line}")


def approval_returned(framework):
    talk = Talk(framework, amount=600)
    talk.saw(talk.run(), "Approval required: a refund above 500 needs a person.")
    talk.ran(0)
    on().approve(talk.thread)
    # A model that calls again gives its call a new id.
    talk.saw(talk.run(call=f"{talk.order['call']}b"), f"refunded {talk.charge}")
    talk.ran(1)
    equal([one["status"] for one in on().recorded(talk.thread)].count("succeeded"), 1, "succeeded")


def approval_waited_for(framework):
    talk = Talk(framework, way="wait", amount=600)
    talk.agent.order(do="run", **talk.order)
    on().approve(talk.thread)
    talk.saw(talk.agent.answer(), f"refunded {talk.charge}")
    talk.ran(1)
    talk.recorded("succeeded")


def approval_raised(framework):
    talk = Talk(framework, way="raise", amount=600)
    answer = talk.run()
    # A hook of the Claude SDK cannot raise to its program: it ends the run.
    raised = any("ApprovalRequired" in name for name in answer.get("raised", []))
    check(raised or (framework == "claude" and not str(answer.get("saw")).startswith("refunded")), f"{answer}")
    talk.ran(0)
    on().approve(talk.thread)
    talk.saw(talk.run(), f"refunded {talk.charge}")
    talk.ran(1)
    talk.recorded("succeeded")


def approval_interrupts(framework):
    talk = Talk(framework, way="interrupt", amount=600)
    check(talk.run().get("interrupted"), "the run was not interrupted")
    talk.ran(0)
    talk.recorded("pending_approval")
    on().approve(talk.thread)
    talk.saw(talk.resume(), f"refunded {talk.charge}")
    talk.ran(1)
    talk.recorded("succeeded")


def framework_alone(framework):
    talk = Talk(framework, way="interrupt", amount=600)
    check(talk.run().get("interrupted"), "the run was not interrupted")
    answer = talk.resume()
    check("refunded" not in str(answer), f"it ran without the gate's approvers: {answer}")
    talk.ran(0)
    talk.recorded("pending_approval")


def answer_lost(framework):
    talk = Talk(framework, charge=f"ch_lost_{uuid.uuid4().hex[:8]}")
    first = talk.run()
    # A hook of the Claude SDK cannot replace an error, but say something beside it.
    if framework == "claude":
        check(
            "Unknown effect: " in first["told"] and "Do not repeat it" in first["told"], f"the model was told {first}"
        )
    else:
        talk.saw(first, "Unknown effect: ")
        talk.saw(talk.run(), "Unknown effect: ")
    # A model that tries again gives its call another id.
    talk.saw(talk.run(call=f"{talk.order['call']}b"), "Unknown effect: ")
    talk.ran(1)
    one = on().recorded(talk.thread)[-1]
    check(one["status"] in ("unknown_effect", "needs_operator", "reconciling"), f"{one}")


def host_killed(framework):
    talk = Talk(framework, charge=f"ch_kill_{uuid.uuid4().hex[:8]}")
    talk.agent.order(do="run", **talk.order)
    equal(talk.agent.child.wait(AGENT_SECONDS), 9, "how the host ended")
    [one] = on().recorded(talk.thread)
    equal(one["status"], "executing", "before the lease is over")
    wait_for(
        "the lease to be over", lambda: on().recorded(talk.thread)[0]["status"] in ("unknown_effect", "needs_operator")
    )
    # The same call for the other frameworks; another of the same for the Claude SDK, whose session is new.
    talk.saw(talk.run(), "Unknown effect: ")
    talk.ran(1)


STORIES = [
    ("an allowed call runs once", allowed, FRAMEWORKS),
    ("a denial is told to the model, and nothing runs", denied, FRAMEWORKS),
    ("the tool gets the arguments as a rule left them", sanitized, FRAMEWORKS),
    ("a pending call is told, and the same call again runs it once approved", approval_returned, FRAMEWORKS),
    ("a call waits for its approval", approval_waited_for, FRAMEWORKS),
    ("a pending call is raised, and runs later", approval_raised, FRAMEWORKS),
    ("a pending call interrupts the run, which is resumed", approval_interrupts, INTERRUPTING),
    ("approved in the framework alone, nothing runs", framework_alone, INTERRUPTING),
    ("a lost answer is an unknown effect, and nothing runs again", answer_lost, FRAMEWORKS),
    ("a host killed in its tool leaves an unknown effect, and nothing runs again", host_killed, FRAMEWORKS),
]
for framework in FRAMEWORKS:
    for name, story, takers in STORIES:
        if framework in takers:
            test(f"{framework}: {name}")(lambda story=story, framework=framework: story(framework))


@test("the real gate does all that the fake gate does")
def conforms():
    tests = str(SDK / "tests")
    ask = "import conformance_list, json; print(json.dumps([conformance_list.POLICY, conformance_list.GRANTED]))"
    told = done(
        python(["-c", ask], env={**clean_environment(), "PYTHONPATH": os.pathsep.join((str(installed()), tests))})
    )
    policy, granted = json.loads(told)
    with Gate(SOURCES, policies={"list.json": policy}, home=folder("sdk-python-list")) as gate:
        key = gate.agent("lister", *(part for tool in granted for part in ("--tool", tool)), "--trusted-host")
        env = environment(gate, key, APPROVER=gate.person("bo@acme.com"))
        done(python([SDK / "tests/conformance_real.py"], env=env))
