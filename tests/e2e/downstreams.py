"""Real systems behind the gate, with lost answers and kills, counted in the systems themselves.

A short form of `downstreams/run.py`: the four that are installed and started in seconds. Each is
tried once, with as many calls as `--calls` says; pretix, which takes minutes to install, is only in
the long form (`cargo xtask sim --downstreams`).
"""

import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "downstreams"))

from kit import check, equal, test  # noqa: E402
from systems import SYSTEMS  # noqa: E402
from trial import Trial  # noqa: E402
from verdict import Verdict  # noqa: E402

LOST = 0.2
KILLS = 3
OPTIONS = {}


def configure(options):
    OPTIONS.update(calls=options.calls, seed=options.seed)


def sound(name):
    """Each success is one effect, each failure and denial none; some answers were lost."""
    trial = Trial(SYSTEMS[name], OPTIONS["calls"], LOST, KILLS, OPTIONS["seed"]).run()
    row = trial.row()
    print("     " + ", ".join(f"{value} {key}" for key, value in row.items() if key != "system"))
    equal(trial.violations[:5], [], f"seed {OPTIONS['seed']}: where the gate and {name} differ")
    check(row["lost before"] and row["after"], f"seed {OPTIONS['seed']}: no answer was lost: it proves nothing")
    equal(trial.killed, KILLS, "kills")
    # Three answers of one call may be lost in a row; most calls settle by themselves.
    lost = sum(row[how] for how in ("lost before", "after", "late"))
    check(2 * row["needs operator"] < lost, f"{row['needs operator']} calls of {lost} in doubt wait for a person")
    return trial, row


@test("the verdict names every way in which the gate and a system can differ, and nothing else")
def verdict():
    said = ["succeeded", "failed", "needs_operator", "denied"]
    for status in said:
        for count in range(3):
            allowed = {"succeeded": {1}, "needs_operator": {0, 1}}.get(status, {0})
            found = judged([status], {"m": count})
            equal(bool(found.violations), count not in allowed, f"{status} with {count} effects: {found.violations}")
    equal(judged(["succeeded"], {"m": 2}).double, 1, "doubles")
    equal(judged(["needs_operator"], {"m": 2}).double, 1, "doubles of what waits for a person")
    equal(judged(["succeeded"], {}).missing, 1, "missing effects")
    equal(judged(["failed"], {"m": 1}).unwanted, 1, "unwanted effects")
    check(judged(["succeeded", "failed"], {"m": 1}).violations, "one mark on two invocations")
    check(not judged(["denied", "denied"], {}).violations, "a call that is denied each time it is made")
    check(judged(["denied", "denied"], {"m": 1}).violations, "an effect of what is denied each time")
    check(judged(["failed"], {"x": 1}).violations, "an effect without a record")
    check(judged(["failed"], {}, answered="succeeded").violations, "a caller was told something else")
    check(judged(["failed"], {}, answered="failed", mark="x").violations, "an answer without a record")
    doubt, look, again = "invocation.unknown_effect", "invocation.probed", "invocation.admitted"
    for kinds, blind in (([again, doubt, look, again], 0), ([again, doubt, again], 1), ([again, doubt, look, again, doubt, again], 1)):
        equal(len(judged(["succeeded"], {"m": 1}, kinds=kinds).blind_retries()), blind, f"blind retries in {kinds}")


def judged(said, effects, answered=None, mark="m", kinds=("invocation.admitted",)):
    """The verdict on one mark with an invocation for each status."""
    statuses = {f"inv_{number}": status for number, status in enumerate(said)}
    records = [{"kind": kind, "invocation": id, "correlation": "m", "data": {"look": {}}} for id in statuses for kind in kinds]
    envelopes = {mark: {"status": answered, "invocation_id": "inv_0"}} if answered else {}
    return Verdict(collections.Counter(effects), statuses, records, envelopes)


@test("Radicale, which refuses a second event of a name: one event for each success")
def radicale():
    sound("radicale")


@test("moto, which refuses a second item and swallows a second message: one of each success")
def moto():
    sound("moto")


@test("localstripe, which ignores the key: one refund for each success, and nothing sent again without a look")
def localstripe():
    trial, row = sound("localstripe")
    check(row["reconciled"] > 0, "nothing was settled by a look: it proves nothing")
    check(trial.stopped_by_rule(), "no refund of more than was paid was stopped by the rule on the live amount")


@test("Roundup, whose single-use links know nothing of the gate: one issue for each success")
def roundup():
    sound("roundup")
