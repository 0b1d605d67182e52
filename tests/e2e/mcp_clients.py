"""The official MCP clients, each driven in the same way: asks go in, answers come out.

    drive("ts-v1", {"url": …, "token": …}, [["tools/call", {"name": "echo", "arguments": {…}}]])
    → {"version": "2025-11-25", "answers": [{"result": {…}}]}

A list is followed through all its pages. A target is `{url, token}` or `{command, args, env}`.
Must not know: whether a gate stands in between, or what is asked.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import os
import subprocess

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

import kit
import provision
from kit import check

DRIVE_SECONDS = 180  # LIMIT: a drive takes some seconds; a client that hangs is a failure.
STAMPS = ("resultType", "ttlMs", "cacheScope")  # Of the modern era: a legacy server's result has none.
LISTS = {
    "tools/list": ("list_tools", "tools"),
    "prompts/list": ("list_prompts", "prompts"),
    "resources/list": ("list_resources", "resources"),
    "resources/templates/list": ("list_resource_templates", "resourceTemplates"),
}


def drive(client, target, asks):
    """What this client of this server sees: {version, answers: [{result} | {error}]}."""
    if "command" in target:
        target = {"env": dict(kit.clean_environment()), **target}
    return CLIENTS[client](target, asks)


@contextlib.asynccontextmanager
async def connected(mode, target):
    """The official Python client on this server, for what is more than asking and hearing."""
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


def own(result):
    """What is the server's own in a result, as text: not what the gate or the era of the wire added."""
    meta = {key: value for key, value in result.get("_meta", {}).items()
            if not key.startswith(("dev.toolgate/", "io.modelcontextprotocol/"))}
    rest = {key: value for key, value in result.items() if key not in ("_meta", *STAMPS)}
    return json.dumps({**rest, "_meta": meta} if meta else rest, ensure_ascii=False)


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def python(mode, target, asks):
    async def driven():
        async with connected(mode, target) as client:
            return {"answers": [await answered(client, *ask) for ask in asks], "version": client.protocol_version}

    return asyncio.run(driven())


async def answered(client, method, params):
    try:
        return {"result": await result(client, method, params)}
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message}}


async def result(client, method, params):
    match method:
        case "tools/call":
            return plain(await client.call_tool(params["name"], params["arguments"]))
        case "prompts/get":
            return plain(await client.get_prompt(params["name"], params["arguments"]))
        case "resources/read":
            return plain(await client.read_resource(params["uri"]))
    function, key = LISTS[method]
    found, cursor = [], None
    while True:
        page = plain(await getattr(client, function)(cursor=cursor))
        found += page[key]
        cursor = page.get("nextCursor")
        if not cursor:
            return {key: found}


def script(command, kind, target, asks):
    """A client in a process of its own, which takes its order as JSON."""
    order = json.dumps({"client": kind, "target": target, "asks": asks})
    done = subprocess.run(command(), input=order, capture_output=True, text=True, timeout=DRIVE_SECONDS)
    check(done.returncode == 0, f"the client failed: {kit.shown(done.stderr)}")
    return json.loads(done.stdout)


def python_1x():
    return [str(kit.VENV_1X / "bin/python"), str(kit.HERE / "clients/python_1x.py")]


def typescript():
    # The packages are found from where they are installed.
    place = kit.NODE / "typescript.mjs"
    place.write_text((kit.HERE / "clients/typescript.mjs").read_text())
    return [str(provision.node_binary()), str(place)]


def inspector(era, target, asks):
    """The Inspector's command line: a process and a connection for every ask, two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return {"version": None, "answers": list(pool.map(lambda ask: inspected(era, target, *ask), asks))}


def inspected(era, target, method, params):
    launcher = kit.NODE / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    command = [provision.node_binary(), launcher, "--cli", "--format", "json", "--quiet", "--protocol-era", era, "--method", method]
    match method:
        case "tools/call":
            command += ["--tool-name", params["name"], "--tool-args-json", json.dumps(params["arguments"])]
        case "prompts/get":
            pairs = [f"{key}={value}" for key, value in params["arguments"].items()]
            command += ["--prompt-name", params["name"], *(["--prompt-args", *pairs] if pairs else [])]
        case "resources/read":
            command += ["--uri", params["uri"]]
    if "command" in target:
        command += ["--", target["command"], *target["args"]]
    else:
        command += ["--server-url", target["url"], "--transport", "http"]
        command += ["--header", f"Authorization: Bearer {target['token']}"] if "token" in target else []
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=DRIVE_SECONDS, env=target.get("env", kit.clean_environment()))
    return read(done.stdout, done.stderr)


def read(out, err):
    """A result on standard output, also where its exit code says that the tool failed; else the error."""
    for text in (out, err):
        for line in text.split("\n"):
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and ("result" in said or "error" in said):
                    return said
    raise kit.Failed(f"the Inspector said neither result nor error: {kit.shown(out + err)}")


CLIENTS = {
    "python-2 modern": functools.partial(python, "auto"),
    "python-2 legacy": functools.partial(python, "legacy"),
    "python-1": functools.partial(script, python_1x, None),
    "ts-1": functools.partial(script, typescript, "v1"),
    "ts-2 legacy": functools.partial(script, typescript, "v2-legacy"),
    "ts-2 modern": functools.partial(script, typescript, "v2-auto"),
    "inspector legacy": functools.partial(inspector, "legacy"),
    "inspector modern": functools.partial(inspector, "auto"),
}
