#!/usr/bin/env python3
"""What the gate adds to one MCP call: the same `tools/call` directly to the desk and through `/mcp`.

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/mcp_latency.py

One caller, one connection, rounds in turns. A call through the gate is decided, admitted on disk,
sent, and its outcome written to disk before the answer: two flushes, whose time stands beside it.
"""

import argparse

from parts import Bench, closed, figure, table, title


def main():
    parser = argparse.ArgumentParser(description="Latency that the gate adds to one MCP call.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--millis", type=int, default=2000, help="of one round")
    options = parser.parse_args()
    bench = Bench()
    ways = {
        "direct": bench.mcp_request("get_charge", bench.desk.port),
        "through the gate": bench.mcp_request("desk__get_charge", bench.gate.port, bench.token),
    }
    seen = {way: [] for way in ways}
    flush_micros = []
    for request in ways.values():
        bench.calls(request, 1, options.millis)  # Warm.
    for _ in range(options.rounds):
        flush_micros.append(1e6 / bench.flushes(options.millis // 4))
        for way, request in ways.items():
            seen[way].append(bench.calls(request, 1, options.millis))
    title("added latency of one proxied MCP call", f"bench/mcp_latency.py --rounds {options.rounds} --millis {options.millis}")
    rows = [[way, *(figure([one[key] for one in rounds], " µs") for key in ("p50_us", "p99_us"))] for way, rounds in seen.items()]
    added = {key: [two[key] - one[key] for one, two in zip(*seen.values())] for key in ("p50_us", "p99_us")}
    ratio = {key: [two[key] / one[key] for one, two in zip(*seen.values())] for key in ("p50_us", "p99_us")}
    rows.append(["added", *(figure(values, " µs") for values in added.values())])
    rows.append(["ratio", *(figure(values, " ×", 1) for values in ratio.values())])
    rows.append(["one flush of this disk", figure(flush_micros, " µs"), ""])
    table(["", "p50", "p99"], rows)


closed(main)
