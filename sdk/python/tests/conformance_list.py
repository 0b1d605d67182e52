"""What the fake gate and the real one both do, seen through the client: one list, run against both.

A world brings a client of the source `app`, people who decide, and a gate on which `app.allowed`,
`app.read`, `app.frozen`, `app.cleaned` and `app.withheld` are granted and these rules hold:
`app.denied` is denied, `app.frozen` needs a person, the argument `note` of `app.cleaned` is
replaced, and so is `iban` in what `app.withheld` answers. tests/test_fake.py runs it on the fake;
the end-to-end test runs it on the binary.
"""

from __future__ import annotations

import uuid
from typing import Any, Protocol

import toolgate
from toolgate import ApprovalRequired, Denied, Failure, Indeterminate, NotExecuted, Pending, Success, UnknownEffect

POLICY = {
    "name": "sdk",
    "rules": [
        {"rule_id": "denied", "match": {"tools": ["app.denied"]}, "effect": "deny", "reason": "not today"},
        {
            "rule_id": "frozen",
            "match": {"tools": ["app.frozen"]},
            "effect": "require_approval",
            "reason": "a person has to approve it",
        },
        {"rule_id": "cleaned", "match": {"tools": ["app.cleaned"]}, "effect": "sanitize", "sanitize_fields": ["note"]},
        {
            "rule_id": "withheld",
            "on": "result",
            "match": {"tools": ["app.withheld"]},
            "effect": "sanitize",
            "sanitize_fields": ["iban"],
        },
    ],
}
GRANTED = ("app.allowed", "app.read", "app.denied", "app.frozen", "app.cleaned", "app.withheld", "app.slow")


class World(Protocol):
    """A gate, and people around it."""

    gate: toolgate.Toolgate

    def approve(self, outcome: Pending) -> None:
        """Somebody says yes."""

    def reject(self, outcome: Pending, reason: str) -> None:
        """Somebody says no."""

    def outlive(self) -> None:
        """Returns once the lease of the call that is running is over."""


class Tools:
    """Functions behind a gate, and what they were really called with."""

    def __init__(self, world: World) -> None:
        self.ran: list[Any] = []
        self.found: Any = None
        gate = world.gate

        @gate.tool(risk="low")
        def allowed(charge: str, amount: int = 1) -> dict[str, Any]:
            """Pays something back."""
            return self.did({"charge": charge, "amount": amount})

        @gate.tool(risk="low", effect="none", verb="READ")
        def read(charge: str) -> str:
            """Reads a charge."""
            raise ValueError(f"no {self.did(charge)}")

        @gate.tool(risk="low")
        def denied(charge: str) -> None:
            """Is never run."""
            self.did(charge)

        @gate.tool(risk="low")
        def frozen(charge: str) -> str:
            """Waits for a person."""
            return self.did(f"done {charge}")

        @gate.tool(risk="low")
        def cleaned(note: str) -> str:
            """Sends a note."""
            return self.did(note)

        @gate.tool(risk="low")
        def withheld(customer: str) -> dict[str, str]:
            """Looks up an account."""
            return self.did({"customer": customer, "iban": "DE00 1234"})

        @gate.tool(risk="low")
        def ungranted(charge: str) -> None:
            """Is reached by nobody."""
            self.did(charge)

        @gate.tool(name="allowed", risk="low", reconcile=lambda charge, amount: self.found)
        def broken(charge: str, amount: int = 1) -> dict[str, Any]:
            """Pays something back."""
            self.did(charge)
            raise ConnectionError("the bank hung up")

        @gate.tool(name="allowed", risk="low")
        def refused(charge: str, amount: int = 1) -> dict[str, Any]:
            """Pays something back."""
            raise NotExecuted("the bank is closed")

        @gate.tool(name="allowed", risk="low")
        def opaque(charge: str, amount: int = 1) -> Any:
            """Pays something back."""
            return self.did(object())

        @gate.tool(risk="low", timeout_ms=100)
        def slow(charge: str) -> str:
            """Takes longer than it may."""
            world.outlive()
            return self.did(f"done {charge}")

        self.slow = slow
        self.allowed, self.read, self.denied, self.frozen = allowed, read, denied, frozen
        self.cleaned, self.withheld, self.ungranted = cleaned, withheld, ungranted
        self.broken, self.refused, self.opaque = broken, refused, opaque

    def did(self, what: Any) -> Any:
        self.ran.append(what)
        return what


def equal(found: Any, expected: Any) -> None:
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def a(found: Any, kind: type[Any]) -> Any:
    if not isinstance(found, kind):
        raise AssertionError(f"found {found!r}, expected a {kind.__name__}")
    return found


def raised(kind: type[BaseException], act: Any) -> Any:
    try:
        found = act()
    except kind as error:
        return error
    raise AssertionError(f"nothing was raised, but given {found!r}")


def mark() -> str:
    """A charge that no other case uses."""
    return f"ch_{uuid.uuid4().hex[:12]}"


def an_allowed_call_runs_once_and_gives_its_own_value(world: World) -> None:
    tools, charge = Tools(world), mark()
    equal(tools.allowed(charge, amount=5), {"charge": charge, "amount": 5})
    equal(len(tools.ran), 1)
    again = a(tools.allowed.outcome(mark()), Success)
    equal((again.status, again.tool, again.replayed), ("succeeded", "app.allowed", False))


def a_denied_call_is_data_and_runs_nothing(world: World) -> None:
    tools = Tools(world)
    denied = a(tools.denied(mark()), Denied)
    equal((denied.code, denied.message, denied.status), ("policy_denied", "not today", "denied"))
    equal(tools.ran, [])


def what_is_not_granted_is_denied(world: World) -> None:
    tools = Tools(world)
    equal(a(tools.ungranted(mark()), Denied).code, "not_granted")
    equal(tools.ran, [])


def a_pending_call_says_who_to_ask_and_runs_after_approval(world: World) -> None:
    tools, charge = Tools(world), mark()
    pending = a(tools.frozen(charge), Pending)
    equal((pending.code, pending.status, tools.ran), ("approval_required", "pending_approval", []))
    for field in (pending.approval_id, pending.digest, pending.url, pending.expires_at):
        assert field, pending
    world.approve(pending)
    equal(tools.ran, [])
    equal(a(pending.wait(20), Success).data, f"done {charge}")
    equal(tools.ran, [f"done {charge}"])


def waiting_ends_without_an_approval(world: World) -> None:
    tools = Tools(world)
    with toolgate.scope(on_approval="wait", wait_timeout=0.3):
        a(tools.frozen(mark()), Pending)
    equal(tools.ran, [])


def the_same_call_again_runs_once_it_is_approved_and_never_twice(world: World) -> None:
    tools, charge = Tools(world), mark()
    with toolgate.scope(run=charge, call="1"):
        pending = a(tools.frozen(charge), Pending)
        equal(a(tools.frozen(charge), Pending).approval_id, pending.approval_id)
        world.approve(pending)
        equal(tools.frozen(charge), f"done {charge}")
        replayed = a(tools.frozen.outcome(charge), Success)
    equal((replayed.replayed, replayed.data, len(tools.ran)), (True, f"done {charge}", 1))


def a_pending_call_is_raised_where_that_is_asked_for(world: World) -> None:
    tools = Tools(world)
    with toolgate.scope(on_approval="raise"):
        error = raised(ApprovalRequired, lambda: tools.frozen(mark()))
    a(error.outcome, Pending)
    equal(tools.ran, [])


def a_rejected_call_is_denied(world: World) -> None:
    tools = Tools(world)
    pending = a(tools.frozen(mark()), Pending)
    world.reject(pending, "wrong customer")
    denied = a(pending.wait(20), Denied)
    assert "wrong customer" in str(denied.envelope["denial"]), denied.envelope
    equal((denied.status, tools.ran), ("rejected", []))


def a_pending_call_can_be_withdrawn(world: World) -> None:
    tools = Tools(world)
    pending = a(tools.frozen(mark()), Pending)
    equal(world.gate.cancel(pending).status, "cancelled")
    a(pending.wait(5), Denied)
    equal(tools.ran, [])


def the_function_gets_the_arguments_as_judged(world: World) -> None:
    tools = Tools(world)
    a(tools.cleaned.outcome("call me at 555"), Success)
    equal(len(tools.ran), 1)
    assert "555" not in tools.ran[0], tools.ran


def the_caller_gets_what_the_gate_left_of_the_answer(world: World) -> None:
    tools = Tools(world)
    found = tools.withheld(mark())
    assert "1234" in str(tools.ran) and "1234" not in str(found), found


def an_exception_leaves_an_unknown_effect(world: World) -> None:
    tools, charge = Tools(world), mark()
    with toolgate.scope(run=charge, call="1"):
        error = raised(UnknownEffect, lambda: tools.broken(charge))
        a(error.__cause__, ConnectionError)
        equal(a(error.outcome, Indeterminate).code, "unknown_effect")
        a(tools.broken.outcome(charge), Indeterminate)
    status = world.gate.look(error.outcome).status
    assert status in ("unknown_effect", "reconciling", "needs_operator"), status
    equal(tools.ran, [charge])
    a(error.reconcile(0.2), Indeterminate)


def the_authors_own_look_settles_it(world: World) -> None:
    tools, charge = Tools(world), mark()
    unknown = a(tools.broken.outcome(charge), Indeterminate)
    tools.found = {"refund": "re_1"}
    equal(a(unknown.reconcile(20), Success).data, {"refund": "re_1"})
    equal(world.gate.look(unknown).status, "succeeded")
    equal(tools.ran, [charge])


def a_late_report_settles_the_call(world: World) -> None:
    tools, charge = Tools(world), mark()
    found = a(tools.slow.outcome(charge), Success)
    equal((found.data, found.status, len(tools.ran)), (f"done {charge}", "succeeded", 1))
    equal(world.gate.look(found).status, "succeeded")


def an_exception_of_a_read_is_a_failure(world: World) -> None:
    tools, charge = Tools(world), mark()
    equal(str(raised(ValueError, lambda: tools.read(charge))), f"no {charge}")
    failure = a(tools.read.outcome(mark()), Failure)
    equal(failure.code, "tool_error")
    assert "ValueError" in failure.message, failure


def what_its_author_says_was_not_executed_has_failed(world: World) -> None:
    tools = Tools(world)
    raised(NotExecuted, lambda: tools.refused(mark()))
    failure = a(tools.refused.outcome(mark()), Failure)
    assert "the bank is closed" in failure.message, failure


def an_answer_that_is_no_data_is_still_a_success(world: World) -> None:
    tools = Tools(world)
    success = a(tools.opaque.outcome(mark()), Success)
    assert "cannot be shown" in success.data, success
    equal(len(tools.ran), 1)


def one_key_is_one_call(world: World) -> None:
    tools, charge = Tools(world), mark()
    with toolgate.scope(run=charge, call="1"):
        a(tools.allowed.outcome(charge), Success)
        equal(a(tools.allowed.outcome(mark()), Denied).code, "idempotency_conflict")
        equal(a(tools.allowed.outcome(charge), Success).replayed, True)
    equal(len(tools.ran), 1)


def a_verdict_runs_nothing(world: World) -> None:
    tools = Tools(world)
    world.gate.register()
    for ask in (world.gate.decide, world.gate.simulate):
        equal(ask("app.allowed", {"charge": mark(), "amount": 1}).allowed, True)
        frozen = ask("app.frozen", {"charge": mark()})
        equal((frozen.verdict, frozen.allowed), ("require_approval", False))
        equal(a(ask("app.denied", {"charge": mark()}).outcome, Denied).code, "policy_denied")
    equal(tools.ran, [])


def nobody_else_can_run_this_programs_tools(world: World) -> None:
    tools = Tools(world)
    world.gate.register()
    a(world.gate.call("app.allowed", {"charge": mark(), "amount": 1}), Denied)
    equal(tools.ran, [])


CASES = [
    an_allowed_call_runs_once_and_gives_its_own_value,
    a_denied_call_is_data_and_runs_nothing,
    what_is_not_granted_is_denied,
    a_pending_call_says_who_to_ask_and_runs_after_approval,
    waiting_ends_without_an_approval,
    the_same_call_again_runs_once_it_is_approved_and_never_twice,
    a_pending_call_is_raised_where_that_is_asked_for,
    a_rejected_call_is_denied,
    a_pending_call_can_be_withdrawn,
    the_function_gets_the_arguments_as_judged,
    the_caller_gets_what_the_gate_left_of_the_answer,
    an_exception_leaves_an_unknown_effect,
    the_authors_own_look_settles_it,
    a_late_report_settles_the_call,
    an_exception_of_a_read_is_a_failure,
    what_its_author_says_was_not_executed_has_failed,
    an_answer_that_is_no_data_is_still_a_success,
    one_key_is_one_call,
    a_verdict_runs_nothing,
    nobody_else_can_run_this_programs_tools,
]
