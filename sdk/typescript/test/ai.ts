/**
 * Agents of the Vercel AI SDK behind the gate, with a scripted model: `ai/test` brings one.
 */

import assert from "node:assert/strict";

import { generateText, isStepCount, type ModelMessage, streamText, tool } from "ai";
import { convertArrayToReadableStream, MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

import { type AiGuardOptions, type ApprovalPart, guard, guardTools, isGateAnswer, streamApproval, toolApproval } from "../src/ai.js";
import { NotExecuted, type Outcome, type Pending, type Toolgate } from "../src/index.js";
import { a, type List, mark, type World } from "./world.js";

type Input = { charge: string; note?: string | undefined };
type Execute = (input: Input) => unknown;

/** What a rule keeps from tools and from models. */
const SECRET = "the code is 8812";

/** A tool as anybody writes it, and what it was called with. */
function written(name: string, execute: Execute = ({ charge }) => ({ done: charge })) {
  const ran: Input[] = [];
  const made = tool({
    description: `Does ${name}.`,
    inputSchema: z.object({ charge: z.string(), note: z.string().optional() }),
    execute: async (input) => {
      ran.push(input);
      return execute(input);
    },
  });
  return { made, ran };
}

/** A model that calls a tool once, and then says what it was told. */
function model(name: string, charge: string, callId = `call_${charge}`) {
  const usage = { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } };
  return new MockLanguageModelV4({
    doGenerate: async ({ prompt }) => {
      const last = prompt.at(-1);
      const told = last?.role === "tool" ? last.content.find((part) => part.type === "tool-result") : undefined;
      const said = told?.type === "tool-result" ? JSON.stringify(told.output) : null;
      return said === null
        ? { content: [{ type: "tool-call", toolCallId: callId, toolName: name, input: JSON.stringify(name.endsWith("cleaned") ? { charge, note: SECRET } : { charge }) }], finishReason: { unified: "tool-calls", raw: undefined }, usage, warnings: [] }
        : { content: [{ type: "text", text: said }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] };
    },
  });
}

/** A model that streams one call of a tool. */
function streaming(name: string, charge: string) {
  const usage = { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } };
  const call = { type: "tool-call", toolCallId: `call_${charge}`, toolName: name, input: JSON.stringify({ charge }) } as const;
  const finish = { type: "finish", finishReason: { unified: "tool-calls", raw: undefined }, usage } as const;
  return new MockLanguageModelV4({ doStream: async () => ({ stream: convertArrayToReadableStream([{ type: "stream-start", warnings: [] } as const, call, finish]) }) });
}

/** One run of an agent: what it said at the end, what was called, what the gate said. */
async function run(world: World, name: string, options: AiGuardOptions = {}, execute?: Execute, gate: Toolgate = world.client()) {
  const { made, ran } = written(name, execute);
  const outcomes: Outcome[] = [];
  const charge = mark();
  const tools = guardTools(gate, { [name]: made }, { [name]: { risk: "low", onOutcome: (outcome) => outcomes.push(outcome), ...options } });
  const { text } = await generateText({ model: model(name, charge), tools, prompt: "go", stopWhen: isStepCount(3) });
  return { text, ran, outcomes, charge };
}

export const AI_SDK: List = {
  "AI SDK: an allowed call runs, and the model reads its result": async (world) => {
    const { text, ran, charge, outcomes } = await run(world, "ai_allowed");
    assert.deepEqual([JSON.parse(text), ran], [{ type: "json", value: { done: charge } }, [{ charge }]]);
    a("success", outcomes[0]!);
  },

  "AI SDK: a denied call runs nothing, and the model reads why": async (world) => {
    const { text, ran, outcomes } = await run(world, "ai_denied");
    assert.match(text, /"error-text".*Denied by .*not today\. This call was not executed\./);
    assert.deepEqual(ran, []);
    assert.equal(a("denied", outcomes[0]!).denial.code, "policy_denied");
  },

  "AI SDK: the tool gets the arguments as they were judged": async (world) => {
    const { ran, outcomes } = await run(world, "ai_cleaned");
    a("success", outcomes[0]!);
    assert.equal(ran.length, 1);
    assert.doesNotMatch(JSON.stringify(ran), /8812/);
  },

  "AI SDK: the model reads what the gate left of the result": async (world) => {
    const { text, charge } = await run(world, "ai_withheld", {}, ({ charge }) => ({ charge, iban: SECRET }));
    assert.match(text, new RegExp(charge));
    assert.doesNotMatch(text, /8812/);
  },

  "AI SDK: a call that waits is data, and runs when it is made again": async (world) => {
    const gate = world.client();
    const { made, ran } = written("ai_frozen");
    const charge = mark();
    const outcomes: Outcome[] = [];
    const tools = { ai_frozen: guard(gate, "ai_frozen", made, { risk: "low", onOutcome: (outcome) => outcomes.push(outcome) }) };
    const ask = () => generateText({ model: model("ai_frozen", charge), tools, prompt: "go", stopWhen: isStepCount(3) });
    const first = await ask();
    assert.match(first.text, /Approval required by .*This call was not executed yet/);
    assert.ok(isGateAnswer(first.steps[0]?.toolResults[0]?.output));
    await world.approve(a("pending", outcomes[0]!));
    assert.deepEqual([JSON.parse((await ask()).text).value, ran], [{ done: charge }, [{ charge }]]);
  },

  "AI SDK: a call that is waited for runs once it is approved": async (world) => {
    const gate = world.client({ onPending: (pending) => void world.approve(pending) });
    const { text, ran, charge } = await run(world, "ai_frozen", { onApproval: "wait", approvalTimeoutMs: 20_000 }, undefined, gate);
    assert.deepEqual([JSON.parse(text).value, ran], [{ done: charge }, [{ charge }]]);
  },

  "AI SDK: with toolApproval the SDK pauses, and goes on after the approval": async (world) => {
    const gate = world.client();
    const { made, ran } = written("ai_frozen");
    const charge = mark();
    const waiting: Pending[] = [];
    const tools = { ai_frozen: guard(gate, "ai_frozen", made, { risk: "low" }) };
    const settings = { model: model("ai_frozen", charge), tools, toolApproval: toolApproval((pending) => waiting.push(pending)), stopWhen: isStepCount(3) };
    const messages: ModelMessage[] = [{ role: "user", content: "go" }];
    const paused = await generateText({ ...settings, messages });
    const request = paused.content.find((part) => part.type === "tool-approval-request");
    assert.ok(request, JSON.stringify(paused.content));
    assert.deepEqual([ran, waiting.length], [[], 1]);
    await world.approve(waiting[0]!);
    messages.push(...paused.response.messages);
    messages.push({ role: "tool", content: [{ type: "tool-approval-response", approvalId: request.approvalId, approved: true }] });
    const done = await generateText({ ...settings, messages });
    assert.deepEqual([JSON.parse(done.text).value, ran], [{ done: charge }, [{ charge }]]);
  },

  "AI SDK: with toolApproval a yes in the chat is none at the gate": async (world) => {
    const gate = world.client();
    const { made, ran } = written("ai_frozen");
    const tools = { ai_frozen: guard(gate, "ai_frozen", made, { risk: "low" }) };
    const settings = { model: model("ai_frozen", mark()), tools, toolApproval: toolApproval(), stopWhen: isStepCount(3) };
    const messages: ModelMessage[] = [{ role: "user", content: "go" }];
    const paused = await generateText({ ...settings, messages });
    const request = paused.content.find((part) => part.type === "tool-approval-request");
    messages.push(...paused.response.messages);
    messages.push({ role: "tool", content: [{ type: "tool-approval-response", approvalId: request!.approvalId, approved: true }] });
    const after = await generateText({ ...settings, messages });
    assert.match(after.text, /Approval required by/);
    assert.deepEqual(ran, []);
  },

  "AI SDK: with toolApproval an allowed call runs once, under the lease that it got then": async (world) => {
    const { made, ran } = written("ai_allowed");
    const outcomes: Outcome[] = [];
    const tools = { ai_allowed: guard(world.client(), "ai_allowed", made, { risk: "low", onOutcome: (outcome) => outcomes.push(outcome) }) };
    const { text } = await generateText({ model: model("ai_allowed", mark()), tools, toolApproval: toolApproval(), prompt: "go", stopWhen: isStepCount(3) });
    assert.match(text, /done/);
    assert.deepEqual([ran.length, a("success", outcomes[0]!).envelope?.attempts], [1, 1]);
  },

  "AI SDK: with toolApproval a denied call is denied with its reason": async (world) => {
    const { made, ran } = written("ai_denied");
    const tools = { ai_denied: guard(world.client(), "ai_denied", made, { risk: "low" }) };
    const { text, content, steps } = await generateText({ model: model("ai_denied", mark()), tools, toolApproval: toolApproval(), prompt: "go", stopWhen: isStepCount(3) });
    assert.match(JSON.stringify([text, content, steps.map((step) => step.content)]), /not today/);
    assert.deepEqual(ran, []);
  },

  "AI SDK: a streamed run is decided just so": async (world) => {
    const streamed = async (name: string) => {
      const { made, ran } = written(name);
      const tools = { [name]: guard(world.client(), name, made, { risk: "low" }) };
      const { fullStream } = streamText({ model: streaming(name, mark()), tools, toolApproval: toolApproval(), prompt: "go" });
      const types = new Set<string>();
      for await (const part of fullStream) types.add(part.type);
      return { types, runs: ran.length };
    };
    const [allowed, frozen, denied] = [await streamed("ai_allowed"), await streamed("ai_frozen"), await streamed("ai_denied")];
    assert.ok(allowed.types.has("tool-result") && frozen.types.has("tool-approval-request") && denied.types.has("tool-output-denied"), JSON.stringify([[...frozen.types], [...denied.types]]));
    assert.deepEqual([allowed.runs, frozen.runs, denied.runs], [1, 0, 0]);
  },

  "AI SDK: an error leaves the effect unknown, and the model is told not to repeat it": async (world) => {
    const { text, outcomes } = await run(world, "ai_allowed", {}, () => {
      throw new Error("the bank hung up");
    });
    assert.match(text, /Unknown effect: .*Do not repeat it/);
    a("indeterminate", outcomes[0]!);
  },

  "AI SDK: a tool that says that it has not run has failed": async (world) => {
    const { text } = await run(world, "ai_allowed", {}, () => {
      throw new NotExecuted("the bank is closed");
    });
    assert.match(text, /Failed with tool_error: the bank is closed/);
  },

  "AI SDK: a lost answer to the report runs nothing again": async (world) => {
    world.lose("report", "answer");
    const { text, ran, charge } = await run(world, "ai_allowed");
    assert.deepEqual([JSON.parse(text).value, ran.length], [{ done: charge }, 1]);
  },

  "AI SDK: the tool keeps its shape": async (world) => {
    const { made } = written("ai_allowed");
    const guarded = guard(world.client(), "ai_allowed", made);
    assert.equal(guarded.inputSchema, made.inputSchema);
    assert.equal(guarded.description, made.description);
    assert.throws(() => guard(world.client(), "remote", tool({ inputSchema: z.object({}) })), /has no `execute`/);
  },

  "AI SDK: a page sees the wait and its end": async (world) => {
    const gate = world.client();
    const { made } = written("ai_frozen");
    const parts: ApprovalPart[] = [];
    const outcomes: Outcome[] = [];
    const guarded = guard(gate, "ai_frozen", made, { risk: "low", onOutcome: (outcome) => outcomes.push(outcome) });
    await generateText({ model: model("ai_frozen", mark()), tools: { ai_frozen: guarded }, prompt: "go" });
    const pending = a("pending", outcomes[0]!);
    const writer = { write: (part: ApprovalPart) => void (parts.push(part) === 1 && world.approve(pending)) };
    a("success", await streamApproval(gate, writer, pending, { timeoutMs: 20_000 }));
    assert.deepEqual(parts.map(({ id, data }) => [id, data.kind]), [[pending.approval.id, "pending"], [pending.approval.id, "success"]]);
  },
};
