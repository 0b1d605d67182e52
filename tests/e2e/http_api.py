"""The HTTP API: envelopes, problems, replay, approvals, cancel, revocation, tenants.

One gate, one desk, agents and people made by the command line; every test uses its own charges,
keys and sessions, so that none depends on another.
"""

import threading
import uuid

from kit import (
    Desk, Gate, at_end, check, denied_with, desk_source, effects, equal, folder, has_every_field,
    one_of, problem, request, stage, test, wait_for,
)

POLICY = {
    "name": "desk",
    "rules": [
        {"rule_id": "large", "when": "tool == desk.refund and amount > 500", "effect": "require_approval",
         "reason": "a refund above 500 needs a person"},
        {"rule_id": "blocked", "when": "tool == desk.refund and charge == ch_2", "effect": "deny",
         "reason": "this charge is disputed"},
    ],
}
GRANTS = ("--tool", "desk.get_*", "--tool", "desk.list_refunds", "--tool", "desk.refund", "--tool", "desk.send_message")


def configure(_options):
    """Nothing to configure."""


class Stage:
    def __init__(self):
        home = folder("http-api")
        self.desk = Desk(home)
        at_end(self.desk.stop)
        self.gate = Gate(desk_source("desk", self.desk), {"desk.json": POLICY}, home).opened()
        self.agent = self.gate.agent("helper", *GRANTS)
        self.other = self.gate.agent("stranger", "--tool", "desk.get_charge")
        self.owner = self.gate.person("ana@acme.com")
        self.approver = self.gate.person("bo@acme.com")
        self.gate.wait_tools(self.agent, "desk.refund")

    def refund(self, amount=1, charge="ch_load", customer="cust_load", token=None, headers=None, **fields):
        """A refund that no other test makes: the mark tells them apart."""
        mark = fields.pop("mark", uuid.uuid4().hex)
        arguments = {"charge": charge, "customer": customer, "amount": amount, "metadata": {"mark": mark}}
        return self.gate.invoke(token or self.agent, "desk.refund", arguments, headers, **fields)

    def landed(self, mark):
        """How often the desk made the refund with this mark."""
        made = effects(self.desk.lines(), "refund")
        return sum(refund["metadata"].get("mark") == mark for refund in made)


on = stage(Stage)


@test("an allowed read answers with the tool's data and every field of the envelope")
def allowed_read():
    envelope = on().gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"}, correlation_id="c-read")
    has_every_field(envelope)
    equal((envelope["outcome"], envelope["success"], envelope["status"]), ("success", True, "succeeded"), "the outcome")
    equal(envelope["correlation"]["correlation_id"], "c-read", "the correlation")
    equal((envelope["attempts"], envelope["denial"], envelope["error"]), (1, None, None), "attempts, denial, error")
    equal(envelope["decision"]["verdict"], "allow", "the verdict")
    check("ch_1" in str(envelope["data"]), f"the data: {envelope['data']}")
    check(envelope["started_at"] <= envelope["completed_at"], "it ended before it began")


@test("an invocation can be read again, by its agent and by a person, and by no other agent")
def read_again():
    envelope = on().gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_3"})
    path = f"/v1/invocations/{envelope['invocation_id']}"
    for token in (on().agent, on().gate.admin):
        answer = on().gate.http("GET", path, token=token)
        equal(answer.status, 200, f"{path} {answer}")
        equal((answer.json["status"], answer.json["data"]), ("succeeded", envelope["data"]), "the same outcome")
    problem(on().gate.http("GET", path, token=on().other), 404)
    problem(on().gate.http("GET", "/v1/invocations/inv_" + "0" * 32, token=on().agent), 404)


@test("an ungranted tool is denied as data with `not_granted`, and reaches no tool")
def ungranted():
    envelope = on().gate.invoke(on().agent, "desk.close_account", {"customer": "cust_789"})
    denied_with(envelope, "not_granted")
    requests = [line["request"]["tool"] for line in on().desk.lines() if "request" in line]
    check("close_account" not in requests, "the desk was asked")


@test("a rule's denial names the policy, the rule and its reason")
def rule_denies():
    envelope = on().refund(charge="ch_2", customer="cust_123")
    denied_with(envelope, "policy_denied")
    details = envelope["denial"]["details"]
    equal((details["policy"], details["rule"]), ("desk", "blocked"), "who denied")
    check("this charge is disputed" in envelope["denial"]["message"], envelope["denial"]["message"])
    check("desk/blocked" in envelope["decision"]["rules"], f"the rules: {envelope['decision']['rules']}")
    equal(envelope["decision"]["verdict"], "deny", "the verdict")


@test("an unknown tool and a wrong version are denials with their own codes")
def unknown_tool():
    gate = on().gate
    denied_with(gate.invoke(on().agent, "desk.refnd", {}), "tool_not_found")
    denied_with(gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"}, version="9.9.9"), "version_mismatch")
    good = gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"})
    same = gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"}, version=good["capability_version"])
    equal(same["outcome"], "success", "the version that the envelope named")


@test("arguments that do not fit the schema are a denial with a pointer, never sent on")
def invalid_arguments():
    before = len(on().desk.lines())
    for arguments in ({"charge": "ch_1"}, {"charge": "ch_1", "customer": "cust_123", "amount": "5"},
                      {"charge": "ch_1", "customer": "cust_123", "amount": 5, "extra": 1}):
        denied_with(on().gate.invoke(on().agent, "desk.refund", arguments), "invalid_arguments")
    equal(len(on().desk.lines()), before, "lines of the desk's ledger")


@test("a timeout out of bounds is a denial with its own code")
def invalid_timeout():
    denied_with(on().gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"}, timeout_ms=10**9), "invalid_timeout")


@test("a tool's own refusal is a failure with `tool_error`, and says what the tool said")
def tool_error():
    envelope = on().gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_9"})
    has_every_field(envelope)
    equal((envelope["outcome"], envelope["error"]["code"]), ("failure", "tool_error"), "the failure")
    check("ch_9" in str(envelope["error"]) + str(envelope["data"]), f"{envelope}")


@test("a mistake in the request is a problem with a code and a pointer")
def problems():
    gate, agent = on().gate, on().agent
    found = problem(gate.http("POST", "/v1/invocations", {"tool": "desk.get_charge", "argumnts": {}}, agent), 400)
    check("argumnts" in str(found), f"the unknown field is not named: {found}")
    answer = gate.http("POST", "/v1/invocations", {"tool": "desk.get_charge", "arguments": []}, agent)
    one_of(answer.status, (400, 422), f"arguments that are a list: {answer}")
    problem(answer, answer.status)
    problem(gate.http("POST", "/v1/invocations", {"arguments": {}}, agent), 400)
    problem(gate.http("GET", "/v1/nothing", token=agent), 404)


@test("without a token, with a wrong one and with one of the wrong kind there is a 401 or 403 and no call")
def tokens():
    gate, body = on().gate, {"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}}
    problem(gate.http("POST", "/v1/invocations", body), 401, "unauthenticated")
    problem(gate.http("POST", "/v1/invocations", body, "tg_nonsense"), 401, "unauthenticated")
    wrong = on().agent[:-1] + ("0" if on().agent[-1] != "0" else "1")
    problem(gate.http("POST", "/v1/invocations", body, wrong), 401, "unauthenticated")
    by_person = gate.http("POST", "/v1/invocations", body, gate.admin)
    if by_person.status == 200:
        denied_with(by_person.json, "role_denied")
    else:
        one_of(by_person.status, (401, 403), f"a person's token invoked: {by_person}")
    answer = gate.http("POST", "/v1/agents", {"id": "x", "owner": "ana@acme.com"}, on().agent)
    one_of(answer.status, (401, 403), f"an agent made an agent: {answer}")


@test("a scoped key reaches less than its agent")
def scoped_key():
    token = on().gate.cli("key", "create", "helper", "--tool", "desk.get_customer")["token"]
    equal(on().gate.invoke(token, "desk.get_customer", {"customer": "cust_123"})["outcome"], "success", "within")
    denied_with(on().gate.invoke(token, "desk.get_charge", {"charge": "ch_1"}), "out_of_scope")


@test("`GET /v1/tools` shows exactly what this agent may reach")
def tools_shown():
    text = on().gate.http("GET", "/v1/tools", token=on().other).body.decode()
    check('"desk.get_charge"' in text, text)
    for hidden in ("desk.refund", "desk.close_account", "desk.get_customer"):
        check(f'"{hidden}"' not in text, f"`{hidden}` is shown: {text}")


@test("the same key and call are answered from the first, and the effect lands once")
def replay():
    mark, headers = uuid.uuid4().hex, {"Idempotency-Key": uuid.uuid4().hex}
    first = on().refund(2, headers=headers, mark=mark)
    again = on().refund(2, headers=headers, mark=mark)
    equal((first["outcome"], first["replayed"]), ("success", False), "the first")
    equal((again["outcome"], again["replayed"]), ("success", True), "the second")
    equal(again["invocation_id"], first["invocation_id"], "the invocation")
    equal(again["data"], first["data"], "the data")
    has_every_field(again)
    equal(again["evidence_ids"], first["evidence_ids"], "the evidence")
    equal(on().landed(mark), 1, "refunds")


@test("the same key with another call is a conflict that changes nothing")
def conflict():
    mark, headers = uuid.uuid4().hex, {"Idempotency-Key": uuid.uuid4().hex}
    on().refund(2, headers=headers, mark=mark)
    denied_with(on().refund(3, headers=headers, mark=mark), "idempotency_conflict")
    equal(on().landed(mark), 1, "refunds")


@test("a key is one agent's own: another agent with the same key is not answered from it")
def key_of_another():
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = on().gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"}, headers)
    other = on().gate.invoke(on().other, "desk.get_charge", {"charge": "ch_1"}, headers)
    equal((other["outcome"], other["replayed"]), ("success", False), "the other agent's call")
    check(other["invocation_id"] != first["invocation_id"], "it was answered with somebody else's invocation")


@test("the same key while the first still runs joins it")
def join():
    mark, headers = uuid.uuid4().hex, {"Idempotency-Key": uuid.uuid4().hex}
    on().desk.fault(kind="slow", tool="refund", millis=1500, times=1)
    answers = []
    ask = lambda: answers.append(on().refund(4, headers=headers, mark=mark))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    equal([answer["outcome"] for answer in answers], ["success"] * 4, "the outcomes")
    equal(len({answer["invocation_id"] for answer in answers}), 1, "invocations")
    equal(on().landed(mark), 1, "refunds")


@test("a call that needs approval is frozen, with digest, expiry and link, and runs once when approved")
def approved():
    mark = uuid.uuid4().hex
    pending = on().refund(640, mark=mark, justification="customer asked twice")
    has_every_field(pending, pending=True)
    equal((pending["status"], pending["denial"]["code"]), ("pending_approval", "approval_required"), "the state")
    equal(pending["denial"]["retryable"], True, "retryable")
    equal(on().landed(mark), 0, "refunds before the approval")
    answer = on().gate.decide(pending, on().approver)
    equal(answer.status, 200, f"the approval {answer}")
    done = on().gate.wait_status(on().agent, pending, "succeeded", "failed", "denied")
    equal((done["status"], done["success"], done["attempts"]), ("succeeded", True, 1), "the outcome")
    equal(on().landed(mark), 1, "refunds after it")


@test("an identical call while one is pending joins it and makes no second request")
def joins_pending():
    mark = uuid.uuid4().hex
    first = on().refund(641, mark=mark)
    second = on().refund(641, mark=mark)
    equal(second["denial"]["details"]["approval_id"], first["denial"]["details"]["approval_id"], "the approval")


@test("an approval shows the frozen arguments, and the agent's own words apart from them")
def approval_shows():
    pending = on().refund(642, justification="the words of the agent")
    id = pending["denial"]["details"]["approval_id"]
    answer = on().gate.http("GET", f"/v1/approvals/{id}", token=on().approver)
    equal(answer.status, 200, f"the approval {answer}")
    text = answer.body.decode()
    for part in ("642", "ch_load", pending["denial"]["details"]["digest"], "the words of the agent"):
        check(part in text, f"`{part}` is not shown: {text}")
    listed = on().gate.http("GET", "/v1/approvals", token=on().approver)
    check(id in listed.body.decode(), f"it is not listed: {listed}")


@test("a decision on another digest is refused with `snapshot_changed`")
def wrong_digest():
    mark = uuid.uuid4().hex
    pending = on().refund(650, mark=mark)
    answer = on().gate.decide(pending, on().approver, digest="sha256:" + "0" * 64)
    problem(answer, answer.status, "snapshot_changed")
    one_of(answer.status, (409, 422), "the status")
    equal(on().landed(mark), 0, "refunds")


@test("the owner of the agent never approves its calls")
def by_the_owner():
    answer = on().gate.decide(on().refund(651), on().owner)
    problem(answer, answer.status, "self_approval")


@test("an agent never approves, not even another one's call")
def by_an_agent():
    for token in (on().agent, on().other):
        answer = on().gate.decide(on().refund(652), token)
        one_of(answer.status, (401, 403, 404), f"an agent decided: {answer}")


@test("an approval that was decided cannot be decided again")
def decided_twice():
    pending = on().refund(653)
    equal(on().gate.decide(pending, on().approver).status, 200, "the first decision")
    on().gate.wait_status(on().agent, pending, "succeeded")
    answer = on().gate.decide(pending, on().approver)
    problem(answer, answer.status)
    one_of(answer.status, (409, 422), "the second decision")


@test("a rejection ends the call, with a reason that the agent may read")
def rejected():
    mark = uuid.uuid4().hex
    pending = on().refund(654, mark=mark)
    equal(on().gate.decide(pending, on().approver, "deny", reason="not this one").status, 200, "the decision")
    done = on().gate.wait_status(on().agent, pending, "rejected")
    denied_with(done, "approval_rejected")
    check("not this one" in done["denial"]["message"], done["denial"]["message"])
    equal(on().landed(mark), 0, "refunds")


@test("approving by the command line needs the digest's beginning, and works with it")
def by_command_line():
    mark = uuid.uuid4().hex
    pending = on().refund(655, mark=mark)
    details = pending["denial"]["details"]
    on().gate.cli("approve", details["approval_id"], "--digest", "sha256:0000000000000000", token=on().approver, exit=7)
    on().gate.cli("approve", details["approval_id"], "--digest", details["digest"], token=on().approver)
    on().gate.wait_status(on().agent, pending, "succeeded")
    equal(on().landed(mark), 1, "refunds")


@test("a pending call can be cancelled by its agent, and cannot be approved any more")
def cancelled():
    pending = on().refund(656)
    answer = on().gate.http("POST", f"/v1/invocations/{pending['invocation_id']}/cancel", {}, on().agent)
    equal(answer.status, 200, f"the cancellation {answer}")
    denied_with(on().gate.wait_status(on().agent, pending, "cancelled"), "cancelled")
    one_of(on().gate.decide(pending, on().approver).status, (409, 422), "an approval after it")


@test("a revoked key is refused on the very next call")
def revoked():
    made = on().gate.cli("key", "create", "helper")
    equal(on().gate.invoke(made["token"], "desk.get_charge", {"charge": "ch_1"})["outcome"], "success", "before")
    on().gate.cli("key", "revoke", made["id"])
    body = {"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}}
    problem(on().gate.http("POST", "/v1/invocations", body, made["token"]), 401, "credential_revoked")


@test("a suspended agent is refused on the very next call, and works again when resumed")
def suspended():
    token = on().gate.agent("sleeper", "--tool", "desk.get_charge")
    body = {"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}}
    on().gate.cli("agent", "suspend", "sleeper")
    problem(on().gate.http("POST", "/v1/invocations", body, token), 401)
    on().gate.cli("agent", "resume", "sleeper")
    equal(on().gate.http("POST", "/v1/invocations", body, token).json["outcome"], "success", "after")


@test("a mode `simulate` answers with a verdict, and leaves nothing behind")
def simulated():
    mark = uuid.uuid4().hex
    envelope = on().refund(5, mark=mark, mode="simulate")
    equal(envelope["decision"]["verdict"], "allow", "the verdict")
    equal(on().landed(mark), 0, "refunds")
    problem(on().gate.http("GET", f"/v1/invocations/{envelope['invocation_id']}", token=on().agent), 404)


@test("the tools, agents and people of one tenant are not seen from another")
def tenants():
    gate = on().gate
    token = gate.foreigner("foreigner", "--tool", "desk.get_charge")
    mine = gate.invoke(on().agent, "desk.get_charge", {"charge": "ch_1"})
    theirs = gate.invoke(token, "desk.get_charge", {"charge": "ch_1"})
    equal(theirs["outcome"], "success", "the other tenant's own call")
    problem(gate.http("GET", f"/v1/invocations/{mine['invocation_id']}", token=token), 404)
    problem(gate.http("GET", f"/v1/invocations/{theirs['invocation_id']}", token=on().agent), 404)
    listed = gate.http("GET", "/v1/invocations", token=token)
    check(mine["invocation_id"] not in listed.body.decode(), "an invocation of another tenant is listed")


@test("what a denied, an unauthenticated and an allowed call left on the record can be shown")
def on_record():
    envelope = on().gate.invoke(on().agent, "desk.close_account", {"customer": "cust_456"})
    shown = on().gate.cli("log", "show", envelope["invocation_id"])
    text = str(shown)
    for part in ("invocation.denied", "not_granted", envelope["evidence_ids"][0]):
        check(part in text, f"`{part}` is not in {text}")
    everything = str(on().gate.http("GET", "/v1/records?kind=auth.refused", token=on().gate.admin).json)
    check("auth.refused" in everything, f"refused logins are not on the record: {everything[:300]}")


@test("a changed policy binds on the next call, and a rollback too")
def policy_change():
    gate = on().gate
    changed = gate.home / "closed.json"
    read = lambda: gate.invoke(on().agent, "desk.get_customer", {"customer": "cust_789"})
    equal(read()["outcome"], "success", "before")
    before = read()["decision"]["policy_version"]
    rule = '{"name": "closed", "rules": [{"rule_id": "c", "when": "tool == desk.get_customer", "effect": "deny"}]}'
    changed.write_text(rule)
    gate.cli("policy", "apply", changed, "--activate")
    after = read()
    denied_with(after, "policy_denied")
    check(after["decision"]["policy_version"] != before, "the version did not change")
    changed.write_text(rule.replace('"effect": "deny"', '"effect": "allow"'))
    gate.cli("policy", "apply", changed, "--activate")
    equal(read()["outcome"], "success", "with the next version")
    gate.cli("policy", "rollback", "closed")
    denied_with(read(), "policy_denied")
    changed.write_text(rule.replace('"effect": "deny"', '"effect": "allow"'))
    gate.cli("policy", "apply", changed, "--activate")


@test("an approval that nobody decided expires, and is of no use afterwards")
def expiry():
    home = folder("expiry")
    desk = Desk(home)
    try:
        config = '[approvals]\nexpires_in = "1s"\n' + desk_source("desk", desk)
        with Gate(config, {"desk.json": POLICY}, home) as gate:
            agent, approver = gate.agent("helper", *GRANTS), gate.person("bo@acme.com")
            gate.wait_tools(agent, "desk.refund")
            arguments = {"charge": "ch_load", "customer": "cust_load", "amount": 700}
            pending = gate.invoke(agent, "desk.refund", arguments)
            denied_with(gate.wait_status(agent, pending, "expired"), "approval_expired")
            one_of(gate.decide(pending, approver).status, (409, 410, 422), "a decision after it")
            equal(effects(desk.lines(), "refund"), [], "refunds")
    finally:
        desk.stop()


@test("with no policy at all every call is refused with its own code")
def no_policy():
    home = folder("no-policy")
    desk = Desk(home)
    try:
        with Gate(desk_source("desk", desk), {}, home) as gate:
            agent = gate.agent("helper", *GRANTS)
            denied = lambda: gate.invoke(agent, "desk.get_charge", {"charge": "ch_1"})
            wait_for("the tool to be known", lambda: denied()["denial"]["code"] != "tool_not_found")
            denied_with(denied(), "no_policy")
    finally:
        desk.stop()


@test("health, readiness and the OpenAPI document are served without a token")
def open_pages():
    port = on().gate.port
    equal(request(port, "GET", "/healthz").status, 200, "/healthz")
    equal(request(port, "GET", "/readyz").status, 200, "/readyz")
    document = on().gate.cli("openapi", url=False)
    check(document["openapi"].startswith("3.1"), "the OpenAPI version")
    for path in ("/v1/invocations", "/v1/approvals/{id}/decision", "/v1/tools"):
        check(path in document["paths"], f"`{path}` is not described")


@test("a request that names another host, or comes from a foreign page, is refused")
def foreign():
    gate, body = on().gate, {"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}}
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        answer = gate.http("POST", "/v1/invocations", body, on().agent, headers)
        one_of(answer.status, (400, 403, 421), f"{headers} {answer}")
