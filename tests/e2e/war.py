"""A gate under load that is killed again and again: what the suites of kills share.

Callers make calls, a person approves what waits, and the process dies under them. Every call
carries a mark, in its arguments and as its correlation id, so that a ledger, the answers that
callers got and the gate's log can be laid side by side. Must not know: when to kill, what to expect.
"""

import collections
import json
import random
import sqlite3
import threading
import time

CALLERS = 8


class Load:
    """The callers and the approver of one life of the gate."""

    def __init__(self, war):
        self.war, self.ended, self.threads = war, threading.Event(), []
        for number in range(war.callers):
            self.threads.append(threading.Thread(target=self.call, args=(number,)))
        self.threads.append(threading.Thread(target=self.approve))
        [thread.start() for thread in self.threads]

    def join(self):
        self.ended.set()
        [thread.join() for thread in self.threads]

    def call(self, number):
        dice = random.Random(f"{self.war.seed}/{self.war.lives}/{number}")
        count = 0
        while not self.ended.is_set():
            count += 1
            mark = f"m-{self.war.lives}-{number}-{count}"
            body = self.war.proposal(dice, mark)
            try:
                answer = self.war.gate.http("POST", "/v1/invocations", body, self.war.agent, timeout=20)
            except OSError:
                continue  # The gate was killed under it: nothing was acknowledged.
            except Exception:
                continue  # Half an answer is none.
            if answer.status == 200:
                self.war.answered(mark, answer.json)
            elif not self.ended.is_set():
                self.war.surprises.append(f"{answer}")

    def approve(self):
        while not self.ended.is_set():
            pending = self.war.next_pending()
            if pending is None:
                time.sleep(0.005)
                continue
            try:
                answer = self.war.gate.decide(pending, self.war.approver)
            except Exception:
                continue
            if answer.status == 200:
                self.war.approved += 1


class War:
    """All lives of one gate, and what was seen of them. `gate`, `agent`, `approver` are given."""

    def __init__(self, seed, callers=CALLERS):
        self.seed, self.callers = seed, callers
        self.gate = self.agent = self.approver = None
        self.lock = threading.Lock()
        self.lives, self.approved, self.surprises = 0, 0, []
        self.envelopes, self.pending = {}, collections.deque()

    def proposal(self, dice, mark):
        """The next call of a caller."""
        raise NotImplementedError

    def answered(self, mark, envelope):
        with self.lock:
            self.envelopes[mark] = envelope
            if envelope["status"] == "pending_approval":
                self.pending.append(envelope)

    def next_pending(self):
        with self.lock:
            return self.pending.popleft() if self.pending else None

    @staticmethod
    def ended_by_clock(seconds):
        # The moment of a kill is the one thing here that is a time and not a condition.
        time.sleep(seconds)

    def open(self):
        """The gate's store, to be read only."""
        return sqlite3.connect(f"file:{self.gate.data}/toolgate.db?mode=ro", uri=True, timeout=30)

    def rows(self, statement, *values):
        database = self.open()
        try:
            return database.execute(statement, values).fetchall()
        finally:
            database.close()

    def statuses(self):
        return dict(self.rows("SELECT id, status FROM invocations"))

    def records(self):
        return [json.loads(text) for (text,) in self.rows("SELECT bytes FROM records ORDER BY idx")]
