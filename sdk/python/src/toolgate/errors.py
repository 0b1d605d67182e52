"""What is raised, which is little: whatever the gate decided is an outcome, not an exception.

Raised are: a gate that cannot be reached (nothing ran), a request that it cannot consider, and
what the caller asked to be raised. `NotExecuted` goes the other way: the author of a tool raises
it to state that nothing happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .outcomes import Indeterminate, Pending


class ToolgateError(Exception):
    """All that this package raises by itself."""


class Misconfigured(ToolgateError):
    """The client lacks something before anything can be asked."""


class Unsupported(ToolgateError, TypeError):
    """A function whose arguments cannot be described to the gate."""


class GateUnreachable(ToolgateError):
    """No answer from the gate. Nothing was executed by this program."""


class Problem(ToolgateError):
    """The gate could not consider the request (RFC 9457): a wrong key, an unknown id, bad fields."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", "unknown"))
        self.detail = str(body.get("detail") or body.get("title") or "no detail")
        self.errors: list[Any] = list(body.get("errors") or [])
        places = "".join(f"; {error}" for error in self.errors)
        super().__init__(f"{status} `{self.code}`: {self.detail}{places}")


class ApprovalRequired(ToolgateError):
    """A person must approve first. Raised where `on_approval` is `raise`."""

    def __init__(self, outcome: Pending) -> None:
        self.outcome = outcome
        super().__init__(outcome.text)


class UnknownEffect(ToolgateError):
    """The function ran or may have run, and nobody can say yet what came of it. Do not repeat it."""

    def __init__(self, outcome: Indeterminate) -> None:
        self.outcome = outcome
        super().__init__(outcome.text)

    def reconcile(self, timeout: float = 30.0) -> Any:
        """Asks again what became of it: an outcome, or an awaitable of one from an async tool."""
        return self.outcome.reconcile(timeout)


class NotExecuted(Exception):
    """Raised by a tool's own author: the effect did not and will not happen. The call has failed."""
