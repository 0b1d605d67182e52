"""What MCP clients see of the gate beyond single calls: eras, progress, changes, waiting, streams.

The official Python client and the TypeScript ones (mcp_clients.py) on server-everything and
server-filesystem; interop.py holds every client to every server. Must not know: how the gate
relays what it relays.
"""

import asyncio
import json

import kit
from kit import Gate, check, equal, folder, free_port, has_every_field, stage, test
from mcp_clients import connected, drive, own, plain
from mcp_servers import Everything, Files, call

POLICY = {"name": "face", "rules": [
    {"rule_id": "ask", "when": "tool == files.create_directory", "effect": "require_approval"},
]}
GRANTED = ("everything.echo", "everything.get-sum", "everything.trigger-long-running-operation", "files.create_directory")


def configure(_options):
    """Nothing to configure."""


class Stage:
    def __init__(self):
        home = folder("face")
        self.everything, self.files = Everything(home), Files(home)
        self.gate = Gate(self.everything.source() + self.files.source(), {"face.json": POLICY}, home).opened()
        self.token = self.gate.agent("reader", *(part for tool in GRANTED for part in ("--tool", tool)))
        self.approver = self.gate.person("bo@acme.com")
        self.target = {"url": f"{self.gate.url}/mcp", "token": self.token}
        self.gate.wait_tools(self.token, *GRANTED)

    def called(self, client, ask):
        [answer] = drive(client, self.target, [ask])["answers"]
        check("result" in answer, f"{client}: {kit.shown(answer)}")
        return answer["result"]


on = stage(Stage)
ECHO = call("everything__echo", message="hello")


def text(result):
    check(not result.get("isError"), kit.shown(result))
    return result["content"][0]["text"]


def names(tools):
    return sorted(name for name in tools if not name.startswith("toolgate_"))


@test("both eras reach the gate: the modern client speaks 2026-07-28, the legacy one 2025-11-25")
def eras():
    for client, version in (("python-2 modern", "2026-07-28"), ("python-2 legacy", "2025-11-25"), ("python-1", "2025-11-25"),
                            ("ts-2 modern", "2026-07-28"), ("ts-2 legacy", "2025-11-25")):
        equal(drive(client, on().target, [])["version"], version, client)


def progress_of(mode, target, tool, steps):
    """The progress that a client is told while a long call runs, and the call's content."""
    told = []

    async def note(progress, total, message):
        told.append((progress, total))

    async def run():
        async with connected(mode, target) as client:
            return plain(await client.call_tool(tool, {"duration": 1, "steps": steps}, progress_callback=note))

    result = asyncio.run(run())
    return told, own(result)


@test("progress of a long call reaches the client that asked for it, in both eras")
def progress():
    tool = "trigger-long-running-operation"
    # Another number of steps each time: the same call again would be answered from the first.
    for steps, mode in enumerate(("auto", "legacy"), start=4):
        direct = progress_of(mode, on().everything.direct, tool, steps)
        gated = progress_of(mode, on().target, f"everything__{tool}", steps)
        equal(gated, direct, f"{mode}: progress and content")
        check(len(gated[0]) >= 3, f"{mode}: too little progress to prove anything: {gated[0]}")


@test("a client that listens is told when what it may reach has changed, and then sees it")
def list_changed():
    gate = on().gate
    token = gate.agent("listener", "--tool", "everything.echo")
    seen = lambda page: names(tool.name for tool in page.tools)
    grant = gate.home / "listener.json"
    grant.write_text(json.dumps({"name": "listener", "agent_id": "listener", "allowed_tools": ["everything.get-sum"], "rules": []}))

    async def look():
        async with connected("auto", {"url": f"{gate.url}/mcp", "token": token}) as client:
            equal(seen(await client.list_tools()), ["everything__echo"], "the tools before")
            async with client.listen(tools_list_changed=True) as events:
                await asyncio.to_thread(gate.cli, "policy", "apply", grant, "--activate")
                async with asyncio.timeout(kit.READY_SECONDS):
                    async for _ in events:
                        if seen(await client.list_tools()) == ["everything__echo", "everything__get-sum"]:
                            return

    asyncio.run(look())


@test("a call that needs approval is answered as pending, joins when repeated, runs once approved, and can be awaited")
def approval_joined():
    place = on().files.place / "made by an agent"
    ask = call("files__create_directory", path=str(place))
    first = on().called("python-2 modern", ask)
    envelope = first["_meta"]["dev.toolgate/outcome"]
    has_every_field(envelope, pending=True)
    approval = envelope["denial"]["details"]["approval_id"]
    check(not place.exists(), "it ran before it was approved")
    again = on().called("ts-1", ask)["_meta"]["dev.toolgate/outcome"]
    equal(again["denial"]["details"]["approval_id"], approval, "the approval")
    equal(on().gate.decide(envelope, on().approver).status, 200, "the approval")
    on().gate.wait_status(on().token, envelope, "succeeded")
    check(place.is_dir(), "it did not run after it was approved")
    done = on().called("python-1", call("toolgate_await", id=approval))
    check("made by an agent" in text(done), kit.shown(done))


@test("`toolgate mcp` serves the same tools over standard streams")
def over_streams():
    key = on().gate.home / "agent.key"
    key.write_text(on().token + "\n")
    key.chmod(0o600)
    environment = {**kit.clean_environment(), "TOOLGATE_URL": on().gate.url}
    target = {"command": str(kit.TOOLGATE), "args": ["mcp", "--key-file", str(key)], "env": environment}
    listed, echoed = drive("python-2 modern", target, [["tools/list", {}], ECHO])["answers"]
    found = names(tool["name"] for tool in listed["result"]["tools"])
    equal(found, sorted(tool.replace(".", "__", 1) for tool in GRANTED), "the tools listed")
    check("hello" in text(echoed["result"]), kit.shown(echoed))


@test("one upstream that is gone costs its own tools and no other")
def one_gone():
    home = folder("gone")
    config = f'[[source]]\nname = "gone"\nmcp = {{ url = "http://127.0.0.1:{free_port()}/mcp" }}\n' + Everything(home).source()
    with Gate(config, {"face.json": POLICY}, home) as gate:
        token = gate.agent("reader", "--tool", "everything.echo", "--tool", "gone.*")
        gate.wait_tools(token, "everything.echo")
        [answer] = drive("python-2 modern", {"url": f"{gate.url}/mcp", "token": token}, [ECHO])["answers"]
        check("hello" in text(answer["result"]), kit.shown(answer))
