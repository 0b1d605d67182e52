/**
 * Tools of the Vercel AI SDK 7, guarded: the same tools, with the same schemas, decided call by call.
 *
 *     const tools = guardTools(gate, { refund: tool({ … }) }, { refund: { risk: "high" } });
 *     await generateText({ model, prompt, tools, toolApproval: toolApproval() });
 *
 * A call without a result answers with words for the model. With `toolApproval` the SDK itself pauses the run:
 * the call waits at the gate, and runs once people have approved it there. Must not know: how calls travel.
 */

import { asSchema, type ToolApprovalStatus, type ToolExecutionOptions, type ToolSet } from "ai";

import { answerOf, drained, type GateAnswer, type GuardOptions, Hosted, isGateAnswer } from "./adapt.js";
import type { Arguments } from "./json.js";
import type { OneCall } from "./options.js";
import type { Outcome, Pending } from "./outcome.js";
import type { Toolgate } from "./toolgate.js";

export { answerOf, type GateAnswer, isGateAnswer } from "./adapt.js";

/** What can be said of a guarded tool. */
export type AiGuardOptions = GuardOptions<Pick<ToolExecutionOptions<unknown>, "toolCallId" | "messages"> & { context?: unknown }>;

/** Which tools are guarded. LIMIT: weak, so that a tool that is no longer used is no longer kept. */
const GUARDED = new WeakMap<object, { hosted: Hosted; options: AiGuardOptions }>();

/** One tool, guarded. Its name is the key that it has among the tools. */
export function guard<T extends ToolSet[string]>(gate: Toolgate, name: string, tool: T, options: AiGuardOptions = {}): T {
  const { execute } = tool;
  if (!execute) throw new TypeError(`\`${name}\` has no \`execute\`: it runs at the provider or in a browser, where no lease reaches`);
  const schema = asSchema(tool.inputSchema);
  const description = typeof tool.description === "string" ? { description: tool.description } : {};
  const told = (inputSchema: unknown) => gate.tool(name, { ...description, ...options, inputSchema: options.inputSchema ?? inputSchema });
  const written = schema.jsonSchema as object | PromiseLike<object>;
  const hosted = new Hosted(gate, options, () => ("then" in written ? Promise.resolve(written).then(told) : told(written)));

  const guarded = {
    ...tool,
    execute: async (input: unknown, execution: ToolExecutionOptions<unknown>) => {
      const { outcome, value } = await hosted.perform({
        args: input,
        parse: async (judged: Arguments) => {
          const result = schema.validate ? await schema.validate(judged) : { success: true as const, value: judged };
          if (!result.success) throw result.error;
          return result.value;
        },
        run: (args, running) => drained(execute(args as never, { ...execution, abortSignal: running.signal } as never)),
        options: callOf(options, execution, execution.abortSignal),
      });
      return answerOf(outcome) ?? value;
    },
    toModelOutput: (given: { toolCallId: string; input: never; output: unknown }) => {
      const { output } = given;
      if (isGateAnswer(output)) return { type: "error-text" as const, value: output.toolgate.text };
      if (tool.toModelOutput) return tool.toModelOutput(given);
      return typeof output === "string" ? { type: "text" as const, value: output } : { type: "json" as const, value: jsonOf(output) };
    },
  };
  GUARDED.set(guarded, { hosted, options });
  return guarded as unknown as T;
}

/** All tools, guarded, each under its key. A tool whose options are `false` stays as it is. */
export function guardTools<T extends ToolSet>(gate: Toolgate, tools: T, options: { readonly [K in keyof T]?: AiGuardOptions | false } = {}): T {
  const entries = Object.entries(tools).map(([name, tool]) => {
    const said = options[name];
    return [name, said === false ? tool : guard(gate, name, tool, said)];
  });
  return Object.fromEntries(entries) as T;
}

/**
 * For the option `toolApproval` of `generateText`, `streamText` and agents: proposes each call of a guarded tool
 * before it runs. Denied calls are `denied` with the reason; calls that wait for people are `user-approval`.
 * Answer those when `waiting` tells of a decision: the gate alone says whether it runs.
 */
export function toolApproval(waiting?: (pending: Pending, toolCallId: string) => void): AskedFirst {
  return async ({ toolCall, tools, toolsContext, messages }) => {
    const { toolName, toolCallId, input } = toolCall;
    const context: unknown = (toolsContext as Record<string, unknown> | undefined)?.[toolName];
    const tool: unknown = tools && Object.hasOwn(tools, toolName) ? (tools as ToolSet)[toolName] : undefined;
    const guarded = typeof tool === "object" && tool !== null ? GUARDED.get(tool) : undefined;
    if (!guarded) return undefined;
    const outcome = await guarded.hosted.ask(input, callOf(guarded.options, { toolCallId, messages, context }));
    if (outcome?.kind === "pending") waiting?.(outcome, toolCallId);
    return statusOf(outcome);
  };
}

/** A function that the SDK asks about each tool call, whichever tools there are. */
export type AskedFirst = (asked: {
  toolCall: { toolName: string; toolCallId: string; input: unknown };
  tools: object | undefined;
  toolsContext: unknown;
  messages: unknown[];
}) => Promise<ToolApprovalStatus>;

/** A message part for a page that shows who is waited for: `data-toolgate-approval`, rewritten as it changes. */
export type ApprovalPart = { type: "data-toolgate-approval"; id: string; data: GateAnswer["toolgate"] | { kind: "success"; status: string; invocationId: string | null } };

/** Writes into a UI message stream how a call waits, until it has ended, and returns its outcome. */
export async function streamApproval(
  gate: Toolgate,
  writer: { write(part: ApprovalPart): void },
  pending: Pending,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<Outcome> {
  let last: Outcome = pending;
  for await (const outcome of gate.watch(pending as Outcome, options)) {
    last = outcome;
    writer.write({ type: "data-toolgate-approval", id: pending.approval.id, data: shownOf(outcome) });
  }
  return last;
}

function shownOf(outcome: Outcome): ApprovalPart["data"] {
  return answerOf(outcome)?.toolgate ?? { kind: "success", status: outcome.status, invocationId: outcome.invocationId };
}

/** The SDK's word for an outcome. What needs no decision of the SDK's runs into the guarded `execute`. */
function statusOf(outcome: Outcome | null): ToolApprovalStatus {
  const answer = outcome && answerOf(outcome);
  if (!answer) return "not-applicable";
  const { kind, text } = answer.toolgate;
  if (kind === "pending") return { type: "user-approval", reason: text };
  return kind === "denied" || kind === "skipped" ? { type: "denied", reason: text } : "not-applicable";
}

function callOf(options: AiGuardOptions, execution: { toolCallId: string; messages: unknown[]; context?: unknown }, signal?: AbortSignal): OneCall {
  return { callId: execution.toolCallId, signal, ...options.perCall?.(execution as never) };
}

function jsonOf(output: unknown): never {
  return (output === undefined ? null : JSON.parse(JSON.stringify(output))) as never;
}
