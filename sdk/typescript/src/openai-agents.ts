/**
 * Function tools of the OpenAI Agents SDK, guarded.
 *
 *     const refund = tool(guard(gate, { name: "refund", parameters: z.object({ … }), execute: … }, { risk: "high" }));
 *
 * Give `guard` what you would give to `tool`: then an error of the function is seen as one. A tool that is made
 * already is taken too. With `onApproval: "raise"` a call that waits is an interruption of the run, as with
 * `needsApproval`, and the run resumes from its state. Must not know: how calls travel.
 */

import { type FunctionTool, RunContext, tool as toolOf } from "@openai/agents";

import { type GuardOptions, Hosted, validated } from "./adapt.js";
import { type Arguments, isObject } from "./json.js";
import type { OneCall } from "./options.js";
import { outcomeText } from "./outcome.js";
import type { Toolgate } from "./toolgate.js";

/** What can be said of a guarded tool. */
export type AgentsGuardOptions = GuardOptions<{ context: unknown; callId: string | undefined }>;

type AnyTool = FunctionTool<any, any, any>;
type Details = Parameters<AnyTool["invoke"]>[2];

/** What `tool` takes, as far as it is guarded. */
type ToolDefinition = {
  name?: string;
  description: string;
  parameters: unknown;
  execute: (...given: never[]) => unknown;
  needsApproval?: unknown;
};

/** The same definition or tool, guarded. */
export function guard<T extends ToolDefinition | AnyTool>(gate: Toolgate, tool: T, options: AgentsGuardOptions = {}): T {
  if ("invoke" in tool) return guardedTool(gate, tool, options) as T;
  if ("execute" in tool) return guardedDefinition(gate, tool, options) as T;
  throw new TypeError("only function tools run in this program: a hosted tool is guarded where it runs, by putting the gate in front of it");
}

function guardedDefinition(gate: Toolgate, definition: ToolDefinition, options: AgentsGuardOptions): ToolDefinition {
  const made = toolOf(definition as never) as FunctionTool<unknown, any, unknown>;
  const hosted = hostedOf(gate, made, options);
  const execute = async (input: unknown, context: unknown, details?: Details) => {
    const single = !isObject(input);
    const { outcome, value } = await hosted.perform({
      args: single ? { input } : (input as object),
      // LIMIT: before an interruption only the parsed form is at hand, and both must be the same call.
      raw: single || hosted.onApproval === "raise" ? undefined : rawOf(details?.toolCall?.arguments),
      parse: (judged: Arguments) => validated<object>(definition.parameters, judged),
      run: (args, running) =>
        (definition.execute as (...given: unknown[]) => unknown)(single ? (args as { input: unknown }).input : args, context, { ...details, signal: running.signal }),
      options: callOf(hosted, options, context, details),
    });
    return outcome.kind === "success" ? value : outcomeText(outcome);
  };
  return { ...definition, execute, needsApproval: approvalOf(hosted, made, options) };
}

function guardedTool(gate: Toolgate, tool: AnyTool, options: AgentsGuardOptions): AnyTool {
  const hosted = hostedOf(gate, tool, options);
  const invoke: typeof tool.invoke = async (context, input, details) => {
    const raw = rawOf(input);
    const { outcome, value } = await hosted.perform({
      args: raw ?? { input },
      run: async (args, running) => {
        const judged = raw === undefined ? String((args as { input: unknown }).input) : JSON.stringify(args);
        const output = await tool.invoke(context, judged, { ...details, signal: running.signal } as Details);
        // A tool answers an error with words instead of throwing it, and these say nothing of effects.
        if (output === (await wordsOfAnError())) throw new Error("the tool failed with an error that it did not pass on");
        return output;
      },
      options: callOf(hosted, options, context, details),
    });
    return outcome.kind === "success" ? value : outcomeText(outcome);
  };
  const clone = Object.create(Object.getPrototypeOf(tool), Object.getOwnPropertyDescriptors(tool)) as AnyTool;
  return Object.assign(clone, { invoke, needsApproval: approvalOf(hosted, tool, options) });
}

function hostedOf(gate: Toolgate, tool: AnyTool, options: AgentsGuardOptions): Hosted {
  const { name, description, parameters } = tool;
  return new Hosted(gate, options, () => gate.tool(name, { description, inputSchema: parameters ?? { type: "object" }, ...options }));
}

/** Whether the run is interrupted: where the tool itself says so, or people must approve the call. */
function approvalOf(hosted: Hosted, tool: AnyTool, options: AgentsGuardOptions): AnyTool["needsApproval"] {
  if (hosted.onApproval !== "raise") return tool.needsApproval;
  return async (context, input, callId) => {
    if (await tool.needsApproval(context, input, callId)) return true;
    const args = isObject(input) ? input : { input };
    const outcome = await hosted.ask(args, callOf(hosted, options, context, undefined, callId));
    return outcome?.kind === "pending";
  };
}

/** After an interruption the gate's answer is data: the run has been resumed, and must go on. */
function callOf(hosted: Hosted, options: AgentsGuardOptions, context: unknown, details?: Details, id = details?.toolCall?.callId): OneCall {
  const wait = hosted.onApproval === "raise" ? { onApproval: "return" as const } : {};
  return { callId: id, signal: details?.signal, ...wait, ...options.perCall?.({ context, callId: id }) };
}

function rawOf(text: string | undefined): object | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return isObject(value) && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

let words: Promise<unknown> | null = null;

/** What this version of the SDK answers for a tool that threw and has no `errorFunction` of its own. */
function wordsOfAnError(): Promise<unknown> {
  words ??= toolOf({
    name: "throws",
    description: "Throws.",
    strict: false,
    parameters: { type: "object", properties: {}, required: [], additionalProperties: true },
    execute: () => {
      throw new Error("to see what becomes of it");
    },
  }).invoke(new RunContext(), "{}");
  return words;
}
