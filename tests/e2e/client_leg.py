#!/usr/bin/env python3
"""The suite's other leg: its servers look at the gate as an MCP client. `tests/e2e/client_leg.py [--requirements REVISION]`

    the suite starts `client_leg.py --front SERVER-URL` for each of its scenarios, which starts a
    gate in front of that server, lists what is there as a client of the era would, calls every
    tool and hears what the scenario names; the suite judges what arrived at its server

Prints one line a scenario and the sums. The flows in which a person signs in with a browser are
not the gate's, and fail. Must not know: what any one scenario looks at.
"""

import argparse
import base64
import json
import os
import pathlib
import re
import subprocess
import sys

import kit
import provision
from kit import Gate, request, wait_for

SUITE_SECONDS = 590  # LIMIT: a scenario has 30 s of its own; they run one after another.
NEWEST = "2026-07-28"
META = "io.modelcontextprotocol/"


def main():
    parser = argparse.ArgumentParser(description="Looks at the gate as the suite's servers see it.")
    parser.add_argument("--requirements", default=NEWEST)
    parser.add_argument("--scenario", help="one alone")
    parser.add_argument("--front", help="the server to stand in front of; the suite gives it")
    options = parser.parse_args()
    if options.front:
        return front(options.front)
    provision.provide()
    which = ["--scenario", options.scenario, "--spec-version", options.requirements] if options.scenario else ["--requirements", options.requirements]
    index = kit.NODE / "node_modules/conformance-next/dist/index.js"
    command = [provision.node_binary(), index, "client", "--command", f"{sys.executable} {pathlib.Path(__file__).resolve()} --front", *which]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=SUITE_SECONDS)
    shown = [line for line in done.stdout.splitlines() if line.startswith(("✓", "✗", "Total", "Not scored", "  ✗")) or options.scenario]
    print("\n".join(shown) or done.stdout + done.stderr)
    return done.returncode


def front(url):
    config = f"""
[posture]
low = "allow"
medium = "allow"
high = "allow"
critical = "allow"
[mcp]
own_tools = false
anonymous = "front"
[[agent]]
id = "front"
owner = "owner@acme.com"
role = "service"
profile = "admin"
[[source]]
name = "up"
names = "bare"
effect = "none"
mcp = {{ url = {json.dumps(url)} }}
"""
    allow = {"name": "all", "rules": [{"rule_id": "all", "match": {"verbs": ["READ", "WRITE", "DELETE", "ADMIN"]}, "effect": "allow"}]}
    try:
        with Gate(config, {"all.json": allow}, name="client-leg") as gate:
            wait_for("the server", lambda: is_up(gate), seconds=10)
            everything(gate)
    finally:
        kit.forget()
    return 0


def is_up(gate):
    """Whether the server is spoken to; it may well have no tools."""
    return all(source["health"] == "up" for source in gate.http("GET", "/v1/sources", token=gate.admin).json["items"])


def everything(gate):
    """Every tool with what its schema wants or the scenario names, every prompt, every resource."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    tools = ask(gate, "tools/list")["result"]["tools"]
    calls = context.get("toolCalls") or [{"name": tool["name"], "arguments": arguments(tool, tools)} for tool in tools]
    for call in calls:
        ask(gate, "tools/call", name=call["name"], arguments=call.get("arguments", {}))
    for prompt in ask(gate, "prompts/list").get("result", {}).get("prompts", []):
        ask(gate, "prompts/get", name=prompt["name"], arguments={each["name"]: "x" for each in prompt.get("arguments", [])})
    for resource in ask(gate, "resources/list").get("result", {}).get("resources", []):
        ask(gate, "resources/read", uri=resource["uri"])


def arguments(tool, tools):
    """Something that fits; where an object is wanted, a schema that was listed: what came of it is looked at."""
    schema = tool["inputSchema"]
    made = {"string": "x", "number": 1, "integer": 1, "boolean": True, "array": [], "object": tools[0]["inputSchema"]}
    wanted = schema.get("required", [])
    return {name: made.get(rule.get("type"), "x") for name, rule in schema.get("properties", {}).items() if name in wanted}


def ask(gate, method, **params):
    """One modern request; what it asks back is accepted, as a client that has forms would."""
    declared = {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}
    params["_meta"] = {f"{META}protocolVersion": NEWEST, f"{META}clientCapabilities": declared}
    for _ in range(10):
        answer = posted(gate, method, params)
        result = answer.get("result", {})
        if result.get("resultType") != "input_required":
            return answer
        params["inputResponses"] = {key: accepted(request) for key, request in result.get("inputRequests", {}).items()}
        params["requestState"] = result.get("requestState")
    return answer


def accepted(asked):
    if asked["method"] != "elicitation/create":
        return {"roots": []} if asked["method"] == "roots/list" else {"role": "assistant", "model": "m", "content": {"type": "text", "text": "x"}}
    properties = asked["params"].get("requestedSchema", {}).get("properties", {})
    return {"action": "accept", "content": {name: rule["default"] for name, rule in properties.items() if "default" in rule}}


def posted(gate, method, params):
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": NEWEST, "Mcp-Method": method}
    headers |= {"Mcp-Name": params["name"]} if "name" in params else {"Mcp-Name": params["uri"]} if "uri" in params else {}
    headers |= mirrored(gate, method, params)
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = request(gate.port, "POST", "/mcp", body, headers, timeout=40)
    text = answer.body.decode()
    lines = [line[5:].strip() for line in text.split("\n") if line.startswith("data:")]
    said = [json.loads(line) for line in lines if line] or [answer.json]
    return next((one for one in said if "result" in one or "error" in one), {})


def mirrored(gate, method, params):
    """The headers in which a client repeats arguments that a tool's schema marks."""
    if method != "tools/call":
        return {}
    tools = {tool["name"]: tool for tool in posted(gate, "tools/list", {"_meta": params["_meta"]})["result"]["tools"]}
    rules = tools.get(params["name"], {}).get("inputSchema", {}).get("properties", {})
    given = params["arguments"]
    marked = {name: rule["x-mcp-header"] for name, rule in rules.items() if isinstance(rule, dict) and "x-mcp-header" in rule}
    return {f"Mcp-Param-{header}": in_header(given[name]) for name, header in marked.items()
            if given.get(name) is not None and re.fullmatch("[!-9;-~]+", header)}


def in_header(value):
    text = json.dumps(value) if not isinstance(value, str) else value
    plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?base64?")
    return text if plain else f"=?base64?{base64.b64encode(text.encode()).decode()}?="


if __name__ == "__main__":
    sys.exit(main())
