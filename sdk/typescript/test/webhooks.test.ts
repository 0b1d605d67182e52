/** The verifier, held against the example of the specification's own libraries and against forgeries. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { verifyWebhook, WebhookError } from "../src/webhooks.js";

const SECRET = `whsec_${"MfKQ9r8GKYqrTwjU" + "PD8ILPZIo2LaLaSw"}`;
const OTHER = `whsec_${"A".repeat(32)}`;
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT = 1_614_265_330;
const NOW = new Date(SENT * 1000);

/** A message as the gate sends one. */
function message(body: string, secret = SECRET, timestamp = String(SENT), id = ID): Record<string, string> {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "Webhook-Id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

const EVENT = JSON.stringify({ type: "approval.requested", timestamp: "2026-01-01T00:00:00Z", data: { approval: "apr_1", id: "data" } });

test("the example of the specification's libraries is genuine", async () => {
  const headers = { "webhook-id": ID, "webhook-timestamp": String(SENT), "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" };
  await assert.rejects(verifyWebhook(SECRET, headers, '{"test": 2432232314}', { now: NOW }), /is signed, and no event/);
});

test("a genuine message is read, from headers of either kind, as text and as bytes", async () => {
  for (const headers of [message(EVENT), new Headers(message(EVENT))]) {
    for (const body of [EVENT, new TextEncoder().encode(EVENT)]) {
      const event = await verifyWebhook(SECRET, headers, body, { now: NOW });
      assert.deepEqual([event.type, event.id, event.data], ["approval.requested", ID, { approval: "apr_1", id: "data" }]);
    }
  }
});

test("while a secret is changed, either side may have both", async () => {
  const both = message(EVENT, OTHER)["webhook-signature"] + " " + message(EVENT)["webhook-signature"];
  await verifyWebhook(SECRET, { ...message(EVENT), "webhook-signature": both }, EVENT, { now: NOW });
  await verifyWebhook([OTHER, SECRET], message(EVENT), EVENT, { now: NOW });
  await verifyWebhook(`${OTHER} ${SECRET}`, message(EVENT), EVENT, { now: NOW });
});

const FORGED: Array<[string, Record<string, string>, string, number]> = [
  ["another body", message(EVENT), EVENT.replace("apr_1", "apr_2"), SENT],
  ["another id", { ...message(EVENT), "Webhook-Id": "msg_2" }, EVENT, SENT],
  ["another time", { ...message(EVENT), "webhook-timestamp": String(SENT + 1) }, EVENT, SENT],
  ["another secret", message(EVENT, OTHER), EVENT, SENT],
  ["no signature", { "webhook-id": ID, "webhook-timestamp": String(SENT) }, EVENT, SENT],
  ["an empty signature", { ...message(EVENT), "webhook-signature": "v1," }, EVENT, SENT],
  ["a signature of another version", { ...message(EVENT), "webhook-signature": message(EVENT)["webhook-signature"]!.replace("v1,", "v2,") }, EVENT, SENT],
  ["what is no base64", { ...message(EVENT), "webhook-signature": "v1,%%%" }, EVENT, SENT],
  ["an old message", message(EVENT), EVENT, SENT + 301],
  ["a message from the future", message(EVENT), EVENT, SENT - 301],
  ["a time that is none", message(EVENT, SECRET, "1e9"), EVENT, 1_000_000_000],
];

for (const [name, headers, body, now] of FORGED) {
  test(`${name} is refused`, async () => {
    await assert.rejects(verifyWebhook(SECRET, headers, body, { now: new Date(now * 1000) }), WebhookError);
  });
}

test("a message just within the tolerance is taken", async () => {
  await verifyWebhook(SECRET, message(EVENT), EVENT, { now: new Date((SENT + 300) * 1000) });
});

test("what is no secret is said without saying it", async () => {
  const error = (await verifyWebhook("hunter2", message(EVENT), EVENT, { now: NOW }).catch((error: unknown) => error)) as Error;
  assert.ok(error instanceof TypeError);
  assert.doesNotMatch(error.message, /hunter2/);
});
