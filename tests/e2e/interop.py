"""The interop matrix: eight official MCP clients by five official servers, through the gate.

Of each pair, in order:

    list       what was granted is listed, described as the server describes it
    call       results are the same JSON as without the gate, but for the keys that are the gate's
    deny       a denied call says so as data; what was not granted is not there
    wait       a call that needs approval is answered as pending (or as a task), runs once approved
    lose       the connection to the server breaks in a call: the client is told that nobody knows,
               and the next call works
    prompts    where the server has them, and resources likewise

Every client is an agent of its own, so that no call is answered from another one's.
Must not know: how a client is driven (mcp_clients.py).
"""

import functools
import json
import threading

import kit
import verdict
from kit import Gate, at_end, check, equal, folder, has_every_field, stage, test, wait_for
from mcp_clients import CLIENTS, drive, own
from mcp_servers import SERVERS, call

POLICY = {"name": "matrix", "rules": [
    {"rule_id": "sum", "when": "tool in [everything.get-sum, web.get-sum] and a > 100", "effect": "deny", "reason": "no sums above 100"},
    {"rule_id": "write", "when": "tool == files.write_file", "effect": "deny", "reason": "files are not written"},
    {"rule_id": "midnight", "when": 'tool == clock.convert_time and args.time == "00:00"', "effect": "deny", "reason": "not at midnight"},
    {"rule_id": "table", "when": "tool == sqlite.create_table", "effect": "deny", "reason": "tables are not made"},
    {"rule_id": "ask", "when": "tool in [everything.get-sum, web.get-sum] and a > 50", "effect": "require_approval"},
    {"rule_id": "ask-more", "when": "tool in [files.create_directory, clock.get_current_time, sqlite.write_query]",
     "effect": "require_approval"},
]}


def configure(_options):
    """Nothing to configure."""


# It polls tasks, so what it hears of a call that waits is how it ended.
FOLLOWS_TASKS = {"inspector modern"}
# LIMIT: one call a server, because each ask of these is a process and a connection of its own.
BRIEF = {"inspector legacy", "inspector modern"}


class Stage:
    def __init__(self):
        home = folder("interop")
        self.servers = {name: server(home) for name, server in SERVERS.items()}
        config = "".join(server.source() for server in self.servers.values())
        self.gate = Gate(config, {"matrix.json": POLICY}, home).opened()
        self.approver = self.gate.person("bo@acme.com")
        self.tools = [f"{server.name}.{tool}" for server in self.servers.values() for tool in server.granted()]
        methods = [f"{server.name}.{method}" for server in self.servers.values() for method in {ask[0] for ask in server.offers}]
        self.grants = [part for tool in (*self.tools, *methods) for part in ("--tool", tool)]
        self.prober = self.gate.agent("prober", *self.grants, "--resource", "*")
        known = lambda: set(self.tools) <= {tool["id"] for tool in self.gate.cli("tool", "ls")["items"]}
        wait_for("the tools of all servers", known)

    def wait_for(self, server):
        """Waits until a server that was lost answers again."""
        method, params = server.calls()[0]
        path = f"{server.name}.{params['name']}"
        works = lambda: self.gate.invoke(self.prober, path, params["arguments"], allow_duplicate=True)["success"]
        wait_for(f"{server.name} to be there again", works)

    @functools.cache
    def target(self, client):
        token = self.gate.agent(name_of(client), *self.grants, "--resource", "*")
        return {"url": f"{self.gate.url}/mcp", "token": token}


on = stage(Stage)


def name_of(client):
    """The agent that this client is."""
    return client.replace(" ", "-")


class Pair:
    """One client on one server, with and without the gate."""

    def __init__(self, client, server):
        self.client, self.server = client, on().servers[server]
        self.number = list(CLIENTS).index(client)
        self.where = f"{client} on {server}"

    def gated(self, *asks):
        return drive(self.client, on().target(self.client), list(asks))["answers"]

    @functools.cached_property
    def views(self):
        """Every ask with its answers, directly and through the gate; each side on one connection."""
        calls = self.server.calls()[:1 if self.client in BRIEF else None]
        asks = [["tools/list", {}], *calls, *self.server.offers]
        asks += [[f"{kind}/list", {}] for kind in kinds(self.server)]
        direct = drive(self.client, self.server.direct, asks)["answers"]
        through = [self.server.through(ask) for ask in asks]
        gated = self.gated(*through, *self.turned_down, *self.waiting)
        self.refusals = gated[len(asks):][:len(self.turned_down)]
        self.pending = gated[len(asks) + len(self.turned_down):]
        return list(zip(asks, direct, gated))

    @property
    def turned_down(self):
        """A call that is denied, and some of tools that are hidden or missing."""
        return [self.server.through(ask) for ask in (self.server.denied(), *map(call, self.server.hidden))]

    @property
    def waiting(self):
        """The call that needs approval, where the client gets an answer before there is one."""
        return [] if self.client in FOLLOWS_TASKS else [self.asking]

    @property
    def asking(self):
        return self.server.through(self.server.waits(self.client, self.number))

    def same(self, method):
        """Both ways give the same, byte for byte as far as this client hands it on."""
        for ask, direct, gated in self.views:
            where = f"{self.where}: {kit.shown(ask, 120)}"
            if ask[0] == method:
                check("result" in direct, f"{where} without the gate: {kit.shown(direct)}")
                check("result" in gated, f"{where}: {kit.shown(gated)}")
                check("dev.toolgate/invocation-id" in gated["result"].get("_meta", {}), f"{where}: no invocation id in `_meta`")
                equal(own(gated["result"]), own(direct["result"]), where)

    def same_list(self, kind, name="name"):
        """What is listed is described as the server does it, in the gate's names; gives those names."""
        [(direct, gated)] = [(direct, gated) for ask, direct, gated in self.views if ask[0] == f"{kind}/list"]
        check("result" in gated, f"{self.where}: {kind}/list: {kit.shown(gated)}")
        listed = {entry[name]: entry for entry in gated["result"][kind]}
        for entry in direct["result"][kind]:
            if kind != "tools" or entry["name"] in self.server.granted():
                there = self.server.through([None, {name: entry[name]}])[1][name]
                equal(described(listed.get(there, {})), described(entry), f"{self.where}: {kind}/list: {there}")
        return list(listed)

    def list(self):
        names = sorted(name for name in self.same_list("tools") if not name.startswith("toolgate_"))
        equal(names, sorted(tool.replace(".", "__", 1) for tool in on().tools), f"{self.where}: the tools listed")

    def call(self):
        self.same("tools/call")

    def prompts(self):
        self.same("prompts/get")
        self.same_list("prompts")

    def resources(self):
        self.same("resources/read")
        self.same_list("resources", "uri")

    def deny(self):
        denied, *missing = self.views and self.refusals
        refused(denied, self.where)
        words = {found["error"]["message"].replace(f"{self.server.name}__{name}", "X")
                 for name, found in zip(self.server.hidden, missing) if "error" in found}
        equal((len(words), all("error" in found for found in missing)), (1, True), f"{self.where}: hidden and missing: {missing}")

    def wait(self):
        """Once approved it runs; on the same connection the next call is lost, for `lose` to look at."""
        losing = self.server.through(self.server.lost(self.client, self.number))
        if self.client in FOLLOWS_TASKS:
            [done] = self.followed(self.asking)
            self.server.lose()
            [self.lost] = self.gated(losing)
        else:
            envelope = pending(*(self.views and self.pending), self.where)
            equal(on().gate.decide(envelope, on().approver).status, 200, f"{self.where}: the approval")
            on().gate.wait_status(on().target(self.client)["token"], envelope, "succeeded")
            self.server.lose()
            awaited = call("toolgate_await", id=envelope["denial"]["details"]["approval_id"])
            done, self.lost = self.gated(awaited, losing)
        check(not done.get("result", {"isError": True}).get("isError"), f"{self.where}: the approved call: {kit.shown(done)}")
        self.server.happened(self.client, self.number, kit.shown(done["result"]["content"]))

    def followed(self, ask):
        """A client that follows tasks hears nothing before somebody has decided."""
        found = []
        thread = threading.Thread(target=lambda: found.extend(self.gated(ask)))
        thread.start()
        agent = name_of(self.client)
        asked = lambda: [each for each in on().gate.cli("approvals", "ls")["items"] if each["agent"] == agent]
        [approval] = wait_for(f"{self.where}: the approval", asked)
        on().gate.cli("approve", approval["approval_id"], "--digest", approval["digest"], token=on().approver)
        thread.join()
        return found

    def lose(self):
        result = self.lost.get("result", {})
        envelope = result.get("_meta", {}).get("dev.toolgate/outcome", {})
        equal((result.get("isError"), envelope.get("outcome")), (True, "indeterminate"), f"{self.where}: a lost call: {kit.shown(self.lost)}")
        on().wait_for(self.server)
        [again] = self.gated(self.server.through(self.server.calls()[0]))
        check(not again.get("result", {"isError": True}).get("isError"), f"{self.where}: the next call: {kit.shown(again)}")


def described(entry):
    """What a client is told of a tool, prompt or resource, apart from what it is called."""
    told = ("title", "description", "inputSchema", "outputSchema", "annotations", "arguments", "mimeType", "size")
    return {key: entry.get(key) for key in told}


def kinds(server):
    """What the server offers besides tools: prompts, resources."""
    return sorted({ask[0].split("/")[0] for ask in server.offers})


def refused(found, where):
    """A denial: data, in words, with its envelope, and nothing that a schema could choke on."""
    result = found.get("result", {})
    check(result.get("isError") is True, f"{where}: the denial is no error result: {kit.shown(found)}")
    check(result.get("structuredContent") is None, f"{where}: a denial with structured content")
    equal([part["type"] for part in result["content"]], ["text"], f"{where}: the content")
    first = result["content"][0]["text"].splitlines()[0]
    check(first.startswith("Denied by matrix/") and first.endswith("This call was not executed."), f"{where}: the first line: {first}")
    envelope = result["_meta"]["dev.toolgate/outcome"]
    has_every_field(envelope, denied=True)
    equal(envelope["denial"]["code"], "policy_denied", f"{where}: the code")
    equal(result["_meta"]["dev.toolgate/invocation-id"], envelope["invocation_id"], f"{where}: the invocation")


def pending(found, where):
    result = found.get("result", {})
    check(result.get("isError") is True and result.get("structuredContent") is None, f"{where}: the pending answer: {kit.shown(found)}")
    envelope = result["_meta"]["dev.toolgate/outcome"]
    has_every_field(envelope, pending=True)
    check(envelope["denial"]["details"]["approval_id"] in result["content"][0]["text"], f"{where}: no approval id in the words: {kit.shown(found)}")
    return envelope


ASPECTS = ("list", "call", "deny", "wait", "lose")
ROWS = {client: {"client": client, **{server: "" for server in SERVERS}} for client in CLIENTS}
at_end(lambda: any(any(row[server] for server in SERVERS) for row in ROWS.values()) and print("\n" + verdict.table(list(ROWS.values()))))


def add(client, server):
    aspects = (*ASPECTS, *kinds(SERVERS[server]))

    @test(f"{client} on {server}: {', '.join(aspects)}")
    def _pair():
        pair, cell = Pair(client, server), 0
        for aspect in aspects:
            try:
                getattr(pair, aspect)()
                cell += 1
            finally:
                ROWS[client][server] = f"{cell}/{len(aspects)}"


for each in CLIENTS:
    for server in SERVERS:
        add(each, server)
