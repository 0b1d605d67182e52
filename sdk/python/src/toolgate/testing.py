"""A gate for unit tests, in the process: the real client, its retries and its lease, and no server.

    fake = FakeGate()
    fake.freeze("app.refund", "a refund needs a person")
    gate = fake.client()
    pending = refund.outcome("cust_1", 640)      # Pending, and nothing ran
    fake.approve(pending)
    pending.wait()                               # now it runs

What is not scripted is denied with `not_granted`, as by a gate. Rules are scripted, not judged:
what a policy really says is for `toolgate test`. `record(path)` writes the calls that were made as
cases for it. Both fake and real gate pass tests/conformance_list.py.
"""

from __future__ import annotations

import fnmatch
import json
import pathlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx

from .client import AsyncToolgate, Toolgate
from .outcomes import Outcome

LEASE_SECONDS = 25
OPEN = ("unknown_effect", "reconciling", "needs_operator")
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass
class Script:
    """What happens to the calls of some tools."""

    pattern: str
    verdict: str
    message: str = ""
    code: str = "policy_denied"
    replaced: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answer: Callable[[dict[str, Any]], Any] | None = None
    left: Callable[[Any], Any] | None = None


@dataclass
class Invocation:
    """One call, and how it stands."""

    id: str
    tool: str
    arguments: dict[str, Any]
    mode: str
    script: Script
    asked: dict[str, Any]
    status: str = "proposed"
    data: Any = None
    error: dict[str, Any] | None = None
    denial: dict[str, Any] | None = None
    attempts: int = 0


class FakeGate:
    """A scripted gate. The last script that fits a tool counts."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.invocations: dict[str, Invocation] = {}
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        """What was asked: method, path and body."""
        self.registered: dict[str, dict[str, Any]] = {}
        self.keys: dict[tuple[str, str], tuple[str, str]] = {}
        self.losses: list[tuple[str, str]] = []
        self.lock = threading.RLock()

    # ── Scripts

    def allow(self, pattern: str, answer: Any = None) -> None:
        """Calls run. `answer`, or what it returns of the arguments, is what the gate's own tools say."""
        self.scripts.append(Script(pattern, "allow", answer=answer if callable(answer) else lambda _: answer))

    def deny(self, pattern: str, message: str = "not today", code: str = "policy_denied") -> None:
        """Calls are denied."""
        self.scripts.append(Script(pattern, "deny", message, code))

    def freeze(self, pattern: str, message: str = "a person has to approve it", answer: Any = None) -> None:
        """Calls wait for `approve`, `reject` or `expire`."""
        answers = answer if callable(answer) else lambda _: answer
        self.scripts.append(Script(pattern, "require_approval", message, answer=answers))

    def sanitize(self, pattern: str, **replaced: Any) -> None:
        """Calls run with these arguments instead of their own."""
        self.scripts.append(Script(pattern, "sanitize", replaced=replaced))

    def withhold(self, pattern: str, left: Callable[[Any], Any]) -> None:
        """Calls run, and callers get what `left` makes of the answer."""
        self.scripts.append(Script(pattern, "allow", left=left))

    def lose(self, what: str, part: str = "answer") -> None:
        """Loses the next `propose` or `report`: its `answer`, or the `request` itself."""
        self.losses.append((what, part))

    # ── People

    def approve(self, outcome: Outcome | str) -> None:
        """A person says yes. A tool of the gate runs at once; the program's own waits to be claimed."""
        found = self.waiting(outcome)
        found.status = "approved"
        if found.mode == "execute":
            self.run(found)

    def reject(self, outcome: Outcome | str, reason: str = "no") -> None:
        """A person says no."""
        found = self.waiting(outcome)
        found.status, found.denial = "rejected", denial("approval_rejected", reason)

    def expire(self, outcome: Outcome | str) -> None:
        """Nobody said anything; or the lease of a running call is over."""
        found = self.invocations[id_of(outcome)]
        if found.status == "executing":
            found.status = "unknown_effect"
            found.error = {"code": "unknown_effect", "message": "the lease is over", "details": {}}
        else:
            found = self.waiting(outcome)
            found.status, found.denial = "expired", denial("approval_expired", "nobody decided in time")

    def waiting(self, outcome: Outcome | str) -> Invocation:
        found = self.invocations[id_of(outcome)]
        if found.status != "pending_approval":
            raise ValueError(f"{found.id} is `{found.status}`: nobody has to decide it")
        return found

    # ── Clients

    def client(self, **settings: Any) -> Toolgate:
        """A client of this gate."""
        return Toolgate("http://gate.test", "fake", transport=Transport(self), **settings)

    def async_client(self, **settings: Any) -> AsyncToolgate:
        """An async client of this gate."""
        return AsyncToolgate("http://gate.test", "fake", transport=Transport(self), **settings)

    def record(self, path: str | pathlib.Path) -> None:
        """Writes all calls as cases for `toolgate test`: what was asked, and what this gate said."""
        tools = [
            {"id": id, **{name: told[name] for name in ("risk", "verb", "resource", "input_schema") if name in told}}
            for id, told in self.registered.items()
        ]
        cases = [case(number, found) for number, found in enumerate(self.invocations.values(), 1)]
        pathlib.Path(path).write_text(json.dumps({"tools": tools, "tests": cases}, indent=2) + "\n")

    # ── The gate

    def answered(self, request: httpx.Request) -> httpx.Response:
        """One request, as the gate answers it."""
        body: dict[str, Any] = json.loads(request.content) if request.content else {}
        with self.lock:
            self.requests.append((request.method, request.url.path, body))
            kind = kind_of(request)
            lost = next((loss for loss in self.losses if loss[0] == kind), None)
            if lost:
                self.losses.remove(lost)
            if lost and lost[1] == "request":
                raise httpx.ConnectError("scripted: the request was lost", request=request)
            answer = self.routed(request, body)
            if lost:
                raise httpx.ReadError("scripted: the answer was lost", request=request)
            return answer

    def routed(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        parts = request.url.path.strip("/").split("/")
        match (request.method, parts):
            case ("POST", ["v1", "invocations"]):
                return self.proposed(body, request.headers.get("idempotency-key"))
            case ("GET", ["v1", "invocations", id]) if id in self.invocations:
                return httpx.Response(200, json=self.envelope(self.invocations[id]))
            case ("POST", ["v1", "invocations", id, "outcome"]) if id in self.invocations:
                return self.reported(self.invocations[id], body)
            case ("POST", ["v1", "invocations", id, "cancel"]) if id in self.invocations:
                return self.cancelled(self.invocations[id])
            case ("POST", ["v1", "sources", source, "tools"]):
                return self.told(source, body)
            case ("GET", ["v1", "tools"]):
                return httpx.Response(200, json={"items": [{"id": id, **told} for id, told in self.registered.items()]})
            case _:
                return problem(404, "not_found", f"there is no `{request.url.path}`")

    def told(self, source: str, body: dict[str, Any]) -> httpx.Response:
        names = {f"{source}.{told['name']}": told for told in body["tools"]}
        self.registered.update(names)
        tools = [{"id": id, "state": "active", "reason": None} for id in names]
        return httpx.Response(200, json={"source": source, "tools": tools})

    def proposed(self, body: dict[str, Any], key: str | None) -> httpx.Response:
        fingerprint = json.dumps([body.get("tool"), body.get("arguments")], sort_keys=True)
        known = self.keys.get((body["tool"], key)) if key else None
        if known:
            return self.again(self.invocations[known[0]], body, same=known[1] == fingerprint)
        made = self.made(body)
        if body.get("mode") in ("decide", "simulate"):
            return httpx.Response(200, json=self.envelope(made))
        self.invocations[made.id] = made
        if key:
            self.keys[(made.tool, key)] = (made.id, fingerprint)
        return httpx.Response(200, json=self.begun(made))

    def again(self, found: Invocation, body: dict[str, Any], *, same: bool) -> httpx.Response:
        if not same:
            conflict = self.made(body)
            conflict.status, conflict.denial = "denied", denial("idempotency_conflict", "the key names another call")
            return httpx.Response(200, json=self.envelope(conflict))
        envelope = self.claimed(found) if found.status == "approved" and found.mode == "host" else self.envelope(found)
        return httpx.Response(200, json=envelope if "lease" in envelope else {**envelope, "replayed": True})

    def made(self, body: dict[str, Any]) -> Invocation:
        fitting = [script for script in self.scripts if fnmatch.fnmatchcase(body["tool"], script.pattern)]
        script = fitting[-1] if fitting else Script("*", "deny", "the tool is not granted", "not_granted")
        asked: dict[str, Any] = body.get("arguments") or {}
        id, arguments = f"inv_{len(self.invocations) + 1:032x}", {**asked, **script.replaced}
        made = Invocation(id, body["tool"], arguments, body["mode"], script, asked)
        if body["mode"] == "execute" and body["tool"] in self.registered:
            made.status, made.denial = (
                "denied",
                denial("runs_in_host", "its host runs it: propose it in the mode `host`"),
            )
        elif script.verdict == "deny":
            made.status, made.denial = "denied", denial(script.code, script.message)
        elif script.verdict == "require_approval":
            made.denial = denial("approval_required", script.message, True, frozen(made))
            made.status = "proposed" if body["mode"] in ("decide", "simulate") else "pending_approval"
        return made

    def begun(self, made: Invocation) -> dict[str, Any]:
        if made.status != "proposed":
            return self.envelope(made)
        if made.mode == "host":
            return self.leased(made)
        self.run(made)
        return self.envelope(made)

    def claimed(self, found: Invocation) -> dict[str, Any]:
        return self.leased(found) if found.status == "approved" else self.envelope(found)

    def leased(self, found: Invocation) -> dict[str, Any]:
        found.status, found.denial, found.attempts = "executing", None, found.attempts + 1
        ends = text_of(BEGAN + timedelta(seconds=LEASE_SECONDS))
        lease = {"attempt": found.attempts, "expires_at": ends}
        return {**self.envelope(found), "lease": lease, "arguments": found.arguments}

    def run(self, found: Invocation) -> None:
        found.attempts, found.denial = found.attempts + 1, None
        found.status, found.data = "succeeded", found.script.answer(found.arguments) if found.script.answer else None

    def reported(self, found: Invocation, body: dict[str, Any]) -> httpx.Response:
        if body.get("attempt") != found.attempts:
            return problem(409, "wrong_state", "the report is of another attempt")
        if found.status not in ("executing", *OPEN):
            if found.status == status_of(body):
                return httpx.Response(200, json={**self.envelope(found), "replayed": True})
            return problem(409, "wrong_state", f"{found.id} is `{found.status}`")
        for name, statuses in (("data", ("succeeded", "failed")), ("error", ("failed",))):
            if name in body and body["status"] not in statuses:
                return problem(400, "invalid_field", f"a call that is reported as `{body['status']}` has no `{name}`")
        left = found.script.left or (lambda data: data)
        found.status = status_of(body)
        found.data = left(body.get("data")) if found.status == "succeeded" else None
        found.error = {"details": {}, **body["error"]} if "error" in body else None
        return httpx.Response(200, json=self.envelope(found))

    def cancelled(self, found: Invocation) -> httpx.Response:
        if found.status != "pending_approval":
            return problem(409, "wrong_state", f"{found.id} is `{found.status}`")
        found.status, found.denial = "cancelled", denial("cancelled", "the caller withdrew it")
        return httpx.Response(200, json=self.envelope(found))

    def envelope(self, found: Invocation) -> dict[str, Any]:
        outcome = outcome_word(found)
        return {
            "invocation_id": found.id,
            "capability_id": found.tool,
            "capability_version": "",
            "correlation": {"correlation_id": None},
            "outcome": outcome,
            "success": outcome == "success",
            "data": found.data,
            "error": found.error,
            "denial": found.denial,
            "decision": {
                "verdict": found.script.verdict,
                "rules": [],
                "obligations": [],
                "sanitized": [],
                "risk": None,
            },
            "status": found.status,
            "replayed": False,
            "duplicate_of": None,
            "reconciled": False,
            "attempts": found.attempts,
            "evidence_ids": [],
            "started_at": text_of(BEGAN) if found.attempts else None,
            "completed_at": None,
        }


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Brings requests to a fake gate instead of a socket."""

    def __init__(self, gate: FakeGate) -> None:
        self.gate = gate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Of a sync client."""
        return self.gate.answered(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Of an async client."""
        answer = self.gate.answered(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Body(answer.content))


class Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self.content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


def outcome_word(found: Invocation) -> str:
    if found.denial is not None:
        return "denied"
    if found.status == "proposed":
        return "success"
    return {"succeeded": "success", "failed": "failure"}.get(found.status, "indeterminate")


def denial(
    code: str, message: str, retryable: bool = False, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {"code": code, "message": message, "retryable": retryable, "details": dict(details or {})}


def frozen(made: Invocation) -> dict[str, Any]:
    expires = text_of(BEGAN + timedelta(hours=24))
    approval = made.id.replace("inv_", "apr_")
    return {
        "approval_id": approval,
        "digest": "sha256:" + "0" * 64,
        "expires_at": expires,
        "url": f"http://gate.test/approvals/{approval}",
    }


def case(number: int, found: Invocation) -> dict[str, Any]:
    call = {"tool": found.tool, "arguments": found.asked}
    return {"name": f"call {number} of {found.tool}", "call": call, "expect": found.script.verdict}


def problem(status: int, code: str, detail: str) -> httpx.Response:
    body = {"type": f"/problems/{code}", "title": code, "status": status, "detail": detail, "code": code, "errors": []}
    return httpx.Response(status, json=body)


def kind_of(request: httpx.Request) -> str:
    path = request.url.path
    return "report" if path.endswith("/outcome") else "propose" if path == "/v1/invocations" else "other"


def id_of(outcome: Outcome | str) -> str:
    return outcome if isinstance(outcome, str) else outcome.invocation_id


def text_of(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status_of(report: Mapping[str, Any]) -> str:
    """The state that a report leads to."""
    status = str(report["status"])
    return "unknown_effect" if status == "unknown" else status
