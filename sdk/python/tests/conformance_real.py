"""Runs the list on a real gate: TOOLGATE_URL, TOOLGATE_KEY, and in APPROVER the token of a person.

The gate holds `conformance_list.POLICY`, and the key reaches `conformance_list.GRANTED`. Prints a
line a case; exit 1 where one failed. The end-to-end test starts it.
"""

import os
import sys
import time
import traceback

import conformance_list
import httpx

from toolgate import Toolgate

LEASE_SECONDS_MAX = 30


class Real:
    """A world around a running gate."""

    def __init__(self) -> None:
        self.gate = Toolgate()
        headers = {"Authorization": f"Bearer {os.environ['APPROVER']}"}
        self.people = httpx.Client(base_url=self.gate.url, headers=headers, trust_env=False, timeout=30)

    def approve(self, outcome):
        self.decide(outcome, {"decision": "approve", "reason": "checked"})

    def reject(self, outcome, reason):
        self.decide(outcome, {"decision": "deny", "reason": reason})

    def outlive(self):
        ends = time.monotonic() + LEASE_SECONDS_MAX
        while self.newest()["status"] == "executing":
            if time.monotonic() > ends:
                raise AssertionError(f"the lease is not over: {self.newest()}")
            time.sleep(0.1)

    def newest(self):
        return self.people.get("/v1/invocations?limit=1").raise_for_status().json()["items"][0]

    def decide(self, outcome, decision):
        body = {"digest": outcome.digest, **decision}
        self.people.post(f"/v1/approvals/{outcome.approval_id}/decision", json=body).raise_for_status()


def main() -> int:
    failed = 0
    for case in conformance_list.CASES:
        try:
            case(Real())
            print(f"ok   {case.__name__}")
        except Exception:
            failed += 1
            print(f"FAIL {case.__name__}\n{traceback.format_exc(limit=-4)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
