"""An OpenAI agent whose model is a script. An interrupted run is stored as JSON and read again."""

import asyncio
import json

import agents
from agents.testing import ScriptedModel, assistant_message, function_call
from desk import SOURCE, STATED, refund, serve

from toolgate import AsyncToolgate
from toolgate.openai_agents import function_tool

agents.set_tracing_disabled(True)
GATE = AsyncToolgate(source=SOURCE)
STORED = {}


def agent(order):
    tool = function_tool(GATE, on_approval=order["way"], wait_timeout=30, **STATED)(refund)
    script = [[function_call("refund", order["args"], call_id=order["call"])], [assistant_message("done")]]
    return agents.Agent(name="desk", tools=[tool], model=ScriptedModel(script))


def run(order):
    asked = agent(order)
    return told(order, asked, asyncio.run(agents.Runner.run(asked, "go")))


def resume(order):
    asked, stored = STORED.pop(order["thread"])

    async def resumed():
        state = await agents.RunState.from_json(asked, json.loads(stored))
        for interruption in state.get_interruptions():
            state.approve(interruption)
        return await agents.Runner.run(asked, state)

    return told(order, asked, asyncio.run(resumed()))


def told(order, asked, result):
    if result.interruptions:
        STORED[order["thread"]] = asked, json.dumps(result.to_state().to_json())
        return {"interrupted": [interruption.name for interruption in result.interruptions]}
    return {"saw": [item.output for item in result.new_items if isinstance(item, agents.ToolCallOutputItem)][-1]}


serve(run, resume)
