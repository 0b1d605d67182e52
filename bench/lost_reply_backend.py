"""A backend that refunds at once and answers late, as an MCP server: for bench/lost_reply.py.

`python lost_reply_backend.py 8` commits each refund and holds its answer for eight seconds. What it
was told beside the arguments about who calls is kept with the refund and shown by `refund_list`.
"""

import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/e2e/downstreams/adapters"))

from adapter import serve, tool  # noqa: E402

HOLD_SECONDS = float(sys.argv[1])
REFUNDS, HELD, LOCK = [], set(), threading.Lock()


@tool("refund", charge="string", amount="integer")
def refund(call):
    """Refunds a part of a charge."""
    with LOCK:
        made = {"id": f"re_{len(REFUNDS) + 1}", "charge": call["charge"], "amount": call["amount"],
                "invocation_id": call.invocation or ""}
        REFUNDS.append(made)
        HELD.add(made["id"])
    time.sleep(HOLD_SECONDS)
    HELD.discard(made["id"])
    return made


@tool("refund_list", reads=True, charge="string")
def refund_list(call):
    """Lists the refunds of a charge."""
    with LOCK:
        found = [made for made in REFUNDS if made["charge"] == call["charge"]]
    return {"data": found, "held": len(HELD)}


serve()
