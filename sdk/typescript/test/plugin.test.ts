/**
 * A plugin answers the gate's requests, each once, and nobody else's with anything that counts.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";

import { type Call, NotExecuted, Plugin, Refused } from "../src/plugin.js";

const SECRET = `whsec_${"A".repeat(32)}`;
const OTHER = `whsec_${"B".repeat(32)}`;
const NOW = 1_000_000;

/** By Node's own crypto, which is not what the plugin signs with. */
function sign(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

type Options = { id?: string; timestamp?: number; secret?: string; at?: string };

/** A plugin with a clock that stands still, and a gate that knows its secret. */
class World {
  now = NOW - 10;
  count = 0;
  readonly ran: (string | undefined)[] = [];
  readonly plugin: Plugin;

  constructor(secret = SECRET) {
    this.plugin = new Plugin({ provider: "notes", secret, now: () => this.now * 1000, onError: () => undefined });
    this.now = NOW;
    this.plugin.action({
      id: "add",
      risk: "high",
      authorize: (call) => {
        if (call.arguments["text"] === "closed") throw new Refused("the desk is closed");
      },
      execute: (call) => this.add(call),
      reflect: (call) => ({ found: call.arguments["text"] === "blind" ? "unknown" : this.ran.includes(call.invocationId) }),
    });
  }

  add(call: Call) {
    if (call.arguments["text"] === "") throw new NotExecuted("there is nothing to note");
    this.ran.push(call.invocationId);
    if (call.arguments["text"] === "fail") throw new Error("a word that must not leave the house");
    return { message: "noted", effects: { add_comment: {} } };
  }

  async ask(step: string, body: object = {}, options: Options = {}) {
    this.count += 1;
    const { id = `req_${this.count}`, timestamp = this.now, secret = SECRET, at = step } = options;
    const plain = step === "health";
    const text = plain ? "" : JSON.stringify({ type: `action.${step}`, ...body });
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": sign(secret, id, timestamp, text),
    };
    const request = plain ? { headers } : { method: "POST", headers, body: text };
    const response = await this.plugin.fetch(new Request(`http://localhost/below/action/${at}`, request));
    const said = await response.text();
    const signature = response.headers.get("webhook-signature");
    const time = Number(response.headers.get("webhook-timestamp"));
    if (signature !== null) assert.equal(signature.split(" ").at(-1), sign(SECRET, id, time, said));
    return { status: response.status, signed: signature !== null, answer: JSON.parse(said) as Record<string, unknown> };
  }

  async call(step: string, text: string) {
    return (await this.ask(step, { action: "add", arguments: { text }, invocation_id: "inv_1" })).answer;
  }
}

test("a call is refused, made and found, and every answer is signed for its request", async () => {
  const world = new World();
  assert.equal((await world.ask("health")).answer["status"], "ok");
  const told = (await world.ask("discover")).answer as { actions: { id: string; reflect: boolean }[] };
  assert.deepEqual([told.actions[0]?.id, told.actions[0]?.reflect], ["add", true]);
  assert.deepEqual(await world.call("authorize", "closed"), { allowed: false, message: "the desk is closed" });
  assert.deepEqual(await world.call("authorize", "x"), { allowed: true });
  assert.equal((await world.call("reflect", "x"))["found"], false);
  assert.deepEqual(await world.call("execute", "x"), { success: true, message: "noted", data: null, effects: { add_comment: {} } });
  assert.equal((await world.call("reflect", "x"))["found"], true);
  assert.equal((await world.call("reflect", "blind"))["found"], "unknown");
});

test("only what certainly did not happen is a failure", async () => {
  const world = new World();
  assert.deepEqual(await world.call("execute", ""), { success: false, message: "there is nothing to note" });
  const failed = await world.ask("execute", { action: "add", arguments: { text: "fail" }, invocation_id: "inv_1" });
  assert.deepEqual([failed.status, failed.signed, "success" in failed.answer], [500, true, false]);
  assert.ok(!JSON.stringify(failed.answer).includes("a word"));
});

test("strangers get nothing that could be passed off as an answer", async () => {
  const world = new World();
  const call = { action: "add", arguments: { text: "x" } };
  assert.equal((await world.ask("execute", call, { id: "req_x" })).status, 200);
  const strange: Options[] = [
    { id: "req_x" },
    { secret: OTHER },
    { timestamp: NOW - 61 },
    { timestamp: NOW + 61 },
    { timestamp: NOW - 10 },
  ];
  for (const options of strange) {
    const refused = await world.ask("execute", call, options);
    assert.deepEqual([refused.status, refused.signed], [401, false], JSON.stringify(options));
  }
  assert.equal((await world.ask("authorize", call, { at: "execute" })).status, 400);
  assert.equal((await world.ask("execute", { action: "other" })).status, 404);
  const plain = new Request("http://localhost/action/execute", { method: "POST", body: "{}" });
  assert.equal((await world.plugin.fetch(plain)).status, 401);
  assert.equal(world.ran.length, 1);
});

test("a body that is too long is not read to its end", async () => {
  const request = new Request("http://localhost/action/execute", { method: "POST", body: "x".repeat((2 << 20) + 1) });
  assert.equal((await new World().plugin.fetch(request)).status, 413);
});

test("both secrets hold while they are changed, and what is no secret is refused", async () => {
  const world = new World(`${OTHER} ${SECRET}`);
  for (const secret of [SECRET, OTHER]) assert.equal((await world.ask("health", {}, { secret })).status, 200);
  for (const text of ["", "hunter2", "whsec_%%%", "whsec_QUFB", `${SECRET} ${SECRET} ${SECRET}`]) {
    assert.throws(() => new World(text), TypeError, text);
  }
});
