"""A PydanticAI agent whose model is a script. A call that needs a person ends the run as deferred."""

import asyncio

from desk import SOURCE, STATED, refund, serve
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.toolsets import FunctionToolset

from toolgate import AsyncToolgate
from toolgate.pydantic_ai import ToolgateToolset

GATE = AsyncToolgate(source=SOURCE)
STORED = {}


def agent(order):
    def model(messages, _):
        if any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart("refund", order["args"], tool_call_id=order["call"])])

    tools = ToolgateToolset(
        FunctionToolset([refund]), GATE, {"refund": STATED}, on_approval=order["way"], wait_timeout=30
    )
    return Agent(FunctionModel(model), toolsets=[tools], output_type=[str, DeferredToolRequests])


def run(order):
    asked = agent(order)
    return told(order, asked, asyncio.run(asked.run("go", conversation_id=order["thread"])))


def resume(order):
    asked, result = STORED.pop(order["thread"])
    approved = result.output.build_results(approve_all=True)
    again = asked.run(message_history=result.all_messages(), deferred_tool_results=approved)
    return told(order, asked, asyncio.run(again))


def told(order, asked, result):
    if isinstance(result.output, DeferredToolRequests):
        STORED[order["thread"]] = asked, result
        return {"interrupted": list(result.output.metadata.values())}
    parts = [part for message in result.all_messages() for part in message.parts]
    return {"saw": [part.content for part in parts if isinstance(part, ToolReturnPart)][-1]}


serve(run, resume)
