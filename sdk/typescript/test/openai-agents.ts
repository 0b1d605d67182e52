/**
 * Agents of the OpenAI Agents SDK behind the gate, with a scripted model.
 */

import assert from "node:assert/strict";

import { Agent, type Model, type ModelRequest, type ModelResponse, Runner, RunState, tool, Usage } from "@openai/agents";
import { z } from "zod";

import { NotExecuted, type Outcome, type Toolgate } from "../src/index.js";
import { type AgentsGuardOptions, guard } from "../src/openai-agents.js";
import { a, type List, mark, type World } from "./world.js";

type Item = ModelResponse["output"][number];

/** Calls a tool once, and then says what it was told. */
class Scripted implements Model {
  constructor(
    readonly name: string,
    readonly charge: string,
  ) {}

  async getResponse({ input }: ModelRequest): Promise<ModelResponse> {
    const told = typeof input === "string" ? undefined : input.findLast((item) => item.type === "function_call_result");
    const said = told ? JSON.stringify(told.output) : null;
    const call: Item = { type: "function_call", id: "fc_1", callId: `call_${this.charge}`, name: this.name, status: "completed", arguments: JSON.stringify({ charge: this.charge, note: this.name.endsWith("cleaned") ? SECRET : null }) };
    const message: Item = { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [{ type: "output_text", text: said ?? "" }] };
    return { usage: new Usage(), output: [said === null ? call : message] };
  }

  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error("nothing is streamed here");
  }
}

type Input = { charge: string; note: string | null };
type Execute = (input: Input) => unknown;

/** What a rule keeps from tools and from models. */
const SECRET = "the code is 8812";

/** A definition as anybody writes it, and what it was called with. */
function defined(name: string, execute: Execute = ({ charge }) => `done ${charge}`) {
  const ran: Input[] = [];
  const definition = {
    name,
    description: `Does ${name}.`,
    parameters: z.object({ charge: z.string(), note: z.string().nullable() }),
    execute: async (input: Input) => {
      ran.push(input);
      return execute(input);
    },
  };
  return { definition, ran };
}

const runner = new Runner({ tracingDisabled: true });

/** One run of an agent: what it said at the end, what was called, what the gate said. */
async function run(world: World, name: string, options: AgentsGuardOptions = {}, execute?: Execute, gate: Toolgate = world.client()) {
  const { definition, ran } = defined(name, execute);
  const outcomes: Outcome[] = [];
  const charge = mark();
  const said = { risk: "low", onOutcome: (outcome: Outcome) => void outcomes.push(outcome), ...options } as const;
  const agent = new Agent({ name: "refunds", model: new Scripted(name, charge), tools: [tool(guard(gate, definition, said))] });
  const result = await runner.run(agent, "go");
  return { text: String(result.finalOutput), ran, outcomes, charge, result, agent };
}

export const OPENAI_AGENTS: List = {
  "OpenAI Agents: an allowed call runs, and the model reads its result": async (world) => {
    const { text, ran, charge, outcomes } = await run(world, "agents_allowed");
    assert.match(text, new RegExp(`done ${charge}`));
    assert.deepEqual(ran, [{ charge, note: null }]);
    a("success", outcomes[0]!);
  },

  "OpenAI Agents: a denied call runs nothing, and the model reads why": async (world) => {
    const { text, ran } = await run(world, "agents_denied");
    assert.match(text, /Denied by .*not today\. This call was not executed\./);
    assert.deepEqual(ran, []);
  },

  "OpenAI Agents: the tool gets the arguments as they were judged, whichever way it was guarded": async (world) => {
    const { ran } = await run(world, "agents_cleaned");
    const { definition, ran: ranOfMade } = defined("agents_cleaned");
    const made = guard(world.client(), tool(definition), { risk: "low" });
    await runner.run(new Agent({ name: "refunds", model: new Scripted("agents_cleaned", mark()), tools: [made] }), "go");
    assert.deepEqual([ran.length, ranOfMade.length], [1, 1]);
    assert.doesNotMatch(JSON.stringify([ran, ranOfMade]), /8812/);
  },

  "OpenAI Agents: the model reads what the gate left of the result": async (world) => {
    const { text, charge } = await run(world, "agents_withheld", {}, ({ charge }) => ({ charge, iban: SECRET }));
    assert.match(text, new RegExp(charge));
    assert.doesNotMatch(text, /8812/);
  },

  "OpenAI Agents: a call that waits is data, and can be waited for by the program": async (world) => {
    const { text, ran, outcomes, charge } = await run(world, "agents_frozen");
    assert.match(text, /Approval required by .*This call was not executed yet/);
    const pending = a("pending", outcomes[0]!);
    await world.approve(pending);
    assert.equal(a("success", await pending.wait({ timeoutMs: 20_000 })).data, `done ${charge}`);
    assert.deepEqual(ran, [{ charge, note: null }]);
  },

  "OpenAI Agents: a call that is waited for runs once it is approved": async (world) => {
    const gate = world.client({ onPending: (pending) => void world.approve(pending) });
    const { text, ran, charge } = await run(world, "agents_frozen", { onApproval: "wait", approvalTimeoutMs: 20_000 }, undefined, gate);
    assert.match(text, new RegExp(`done ${charge}`));
    assert.deepEqual(ran, [{ charge, note: null }]);
  },

  "OpenAI Agents: a call that waits interrupts the run, which resumes from its state": async (world) => {
    const pendings: Outcome[] = [];
    const gate = world.client({ onPending: (pending) => void pendings.push(pending as Outcome) });
    const { result, agent, ran, charge } = await run(world, "agents_frozen", { onApproval: "raise" }, undefined, gate);
    assert.deepEqual([result.interruptions.length, ran], [1, []]);
    const saved = result.state.toString();
    await world.approve(a("pending", pendings[0]!));
    const state = await RunState.fromString(agent, saved);
    state.approve(state.getInterruptions()[0]!);
    const resumed = await runner.run(agent, state);
    assert.match(String(resumed.finalOutput), new RegExp(`done ${charge}`));
    assert.deepEqual(ran, [{ charge, note: null }]);
  },

  "OpenAI Agents: a yes to the interruption is none at the gate": async (world) => {
    const { result, agent, ran } = await run(world, "agents_frozen", { onApproval: "raise" });
    result.state.approve(result.interruptions[0]!);
    const resumed = await runner.run(agent, result.state);
    assert.match(String(resumed.finalOutput), /Approval required by/);
    assert.deepEqual(ran, []);
  },

  "OpenAI Agents: an allowed call does not interrupt, and runs once": async (world) => {
    const { text, ran, outcomes } = await run(world, "agents_allowed", { onApproval: "raise" });
    assert.match(text, /done/);
    assert.deepEqual([ran.length, a("success", outcomes[0]!).envelope?.attempts], [1, 1]);
  },

  "OpenAI Agents: an error leaves the effect unknown, and the model is told not to repeat it": async (world) => {
    const { text } = await run(world, "agents_allowed", {}, () => {
      throw new Error("the bank hung up");
    });
    assert.match(text, /Unknown effect: .*Do not repeat it/);
  },

  "OpenAI Agents: a tool that says that it has not run has failed": async (world) => {
    const { text } = await run(world, "agents_allowed", {}, () => {
      throw new NotExecuted("the bank is closed");
    });
    assert.match(text, /Failed with tool_error: the bank is closed/);
  },

  "OpenAI Agents: a lost answer to the report runs nothing again": async (world) => {
    world.lose("report", "answer");
    const { text, ran } = await run(world, "agents_allowed");
    assert.match(text, /done/);
    assert.equal(ran.length, 1);
  },

  "OpenAI Agents: a tool that is made already is guarded in its shape": async (world) => {
    const { definition, ran } = defined("agents_allowed");
    const made = tool(definition);
    const guarded = guard(world.client(), made, { risk: "low" });
    assert.deepEqual(Object.keys(guarded).sort(), Object.keys(made).sort());
    assert.equal(guarded.parameters, made.parameters);
    const charge = mark();
    const agent = new Agent({ name: "refunds", model: new Scripted("agents_allowed", charge), tools: [guarded] });
    assert.match(String((await runner.run(agent, "go")).finalOutput), new RegExp(`done ${charge}`));
    assert.deepEqual(ran, [{ charge, note: null }]);
  },

  "OpenAI Agents: an error that a made tool keeps to itself is no success": async (world) => {
    const { definition } = defined("agents_allowed", () => {
      throw new Error("the bank hung up");
    });
    const agent = new Agent({ name: "refunds", model: new Scripted("agents_allowed", mark()), tools: [guard(world.client(), tool(definition), { risk: "low" })] });
    assert.match(String((await runner.run(agent, "go")).finalOutput), /Unknown effect/);
  },
};
