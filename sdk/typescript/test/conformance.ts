/**
 * What the fake gate and the real one both do, seen through the client: one list, run against both.
 */

import assert from "node:assert/strict";

import { type Arguments, ApprovalRequired, NotExecuted, type Pending, type Toolgate, type ToolOptions } from "../src/index.js";
import { a, type List, mark, never } from "./world.js";

const LOW: ToolOptions = { risk: "low", inputSchema: { type: "object", properties: { charge: { type: "string" } }, required: ["charge"] } };

/** A guarded function that remembers what it was called with. */
function tool(gate: Toolgate, name: string, answer: (args: Arguments) => unknown = ({ charge }) => `done ${charge}`, options: ToolOptions = LOW) {
  const ran: Arguments[] = [];
  const call = gate.guard(name, options, (args: Arguments) => {
    ran.push(args);
    return answer(args);
  });
  return { call, ran };
}

export const CONFORMANCE: List = {
  "an allowed call runs once and gives its own value": async (world) => {
    const { call, ran } = tool(world.client(), "allowed", ({ charge }) => ({ charge, amount: 5 }));
    const charge = mark();
    const { data, status, replayed, tool: name } = a("success", await call({ charge }));
    assert.deepEqual([data, status, replayed, name], [{ charge, amount: 5 }, "succeeded", false, "app.allowed"]);
    assert.deepEqual(ran, [{ charge }]);
  },

  "a denied call is data and runs nothing": async (world) => {
    const { call, ran } = tool(world.client(), "denied");
    const { denial, status } = a("denied", await call({ charge: mark() }));
    assert.deepEqual([denial.code, denial.message, status, ran], ["policy_denied", "not today", "denied", []]);
  },

  "what is not granted is denied": async (world) => {
    const { call, ran } = tool(world.client(), "ungranted");
    const { denial } = a("denied", await call({ charge: mark() }));
    assert.deepEqual([denial.code, ran], ["not_granted", []]);
  },

  "a pending call says whom to ask, and runs after approval": async (world) => {
    const { call, ran } = tool(world.client(), "frozen");
    const charge = mark();
    const pending = a("pending", await call({ charge }));
    assert.deepEqual([pending.status, pending.denial.code, ran], ["pending_approval", "approval_required", []]);
    for (const [name, value] of Object.entries(pending.approval)) assert.ok(value, `the approval has no ${name}`);
    await world.approve(pending);
    assert.deepEqual(ran, []);
    const done = a("success", await pending.wait({ timeoutMs: 20_000 }));
    assert.deepEqual([done.data, ran], [`done ${charge}`, [{ charge }]]);
    assert.equal(a("success", await pending.wait({ timeoutMs: 20_000 })).data, `done ${charge}`);
    assert.equal(ran.length, 1);
  },

  "a call that waits is approved meanwhile, and runs": async (world) => {
    const { call, ran } = tool(world.client({ onApproval: "wait", approvalTimeoutMs: 20_000, onPending: (pending) => void world.approve(pending) }), "frozen");
    const charge = mark();
    assert.equal(a("success", await call({ charge })).data, `done ${charge}`);
    assert.equal(ran.length, 1);
  },

  "waiting ends without an approval": async (world) => {
    const { call, ran } = tool(world.client({ onApproval: "wait", approvalTimeoutMs: 200 }), "frozen");
    a("pending", await call({ charge: mark() }));
    assert.deepEqual(ran, []);
  },

  "a call that waits can be given up": async (world) => {
    const gone = new AbortController();
    const onPending = () => setImmediate(() => gone.abort(new Error("the user left")));
    const { call, ran } = tool(world.client({ onApproval: "wait", onPending, signal: gone.signal }), "frozen");
    await assert.rejects(call({ charge: mark() }), /the user left/);
    assert.deepEqual(ran, []);
  },

  "the same call again runs once it is approved, and never twice": async (world) => {
    const { call, ran } = tool(world.client({ run: mark() }), "frozen");
    const charge = mark();
    const again = () => call({ charge }, { callId: "call_1" });
    const pending = a("pending", await again());
    assert.equal(a("pending", await again()).approval.id, pending.approval.id);
    await world.approve(pending);
    assert.equal(a("success", await again()).data, `done ${charge}`);
    const replayed = a("success", await again());
    assert.deepEqual([replayed.replayed, replayed.data, ran.length], [true, `done ${charge}`, 1]);
  },

  "a call that was left waiting is taken up by its id": async (world) => {
    const { call, ran } = tool(world.client(), "frozen");
    const charge = mark();
    const pending = a("pending", await call({ charge }));
    a("pending", await tool(world.client(), "frozen", never).call.resume(pending.invocationId));
    await world.approve(pending);
    const later = tool(world.client(), "frozen");
    assert.equal(a("success", await later.call.resume(pending.invocationId)).data, `done ${charge}`);
    assert.deepEqual([ran, later.ran], [[], [{ charge }]]);
  },

  "a pending call is raised where that is asked for": async (world) => {
    const { call, ran } = tool(world.client({ onApproval: "raise" }), "frozen");
    await assert.rejects(call({ charge: mark() }), (error) => error instanceof ApprovalRequired && error.outcome.kind === "pending");
    assert.deepEqual(ran, []);
  },

  "a rejected call is denied": async (world) => {
    const { call, ran } = tool(world.client(), "frozen");
    const pending = a("pending", await call({ charge: mark() }));
    await world.reject(pending, "wrong customer");
    const { denial, status } = a("denied", await pending.wait({ timeoutMs: 20_000 }));
    assert.match(denial.message, /wrong customer/);
    assert.deepEqual([status, ran], ["rejected", []]);
  },

  "the function gets the arguments as they were judged": async (world) => {
    const schema = { type: "object", properties: { note: { type: "string" } }, required: ["note"] };
    const { call, ran } = tool(world.client(), "cleaned", () => "sent", { risk: "low", inputSchema: schema });
    a("success", await call({ note: "the code is 8812" }));
    assert.equal(ran.length, 1);
    assert.doesNotMatch(JSON.stringify(ran), /8812/);
  },

  "the caller gets what the gate left of the result": async (world) => {
    const { call } = tool(world.client(), "withheld", ({ charge }) => ({ charge, iban: "DE00 1234" }));
    const charge = mark();
    const { data } = a("success", await call({ charge }));
    assert.equal((data as Arguments)["charge"], charge);
    assert.doesNotMatch(JSON.stringify(data), /1234/);
  },

  "an error of a tool with effects leaves them unknown": async (world) => {
    const error = new Error("the bank hung up");
    const { call } = tool(world.client(), "allowed", () => {
      throw error;
    });
    const outcome = a("indeterminate", await call({ charge: mark() }));
    assert.equal(outcome.cause, error);
    assert.ok(["unknown_effect", "reconciling", "needs_operator"].includes(outcome.status), outcome.status);
    assert.equal((await outcome.reconcile({ timeoutMs: 100 })).kind, "indeterminate");
  },

  "an error of a tool without effects is a failure": async (world) => {
    const { call } = tool(world.client(), "read", ({ charge }) => {
      throw new Error(`no ${charge}`);
    }, { ...LOW, effect: "none", verb: "READ" });
    const charge = mark();
    const { error } = a("failure", await call({ charge }));
    assert.deepEqual([error.code, error.message], ["tool_error", `no ${charge}`]);
  },

  "a tool that says that it has not run has failed": async (world) => {
    const { call } = tool(world.client(), "allowed", () => {
      throw new NotExecuted("the bank is closed");
    });
    assert.equal(a("failure", await call({ charge: mark() })).error.message, "the bank is closed");
  },

  "what JSON cannot say has run all the same": async (world) => {
    const { call, ran } = tool(world.client(), "allowed", () => 10n);
    const { data } = a("success", await call({ charge: mark() }));
    assert.match(JSON.stringify(data), /is not JSON/);
    assert.equal(ran.length, 1);
  },

  "a proposal whose answer was lost runs nothing twice": async (world) => {
    const { call, ran } = tool(world.client(), "allowed");
    world.lose("propose", "answer");
    const { error } = a("failure", await call({ charge: mark() }));
    assert.match(error.message, /has not run/);
    assert.deepEqual(ran, []);
  },

  "a proposal that was lost itself is made again": async (world) => {
    const { call, ran } = tool(world.client(), "allowed");
    world.lose("propose", "request", 2);
    a("success", await call({ charge: mark() }));
    assert.equal(ran.length, 1);
  },

  "a report whose answer was lost is made again, and the function is not run again": async (world) => {
    const { call, ran } = tool(world.client(), "allowed");
    const charge = mark();
    world.lose("report", "answer");
    assert.equal(a("success", await call({ charge })).data, `done ${charge}`);
    assert.equal(ran.length, 1);
  },

  "two calls alike are two calls, unless they say that they are one": async (world) => {
    const { call, ran } = tool(world.client(), "allowed");
    const charge = mark();
    const first = a("success", await call({ charge }));
    const second = a("success", await call({ charge }, { allowDuplicate: true }));
    assert.notEqual(second.invocationId, first.invocationId);
    assert.equal(ran.length, 2);
  },

  "the same key with other arguments is refused": async (world) => {
    const { call, ran } = tool(world.client({ run: mark() }), "allowed");
    a("success", await call({ charge: mark() }, { callId: "call_1" }));
    const { denial } = a("denied", await call({ charge: mark() }, { callId: "call_1" }));
    assert.deepEqual([denial.code, ran.length], ["idempotency_conflict", 1]);
  },

  "a verdict runs nothing": async (world) => {
    const gate = world.client();
    const [allowed, frozen] = [tool(gate, "allowed", never), tool(gate, "frozen", never)];
    await gate.register();
    const yes = await gate.decide("app.allowed", { charge: mark() });
    assert.deepEqual([yes.allowed, yes.denial], [true, null]);
    const no = await gate.simulate("app.frozen", { charge: mark() });
    assert.deepEqual([no.allowed, no.denial?.code], [false, "approval_required"]);
    assert.deepEqual([allowed.ran, frozen.ran], [[], []]);
  },

  "registered tools are listed": async (world) => {
    const gate = world.client();
    tool(gate, "allowed");
    const [told] = await gate.register();
    assert.deepEqual([told?.id, told?.state], ["app.allowed", "active"]);
    const names = (await gate.tools()).map(({ id }) => id);
    assert.ok(names.includes("app.allowed"), names.join());
  },

  "a pending call can be withdrawn": async (world) => {
    const gate = world.client();
    const { call } = tool(gate, "frozen");
    const pending = a("pending", await call({ charge: mark() })) as Pending;
    assert.equal((await gate.cancel(pending.invocationId)).status, "cancelled");
    assert.equal(a("denied", await pending.wait()).status, "cancelled");
  },

  "the gate does not run what a program runs": async (world) => {
    const gate = world.client();
    tool(gate, "allowed", never);
    await gate.register();
    const { denial } = a("denied", await gate.call("app.allowed", { charge: mark() }));
    assert.equal(denial.code, "runs_in_host");
  },
};
