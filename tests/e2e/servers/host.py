"""A program that runs its own tools behind a gate, with nothing but the standard library.

    host.py GATE_URL LEDGER '{"tool": "app.refund", "arguments": {…}, "key": null, "wait_ms": 0, "hang": false}'

Where the plan names a `gate` file, it begins once that is there. It proposes one call, has its effect once the gate allows it (a line in the ledger, with the envelope
that allowed it), and reports. With `hang` it has the effect and then never says a word.
"""

import json
import os
import pathlib
import sys
import threading
import time
import urllib.request

GATE, LEDGER, PLAN = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


def ask(path, body, key=None):
    headers = {"Authorization": f"Bearer {os.environ['TOOLGATE_KEY']}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    request = urllib.request.Request(GATE + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def note(**line):
    with open(LEDGER, "a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(line) + "\n")


while "gate" in PLAN and not pathlib.Path(PLAN["gate"]).exists():
    time.sleep(0.001)
call = {key: PLAN[key] for key in ("tool", "arguments", "wait_ms", "allow_duplicate") if key in PLAN}
envelope = ask("/v1/invocations", {**call, "mode": "host"}, PLAN.get("key"))
if "lease" not in envelope:
    note(refused=envelope)
    sys.exit(0)
amount = envelope["arguments"]["amount"]
note(effect={"refund": amount}, envelope=envelope)
if PLAN.get("hang"):
    threading.Event().wait()
report = {"attempt": envelope["lease"]["attempt"], "status": "succeeded", "data": {"refunded": amount}}
note(outcome=ask(f"/v1/invocations/{envelope['invocation_id']}/outcome", report))
