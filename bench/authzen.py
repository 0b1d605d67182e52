#!/usr/bin/env python3
"""AuthZEN evaluations, one and a hundred at once, beside the same verdict over the gate's own API.

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/authzen.py

All decide `desk.get_charge` for the same agent and write one record for each decision, flushed before
the answer. One caller shows what one answer takes, many what the gate gets through; rounds in turns.
"""

import argparse
import json

from parts import Bench, closed, figure, table, title

BATCH = 100
EXPECT = '"allow"'  # In every answer, of each way.


def main():
    parser = argparse.ArgumentParser(description="AuthZEN evaluations beside decisions of the gate's own API.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--millis", type=int, default=2000, help="of one round")
    parser.add_argument("--callers", type=int, default=32, help="where there are many")
    options = parser.parse_args()
    bench = Bench()
    asked = {"subject": {"type": "agent", "id": "bench"}, "action": {"name": "desk.get_charge"},
             "resource": {"type": "charge", "id": "ch_1"}, "context": {"arguments": {"charge": "ch_1"}}}
    ways = {
        "POST /v1/invocations, decide": (1, post(bench, "/v1/invocations", {
            "tool": "desk.get_charge", "arguments": {"charge": "ch_1"}, "mode": "decide"})),
        "POST /access/v1/evaluation": (1, post(bench, "/access/v1/evaluation", asked)),
        f"POST /access/v1/evaluations of {BATCH}": (BATCH, post(bench, "/access/v1/evaluations", {**asked, "evaluations": [{}] * BATCH})),
    }
    seen = {(way, callers): [] for way in ways for callers in (1, options.callers)}
    for _, request in ways.values():
        bench.calls(request, 1, options.millis, EXPECT)  # Warm.
    for _ in range(options.rounds):
        for way, callers in seen:
            seen[way, callers].append(bench.calls(ways[way][1], callers, options.millis, EXPECT))
    title("AuthZEN beside the gate's own API", f"bench/authzen.py --rounds {options.rounds} --millis {options.millis} --callers {options.callers}")
    rows = []
    for (way, callers), rounds in seen.items():
        many = ways[way][0]
        rate = [many * (one["calls"] / one["seconds"]) for one in rounds]
        rows.append([way, callers, figure([one["p50_us"] for one in rounds], " µs"), figure(rate, "/s")])
    table(["", "callers", "p50 of an answer", "decisions"], rows)


def post(bench, path, body):
    return bench.request(path, bench.gate.port, json.dumps(body), bench.token, {})


closed(main)
