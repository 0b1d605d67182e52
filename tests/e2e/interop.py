"""Real MCP clients call real MCP servers through the gate, and see what they see without it.

Clients: the official Python one (modern and legacy) and the official TypeScript ones (v1, and v2
in both eras). Servers: server-everything over stdio and over streamable HTTP, server-filesystem
and mcp-server-time over stdio. Each client makes the same calls directly and through `/mcp`; the
content must be the same JSON.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

import kit
import provision
from kit import Gate, Process, at_end, check, equal, folder, free_port, has_every_field, stage, test, wait_for

PYTHON = ("python-auto", "python-legacy")
TYPESCRIPT = ("v1", "v2-legacy", "v2-auto")
DENIED_ABOVE = 100

POLICY = {
    "name": "sums",
    "rules": [
        {"rule_id": "big", "when": f"tool == everything.get-sum and a > {DENIED_ABOVE}", "effect": "deny",
         "reason": "sums above 100 are not for agents"},
        {"rule_id": "ask", "when": "tool == files.create_directory", "effect": "require_approval"},
    ],
}


def configure(_options):
    """Nothing to configure."""


class Server:
    """A real server, how to start it directly, and what is called there."""

    def __init__(self, name, calls, command=None, args=(), url=None, granted=None):
        self.name, self.calls, self.command, self.args, self.url = name, calls, command, list(args), url
        self.granted = granted or [call["name"] for call in calls]

    @property
    def direct(self):
        if self.url:
            return {"url": self.url}
        return {"command": self.command, "args": self.args}

    @property
    def source(self):
        where = f"url = {json.dumps(self.url)}" if self.url else f"command = {json.dumps([self.command, *self.args])}"
        return f'[[source]]\nname = "{self.name}"\nmcp = {{ {where} }}\n'

    def through(self, calls):
        return [{**call, "name": f"{self.name}__{call['name']}"} for call in calls]


class Stage:
    def __init__(self):
        home = folder("interop")
        self.files = home / "files"
        self.files.mkdir()
        (self.files / "note.txt").write_text("what was written\n", encoding="utf-8")
        node, port = str(provision.node_binary()), free_port()
        everything = str(provision.npm_server("mcp-server-everything"))
        environment = {**kit.clean_environment(), "PORT": str(port)}
        http = Process([node, everything, "streamableHttp"], home / "everything.log", env=environment)
        at_end(http.kill)
        wait_for("server-everything over HTTP", lambda: answers(port))
        calls = [
            {"name": "echo", "arguments": {"message": "grüße, 世界 \u2028 \"quoted\""}},
            {"name": "get-sum", "arguments": {"a": 2, "b": 3.5}},
            {"name": "get-structured-content", "arguments": {"location": "Chicago"}},
            {"name": "get-tiny-image", "arguments": {}},
            {"name": "get-annotated-message", "arguments": {"messageType": "error", "includeImage": True}},
            {"name": "get-resource-links", "arguments": {"count": 3}},
        ]
        self.servers = [
            Server("everything", calls, node, [everything, "stdio"],
                granted=[*(call["name"] for call in calls), "trigger-long-running-operation"]),
            Server("web", calls, url=f"http://127.0.0.1:{port}/mcp"),
            Server("files", [
                {"name": "read_text_file", "arguments": {"path": str(self.files / "note.txt")}},
                {"name": "list_directory", "arguments": {"path": str(self.files)}},
                {"name": "read_text_file", "arguments": {"path": "/etc/passwd"}},
            ], node, [str(provision.npm_server("mcp-server-filesystem")), str(self.files)],
                granted=["read_text_file", "list_directory", "create_directory"]),
            Server("time", [
                {"name": "convert_time", "arguments": {"source_timezone": "Europe/Paris", "time": "16:30", "target_timezone": "Asia/Tokyo"}},
                {"name": "convert_time", "arguments": {"source_timezone": "Nowhere/Land", "time": "16:30", "target_timezone": "UTC"}},
            ], sys.executable, ["-m", "mcp_server_time", "--local-timezone", "UTC"]),
        ]
        self.gate = Gate("".join(server.source for server in self.servers), {"sums.json": POLICY}, home).opened()
        grants = [part for server in self.servers for tool in sorted(set(server.granted)) for part in ("--tool", f"{server.name}.{tool}")]
        self.token = self.gate.agent("reader", *grants)
        self.approver = self.gate.person("bo@acme.com")
        self.target = {"url": f"{self.gate.url}/mcp", "token": self.token}
        self.gate.wait_tools(self.token, "everything.echo", "web.echo", "files.list_directory", "time.convert_time")

    def expected_names(self):
        return sorted(f"{server.name}__{tool}" for server in self.servers for tool in set(server.granted))


on = stage(Stage)


def answers(port):
    try:
        return kit.request(port, "GET", "/mcp", timeout=2).status
    except OSError:
        return None


def drive(client, target, calls):
    """What this client sees of this server: {version, tools, results}."""
    if client in PYTHON:
        return asyncio.run(drive_python(client.removeprefix("python-"), target, calls))
    order = json.dumps({"client": client, "target": {**target, "env": dict(kit.clean_environment())}, "calls": calls})
    # The packages are found from where they are installed.
    script = kit.NODE / "interop.mjs"
    script.write_text((kit.HERE / "interop.mjs").read_text())
    command = [str(provision.node_binary()), str(script)]
    done = subprocess.run(command, input=order, capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"the client {client} failed: {kit.shown(done.stderr)}")
    return json.loads(done.stdout)


async def drive_python(mode, target, calls):
    async with connected(mode, target) as client:
        return await seen(client, calls)


@contextlib.asynccontextmanager
async def connected(mode, target):
    """The official Python client on this server."""
    if "command" in target:
        with open(os.devnull, "w") as silent:
            server = StdioServerParameters(command=target["command"], args=target["args"], env=target.get("env"))
            async with Client(stdio_client(server, errlog=silent), mode=mode) as client:
                yield client
        return
    headers = {"Authorization": f"Bearer {target['token']}"} if "token" in target else {}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(target["url"], http_client=http), mode=mode) as client:
            yield client


async def seen(client, calls):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            break
    results = []
    for call in calls:
        try:
            result = await client.call_tool(call["name"], call["arguments"])
            results.append({"result": result.model_dump(mode="json", by_alias=True, exclude_none=True)})
        except MCPError as error:
            results.append({"error": {"code": error.error.code, "message": error.error.message}})
    return {"version": client.protocol_version, "tools": tools, "results": results}


def content(result, where):
    """What a model is shown of a result."""
    check("result" in result, f"{where}: {kit.shown(result)}")
    result = result["result"]
    return {key: result.get(key) for key in ("content", "structuredContent")} | {"isError": bool(result.get("isError"))}


def described(tool):
    """What a client is told of a tool, apart from its name."""
    return {key: tool.get(key) for key in ("title", "description", "inputSchema", "outputSchema", "annotations")}


def same_as_direct(client):
    for server in on().servers:
        direct = drive(client, server.direct, server.calls)
        gated = drive(client, on().target, server.through(server.calls))
        for call, plain, through in zip(server.calls, direct["results"], gated["results"], strict=True):
            where = f"{client}, {server.name}.{call['name']}"
            equal(content(through, where), content(plain, where), where)
            check("dev.toolgate/invocation-id" in through["result"].get("_meta", {}), f"{where}: no invocation id in `_meta`")
        names = {tool["name"]: tool for tool in gated["tools"]}
        for tool in direct["tools"]:
            if tool["name"] in server.granted:
                there = names[f"{server.name}__{tool['name']}"]
                equal(described(there), described(tool), f"{client}, the description of {server.name}.{tool['name']}")


def refusals(client):
    """An ungranted tool is not listed and not there; a denied call says so as data."""
    calls = [
        {"name": "everything__get-env", "arguments": {}},
        {"name": "everything__no-such-tool", "arguments": {}},
        {"name": "everything__get-sum", "arguments": {"a": 1000, "b": 1}},
        {"name": "everything__get-sum", "arguments": {"a": 1, "b": 1}},
    ]
    view = drive(client, on().target, calls)
    listed = sorted(tool["name"] for tool in view["tools"] if not tool["name"].startswith("toolgate_"))
    equal(listed, on().expected_names(), f"{client}: the tools listed")
    hidden, missing, denied, allowed = view["results"]
    for found in (hidden, missing):
        check("error" in found and found["error"]["code"] == -32602, f"{client}: {kit.shown(found)}")
    same = hidden["error"]["message"].replace("everything__get-env", "X")
    equal(missing["error"]["message"].replace("everything__no-such-tool", "X"), same, f"{client}: hidden and missing differ")
    denial(denied, client, "policy_denied", "sums/big")
    equal(content(allowed, client)["isError"], False, f"{client}: a good call afterwards")


def denial(found, client, code, rule):
    result = found.get("result", {})
    check(result.get("isError") is True, f"{client}: the denial is no error result: {kit.shown(found)}")
    check("structuredContent" not in result or result["structuredContent"] is None, f"{client}: a denial with structured content")
    equal([part["type"] for part in result["content"]], ["text"], f"{client}: the content")
    first = result["content"][0]["text"].splitlines()[0]
    check(first.startswith(f"Denied by {rule}: "), f"{client}: the first line: {first}")
    check(first.endswith("This call was not executed."), f"{client}: the first line: {first}")
    envelope = result["_meta"]["dev.toolgate/outcome"]
    has_every_field(envelope, denied=True)
    equal(envelope["denial"]["code"], code, f"{client}: the code")
    equal(result["_meta"]["dev.toolgate/invocation-id"], envelope["invocation_id"], f"{client}: the invocation")


def add(client):
    @test(f"{client}: allowed calls of four servers give the same content as without the gate")
    def _same():
        same_as_direct(client)

    @test(f"{client}: an ungranted tool is hidden and missing alike, a denied one says so as data")
    def _refused():
        refusals(client)


for each in (*PYTHON, *TYPESCRIPT):
    add(each)


@test("both eras reach the gate: the modern client speaks 2026-07-28, the legacy one 2025-11-25")
def eras():
    for client, version in (("python-auto", "2026-07-28"), ("python-legacy", "2025-11-25"), ("v2-auto", "2026-07-28"), ("v2-legacy", "2025-11-25")):
        equal(drive(client, on().target, [])["version"], version, client)


def progress_of(client, target, tool, steps):
    """The progress that this client is told while a long call runs, and the call's content."""
    told = []

    async def note(progress, total, message):
        told.append((progress, total))

    async def call():
        async with connected(client.removeprefix("python-"), target) as opened:
            result = await opened.call_tool(tool, {"duration": 1, "steps": steps}, progress_callback=note)
            return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    result = asyncio.run(call())
    return told, content({"result": result}, client)


@test("progress of a long call reaches the client that asked for it, in both eras")
def progress():
    everything = on().servers[0]
    # Another number of steps each time: the same call again would be answered from the first.
    for steps, client in enumerate(PYTHON, start=4):
        direct = progress_of(client, everything.direct, "trigger-long-running-operation", steps)
        gated = progress_of(client, on().target, "everything__trigger-long-running-operation", steps)
        equal(gated, direct, f"{client}: progress and content")
        check(len(gated[0]) >= 3, f"{client}: too little progress to prove anything: {gated[0]}")


@test("a client that listens is told when what it may reach has changed, and then sees it")
def list_changed():
    gate = on().gate
    token = gate.agent("listener", "--tool", "everything.echo")
    names = lambda page: sorted(tool.name for tool in page.tools if not tool.name.startswith("toolgate_"))
    grant = gate.home / "listener.json"
    grant.write_text(json.dumps({"name": "listener", "agent_id": "listener", "allowed_tools": ["everything.get-sum"], "rules": []}))

    async def look():
        async with connected("auto", {"url": f"{gate.url}/mcp", "token": token}) as client:
            equal(names(await client.list_tools()), ["everything__echo"], "the tools before")
            async with client.listen(tools_list_changed=True) as events:
                await asyncio.to_thread(gate.cli, "policy", "apply", grant, "--activate")
                async with asyncio.timeout(kit.READY_SECONDS):
                    async for _ in events:
                        found = names(await client.list_tools())
                        if found == ["everything__echo", "everything__get-sum"]:
                            return

    asyncio.run(look())


@test("a call that needs approval is answered as pending, joins when repeated, runs once approved, and can be awaited")
def approval_over_mcp():
    place = on().files / "made by an agent"
    call = [{"name": "files__create_directory", "arguments": {"path": str(place)}}]
    first = drive("python-auto", on().target, call)["results"][0]["result"]
    envelope = first["_meta"]["dev.toolgate/outcome"]
    has_every_field(envelope, pending=True)
    check(first["isError"] is True and envelope["denial"]["details"]["approval_id"] in first["content"][0]["text"], kit.shown(first))
    check(not place.exists(), "it ran before it was approved")
    again = drive("v1", on().target, call)["results"][0]["result"]["_meta"]["dev.toolgate/outcome"]
    equal(again["denial"]["details"]["approval_id"], envelope["denial"]["details"]["approval_id"], "the approval")
    equal(on().gate.decide(envelope, on().approver).status, 200, "the approval")
    on().gate.wait_status(on().token, envelope, "succeeded")
    check(place.is_dir(), "it did not run after it was approved")
    wait = [{"name": "toolgate_await", "arguments": {"id": envelope["denial"]["details"]["approval_id"]}}]
    done = drive("v1", on().target, wait)["results"][0]
    equal(content(done, "the result")["isError"], False, f"the real result afterwards: {kit.shown(done)}")
    check("made by an agent" in kit.shown(done["result"]["content"]), kit.shown(done))


@test("`toolgate mcp` serves the same tools over standard streams")
def over_streams():
    key = on().gate.home / "agent.key"
    key.write_text(on().token + "\n")
    key.chmod(0o600)
    environment = {**kit.clean_environment(), "TOOLGATE_URL": on().gate.url}
    target = {"command": str(kit.TOOLGATE), "args": ["mcp", "--key-file", str(key)], "env": environment}
    view = drive("python-auto", target, [{"name": "everything__echo", "arguments": {"message": "hello"}}])
    listed = sorted(tool["name"] for tool in view["tools"] if not tool["name"].startswith("toolgate_"))
    equal(listed, on().expected_names(), "the tools listed")
    check("hello" in view["results"][0]["result"]["content"][0]["text"], kit.shown(view["results"]))


@test("one upstream that is gone costs its own tools and no other")
def one_gone():
    home = folder("gone")
    config = f'[[source]]\nname = "gone"\nmcp = {{ url = "http://127.0.0.1:{free_port()}/mcp" }}\n' + on().servers[0].source
    with Gate(config, {"sums.json": POLICY}, home) as gate:
        token = gate.agent("reader", "--tool", "everything.echo", "--tool", "gone.*")
        gate.wait_tools(token, "everything.echo")
        view = drive("python-auto", {"url": f"{gate.url}/mcp", "token": token}, [{"name": "everything__echo", "arguments": {"message": "on"}}])
        check("on" in view["results"][0]["result"]["content"][0]["text"], kit.shown(view["results"]))
