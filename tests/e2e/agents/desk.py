"""What the scripted agents of all frameworks share: one tool, its ledger, and orders on stdin.

An order is a line of JSON; the agent does it and answers with a line: what the model was shown of
the tool (`saw`), whether the run was interrupted, what was raised. The tool writes each of its runs
down before anything else, as a real effect would be; some charges lose their answer, or the host.

    {"do": "run", "way": "return", "thread": "t-1", "call": "call_1", "args": {"charge": "ch_1", "amount": 5, "note": ""}}
"""

import json
import os
import sys
import traceback

import toolgate

SOURCE = os.environ["SOURCE"]
STATED = {"risk": "low", "timeout_ms": 1000}
"""Of the tool: a lease of six seconds."""


def refund(charge: str, amount: int, note: str) -> str:
    """Pays money back to a customer."""
    with open(os.environ["LEDGER"], "a") as ledger:
        ledger.write(json.dumps({"charge": charge, "amount": amount, "note": note}) + "\n")
    if charge.startswith("ch_lost"):
        raise ConnectionError("the bank hung up")
    if charge.startswith("ch_kill"):
        os._exit(9)
    return f"refunded {charge}"


def serve(run, resume=None):
    """Obeys until stdin ends."""
    doing = {"run": run, "resume": resume}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            with toolgate.scope(correlation_id=order["thread"]):
                answer = doing[order["do"]](order)
        except Exception as error:
            raised = chain(error)
            answer = {"raised": raised, "trace": "".join(traceback.format_exception(error)[-6:])}
        print(json.dumps(answer, default=str), flush=True)


def chain(error):
    """The names of an exception and of all that it came from."""
    names = []
    while error is not None:
        names.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return names
