/**
 * Tools of LangChain and LangGraph, guarded: one by one, or all of an agent by its middleware.
 *
 *     const agent = createAgent({ model, tools, middleware: [toolgateMiddleware(gate, { refund: { risk: "high" } })] });
 *     const safe = guard(gate, refund, { risk: "high" });
 *
 * With `onApproval: "raise"` a call that waits is an `interrupt` of the graph, which wants a checkpointer; resumed, the
 * same call is claimed and runs. A thread's id is the run. Must not know: how calls travel.
 */

import { isInteropZodSchema } from "@langchain/core/utils/types";
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import { ToolInputParsingException } from "@langchain/core/tools";
import { Command, interrupt } from "@langchain/langgraph";
import { createMiddleware, ToolMessage } from "langchain";

import { type Answered, answerOf, type Asked, drained, type GuardOptions, Hosted, validated } from "./adapt.js";
import { NotExecuted } from "./errors.js";
import { type Arguments, isObject } from "./json.js";
import type { HostTool, OneCall } from "./options.js";
import { type Outcome, outcomeText } from "./outcome.js";
import type { Toolgate } from "./toolgate.js";

/** What can be said of a guarded tool. */
export type LangChainGuardOptions = GuardOptions<{ toolCallId: string | undefined; threadId: string | undefined; configurable: Readonly<Record<string, unknown>> }>;

/** The part of a tool's configuration that is read. */
type Config = { toolCall?: { id?: string; args?: unknown }; signal?: AbortSignal; configurable?: Record<string, unknown> } | undefined;

/** What a tool is made of inside. Every way to call one ends in `_call`. */
type Callable = { name: string; description: string; schema: unknown; responseFormat?: string; _call(args: unknown, manager: unknown, config: Config): unknown };

/** One tool, guarded, whichever way it is called. */
export function guard<T extends { readonly name: string; readonly schema: unknown }>(gate: Toolgate, tool: T, options: LangChainGuardOptions = {}): T {
  const inner = tool as unknown as Callable;
  if (typeof inner._call !== "function") throw new TypeError(`\`${tool.name}\` is no tool that runs in this program`);
  const hosted = hostedOf(gate, tool.name, inner, options);
  const pairs = inner.responseFormat === "content_and_artifact";
  const _call = async (args: unknown, manager: unknown, config: Config) => {
    const single = !isObject(args);
    let ran: unknown;
    const { outcome, value } = await performed(hosted, {
      args: single ? { input: args } : args,
      raw: single ? undefined : config?.toolCall?.args,
      parse: (judged: Arguments) => parsed(inner.schema, judged),
      run: async (given, running) => {
        const input = single ? (given as { input: unknown }).input : given;
        ran = await drained(inner._call.call(tool, input, manager, { ...config, signal: running.signal }));
        return pairs ? (ran as unknown[])[0] : contentOf(ran, null);
      },
      options: callOf(options, config?.toolCall?.id, config?.configurable, config?.signal),
    });
    if (outcome.kind === "success") return pairs ? [value, artifactOf(ran, value)] : own(ran, value);
    const { id } = config?.toolCall ?? {};
    if (id !== undefined && !pairs) return messageOf(outcome, id, tool.name);
    return pairs ? [outcomeText(outcome), answerOf(outcome)] : outcomeText(outcome);
  };
  const clone = Object.create(Object.getPrototypeOf(tool), Object.getOwnPropertyDescriptors(tool)) as T;
  return Object.assign(clone, { _call });
}

/** Middleware of an agent: every tool call of it passes the gate. What is said of single tools stands under their names. */
export function toolgateMiddleware(gate: Toolgate, tools: Readonly<Record<string, LangChainGuardOptions>> = {}) {
  const all = new Map<string, { tool: unknown; hosted: Hosted }>();
  const hostedFor = (name: string, tool: unknown, options: LangChainGuardOptions) => {
    const known = all.get(name);
    if (known && known.tool === tool) return known.hosted;
    const hosted = hostedOf(gate, name, tool as Partial<Callable> | undefined, options);
    all.set(name, { tool, hosted });
    return hosted;
  };
  return createMiddleware({
    name: "toolgate",
    wrapToolCall: async (request, handler) => {
      const { toolCall, tool, runtime } = request;
      const { name } = toolCall;
      const id = toolCall.id ?? "";
      if (!tool && !Object.hasOwn(tools, name)) return unknownTool(name, id);
      const options = (Object.hasOwn(tools, name) && tools[name]) || {};
      const hosted = hostedFor(name, tool, options);
      let ran: ToolMessage | Command | null = null;
      const { outcome, value } = await performed(hosted, {
        args: toolCall.args as Arguments,
        run: async (args) => {
          ran = (await handler({ ...request, toolCall: { ...toolCall, args } })) as ToolMessage | Command;
          return contentOf(ran, name);
        },
        options: callOf(options, toolCall.id, runtime.configurable as Record<string, unknown> | undefined, runtime.signal),
      });
      if (outcome.kind !== "success") return messageOf(outcome, id, name);
      const left = own(ran, value);
      if (left !== null && left === ran) return ran;
      return new ToolMessage({ content: written(left), tool_call_id: id, name });
    },
  });
}

/** What was read out of a tool's message, so that a message that the gate left as it was is passed on itself. */
const contents = new WeakMap<object, unknown>();

function hostedOf(gate: Toolgate, name: string, tool: Partial<Callable> | undefined, options: LangChainGuardOptions): Hosted {
  const described = typeof tool?.description === "string" ? { description: tool.description } : {};
  const make = (): HostTool => {
    const schema = options.inputSchema ?? (tool?.schema === undefined ? { type: "object" } : toJsonSchema(tool.schema as never));
    return gate.tool(name, { ...described, ...options, inputSchema: singled(schema) });
  };
  return new Hosted(gate, options, make);
}

/** The schema of a tool that takes one text, as the object that the gate is asked about. */
function singled(schema: unknown): unknown {
  const text = isObject(schema) && schema["type"] === "string";
  return text ? { type: "object", properties: { input: schema }, required: ["input"] } : schema;
}

/** Performs a call; where people must approve it and the graph can be interrupted, that is done, as often as it takes. */
async function performed<A, R>(hosted: Hosted, asked: Asked<A, R>): Promise<Answered<R>> {
  const interrupts = hosted.onApproval === "raise";
  for (;;) {
    const answered = await hosted.perform(interrupts ? { ...asked, options: { onApproval: "return", ...asked.options } } : asked);
    if (!interrupts || answered.outcome.kind !== "pending") return answered;
    // Throws in the first pass. Resumed, it returns, and the call is proposed again under the same key.
    interrupt(answerOf(answered.outcome)?.toolgate);
  }
}

/** What a tool answered, as data. What it calls an error is thrown, since it says nothing of effects. */
function contentOf(output: unknown, unregistered: string | null): unknown {
  if (output instanceof Command) return kept(output, output.toJSON());
  if (!ToolMessage.isInstance(output)) return output;
  if (output.status === "error") {
    const text = typeof output.content === "string" ? output.content : JSON.stringify(output.content);
    if (unregistered !== null && text.startsWith(`Error: ${unregistered} is not a valid tool`)) throw new NotExecuted(text);
    throw new Error(text);
  }
  return kept(output, structured(output.content));
}

/** The tool's own message or command, where the gate left it as it was; else what it left. */
function own(ran: unknown, value: unknown): unknown {
  return isObject(ran) && contents.has(ran) && contents.get(ran) === value ? ran : value;
}

/** What a tool keeps beside its content goes with it, and stays behind where the gate changed that. */
function artifactOf(ran: unknown, value: unknown): unknown {
  return Array.isArray(ran) && ran[0] === value ? ran[1] : null;
}

function kept(output: object, content: unknown): unknown {
  contents.set(output, content);
  return content;
}

/** A text that is a JSON object or array is judged as what it says. */
function structured(content: unknown): unknown {
  if (typeof content !== "string" || !/^\s*[[{]/.test(content)) return content;
  try {
    return JSON.parse(content);
  } catch {
    return content;
  }
}

function messageOf(outcome: Outcome, id: string, name: string): ToolMessage {
  return new ToolMessage({ content: outcomeText(outcome), tool_call_id: id, name, status: "error", artifact: answerOf(outcome) });
}

function unknownTool(name: string, id: string): ToolMessage {
  const content = `Denied by tool_not_found: there is no tool \`${name}\`. This call was not executed.`;
  return new ToolMessage({ content, tool_call_id: id, name, status: "error" });
}

async function parsed(schema: unknown, judged: Arguments): Promise<unknown> {
  if (!isInteropZodSchema(schema)) return judged;
  if ("~standard" in (schema as object)) return validated(schema, judged);
  throw new ToolInputParsingException("arguments that a rule has changed fit only schemas that can be validated again", JSON.stringify(judged));
}

function callOf(options: LangChainGuardOptions, id: string | undefined, configurable: Readonly<Record<string, unknown>> = {}, signal?: AbortSignal): OneCall {
  const thread = configurable["thread_id"];
  const threadId = typeof thread === "string" ? thread : undefined;
  const run = threadId === undefined ? {} : { run: threadId };
  return { callId: id, signal, ...run, ...options.perCall?.({ toolCallId: id, threadId, configurable }) };
}

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
