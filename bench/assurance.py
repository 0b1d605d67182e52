#!/usr/bin/env python3
"""What assurance costs a call: a look before it runs, an approval, and an answer that is lost.

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/assurance.py

The same refund of the same desk through the same gate, one caller, in turns: as it is; with the
charge read live first and judged; frozen, approved over HTTP and thawed with the charge read twice;
with the answer lost after the refund landed (found by a look), and lost before it landed (sent again
under the same key). For the lost ones the time is from the call to the settled answer. The plain
call is the measure of the others. Each refund is another one, of a cent.
"""

import argparse
import itertools
import os
import pathlib
import time

import parts
from kit import Desk, Gate, at_end, check, equal, folder

CONFIG = """
[[source]]
name = "{name}"
mcp = {{ url = "{url}" }}
[tools."{name}.get_charge"]
effect = "none"
[tools."{name}.list_refunds"]
effect = "none"
[tools."{name}.refund"]
risk = "medium"
resource = "customer:{{args.customer}}"
"""
EFFECT = """
[tools."{name}.refund".effect]
idempotency = {{ header = "Idempotency-Key" }}
probe = "{name}.list_refunds"
args = {{ charge = "{{args.charge}}" }}
landed = "any(result.data, r, r.idempotency_key == $invocation.id)"
"""
ENTITY = """
[tools."{name}.refund".entity]
probe = "{name}.get_charge"
args = {{ charge = "{{args.charge}}" }}
match = {{ "customer" = "{{args.customer}}" }}
pin = ["customer", "currency"]
"""
POLICY = {"name": "assurance", "rules": [
    {"rule_id": "ask", "when": "tool == asked.refund", "effect": "require_approval"},
    {"rule_id": "over", "match": {"tools": ["looked.refund"]}, "when": "amount > $entity.amount", "effect": "deny"},
]}


class World:
    """One gate before three desks, of which the descriptors state more and more."""

    def __init__(self):
        place = parts.ROOT / "target/bench"
        place.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(place)
        self.home = folder("assurance")
        self.desks, config = {}, ""
        for name, tables in (("plain", EFFECT), ("looked", EFFECT + ENTITY), ("asked", EFFECT + ENTITY)):
            desk = Desk(self.home, name, ("--switches", "--idempotency"))
            at_end(desk.stop)
            self.desks[name] = desk
            config += (CONFIG + tables).format(name=name, url=desk.url)
        self.gate = Gate(config, {"assurance.json": POLICY}, self.home).opened()
        self.agent = self.gate.agent("billing", "--tool", "*.refund")
        self.approver = self.gate.person("bo@acme.com")
        self.gate.wait_tools(self.agent, "plain.refund", "looked.refund", "asked.refund")
        self.numbers = itertools.count(1)

    def refund(self, name):
        # A cent each, told apart by a number: the same call again would be answered from the first.
        note = {"number": str(next(self.numbers))}
        arguments = {"charge": "ch_1", "customer": "cust_123", "amount": 0.01, "metadata": note}
        return self.gate.invoke(self.agent, f"{name}.refund", arguments)

    def plain(self):
        return self.settled(self.refund("plain"))

    def looked(self):
        return self.settled(self.refund("looked"))

    def approved(self):
        told = self.refund("asked")
        details = told["denial"]["details"]
        body = {"digest": details["digest"], "decision": "approve"}
        answer = self.gate.http("POST", f"/v1/approvals/{details['approval_id']}/decision", body, self.approver)
        equal(answer.status, 200, "the decision")
        path = f"/v1/invocations/{told['invocation_id']}?wait_ms=10000"
        return self.settled(self.gate.http("GET", path, None, self.agent).json)

    def lose(self, when):
        return lambda: self.desks["plain"].fault(kind="drop", tool="refund", when=when, times=1)

    def lost_after(self):
        told = self.settled(self.refund("plain"))
        check(told["reconciled"], "the answer was not lost")
        return told

    def lost_before(self):
        told = self.settled(self.refund("plain"))
        equal(told["attempts"], 2, "attempts")
        return told

    def settled(self, told):
        equal(told["status"], "succeeded", f"{told}")
        return told


def main():
    parser = argparse.ArgumentParser(description="What assurance costs a call.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=40, help="of each kind in a round")
    options = parser.parse_args()
    for binary in (os.environ["TOOLGATE_BIN"], os.environ["REFUND_DESK_BIN"]):
        if not pathlib.Path(binary).exists():
            raise SystemExit(f"there is no `{binary}`: `cargo build --release -p toolgate -p toolgate-testkit --bins` makes it")
    world = World()
    nothing = lambda: None
    kinds = {
        "as it is": (nothing, world.plain),
        "entity read live": (nothing, world.looked),
        "approved and thawed": (nothing, world.approved),
        "answer lost after it landed": (world.lose("after"), world.lost_after),
        "answer lost before it landed": (world.lose("before"), world.lost_before),
    }
    world.plain()  # Warm.
    seen = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, (prepare, call) in kinds.items():
            seen[kind].append(median_of(prepare, call, options.calls))
    parts.title("what assurance costs a call", f"bench/assurance.py --rounds {options.rounds} --calls {options.calls}")
    rows = []
    for kind, rounds in seen.items():
        ratios = [one / plain for one, plain in zip(rounds, seen["as it is"])]
        rows.append([kind, parts.figure([one * 1e3 for one in rounds], " ms", 2), parts.figure(ratios, "", 2)])
    parts.table(["one refund", "from call to settled answer", "of a plain call"], rows)
    effects = sum(1 for desk in world.desks.values() for line in desk.lines() if "effect" in line)
    calls = options.rounds * options.calls * len(kinds) + 1
    equal(effects, calls, "effects in the desks' ledgers, of calls")
    print(f"\n{effects} refunds in the ledgers for {calls} calls")


def median_of(prepare, call, count):
    times = []
    for _ in range(count):
        prepare()
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


parts.closed(main)
