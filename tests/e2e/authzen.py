"""AuthZEN from outside: the certification's checks, and access requests on real approvals.

The fixture, the requests and what has to come out are facts of the working group's certification scenario
(github.com/openid/authzen, certification/authorization-api-1_0-scenario.md, OpenID Foundation; its
sections name the checks here). The fixture's policy is written in the gate's own language, its records are
the tools of a host. Must not know: how a question becomes a call.
"""

import base64
import hashlib
import json

from kit import Gate, check, equal, folder, one_of, problem, request, stage, test

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
REQUESTS = "/access/v1/requests"
METADATA = "/.well-known/authzen-configuration"
PUBLIC = "https://gate.acme.com"

TEXT, TRUTH = {"type": "string"}, {"type": "boolean"}
TOOLS = {  # Each with its risk, its verb and its arguments beside the id.
    "read": ("low", "READ", {"status": TEXT}),
    "write": ("medium", "WRITE", {"status": TEXT, "text": TEXT, "subject": {"type": "object", "properties": {"role": TEXT}}}),
    "delete": ("medium", "DELETE", {"soft": TRUTH}),
    "publish": ("medium", "WRITE", {"text": TEXT}),
}


def toml(value):
    """A value as an inline table of TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def declared(name, risk, verb, arguments):
    schema = {"type": "object", "properties": {"id": TEXT, **arguments}, "required": ["id"], "additionalProperties": False}
    return f"""
[[source.host.tools]]
name = "{name}"
risk = "{risk}"
verb = "{verb}"
resource = "record:{{args.id}}"
input_schema = {toml(schema)}
"""


CONFIG = f"""
public_url = "{PUBLIC}"
hosts = ["gate.acme.com"]
[[source]]
name = "record"
[source.host]
agents = ["pep"]
""" + "".join(declared(name, *tool) for name, tool in TOOLS.items())

POLICY = {
    "name": "records",
    "rules": [
        {"rule_id": "archived", "match": {"tools": ["record.write"]}, "effect": "deny",
         "when": "default(status, 'active') == archived and default(args.subject.role, 'none') != admin",
         "reason": "archived records are for admins"},
        {"rule_id": "writers", "match": {"tools": ["record.write"]}, "effect": "deny",
         "when": "default(user.id, 'nobody') == bob and default(args.subject.role, 'none') != admin", "reason": "bob only reads"},
        {"rule_id": "hard", "match": {"tools": ["record.delete"]}, "effect": "deny", "when": "not (soft == true)",
         "reason": "records are deleted softly"},
        {"rule_id": "publishing", "match": {"tools": ["record.publish"]}, "effect": "require_approval",
         "reason": "publishing needs a person"},
        {"rule_id": "clean", "match": {"tools": ["record.write"]}, "when": "exists(args.text)",
         "effect": "sanitize", "sanitize_fields": ["text"]},
    ],
}

ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
ADMIN = {**BOB, "properties": {"role": "admin"}}
READ, WRITE, DELETE = ({"name": name} for name in ("read", "write", "delete"))
ONE, TWO = ({"type": "record", "id": id} for id in ("record-1", "record-2"))
ACTIVE = {**ONE, "properties": {"status": "active"}}
ARCHIVED = {**TWO, "properties": {"status": "archived"}}
AROUND = {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}


def configure(_options):
    """Nothing to configure."""


def asked(subject, action, resource, **more):
    return {"subject": subject, "action": action, "resource": resource, **more}


def soft(value):
    return {**DELETE, "properties": {"soft": value}}


class Stage:
    def __init__(self):
        self.gate = Gate(CONFIG, {"records.json": POLICY}, folder("authzen")).opened()
        reach = ("--tool", "record.*", "--resource", "record:record-1", "--resource", "record:record-2")
        self.pep = self.gate.agent("pep", "--trusted-host", *reach)
        self.agent = self.gate.agent("writer", *reach)
        self.approver = self.gate.person("bo@acme.com")
        self.gate.wait_tools(self.pep, "record.read", "record.publish")

    def post(self, path, body, token=None, **headers):
        return self.gate.http("POST", path, body, token or self.pep, headers)

    def said(self, path, body, token=None):
        answer = self.post(path, body, token)
        equal((answer.status, answer.headers["content-type"]), (200, "application/json"), f"{path} {answer}")
        return answer.json

    def decided(self, body, token=None):
        """One evaluation, whose answer has the form that it must have."""
        said = self.said(EVALUATION, body, token)
        decision(said)
        return said


on = stage(Stage)


def decision(said):
    """Holds a decision against its form (2.3)."""
    check(isinstance(said.get("decision"), bool), f"no boolean `decision`: {said}")
    check(isinstance(said.get("context", {}), dict), f"a context that is no object: {said}")
    return said["decision"]


# Basic -------------------------------------------------------------------------------------------

FIXTURE = [
    ("Basic Core 2.2.1: permit decision (rule 1)", asked(ALICE, READ, ONE), True),
    ("Basic Core 1.4: rule 2", asked(ALICE, WRITE, ONE), True),
    ("Basic Core 1.4: rule 3", asked(BOB, READ, ONE), True),
    ("Basic Core 2.2.2: deny decision (rule 4)", asked(BOB, WRITE, ONE), False),
    ("Basic Core 2.2.3: optional context", asked(ALICE, READ, ONE, context=AROUND), True),
    ("Basic Properties 2.2.4: deny based on properties (rule 5)", asked(ALICE, WRITE, ARCHIVED), False),
    ("Basic Properties 2.2.5: permit based on subject properties (rule 6)", asked(ADMIN, WRITE, ARCHIVED), True),
    ("Basic Properties 2.2.6: permit based on action properties (rule 7)", asked(ALICE, soft(True), ONE), True),
    ("Basic Properties 2.2.7: deny based on action properties (rule 8)", asked(ALICE, soft(False), ONE), False),
    ("Basic Core 2.2.8: additional properties", asked(
        {**ALICE, "properties": {"department": "Sales", "role": "manager"}}, {**READ, "properties": {"method": "GET"}},
        {**ONE, "properties": {"status": "active", "owner": "bob"}}), True),
    ("Basic Core 2.2.9: unknown fields", asked(ALICE, READ, ONE, foo="bar", futureField={"nested": True}), True),
]


def fixture(name, body, expected):
    @test(f"AuthZEN {name}")
    def ask():
        said = on().decided(body)
        equal(said["decision"], expected, f"{body} {said}")


for case in FIXTURE:
    fixture(*case)


@test("AuthZEN Basic Core 2.3: the decision is a boolean, the context an object")
def response_format():
    for _, body, _ in FIXTURE:
        on().decided(body)


def without(part, field=None):
    body = json.loads(json.dumps(asked(ALICE, READ, ONE)))
    if field:
        del body[part][field]
    else:
        del body[part]
    return body


WRONG = [
    ("2.4.1: missing required fields", [without(part) for part in ("subject", "action", "resource")]),
    ("2.4.2: missing required sub-fields", [without("subject", "type"), without("subject", "id"), without("action", "name"),
                                            without("resource", "type"), without("resource", "id")]),
    ("2.4.6: invalid field types", [asked("alice", READ, ONE), asked(ALICE, {"name": 123}, ONE)]),
]


def wrong(name, bodies):
    @test(f"AuthZEN Basic Core {name}")
    def refused():
        for body in bodies:
            problem(on().post(EVALUATION, body), 400)
            problem(on().post(EVALUATIONS, body), 400)


for case in WRONG:
    wrong(*case)


@test("AuthZEN Basic Core 2.4.3, 2.4.4, 2.4.5: wrong content type, malformed JSON, empty body")
def unreadable():
    good = json.dumps(asked(ALICE, READ, ONE)).encode()
    for path in (EVALUATION, EVALUATIONS, *SEARCHES):
        for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
            problem(on().post(path, good, **{"Content-Type": kind}), 400, "wrong_content_type")
        for body in (b"{", b"not json", b'{"subject": }', b"[]", b'"x"', b"null"):
            problem(on().post(path, body), 400)
        problem(on().post(path, b""), 400)


@test("AuthZEN Basic Core 2.5: X-Request-ID comes back as it was sent, and is not needed")
def request_id():
    body = asked(ALICE, READ, ONE)
    for id in ("bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "Root=1-67891233-abcdef/+", "a b", "{7}"):
        for path in (EVALUATION, EVALUATIONS):
            answer = on().post(path, body, **{"X-Request-ID": id})
            equal((answer.status, answer.headers.get("x-request-id")), (200, id), path)
    problem_of = on().post(EVALUATION, b"", **{"X-Request-ID": "of-a-problem"})
    equal(problem_of.headers.get("x-request-id"), "of-a-problem", "the id of a problem")
    equal(on().post(EVALUATION, body).status, 200, "without an id")


@test("AuthZEN Basic Core 2.6: the same question has the same answer, whatever the order of its members")
def repeated():
    for _, body, expected in FIXTURE:
        other = dict(reversed(body.items()))
        equal({on().decided(one)["decision"] for one in (body, body, other)}, {expected}, body)


# Batch -------------------------------------------------------------------------------------------

BATCHES = [
    ("Core 3.2.1: evaluations array", {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}, {"resource": TWO}]}, [None, None]),
    ("Core 3.2.2: fixture decisions", {"subject": BOB, "resource": ONE, "evaluations": [{"action": READ}, {"action": WRITE}]}, [True, False]),
    ("Properties 3.2.3: properties", {"subject": ALICE, "action": WRITE, "evaluations": [{"resource": ACTIVE}, {"resource": ARCHIVED}]}, [True, False]),
    ("Properties 3.2.4: subject properties", {"action": WRITE, "resource": ARCHIVED, "evaluations": [{"subject": ALICE}, {"subject": ADMIN}]}, [False, True]),
    ("Core 3.2.5: fully specified", {"evaluations": [asked(ALICE, READ, ONE), asked(BOB, WRITE, ONE)]}, [True, False]),
    ("Core 3.2.6: context inheritance", {"subject": ALICE, "action": READ, "context": {"time": "2025-06-27T18:03-07:00"}, "evaluations": [
        {"resource": ONE}, {"resource": TWO, "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"}}]}, [None, None]),
    ("Properties 3.2.7: top-level default inheritance", {"subject": ALICE, "action": WRITE, "resource": ACTIVE, "evaluations": [{}, {"resource": ARCHIVED}]}, [True, False]),
    ("Core 3.4.1: an error of one evaluation under execute_all", {"subject": ALICE, "action": READ, "options": {"evaluations_semantic": "execute_all"},
        "evaluations": [{"resource": ONE}, {}]}, [True, False]),
]


def batch(name, body, expected):
    @test(f"AuthZEN Batch {name}")
    def ask():
        said = on().said(EVALUATIONS, body)
        check("decision" not in said, f"a decision beside several: {said}")
        found = [decision(one) for one in said["evaluations"]]
        equal(len(found), len(expected), "3.3.1: as many answers as questions")
        for place, (one, wanted) in enumerate(zip(found, expected)):
            check(wanted in (None, one), f"3.3.2: the answer at {place}: {said}")


for case in BATCHES:
    batch(*case)


@test("AuthZEN Batch Core 3.4.1: what is wrong with one evaluation is said in its context")
def item_errors():
    items = [{"resource": ONE}, {}, 7, {"resource": "record-1"}, {"resource": TWO}]
    said = on().said(EVALUATIONS, {"subject": ALICE, "action": READ, "evaluations": items})["evaluations"]
    equal([one["decision"] for one in said], [True, False, False, False, True], said)
    for one in said[1:4]:
        equal(one["context"]["error"]["status"], 400, one)
        check(one["context"]["error"]["message"], f"an error without words: {one}")


@test("AuthZEN Batch Core 3.4.2, 3.4.3: without evaluations, or with none, it is a single evaluation")
def single():
    for more in ({}, {"evaluations": []}):
        said = on().said(EVALUATIONS, asked(ALICE, READ, ONE, **more))
        equal((decision(said), "evaluations" in said), (True, False), said)
        said = on().said(EVALUATIONS, asked(BOB, WRITE, ONE, **more))
        equal(decision(said), False, said)


@test("the short-circuit semantics of AuthZEN end where they say, and an unknown one is refused")
def semantics():
    items = [asked(ALICE, READ, ONE), asked(BOB, WRITE, ONE), {}, asked(ALICE, WRITE, ONE), asked(BOB, READ, ONE)]
    for semantic, order, expected in (
        ("deny_on_first_deny", items, [True, False]),
        ("deny_on_first_deny", items[::-1], [True, True, False]),
        ("permit_on_first_permit", items, [True]),
        ("permit_on_first_permit", items[1:], [False, False, True]),
        ("execute_all", items, [True, False, False, True, True]),
    ):
        said = on().said(EVALUATIONS, {"evaluations": order, "options": {"evaluations_semantic": semantic, "another": 1}})
        equal([one["decision"] for one in said["evaluations"]], expected, semantic)
    problem(on().post(EVALUATIONS, {"evaluations": items, "options": {"evaluations_semantic": "any"}}), 400)
    many = {"subject": ALICE, "action": READ, "evaluations": [{"resource": ONE}] * 257}
    problem(on().post(EVALUATIONS, many), 400)
    many["evaluations"].pop()
    equal(len(on().said(EVALUATIONS, many)["evaluations"]), 256, "as many as are allowed")


# Discovery ---------------------------------------------------------------------------------------


@test("AuthZEN Discovery 6: the metadata name this decision point and its endpoints, over https")
def discovery():
    for path, point in ((METADATA, PUBLIC), (f"{METADATA}/tenant1", f"{PUBLIC}/tenant1")):
        answer = request(on().gate.port, "GET", path, headers={"Host": "gate.acme.com"})
        equal((answer.status, answer.headers["content-type"]), (200, "application/json"), path)
        said = answer.json
        equal(said["policy_decision_point"], point, path)
        for name in ("access_evaluation", "access_evaluations", "search_subject", "search_resource", "search_action", "access_request"):
            check(said[f"{name}_endpoint"].startswith(f"{PUBLIC}/access/v1/"), f"{name}: {said}")
        check(all(isinstance(one, str) for one in said["capabilities"]), f"the capabilities: {said}")
        check("signed_metadata" not in said, "metadata that are signed by nobody")
    said = request(on().gate.port, "GET", METADATA).json
    for name, path in (("access_evaluation", EVALUATION), ("access_evaluations", EVALUATIONS)):
        equal(said[f"{name}_endpoint"], PUBLIC + path, name)
        equal(on().post(said[f"{name}_endpoint"].removeprefix(PUBLIC), asked(ALICE, READ, ONE)).status, 200, name)
    equal(request(on().gate.port, "GET", f"{METADATA}/a/b").status, 404, "two segments")


# Search: as far as there is something to count up ------------------------------------------------

SEARCHES = [f"/access/v1/search/{kind}" for kind in ("subject", "resource", "action")]
SUBJECT, RESOURCE, ACTION = SEARCHES


def names(said):
    return [one.get("id", one.get("name")) for one in said["results"]]


@test("AuthZEN Search 4.3, S2, S5: the records that grants name, whatever id or context comes along")
def search_resources():
    kind = {"type": "record"}
    said = on().said(RESOURCE, asked(ALICE, READ, kind))
    check("record-1" in names(said) and all(one["type"] == "record" for one in said["results"]), said)
    check(said["context"]["complete"], said)
    equal(on().said(RESOURCE, asked(ALICE, READ, kind, context=AROUND)), said, "4.3.2")
    equal(on().said(RESOURCE, asked(ALICE, READ, ONE)), said, "4.3.3")
    check("record-2" in names(on().said(RESOURCE, asked(ADMIN, WRITE, kind))), "4.3.4")
    equal(names(on().said(RESOURCE, asked(BOB, WRITE, kind))), [], "bob only reads")


@test("AuthZEN Search 4.4, S3, S6: the actions that are allowed on a record")
def search_actions():
    said = on().said(ACTION, {"subject": ALICE, "resource": ONE})
    equal(names(said), ["read", "write"], said)
    equal(on().said(ACTION, {"subject": ALICE, "resource": ONE, "context": AROUND}), said, "4.4.2")
    check("write" in names(on().said(ACTION, {"subject": ADMIN, "resource": ARCHIVED})), "4.4.3")
    equal(names(on().said(ACTION, {"subject": BOB, "resource": ONE})), ["read"], "bob only reads")


@test("AuthZEN Search 4.2 over agents: those that may, and of the askers that may ask")
def search_subjects():
    agents, body = {"type": "agent"}, asked({"type": "agent"}, WRITE, ONE)
    equal(names(on().said(SUBJECT, body)), ["pep", "writer"], "all")
    equal(on().said(SUBJECT, asked({**agents, "id": "pep"}, WRITE, ONE)), on().said(SUBJECT, body), "an id beside it")
    equal(names(on().gate.http("POST", SUBJECT, body, on().agent).json), ["writer"], "an agent finds itself")
    people = on().said(SUBJECT, asked({"type": "user"}, WRITE, ONE))
    equal((people["results"], people["context"]["complete"]), ([], False), "people are in no list here")


@test("AuthZEN Search 4.5: pages follow each other, and a token belongs to its search")
def search_pages():
    body = asked({"type": "agent"}, WRITE, ONE)
    first = on().said(SUBJECT, {**body, "page": {"limit": 1}})
    equal((names(first), first["page"]["count"], first["page"]["total"]), (["pep"], 1, 2), "the first page")
    token = first["page"]["next_token"]
    check(token, f"no token: {first}")
    last = on().said(SUBJECT, {**body, "page": {"limit": 1, "token": token}})
    equal((names(last), last["page"]["next_token"]), (["writer"], ""), "the last page")
    problem(on().post(SUBJECT, {**body, "action": READ, "page": {"limit": 1, "token": token}}), 400)
    problem(on().post(SUBJECT, {**body, "page": {"limit": -1}}), 400)


@test("AuthZEN Search 4.6.2, 4.7: an unknown type finds nothing, what is missing is refused")
def search_wrong():
    ship = {"type": "spaceship"}
    for path, body in ((SUBJECT, asked(ship, READ, ONE)), (RESOURCE, asked(ALICE, READ, ship)),
                       (ACTION, {"subject": {**ship, "id": "x"}, "resource": ONE}), (ACTION, {"subject": ALICE, "resource": {**ship, "id": "x"}})):
        equal(on().said(path, body)["results"], [], f"{path} {body}")
    user, record = {"type": "user"}, {"type": "record"}
    for path, body in (
        (SUBJECT, {"subject": user, "resource": ONE}), (RESOURCE, {"action": READ, "resource": record}), (ACTION, {"subject": ALICE}),
        (SUBJECT, asked(user, READ, record)), (RESOURCE, asked(user, READ, record)), (ACTION, {"subject": user, "resource": ONE}),
    ):
        problem(on().post(path, body), 400)


# Who may ask, and what stands on the record ------------------------------------------------------


@test("AuthZEN needs a credential, an agent asks about itself, and a person tries without a trace")
def askers():
    body = asked(ALICE, READ, ONE)
    for path in (EVALUATION, EVALUATIONS, *SEARCHES, REQUESTS):
        problem(on().gate.http("POST", path, body), 401)
        problem(on().gate.http("POST", path, b"", "tg_nobody"), 401)
    problem(on().post(EVALUATION, body, on().agent), 403)
    own = asked({"type": "agent", "id": "writer"}, WRITE, ONE)
    equal(on().decided(own, on().agent)["decision"], True, "about itself")
    problem(on().post(EVALUATION, asked({"type": "agent", "id": "pep"}, WRITE, ONE), on().agent), 403)
    equal(on().decided(own)["decision"], True, "a host about another agent")
    nobody = on().decided(asked({"type": "agent", "id": "nobody"}, WRITE, ONE))
    equal((nobody["decision"], nobody["context"]["reason"]), (False, "subject_unknown"), nobody)
    before = newest()
    equal(on().decided(own, on().approver)["decision"], True, "a person")
    equal(newest(), before, "what a person tries leaves no record")
    said = on().post(EVALUATIONS, {"evaluations": [body, own]}, on().agent).json["evaluations"]
    equal([one["decision"] for one in said], [False, True], said)
    equal(said[0]["context"]["error"]["status"], 403, said)


@test("an agent's own word about the subject counts for nothing")
def own_word():
    claimed = {"type": "agent", "id": "writer", "properties": {"role": "admin"}}
    equal(on().decided(asked(claimed, WRITE, ARCHIVED), on().agent)["decision"], False, "by itself")
    equal(on().decided(asked(claimed, WRITE, ARCHIVED))["decision"], True, "by a host that is trusted")


def newest(count=1):
    """The newest decisions on the record, the newest first."""
    page = on().gate.http("GET", f"/v1/records?kind=call.decided&newest=true&limit={count}", token=on().gate.admin)
    equal(page.status, 200, f"{page}")
    return [one["id"] for one in page.json["items"]][::-1]


@test("each AuthZEN evaluation leaves one record, which its id names and a denial explains")
def recorded():
    [before] = newest()
    said = on().said(EVALUATIONS, {"subject": BOB, "resource": ONE, "evaluations": [{"action": READ}, {"action": WRITE}]})["evaluations"]
    equal(newest(3).index(before), 2, "records of two evaluations")
    why = said[1]["context"]
    equal((why["reason"], why["rule"], why["message"], why["verdict"]), ("policy_denied", "records/writers", "bob only reads", "deny"), why)
    found = on().gate.http("GET", f"/v1/records?invocation={why['evaluation_id']}", token=on().gate.admin)
    equal(len(found.json["items"]), 1, f"the record of one evaluation: {found}")
    check("bob" in json.dumps(found.json), "the record does not say for whom")
    body, context = denied(text="recorded")
    equal(on().post(REQUESTS, wanted(body, context)).status, 202, "it waits for people")
    again = [on().decided(body)["context"]["evaluation_id"] for _ in range(2)]
    equal(len({*again, context["evaluation_id"]}), 3, "evaluations of what waits already")


@test("the COAZ form asks for the use of a tool by the name that MCP clients see")
def coaz():
    identity = {"type": "identity", "id": "alice"}
    for name in ("record__read", "record.read"):
        body = asked(identity, {"name": "tools/call"}, {"type": "tool", "id": name}, context={"agent": "pep", "arguments": {"id": "record-1"}})
        said = on().decided(body)
        equal(said["decision"], True, said)
    missing = on().decided(asked(identity, {"name": "tools/call"}, {"type": "tool", "id": "record__burn"}))
    equal((missing["decision"], missing["context"]["reason"]), (False, "tool_not_found"), missing)
    odd = on().decided(asked(ALICE, {"name": "read it, please"}, ONE))
    equal((odd["decision"], odd["context"]["reason"]), (False, "tool_not_found"), odd)


@test("what must be sanitized is no to whoever cannot, and comes with its arguments to whoever can")
def obligations():
    text = {"arguments": {"id": "record-1", "text": "by hand"}}
    said = on().decided(asked(ALICE, WRITE, ONE, context=text))
    equal(said["decision"], False, said)
    equal((said["context"]["verdict"], said["context"]["reason"]), ("sanitize", "sanitize"), said)
    for declared in (["notification"], ["step-up", "sanitize"], []):
        said = on().decided(asked(ALICE, WRITE, ONE, context={**text, "supported_obligations": declared}))
        equal(said["decision"], False, declared)
    said = on().decided(asked(ALICE, WRITE, ONE, context={**text, "supported_obligations": ["custom"]}))
    equal(said["decision"], True, said)
    [owed] = said["context"]["obligations"]
    equal((owed["type"], owed["properties"]["action"]), ("custom", "sanitize"), owed)
    check("by hand" not in json.dumps(said), f"the text is still there: {said}")
    equal(owed["properties"]["arguments"]["id"], "record-1", owed)
    equal(request(on().gate.port, "GET", METADATA).json["supported_obligations"], ["custom"], "what is announced")


# Access Request and Approval ---------------------------------------------------------------------

PUBLISH = {"name": "publish"}


def denied(subject=ALICE, resource=ONE, text="one", token=None):
    """A requestable denial, and what it was of."""
    body = asked(subject, PUBLISH, resource, context={"arguments": {"id": resource["id"], "text": text}, "time": "now"})
    said = on().decided(body, token)
    hint = said["context"]["access_request"]
    equal((said["decision"], said["context"]["reason"]), (False, "approval_required"), said)
    equal(hint["endpoint"], PUBLIC + REQUESTS, hint)
    return body, said["context"]


def wanted(body, context, **changes):
    """The access request that answers a denial."""
    hint = context["access_request"]
    denial = {"evaluation_id": context["evaluation_id"], "expires_at": hint["expires_at"],
              "binding_token": hint["binding_token"], "reason": context["reason"]}
    said = {**body, "context": {**body["context"], "time": "later", "business_justification": "for the launch"}, "denial": denial}
    return {**said, **changes}


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def binding_hash(body, members):
    """What the profile's hashed form is: SHA-256 over RFC 8785, which for texts alone is sorted and tight."""
    context = {name: body["context"][name] for name in members if name in body["context"]}
    bound = {"subject": body["subject"], "resource": body["resource"], "action": body["action"], "context": context}
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def path_of(task):
    return task["status_endpoint"].removeprefix(PUBLIC)


def decide(task, word="approve", token=None):
    """A person decides the approval behind a task."""
    id = task["links"]["review"].rsplit("/", 1)[1]
    snapshot = on().gate.http("GET", f"/v1/approvals/{id}", token=on().approver).json
    answer = on().gate.http("POST", f"/v1/approvals/{id}/decision",
                            {"digest": snapshot["digest"], "decision": word, "reason": "seen"}, token or on().approver)
    return answer


def looked(task, token=None):
    answer = on().gate.http("GET", path_of(task), token=token or on().pep)
    equal(answer.status, 200, f"{answer}")
    return answer.json


def arap(answer, status, name):
    """Holds a problem against the profile's own types."""
    problem(answer, status, name)
    equal(answer.json["type"], f"urn:openid:authzen:access-request:error:{name}", f"{answer}")


@test("a denial that needs approval is requested, approved, and then true once for exactly that")
def request_access():
    body, context = denied()
    answer = on().post(REQUESTS, wanted(body, context))
    equal(answer.status, 202, f"{answer}")
    task = answer.json["task"]
    equal((task["status"], "result" in answer.json, answer.headers["retry-after"]), ("pending", False, "5"), f"{answer}")
    pending = on().decided({**body, "context": {**body["context"], "approval": {"id": task["links"]["review"].rsplit("/", 1)[1]}}})
    equal((pending["decision"], pending["context"]["next_action"], pending["context"]["reason"]), (False, "retry", "grant_pending"), pending)
    check(pending["context"]["retry_after"] > 0 and "access_request" not in pending["context"], pending)
    equal(decide(task).status, 200, "a person approves")
    done = looked(task)
    equal((done["task"]["status"], done["result"]["mode"]), ("approved", "reevaluate"), done)
    approval = done["result"]["approval"]
    repeated = on().post(REQUESTS, wanted(body, context))
    equal((repeated.status, repeated.json["result"]["approval"]), (201, approval), "asking again uses nothing up")
    without_it = on().decided(body)
    equal(without_it["decision"], False, "without the approval it is no yes")
    again = {**body, "context": {**body["context"], "approval": approval}}
    for other in ({**again, "subject": BOB}, {**again, "resource": TWO}, {**again, "action": DELETE},
                  {**again, "context": {**again["context"], "arguments": {"id": "record-1", "text": "two"}}},
                  {**again, "context": {**again["context"], "env": "prod"}}):
        said = on().decided(other)
        equal(said["decision"], False, other)
        one_of(said["context"]["reason"], ["out_of_scope", "approval_unverifiable"], f"{said}")
        check(said["context"]["next_action"] != "request" or said["context"]["access_request"], said)
    stranger = on().gate.agent("other_pep", "--trusted-host", "--tool", "record.*")
    equal(on().decided(again, stranger)["context"]["reason"], "approval_unverifiable", "another host")
    yes = on().decided(again)
    equal((yes["decision"], yes["context"]["approval"]["id"]), (True, approval["id"]), yes)
    used = on().decided(again)
    equal((used["decision"], used["context"]["reason"], used["context"]["next_action"]), (False, "approval_expired", "request"), used)
    check(used["context"]["access_request"]["binding_token"], used)
    report = on().post(yes["context"]["lease"]["outcome_endpoint"].removeprefix(PUBLIC),
                       {"attempt": yes["context"]["lease"]["attempt"], "status": "succeeded", "data": {"done": True}})
    equal((report.status, report.json["status"]), (200, "succeeded"), f"{report}")
    equal(looked(task)["task"]["status"], "approved", "a task keeps its end")


@test("an access request is the same when it is repeated, and ends by a no, a withdrawal, or the requester's key")
def ends():
    body, context = denied(text="ends")
    asking = wanted(body, context)
    first = on().post(REQUESTS, asking, **{"Idempotency-Key": "k-1"})
    again = on().post(REQUESTS, asking, **{"Idempotency-Key": "k-1"})
    equal((first.status, again.status, again.json["task"]["id"]), (202, 202, first.json["task"]["id"]), "the same key")
    other_body, other = denied(text="something else")
    arap(on().post(REQUESTS, wanted(other_body, other), **{"Idempotency-Key": "k-1"}), 409, "duplicate_request")
    task = first.json["task"]
    arap(on().gate.http("GET", path_of(task), token=on().agent), 404, "unknown_task")
    arap(on().gate.http("GET", f"{REQUESTS}/inv_{'0' * 32}", token=on().pep), 404, "unknown_task")
    problem(on().gate.http("GET", path_of(task)), 401)
    gone = on().gate.http("POST", f"{path_of(task)}/cancel", {"reason": "changed"}, on().pep)
    equal((gone.status, gone.json["task"]["status"]), (200, "cancelled"), f"{gone}")
    arap(on().gate.http("POST", f"{path_of(task)}/cancel", token=on().pep), 409, "invalid_task_state")
    body, context = denied(text="no")
    task = on().post(REQUESTS, wanted(body, context)).json["task"]
    review = task["links"]["review"].rsplit("/", 1)[1]
    equal(decide(task, "deny").status, 200, "a person says no")
    equal(looked(task)["task"]["status"], "denied", "the task of a no")
    said = on().decided({**body, "context": {**body["context"], "approval": {"id": review}}})
    equal((said["decision"], said["context"]["next_action"]), (False, "none"), said)


@test("an access request must be tied to a denial of the same, in the same hands")
def bound():
    body, context = denied(text="bound")
    good = wanted(body, context)
    token = good["denial"]["binding_token"]
    head, claims, tag = token.split(".")
    said = claims_of(token)
    equal(said["binding_hash"], binding_hash(body, said["binding_context_members"]), "the hash of what was denied")
    check("time" not in said["binding_context_members"], f"volatile context is bound: {said}")
    for broken in ({**good, "resource": TWO}, {**good, "subject": BOB}, {**good, "action": READ},
                   {**good, "context": {**good["context"], "arguments": {"id": "record-1", "text": "other"}}},
                   {**good, "context": {**good["context"], "env": "prod"}},
                   {**good, "denial": {**good["denial"], "binding_token": f"{head}.{claims}.{tag[:-4]}AAAA"}},
                   {**good, "denial": {**good["denial"], "binding_token": "x"}},
                   {**good, "denial": {"evaluation_id": context["evaluation_id"], "expires_at": good["denial"]["expires_at"]}},
                   {**good, "denial": {**good["denial"], "expires_at": "2099-01-01T00:00:00.000Z"}},
                   {**good, "denial": {**good["denial"], "evaluation_id": "inv_" + "0" * 32}}):
        arap(on().post(REQUESTS, broken), 400, "invalid_denial_binding")
    missing = {key: value for key, value in good.items() if key != "denial"}
    arap(on().post(REQUESTS, missing), 400, "invalid_denial_binding")
    for more in ({"items": []}, {"callback": {"endpoint": "http://127.0.0.1:1/"}}):
        problem(on().post(REQUESTS, {**good, **more}), 400, "invalid_field")
    problem(on().post(REQUESTS, good, on().approver), 403)
    said = on().decided(asked(BOB, WRITE, ONE))
    check("access_request" not in said["context"], f"a flat no that can be requested: {said}")
    equal(on().post(REQUESTS, {**good, "client": {"id": "x"}, "requested_access": {"emergency": True}, "later": 1}).status, 202, "as it was")


@test("whoever owns the agent does not approve what it asks for")
def duties():
    owner = on().gate.person("ana@acme.com")
    body, context = denied(text="duties")
    task = on().post(REQUESTS, wanted(body, context)).json["task"]
    problem(decide(task, token=owner), 403, "self_approval")
    equal(looked(task)["task"]["status"], "pending", "it still waits")


@test("an agent asks for itself, and a host for another agent under a credential of its own")
def for_others():
    subject = {"type": "agent", "id": "writer"}
    for token in (on().agent, on().pep):
        body, context = denied(subject, text="for itself" if token == on().agent else "by its host", token=token)
        answer = on().post(REQUESTS, wanted(body, context), token)
        equal(answer.status, 202, f"{answer}")
        task = answer.json["task"]
        decide(task)
        approval = looked(task, token)["result"]["approval"]
        again = {**body, "context": {**body["context"], "approval": approval}}
        equal(on().decided(again, token)["decision"], True, "whoever asked")
