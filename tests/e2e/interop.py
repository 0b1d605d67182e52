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
    {"rule_id": "midnight", "when": 'tool == time.convert_time and time == "00:00"', "effect": "deny", "reason": "not at midnight"},
    {"rule_id": "table", "when": "tool == sqlite.create_table", "effect": "deny", "reason": "tables are not made"},
    {"rule_id": "ask", "when": "tool in [everything.get-sum, web.get-sum] and a > 50", "effect": "require_approval"},
    {"rule_id": "ask-more", "when": "tool in [files.create_directory, time.get_current_time, sqlite.write_query]",
     "effect": "require_approval"},
]}


def configure(_options):
    """Nothing to configure."""


# What a client has to declare for this: it polls tasks, so a call that waits ends when it has ended.
FOLLOWS_TASKS = {"inspector modern"}


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
        known = lambda: set(self.tools) <= {tool["id"] for tool in self.gate.cli("tool", "ls")["items"]}
        wait_for("the tools of all servers", known)

    @functools.cache
    def target(self, client):
        token = self.gate.agent(client.replace(" ", "-"), *self.grants, "--resource", "*")
        return {"url": f"{self.gate.url}/mcp", "token": token}


on = stage(Stage)


class Pair:
    """One client on one server, with and without the gate."""

    def __init__(self, client, server):
        self.client, self.server = client, on().servers[server]
        self.number = list(CLIENTS).index(client)
        self.where = f"{client} on {server}"

    def gated(self, *asks):
        return drive(self.client, on().target(self.client), list(asks))["answers"]

    def same(self, asks):
        """Both ways give the same."""
        direct = drive(self.client, self.server.direct, asks)["answers"]
        gated = self.gated(*map(self.server.through, asks))
        for ask, plain, through in zip(asks, direct, gated, strict=True):
            where = f"{self.where}: {kit.shown(ask, 120)}"
            check("result" in plain, f"{where} without the gate: {kit.shown(plain)}")
            check("result" in through, f"{where}: {kit.shown(through)}")
            check("dev.toolgate/invocation-id" in through["result"].get("_meta", {}), f"{where}: no invocation id in `_meta`")
            equal(own(through["result"]), own(plain["result"]), where)

    def list(self):
        [direct] = drive(self.client, self.server.direct, [["tools/list", {}]])["answers"]
        [gated] = self.gated(["tools/list", {}])
        listed = {tool["name"]: tool for tool in gated["result"]["tools"]}
        names = sorted(name for name in listed if not name.startswith("toolgate_"))
        equal(names, sorted(tool.replace(".", "__", 1) for tool in on().tools), f"{self.where}: the tools listed")
        for tool in direct["result"]["tools"]:
            if tool["name"] in self.server.granted():
                name = f"{self.server.name}__{tool['name']}"
                equal(own(listed[name]), own({**tool, "name": name}), f"{self.where}: the tool {name}")

    def call(self):
        self.same(self.server.calls())

    def deny(self):
        hidden = [self.server.through(call(name)) for name in self.server.hidden]
        denied, *missing = self.gated(self.server.through(self.server.denied()), *hidden)
        refused(denied, self.where)
        words = {found["error"]["message"].replace(f"{self.server.name}__{name}", "X")
                 for name, found in zip(self.server.hidden, missing) if "error" in found}
        equal((len(words), all("error" in found for found in missing)), (1, True), f"{self.where}: hidden and missing: {missing}")

    def wait(self):
        ask = self.server.through(self.server.waits(self.client, self.number))
        if self.client in FOLLOWS_TASKS:
            [done] = self.followed(ask)
        else:
            [first] = self.gated(ask)
            envelope = pending(first, self.where)
            equal(on().gate.decide(envelope, on().approver).status, 200, f"{self.where}: the approval")
            [done] = self.gated(["tools/call", {"name": "toolgate_await", "arguments": {"id": envelope["denial"]["details"]["approval_id"]}}])
        check(not done.get("result", {"isError": True}).get("isError"), f"{self.where}: the approved call: {kit.shown(done)}")
        self.server.happened(self.client, self.number, kit.shown(done["result"]["content"]))

    def followed(self, ask):
        """A client that follows tasks hears nothing before somebody has decided."""
        found = []
        thread = threading.Thread(target=lambda: found.extend(self.gated(ask)))
        thread.start()
        approval = wait_for(f"{self.where}: the approval", lambda: on().gate.cli("approvals", "ls")["items"])[0]
        on().gate.cli("approve", approval["id"], "--digest", approval["digest"], token=on().approver)
        thread.join()
        return found

    def lose(self):
        self.server.lose()
        [lost] = self.gated(self.server.through(self.server.lost(self.client, self.number)))
        result = lost.get("result", {})
        envelope = result.get("_meta", {}).get("dev.toolgate/outcome", {})
        equal((result.get("isError"), envelope.get("outcome")), (True, "indeterminate"), f"{self.where}: a lost call: {kit.shown(lost)}")
        again = self.server.through(self.server.calls()[0])
        works = lambda: not self.gated(again)[0].get("result", {"isError": True}).get("isError")
        wait_for(f"{self.where}: a call to work again", works)

    def prompts(self):
        self.same([ask for ask in self.server.offers if ask[0] == "prompts/get"])
        self.same_list("prompts/list", "prompts", "name", lambda name: f"{self.server.name}__{name}")

    def resources(self):
        self.same([ask for ask in self.server.offers if ask[0] == "resources/read"])
        self.same_list("resources/list", "resources", "uri", lambda uri: f"toolgate://{self.server.name}/{uri}")

    def same_list(self, method, key, name, through):
        [direct] = drive(self.client, self.server.direct, [[method, {}]])["answers"]
        [gated] = self.gated([method, {}])
        listed = {entry[name]: own(entry) for entry in gated["result"][key]}
        for entry in direct["result"][key]:
            equal(listed.get(through(entry[name])), own({**entry, name: through(entry[name])}), f"{self.where}: {method}")


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
    more = sorted({ask[0].split("/")[0] for ask in SERVERS[server].offers})
    aspects = (*ASPECTS, *more)

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
