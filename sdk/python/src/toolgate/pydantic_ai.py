"""PydanticAI: a toolset behind the gate, by wrapping it.

    tools = ToolgateToolset(FunctionToolset([refund]), gate, {"refund": {"risk": "high"}})
    agent = Agent(model, toolsets=[tools], output_type=[str, DeferredToolRequests])

With `on_approval="interrupt"` a call that a person must approve ends the run as a deferred call
(`DeferredToolRequests.approvals`, with the approval's id and address as its metadata). Resumed with
that call approved, the gate is asked again whether its own approvers have said yes; the framework's
approval alone runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, ModelRetry
from pydantic_ai.tools import AgentDepsT
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from .adapters import REFUSALS, Statements, async_of, definition_of, options_of, pause_of, refusal, way_of
from .client import AsyncToolgate, Toolgate
from .errors import NotExecuted
from .flows import Guarded
from .outcomes import Pending, Success
from .schema import jsonable, same


class Retry(NotExecuted):
    """A tool asks the model to call it differently: it did nothing with this call."""


@dataclass
class ToolgateToolset(WrapperToolset[AgentDepsT]):
    """Judges every call of a toolset's tools, and reports what came of it."""

    gate: Toolgate | AsyncToolgate
    statements: Statements = field(default_factory=dict[str, Any])
    on_approval: str = "return"
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        way_of(self.on_approval)

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[AgentDepsT], tool: ToolsetTool[AgentDepsT]
    ) -> Any:
        """One call: what the tool answered, or one sentence about why there is no answer."""
        definition = definition_of(
            name, tool.tool_def.description or "", tool.tool_def.parameters_json_schema, self.statements
        )
        given = jsonable(tool_args)
        call = super().call_tool

        async def run(**judged: Any) -> Any:
            # Only what was changed is validated anew: the rest are the tool's own types already.
            arguments = tool_args if same(judged, given) else tool.args_validator.validate_python(judged)
            try:
                return await call(name, arguments, ctx, tool)
            except ModelRetry as error:
                raise Retry(error.message) from error

        options = options_of(self.on_approval, self.wait_timeout, ctx.conversation_id or "", ctx.tool_call_id)
        try:
            found = await async_of(self.gate).guard(definition, given, run, **options)
        except REFUSALS as error:
            return refusal(error)
        return self.shown(found)

    def shown(self, found: Guarded) -> Any:
        outcome, error = found.outcome, found.error
        if isinstance(outcome, Success):
            return found.value if found.value is not None else outcome.data
        if isinstance(error, Retry) and isinstance(error.__cause__, ModelRetry):
            raise error.__cause__
        if error is not None and not isinstance(error, Exception):
            raise error
        if isinstance(outcome, Pending) and self.on_approval == "interrupt":
            raise ApprovalRequired(metadata=pause_of(outcome))
        return outcome.text
