"""Toolgate's client: every tool call decided, executed once, and on the record.

    import toolgate

    gate = toolgate.Toolgate()

    @gate.tool(risk="high", resource="customer:{args.customer}")
    def refund(customer: str, amount: int) -> str: ...

The parts: `client` (the two clients and the decorator), `outcomes` (what became of a call),
`errors` (the little that is raised), `testing` (a gate for unit tests), `plugin` (for authors of
plugins), and an adapter for each framework: `langchain`, `openai_agents`, `claude`, `pydantic_ai`.
Nothing of a framework is imported unless its adapter is.
"""

from .calls import OnApproval, Options, scope
from .client import AsyncToolgate, Toolgate
from .decorated import GuardedTool
from .definition import Definition
from .errors import (
    ApprovalRequired,
    GateUnreachable,
    Misconfigured,
    NotExecuted,
    Problem,
    ToolgateError,
    UnknownEffect,
    Unsupported,
)
from .flows import Guarded
from .outcomes import Answer, Denied, Failure, Indeterminate, Outcome, Pending, Skipped, Success, Verdict

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "ApprovalRequired",
    "AsyncToolgate",
    "Definition",
    "Denied",
    "Failure",
    "GateUnreachable",
    "Guarded",
    "GuardedTool",
    "Indeterminate",
    "Misconfigured",
    "NotExecuted",
    "OnApproval",
    "Options",
    "Outcome",
    "Pending",
    "Problem",
    "Skipped",
    "Success",
    "Toolgate",
    "ToolgateError",
    "UnknownEffect",
    "Unsupported",
    "Verdict",
    "scope",
]
