"""`kill -9` right after each durable step of a call, with answers lost and requests that land late.

A watcher reads the gate's log as it grows and kills the process the moment a step stands on it: the
admission, the lost answer, the look, what the look saw, the second admission, the outcome, the
request for an approval and the approval itself. Between gate and desk a proxy loses answers; what
it delivers late lands after every look is over. Three desks, by what their operator states:

    key    the desk answers a repeated key from the first refund
    held   no key, no bound: what is not found waits for a person
    bound  no key, and a `lands_within` that is shorter than the delay: the operator's own risk

The first two never refund twice. The third does, and is here to show that the count can find it.
`--crashes 40 --seed 7` repeats a run with forty kills after each step.
"""

import collections
import random
import time

import war
from kit import Desk, Gate, Proxy, at_end, check, effects, equal, folder, stage, test, wait_for
from verdict import Verdict

STEPS = [
    "approval.requested", "approval.approved", "invocation.admitted", "invocation.unknown_effect",
    "invocation.reconciling", "invocation.probed", "invocation.retried", "invocation.succeeded",
    "invocation.needs_operator",
]
NEVER = {
    "key": {"invocation.needs_operator"}, "held": {"invocation.retried"}, "bound": {"invocation.needs_operator"},
}
LOOK = """probe = "desk.list_refunds"
args = { charge = "{args.charge}" }
landed = "any(result.data, r, r.metadata.mark == $args.metadata.mark)"
tries = 3
backoff = "50ms..100ms"
"""
CONTRACTS = {
    "key": (("--idempotency",), LOOK + 'idempotency = { meta = "dev.toolgate/idempotency-key" }\n'),
    "held": ((), LOOK),
    "bound": ((), LOOK + 'lands_within = "200ms"\n'),
}
RATES = {"before": 0.1, "after": 0.1, "late": 0.1}
DELAY_MILLIS = (600, 1200)  # Longer than all looks of these descriptors together, and than `bound`.
POLICY = {"name": "desk", "rules": [{"rule_id": "large", "when": "amount > 500", "effect": "require_approval"}]}
STRIKE_SECONDS = 10  # LIMIT: a step that does not come up under load in this time is not struck.
SETTLE_SECONDS = 120
SETTLED = {"succeeded", "failed", "denied", "needs_operator", "pending_approval"}
OPTIONS = {}


def configure(options):
    OPTIONS.update(crashes=options.crashes, seed=options.seed)


class Crashes(war.War):
    """One desk, one contract, a kill after each step, as often as asked."""

    def __init__(self, contract):
        super().__init__(OPTIONS["seed"], callers=4)
        self.contract = contract
        arguments, effect = CONTRACTS[contract]
        home = folder(f"crash-{contract}")
        self.desk = Desk(home, arguments=arguments)
        at_end(self.desk.stop)
        self.proxy = Proxy(home, self.desk.port, aim={"tools": ["refund"]}, rates=RATES,
                           delay_millis=DELAY_MILLIS, seed=self.seed)
        at_end(self.proxy.stop)
        self.gate = Gate(self.config(effect), {"desk.json": POLICY}, home)
        at_end(lambda: self.gate.process and self.gate.process.kill())
        self.gate.start()
        self.agent = self.gate.agent("helper", "--tool", "desk.refund")
        self.approver = self.gate.person("bo@acme.com")
        self.gate.wait_tools(self.agent, "desk.refund")
        self.struck = dict.fromkeys(STEPS, 0)
        self.fight()
        self.settle()

    def config(self, effect):
        return f"""
[[source]]
name = "desk"
mcp = {{ url = "{self.proxy.url}" }}
[tools."desk.refund"]
risk = "medium"
timeout = "10s"
[tools."desk.refund".effect]
{effect}
[tools."desk.list_refunds"]
effect = "none"
"""

    @staticmethod
    def proposal(dice, mark):
        amount = 600 if dice.randrange(4) == 0 else 1
        refund = {"charge": "ch_load", "customer": "cust_load", "amount": amount, "metadata": {"mark": mark}}
        return {"correlation_id": mark, "allow_duplicate": True, "tool": "desk.refund", "arguments": refund}

    def fight(self):
        dice = random.Random(self.seed)
        steps = [step for step in STEPS if step not in NEVER[self.contract]] * OPTIONS["crashes"]
        dice.shuffle(steps)
        for step in steps:
            self.lives += 1
            load = war.Load(self)
            self.struck[step] += self.comes_up(step)
            self.gate.kill()
            load.join()
            self.gate.start()

    def comes_up(self, step):
        """Waits until a step stands on the log that did not when this life began."""
        database = self.open()
        try:
            newest = "SELECT max(idx) FROM records"
            known = database.execute(newest).fetchone()[0]
            deadline = time.monotonic() + STRIKE_SECONDS
            look = "SELECT count(*) FROM records WHERE idx > ? AND bytes LIKE ?"
            while time.monotonic() < deadline:
                if database.execute(look, (known, f'%"kind":"{step}"%')).fetchone()[0]:
                    return True
                time.sleep(0.001)
            return False
        finally:
            database.close()

    def settle(self):
        wait_for("the late requests to land", lambda: self.proxy.counts["late_waiting"] == 0, SETTLE_SECONDS)
        wait_for("every invocation to be settled", lambda: not self.unsettled(), SETTLE_SECONDS)
        landed = [made["metadata"]["mark"] for made in effects(self.desk.lines(), "refund")]
        self.verdict = Verdict(collections.Counter(landed), self.statuses(), self.records(), self.envelopes)

    def unsettled(self):
        return {id: status for id, status in self.statuses().items() if status not in SETTLED}

    def told(self):
        """One line of figures."""
        faults, verdict = self.proxy.counts, self.verdict
        said = ", ".join(f"{count} {status}" for status, count in sorted(verdict.states().items()))
        lost = f"{faults['before']} lost before, {faults['after']} after, {faults['late']} late"
        return f"{self.contract}: {self.lives} kills, {lost}; {said}; {verdict.sent_again()} sent again, " \
            f"{verdict.double} refunded twice"


desks = {contract: stage(lambda contract=contract: Crashes(contract)) for contract in CONTRACTS}


def sound(contract):
    """No step was missed, and no call has more or fewer refunds than the gate says."""
    seen = desks[contract]()
    print(f"     {seen.told()}")
    missed = [step for step, count in seen.struck.items() if not count and step not in NEVER[contract]]
    equal(missed, [], "steps after which the gate was never killed")
    equal(seen.verdict.violations[:5], [], f"calls of {len(seen.verdict.by_mark)} whose refunds are not as the gate says")


@test("a desk that honours the key never refunds twice, whatever is lost, late or killed")
def key():
    sound("key")
    check(desks["key"]().verdict.sent_again() > 0, "nothing was sent again: it proves nothing")


@test("a desk that honours nothing never refunds twice either: what is not found waits for a person")
def held():
    sound("held")
    equal(desks["held"]().verdict.sent_again(), 0, "calls that were sent again")


@test("a bound that is shorter than the delay does refund twice, and the count finds it")
def bound():
    seen = desks["bound"]()
    print(f"     {seen.told()}")
    check(seen.verdict.double > 0, "nothing was refunded twice: the faults are too tame to prove anything")
    blind = seen.verdict.blind_retries()
    equal(blind, [], "calls that were sent again without a look")


@test("what was acknowledged is on the record, and the log of every gate verifies")
def on_record():
    for contract, one in desks.items():
        ids = {record["id"] for record in one().records()}
        for mark, envelope in one().envelopes.items():
            lost = [id for id in envelope["evidence_ids"] if id not in ids]
            equal(lost, [], f"lost records of {mark}")
        one().gate.stop()
        report = one().gate.cli("audit", "verify", "--data", one().gate.data, url=False)
        equal((report["sound"], report["errors"]), (True, 0), f"{contract}: {report}")
        one().gate.process = None
