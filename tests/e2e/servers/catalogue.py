"""An MCP server on standard streams that offers the tools of a file, word for word.

    catalogue.py tools.json

The file holds {"tools": […as tools/list gives them…], "results": [{"tool", "arguments", "result"}]}.
A call is answered with the first result written down for it, each once, then with an empty object.
No SDK: what a case says of a tool must reach the gate as it is written. It must not know what a gate is.
"""

import json
import sys

told = json.load(open(sys.argv[1], encoding="utf-8"))


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "catalogue", "version": "1.0.0"},
        }
    if method == "tools/list":
        return {"tools": told["tools"]}
    if method == "tools/call":
        result = result_of(params["name"], params.get("arguments") or {})
        return {"content": [{"type": "text", "text": json.dumps(result)}], "structuredContent": result}
    return {}


def result_of(name, arguments):
    for known in told["results"]:
        if known["tool"] == name and known["arguments"] == arguments:
            told["results"].remove(known)
            return known["result"]
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message["method"], message.get("params") or {})}
        print(json.dumps(reply), flush=True)
