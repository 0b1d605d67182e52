#!/usr/bin/env python3
"""Real systems behind the gate, with lost answers and `kill -9`: counted in the systems themselves.

    tests/e2e/downstreams/run.py                              all five, 1,000 calls each
    tests/e2e/downstreams/run.py --only moto --calls 200 --lost 0.3 --kills 5 --seed 7

Prints one line a system; exit 1 where the gate's word and a system's own count differ anywhere, or
where localstripe, which honours no key, was sent anything again without a look.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import kit  # noqa: E402
import provision  # noqa: E402
from systems import SYSTEMS  # noqa: E402
from trial import Trial  # noqa: E402
from verdict import table  # noqa: E402

SHOWN = 10  # Violations of one system that are printed in full.


def main():
    options = parsed()
    # Asked to end, it stops what it started like after any other failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if "TOOLGATE_BIN" not in os.environ:
        # What is tried is what stands in the sources, not what was built from them some time ago.
        packages = ["-p", "toolgate", "-p", "toolgate-testkit"]
        subprocess.run(["cargo", "build", "--quiet", "--locked", *packages, "--bins"], cwd=kit.ROOT, check=True)
    failed, rows = [], []
    for name in options.only or SYSTEMS:
        started = time.monotonic()
        print(f"{name}: {options.calls} calls, {options.lost:.0%} lost, {options.kills} kills, seed {options.seed}", flush=True)
        try:
            trial = Trial(SYSTEMS[name], options.calls, options.lost, options.kills, options.seed).run()
        except (kit.Failed, provision.Missing) as error:
            failed.append(f"{name}: {error}")
            continue
        rows.append({**trial.row(), "took": f"{time.monotonic() - started:.0f} s"})
        violations = trial.violations
        print(f"{name}: {len(violations)} violations", flush=True)
        failed += [f"{name}: {violation}" for violation in violations[:SHOWN]]
        failed += [f"{name}: and {len(violations) - SHOWN} more"] if len(violations) > SHOWN else []
    if rows:
        print(f"\n{table(rows)}")
    for line in failed:
        print(line)
    if failed:
        print(f"kept: {' '.join(map(str, kit.FOLDERS))}")
    else:
        kit.forget()
        print("\neach success has one effect, each failure and denial none, counted in the systems themselves")
    return 1 if failed else 0


def parsed():
    parser = argparse.ArgumentParser(description="Real systems behind the gate, with lost answers and kills.")
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="one system; may be repeated")
    parser.add_argument("--calls", type=int, default=1000, help="of each system")
    parser.add_argument("--lost", type=float, default=0.2, help="share of answers that are lost")
    parser.add_argument("--kills", type=int, default=10, help="how often the gate is killed, of each system")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of faults and kills")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
