"""The two policies of the contract, byte for byte, and the decisions that it names for them.

`policies/billing.json` and `policies/internal-documents.json` are those texts. The tools are
real: `stripe` is a refund desk whose schemas name arguments and say nothing of them, so that a
rule meets missing and mistyped ones; `slack` is a small server on the official SDK.
"""

import json
import sys

from kit import DESK, HERE, Gate, check, denied_with, desk_tools, effects, equal, folder, has_every_field, ledger_lines, stage, test, wait_for

BILLING = (HERE / "policies/billing.json").read_text()
SLACK = (HERE / "policies/internal-documents.json").read_text()
REFUND = {"charge": "ch_1", "customer": "cust_123", "amount": 100}


def configure(_options):
    """Nothing to configure."""


class Stage:
    def __init__(self, billing):
        home = folder("policy-spec")
        self.ledger, self.posted = home / "stripe.jsonl", home / "posted.jsonl"
        stripe = [str(DESK), "--stdio", "--loose-schemas", "--ledger", str(self.ledger)]
        slack = [sys.executable, str(HERE / "servers/slack.py"), str(self.posted)]
        config = f"""
[[source]]
name = "stripe"
mcp = {{ command = {json.dumps(stripe)} }}
[[source]]
name = "slack"
mcp = {{ command = {json.dumps(slack)} }}
{desk_tools("stripe")}
[tools."slack.post_message"]
risk = "low"
"""
        policies = {"billing.json": billing, "internal-documents.json": SLACK}
        self.gate = Gate(config, policies, home).opened()
        self.billing = self.gate.agent("billing_agent", "--tool", "slack.post_message")
        self.support = self.gate.agent("support_agent", "--tool", "slack.post_message")
        self.gate.wait_tools(self.support, "slack.post_message")
        look = {"env": "prod", "workflow": "refund_review", "mode": "simulate"}
        probe = lambda: self.gate.invoke(self.billing, "stripe.refund", REFUND, **look)
        wait_for("stripe to be known", lambda: (probe()["denial"] or {}).get("code") != "tool_not_found")

    def refund(self, agent=None, env="prod", workflow="refund_review", **changed):
        arguments = {key: value for key, value in {**REFUND, **changed}.items() if value is not None}
        return self.gate.invoke(agent or self.billing, "stripe.refund", arguments, env=env, workflow=workflow, allow_duplicate=True)

    def post(self, text, agent=None):
        return self.gate.invoke(agent or self.support, "slack.post_message", {"channel": "general", "text": text})


as_written = stage(lambda: Stage(BILLING))


def without_env():
    document = json.loads(BILLING)
    del document["env"]
    return json.dumps(document)


anywhere = stage(lambda: Stage(without_env()))


def waits(envelope):
    has_every_field(envelope, pending=True)
    equal((envelope["status"], envelope["denial"]["code"]), ("pending_approval", "approval_required"), "the state")
    equal(envelope["decision"]["verdict"], "require_approval", "the verdict")


@test("the policies are in force as they stand, and both pass `toolgate check`")
def loaded():
    gate = as_written().gate
    for file in ("billing.json", "internal-documents.json"):
        gate.cli("check", HERE / "policies" / file, url=False)
    shown = str(gate.cli("policy", "ls"))
    for name in ("billing", "internal"):
        check(name in shown.lower(), shown)


@test("a refund in prod by billing_agent on customer:cust_123 needs approval, whatever its amount")
def in_prod():
    waits(as_written().refund())
    pending = as_written().refund(amount=1)
    waits(pending)
    check("reconcile_before_retry" in str(pending["decision"]["obligations"]), f"{pending['decision']}")
    equal(effects(ledger_lines(as_written().ledger), "refund"), [], "refunds")


@test("the same for another customer, workflow, environment or agent is denied")
def elsewhere():
    here = as_written()
    for envelope in (
        here.refund(customer="cust_456", charge="ch_3"),
        here.refund(workflow="other"),
        here.refund(workflow=None),
        here.refund(env="staging"),
        here.refund(env=None),
        here.refund(agent=here.support),
    ):
        check(envelope["denial"]["code"] in ("not_granted", "resource_not_granted"), f"{envelope['denial']}")
        denied_with(envelope, envelope["denial"]["code"])
    equal(effects(ledger_lines(here.ledger), "refund"), [], "refunds")


@test("a tool that the policy does not grant is denied to the same agent")
def other_tool():
    call = {"env": "prod", "workflow": "refund_review"}
    denied_with(as_written().gate.invoke(as_written().billing, "stripe.get_charge", {"charge": "ch_1"}, **call), "not_granted")


@test("without `env`, outside prod: 100 is allowed and lands, 600 needs approval")
def outside_prod():
    here = anywhere()
    allowed = here.refund(env="staging", amount=100)
    has_every_field(allowed)
    equal((allowed["outcome"], allowed["decision"]["verdict"]), ("success", "allow"), "100")
    waits(here.refund(env="staging", amount=600))
    equal([refund["amount"] for refund in effects(ledger_lines(here.ledger), "refund")], ["100.00"], "refunds")


@test("without `env`, outside prod: a missing amount and \"1000\" need approval too")
def missing_and_mistyped():
    here = anywhere()
    before = len(effects(ledger_lines(here.ledger), "refund"))
    for amount in (None, "1000", [1000], {"value": 1}, True):
        waits(here.refund(env="staging", amount=amount))
    equal(len(effects(ledger_lines(here.ledger), "refund")), before, "refunds")


@test("without `env`, in prod: 100 needs approval")
def still_prod():
    waits(anywhere().refund(env="prod", amount=100))


@test("amounts compare as exact decimals: 500 is not above 500, 500.01 is")
def exact():
    equal(anywhere().refund(env="staging", amount=500)["outcome"], "success", "500")
    waits(anywhere().refund(env="staging", amount=500.01))


@test("a post that quotes an internal document is denied by its rule, in any case of letters")
def internal_post():
    for text in ("INTERNAL ONLY: the plan", "please Do Not Share", "see deal #42", "see d\u200beal #42"):
        envelope = as_written().post(text)
        denied_with(envelope, "policy_denied")
        equal(envelope["denial"]["details"]["rule"], "internal-doc-block", "the rule")
    posted = as_written().posted
    check(not posted.exists() or "plan" not in posted.read_text(), "it was posted")


@test("any other post is allowed and lands")
def other_post():
    equal(as_written().post("good morning")["outcome"], "success", "the outcome")
    check("good morning" in as_written().posted.read_text(), "it was not posted")
