#!/usr/bin/env python3
"""What the gate adds to one call of a described API: the same read directly and as a tool.

    cargo build --release -p toolgate -p toolgate-testkit --bins && bench/openapi_latency.py [--requests 300]

The refund desk serves plain HTTP with a description of it. `GET /v1/charges/ch_1` is sent straight to it, and
asked for as `desk.get_charge` over the gate's HTTP API, each on one kept connection, one after the other, in
turns. A call is decided, made durable, sent, and its outcome made durable before the answer: two flushes,
whose time stands beside it.
"""

import argparse
import http.client
import json
import os
import statistics
import time

from parts import POLICY, Desk, Gate, at_end, closed, figure, folder, table, title
from kit import check, request

ROUNDS = 5
BODY = json.dumps({"tool": "desk.get_charge", "arguments": {"charge": "ch_1"}})


def main():
    parser = argparse.ArgumentParser(description="Latency that the gate adds to one call of a described API.")
    parser.add_argument("--requests", type=int, default=300, help="of one round")
    options = parser.parse_args()
    home = folder("bench-openapi")
    desk = Desk(home)
    at_end(desk.stop)
    (home / "desk.json").write_bytes(request(desk.port, "GET", "/openapi.json").body)
    source = f'[[source]]\nname = "desk"\neffect = "none"\nopenapi = {{ file = "desk.json", base_url = "http://127.0.0.1:{desk.port}" }}\n'
    gate = Gate(source, {"bench.json": POLICY}, home).opened()
    token = gate.agent("bench", "--tool", "desk.get.*", "--resource", "*")
    gate.wait_tools(token, "desk.get_charge")
    heads = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    ways = {
        "direct": (desk.port, "GET", "/v1/charges/ch_1", None, {}),
        "through the gate": (gate.port, "POST", "/v1/invocations", BODY, heads),
    }
    seen = {way: [] for way in ways}
    for way in ways.values():
        timed(way, 20)  # Warm.
    for _ in range(ROUNDS):
        for name, way in ways.items():
            seen[name].append(timed(way, options.requests))
    flushes = [flush(home / "flushes", options.requests) for _ in range(ROUNDS)]
    title("added latency of one call of a described API", f"bench/openapi_latency.py --requests {options.requests}")
    rows = [[name, *(figure([one[part] for one in rounds], " µs") for part in (0, 1))] for name, rounds in seen.items()]
    added = [[two[part] - one[part] for one, two in zip(*seen.values())] for part in (0, 1)]
    rows.append(["added", *(figure(values, " µs") for values in added)])
    rows.append(["one flush of this disk", figure(flushes, " µs"), ""])
    table(["", "p50", "p99"], rows)


def timed(way, count):
    """The median and the 99th percentile of requests on one connection, in microseconds."""
    port, method, path, body, heads = way
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for _ in range(count):
        started = time.perf_counter_ns()
        connection.request(method, path, body, heads)
        answer = connection.getresponse()
        text = answer.read()
        took.append((time.perf_counter_ns() - started) / 1_000)
        check(answer.status == 200 and b"cust_123" in text, f"{path}: {answer.status} {text[:300]}")
    connection.close()
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def flush(path, count):
    """The median time of an append and a flush."""
    took = []
    with open(path, "ab", buffering=0) as file:
        for _ in range(count):
            started = time.perf_counter_ns()
            file.write(b"x" * 512)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter_ns() - started) / 1_000)
    return statistics.median(took)


closed(main)
