"""Drives one MCP server with the official Python client before 2.0 and prints what it saw.

Runs in a virtual environment of its own, and takes and gives the same JSON as typescript.mjs.
Must not know: whether a gate stands in between.
"""

import asyncio
import contextlib
import json
import os
import sys

from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

LISTS = {
    "tools/list": ("list_tools", "tools"),
    "prompts/list": ("list_prompts", "prompts"),
    "resources/list": ("list_resources", "resources"),
    "resources/templates/list": ("list_resource_templates", "resourceTemplates"),
}


async def main():
    order = json.load(sys.stdin)
    with open(os.devnull, "w") as silent:
        async with transport(order["target"], silent) as streams, ClientSession(*streams[:2]) as session:
            version = (await session.initialize()).protocolVersion
            answers = [await answered(session, *ask) for ask in order["asks"]]
    print(json.dumps({"version": version, "answers": answers}))


def transport(target, silent):
    if "command" in target:
        server = StdioServerParameters(command=target["command"], args=target["args"], env=target.get("env"))
        return stdio_client(server, errlog=silent)
    headers = {"Authorization": f"Bearer {target['token']}"} if "token" in target else {}
    return streamablehttp_client(target["url"], headers=headers)


async def answered(session, method, params):
    try:
        return {"result": await result(session, method, params)}
    except McpError as error:
        return {"error": {"code": error.error.code, "message": error.error.message}}


async def result(session, method, params):
    match method:
        case "tools/call":
            return plain(await session.call_tool(params["name"], params["arguments"]))
        case "prompts/get":
            return plain(await session.get_prompt(params["name"], params["arguments"]))
        case "resources/read":
            return plain(await session.read_resource(params["uri"]))
    function, key = LISTS[method]
    found, cursor = [], None
    while True:
        page = plain(await getattr(session, function)(cursor))
        found += page[key]
        cursor = page.get("nextCursor")
        if not cursor:
            return {key: found}


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


with contextlib.suppress(BrokenPipeError):
    asyncio.run(main())
