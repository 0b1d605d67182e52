"""OpenAI Agents: a function tool whose function runs behind the gate.

    @function_tool(gate, risk="high", resource="customer:{args.customer}")
    async def refund(customer: str, amount: int) -> str: ...

    agent = Agent(name="desk", tools=[refund])

With `on_approval="interrupt"` the tool's `needs_approval` asks the gate: a call that a person must
approve interrupts the run, its `RunState` can be stored, and approving it there lets the gate look
whether its own approvers have said yes. The framework's approval alone runs nothing. The
function is guarded, not the finished tool: a tool turns exceptions into texts.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import agents
from agents import RunContextWrapper
from agents.tool_context import ToolContext

from .adapters import REFUSALS, async_of, options_of, refusal, way_of
from .calls import scope
from .client import AsyncToolgate, Toolgate
from .decorated import is_guarded
from .errors import NotExecuted
from .flows import Guarded, Lease, Raised
from .outcomes import Pending, Success
from .schema import jsonable

FRAMEWORKS = (
    "name_override",
    "description_override",
    "strict_mode",
    "is_enabled",
    "timeout",
    "tool_input_guardrails",
    "tool_output_guardrails",
    "defer_loading",
)
"""What is said to the framework rather than to the gate."""


def function_tool(
    gate: Toolgate | AsyncToolgate, *, on_approval: str = "return", wait_timeout: float = 300.0, **stated: Any
) -> Callable[[Callable[..., Any]], agents.FunctionTool]:
    """`agents.function_tool` behind the gate; takes what `gate.tool` takes, and the framework's own options."""
    framework = {name: stated.pop(name) for name in FRAMEWORKS if name in stated}
    way = way_of(on_approval)

    def made(function: Callable[..., Any]) -> agents.FunctionTool:
        own = context_parameter(function)
        guarded = function if is_guarded(function) else gate.tool(hidden=own, **stated)(function)
        calls = Calls(gate, guarded, own, way, wait_timeout)
        asks: dict[str, Any] = {"needs_approval": calls.needs_approval} if way == "interrupt" else {}
        # Exceptions are answered here, where it is known whether anything ran.
        told: Any = {**framework, **asks, "failure_error_function": None}
        tool: agents.FunctionTool = agents.function_tool(calls.function(), **told)
        return tool

    return made


class Calls:
    """The calls of one tool."""

    def __init__(
        self, gate: Toolgate | AsyncToolgate, guarded: Any, own: tuple[str, ...], way: str, wait_timeout: float
    ) -> None:
        self.gate, self.guarded, self.own, self.way, self.wait_timeout = gate, guarded, own, way, wait_timeout

    def function(self) -> Callable[..., Any]:
        """The function as the framework sees it: its own signature behind the context of the call."""
        guarded = self.guarded

        @functools.wraps(guarded)
        async def called(toolgate_context: ToolContext[Any], *args: Any, **kwargs: Any) -> Any:
            own = (toolgate_context,) if self.own else ()
            with scope(**self.options(toolgate_context, toolgate_context.tool_call_id)):
                return await self.run(*own, *args, **kwargs)

        signature = inspect.signature(guarded)
        parameters = [each for name, each in signature.parameters.items() if name not in self.own]
        first = inspect.Parameter(
            "toolgate_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=ToolContext[Any]
        )
        called.__signature__ = signature.replace(parameters=[first, *parameters])  # type: ignore[attr-defined]
        hints = {name: hint for name, hint in guarded.parameters.hints.items() if name not in self.own}
        # What is not run is answered by a text, so the return type of the function is not the tool's.
        called.__annotations__ = {"toolgate_context": ToolContext[Any], **hints, "return": Any}
        del called.__wrapped__
        return called

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the model is shown: the tool's own answer, or one sentence about why there is none."""
        ended = self.guarded.ended
        try:
            found = await (ended(*args, **kwargs) if self.awaits else asyncio.to_thread(ended, *args, **kwargs))
        except REFUSALS as error:
            return refusal(error)
        if found.error is not None and not isinstance(found.error, Exception):
            raise found.error
        return shown(found)

    @property
    def awaits(self) -> bool:
        return inspect.iscoroutinefunction(self.guarded)

    async def needs_approval(self, context: RunContextWrapper[Any], arguments: dict[str, Any], call: str) -> bool:
        """Whether a person must approve this call first, by the gate."""
        definition, gate = self.guarded.definition, async_of(self.gate)
        given, _ = self.guarded.parameters.bound((None,) * len(self.own), arguments)
        judged = jsonable(given)
        try:
            await gate.register()
            verdict = await gate.simulate(gate.identify(definition.name), judged)
            if verdict.verdict != "require_approval":
                return False
            # Asked for now, so that approvers see it while the run is interrupted.
            found = await gate.acquire(definition, judged, **self.options(context, call))
            if isinstance(found, Lease):
                # The policy changed in between. Nothing may hold a lease while nothing runs.
                await gate.release(
                    definition, found, Raised(NotExecuted("the policy changed meanwhile; call it again"))
                )
        except REFUSALS:
            return False  # The call itself meets the same refusal, and says so to the model.
        return isinstance(found, Pending)

    def options(self, context: RunContextWrapper[Any], call: str) -> dict[str, Any]:
        return options_of(self.way, self.wait_timeout, run_of(context), call)


def run_of(context: RunContextWrapper[Any]) -> str:
    """The part of the key that all calls of a run share; the model's own ids are unique in a conversation."""
    config = getattr(context, "run_config", None)
    return str(getattr(config, "group_id", None) or "")


def context_parameter(function: Callable[..., Any]) -> tuple[str, ...]:
    """The name of the parameter that takes the framework's context, if there is one."""
    first = next(iter(inspect.signature(function).parameters), None)
    hint = typing.get_type_hints(function).get(first) if first else None
    kind = typing.get_origin(hint) or hint
    takes = isinstance(kind, type) and issubclass(kind, RunContextWrapper)
    return (first,) if takes and first else ()


def shown(found: Guarded) -> Any:
    return found.value if isinstance(found.outcome, Success) and found.value is not None else found.outcome.text
