"""What became of a call: six kinds, told apart by type, or by `outcome` and `status`.

    match gate.call("stripe.refund", {"charge": "ch_1", "amount": 640}):
        case Success(data=data): ...
        case Pending(url=url): ...
        case other: print(other.text)

A denial is data. `text` is one sentence that a model can be shown. Must not know how the gate is
reached: what can be done later (`wait`, `reconcile`) is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Union, cast

Later = Callable[[float], Any]
"""Goes on with a call for at most so many seconds."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What all outcomes have."""

    envelope: Mapping[str, Any] = field(repr=False, compare=False)
    """All that the gate said."""
    invocation_id: str
    """The gate's durable life of this call: `inv_…`."""
    tool: str
    """`{source}.{operation}`."""
    status: str
    """The state of the invocation."""
    replayed: bool = False
    """Whether an earlier call with the same key is answered again."""
    duplicate_of: str | None = None
    """The earlier identical call that this one joined."""

    @property
    def text(self) -> str:
        """One sentence for a model or a log."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Success(Answer):
    """It ran, and this is what the gate left of the answer."""

    outcome: ClassVar[Literal["success"]] = "success"
    data: Any = None
    reconciled: bool = False
    """Whether live state told so, because the answer was lost; `data` is then what was read."""

    @property
    def text(self) -> str:
        return self.data if isinstance(self.data, str) else json.dumps(self.data, ensure_ascii=False, default=str)


@dataclass(frozen=True, kw_only=True)
class Failure(Answer):
    """It definitely did not do what it should."""

    outcome: ClassVar[Literal["failure"]] = "failure"
    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def text(self) -> str:
        return f"Failed ({self.code}): {self.message}"


@dataclass(frozen=True, kw_only=True)
class Denied(Answer):
    """The gate said no. Nothing ran."""

    outcome: ClassVar[Literal["denied"]] = "denied"
    code: str
    message: str
    retryable: bool = False
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def text(self) -> str:
        return f"Denied by {denier(self)}: {sentence(self.message)} This call was not executed."


@dataclass(frozen=True, kw_only=True)
class Pending(Answer):
    """A person must approve exactly this call first. Nothing ran yet."""

    outcome: ClassVar[Literal["denied"]] = "denied"
    code: str = "approval_required"
    message: str
    approval_id: str | None = None
    digest: str | None = None
    url: str | None = None
    expires_at: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    later: Later | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        where = f" It can be approved at {self.url}." if self.url else ""
        until = f" It expires at {self.expires_at}." if self.expires_at else ""
        return (
            f"Approval required: {sentence(self.message)} This call was not executed yet.{where}{until}"
            " Repeating the same call joins this request."
        )

    def wait(self, timeout: float = 300.0) -> Any:
        """Waits for the people, then runs it: an outcome, or an awaitable of one from an async gate."""
        return available(self.later)(timeout)


@dataclass(frozen=True, kw_only=True)
class Skipped(Answer):
    """The tool is disabled."""

    outcome: ClassVar[Literal["skipped"]] = "skipped"
    message: str

    @property
    def text(self) -> str:
        return f"Skipped: {sentence(self.message)} This call was not executed."


@dataclass(frozen=True, kw_only=True)
class Indeterminate(Answer):
    """It may have happened, and nobody knows yet. Never repeat it by hand: `reconcile()`."""

    outcome: ClassVar[Literal["indeterminate"]] = "indeterminate"
    code: str = "unknown_effect"
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    later: Later | None = field(default=None, repr=False, compare=False)

    @property
    def text(self) -> str:
        return (
            f"Unknown effect: {sentence(self.message)} It may or may not have happened."
            f" Do not repeat it; it is being settled as {self.invocation_id}."
        )

    def reconcile(self, timeout: float = 30.0) -> Any:
        """Tells what is known, asks again: an outcome, or an awaitable of one from an async gate."""
        return available(self.later)(timeout)


Outcome = Union[Success, Failure, Denied, Pending, Skipped, Indeterminate]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate would say, from `decide` and `simulate`: nothing ran."""

    envelope: Mapping[str, Any] = field(repr=False, compare=False)
    tool: str
    verdict: str
    """`allow`, `sanitize`, `require_approval` or `deny`."""
    rules: tuple[str, ...] = ()
    risk: str | None = None
    outcome: Outcome
    """The same as an outcome: a denial with its code, or success without data."""

    @property
    def allowed(self) -> bool:
        """Whether it may run now, with its arguments as they are."""
        return self.verdict == "allow" and self.outcome.outcome == "success"


def parsed(envelope: Mapping[str, Any], later: Later | None = None) -> Outcome:
    """The outcome that an envelope tells. A word that is not known is taken for an unknown effect."""
    base = common(envelope)
    word, denial = envelope.get("outcome"), part(envelope, "denial")
    if envelope.get("status") in ("pending_approval", "approved"):
        details = part(denial, "details")
        asked: dict[str, Any] = {name: details.get(name) for name in ("approval_id", "digest", "url", "expires_at")}
        message = str(denial.get("message") or "a person has to approve it")
        return Pending(**base, message=message, details=details, later=later, **asked)
    if word == "success":
        return Success(**base, data=envelope.get("data"), reconciled=bool(envelope.get("reconciled")))
    if word == "failure":
        return Failure(**base, **told(part(envelope, "error"), "tool_error", "the tool failed"))
    if word == "denied":
        retryable = bool(denial.get("retryable"))
        return Denied(**base, **told(denial, "denied", "the gate said no"), retryable=retryable)
    if word == "skipped":
        return Skipped(**base, message=str(denial.get("message") or "the tool is disabled"))
    error = part(envelope, "error")
    code = "running" if envelope.get("status") == "executing" else "unknown_effect"
    message = "its answer is not known"
    return Indeterminate(**base, **told(error, code, message), later=later)


def verdict(envelope: Mapping[str, Any]) -> Verdict:
    """What `decide` and `simulate` were answered."""
    decision = part(envelope, "decision")
    return Verdict(
        envelope=envelope,
        tool=str(envelope.get("capability_id")),
        verdict=str(decision.get("verdict") or "deny"),
        rules=tuple(decision.get("rules") or ()),
        risk=decision.get("risk"),
        outcome=parsed(envelope),
    )


def common(envelope: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "envelope": envelope,
        "invocation_id": str(envelope.get("invocation_id")),
        "tool": str(envelope.get("capability_id")),
        "status": str(envelope.get("status")),
        "replayed": bool(envelope.get("replayed")),
        "duplicate_of": envelope.get("duplicate_of"),
    }


def part(whole: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object within an object, empty where there is none."""
    value: Any = whole.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def told(said: Mapping[str, Any], code: str, message: str) -> dict[str, Any]:
    return {
        "code": str(said.get("code") or code),
        "message": str(said.get("message") or message),
        "details": part(said, "details"),
    }


def denier(denied: Denied) -> str:
    policy, rule = denied.details.get("policy"), denied.details.get("rule")
    return f"{policy}/{rule}" if policy and rule else denied.code


def sentence(message: str) -> str:
    return message if message.endswith((".", "!", "?")) else f"{message}."


def available(later: Later | None) -> Later:
    if later is None:
        raise RuntimeError("this outcome was read from a bare envelope: use `wait` or `reconcile` of a client")
    return later
