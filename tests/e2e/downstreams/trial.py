"""One trial: many calls of one real system through the gate, with lost answers and kills.

Callers send each call under a key of its own and repeat it, unchanged, when the gate dies under
them. A proxy between gate and adapter loses answers before, after and late; the gate is killed with
`kill -9` and started again on the same data. When every invocation has ended or waits for a person,
the system itself says how often each call's mark is in it: verdict.py holds that against what the
gate says of the call.

Must not know: which system it is.
"""

import json
import random
import sqlite3
import threading
import time

from kit import Gate, Proxy, equal, folder, wait_for
from verdict import Verdict

SHARES = {"before": 0.4, "after": 0.5, "late": 0.1}  # Of the lost answers.
DELAY_MILLIS = (50, 1000)  # How late a late request lands: well within `lands_within`, on a busy machine too.
FORBIDDEN_EVERY = 10  # One call in so many is one that the gate must stop.
KILL_JITTER_SECONDS = 0.1
SETTLE_SECONDS = 180  # LIMIT: looks, their backoff and `lands_within` are over in a tenth of it.
ENDED = {"succeeded", "failed", "denied", "needs_operator"}


class Trial:
    """The calls, the faults, and what became of both."""

    def __init__(self, system_class, calls, lost, kills, seed):
        self.calls, self.lost, self.kills, self.seed = calls, lost, kills, seed
        self.home = folder(system_class.name)
        self.system = system_class(self.home, calls)
        self.gate = self.proxy = None
        self.lock, self.next, self.answered = threading.Lock(), 0, 0
        self.envelopes, self.surprises, self.killed, self.forbidden = {}, [], 0, []

    def run(self):
        """Everything, from installation to verdict; what was started is stopped."""
        try:
            self.prepare()
            self.fight()
            self.settle()
            self.judge()
            return self
        finally:
            self.stop()

    def prepare(self):
        system = self.system
        system.install()
        system.start()
        rates = {fault: share * self.lost for fault, share in SHARES.items()}
        self.proxy = Proxy(self.home, system.adapter_port, aim={"tools": list(system.tools)}, rates=rates,
                           delay_millis=DELAY_MILLIS, seed=self.seed)
        source = f"""
[[source]]
name = "{system.name}"
mcp = {{ url = "{self.proxy.url}" }}
"""
        policy = {"name": system.name, "rules": system.rules()}
        self.gate = Gate(source + system.descriptors(), {"policy.json": policy}, self.home)
        self.gate.start()
        names = [f"{system.name}.{tool}" for tool in system.tools]
        self.agent = self.gate.agent("caller", *(word for name in names for word in ("--tool", name)))
        self.gate.wait_tools(self.agent, *names)

    def stop(self):
        if self.gate and self.gate.process:
            self.gate.process.kill()
        if self.proxy:
            self.proxy.stop()
        self.system.stop()

    def fight(self):
        callers = [threading.Thread(target=self.call_all) for _ in range(self.system.callers)]
        [caller.start() for caller in callers]
        dice = random.Random(self.seed)
        moments = sorted(dice.sample(range(1, self.calls), min(self.kills, self.calls - 1)))
        for moment in moments:
            wait_for(f"call {moment} to be answered", lambda: self.answered >= moment, SETTLE_SECONDS)
            # The moment of a kill is the one thing here that is a time and not a condition.
            time.sleep(dice.uniform(0, KILL_JITTER_SECONDS))
            self.gate.kill()
            self.killed += 1
            self.gate.start()
        [caller.join() for caller in callers]
        equal(self.surprises[:3], [], "answers that are no envelope")

    def call_all(self):
        while (number := self.take()) is not None:
            mark = f"m-{self.seed}-{number}"
            call = self.system.call(number, mark)
            if number % FORBIDDEN_EVERY == FORBIDDEN_EVERY - 1:
                call = self.system.forbidden(call)
                self.forbidden.append(mark)
            self.call_one(call, mark)

    def take(self):
        with self.lock:
            number = self.next
            self.next += 1
            return number if number < self.calls else None

    def call_one(self, call, mark):
        """Sends one call until the gate has said something about it: the same call each time."""
        tool, arguments = call
        body = {"tool": tool, "arguments": arguments, "correlation_id": mark}
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = self.gate.http("POST", "/v1/invocations", body, self.agent, {"Idempotency-Key": mark})
            except Exception:
                time.sleep(0.02)  # The gate was killed under it, or is not back yet.
                continue
            with self.lock:
                if answer.status == 200:
                    self.envelopes[mark] = answer.json
                    self.answered += 1
                    return
                if answer.status != 503:
                    self.surprises.append(f"{mark}: {answer}")
                    self.answered += 1
                    return
        self.surprises.append(f"{mark}: no answer within {SETTLE_SECONDS} s")

    def settle(self):
        wait_for("the late requests to land", lambda: self.proxy.counts["late_waiting"] == 0, SETTLE_SECONDS)
        wait_for("every invocation to have ended or to wait for a person", lambda: not self.unsettled(), SETTLE_SECONDS)

    def unsettled(self):
        return {id: status for id, status in self.statuses().items() if status not in ENDED}

    def statuses(self):
        return dict(self.rows("SELECT id, status FROM invocations"))

    def records(self):
        return [json.loads(text) for (text,) in self.rows("SELECT bytes FROM records ORDER BY idx")]

    def rows(self, statement):
        database = sqlite3.connect(f"file:{self.gate.data}/toolgate.db?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def judge(self):
        self.faults = self.proxy.counts
        self.verdict = Verdict(self.system.effects(), self.statuses(), self.records(), self.envelopes)
        self.violations = list(self.verdict.violations)
        if len(self.envelopes) != self.calls:
            self.violations.append(f"{len(self.envelopes)} of {self.calls} calls were answered")
        if "idempotency" not in self.system.descriptors():
            # Where no key is honoured, nothing may go out again without a look.
            blind = self.verdict.blind_retries()
            self.violations += [f"{invocation}: sent again without a look" for invocation in blind]

        for mark in self.forbidden:
            status = self.envelopes.get(mark, {}).get("status")
            if status != "denied":
                self.violations.append(f"{mark}: a rule forbids it, and the caller was told {status}")

    def stopped_by_rule(self):
        """How many calls were denied by the rule that forbids them, and not for want of something."""
        codes = [self.envelopes[mark]["denial"]["code"] for mark in self.forbidden if mark in self.envelopes]
        return codes.count("policy_denied")

    def row(self):
        verdict, faults, took = self.verdict, self.faults, self.verdict.settled_in()
        said = verdict.states()
        return {
            "system": self.system.name, "calls": self.calls,
            "lost before": faults["before"], "after": faults["after"], "late": faults["late"], "kills": self.killed,
            "success": said["succeeded"], "reconciled": verdict.reconciled(), "sent again": verdict.sent_again(),
            "unlooked": len(verdict.blind_retries()),
            "failed": said["failed"], "denied": said["denied"], "needs operator": said["needs_operator"],
            "double": verdict.double, "missing": verdict.missing, "unwanted": verdict.unwanted,
            "settled in": "-" if took is None else f"{took * 1000:.0f} ms",
        }
