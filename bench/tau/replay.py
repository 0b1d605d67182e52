"""The tau set replayed through the gate's own cases: what its policy documents, as rules, stop and hold up.

    bench/tau/replay.py DATA [--show]

DATA is a half of the tau2-bench / tau-bench set (MIT): `calls.jsonl`, `violations.jsonl`, `trajectories_gpt4o_airline.jsonl`.
Every write of the airline and retail tasks, every derived violation and every write that gpt-4o proposed becomes one
case: the call, and the record it touches (`facts_before`) with the customer who was authenticated as the entity that
the gate reads before it decides. `toolgate test` decides; nothing here does.

The record is handed over as a look-up would give it: things that the set keeps by id are a list, and a reservation says
how many hours ago it was booked (the airline's clock stands at 2024-05-15 15:00 EST). The policies were written from the
policy documents and the tools' descriptions.

Must not know: what a policy says.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLGATE = os.environ.get("TOOLGATE_BIN", str(HERE.parents[1] / "target/release/toolgate"))
CLOCK = datetime.datetime(2024, 5, 15, 15)
NOW = "2024-05-15T20:00:00Z"
POSTURE = {band: "allow" for band in ("low", "medium", "high", "critical")}
SUITES = {"tau2-airline": "airline", "tau2-retail": "retail", "taubench-airline-gpt4o": "airline"}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def entity(facts):
    """The record as a look-up gives it."""
    record = json.loads(json.dumps(facts))
    user, reservation = record.get("user") or {}, record.get("reservation")
    if isinstance(user.get("payment_methods"), dict):
        user["payment_methods"] = list(user["payment_methods"].values())
    if reservation:
        age = CLOCK - datetime.datetime.fromisoformat(reservation["created_at"])
        reservation["hours_since_booking"] = round(age.total_seconds() / 3600, 2)
    return record


def decide(calls):
    """The decision on each call."""
    decisions = [None] * len(calls)
    for suite in sorted(set(SUITES.values())):
        cases = []
        for at, call in enumerate(calls):
            if SUITES[call["suite"]] != suite:
                continue
            context = call["context"]
            case = {"name": str(at), "call": {"tool": f"{suite}.{call['tool']}", "arguments": call["args"]}, "now": NOW, "expect": "allow"}
            if context.get("facts_before"):
                case["entity"] = entity(context["facts_before"])
                case["entity"]["conversation"] = {"customer": context.get("customer")}
            cases.append(case)
        for at, decision in run(suite, cases):
            decisions[at] = decision
    return decisions


def run(suite, cases):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / f"{suite}.json").write_text((HERE / "policies" / f"{suite}.json").read_text())
        path = folder / "replay.test.json"
        path.write_text(json.dumps({"policies": [f"{suite}.json"], "posture": POSTURE, "tests": cases}))
        done = subprocess.run([TOOLGATE, "test", str(path), "--json"], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 4):
            sys.exit(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr[:2000]}")
        return [(int(outcome["name"]), outcome["decision"]) for outcome in json.loads(done.stdout)["outcomes"]]


def figure(name, calls, show, wanted):
    """One line: how many of these calls the gate does not let through by itself."""
    decisions = decide(calls)
    verdicts = collections.Counter(decision["verdict"] for decision in decisions)
    if show:
        for call, decision in zip(calls, decisions):
            if (decision["verdict"] == "allow") == (wanted == "stopped"):
                print("  ", call["tool"], json.dumps(call["args"])[:160], call["context"].get("rule", ""), decision["verdict"], decision.get("determining"))
    denied, asked = verdicts["deny"], verdicts["require_approval"]
    print(f"{name:44}{denied:>5} denied, {asked:>3} asked of {len(calls):>4} = {(denied + asked) / max(1, len(calls)):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--show", action="store_true", help="print what came out otherwise than wished")
    flags = parser.parse_args()
    writes = [call for call in lines(flags.data / "calls.jsonl") if call["suite"] in SUITES and call["context"].get("effect") == "write"]
    violations = lines(flags.data / "violations.jsonl")
    model = [call for call in lines(flags.data / "trajectories_gpt4o_airline.jsonl") if call["context"].get("effect") == "write"]
    executed = [call for call in model if call["context"].get("executed")]
    for suite in ("tau2-airline", "tau2-retail"):
        figure(f"{suite}: ground-truth writes", [call for call in writes if call["suite"] == suite], flags.show, "allowed")
        broken = [call for call in violations if call["suite"] == suite]
        figure(f"{suite}: derived violations", broken, flags.show, "stopped")
        figure(f"{suite}: of these, the API would accept", [call for call in broken if call["context"]["api_accepts"]], False, "stopped")
    figure("gpt-4o: unwanted executed writes", [call for call in executed if not call["context"]["entity_in_ground_truth"]], flags.show, "stopped")
    figure("gpt-4o: wanted executed writes", [call for call in executed if call["context"]["entity_in_ground_truth"]], flags.show, "allowed")


if __name__ == "__main__":
    main()
