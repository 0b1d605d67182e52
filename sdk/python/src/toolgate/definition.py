"""A tool that this program runs itself, as the gate is told of it.

What is stated here (risk, effect, resource) is the author's word: the gate takes it as stated
from a trusted host, and only to raise its own rating from others. `[tools."app.refund"]` in the
gate's configuration wins over all of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import Unsupported

Risk = Literal["low", "medium", "high", "critical"]
Effect = Literal["some", "none"]
Verb = Literal["READ", "WRITE", "DELETE", "ADMIN"]

NAME = re.compile(r"[A-Za-z0-9_./-]+")
DESCRIPTION_CHARACTERS_MAX = 4_000
"""LIMIT: a longer description is cut."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What `POST /v1/sources/{source}/tools` is told of one tool."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    risk: Risk | None = None
    verb: Verb | None = None
    effect: Effect | None = None
    resource: str | None = None
    timeout_ms: int | None = None
    category: str | None = None
    version: str | None = None
    attributes: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise Unsupported(f"`{self.name}` is no name of a tool: take letters, digits, `_`, `-`, `.` and `/`")

    @property
    def reads(self) -> bool:
        """Whether a call leaves no trace, so that a failed one has certainly failed."""
        return self.effect == "none"

    def body(self) -> dict[str, Any]:
        """As the gate is told."""
        told = {**vars(self), "description": self.description[:DESCRIPTION_CHARACTERS_MAX]}
        return {name: value for name, value in told.items() if value is not None}


def description_of(function: Callable[..., Any]) -> str:
    """A function's docstring, without its indentation."""
    return inspect.getdoc(function) or ""
