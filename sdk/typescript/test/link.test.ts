/** What only the fake gate can show: leases that end, gates that are gone, keys, and what is sent. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { jsonSchema, tool } from "ai";

import { guard, toolApproval } from "../src/ai.js";
import { GateError, NotExecuted, type Outcome, outcomeText, Toolgate } from "../src/index.js";
import { FakeGate } from "../src/testing.js";
import { a, fakeWorld, hurried, mark, never } from "./world.js";

const REPORTS_MAX = 200;

test("a report that is not heard is made until the lease is over and a while beyond, and settles late", async () => {
  const world = fakeWorld();
  const { timing, slept } = hurried();
  const ran: string[] = [];
  const call = world.client({ timing }).guard("allowed", {}, ({ charge }: { charge: string }) => `done ${ran.push(charge)}`);
  world.lose("report", "request", REPORTS_MAX);
  const outcome = a("indeterminate", await call({ charge: mark() }));
  assert.equal(outcome.status, "unreported");
  const waited = slept.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited >= 55_000 && waited < 120_000, `it reported for ${waited} ms, and a lease is 25 s`);
  world.fake.expire(outcome);
  world.heal();
  assert.equal(a("success", await outcome.reconcile()).data, "done 1");
  assert.equal(ran.length, 1);
});

test("a report that comes when the gate knows already changes nothing, and what the gate knows is told", async () => {
  const world = fakeWorld();
  const call = world.client().guard("allowed", {}, async (_: object, { invocationId }) => {
    // Somebody else has settled it meanwhile.
    await world.fake.fetch(`http://gate.test/v1/invocations/${invocationId}/outcome`, { method: "POST", body: JSON.stringify({ attempt: 1, status: "failed", error: { code: "tool_error", message: "a person says that it did not land" } }) });
    return "done";
  });
  assert.match(a("failure", await call({})).error.message, /a person says/);
});

test("without a gate nothing of this program runs, and the words say so", async () => {
  const { timing, slept } = hurried();
  const gate = new Toolgate({ url: "http://127.0.0.1:9", key: "none", timing, fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connection refused") })) });
  const outcome = a("denied", await gate.guard("refund", {}, never)({}));
  assert.deepEqual([outcome.status, outcome.denial.code, outcome.denial.retryable], ["refused", "gate_unavailable", true]);
  assert.match(outcomeText(outcome), /connection refused.*was not executed/);
  assert.equal(slept.length, 3);
  assert.deepEqual((await gate.decide("app.refund")).allowed, false);
  await assert.rejects(gate.tools(), (error) => error instanceof GateError && error.code === "gate_unavailable");
});

test("a gate that goes away before it answers leaves nothing run here", async () => {
  const world = fakeWorld();
  const gate = world.client();
  const call = gate.guard("allowed", {}, never);
  await gate.register();
  world.lose("propose", "request", 4);
  const outcome = a("denied", await call({}));
  assert.deepEqual([outcome.status, outcome.denial.code], ["refused", "gate_unavailable"]);
});

test("a verdict with a denial is no allow, whatever its rules say", async () => {
  const fake = new FakeGate();
  fake.allow("crm.note");
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const envelope = (await (await fake.fetch(input, init)).json()) as object;
    return Response.json({ ...envelope, outcome: "skipped", denial: { code: "tool_disabled", message: "it is disabled", retryable: false, details: {} } });
  };
  const verdict = await new Toolgate({ url: "http://gate.test", key: "fake", fetch }).simulate("crm.note");
  assert.deepEqual([verdict.verdict, verdict.allowed], ["allow", false]);
});

test("without a gate nobody knows what a call of the gate's own tool did, and the same key asks again", async () => {
  const world = fakeWorld();
  world.fake.allow("crm.note", (args: unknown) => args);
  world.lose("propose", "answer", 4);
  const outcome = a("indeterminate", await world.client().call("crm.note", { text: "hello" }));
  assert.deepEqual([outcome.status, outcome.invocationId], ["unreachable", null]);
  const settled = a("success", await outcome.reconcile());
  assert.deepEqual([settled.data, settled.replayed], [{ text: "hello" }, true]);
});

test("a key is the same for the same call of the same run, in any process, and for no other", async () => {
  const keyOf = async (run: string | undefined, callId: string | undefined) => {
    const keys: Array<string | null> = [];
    const fake = new FakeGate();
    const fetch: typeof globalThis.fetch = (input, init) => {
      if (String(input).endsWith("/v1/invocations")) keys.push(new Headers(init?.headers).get("idempotency-key"));
      return fake.fetch(input, init);
    };
    const gate = new Toolgate({ url: "http://gate.test", key: "fake", fetch, ...(run === undefined ? {} : { run }) });
    await gate.call("crm.note", {}, { callId });
    return keys[0];
  };
  const one = await keyOf("run-1", "call_1");
  assert.match(one!, /^sdk-[0-9a-f]{40}$/);
  assert.equal(await keyOf("run-1", "call_1"), one);
  const others = [await keyOf("run-1", "call_2"), await keyOf("run-2", "call_1"), await keyOf("run-1", undefined), await keyOf(undefined, "call_1")];
  assert.equal(new Set([one, ...others]).size, 5);
});

test("the agent's key is sent as it is, and kept from everything else", async () => {
  const seen: Array<[string, RequestInit | undefined]> = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    seen.push([String(input), init]);
    return new Response(null, { status: 307, headers: { Location: "http://elsewhere.test/" } });
  };
  const gate = new Toolgate({ url: "http://gate.test/", key: "tg_fixture", fetch });
  const outcome = await gate.call("crm.note");
  assert.equal(outcome.kind, "indeterminate");
  assert.equal(seen[0]![1]?.redirect, "manual");
  assert.equal(new Headers(seen[0]![1]?.headers).get("authorization"), "Bearer tg_fixture");
  assert.doesNotMatch(JSON.stringify([seen[0]![1]?.body, outcome, outcomeText(outcome)]), /tg_fixture/);
});

test("a gate that is busy is asked again when it says so", async () => {
  const { timing, slept } = hurried();
  const fake = new FakeGate();
  fake.allow("crm.note");
  const answers = [429, 503];
  const fetch: typeof globalThis.fetch = (input, init) => {
    const status = answers.shift();
    const problem = { type: "", title: "", status, detail: "later", code: "rate_limited", errors: [], request_id: "req_1" };
    return status ? Promise.resolve(Response.json(problem, { status, headers: { "Retry-After": "2" } })) : fake.fetch(input, init);
  };
  a("success", await new Toolgate({ url: "http://gate.test", key: "fake", fetch, timing }).call("crm.note"));
  assert.deepEqual(slept, [2000, 2000]);
});

test("a request that the gate refuses is an outcome, and nothing ran", async () => {
  const problem = { type: "", title: "", status: 401, detail: "the key was revoked", code: "credential_revoked", errors: [], request_id: "req_1" };
  const fetch = async () => Response.json(problem, { status: 401 });
  const gate = new Toolgate({ url: "http://gate.test", key: "old", fetch });
  for (const outcome of [await gate.call("crm.note"), await gate.guard("refund", {}, never)({})] as Outcome[]) {
    const { denial, status } = a("denied", outcome);
    assert.deepEqual([status, denial.code, denial.retryable], ["refused", "credential_revoked", false]);
  }
});

test("without a key, and with an address that is none, the words say what to do", async () => {
  const outcome = a("denied", await new Toolgate({ url: "http://gate.test", key: "" }).call("crm.note"));
  assert.match(outcome.denial.message, /`TOOLGATE_KEY`/);
  assert.throws(() => new Toolgate({ key: "tg_one\ntg_two" }), (error: Error) => /no key has/.test(error.message) && !/tg_/.test(error.message));
  assert.throws(() => new Toolgate({ url: "gate.test:8787" }), /is no address of a gate/);
});

test("what is said of a tool is checked where it is said", () => {
  const gate = new FakeGate().client();
  assert.throws(() => gate.guard("two words", {}, never), /`two words` is no name of a tool/);
  assert.throws(() => gate.guard("refund", { inputSchema: { "~standard": { vendor: "old", version: 1 } } }, never), /cannot say itself as JSON Schema/);
});

test("a gate that has forgotten a tool is told of it again at the next call", async () => {
  const world = fakeWorld();
  const call = world.client().guard("allowed", {}, () => "done");
  a("success", await call({}));
  world.fake.registered.clear();
  assert.equal(a("denied", await call({})).denial.code, "tool_not_found");
  a("success", await call({}));
});

test("many tools are told of in few requests, and each once", async () => {
  const fake = new FakeGate();
  fake.allow("app.*");
  const gate = fake.client();
  const calls = Array.from({ length: 120 }, (_, number) => gate.guard(`tool_${number}`, {}, () => number));
  const outcomes = await Promise.all(calls.map((call) => call({})));
  assert.deepEqual(outcomes.map((outcome) => a("success", outcome).data), calls.map((_, number) => number));
  const told = fake.requests.filter(({ path }) => path.endsWith("/tools")).map(({ body }) => (body["tools"] as unknown[]).length);
  assert.deepEqual(told, [50, 50, 20]);
});

test("the running function is told when to stop, and its outcome counts all the same", async () => {
  const world = fakeWorld();
  const gone = new AbortController();
  const call = world.client().guard("allowed", {}, (_: object, { signal }) => {
    gone.abort(new Error("the user left"));
    if (signal.aborted) throw new NotExecuted("stopped before anything was sent");
    return "done";
  });
  assert.match(a("failure", await call({}, { signal: gone.signal })).error.message, /stopped before/);
});

test("a lease that a framework never comes for ends with the truth: nothing ran", async () => {
  const fake = new FakeGate({ leaseMs: 20 });
  fake.allow("app.refund");
  const tools = { refund: guard(fake.client(), "refund", tool({ inputSchema: jsonSchema<object>({ type: "object" }), execute: async (): Promise<string> => never() })) };
  const status = await toolApproval()({ toolCall: { toolName: "refund", toolCallId: "call_1", input: {} }, tools, toolsContext: {}, messages: [] });
  assert.equal(status, "not-applicable");
  const reported = () => fake.requests.find(({ path }) => path.endsWith("/outcome"))?.body;
  while (!reported()) await new Promise(setImmediate);
  assert.deepEqual(reported(), { attempt: 1, status: "failed", error: { code: "tool_error", message: "the call was admitted, and its program never came to run it" } });
});

test("cases are recorded as `toolgate test` reads them", async () => {
  const world = fakeWorld();
  const gate = world.client();
  await gate.guard("denied", { risk: "low" }, never)({ charge: "ch_1" });
  assert.deepEqual(world.fake.record(), {
    tools: [{ id: "app.denied", risk: "low", input_schema: { type: "object" } }],
    tests: [{ name: "call 1 of app.denied", call: { tool: "app.denied", arguments: { charge: "ch_1" } }, expect: "deny" }],
  });
});
