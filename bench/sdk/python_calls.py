#!/usr/bin/env python3
"""What the Python client adds to a call: processor time and time beside the same requests by bare httpx.

    bench/sdk/python_calls.py [--calls 500]

Four ways take turns call by call against one gate, so that whatever else the machine does falls on
all of them: the two requests of a guarded call (proposal, report) by bare `httpx`, sync and
async, and the decorated function, sync and async. The function does nothing. Printed: medians, the 95th
percentile, this process's own processor time a call, and the size of the wheel. Needs what the
end-to-end tests install; TOOLGATE_BIN names the gate.
"""

import argparse
import asyncio
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "sdk/python/src")]

import kit
import provision

POLICY = {"name": "bench", "rules": [{"rule_id": "large", "when": "amount > 500", "effect": "require_approval"}]}
SOURCE = '[[source]]\nname = "app"\nhost = {}\n'


def main():
    options = parsed()
    provision.sdk_python()
    inside = provision.SDK_PYTHON / "bin/python"
    if pathlib.Path(sys.prefix).resolve() != provision.SDK_PYTHON.resolve():
        os.execv(inside, [str(inside), __file__, *sys.argv[1:]])
    try:
        with kit.Gate(SOURCE, policies={"bench.json": POLICY}, name="bench-sdk") as gate:
            key = gate.agent("bench", "--tool", "app.*", "--trusted-host")
            report(options.calls, measured(gate.url, key, options.calls), wheel_bytes())
    finally:
        kit.forget()


def parsed():
    parser = argparse.ArgumentParser(description="Measures the Python client beside bare httpx.")
    parser.add_argument("--calls", type=int, default=500, help="of each way")
    return parser.parse_args()


def measured(url, key, calls):
    """For each way the seconds and the processor seconds of every call."""
    import httpx

    import toolgate

    sync, twin = toolgate.Toolgate(url, key), toolgate.AsyncToolgate(url, key)

    def refund(charge: str, amount: int) -> str:
        """Pays back."""
        return "done"

    async def refund_async(charge: str, amount: int) -> str:
        """Pays back."""
        return "done"

    guarded = sync.tool(risk="low")(refund)
    guarded_async = twin.tool(name="refund", risk="low")(refund_async)
    bare = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)

    bare_async = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)

    def by_hand(number):
        found = bare.post("/v1/invocations", **proposal(f"bare_{number}")).json()
        kit.equal(bare.post(**outcome(found)).json()["data"], "done", "by hand")

    async def by_hand_async(number):
        found = (await bare_async.post("/v1/invocations", **proposal(f"bare_async_{number}"))).json()
        kit.equal((await bare_async.post(**outcome(found))).json()["data"], "done", "by hand")

    loop = asyncio.new_event_loop()
    ways = {
        "bare `httpx.Client`, the same two requests": by_hand,
        "bare `httpx.AsyncClient`, the same two requests": lambda number: loop.run_until_complete(
            by_hand_async(number)
        ),
        "`@gate.tool`, sync": lambda number: kit.equal(guarded(f"sync_{number}", 5), "done", "sync"),
        "`@gate.tool`, async": lambda number: kit.equal(
            loop.run_until_complete(guarded_async(f"async_{number}", 5)), "done", "async"
        ),
    }
    ways["`@gate.tool`, sync"]("first")
    times = {name: [] for name in ways}
    for number in range(calls + 20):
        for name, way in ways.items():
            began, worked = time.perf_counter(), time.process_time()
            way(number)
            if number >= 20:  # The first calls open connections and warm caches.
                times[name].append((time.perf_counter() - began, time.process_time() - worked))
    return times


def proposal(charge):
    body = {"tool": "app.refund", "arguments": {"charge": charge, "amount": 5}, "mode": "host"}
    return {"json": body, "headers": {"Idempotency-Key": charge}}


def outcome(found):
    said = {"attempt": found["lease"]["attempt"], "status": "succeeded", "data": "done"}
    return {"url": f"/v1/invocations/{found['invocation_id']}/outcome", "json": said}


def wheel_bytes():
    place = kit.folder("bench-wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT / "sdk/python"]
    subprocess.run(command, check=True, capture_output=True)
    return next(place.glob("*.whl")).stat().st_size


def report(calls, times, size):
    print(f"| {calls} calls each, taking turns | p50 | p95 | processor time a call |\n|---|---|---|---|")
    for name, found in times.items():
        seconds, worked = sorted(one[0] for one in found), statistics.mean(one[1] for one in found)
        p95 = seconds[int(len(seconds) * 0.95)]
        print(f"| {name} | {statistics.median(seconds) * 1e3:.2f} ms | {p95 * 1e3:.2f} ms | {worked * 1e3:.2f} ms |")
    print(f"\nwheel: {size} bytes")


if __name__ == "__main__":
    main()
