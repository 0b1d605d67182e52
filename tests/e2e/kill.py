"""`kill -9` at random moments, under load, against a refund desk that counts.

Eight callers make allowed, denied and frozen calls, and a person approves some, while the gate is
killed and started again. Every call carries a mark, in its arguments and as its correlation id, so
that the desk's ledger, the answers that callers got and the gate's log can be laid side by side:

    answers ⊆ log         what was acknowledged is on the record
    ledger  ⊆ admissions  nothing happened without an admission, and nothing twice

`--kills 500 --seed 7` repeats a run; the moments of the kills come from the seed.
"""

import collections
import random

from kit import Desk, Gate, at_end, check, desk_source, effects, equal, folder, stage, test, wait_for
from war import Load, War

POLICY = {
    "name": "desk",
    "rules": [
        {"rule_id": "large", "when": "tool == desk.refund and amount > 500", "effect": "require_approval"},
        {"rule_id": "blocked", "when": "tool == desk.refund and charge == ch_2", "effect": "deny"},
    ],
}
LOAD_SECONDS = (0.02, 0.4)  # How long a gate lives under load before it is killed.
UNFINISHED = {"proposed", "executing"}  # What nothing may be in once a gate has started again.
AFTER_ADMISSION = {"succeeded", "failed", "unknown_effect", "reconciling", "needs_operator"}
OPTIONS = {}


def configure(options):
    OPTIONS.update(kills=options.kills, seed=options.seed)


class Killing(War):
    """Kills at random moments under a load of every kind of call."""

    def __init__(self):
        super().__init__(OPTIONS["seed"])
        home = folder("kill")
        self.desk = Desk(home)
        at_end(self.desk.stop)
        self.gate = Gate(desk_source("desk", self.desk), {"desk.json": POLICY}, home)
        at_end(lambda: self.gate.process and self.gate.process.kill())
        self.gate.start()
        self.agent = self.gate.agent("helper", "--tool", "desk.refund", "--tool", "desk.send_message")
        self.approver = self.gate.person("bo@acme.com")
        self.gate.wait_tools(self.agent, "desk.refund")
        self.left_unfinished = 0
        self.fight()

    @staticmethod
    def proposal(dice, mark):
        call = {"correlation_id": mark, "allow_duplicate": True, "tool": "desk.refund"}
        refund = {"charge": "ch_load", "customer": "cust_load", "amount": 1, "metadata": {"mark": mark}}
        match dice.randrange(5):
            case 0 | 1:
                return {**call, "arguments": refund}
            case 2:
                return {**call, "arguments": {**refund, "charge": "ch_2", "customer": "cust_123"}}
            case 3:
                return {**call, "arguments": {**refund, "amount": 600}}
            case _:
                return {**call, "tool": "desk.send_message", "arguments": {"to": "a@example.com", "text": mark}}

    def fight(self):
        dice = random.Random(OPTIONS["seed"])
        print(f"     seed {OPTIONS['seed']}, {OPTIONS['kills']} kills", flush=True)
        for _ in range(OPTIONS["kills"]):
            self.lives += 1
            load = Load(self)
            self.ended_by_clock(dice.uniform(*LOAD_SECONDS))
            self.gate.kill()
            load.join()
            self.left_unfinished += self.count_executing()
            self.gate.start()
        self.gate.wait_tools(self.agent, "desk.refund")
        # What was approved before a kill is run by the next gate: the ledger is read when that is over.
        wait_for("no invocation to be under way", lambda: not self.in_states(UNFINISHED | {"approved"}))
        self.ledger = self.desk.lines()
        self.log = self.records()

    def count_executing(self):
        """How many invocations the dead gate left between admission and outcome."""
        return self.rows("SELECT count(*) FROM invocations WHERE status = 'executing'")[0][0]

    def in_states(self, states):
        return [row for row in self.rows("SELECT id, status FROM invocations") if row[1] in states]

    def marks(self, kind):
        return collections.Counter(record.get("correlation") for record in self.log if record["kind"] == kind)

    def landed(self):
        """How often each mark stands in the desk's ledger as an effect."""
        refunds = [made["metadata"].get("mark") for made in effects(self.ledger, "refund")]
        return collections.Counter(refunds + [sent["text"] for sent in effects(self.ledger, "message")])


war = stage(Killing)


@test("the gate was killed under load, and each time something was under way")
def killed():
    equal(war().lives, OPTIONS["kills"], "kills")
    equal(war().surprises[:3], [], "answers that are no envelope")
    outcomes = collections.Counter(envelope["status"] for envelope in war().envelopes.values())
    states = collections.Counter(row[0] for row in war().rows("SELECT status FROM invocations"))
    print(f"     answers {dict(outcomes)}, approved {war().approved}, left executing by kills {war().left_unfinished}")
    print(f"     invocations {dict(states)}, records {len(war().log)}, effects {sum(war().landed().values())}")
    for status in ("succeeded", "denied", "pending_approval"):
        check(outcomes[status] > 0, f"no call was answered as {status}: the load is none")
    check(OPTIONS["kills"] < 50 or war().left_unfinished > 0, "no kill ever struck a running call: it proves nothing")


@test("no acknowledged record is lost: all evidence of every answer is in the log")
def nothing_lost():
    ids = {record["id"] for record in war().log}
    equal(len(ids), len(war().log), "ids that differ")
    for mark, envelope in war().envelopes.items():
        check(envelope["evidence_ids"], f"{mark} was answered without evidence")
        lost = [id for id in envelope["evidence_ids"] if id not in ids]
        equal(lost, [], f"lost records of {mark}, answered as {envelope['status']}")


@test("no effect is in the desk's ledger without an admission on the record, and none is there twice")
def no_effect_without_admission():
    admitted, landed = war().marks("invocation.admitted"), war().landed()
    check(landed, "the desk did nothing: the load is none")
    equal([mark for mark in landed if mark not in admitted], [], "effects without an admission")
    equal([mark for mark, count in landed.items() if count > 1], [], "effects that landed twice")
    denied = war().marks("invocation.denied")
    equal([mark for mark in denied if mark in landed], [], "denied calls that reached the desk")


@test("what was acknowledged as done is in the desk's ledger, and what is on record as done too")
def done_is_done():
    landed = war().landed()
    answered = [mark for mark, envelope in war().envelopes.items() if envelope["status"] == "succeeded"]
    equal([mark for mark in answered if not landed[mark]], [], "answered as succeeded, and not in the ledger")
    recorded = war().marks("invocation.succeeded")
    equal([mark for mark in recorded if not landed[mark]], [], "recorded as succeeded, and not in the ledger")


@test("every invocation that was unfinished at a kill is `unknown_effect` or further")
def no_limbo():
    equal(war().in_states(UNFINISHED), [], "invocations in limbo")
    admitted = set(war().marks("invocation.admitted"))
    ids = {record["invocation"]: record["correlation"] for record in war().log if record["kind"] == "invocation.admitted"}
    statuses = dict(war().rows("SELECT id, status FROM invocations"))
    wrong = {id: statuses.get(id) for id in ids if statuses.get(id) not in AFTER_ADMISSION}
    equal(wrong, {}, "admitted invocations in a state that cannot be")
    closed = admitted & (set(war().marks("invocation.succeeded")) | set(war().marks("invocation.failed")))
    doubtful = set(war().marks("invocation.unknown_effect"))
    equal(sorted(admitted - closed - doubtful), [], "admitted, without an outcome and without a doubt on record")


@test("nothing landed that the gate holds for undone: the desk's effects are the succeeded and the unknown")
def balance():
    landed = set(war().landed())
    done = set(war().marks("invocation.succeeded"))
    doubtful = set(war().marks("invocation.unknown_effect"))
    equal(sorted(landed - done - doubtful), [], "effects that the gate does not know of")


@test("pending approvals that were acknowledged are still there, or were decided")
def approvals_survive():
    waiting = [envelope for envelope in war().envelopes.values() if envelope["status"] == "pending_approval"]
    fates = collections.Counter()
    for envelope in waiting:
        path = f"/v1/invocations/{envelope['invocation_id']}"
        answer = war().gate.http("GET", path, token=war().agent)
        equal(answer.status, 200, f"{path} {answer}")
        fates[answer.json["status"]] += 1
    check(set(fates) <= {"pending_approval", "approved", *AFTER_ADMISSION}, f"their fates: {dict(fates)}")
    print(f"     pending answers now {dict(fates)}")


@test("the log verifies, offline and as a whole, and a good call still works")
def verifies():
    envelope = war().gate.invoke(war().agent, "desk.send_message", {"to": "a@example.com", "text": "after all"})
    equal(envelope["outcome"], "success", "a call after all kills")
    war().gate.stop()
    report = war().gate.cli("audit", "verify", "--data", war().gate.data, url=False)
    equal((report["sound"], report["errors"]), (True, 0), f"{report}")
    check(report["records"] > len(war().log), f"fewer records than there were: {report['records']}")
    war().gate.process = None
