/**
 * Agents of LangChain behind the gate, by its middleware and tool by tool, with a scripted model.
 */

import assert from "node:assert/strict";

import { AIMessage, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { FakeToolCallingModel, createAgent, tool } from "langchain";
import { Command, MemorySaver } from "@langchain/langgraph";
import { z } from "zod";

import { NotExecuted, type Outcome, type Toolgate } from "../src/index.js";
import { guard, type LangChainGuardOptions, toolgateMiddleware } from "../src/langchain.js";
import { a, type List, mark, type World } from "./world.js";

type Input = { charge: string; note?: string | undefined };
type Execute = (input: Input) => unknown;

/** What a rule keeps from tools and from models. */
const SECRET = "the code is 8812";

/** A tool as anybody writes it, and what it was called with. */
function written(name: string, execute: Execute = ({ charge }) => ({ done: charge })) {
  const ran: Input[] = [];
  const made = tool(
    async (input: Input) => {
      ran.push(input);
      return execute(input);
    },
    { name, description: `Does ${name}.`, schema: z.object({ charge: z.string(), note: z.string().optional() }) },
  );
  return { made, ran };
}

type Way = "guard" | "middleware";

/** One run of an agent: what its model was told of the tool, what was called, what the gate said. */
async function run(world: World, way: Way, name: string, options: LangChainGuardOptions = {}, execute?: Execute, gate: Toolgate = world.client()) {
  const { made, ran } = written(name, execute);
  const outcomes: Outcome[] = [];
  const charge = mark();
  const said: LangChainGuardOptions = { risk: "low", onOutcome: (outcome) => outcomes.push(outcome), ...options };
  const model = new FakeToolCallingModel({ toolCalls: [[{ name, args: name.endsWith("cleaned") ? { charge, note: SECRET } : { charge }, id: `call_${charge}`, type: "tool_call" }], []] });
  const agent = createAgent({
    model,
    tools: [way === "guard" ? guard(gate, made, said) : made],
    middleware: way === "guard" ? [] : [toolgateMiddleware(gate, { [name]: said })],
    checkpointer: new MemorySaver(),
  });
  const thread = { configurable: { thread_id: `thread-${charge}` } };
  const result = await agent.invoke({ messages: [{ role: "user", content: "go" }] }, thread);
  return { agent, thread, result, ran, outcomes, charge, told: toldOf(result.messages) };
}

function toldOf(messages: BaseMessage[]): string {
  const message = messages.findLast((message) => ToolMessage.isInstance(message));
  return message ? String(message.content) : "";
}

function list(way: Way): List {
  const by = `LangChain (${way})`;
  return {
    [`${by}: an allowed call runs, and the model reads its result`]: async (world) => {
      const { told, ran, charge, outcomes, result } = await run(world, way, `${way}_allowed`);
      assert.deepEqual([JSON.parse(told), ran], [{ done: charge }, [{ charge }]]);
      assert.ok(AIMessage.isInstance(result.messages.at(-1)));
      a("success", outcomes[0]!);
    },

    [`${by}: a denied call runs nothing, and the model reads why`]: async (world) => {
      const { told, ran, result } = await run(world, way, `${way}_denied`);
      assert.match(told, /^Denied by .*not today\. This call was not executed\./);
      assert.deepEqual(ran, []);
      assert.equal(result.messages.findLast((message) => ToolMessage.isInstance(message))?.status, "error");
    },

    [`${by}: the tool gets the arguments as they were judged`]: async (world) => {
      const { ran, outcomes } = await run(world, way, `${way}_cleaned`);
      a("success", outcomes[0]!);
      assert.equal(ran.length, 1);
      assert.doesNotMatch(JSON.stringify(ran), /8812/);
    },

    [`${by}: the model reads what the gate left of the result`]: async (world) => {
      const { told, charge } = await run(world, way, `${way}_withheld`, {}, ({ charge }) => ({ charge, iban: SECRET }));
      assert.match(told, new RegExp(charge));
      assert.doesNotMatch(told, /8812/);
    },

    [`${by}: a call that waits is data, and can be waited for by the program`]: async (world) => {
      const { told, ran, outcomes, charge } = await run(world, way, `${way}_frozen`);
      assert.match(told, /^Approval required by .*This call was not executed yet/);
      const pending = a("pending", outcomes[0]!);
      await world.approve(pending);
      assert.deepEqual(a("success", await pending.wait({ timeoutMs: 20_000 })).data, { done: charge });
      assert.deepEqual(ran, [{ charge }]);
    },

    [`${by}: a call that is waited for runs once it is approved`]: async (world) => {
      const gate = world.client({ onPending: (pending) => void world.approve(pending) });
      const { told, ran, charge } = await run(world, way, `${way}_frozen`, { onApproval: "wait", approvalTimeoutMs: 20_000 }, undefined, gate);
      assert.deepEqual([JSON.parse(told), ran], [{ done: charge }, [{ charge }]]);
    },

    [`${by}: a call that waits interrupts the graph, which resumes after the approval`]: async (world) => {
      const { agent, thread, result, ran, outcomes, charge } = await run(world, way, `${way}_frozen`, { onApproval: "raise" });
      const interrupts = (result as unknown as { __interrupt__?: { value: { kind: string } }[] }).__interrupt__;
      assert.deepEqual([interrupts?.[0]?.value.kind, ran], ["pending", []]);
      const early = await agent.invoke(new Command({ resume: true }), thread);
      assert.ok("__interrupt__" in early, "a yes to the interrupt is none at the gate");
      await world.approve(a("pending", outcomes[0]!));
      const resumed = await agent.invoke(new Command({ resume: true }), thread);
      assert.deepEqual([JSON.parse(toldOf(resumed.messages)), ran], [{ done: charge }, [{ charge }]]);
    },

    [`${by}: an error leaves the effect unknown, and the model is told not to repeat it`]: async (world) => {
      const { told } = await run(world, way, `${way}_allowed`, {}, () => {
        throw new Error("the bank hung up");
      });
      assert.match(told, /^Unknown effect: .*Do not repeat it/);
    },

    [`${by}: a tool that says that it has not run has failed`]: async (world) => {
      const { told } = await run(world, way, `${way}_allowed`, {}, () => {
        throw new NotExecuted("the bank is closed");
      });
      assert.match(told, /^Failed with tool_error: the bank is closed/);
    },

    [`${by}: a lost answer to the report runs nothing again`]: async (world) => {
      world.lose("report", "answer");
      const { told, ran, charge } = await run(world, way, `${way}_allowed`);
      assert.deepEqual([JSON.parse(told), ran.length], [{ done: charge }, 1]);
    },
  };
}

export const LANGCHAIN: List = {
  ...list("guard"),
  ...list("middleware"),

  "LangChain: the tool keeps its shape, and no way around the gate": async (world) => {
    const { made, ran } = written("guard_denied");
    const guarded = guard(world.client(), made, { risk: "low" });
    assert.equal(guarded.schema, made.schema);
    assert.equal(guarded.constructor, made.constructor);
    assert.match(String(await guarded.invoke({ charge: mark() })), /^Denied by/);
    assert.match(String(await guarded.call({ charge: mark() })), /^Denied by/);
    assert.deepEqual(ran, []);
  },

  "LangChain: the middleware runs no tool that it was not given": async (world) => {
    const charge = mark();
    const model = new FakeToolCallingModel({ toolCalls: [[{ name: "invented", args: { charge }, id: "call_1", type: "tool_call" }], []] });
    const { made } = written("guard_allowed");
    const agent = createAgent({ model, tools: [made], middleware: [toolgateMiddleware(world.client())] });
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: "go" }] });
    assert.match(toldOf(messages), /^Denied by tool_not_found/);
  },
};
