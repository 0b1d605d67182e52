"""Described HTTP APIs behind the gate, held against Prism: a mock server that knows nothing of the gate.

Of every description in corpus/openapi a sample of operations, chosen by a hash and covering each method and
kind of body, is called through the gate by an agent's key with arguments made from the tool's own schema.
Prism gets the sampled part of the same description and validates what arrives (`--errors`): credentials,
path, query, headers, body. Then what must not happen: reads only under `get.*`, no delete under a ceiling of
medium, no redirect elsewhere, no name that leads inwards, nothing of the credential in what the agent sees.
Must not know: how the gate reads a description.
"""

import concurrent.futures
import gzip
import hashlib
import json
import re
import urllib.parse

import kit
import provision
from arguments import Maker
from jsonschema import Draft202012Validator
from kit import Desk, Gate, Process, check, equal, folder, free_port, request, stage, test, wait_for
from servers.api import Api

CORPUS = kit.ROOT / "corpus/openapi"
NAMES = sorted(path.name.removesuffix(".json.gz") for path in CORPUS.glob("*.json.gz"))
SAMPLE = 8
AT_ONCE = 3  # LIMIT: one Prism takes 150 MB and some seconds to start.
ALLOW = {"name": "all", "rules": [{"rule_id": "all", "match": {"tools": ["*"]}, "effect": "allow"}]}
SECRET = "e2e-" + "credential-" + "1a2b3c"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Operations of which no call can be valid, whoever makes it, and why.
KNOWN = {"digitalocean.uptime_check_create": "it requires `method`, which it describes nowhere"}
ANSWER = {"200": {"description": "It arrived, and was valid"}}


def configure(_options):
    """Nothing to configure."""


def description(name):
    return json.loads(gzip.decompress((CORPUS / f"{name}.json.gz").read_bytes()))


class Described:
    """One description: the document, where its API will be, and the part of it that is tried."""

    def __init__(self, name, home):
        self.name, self.home = name, home
        self.document = description(name)
        self.port = free_port()
        self.file = home / f"{name}.json"
        self.file.write_text(json.dumps(self.document))

    @property
    def schemes(self):
        old = self.document.get("securityDefinitions", {})
        return {**old, **self.document.get("components", {}).get("securitySchemes", {})}

    @property
    def source(self):
        lines = [f'[[source]]\nname = "{self.name}"\neffect = "none"\n[source.openapi]']
        lines.append(f'file = "{self.file}"\nbase_url = "http://127.0.0.1:{self.port}"')
        for name, scheme in self.schemes.items():
            lines += [f'[source.openapi.auth.schemes."{name}"]', self.credential(name, scheme)]
        return "\n".join(lines) + "\n"

    def credential(self, name, scheme):
        kind = (scheme["type"], scheme.get("scheme", "").lower(), scheme.get("in"))
        (self.home / "secret").write_text(SECRET)
        if kind[0] == "basic" or kind[:2] == ("http", "basic"):
            return 'basic = { user = "gate", password = "file:secret" }'
        if kind[0] == "apiKey" and kind[2] in ("header", "query"):
            return f'{kind[2]} = {{ name = "{scheme["name"]}", value = "file:secret" }}'
        if kind[0] == "apiKey":
            cookie = self.home / f"cookie-{self.name}-{name}"
            cookie.write_text(f"{scheme['name']}={SECRET}")
            return f'header = {{ name = "Cookie", value = "file:{cookie.name}" }}'
        return 'bearer = "file:secret"'

    def body_kind(self, method, path):
        operation = self.document["paths"][path][method]
        body = self.resolved(operation.get("requestBody", {})).get("content", {})
        forms = [one for one in operation.get("parameters", []) if one.get("in") in ("body", "formData")]
        return (*sorted(body)[:1], *sorted({one["in"] for one in forms}))

    def resolved(self, node):
        while isinstance(node, dict) and "$ref" in node:
            node = at(self.document, parts(node["$ref"]))
        return node

    def sampled(self, tools):
        """Eight operations or more: each method with each kind of body, then whatever the hash brings."""
        ordered = sorted(tools, key=lambda tool: hashlib.sha256(tool["id"].encode()).digest())
        kinds, chosen = set(), []
        for tool in ordered:
            kind = (operation_of(tool)[0], self.body_kind(*operation_of(tool)))
            if kind not in kinds:
                kinds.add(kind)
                chosen.append(tool)
        rest = [tool for tool in ordered if tool not in chosen]
        return chosen + rest[: max(0, SAMPLE - len(chosen))]

    def part(self, tools):
        """The description of these operations alone, with all that they refer to."""
        wanted = {operation_of(tool) for tool in tools}
        paths = {}
        for method, path in wanted:
            whole = self.document["paths"][path]
            kept = {key: value for key, value in whole.items() if key not in METHODS}
            # What is answered does not matter here, and is most of every description.
            operation = {**whole[method], "responses": ANSWER}
            if "Delimited" in operation.get("operationId", ""):
                operation = lists_alone(operation)
            if "swagger" in self.document and "consumes" not in self.document:
                # Swagger 2.0 leaves it open what a body is then, and Prism takes none.
                operation.setdefault("consumes", ["application/json"])
            paths.setdefault(path, kept)[method] = operation
        kept = ("openapi", "swagger", "info", "servers", "host", "basePath", "schemes", "consumes", "produces", "security", "securityDefinitions")
        document = {key: self.document[key] for key in kept if key in self.document} | {"paths": paths}
        document |= {key: {} for key in ("components", "definitions", "parameters", "responses") if key in self.document}
        if "securitySchemes" in self.document.get("components", {}):
            document["components"]["securitySchemes"] = self.document["components"]["securitySchemes"]
        pending = references(document)
        while pending:
            pointer = pending.pop()
            if present(document, pointer):
                continue
            # A part of another operation comes with the whole of it.
            way = parts(pointer)[:2] if pointer.startswith("#/paths/") else parts(pointer)
            target = at(self.document, way)
            put(document, way, target)
            pending |= references(target)
        return document


def lists_alone(operation):
    """Without what Prism ends at: an object to be read out of spaces or pipes."""
    operation = json.loads(json.dumps(operation))
    operation["parameters"] = [one for one in operation.get("parameters", []) if one.get("name") != "object"]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["schema"]["properties"].pop("object", None)
        media.get("encoding", {}).pop("object", None)
    return operation


def operation_of(tool):
    """The method and the path that the last line of its description names."""
    method, path = re.search(r"\b([A-Z]+) (/\S*)$", tool["description"].strip()).groups()
    return method.lower(), path


def parts(pointer):
    unescaped = urllib.parse.unquote(pointer.removeprefix("#/"))
    return [part.replace("~1", "/").replace("~0", "~") for part in unescaped.split("/")]


def at(document, way):
    for part in way:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def present(document, pointer):
    try:
        at(document, parts(pointer))
        return True
    except (KeyError, IndexError, ValueError):
        return False


def put(document, way, value):
    *way, last = way
    for part in way:
        document = document.setdefault(part, {})
    document[last] = value


def references(node):
    found, pending = set(), [node]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str) and one["$ref"].startswith("#/"):
                found.add(one["$ref"])
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return found


class Prism:
    """The mock server, for a part of a description: 200 where a request is valid, else what is wrong with it."""

    def __init__(self, described, tools):
        file = described.home / f"{described.name}.part.json"
        file.write_text(json.dumps(described.part(tools)))
        self.log, self.port = described.home / f"{described.name}.prism.log", described.port
        command = [provision.node_binary(), provision.npm_server("prism"), "mock", "--errors", "--host", "127.0.0.1",
                   "--port", str(described.port), file]
        self.process = Process(command, self.log)
        self.ready = lambda: self.listening()

    def listening(self):
        check(self.process.running, f"Prism ended by itself: {self.log.read_text()[-600:]}")
        try:
            request(self.port, "GET", "/", timeout=5)
            return True
        except OSError:
            return False


class Stage:
    def __init__(self):
        self.home = folder("openapi")
        self.described = {name: Described(name, self.home) for name in NAMES}
        sources = "".join(one.source for one in self.described.values())
        config = f'[posture]\nmedium = "allow"\nhigh = "allow"\ncritical = "allow"\n{sources}'
        self.gate = Gate(config, {"all.json": ALLOW}, self.home)
        self.gate.ready_seconds = 240  # LIMIT: 20 MB of descriptions, and a build that nobody optimised.
        self.gate.opened()
        self.tools = {name: [] for name in NAMES}
        wait_for(f"all descriptions to be read ({self.home}/gate.log)", self.all_up, 120)
        self.token = self.gate.agent("caller", "--role", "service", "--admin")
        for tool in self.gate.http("GET", "/v1/tools", token=self.token, timeout=120).json["items"]:
            self.tools[tool["source"]].append(tool)

    def all_up(self):
        sources = listed(self.gate.cli("source", "ls"))
        states = {one["name"]: one["health"] for one in sources}
        check("down" not in states.values(), f"a description was not read: {sources}")
        return all(states.get(name) == "up" for name in NAMES)

    def seen(self, *arguments):
        """What an agent with this reach is shown, by source."""
        token = self.gate.agent(f"seer_{len(kit.FOLDERS)}_{abs(hash(arguments)) % 10**6}", *arguments)
        tools = self.gate.http("GET", "/v1/tools", token=token, timeout=120).json["items"]
        return token, tools


on = stage(Stage)


def arguments_for(tool):
    """Arguments that fit the tool's own schema, as many of them as there can be: what is sent is what is tried."""
    validator = Draft202012Validator(tool["input_schema"])
    for share in (1, 0.5, 0):
        made = Maker(tool["input_schema"], tool["id"]).make(share)
        if "Delimited" in tool["id"]:
            made.pop("object", None)
        error = next(validator.iter_errors(made), None)
        if error is None:
            return made
    raise kit.Failed(f"no arguments for `{tool['id']}`: {error.message[:200]} at {error.json_path} in {kit.shown(made)}")


def verdict(envelope):
    """What became of a call: `valid`, or what is wrong with what arrived."""
    if envelope["success"]:
        return "valid"
    data = envelope.get("data")
    said = data.get("validation", data.get("detail", data)) if isinstance(data, dict) else envelope.get("error") or envelope.get("denial")
    return f"{envelope['status']}: {kit.shown(said)}"


def tried(name):
    """Calls a sample of one description; returns the findings by tool."""
    stage = on()
    described = stage.described[name]
    tools = described.sampled(stage.tools[name])
    prism = Prism(described, tools)
    findings = {}
    try:
        wait_for(f"Prism to serve {name} ({prism.log})", prism.ready, 120)
        for tool in tools:
            try:
                made = arguments_for(tool)
                envelope = stage.gate.invoke(stage.token, tool["id"], made, timeout_ms=20000)
                findings[tool["id"]] = (verdict(envelope), made)
            except kit.Failed as failed:
                findings[tool["id"]] = (str(failed), None)
    finally:
        prism.process.kill()
    return name, len(stage.tools[name]), findings


@test("what arrives at an API is valid by its description, whatever tool of whichever description is called")
def against_prism():
    on()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = sorted(pool.map(tried, NAMES))
    wrong = []
    for name, count, findings in results:
        bad = {tool: found for tool, found in findings.items() if found[0] != "valid"}
        known = {tool for tool in bad if tool in KNOWN}
        print(f"     {name:<22} {count:>5} tools, {len(findings) - len(bad):>3} of {len(findings):>3} calls valid", flush=True)
        for tool in known:
            print(f"       {tool}: {KNOWN[tool]}")
        wrong += [f"{tool}: {found[0]} from {kit.shown(found[1], 200)}" for tool, found in bad.items() if tool not in KNOWN]
    total = sum(len(findings) for _, _, findings in results)
    valid = sum(found[0] == "valid" for _, _, findings in results for found in findings.values())
    print(f"     {'all':<22} {sum(count for _, count, _ in results):>5} tools, {valid:>3} of {total:>3} calls valid")
    check(not wrong, "\n     ".join([f"{len(wrong)} calls were not valid:", *wrong]))


@test("a grant of `get.*` reaches reads and nothing else, listed or called")
def reads_only():
    for name in ("github-rest", "stripe", "digitalocean", "twilio-verify", "petstore-20"):
        token, tools = on().seen("--tool", f"{name}.get.*", "--resource", "*")
        check(tools, f"nothing of {name} is reached")
        for tool in tools:
            found = (tool["verb"], tool["risk"], operation_of(tool)[0])
            equal(found, ("READ", "low", "get"), f"`{tool['id']}`")
        reached = {tool["id"] for tool in tools}
        others = [tool for tool in on().tools[name] if tool["id"] not in reached]
        kit.one_of(operation_of(others[0])[0], METHODS, "a method")
        for tool in [one for one in others if operation_of(one)[0] != "get"][:5]:
            envelope = on().gate.invoke(token, tool["id"], {})
            equal((envelope["outcome"], envelope["attempts"]), ("denied", 0), f"`{tool['id']}`")


@test("a ceiling of medium keeps every delete of every description away")
def no_delete():
    token, tools = on().seen("--tool", "*", "--resource", "*", "--max-risk", "medium")
    reached = {tool["id"] for tool in tools}
    check(reached, "nothing is reached")
    deletes = [tool for all in on().tools.values() for tool in all if operation_of(tool)[0] == "delete"]
    check(len(deletes) > 100, f"only {len(deletes)} deletes were found")
    found = sorted(tool["id"] for tool in deletes if tool["id"] in reached)
    equal(found, [], "deletes within a ceiling of medium")
    for name in NAMES:
        for tool in [one for one in deletes if one["source"] == name][:2]:
            envelope = on().gate.invoke(token, tool["id"], {})
            equal((envelope["outcome"], envelope["attempts"]), ("denied", 0), f"`{tool['id']}`")


DOCUMENT = {
    "openapi": "3.1.0", "info": {"title": "Small", "version": "1"},
    "paths": {
        "/echo": {"get": {"operationId": "echo", "responses": {"200": {"description": "What was sent"}}}},
        "/away": {"get": {"operationId": "away", "responses": {"200": {"description": "Leads elsewhere"}}}},
        "/home": {"get": {"operationId": "home", "responses": {"200": {"description": "Leads to /echo"}}}},
        "/slow": {"post": {"operationId": "slow", "responses": {"200": {"description": "Never answers"}}}},
        "/things/{id}": {"get": {"operationId": "thing", "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {"200": {"description": "A thing"}}}},
    },
}


class Small:
    """A small API of this test's own, under two names, and one that redirects are led to."""

    def __init__(self):
        self.home = folder("openapi-small")
        self.other = Api()
        self.api = Api({"/away": f"{self.other.url}/echo", "/home": "/echo"}, silent=("/slow",))
        for one in (self.api, self.other):
            kit.at_end(one.stop)
        (self.home / "secret").write_text(SECRET)
        (self.home / "small.json").write_text(json.dumps(DOCUMENT))
        self.desk = Desk(self.home)
        kit.at_end(self.desk.stop)
        document = request(self.desk.port, "GET", "/openapi.json").body
        (self.home / "desk.json").write_bytes(document)
        self.gate = Gate(self.config(), {"all.json": ALLOW}, self.home).opened()
        self.token = self.gate.agent("caller", "--tool", "*", "--resource", "*")
        self.gate.wait_tools(self.token, "here.echo", "inward.echo", "desk.refund")

    def config(self):
        source = """
[[source]]
name = "{name}"
openapi = {{ file = "{file}", base_url = "{url}", auth = {{ {auth} }}{more} }}
"""
        bearer = 'bearer = "file:secret"'
        named = self.api.url.replace("127.0.0.1", "localhost")
        desk = f"http://127.0.0.1:{self.desk.port}"
        sources = [("here", "small.json", self.api.url, bearer, ""), ("desk", "desk.json", desk, bearer, ""),
                   ("keyed", "small.json", self.api.url, 'query = { name = "key", value = "file:secret" }', ""),
                   ("inward", "small.json", named, bearer, ""), ("inside", "small.json", named, bearer, ", private_addresses = true")]
        raw = f"""
[[source]]
name = "raw"
http = {{ base_url = "{self.api.url}/sent", auth = {{ {bearer} }} }}
"""
        text = raw + "".join(source.format(name=name, file=file, url=url, auth=auth, more=more) for name, file, url, auth, more in sources)
        return f"""
[posture]
medium = "allow"
high = "allow"
critical = "allow"
{text}
[tools."here.echo"]
effect = "none"
[tools."keyed.echo"]
effect = "none"
[tools."here.slow"]
timeout = "1s"
[tools."desk.list_refunds"]
effect = "none"
[tools."desk.refund".effect]
idempotency = {{ header = "Idempotency-Key" }}
probe = "desk.list_refunds"
args = {{ charge = "{{args.charge}}" }}
landed = "any(result.data, r, r.idempotency_key == $invocation.id)"
"""

    def call(self, tool, arguments=None, **fields):
        return self.gate.invoke(self.token, tool, arguments or {}, **fields)


small = stage(Small)


@test("an agent never sees the gate's credential, not even where the API repeats it")
def credential():
    for tool, place in (("here.echo", "authorization"), ("keyed.echo", "target")):
        envelope = small().call(tool)
        equal(envelope["outcome"], "success", kit.shown(envelope))
        check("[withheld]" in str(envelope["data"][place] if place == "target" else envelope["data"]["headers"][place]), kit.shown(envelope))
        check(SECRET not in json.dumps(envelope), "the credential is in the envelope")
        check(SECRET not in json.dumps(small().gate.cli("log", "show", envelope["invocation_id"])), "the credential is on the record")
    check(any(SECRET in str(asked) for asked in small().api.asked), "the credential did not arrive")
    for tool in small().gate.http("GET", "/v1/tools", token=small().token).json["items"]:
        check(SECRET not in json.dumps(tool), f"the credential is in `{tool['id']}`")


@test("a redirect is followed at home and not elsewhere")
def redirects():
    envelope = small().call("here.home")
    equal((envelope["outcome"], envelope["data"]["target"]), ("success", "/echo"), kit.shown(envelope))
    envelope = small().call("here.away")
    equal(envelope["outcome"], "failure", kit.shown(envelope))
    check(small().other.url in envelope["error"]["message"], kit.shown(envelope))
    equal(small().other.asked, [], "what arrived elsewhere")


@test("a name that leads to this machine is spoken to only where that is allowed")
def inwards():
    before = len(small().api.asked)
    envelope = small().call("inward.echo")
    equal((envelope["outcome"], envelope["error"]["code"]), ("failure", "upstream_unavailable"), kit.shown(envelope))
    check("private_addresses" in envelope["error"]["message"], kit.shown(envelope))
    equal(len(small().api.asked), before, "requests that arrived")
    equal(small().call("inside.echo")["outcome"], "success", "where it is allowed")


@test("no value of an argument leads a path elsewhere, and one that would is not sent")
def paths():
    envelope = small().call("here.thing", {"id": "a/b?admin=1#x"})
    equal(envelope["data"]["target"], "/things/a%2Fb%3Fadmin%3D1%23x", kit.shown(envelope))
    for value in ("..", "../echo", "%2e%2e/echo", "", "."):
        before = len(small().api.asked)
        envelope = small().call("here.thing", {"id": value})
        kit.one_of(envelope["outcome"], ("failure", "denied"), f"`{value}`: {kit.shown(envelope)}")
        equal(len(small().api.asked), before, f"requests that arrived for `{value}`")


@test("no answer in time is an unknown effect, and the call is not sent again")
def timeout():
    before = len(small().api.asked)
    envelope = small().call("here.slow")
    equal((envelope["outcome"], envelope["error"]["code"]), ("indeterminate", "unknown_effect"), kit.shown(envelope))
    equal(len(small().api.asked), before + 1, "requests that arrived")


@test("a refund whose answer was lost is found by its probe, over the same description, and made once")
def settled():
    desk = small().desk
    desk.fault(kind="drop", tool="refund", when="after", times=1)
    refund = {"charge": "ch_1", "customer": "cust_123", "amount": 7}
    envelope = small().call("desk.refund", refund)
    envelope = small().gate.wait_status(small().token, envelope, "succeeded")
    check(envelope.get("reconciled"), f"not told by live state: {kit.shown(envelope)}")
    made = [one for one in kit.effects(desk.lines(), "refund") if float(one["amount"]) == 7]
    equal([one["key"] for one in made], [envelope["invocation_id"]], "refunds in the ledger, by their key")


@test("a description that changed is taken over, and one that broke leaves the tools that were there")
def reload():
    file = small().home / "small.json"
    tools = lambda: {tool["id"] for tool in small().gate.http("GET", "/v1/tools", token=small().token).json["items"]}
    document = json.loads(json.dumps(DOCUMENT))
    document["paths"]["/more"] = {"get": {"operationId": "more", "responses": {"200": {"description": "More"}}}}
    file.write_text(json.dumps(document))
    wait_for("the new operation", lambda: "here.more" in tools())
    file.write_text("{")
    status = lambda: next(one for one in listed(small().gate.cli("source", "ls")) if one["name"] == "here")
    wait_for("the status to say so", lambda: "cannot be used" in (status().get("detail") or ""))
    check("here.more" in tools(), "the tools are gone")
    equal(small().call("here.echo")["outcome"], "success", "a call with the old description")
    file.write_text(json.dumps(DOCUMENT))
    wait_for("the old description", lambda: "here.more" not in tools() and not status().get("detail"))


@test("a raw request is sent by the gate where a source was given for it, as judged, with the gate's credential")
def raw():
    body = {"method": "POST", "url": f"{small().api.url}/sent/x?a=1", "body": {"amount": 5},
            "headers": {"Authorization": "Bearer mine", "Content-Type": "application/json"}}
    answer = small().gate.http("POST", "/v1/invocations", {"http": body, "mode": "execute"}, small().token)
    envelope = answer.json
    equal((answer.status, envelope.get("outcome")), (200, "success"), f"{answer}")
    asked = small().api.asked[-1]
    equal((asked["method"], asked["target"], json.loads(asked["body"])), ("POST", "/sent/x?a=1", {"amount": 5}), "what arrived")
    equal(asked["headers"]["authorization"], f"Bearer {SECRET}", "the credential")
    check(SECRET not in json.dumps(envelope) and "Bearer mine" not in json.dumps(envelope), kit.shown(envelope))
    before = len(small().api.asked)
    for url in (f"{small().api.url}/echo", f"{small().api.url}/sentx", "https://shop.example/sent/x"):
        answer = small().gate.http("POST", "/v1/invocations", {"http": {**body, "url": url}}, small().token)
        problem = kit.problem(answer, 422, "not_available")
        check("http = {" in problem["detail"] and "`host`" in problem["detail"], kit.shown(problem))
    equal(len(small().api.asked), before, "requests that arrived elsewhere")


def listed(answer):
    return answer["items"] if isinstance(answer, dict) else answer
