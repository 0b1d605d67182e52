"""LangChain and LangGraph: every tool of an agent behind the gate, by one middleware.

    agent = create_agent(model, tools, middleware=[ToolgateMiddleware(gate, {"refund": {"risk": "high"}})])

It composes with other middleware. With `on_approval="interrupt"` a call that needs a person interrupts
the graph; resumed with any value, it goes on if the gate's approvers have said yes. A tool whose
function was decorated with `@gate.tool` is not judged twice. A tool that calls `interrupt` itself
ends as an unknown effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import AgentState, ToolCallRequest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.types import Command, interrupt

from .adapters import (
    REFUSALS,
    Statements,
    async_of,
    data_of,
    definition_of,
    options_of,
    pause_of,
    refusal,
    sync_of,
    text_of,
    way_of,
)
from .calls import scope
from .client import AsyncToolgate, Toolgate
from .decorated import is_guarded
from .definition import Definition
from .flows import Guarded
from .outcomes import Pending, Success
from .schema import same

Answered = ToolMessage | Command[Any]


class ToolFailed(Exception):
    """A tool answered that it failed; what it did before is not known."""


class ToolgateMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Judges every tool call of an agent, and reports what came of it."""

    def __init__(
        self,
        gate: Toolgate | AsyncToolgate,
        statements: Statements | None = None,
        *,
        on_approval: str = "return",
        wait_timeout: float = 300.0,
    ) -> None:
        super().__init__()
        self.gate, self.statements = gate, statements or {}
        self.way, self.wait_timeout = way_of(on_approval), wait_timeout

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Answered]) -> Answered:
        """Of a graph that blocks."""
        options = self.options(request)
        if guarded_already(request.tool):
            with scope(**options):
                return handler(request)
        kept = Kept(request)

        def run(**judged: Any) -> Any:
            return kept.keep(handler(kept.judged(judged)))

        def ask() -> Guarded:
            return sync_of(self.gate).guard(self.definition(request), request.tool_call["args"], run, **options)

        try:
            found = ask()
            if isinstance(found.outcome, Pending) and self.way == "interrupt":
                interrupt(pause_of(found.outcome))
                found = ask()
        except REFUSALS as error:
            return kept.message(refusal(error), failed=True)
        return kept.answer(found)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Answered]]
    ) -> Answered:
        """Of a graph with an event loop."""
        options = self.options(request)
        if guarded_already(request.tool):
            with scope(**options):
                return await handler(request)
        kept = Kept(request)

        async def run(**judged: Any) -> Any:
            return kept.keep(await handler(kept.judged(judged)))

        async def ask() -> Guarded:
            return await async_of(self.gate).guard(self.definition(request), request.tool_call["args"], run, **options)

        try:
            found = await ask()
            if isinstance(found.outcome, Pending) and self.way == "interrupt":
                interrupt(pause_of(found.outcome))
                found = await ask()
        except REFUSALS as error:
            return kept.message(refusal(error), failed=True)
        return kept.answer(found)

    def options(self, request: ToolCallRequest) -> dict[str, Any]:
        # A thread outlives its process; without one a call cannot be resumed, and needs no lasting name.
        configured = request.runtime.config.get("configurable", {}) if request.runtime else {}
        return options_of(self.way, self.wait_timeout, configured.get("thread_id"), request.tool_call["id"])

    def definition(self, request: ToolCallRequest) -> Definition:
        name, tool = request.tool_call["name"], request.tool
        told = convert_to_openai_tool(tool)["function"] if tool is not None else {}
        return definition_of(name, told.get("description", ""), told.get("parameters"), self.statements)


class Kept:
    """The message of one call, kept aside while the gate sees its data."""

    def __init__(self, request: ToolCallRequest) -> None:
        self.request = request
        self.given: Answered | None = None
        self.data: Any = None

    def judged(self, arguments: dict[str, Any]) -> ToolCallRequest:
        """The request with the arguments as judged."""
        return self.request.override(tool_call={**self.request.tool_call, "args": arguments})

    def keep(self, answered: Answered) -> Any:
        """What the tool answered, as data."""
        self.given = answered
        message = message_in(answered, self.request.tool_call["id"])
        if message is None:
            self.data = None
        elif message.status == "error":
            raise ToolFailed(text_of(message.content))
        else:
            self.data = data_of(message.content)
        return self.data

    def answer(self, found: Guarded) -> Answered:
        """What the model is shown: the tool's own message where the gate left all of it."""
        outcome = found.outcome
        if isinstance(outcome, Success):
            untouched = self.given is not None and same(outcome.data, self.data)
            return cast("Answered", self.given) if untouched else self.message(text_of(outcome.data))
        if found.error is not None and not isinstance(found.error, Exception):
            raise found.error
        return self.message(outcome.text, failed=True)

    def message(self, text: str, *, failed: bool = False) -> ToolMessage:
        call = self.request.tool_call
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error" if failed else "success")


def message_in(answered: Answered, id: str | None) -> ToolMessage | None:
    """The message that answers a call, also within a command."""
    if isinstance(answered, ToolMessage):
        return answered
    update = answered.update if isinstance(answered.update, dict) else {}
    messages = [message for message in update.get("messages", []) if isinstance(message, ToolMessage)]
    return next((message for message in messages if message.tool_call_id == id), None)


def guarded_already(tool: BaseTool | None) -> bool:
    return any(is_guarded(getattr(tool, name, None)) for name in ("func", "coroutine"))
