"""AWS as moto plays it, as tools: a conditional write, and a queue that knows what it has seen.

`item_put` refuses an id that is taken; `message_send` takes a second message of the same
deduplication id and keeps the first, and there is no way to look for a message without taking it.
"""

import json

from adapter import Refused, downstream, main, tool

TABLE = "refunds"
QUEUE = "http://127.0.0.1/123456789012/refunds.fifo"


def aws(service, target, body):
    """One request of AWS's JSON protocols."""
    scope = f"Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}",
    }
    return json.loads(downstream.done("POST", "/", json.dumps(body), headers) or "{}")


@tool("item_put", id="string", mark="string", required=["mark"])
def item_put(call):
    """Puts an item into the table, if there is none of this id yet."""
    if not call.arguments.get("id"):
        raise Refused("400 an item needs an `id`")
    item = {"id": {"S": call["id"]}, "mark": {"S": call["mark"]}}
    condition = "attribute_not_exists(id)"
    body = {"TableName": TABLE, "Item": item, "ConditionExpression": condition}
    aws("dynamodb", "DynamoDB_20120810.PutItem", body)
    return {"id": call["id"]}


@tool("item_find", reads=True, id="string")
def item_find(call):
    """Lists the items of this id: one or none."""
    body = {"TableName": TABLE, "Key": {"id": {"S": call["id"]}}, "ConsistentRead": True}
    item = aws("dynamodb", "DynamoDB_20120810.GetItem", body).get("Item")
    plain = {key: value["S"] for key, value in (item or {}).items()}
    return {"data": [plain] if item else []}


@tool("message_send", deduplication_id="string", mark="string", required=["mark"])
def message_send(call):
    """Sends a message to the queue, which keeps one of each deduplication id."""
    if not call.arguments.get("deduplication_id"):
        raise Refused("400 a message needs a `deduplication_id`")
    body = {
        "QueueUrl": QUEUE,
        "MessageBody": call["mark"],
        "MessageGroupId": "refunds",
        "MessageDeduplicationId": call["deduplication_id"],
    }
    return {"message_id": aws("sqs", "AmazonSQS.SendMessage", body)["MessageId"]}


main()
