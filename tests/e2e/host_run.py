"""Tools that a program runs itself: leases, reports, silence, approvals, registration.

The host is a process of its own that asks the gate over HTTP, writes each effect into a ledger, and
is killed where a test wants that. What the gate says of a call is held against that ledger.
"""

import json
import sys

from kit import HERE, Gate, Process, check, effects, equal, folder, ledger_lines, one_of, stage, test, wait_for

POLICY = {
    "rules": [
        {"rule_id": "large", "match": {"tools": ["app.refund", "http.*"]}, "when": "default(amount, 0) > 500", "effect": "require_approval"},
        {"rule_id": "never", "match": {"tools": ["app.refund"]}, "when": "amount > 5000", "effect": "deny"},
        {"rule_id": "cards", "match": {"tools": ["app.note"]}, "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"},
        {"rule_id": "answers", "match": {"tools": ["app.look"]}, "condition": {"has_data_class": ["PII"]}, "on": "result", "effect": "sanitize"},
        {"rule_id": "kept", "match": {"tools": ["app.look"]}, "condition": {"body_contains_any": ["internal only"]}, "on": "result", "effect": "deny"},
    ]
}
# Nobody's card: the number that payment providers publish for tests, put together here.
CARD = " ".join(["4242"] * 4)


def configure(_options):
    """Nothing to configure."""


def schema(**properties):
    return {"type": "object", "properties": properties, "required": sorted(properties)}


REFUND = {
    "name": "refund",
    "description": "Pays money back.",
    "input_schema": schema(customer={"type": "string"}, amount={"type": "number"}),
    "risk": "medium",
    "resource": "customer:{args.customer}",
    "timeout_ms": 20_000,
}
TOOLS = [
    REFUND,
    {**REFUND, "name": "slow", "timeout_ms": 200},
    {"name": "note", "input_schema": schema(text={"type": "string"}), "risk": "low"},
    {"name": "look", "input_schema": schema(id={"type": "string"}), "risk": "low"},
]
CONFIG = """
[posture]
low = "allow"
medium = "allow"
[[source]]
name = "app"
host = {}
[[source]]
name = "lab"
host = { agents = ["lab_*"], tools = [{ name = "fixed", risk = "high" }] }
"""


class Stage:
    def __init__(self):
        self.home = folder("host-run")
        self.gate = Gate(CONFIG, {"host.json": POLICY}, self.home).opened()
        self.host = self.gate.agent("app_host", "--tool", "app.*", "--tool", "http.*", "--trusted-host")
        self.other = self.gate.agent("other_host", "--tool", "app.*", "--trusted-host")
        self.lab = self.gate.agent("lab_1", "--tool", "lab.*")
        self.approver = self.gate.person("bo@acme.com")
        equal([tool["state"] for tool in self.register(TOOLS)], ["active"] * 4, "the registered tools")

    def register(self, tools, token=None, source="app", code=200):
        answer = self.gate.http("POST", f"/v1/sources/{source}/tools", {"tools": tools}, token or self.host)
        equal(answer.status, code, f"registration {answer}")
        return answer.json.get("tools")

    def propose(self, tool="refund", arguments=None, token=None, key=None, **fields):
        arguments = arguments or {"customer": "c_1", "amount": 5}
        headers = {"Idempotency-Key": key} if key else None
        # Each test calls for itself: what another one called is no duplicate of it.
        fields.setdefault("allow_duplicate", key is None)
        return self.gate.invoke(token or self.host, f"app.{tool}", arguments, headers, mode="host", **fields)

    def answer(self, envelope, what, body=None, token=None):
        return self.gate.http("POST", f"/v1/invocations/{envelope['invocation_id']}/{what}", body, token or self.host)

    def report(self, envelope, code=200, token=None, attempt=1, **said):
        answer = self.answer(envelope, "outcome", {"attempt": attempt, **said}, token)
        equal(answer.status, code, f"report {answer}")
        return answer.json

    def lease(self, envelope, code=200, token=None):
        answer = self.answer(envelope, "lease", token=token)
        equal(answer.status, code, f"lease {answer}")
        return answer.json

    def stored(self, envelope):
        answer = self.gate.http("GET", f"/v1/invocations/{envelope['invocation_id']}", token=self.host)
        equal(answer.status, 200, f"{answer}")
        return answer.json

    def approve(self, envelope):
        equal(self.gate.decide(envelope, self.approver).status, 200, "the approval")

    def records(self, envelope, kind):
        path = f"/v1/records?invocation={envelope['invocation_id']}&kind={kind}&limit=100"
        answer = self.gate.http("GET", path, token=self.gate.admin)
        equal(answer.status, 200, f"{answer}")
        return answer.json["items"]

    def in_doubt(self, amount):
        """A call whose host fell silent."""
        envelope = self.propose("slow", {"customer": "c_1", "amount": amount})
        leased(envelope)
        return self.gate.wait_status(self.host, envelope, "needs_operator")

    def run_host(self, name, **plan):
        """A host in a process of its own, and its ledger."""
        ledger = self.home / f"{name}.jsonl"
        command = [sys.executable, HERE / "servers/host.py", self.gate.url, ledger, json.dumps(plan)]
        return Process(command, self.home / f"{name}.log", env={"TOOLGATE_KEY": self.host}), ledger


here = stage(Stage)


def leased(envelope):
    check("lease" in envelope, f"no lease: {envelope}")
    equal((envelope["status"], envelope["outcome"], envelope["lease"]["attempt"]), ("executing", "indeterminate", 1), "a leased call")
    return envelope


def no_lease(envelope, status):
    check("lease" not in envelope and "arguments" not in envelope, f"a lease: {envelope}")
    equal(envelope["status"], status, "a call without a lease")
    return envelope


@test("an allowed call comes with one lease, runs in its host, and ends with its report")
def allowed():
    world = here()
    process, ledger = world.run_host("allowed", tool="app.refund", arguments={"customer": "c_1", "amount": 11})
    process.child.wait(30)
    lines = ledger_lines(ledger)
    equal(effects(lines, "refund"), [11], "effects")
    ended = lines[-1]["outcome"]
    equal((ended["outcome"], ended["data"], ended["attempts"]), ("success", {"refunded": 11}, 1), "the outcome")
    no_lease(ended, "succeeded")
    no_lease(world.stored(ended), "succeeded")
    failed = leased(world.propose())
    said = world.report(failed, status="failed", data={"why": "closed"}, error={"code": "tool_error", "message": "the desk is closed"})
    equal((said["outcome"], said["error"]["code"], said["error"]["message"]), ("failure", "tool_error", "the desk is closed"), "a failure")
    unsure = leased(world.propose())
    said = world.report(unsure, status="unknown")
    equal((said["status"], said["error"]["details"]["cause"]), ("needs_operator", "host_unsure"), "a host that cannot say")


@test("a tool of a host is not run by the gate, and no MCP client is shown it")
def not_executed():
    world = here()
    denied = world.gate.invoke(world.host, "app.refund", {"customer": "c_1", "amount": 1})
    equal((denied["outcome"], denied["denial"]["code"]), ("denied", "runs_in_host"), "mode execute")
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    listed = world.gate.http("POST", "/mcp", body, world.host, {**headers, "Mcp-Method": "tools/list"})
    text = listed.body.decode()
    check("toolgate_whoami" in text and "app__refund" not in text, f"MCP lists {text}")
    tools = world.gate.http("GET", "/v1/tools", token=world.host).json["items"]
    equal({tool["runner"] for tool in tools if tool["source"] == "app"}, {"host"}, "who runs them")


@test("a host killed between allow and report leaves an unknown effect, and its late report settles it once")
def killed_host():
    world = here()
    process, ledger = world.run_host("killed", tool="app.slow", arguments={"customer": "c_1", "amount": 13}, hang=True)
    [line] = wait_for("the host to have had its effect", lambda: ledger_lines(ledger))
    process.kill()
    envelope = line["envelope"]
    doubt = world.gate.wait_status(world.host, envelope, "needs_operator")
    equal((doubt["outcome"], doubt["error"]["code"]), ("indeterminate", "unknown_effect"), "the doubt")
    equal(doubt["error"]["details"]["cause"], "lease_lost", "why")
    equal(world.report(envelope, code=409, attempt=2, status="succeeded", data=1)["code"], "wrong_state", "another attempt")
    said = {"status": "succeeded", "data": {"refunded": 13}}
    late = world.report(envelope, **said)
    equal((late["status"], late["data"]), ("succeeded", {"refunded": 13}), "the late report")
    again = world.report(envelope, **said)
    equal((again["replayed"], again["data"]), (True, {"refunded": 13}), "the same report again")
    [ended] = world.records(envelope, "invocation.succeeded")
    equal(json.loads(ended["text"])["data"]["late"], True, "what the record says of it")
    equal(world.report(envelope, code=409, status="succeeded", data=7)["code"], "wrong_state", "another report")


@test("what a person has settled stays settled, whatever its host reports later")
def after_a_person():
    world = here()
    envelope = world.in_doubt(17)
    retry = {"finding": "retry", "reason": "once more"}
    equal(world.answer(envelope, "resolve", retry, world.approver).status, 409, "sending again what a host runs")
    landed = {"finding": "not_landed", "reason": "the ledger of the shop has none"}
    equal(world.answer(envelope, "resolve", landed, world.approver).status, 200, "the person's word")
    equal(world.report(envelope, code=409, status="succeeded", data=17)["code"], "wrong_state", "the late report")
    no_lease(world.stored(envelope), "failed")


@test("a gate that is killed leaves a live host its lease, and only the end of the lease is a doubt")
def killed_gate():
    world = here()
    living = leased(world.propose(arguments={"customer": "c_1", "amount": 19}))
    silent = leased(world.propose("slow", {"customer": "c_1", "amount": 19}))
    waiting = world.propose(arguments={"customer": "c_1", "amount": 1900})
    world.approve(waiting)
    world.gate.kill()
    world.gate.start()
    equal(world.stored(living)["status"], "executing", "a host at work, for the gate that started again")
    equal(world.report(living, status="succeeded", data=19)["status"], "succeeded", "its report")
    equal(world.stored(waiting)["status"], "approved", "what waits for its host")
    leased(world.lease(waiting))
    doubt = world.gate.wait_status(world.host, silent, "needs_operator")
    equal(doubt["error"]["details"]["cause"], "lease_lost", "the host that fell silent")


@test("two processes that make the same call get one lease between them")
def one_key():
    world = here()
    arguments = {"customer": "c_1", "amount": 23}
    plan = {"tool": "app.refund", "arguments": arguments, "key": "order-23", "gate": str(world.home / "go")}
    hosts = [world.run_host(f"twin-{number}", **plan) for number in range(4)]
    (world.home / "go").touch()
    for process, _ in hosts:
        process.child.wait(30)
    lines = [line for _, ledger in hosts for line in ledger_lines(ledger)]
    equal(effects(lines, "refund"), [23], "effects")
    others = [line["refused"] for line in lines if "refused" in line]
    equal(len(others), 3, "answers without a lease")
    for other in others:
        equal(other["replayed"], True, "an answer of the others")
        one_of(other["status"], {"executing", "succeeded"}, "what they are told")
    conflict = world.propose(arguments={"customer": "c_1", "amount": 24}, key="order-23")
    equal(conflict["denial"]["code"], "idempotency_conflict", "the key with another call")


@test("an approval that is granted while its host is away waits for it, and is used once")
def approved_while_away():
    world = here()
    arguments = {"customer": "c_1", "amount": 2900}
    pending = no_lease(world.propose(arguments=arguments, key="big-1"), "pending_approval")
    no_lease(world.lease(pending), "pending_approval")
    world.approve(pending)
    no_lease(world.stored(pending), "approved")
    equal(world.lease(pending, code=404, token=world.other)["code"], "not_found", "another agent's claim")
    claimed = leased(world.lease(pending))
    equal(claimed["arguments"], arguments, "what it may run with")
    no_lease(world.lease(pending), "executing")
    no_lease(world.propose(arguments=arguments, key="big-1"), "executing")
    equal(world.report(claimed, code=404, token=world.other, status="succeeded", data=1)["code"], "not_found", "another agent's report")
    equal(world.report(claimed, status="succeeded", data=2900)["status"], "succeeded", "its own")


@test("an approval that is granted while its host waits is claimed in the same answer, and by the same call again")
def approved_while_waiting():
    world = here()
    plan = {"tool": "app.refund", "arguments": {"customer": "c_1", "amount": 3100}, "key": "big-2", "wait_ms": 60_000}
    process, ledger = world.run_host("waiting", **plan)
    listed = lambda: world.gate.http("GET", "/v1/invocations?status=pending_approval", token=world.host).json["items"]
    [item] = wait_for("the call to be pending", listed)
    world.approve(world.stored(item))
    process.child.wait(60)
    equal(effects(ledger_lines(ledger), "refund"), [3100], "effects")
    again = world.propose(arguments={"customer": "c_1", "amount": 3200}, key="big-3")
    world.approve(again)
    leased(world.propose(arguments={"customer": "c_1", "amount": 3200}, key="big-3"))


@test("what is approved is decided again when its host comes for it")
def claimed_too_late():
    world = here()
    pending = world.propose(arguments={"customer": "c_1", "amount": 3300})
    world.approve(pending)
    world.register([{**REFUND, "description": "Pays money back, to anybody."}])
    denied = no_lease(world.lease(pending), "denied")
    equal(denied["denial"]["code"], "tool_changed", "a tool that says something else by now")
    world.register([REFUND])
    leased(world.propose())


@test("a host runs with the arguments as they were judged, and reads results as rules left them")
def judged():
    world = here()
    note = leased(world.propose("note", {"text": f"card {CARD}"}))
    check(CARD not in json.dumps(note), f"the card is in {note}")
    equal(note["arguments"]["text"].startswith("card ["), True, f"the arguments {note['arguments']}")
    look = leased(world.propose("look", {"id": "7"}))
    said = world.report(look, status="succeeded", data={"id": 7, "card": CARD})
    check(CARD not in json.dumps(said), f"the card is in {said}")
    equal((said["data"]["id"], len(said["inspection"]["sanitized"]) > 0), (7, True), "what is left")
    kept = world.report(world.propose("look", {"id": "8"}), status="succeeded", data={"text": "internal only: the plan"})
    equal(kept["inspection"]["withheld"]["code"], "policy_denied", "what is withheld")
    check("the plan" not in json.dumps(kept), f"it is in {kept}")


@test("registered tools are known to a gate that starts again, and a changed definition is held")
def registered():
    world = here()
    extra = {"name": "extra", "description": "Says hello.", "input_schema": schema(), "risk": "low"}
    equal(world.register([extra])[0]["state"], "active", "a new tool")
    world.gate.kill()
    world.gate.start()
    leased(world.gate.invoke(world.host, "app.extra", {}, mode="host"))
    [changed] = world.register([{**extra, "risk": "medium"}])
    equal((changed["id"], changed["state"]), ("app.extra", "held"), "another risk")
    held = world.gate.invoke(world.host, "app.extra", {}, mode="host", allow_duplicate=True)
    equal(held["denial"]["code"], "tool_changed", "a call of it")
    equal(world.register([extra])[0]["state"], "active", "the definition of before")


@test("who is not trusted raises a rating and never lowers it, and registers only where it is named")
def untrusted():
    world = here()
    low = {"name": "delete_account", "input_schema": schema(id={"type": "string"}), "risk": "low", "verb": "READ", "effect": "none", "resource": "account:mine"}
    high = {"name": "get_time", "risk": "high", "input_schema": schema()}
    registered = world.register([low, high, {"name": "fixed"}], world.lab, "lab")
    equal([tool["state"] for tool in registered], ["active", "active", "unavailable"], "what is registered")
    tools = {tool["id"]: tool for tool in world.gate.http("GET", "/v1/tools", token=world.gate.admin).json["items"]}
    deletes, reads = tools["lab.delete_account"], tools["lab.get_time"]
    one_of(deletes["risk"], {"high", "critical"}, "the risk of a delete that calls itself low")
    equal((deletes["verb"], deletes["effect"], deletes["resource"]), ("DELETE", "some", None), "what else it says")
    equal(reads["risk"], "high", "a risk that its host raises")
    world.register([high], world.lab, "app", code=403)
    world.register([high], world.host, "lab", code=403)
    world.register([high], world.host, "nowhere", code=404)
    world.register([{**high, "risc": "low"}], world.host, code=400)


@test("a trusted host says for whom it calls and which resource it means, and nobody else does")
def trusted():
    world = here()
    user = {"id": "uma@acme.com", "groups": ["desk"]}
    answer = world.gate.http("POST", "/v1/invocations", {"tool": "lab.fixed", "mode": "host", "on_behalf_of": user}, world.lab)
    equal((answer.status, answer.json["errors"][0]["pointer"]), (422, "/on_behalf_of"), "who is not trusted")
    made = leased(world.propose(arguments={"customer": "c_1", "amount": 29}, on_behalf_of=user))
    equal(world.report(made, status="succeeded", data=1)["status"], "succeeded", "the report of a call for somebody")
    narrow = world.gate.agent("narrow_host", "--tool", "app.*", "--resource", "customer:c_9", "--trusted-host")
    claim = lambda resource, token: world.propose("note", {"text": "hello"}, token, resource=resource)
    leased(claim("customer:c_9", narrow))
    equal(claim("customer:c_8", narrow)["denial"]["code"], "resource_not_granted", "another resource")
    plain = world.gate.agent("plain", "--tool", "app.*", "--resource", "customer:c_9")
    equal(claim("customer:c_9", plain)["denial"]["code"], "resource_not_granted", "the claim of who is not trusted")


@test("a raw request is judged, leased in the form that was judged, and again after an approval")
def raw():
    world = here()
    request = {"method": "POST", "url": "https://shop.example/refunds?debug=1", "headers": {"Authorization": "Bearer x", "Content-Type": "application/json"}, "body": {"amount": 31}}

    def propose(amount):
        body = {"http": {**request, "body": {"amount": amount}}, "mode": "host"}
        answer = world.gate.http("POST", "/v1/invocations", body, world.host)
        equal(answer.status, 200, f"{answer}")
        return answer.json

    # A request to a host that nobody knows is high risk, and so waits for people.
    pending = no_lease(propose(31), "pending_approval")
    check("request" not in pending, f"a request that may not be sent yet: {pending}")
    world.approve(pending)
    first = leased(world.lease(pending))
    sent = first["request"]
    equal((sent["method"], sent["body"], sent["withheld"]), ("POST", {"amount": 31}, ["header authorization"]), "what may be sent")
    check("Bearer" not in json.dumps(first), f"the credential is in {first}")
    equal(world.report(first, status="succeeded", data={"status": 201})["data"], {"status": 201}, "its report")
