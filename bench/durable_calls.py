#!/usr/bin/env python3
"""Durable governed calls a second, beside what the same disk does in flushes in the same run.

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/durable_calls.py

Each call is decided, admitted on disk, run by the refund desk (a read), and its outcome is on disk
before the answer. Many callers share flushes: that is what the ratio shows.
"""

import argparse

from parts import Bench, closed, figure, table, title


def main():
    parser = argparse.ArgumentParser(description="Durable governed calls a second.")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--millis", type=int, default=4000, help="of one round")
    options = parser.parse_args()
    bench = Bench()
    request = bench.api_request()
    bench.calls(request, 16, options.millis)  # Warm.
    flushes, seen = [], {callers: [] for callers in options.callers}
    for _ in range(options.rounds):
        flushes.append(bench.flushes(options.millis // 2))
        for callers, rounds in seen.items():
            rounds.append(bench.calls(request, callers, options.millis))
    callers = " ".join(map(str, options.callers))
    title("durable governed calls a second", f"bench/durable_calls.py --callers {callers} --rounds {options.rounds} --millis {options.millis}")
    rows = [["raw fdatasync", figure(flushes, "/s"), "1.00", "", ""]]
    for callers, rounds in seen.items():
        rates = [one["calls"] / one["seconds"] for one in rounds]
        ratios = [rate / flush for rate, flush in zip(rates, flushes)]
        micros = [figure([one[key] for one in rounds], " µs") for key in ("p50_us", "p99_us")]
        rows.append([f"{callers} callers", figure(rates, "/s"), figure(ratios, "", 2), *micros])
    table(["", "calls", "calls a flush", "p50", "p99"], rows)


closed(main)
