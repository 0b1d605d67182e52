"""pretix as tools: a repeated idempotency key is answered from the first request.

pretix itself takes a refund of 999 on an order of 50: nothing but the gate stops that, by a rule
on what `order_get` says.
"""

import json
import os
import urllib.parse

from adapter import downstream, main, tool

ORDERS = "/api/v1/organizers/gate/events/fair/orders"


def pretix(method, path, body=None, key=None):
    """One request of pretix's REST API."""
    headers = {
        "Authorization": f"Token {os.environ['PRETIX_TOKEN']}",
        "Content-Type": "application/json",
        "Host": f"127.0.0.1:{downstream.port}",
    }
    if key:
        headers["X-Idempotency-Key"] = key
    body = json.dumps(body) if body is not None else None
    return json.loads(downstream.done(method, path, body, headers))


def order_path(call):
    return f"{ORDERS}/{urllib.parse.quote(call['order'], safe='')}"


@tool("refund_create", order="string", amount="string", mark="string")
def refund_create(call):
    """Refunds a part of an order."""
    body = {"state": "done", "source": "admin", "amount": call["amount"], "provider": "manual", "comment": call["mark"]}
    refund = pretix("POST", f"{order_path(call)}/refunds/", body, call.key)
    return {"refund": refund["local_id"], "amount": refund["amount"]}


@tool("order_get", reads=True, order="string")
def order_get(call):
    """Looks an order up."""
    order = pretix("GET", f"{order_path(call)}/")
    return {"code": order["code"], "status": order["status"], "total": order["total"]}


@tool("refund_list", reads=True, order="string")
def refund_list(call):
    """Lists the refunds of an order."""
    found = pretix("GET", f"{order_path(call)}/refunds/")["results"]
    kept = ("local_id", "amount", "state", "comment")
    return {"data": [{key: refund[key] for key in kept} for refund in found]}


main()
