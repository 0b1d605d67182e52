"""One call's story, written once for both clients: what is sent, what is waited for, what is run.

Each flow is a generator. It yields a step (`Send`, `Pause`, `Run`), is given what came of it, and
returns a result; a sync and an async client perform the steps in their own way. A guarded call:

    Send propose ─ lease? ─ no ──▶ the outcome (denied, pending, …)
                     └ yes ─▶ Run the function with the arguments as judged ─▶ Send report ─▶ the outcome

INVARIANT: `Run` is yielded at most once in a call, and only under a lease of this very answer
(tests/test_flows.py). Must not know sockets, threads or event loops.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, Union
from urllib.parse import quote

from .calls import Call
from .definition import Definition
from .errors import ApprovalRequired, GateUnreachable, NotExecuted, Problem, Unsupported
from .outcomes import Failure, Indeterminate, Outcome, Pending, Success, Verdict, common, parsed, part, verdict
from .schema import jsonable, same

T = TypeVar("T")

PROPOSAL_TRIES = 4
"""LIMIT: how often one proposal is sent, always with the same key."""
PAUSE_SECONDS = (0.1, 0.4, 1.6)
"""Between those tries; the last one counts for all that follow."""
RETRY_AFTER_SECONDS_MAX = 10.0
"""LIMIT: a gate that asks for a longer pause is not waited for."""
RETRIED = frozenset({429, 503})
REPORT_RETRIED = RETRIED | {500, 502, 504}
"""A report may be repeated whatever became of it: the second gets the first one's answer."""
REPORT_LATE_SECONDS = 15.0
"""How long after the end of the lease a report is still tried: it settles the call if it arrives."""
LEASE_SECONDS_DEFAULT = 25.0
"""Of a lease whose end cannot be read."""
WAIT_SECONDS_MAX = 20.0
"""LIMIT: one request waits no longer than this for people; then it is asked again."""
WAIT_PAUSE_SECONDS = 0.05
"""Between two of those, so that a gate that answers at once is not asked in a loop."""
CLAIM_PAUSE_SECONDS = 1.0
"""Between two looks at a call that is approved and that its own program has not claimed yet."""
SEND_SECONDS = 75.0
"""How long an answer may take: the gate's own bound on a tool is a minute."""
MESSAGE_CHARACTERS_MAX = 500


@dataclass(frozen=True)
class Send:
    """A request to the gate. Gives a `Reply` or a `Lost`."""

    method: str
    path: str
    body: Any = None
    key: str | None = None
    timeout: float = SEND_SECONDS


@dataclass(frozen=True)
class Pause:
    """Nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Run:
    """The author's function, with these arguments. Gives a `Ran` or a `Raised`."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the gate answered."""

    status: int
    body: Mapping[str, Any]
    retry_after: float | None = None


@dataclass(frozen=True)
class Lost:
    """No answer came, and nobody knows whether the request arrived."""

    error: Exception


@dataclass(frozen=True)
class Ran:
    """What the function returned."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """What the function raised."""

    error: BaseException


Step = Union[Send, Pause, Run]
Flow = Generator[Step, Any, T]
Drive = Callable[[Flow[Any]], Any]


@dataclass(frozen=True)
class Guarded:
    """How a guarded call ended: its outcome, and what the function itself gave."""

    outcome: Outcome
    value: Any = None
    """What the function returned, where the gate left all of it; else what the gate left."""
    error: BaseException | None = None


@dataclass(frozen=True)
class Tool:
    """A tool of this program: its definition, the function, and how its author looks for an effect."""

    definition: Definition
    id: str
    function: Callable[..., Any]
    look: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Link:
    """What a flow needs beside its steps."""

    clock: Callable[[], float]
    drive: Drive
    """Performs a flow later on: `wait` and `reconcile` of an outcome."""


@dataclass(frozen=True)
class Lease:
    """That this program may run a call, once: under which number, until when by its own clock."""

    id: str
    number: int
    envelope: Mapping[str, Any]
    ends: float

    @property
    def arguments(self) -> dict[str, Any] | None:
        """The arguments as judged. None: the gate named none, and nothing may run."""
        judged = self.envelope.get("arguments")
        return dict(judged) if isinstance(judged, dict) else None


# ── Sending


def exchanged(send: Send, tries: int = PROPOSAL_TRIES) -> Flow[tuple[Mapping[str, Any], bool]]:
    """The body of an answer, and whether an earlier answer to the same request was lost."""
    lost = False
    found: Reply | Lost = Lost(RuntimeError("it was never sent"))
    for tried in range(tries):
        found = yield send
        lost = lost or isinstance(found, Lost)
        if isinstance(found, Reply) and found.status not in RETRIED:
            return answered(found), lost
        pause = pause_after(found, tried)
        if tried + 1 == tries or pause > RETRY_AFTER_SECONDS_MAX:
            break
        yield Pause(pause)
    raise unreachable(send, found)


def answered(reply: Reply) -> Mapping[str, Any]:
    if 200 <= reply.status < 300:
        return reply.body
    raise Problem(reply.status, reply.body)


def pause_after(found: Reply | Lost, tried: int) -> float:
    if isinstance(found, Reply) and found.retry_after is not None:
        return found.retry_after
    return PAUSE_SECONDS[min(tried, len(PAUSE_SECONDS) - 1)]


def unreachable(send: Send, found: Reply | Lost) -> Exception:
    if isinstance(found, Reply):
        return Problem(found.status, found.body)
    what = f"`{send.method} {send.path}`"
    error = GateUnreachable(f"the gate did not answer {what}: {found.error}; nothing was executed by this program")
    error.__cause__ = found.error
    return error


# ── Calls that the gate runs


def called(link: Link, call: Call) -> Flow[Outcome]:
    """A call in the mode `execute`."""
    waiting = int(min(call.wait_timeout, WAIT_SECONDS_MAX) * 1000) if call.on_approval == "wait" else 0
    body = call.body("execute", waiting)
    timeout = SEND_SECONDS + waiting / 1000
    envelope, _ = yield from exchanged(Send("POST", "/v1/invocations", body, call.key, timeout))
    outcome = parsed(envelope, followed(link, str(envelope.get("invocation_id"))))
    if isinstance(outcome, Pending) and call.on_approval == "wait":
        outcome = yield from waited(link, outcome, call.wait_timeout - waiting / 1000)
    return met(outcome, call)


def met(outcome: Outcome, call: Call) -> Outcome:
    """Raises what the caller asked to be raised."""
    if isinstance(outcome, Pending) and call.on_approval == "raise":
        raise ApprovalRequired(outcome)
    return outcome


def judged(call: Call, mode: str) -> Flow[Verdict]:
    """A verdict only, recorded (`decide`) or not (`simulate`)."""
    key = call.key if mode == "decide" else None
    envelope, _ = yield from exchanged(Send("POST", "/v1/invocations", call.body(mode), key))
    return verdict(envelope)


def looked(link: Link, id: str, wait: float = 0.0) -> Flow[Outcome]:
    """How an invocation stands."""
    path = f"/v1/invocations/{quote(id, safe='')}" + (f"?wait_ms={int(wait * 1000)}" if wait > 0 else "")
    envelope, _ = yield from exchanged(Send("GET", path, timeout=SEND_SECONDS + wait))
    return parsed(envelope, followed(link, id))


def waited(link: Link, outcome: Outcome, timeout: float) -> Flow[Outcome]:
    """Looks until it is neither pending nor indeterminate, or the time is up."""
    ends = link.clock() + timeout
    while isinstance(outcome, (Pending, Indeterminate)):
        left = ends - link.clock()
        if left <= 0:
            break
        outcome = yield from looked(link, outcome.invocation_id, min(left, WAIT_SECONDS_MAX))
        if isinstance(outcome, (Pending, Indeterminate)):
            yield Pause(CLAIM_PAUSE_SECONDS if outcome.status == "approved" else WAIT_PAUSE_SECONDS)
    return outcome


def followed(link: Link, id: str) -> Callable[[float], Any]:
    def later(timeout: float) -> Any:
        return link.drive(followed_up(link, id, timeout))

    return later


def followed_up(link: Link, id: str, timeout: float) -> Flow[Outcome]:
    outcome = yield from looked(link, id)
    return (yield from waited(link, outcome, timeout))


def registered(tools: Mapping[str, Definition], source: str) -> Flow[Mapping[str, Any]]:
    """Tells the gate of tools that this program runs."""
    body = {"tools": [definition.body() for definition in tools.values()]}
    told, _ = yield from exchanged(Send("POST", f"/v1/sources/{quote(source, safe='')}/tools", body))
    return told


def fetched(path: str, method: str = "GET", body: Any = None) -> Flow[Mapping[str, Any]]:
    """One request and its body."""
    found, _ = yield from exchanged(Send(method, path, body))
    return found


# ── Calls that this program runs


def guarded(link: Link, tool: Tool, call: Call) -> Flow[Guarded]:
    """Proposes, runs the function under the lease and with the arguments as judged, and reports."""
    lease = yield from leased(link, tool, call)
    if isinstance(lease, Lease):
        return (yield from ran(link, tool, lease))
    return Guarded(met(lease, call))


def leased(link: Link, tool: Tool, call: Call) -> Flow[Lease | Outcome]:
    """Proposes a call that this program would run: a lease, or why there is none."""
    ends = link.clock() + call.wait_timeout
    while True:
        left = min(ends - link.clock(), WAIT_SECONDS_MAX) if call.on_approval == "wait" else 0.0
        wait_ms = max(0, int(left * 1000))
        send = Send("POST", "/v1/invocations", call.body("host", wait_ms), call.key, SEND_SECONDS + max(0.0, left))
        envelope, lost = yield from exchanged(send)
        waiting = envelope.get("status") in ("pending_approval", "approved")
        if not waiting or call.on_approval != "wait" or link.clock() >= ends:
            break
        yield Pause(WAIT_PAUSE_SECONDS)
    lease = admitted(link, envelope)
    if lease is not None:
        return lease
    if lost and call.fresh and envelope.get("status") == "executing":
        return (yield from abandoned(link, envelope))
    return parsed(envelope, resumed(link, tool, call, envelope))


def resumed(link: Link, tool: Tool, call: Call, envelope: Mapping[str, Any]) -> Callable[[float], Any]:
    """Goes on with a call that is pending (runs it once it is approved) or that runs elsewhere."""

    def later(timeout: float) -> Any:
        if envelope.get("status") in ("pending_approval", "approved"):
            again = replace(call, on_approval="wait", wait_timeout=timeout)
            return link.drive(outcome_of(guarded(link, tool, again)))
        return link.drive(followed_up(link, str(envelope.get("invocation_id")), timeout))

    return later


def outcome_of(flow: Flow[Guarded]) -> Flow[Outcome]:
    return (yield from flow).outcome


def admitted(link: Link, envelope: Mapping[str, Any]) -> Lease | None:
    """The lease of this very answer. None: nothing may run."""
    granted = part(envelope, "lease")
    if not granted or envelope.get("status") != "executing":
        return None
    ends = link.clock() + lease_seconds(envelope, granted)
    return Lease(str(envelope.get("invocation_id")), int(granted.get("attempt") or 1), envelope, ends)


def lease_seconds(envelope: Mapping[str, Any], granted: Mapping[str, Any]) -> float:
    # Both instants are the gate's own: what this program's clock says of the date does not matter.
    try:
        begins, ends = instant(envelope.get("started_at")), instant(granted.get("expires_at"))
    except ValueError:
        return LEASE_SECONDS_DEFAULT
    return max(0.0, (ends - begins).total_seconds())


def instant(text: Any) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def ran(link: Link, tool: Tool, lease: Lease) -> Flow[Guarded]:
    """Runs the function and reports what came of it."""
    if lease.arguments is None:
        message = "the gate named no judged arguments; the function was not run"
        return Guarded((yield from settled(link, tool, lease, failed(message))))
    done: Ran | Raised = yield Run(tool.function, lease.arguments)
    report = reported(done, tool.definition)
    # A program that is being stopped says so once and goes.
    patient = not isinstance(done, Raised) or isinstance(done.error, Exception)
    outcome = yield from settled(link, tool, lease, report, patient=patient)
    if isinstance(done, Raised):
        return Guarded(outcome, error=done.error)
    return Guarded(outcome, value=value_left(outcome, done.value, report))


def value_left(outcome: Outcome, value: Any, report: Mapping[str, Any]) -> Any:
    """What the caller gets: the function's own value only where the gate left all of it."""
    if isinstance(outcome, Success):
        return value if same(outcome.data, report.get("data")) else outcome.data
    return None


def reported(done: Ran | Raised, definition: Definition) -> dict[str, Any]:
    """The report of what a function did. An exception proves nothing, unless its author says so."""
    if isinstance(done, Ran):
        try:
            return {"status": "succeeded", "data": jsonable(done.value)}
        except Unsupported as error:
            return {"status": "succeeded", "data": f"done, and the answer cannot be shown: {error}"}
    if isinstance(done.error, NotExecuted):
        return failed(str(done.error) or "not executed")
    if definition.reads:
        return failed(f"{type(done.error).__name__}: {done.error}"[:MESSAGE_CHARACTERS_MAX])
    return {"status": "unknown"}


def failed(message: str) -> dict[str, Any]:
    return {"status": "failed", "error": {"code": "tool_error", "message": message}}


def settled(link: Link, tool: Tool, lease: Lease, report: dict[str, Any], *, patient: bool = True) -> Flow[Outcome]:
    """Reports until it is heard, the lease is over and a while beyond."""
    ends = lease.ends + REPORT_LATE_SECONDS if patient else link.clock()
    found = yield from told(link, lease, report, ends)
    if isinstance(found, Reply) and found.status in (400, 413, 422) and "data" in report:
        # The effect is there, whatever is wrong with its answer: a text that any gate takes says so.
        why = Problem(found.status, found.body).detail[:MESSAGE_CHARACTERS_MAX]
        stated = {**report, "data": f"done, and the answer could not pass the gate: {why}"}
        found = yield from told(link, lease, stated, ends)
    later = doubted(link, tool, lease, report)
    if isinstance(found, Reply) and found.status == 200:
        return parsed(found.body, later)
    if isinstance(found, Reply) and found.status == 409:
        return (yield from overtaken(link, lease, found, later))
    return in_doubt(lease, found, later)


def told(link: Link, lease: Lease, report: Mapping[str, Any], ends: float) -> Flow[Reply | Lost]:
    path = f"/v1/invocations/{quote(lease.id, safe='')}/outcome"
    body = {"attempt": lease.number, **report}
    tried = 0
    while True:
        found: Reply | Lost = yield Send("POST", path, body)
        if isinstance(found, Reply) and found.status not in REPORT_RETRIED:
            return found
        pause = pause_after(found, tried)
        if link.clock() + pause >= ends:
            return found
        yield Pause(pause)
        tried += 1


def overtaken(link: Link, lease: Lease, found: Reply, later: Callable[[float], Any]) -> Flow[Outcome]:
    """The call was settled without this report: what stands is the truth."""
    try:
        return (yield from looked(link, lease.id))
    except (GateUnreachable, Problem):
        return in_doubt(lease, found, later)


def in_doubt(lease: Lease, found: Reply | Lost, later: Callable[[float], Any]) -> Indeterminate:
    why = str(Problem(found.status, found.body)) if isinstance(found, Reply) else str(found.error)
    base = common({**lease.envelope, "status": "unknown_effect"})
    message = f"the function ended, and the gate did not take its report: {why}"
    return Indeterminate(**base, message=message, later=later)


def doubted(link: Link, tool: Tool, lease: Lease, report: dict[str, Any]) -> Callable[[float], Any]:
    def later(timeout: float) -> Any:
        return link.drive(reconciled(link, tool, lease, report, timeout))

    return later


def reconciled(link: Link, tool: Tool, lease: Lease, report: dict[str, Any], timeout: float) -> Flow[Outcome]:
    """Reports again what is known, or what the author's look finds, and waits for the gate's own."""
    ends = link.clock() + timeout
    if report["status"] == "unknown":
        found = yield from found_out(tool, lease)
        if found is None:
            return (yield from followed_up(link, lease.id, timeout))
        report = found
    outcome = yield from settled(link, tool, replace(lease, ends=ends - REPORT_LATE_SECONDS), report)
    return (yield from waited(link, outcome, ends - link.clock()))


def found_out(tool: Tool, lease: Lease) -> Flow[dict[str, Any] | None]:
    """What the author's own look says: the effect is there, it is not, or nothing."""
    if tool.look is None:
        return None
    done: Ran | Raised = yield Run(tool.look, lease.arguments or {})
    if isinstance(done, Ran):
        return None if done.value is None else reported(done, tool.definition)
    return failed(str(done.error) or "not executed") if isinstance(done.error, NotExecuted) else None


def abandoned(link: Link, envelope: Mapping[str, Any]) -> Flow[Outcome]:
    """An answer with a lease was lost on its way. Nobody else can hold it, so nothing runs: it says so."""
    message = "the gate's answer was lost before the function was run; it was not executed and may be called again"
    number = int(envelope.get("attempts") or 1)
    lease = Lease(str(envelope.get("invocation_id")), number, envelope, link.clock() + LEASE_SECONDS_DEFAULT)
    found = yield from told(link, lease, failed(message), lease.ends)
    if isinstance(found, Reply) and found.status == 200:
        return parsed(found.body, followed(link, lease.id))
    return Failure(**common(envelope), code="tool_error", message=message)
