"""localstripe as tools: it ignores the idempotency key, so a refund that comes twice is two.

All that can be done about a lost answer is to look: each refund carries the id of the call that
made it, and `refund_list` shows it.
"""

import base64
import json
import urllib.parse

from adapter import downstream, main, tool

AUTHORIZATION = "Basic " + base64.b64encode(b"sk_test_12345:").decode()


def stripe(method, path, form=None, key=None):
    """One request of Stripe's API."""
    headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/x-www-form-urlencoded"}
    if key:
        headers["Idempotency-Key"] = key
    body = urllib.parse.urlencode(form) if form else None
    return json.loads(downstream.done(method, path, body, headers))


@tool("refund_create", charge="string", amount="integer", mark="string")
def refund_create(call):
    """Refunds a part of a charge, in cents."""
    form = {
        "charge": call["charge"],
        "amount": call["amount"],
        "metadata[mark]": call["mark"],
        "metadata[invocation_id]": call.invocation,
    }
    refund = stripe("POST", "/v1/refunds", form, call.key)
    return {"id": refund["id"], "amount": refund["amount"]}


@tool("refund_list", reads=True, charge="string")
def refund_list(call):
    """Lists the refunds of a charge."""
    charge = urllib.parse.quote(call["charge"])
    found = stripe("GET", f"/v1/refunds?charge={charge}&limit=100")["data"]
    kept = ("id", "charge", "amount", "metadata")
    return {"data": [{key: refund[key] for key in kept} for refund in found]}


@tool("charge_get", reads=True, charge="string")
def charge_get(call):
    """Looks a charge up."""
    charge = stripe("GET", f"/v1/charges/{urllib.parse.quote(call['charge'])}")
    kept = ("id", "amount", "currency", "amount_refunded")
    return {key: charge[key] for key in kept}


main()
