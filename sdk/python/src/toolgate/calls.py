"""What a caller says beside a tool and its arguments, and the request that is made of it.

    with toolgate.scope(run="r-7", call="toolu_01"):
        refund("ch_1", 640)          # repeated after a crash, it is the same call

A key from run and call is the same whenever that call is tried again, in whatever process; a
call without one gets a key of its own, so that its repetition on a broken connection is safe.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, cast

OnApproval = Literal["return", "wait", "raise"]
"""How to meet a call that a person must approve first."""

KEY_CHARACTERS_MAX = 128
"""LIMIT: a longer idempotency key is replaced by its digest."""

WAIT_SECONDS = 300.0
"""How long `on_approval="wait"` waits for people unless told otherwise."""


class Options(TypedDict, total=False):
    """What may be said of a call. All may be left out."""

    on_approval: OnApproval
    wait_timeout: float
    run: str
    """The agent's run, or its thread: the part of the key that is the same for all its calls."""
    call: str
    """This call in that run, as the model named it."""
    idempotency_key: str
    """The idempotency key itself, instead of run and call."""
    version: str
    env: str
    workflow: str
    resource: str
    session_id: str
    correlation_id: str
    trigger: Mapping[str, str]
    on_behalf_of: Mapping[str, Any]
    user_request: str
    justification: str
    timeout_ms: int
    allow_duplicate: bool


OWN = frozenset({"on_approval", "wait_timeout", "run", "call", "idempotency_key"})
SCOPE: contextvars.ContextVar[Options | None] = contextvars.ContextVar("toolgate_scope", default=None)


@contextlib.contextmanager
def scope(**options: Any) -> Iterator[None]:
    """Says something of all calls within the block; what a call says itself wins."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"`{sorted(unknown)[0]}` is nothing that can be said of a call")
    token = SCOPE.set(cast("Options", {**(SCOPE.get() or {}), **options}))
    try:
        yield
    finally:
        SCOPE.reset(token)


@dataclass(frozen=True)
class Call:
    """One proposed use of a tool."""

    tool: str
    arguments: Mapping[str, Any]
    key: str
    fresh: bool
    """Whether nobody but this very call can have used the key."""
    on_approval: OnApproval = "return"
    wait_timeout: float = WAIT_SECONDS
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def body(self, mode: str, wait_ms: int = 0) -> dict[str, Any]:
        """The request of `POST /v1/invocations`."""
        waiting = {"wait_ms": wait_ms} if wait_ms else {}
        return {"tool": self.tool, "arguments": dict(self.arguments), "mode": mode, **self.fields, **waiting}


def call_of(tool: str, arguments: Mapping[str, Any], defaults: Options, options: Options) -> Call:
    """Joins what the client, the scope and the call say, the nearest first."""
    said: dict[str, Any] = {**defaults, **(SCOPE.get() or {}), **options}
    unknown = said.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"`{sorted(unknown)[0]}` is nothing that can be said of a call")
    on_approval = said.get("on_approval", "return")
    if on_approval not in ("return", "wait", "raise"):
        raise ValueError(f"`on_approval` is `{on_approval}`: take `return`, `wait` or `raise`")
    key = key_of(said)
    return Call(
        tool=tool,
        arguments=arguments,
        key=key or f"py-{uuid.uuid4().hex}",
        fresh=key is None,
        on_approval=on_approval,
        wait_timeout=float(said.get("wait_timeout", WAIT_SECONDS)),
        fields={name: value for name, value in said.items() if name not in OWN and value is not None},
    )


def key_of(said: Mapping[str, Any]) -> str | None:
    """The idempotency key that was given, or that run and call make. None: nothing names this call."""
    key = said.get("idempotency_key")
    if key is None and said.get("call") is not None:
        key = f"{said.get('run', '')}:{said['call']}"
    if key is None:
        return None
    text = str(key)
    plain = len(text) <= KEY_CHARACTERS_MAX and text.isascii() and text.isprintable()
    return text if plain else f"sha256-{hashlib.sha256(text.encode()).hexdigest()}"
