"""Rows of the field that are about commands and records, not about one decision.

ITV-09, ITV-12, ITV-16, VET-04, VET-24, VET-25 and VET-26: policies as text and as files, patterns of
one's own, the record of a decision, coverage, gaps, and a change tried on recorded calls.
"""

import json

from kit import ROOT, Gate, check, equal, folder, shown, test
from suite import Staged, Suite, run


def configure(_options):
    """Nothing to configure."""


REFUND = {"rules": [{"rule_id": "large", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": "require_approval"}]}


@test("ITV-09: a document is written as raw JSON and is in force as it stands; a form's one rule is the same document")
def raw_json():
    text = (ROOT / "corpus/rows/itv-09.json").read_text()
    with Gate("", {}, name="row-itv-09") as gate:
        put = gate.http("PUT", "/v1/policies/raw", {"text": text, "activate": True}, gate.admin, {"If-None-Match": "*"})
        equal(put.status, 200, f"writing it: {put}")
        equal(gate.http("GET", "/v1/policies/raw", token=gate.admin).json["text"], text, "the text kept")
        broken = text.replace('"condition"', '"condtion"', 1)
        answer = gate.http("POST", "/v1/policies/check", {"documents": [{"name": "raw", "text": broken}]}, gate.admin).json
        equal(answer["valid"], False, "a key that is misspelt")
        check("condition" in json.dumps(answer["diagnostics"]), f"no nearest key: {answer}")


@test("ITV-12: policies as files: checked, compared, applied, taken back")
def as_code():
    stricter = json.dumps(REFUND).replace("500", "100")
    with Gate("", {}, name="row-itv-12") as gate:
        (gate.home / "v1").mkdir()
        (gate.home / "v2").mkdir()
        (gate.home / "v1/refunds.json").write_text(json.dumps(REFUND))
        (gate.home / "v2/refunds.json").write_text(stricter)
        (gate.home / "bad.json").write_text('{"rules": [{"effect": "denny"}]}')
        gate.cli("check", gate.home / "v1", url=False)
        gate.cli("check", gate.home / "bad.json", url=False, exit=3)
        said = json.dumps(gate.cli("policy", "diff", gate.home / "v1", gate.home / "v2", exit=(0, 7)))
        check("large" in said, f"the difference does not name the rule: {said}")
        gate.cli("policy", "apply", gate.home / "v1", "--activate")
        gate.cli("policy", "apply", gate.home / "v2")
        in_force = lambda: json.loads(gate.http("GET", "/v1/policies/refunds", token=gate.admin).json["text"])["rules"][0]["when"]
        gate.cli("policy", "activate", "refunds")
        equal(in_force(), "amount > 100", "the newest version")
        gate.cli("policy", "rollback", "refunds")
        listed = gate.http("GET", "/v1/policies", token=gate.admin).json["items"][0]
        equal(listed["active_number"], 1, "the version in force after the rollback")


@test("VET-04: a decision is recorded with policy, arguments, actor, tenant, time and approval")
def recorded():
    suite = Suite(ROOT / "corpus/rows/vet-04.test.json")
    with Staged(suite) as staged:
        token = staged.tokens[staged.agent({"agent": "billing_agent"})]
        envelope = staged.gate.invoke(token, "stripe.refund", {"charge": "ch_1", "amount": 501})
        details = envelope["denial"]["details"]
        equal((details["policy"], details["rule"]), ("vet-04", "large"), "the rule")
        check(envelope["decision"]["policy_version"].startswith("sha256:"), "the version of the set")
        shown_ = staged.gate.http("GET", f"/v1/approvals/{details['approval_id']}", token=staged.gate.admin).json
        check("501" in json.dumps(shown_), f"the approver does not see the arguments: {shown(shown_)}")
        log = json.dumps(staged.gate.cli("log", "tail"))
        for word in (envelope["invocation_id"], "billing_agent", "default", "vet-04", "large", envelope["decision"]["policy_version"]):
            check(word in log, f"the record has no `{word}`: {shown(log, 3000)}")


@test("ITV-16: patterns of one's own are found, those of the product switched off")
def tuned():
    here = folder("row-itv-16")
    config = '[detect]\ndisabled = ["EMAIL"]\n[[detect.pattern]]\nname = "CASE_NUMBER"\nclass = "INTERNAL"\nregex = "CASE-[0-9]{6}"\n'
    (here / "toolgate.toml").write_text(config)
    (here / "text.txt").write_text("CASE-123456, written by ana@acme.com")
    data, _ = run(["detect", "text.txt"], here)
    kinds = [one["kind"] for one in data["findings"]]
    equal(kinds, ["CASE_NUMBER"], "what is found")


@test("VET-24: tools that no rule and no grant is about are listed, and fail the build if they shall")
def coverage():
    here = folder("row-vet-24")
    payout = {"rule_id": "payout", "match": {"tools": ["stripe.payout"]}, "effect": "deny"}
    (here / "refunds.json").write_text(json.dumps({"rules": REFUND["rules"] + [payout]}))
    calls = [("stripe.refund", 1, "allow"), ("stripe.refund", 501, "require_approval"), ("stripe.payout", 1, "deny")]
    tests = [{"name": f"{tool} {amount}", "call": {"tool": tool, "arguments": {"amount": amount}}, "expect": verdict} for tool, amount, verdict in calls]
    tools = [{"id": name, "risk": "low", "input_schema": {"type": "object", "properties": {"amount": {}}}} for name in ("stripe.refund", "stripe.payout")]
    file = here / "refunds.test.json"
    file.write_text(json.dumps({"tools": tools, "tests": tests}))
    whole, _ = run(["test", file, "--coverage", "--fail-uncovered"], here, exit=0)
    equal(whole["coverage"]["tool_percent"], 100, "percent of tools")
    tools += [{"id": name, "risk": "low", "input_schema": {"type": "object"}} for name in ("bank.pay", "bank.close")]
    file.write_text(json.dumps({"tools": tools, "tests": tests}))
    half, _ = run(["test", file, "--coverage", "--fail-uncovered"], here, exit=4)
    equal(half["coverage"]["tool_percent"], 50, "percent of tools")
    check("bank.pay" in json.dumps(half["coverage"]["tools"]), "the tool is not named")


@test("VET-25: coverage by rule and branch, and gaps: variants of a case that would get a milder answer")
def gaps():
    here = folder("row-vet-25")
    leaky = {"rules": [{"rule_id": "by-words", "match": {"tools": ["mail.send"]}, "when": "to ends_with \"@example.org\"", "effect": "deny"}]}
    (here / "mail.json").write_text(json.dumps(leaky))
    tests = [{"name": "outside", "call": {"tool": "mail.send", "arguments": {"to": "x@example.org"}}, "expect": "deny"}]
    tools = [{"id": "mail.send", "risk": "low", "input_schema": {"type": "object", "properties": {"to": {}}}}]
    (here / "mail.test.json").write_text(json.dumps({"tools": tools, "tests": tests}))
    data, _ = run(["test", "mail.test.json", "--coverage", "--gaps"], here, exit=0)
    check(data["gaps"], f"capitals in the domain get by, and no gap is shown: {shown(data)}")
    rule = data["coverage"]["rules"][0]
    equal((rule["rule"], rule["matched"], rule["unmatched"]), ("by-words", True, False), "the rule's coverage")


@test("VET-26: a changed policy is tried on the recorded calls before it binds")
def replayed():
    suite = Suite(ROOT / "corpus/rows/vet-04.test.json")
    with Staged(suite) as staged:
        token = staged.tokens[staged.agent({"agent": "billing_agent"})]
        for amount in (50, 150, 250, 600):
            staged.gate.invoke(token, "stripe.refund", {"charge": "ch_1", "amount": amount})
        text = next(iter(suite.policies().values())).replace("amount > 500", "amount > 100")
        (staged.gate.home / "candidate").mkdir()
        (staged.gate.home / "candidate/vet-04.json").write_text(text)
        data = staged.gate.cli("policy", "backtest", staged.gate.home / "candidate")
        cells = {(cell["present"], cell["candidate"]): cell["calls"] for cell in data["matrix"]}
        equal(cells.get(("allow", "require_approval")), 2, f"the calls of 150 and 250 in {shown(data)}")
        equal((data["calls"], data["changed"]), (4, 2), "calls, and those that change")
        equal(sum(calls for (before, after), calls in cells.items() if before == after), 2, "calls that do not change")
