#!/usr/bin/env python3
"""Tests the binary from outside, as a stranger would: `tests/e2e/run.py`.

    tests/e2e/run.py                           everything, 100 kills
    tests/e2e/run.py --only kill --kills 500 --seed 7
    tests/e2e/run.py --only interop

One line a test, a summary, and at the end `N passed, N failed`; exit 1 where one failed. The
binary is `target/debug/toolgate`, or what TOOLGATE_BIN names.
"""

import argparse
import importlib
import os
import pathlib
import random
import signal
import sys
import time
import traceback

import kit
import provision

SCENARIOS = ["policy_spec", "policy_corpus", "policy_commands", "http_api", "authzen", "conformance", "interop", "mcp_face", "oauth", "bad_input", "tamper", "review", "plugins", "sdk_python", "sdk_typescript", "host_run", "openapi", "programs", "kill", "crash", "downstreams", "chaos"]


def main():
    options = parsed()
    # Asked to end, it stops what it started like after any other failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        provision.provide()
    except provision.Missing as missing:
        print(f"e2e: {missing}", file=sys.stderr)
        return 1
    in_the_venv()
    for name in options.only or SCENARIOS:
        importlib.import_module(name).configure(options)
    found = [test for test in kit.TESTS if not options.match or options.match in test[1]]
    if not found:
        print("e2e: no test fits: nothing was tried", file=sys.stderr)
        return 1
    try:
        results = [perform(*test) for test in found]
    finally:
        kit.end()
    return summary(results)


def parsed():
    parser = argparse.ArgumentParser(description="Tests the toolgate binary from outside.")
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="one scenario; may be repeated")
    parser.add_argument("--match", help="only tests whose name contains this")
    parser.add_argument("--kills", type=int, default=100, help="how often the gate is killed")
    parser.add_argument("--crashes", type=int, default=3, help="how often after each durable step")
    parser.add_argument("--calls", type=int, default=60, help="of each real downstream")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of kills and faults")
    return parser.parse_args()


def in_the_venv():
    """The official Python client lives in the virtual environment: go on there."""
    inside = provision.VENV / "bin/python"
    if pathlib.Path(sys.prefix).resolve() != provision.VENV.resolve():
        os.execv(inside, [str(inside), __file__, *sys.argv[1:]])


def perform(scenario, name, function):
    started = time.monotonic()
    try:
        function()
        error = None
    except Exception as found:
        error = found
    seconds = time.monotonic() - started
    word = "FAIL" if error else "ok  "
    print(f"{word} {scenario:<12} {name:<84} {seconds:6.1f} s", flush=True)
    if error:
        explain(error)
    return scenario, name, seconds, error


def explain(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, kit.Failed):
        print("     " + "     ".join(traceback.format_exception(error, limit=-4, chain=False)), end="")
        return
    place = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in place if not frame.filename.endswith(("kit.py", "run.py"))]
    where = outside[-1] if outside else place[-1]
    print(f"     {error}\n     at {pathlib.Path(where.filename).name}:{where.lineno}: {where.line}")
    for note in getattr(error, "__notes__", []):
        print(f"     {note}")


def summary(results):
    print()
    for scenario in dict.fromkeys(result[0] for result in results):
        of = [result for result in results if result[0] == scenario]
        picture = "".join("█" if result[3] is None else "·" for result in of)
        good = picture.count("█")
        print(f"  {scenario:<12} {picture:<40} {good:>3}/{len(of):<3} {sum(result[2] for result in of):7.1f} s")
    failed = [result for result in results if result[3]]
    for scenario, name, _, _ in failed:
        print(f"  failed: {scenario}: {name}")
    if failed:
        print(f"  kept: {' '.join(map(str, kit.FOLDERS))}")
    else:
        kit.forget()
    print(f"\n{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
