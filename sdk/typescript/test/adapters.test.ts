/** What tools of the frameworks can be beside functions that return plain data; against the fake gate. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { RunContext, tool as agentsTool } from "@openai/agents";
import { Command } from "@langchain/langgraph";
import { jsonSchema, tool as aiTool } from "ai";
import { tool as chainTool, ToolMessage } from "langchain";
import { z } from "zod";

import { guard as guardAi, guardTools } from "../src/ai.js";
import { guard as guardChain } from "../src/langchain.js";
import { guard as guardAgents } from "../src/openai-agents.js";
import { FakeGate } from "../src/testing.js";
import { never } from "./world.js";

const execution = { toolCallId: "call_1", messages: [], context: {} };

/** A fake gate that allows everything, and a client of it. */
function open() {
  const fake = new FakeGate();
  fake.allow("app.*");
  const bodies = (path: string) => fake.requests.filter((asked) => asked.path.endsWith(path)).map(({ body }) => body);
  return { fake, gate: fake.client(), bodies };
}

test("AI SDK: of a tool that streams only the end is judged, and only the end is shown", async () => {
  const { gate, bodies } = open();
  const streams = aiTool({
    inputSchema: z.object({}),
    async *execute() {
      yield "half";
      yield "the whole";
    },
  });
  const output = await guardAi(gate, "streams", streams).execute({}, execution);
  assert.equal(output, "the whole");
  assert.deepEqual(bodies("/outcome").map(({ data }) => data), ["the whole"]);
});

test("AI SDK: a tool's own value is handed on where the gate left it, and its own words for the model too", async () => {
  const { gate } = open();
  const day = new Date(0);
  const dated = aiTool({ inputSchema: z.object({}), execute: async () => ({ day }), toModelOutput: ({ output }) => ({ type: "text", value: String(output.day.getTime()) }) });
  const guarded = guardAi(gate, "dated", dated);
  const output = (await guarded.execute({}, execution)) as { day: Date };
  assert.equal(output.day, day);
  assert.deepEqual(await guarded.toModelOutput!({ toolCallId: "call_1", input: {}, output }), { type: "text", value: "0" });
});

test("AI SDK: schemas of every kind are told to the gate", async () => {
  const { fake, gate } = open();
  const execute = async () => "done";
  const schema = { type: "object", properties: { charge: { type: "string" } } } as const;
  const tools = guardTools(gate, {
    zod: aiTool({ inputSchema: z.object({ charge: z.string() }), execute }),
    json: aiTool({ inputSchema: jsonSchema<object>(schema), execute }),
    later: aiTool({ inputSchema: jsonSchema<object>(async () => schema), execute }),
    left: aiTool({ inputSchema: z.object({}), execute }),
  }, { left: false });
  for (const tool of Object.values(tools)) await (tool.execute as (input: object, options: object) => unknown)({}, execution);
  const told = Object.fromEntries([...fake.registered].map(([id, { input_schema }]) => [id, Object.keys((input_schema as { properties: object }).properties)]));
  assert.deepEqual(told, { "app.zod": ["charge"], "app.json": ["charge"], "app.later": ["charge"] });
});

test("AI SDK: what is particular to a call is told with it", async () => {
  const { gate, bodies } = open();
  const refund = aiTool({ inputSchema: z.object({}), execute: async () => "done" });
  const perCall = ({ toolCallId }: { toolCallId: string }) => ({ sessionId: `session of ${toolCallId}`, onBehalfOf: { id: "bob@acme.com" } });
  await guardAi(gate, "refund", refund, { perCall }).execute({}, execution);
  const [body] = bodies("/invocations");
  assert.deepEqual([body?.["session_id"], body?.["on_behalf_of"]], ["session of call_1", { id: "bob@acme.com", groups: [] }]);
});

test("AI SDK: what a rule has changed must fit the tool's schema, or nothing runs", async () => {
  const { fake, gate } = open();
  fake.sanitize("app.refund", { amount: "[removed]" });
  const refund = aiTool({ inputSchema: z.object({ amount: z.number() }), execute: async (): Promise<string> => never() });
  const output = await guardAi(gate, "refund", refund).execute({ amount: 12 }, execution);
  assert.match(JSON.stringify(output), /"kind":"failure"/);
});

test("OpenAI Agents: a tool without parameters is a tool of one text", async () => {
  const { gate, bodies } = open();
  const said: unknown[] = [];
  const echo = agentsTool({ name: "echo", description: "Says it again.", parameters: { type: "object", properties: {}, required: [], additionalProperties: true }, strict: false, execute: async (input) => said.push(input) });
  await guardAgents(gate, echo).invoke(new RunContext(), "not JSON");
  assert.deepEqual(bodies("/invocations").map(({ arguments: args }) => args), [{ input: "not JSON" }]);
});

test("LangChain: what the model wrote is judged, and what the schema makes of it is what the tool gets", async () => {
  const { gate, bodies } = open();
  const got: unknown[] = [];
  const refund = chainTool(async (input: unknown) => void got.push(input), { name: "refund", description: "Refunds.", schema: z.object({ amount: z.string().transform(Number), currency: z.string().default("EUR") }) });
  await guardChain(gate, refund).invoke({ type: "tool_call", id: "call_1", name: "refund", args: { amount: "12" } });
  assert.deepEqual(bodies("/invocations").map(({ arguments: args }) => args), [{ amount: "12" }]);
  assert.deepEqual(got, [{ amount: 12, currency: "EUR" }]);
});

test("LangChain: content is judged, and its artifact stays with it only where it was left as it is", async () => {
  const { fake, gate, bodies } = open();
  const schema = z.object({});
  const found = chainTool(async () => ["two lines", { lines: [1, 2] }], { name: "found", description: "Looks.", schema, responseFormat: "content_and_artifact" });
  const call = { type: "tool_call", name: "found", args: {} } as const;
  const whole = (await guardChain(gate, found).invoke({ ...call, id: "call_1" })) as ToolMessage;
  assert.deepEqual([whole.content, whole.artifact], ["two lines", { lines: [1, 2] }]);
  assert.deepEqual(bodies("/outcome").map(({ data }) => data), ["two lines"]);
  fake.withhold("app.found", () => "[removed]");
  const left = (await guardChain(gate, found).invoke({ ...call, id: "call_2" })) as ToolMessage;
  assert.deepEqual([left.content, left.artifact], ["[removed]", null]);
  fake.deny("app.found");
  const denied = (await guardChain(gate, found).invoke({ ...call, id: "call_3" })) as ToolMessage;
  assert.match(String(denied.content), /^Denied by/);
});

test("LangChain: a command of a tool is handed on itself", async () => {
  const { gate } = open();
  const command = new Command({ goto: "end" });
  const moves = chainTool(async () => command, { name: "moves", description: "Moves on.", schema: z.object({}) });
  assert.equal(await guardChain(gate, moves).invoke({ type: "tool_call", id: "call_1", name: "moves", args: {} }), command);
});

test("LangChain: a tool of one text gets it, and the gate is asked about an object", async () => {
  const { fake, gate, bodies } = open();
  const said: string[] = [];
  const echo = chainTool(async (text: string) => `heard ${said.push(text)}`, { name: "echo", description: "Says it again.", schema: z.string() });
  assert.equal(await guardChain(gate, echo).invoke("hello"), "heard 1");
  assert.deepEqual(said, ["hello"]);
  assert.deepEqual(bodies("/invocations").map(({ arguments: args }) => args), [{ input: "hello" }]);
  assert.equal((fake.registered.get("app.echo")?.["input_schema"] as { type: string }).type, "object");
});
