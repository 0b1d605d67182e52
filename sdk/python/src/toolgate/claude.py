"""Claude Agent SDK: every tool of an agent behind the gate, by hooks.

    options = ClaudeAgentOptions(hooks=hooks(gate, {"Bash": {"risk": "high"}}))

`PreToolUse` runs before every other check of the SDK, its permission modes among them, so nothing
goes around it; it proposes the call and hands on the arguments as judged. `PostToolUse` reports
what the tool answered and replaces it by what the gate left; `PostToolUseFailure` reports an
exception, which proves nothing unless the tool only reads. Where the gate cannot be asked, the tool
is not run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from claude_agent_sdk import HookMatcher, SdkMcpTool
from claude_agent_sdk.types import HookContext, HookEvent, HookInput, HookJSONOutput

from .adapters import (
    REFUSALS,
    Statements,
    async_of,
    data_of,
    definition_of,
    mapping_of,
    options_of,
    refusal,
    text_of,
    way_of,
)
from .client import AsyncToolgate, Toolgate
from .definition import Definition
from .errors import ApprovalRequired
from .flows import Lease, Raised, Ran
from .outcomes import Answer, Pending, Success
from .schema import jsonable, same

HOOK_SECONDS = 60.0
"""How long a hook may take beside waiting for people."""
LEASES_MAX = 1_000
"""LIMIT: calls between their two hooks; more than that are refused."""


class ToolFailed(Exception):
    """A tool failed; what it did before is not known."""


def hooks(
    gate: Toolgate | AsyncToolgate,
    statements: Statements | None = None,
    *,
    tools: Iterable[SdkMcpTool[Any]] = (),
    on_approval: str = "return",
    wait_timeout: float = 300.0,
    matcher: str | None = None,
) -> dict[HookEvent, list[HookMatcher]]:
    """The hooks for `ClaudeAgentOptions(hooks=...)`. `tools` are the program's own, whose schemas are known."""
    calls = Calls(gate, statements or {}, tools, way_of(on_approval), wait_timeout)
    seconds = HOOK_SECONDS + (wait_timeout if on_approval == "wait" else 0)

    def matching(hook: Any) -> list[HookMatcher]:
        return [HookMatcher(matcher=matcher, hooks=[hook], timeout=seconds, **BLOCKING)]

    return {
        "PreToolUse": matching(calls.before),
        "PostToolUse": matching(calls.after),
        "PostToolUseFailure": matching(calls.after_failure),
    }


BLOCKING: dict[str, Any] = (
    {"on_failure": "block"} if "on_failure" in {field.name for field in dataclasses.fields(HookMatcher)} else {}
)
"""A hook that fails blocks the tool, where the SDK can say so."""


class Calls:
    """The calls between their two hooks."""

    def __init__(
        self,
        gate: Toolgate | AsyncToolgate,
        statements: Statements,
        tools: Iterable[SdkMcpTool[Any]],
        way: str,
        wait_timeout: float,
    ) -> None:
        self.gate, self.statements, self.way, self.wait_timeout = gate, statements, way, wait_timeout
        self.tools = {tool.name: tool for tool in tools}
        self.leases: dict[str, tuple[Definition, Lease]] = {}

    async def before(self, given: HookInput, call: str | None, _: HookContext) -> HookJSONOutput:
        """`PreToolUse`: may it run, and with which arguments."""
        said = mapping_of(given)
        id = str(said.get("tool_use_id") or call or "")
        if len(self.leases) >= LEASES_MAX:
            return denied(f"Not executed: {LEASES_MAX} calls are running already.")
        definition = self.definition(str(said.get("tool_name")))
        options = options_of(self.way, self.wait_timeout, said.get("session_id") or "", id)
        try:
            found = await async_of(self.gate).acquire(definition, mapping_of(said.get("tool_input")), **options)
        except ApprovalRequired as error:
            return stopped(str(error))
        except REFUSALS as error:
            return denied(refusal(error))
        if not isinstance(found, Lease):
            interrupts = self.way == "interrupt" and isinstance(found, Pending)
            return stopped(found.text) if interrupts else denied(found.text)
        if found.arguments is None:
            await self.released(definition, found, Raised(ToolFailed("the gate named no judged arguments")))
            return denied("Not executed: the gate named no judged arguments.")
        self.leases[id] = (definition, found)
        return decision("allow", updatedInput=found.arguments)

    async def after(self, given: HookInput, call: str | None, _: HookContext) -> HookJSONOutput:
        """`PostToolUse`: what the tool answered, and what the gate leaves of it."""
        said = mapping_of(given)
        held = self.leases.pop(str(said.get("tool_use_id") or call or ""), None)
        if held is None:
            return {}
        answered = said.get("tool_response")
        outcome = await self.released(*held, outcome_of(answered))
        if isinstance(outcome, Success):
            left = shaped(answered, outcome.data)
            return {} if left is answered else output("PostToolUse", updatedToolOutput=left)
        return output("PostToolUse", updatedToolOutput=shaped(answered, outcome.text))

    async def after_failure(self, given: HookInput, call: str | None, _: HookContext) -> HookJSONOutput:
        """`PostToolUseFailure`: what is known of a tool that raised."""
        said = mapping_of(given)
        held = self.leases.pop(str(said.get("tool_use_id") or call or ""), None)
        if held is None:
            return {}
        outcome = await self.released(*held, Raised(ToolFailed(str(said.get("error")))))
        return output("PostToolUseFailure", additionalContext=outcome.text)

    async def released(self, definition: Definition, lease: Lease, done: Ran | Raised) -> Answer:
        return await async_of(self.gate).release(definition, lease, done)

    def definition(self, name: str) -> Definition:
        tool = self.tools.get(name.rsplit("__", 1)[-1]) if name.startswith("mcp__") else None
        schema = tool.input_schema if tool is not None and isinstance(tool.input_schema, dict) else None
        described = schema if schema is not None and schema.get("type") == "object" else None
        return definition_of(name, tool.description if tool is not None else "", described, self.statements)


def outcome_of(answered: Any) -> Ran | Raised:
    """What a tool answered, as what the function did. An answer that says it is an error is none."""
    if mapping_of(answered).get("is_error") or mapping_of(answered).get("isError"):
        return Raised(ToolFailed(str(answered)[:500]))
    return Ran(unwrapped(answered))


def unwrapped(answered: Any) -> Any:
    """The data of an answer: the one text of an MCP result is what rules are about."""
    content = content_of(answered)
    texts = [part.get("text") for part in content or [] if part.get("type") == "text"]
    return data_of(texts[0]) if content is not None and len(texts) == len(content) == 1 else jsonable(answered)


def shaped(answered: Any, left: Any) -> Any:
    """What the gate left, in the form that the tool answered in; the answer itself where all is left."""
    if same(unwrapped(answered), left):
        return answered
    if content_of(answered) is None:
        return left if isinstance(left, type(answered)) else masked(answered, text_of(left))
    text = left if isinstance(left, str) else text_of(left)
    content = [{"type": "text", "text": text}]
    return {**mapping_of(answered), "content": content} if isinstance(answered, Mapping) else content


def content_of(answered: Any) -> list[dict[str, Any]] | None:
    content = mapping_of(answered).get("content") if isinstance(answered, Mapping) else answered
    return [mapping_of(part) for part in content] if isinstance(content, list) else None


def masked(answered: Any, text: str) -> Any:
    """An answer of the same form that says only `text`: the SDK keeps the original for any other form."""
    said = [text]

    def covered(value: Any) -> Any:
        if isinstance(value, str):
            return said.pop() if said else ""
        if isinstance(value, Mapping):
            return {name: covered(member) for name, member in value.items()}
        return [covered(item) for item in value] if isinstance(value, list) else value

    return covered(jsonable(answered))


def stopped(reason: str) -> HookJSONOutput:
    """A hook cannot raise to the program: it ends the run, which can be resumed."""
    return cast("HookJSONOutput", {"continue_": False, "stopReason": reason, **denied(reason)})


def denied(reason: str) -> HookJSONOutput:
    return decision("deny", permissionDecisionReason=reason)


def decision(word: str, **more: Any) -> HookJSONOutput:
    return output("PreToolUse", permissionDecision=word, **more)


def output(event: str, **said: Any) -> HookJSONOutput:
    return cast("HookJSONOutput", {"hookSpecificOutput": {"hookEventName": event, **said}})
