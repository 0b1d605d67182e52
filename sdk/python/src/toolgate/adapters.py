"""What the adapters share: a tool of a framework as a definition, an outcome as a text for a model.

Each adapter uses its framework's own hook and imports nothing else of it. In all of them the key
of a call is made of the framework's run and the model's own id of the call, so that a run that is
resumed elsewhere meets the same invocation. Must not import any framework.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from .client import AsyncToolgate, Toolgate
from .definition import Definition
from .errors import GateUnreachable, Misconfigured, Problem
from .outcomes import Pending

Statements = Mapping[str, Mapping[str, Any]]
"""What is stated of tools, by name: `{"refund": {"risk": "high", "resource": "customer:{args.customer}"}}`."""

WAYS = ("return", "wait", "raise", "interrupt")
REFUSALS = (GateUnreachable, Problem, Misconfigured)
"""What prevents a decision. Nothing ran, and a model may be told so."""


def definition_of(name: str, description: str, schema: Mapping[str, Any] | None, statements: Statements) -> Definition:
    """A framework's tool as the gate is told of it."""
    stated = dict(statements.get(name, {}))
    described = {"description": description or "", "input_schema": dict(schema or {"type": "object"})}
    return Definition(**{"name": name, **described, **stated})


def sync_of(gate: Toolgate | AsyncToolgate) -> Toolgate:
    """The client for a blocking hook."""
    return gate if isinstance(gate, Toolgate) else gate.twin


def async_of(gate: Toolgate | AsyncToolgate) -> AsyncToolgate:
    """The client for a hook with an event loop."""
    return gate if isinstance(gate, AsyncToolgate) else gate.twin


def way_of(on_approval: str) -> str:
    """One of the ways to meet an approval, or an error that names them."""
    if on_approval not in WAYS:
        raise ValueError(f"`on_approval` is `{on_approval}`: take one of {', '.join(f'`{way}`' for way in WAYS)}")
    return on_approval


def options_of(way: str, wait_timeout: float, run: object, call: object) -> dict[str, Any]:
    """The options of one call in a run."""
    named = {"run": str(run), "call": str(call)} if run is not None and call is not None else {}
    return {"on_approval": "return" if way == "interrupt" else way, "wait_timeout": wait_timeout, **named}


def refusal(error: Exception) -> str:
    """What a model is told where nothing could be decided."""
    return f"Not executed: the gate could not decide this call ({error})."


def pause_of(pending: Pending) -> dict[str, Any]:
    """What an application is shown of a call that waits, in JSON."""
    told = {
        name: getattr(pending, name) for name in ("invocation_id", "tool", "approval_id", "digest", "url", "expires_at")
    }
    return {"toolgate": "approval_required", "message": pending.message, **told}


def data_of(text: Any) -> Any:
    """A tool's answer as data: rules about fields see the fields of a JSON text."""
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def text_of(data: Any) -> str:
    """Data as a model is shown it."""
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)


def mapping_of(value: Any) -> dict[str, Any]:
    """A value that is an object, else an empty one."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
