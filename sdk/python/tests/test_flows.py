"""What happens on a bad line: a function runs at most once, and only under a lease of its own answer."""

import asyncio
import threading
import unittest

import toolgate
from toolgate import Denied, Failure, GateUnreachable, Indeterminate, Pending, Problem, Success, UnknownEffect
from toolgate.flows import PROPOSAL_TRIES
from toolgate.testing import FakeGate


class Lines(unittest.TestCase):
    """One tool, one fake gate, and a clock that every look moves on."""

    def setUp(self):
        self.fake = FakeGate()
        self.fake.allow("app.*")
        self.ran = []
        self.now = 0.0
        self.gate = self.fake.client(clock=self.clock)

        @self.gate.tool
        def refund(charge: str) -> str:
            """Pays back."""
            self.ran.append(charge)
            return f"done {charge}"

        self.refund = refund

    def clock(self):
        self.now += 1
        return self.now

    def asked(self, ending):
        return [body for _, path, body in self.fake.requests if path.endswith(ending)]

    def test_a_request_that_is_lost_is_sent_again_under_the_same_key(self):
        self.fake.lose("propose", "request")
        self.assertEqual(self.refund("ch_1"), "done ch_1")
        self.assertEqual((len(self.asked("/invocations")), self.ran), (2, ["ch_1"]))
        self.assertEqual(len(self.fake.invocations), 1)

    def test_a_lease_that_is_lost_on_its_way_runs_nothing_and_says_so(self):
        self.fake.lose("propose", "answer")
        found = self.refund.outcome("ch_1")
        self.assertIsInstance(found, Failure)
        self.assertIn("was not executed", found.message)
        self.assertEqual(self.ran, [])
        self.assertEqual([one.status for one in self.fake.invocations.values()], ["failed"])

    def test_a_lost_lease_under_a_key_that_others_may_hold_stays_unknown(self):
        self.fake.lose("propose", "answer")
        with toolgate.scope(run="r", call="1"):
            self.assertIsInstance(self.refund.outcome("ch_1"), Indeterminate)
        self.assertEqual((self.ran, self.asked("/outcome")), ([], []))

    def test_a_gate_that_never_answers_runs_nothing(self):
        self.gate.register()
        for _ in range(PROPOSAL_TRIES):
            self.fake.lose("propose", "request")
        with self.assertRaises(GateUnreachable) as raised:
            self.refund("ch_1")
        self.assertIn("nothing was executed", str(raised.exception))
        self.assertEqual((self.ran, len(self.asked("/invocations"))), ([], PROPOSAL_TRIES))

    def test_a_report_is_repeated_until_it_is_heard(self):
        for part in ("request", "answer", "request"):
            self.fake.lose("report", part)
        self.assertEqual(self.refund("ch_1"), "done ch_1")
        self.assertEqual((len(self.asked("/outcome")), self.ran), (4, ["ch_1"]))

    def test_a_report_that_nobody_hears_is_an_unknown_effect_that_can_be_settled_later(self):
        for _ in range(100):
            self.fake.lose("report", "request")
        with self.assertRaises(UnknownEffect) as raised:
            self.refund("ch_1")
        tries = len(self.asked("/outcome"))
        self.assertTrue(5 < tries < 60, tries)
        self.fake.losses.clear()
        self.fake.expire(raised.exception.outcome)
        settled = raised.exception.reconcile(60)
        self.assertIsInstance(settled, Success)
        self.assertEqual((settled.data, self.ran), ("done ch_1", ["ch_1"]))

    def test_what_was_settled_without_the_report_is_what_stands(self):
        @self.gate.tool(name="refund")
        def slow(charge: str) -> str:
            """Pays back."""
            found = next(iter(self.fake.invocations.values()))
            found.status, found.data = "failed", None
            found.error = {"code": "tool_error", "message": "an operator said so", "details": {}}
            return charge

        found = slow.outcome("ch_1")
        self.assertIsInstance(found, Failure)
        self.assertEqual(found.message, "an operator said so")

    def test_an_answer_that_the_gate_does_not_take_is_still_a_success(self):
        gate, fake = self.gate, self.fake
        reported = fake.reported

        def picky(found, body):
            if body.get("data") == "done ch_1":
                from toolgate.testing import problem

                return problem(413, "too_large", "the body is too large")
            return reported(found, body)

        fake.reported = picky
        found = self.refund.outcome("ch_1")
        self.assertIsInstance(found, Success)
        self.assertIn("could not pass the gate", found.data)
        self.assertEqual(gate.look(found).status, "succeeded")

    def test_a_program_that_is_stopped_says_so_once_and_goes(self):
        @self.gate.tool(name="refund")
        def stopped(charge: str) -> str:
            """Pays back."""
            raise KeyboardInterrupt

        for _ in range(3):
            self.fake.lose("report", "request")
        with self.assertRaises(KeyboardInterrupt):
            stopped("ch_1")
        self.assertEqual(len(self.asked("/outcome")), 1)

    def test_a_wrong_key_is_a_problem_and_runs_nothing(self):
        self.gate.register()
        self.fake.proposed = lambda body, key: __import__("toolgate.testing").testing.problem(
            401, "unauthenticated", "who"
        )
        with self.assertRaises(Problem) as raised:
            self.refund("ch_1")
        self.assertEqual((raised.exception.status, raised.exception.code, self.ran), (401, "unauthenticated", []))

    def test_a_call_that_is_approved_and_not_claimed_is_still_pending(self):
        self.fake.freeze("app.*")
        pending = self.refund("ch_1")
        self.fake.approve(pending)
        found = self.gate.look(pending)
        self.assertIsInstance(found, Pending)
        self.assertEqual((found.status, self.ran), ("approved", []))

    def test_tools_are_told_once(self):
        self.refund("ch_1")
        self.refund("ch_2")
        self.assertEqual(len(self.asked("/tools")), 1)

    def test_calls_of_many_threads_run_once_each(self):
        threads = [threading.Thread(target=self.refund, args=(f"ch_{number}",)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(self.ran), sorted(f"ch_{number}" for number in range(20)))

    def test_an_argument_that_no_schema_names_is_refused_before_anything_is_asked(self):
        with self.assertRaises(TypeError):
            self.refund("ch_1", 5)
        with self.assertRaises(TypeError), toolgate.scope(nonsense=1):
            self.refund("ch_1")
        self.assertEqual(self.fake.requests, [])


class Called(unittest.TestCase):
    """Tools that the gate runs."""

    def test_the_three_ways_to_meet_an_approval(self):
        fake = FakeGate()
        fake.freeze("stripe.refund", answer=lambda arguments: arguments["charge"])
        gate = fake.client()
        pending = gate.call("stripe.refund", {"charge": "ch_1"})
        self.assertIsInstance(pending, Pending)
        fake.approve(pending)
        self.assertEqual(pending.wait(5).data, "ch_1")
        with self.assertRaises(toolgate.ApprovalRequired):
            gate.call("stripe.refund", {"charge": "ch_2"}, on_approval="raise")
        waited = gate.call("stripe.refund", {"charge": "ch_3"}, on_approval="wait", wait_timeout=0.1)
        self.assertIsInstance(waited, Pending)

    def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(self):
        fake = FakeGate()
        runs = []
        fake.allow("stripe.refund", lambda arguments: runs.append(arguments) or "paid")
        fake.lose("propose", "answer")
        found = fake.client().call("stripe.refund", {"charge": "ch_1"})
        self.assertEqual((found.data, found.replayed, len(runs)), ("paid", True, 1))


class Twins(unittest.TestCase):
    """A function stays what it is, whichever client decorated it."""

    def setUp(self):
        self.fake = FakeGate()
        self.fake.allow("app.*")

    def test_async_functions(self):
        for gate in (self.fake.async_client(), self.fake.client()):

            @gate.tool
            async def look(charge: str) -> str:
                """Looks."""
                await asyncio.sleep(0)
                return f"saw {charge}"

            # Twice, because a program may run one loop after another.
            for number in range(2):
                self.assertEqual(asyncio.run(look(f"ch_{number}")), f"saw ch_{number}")

    def test_sync_functions(self):
        for gate in (self.fake.async_client(), self.fake.client()):

            @gate.tool
            def look(charge: str) -> str:
                """Looks."""
                return f"saw {charge}"

            self.assertEqual(look("ch_1"), "saw ch_1")

    def test_a_cancelled_task_reports_what_it_can_and_is_cancelled(self):
        gate = self.fake.async_client()
        begun = asyncio.Event()

        @gate.tool
        async def slow(charge: str) -> str:
            """Never ends."""
            begun.set()
            await asyncio.Event().wait()
            return charge

        async def cancelled():
            task = asyncio.ensure_future(slow("ch_1"))
            await begun.wait()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(cancelled())
        self.assertEqual([one.status for one in self.fake.invocations.values()], ["unknown_effect"])

    def test_async_outcomes_wait_and_reconcile_by_awaiting(self):
        self.fake.freeze("app.look")
        gate = self.fake.async_client()

        @gate.tool
        async def look(charge: str) -> str:
            """Looks."""
            return f"saw {charge}"

        async def waited():
            pending = await look.outcome("ch_1")
            self.fake.approve(pending)
            return await pending.wait(5)

        self.assertEqual(asyncio.run(waited()).data, "saw ch_1")

    def test_denied_in_both(self):
        self.fake.deny("app.look")
        gate = self.fake.async_client()

        @gate.tool
        async def look(charge: str) -> str:
            """Looks."""
            return charge

        self.assertIsInstance(asyncio.run(look("ch_1")), Denied)


if __name__ == "__main__":
    unittest.main()
