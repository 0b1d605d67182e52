/**
 * What the adapters of all frameworks share: a framework's tool as a tool of the gate.
 *
 *     framework calls ──▶ Hosted.perform ──▶ the gate ──▶ the tool's own function ──▶ what the gate left of it
 *     framework asks whether it may ──▶ Hosted.ask: proposed now, run when the framework comes for it
 *
 * Must not know: any one framework.
 */

import { NotExecuted } from "./errors.js";
import { type Arguments, argumentsOf, plain, same } from "./json.js";
import type { Running, ToolFunction } from "./link.js";
import type { HostTool, OneCall, ToolOptions } from "./options.js";
import { type Outcome, outcomeText, type Pending } from "./outcome.js";
import type { Toolgate } from "./toolgate.js";

/** What can be said of a framework's tool: what the gate is told of it, and how its calls are made. */
export type GuardOptions<Execution = unknown> = ToolOptions & {
  readonly onApproval?: OneCall["onApproval"];
  readonly approvalTimeoutMs?: number;
  /** What is particular to one call: run, session, user. `execution` is what the framework hands to the tool. */
  readonly perCall?: (execution: Execution) => OneCall;
  /** Told of every outcome, of which the model sees only words. */
  readonly onOutcome?: (outcome: Outcome) => void;
};

/** One call of a framework's tool. */
export type Asked<A, R> = {
  /** The arguments as the framework has parsed them. */
  readonly args: A;
  /** The same as JSON, where it is at hand; else they are written from `args`. */
  readonly raw?: unknown;
  /** Parses what a rule has changed. */
  readonly parse?: (judged: Arguments) => A | Promise<A>;
  readonly run: (args: A, running: Running) => R | Promise<R>;
  readonly options: OneCall;
};

/** What came of it: the tool's own value where the gate left it as it was. */
export type Answered<R> = { readonly outcome: Outcome; readonly value: R | undefined };

/** What a model and a page are shown of a call that has no result. */
export type GateAnswer = {
  readonly toolgate: {
    readonly kind: Exclude<Outcome["kind"], "success">;
    readonly status: string;
    /** For a model: what happened, and what to do. */
    readonly text: string;
    readonly code: string;
    readonly invocationId: string | null;
    readonly approval: Pending["approval"] | null;
  };
};

/** A framework's tool as a tool of the gate. */
export class Hosted {
  readonly gate: Toolgate;
  readonly #tool: () => HostTool | Promise<HostTool>;
  readonly #options: GuardOptions<never>;
  readonly #held = new Map<string, Held>();

  constructor(gate: Toolgate, options: GuardOptions<never>, tool: () => HostTool | Promise<HostTool>) {
    this.gate = gate;
    this.#options = options;
    this.#tool = once(tool);
  }

  /** What happens where a call needs approval. */
  get onApproval(): NonNullable<OneCall["onApproval"]> {
    return this.#options.onApproval ?? this.gate.onApproval;
  }

  /** Proposes a call and runs it; one that was asked about before is run under the lease that it got then. */
  async perform<A, R>(asked: Asked<A, R>): Promise<Answered<R>> {
    let original: { value: R } | null = null;
    const sent = argumentsOf(asked.raw ?? asked.args);
    const work: ToolFunction = async (judged, running) => {
      const args = same(judged, sent) ? asked.args : await reparsed(asked, judged);
      original = { value: await asked.run(args, running) };
      return original.value;
    };
    const held = this.#held.get(asked.options.callId ?? "");
    if (held) held.work(work);
    const outcome = await (held ? held.outcome : this.#proposed(sent, work, asked.options));
    this.#options.onOutcome?.(outcome);
    return { outcome, value: valueOf<R>(outcome, original) };
  }

  /** Proposes a call before the framework runs it. Null: it may run, and its lease is held for it. */
  async ask(args: unknown, options: OneCall): Promise<Outcome | null> {
    const { callId } = options;
    if (callId === undefined || this.#held.has(callId)) return null;
    const held = new Held();
    const outcome = this.#proposed(argumentsOf(args), held.run, { ...options, onApproval: "return" });
    held.outcome = outcome;
    const first = await Promise.race([held.admitted, outcome]);
    if (first !== null) return first;
    this.#held.set(callId, held);
    const forget = () => void this.#held.delete(callId);
    outcome.then(forget, forget);
    return null;
  }

  async #proposed(sent: Arguments, work: ToolFunction, options: OneCall): Promise<Outcome> {
    const { onApproval = this.onApproval, approvalTimeoutMs } = this.#options;
    const patience = approvalTimeoutMs === undefined ? {} : { approvalTimeoutMs };
    return this.gate.perform(await this.#tool(), sent, work, { onApproval, ...patience, ...options });
  }
}

/** An admitted call whose framework has not come for it yet. */
class Held {
  outcome: Promise<Outcome> = Promise.reject(new Error("nothing was proposed"));
  readonly admitted: Promise<null>;
  readonly #came: Promise<ToolFunction>;
  #admit!: (nothing: null) => void;
  work!: (work: ToolFunction) => void;

  constructor() {
    this.outcome.catch(() => {});
    this.admitted = new Promise((resolve) => (this.#admit = resolve));
    this.#came = new Promise((resolve) => (this.work = resolve));
  }

  /** Runs under the lease: waits for the framework, and says truly that nothing ran where it never comes. */
  readonly run: ToolFunction = async (judged, running) => {
    this.#admit(null);
    const work = await Promise.race([this.#came, ended(running.signal)]);
    return work(judged, running);
  };
}

/** What a model and a page are shown of a call that has no result. */
export function answerOf(outcome: Outcome): GateAnswer | null {
  if (outcome.kind === "success") return null;
  const code = "denial" in outcome ? outcome.denial.code : outcome.error.code;
  const approval = outcome.kind === "pending" ? outcome.approval : null;
  const { kind, status, invocationId } = outcome;
  return { toolgate: { kind, status, text: outcomeText(outcome), code, invocationId, approval } };
}

/** Whether a tool's output is the gate's answer in place of one. */
export function isGateAnswer(output: unknown): output is GateAnswer {
  const inner = typeof output === "object" && output !== null && "toolgate" in output ? output.toolgate : null;
  return typeof inner === "object" && inner !== null && "kind" in inner && "text" in inner;
}

/** Parses by a Standard Schema (zod and others). What a rule has made unacceptable is not run. */
export async function validated<A>(schema: unknown, judged: Arguments): Promise<A> {
  type Validate = (value: unknown) => { issues?: readonly { message: string }[]; value?: A } | PromiseLike<{ issues?: readonly { message: string }[]; value?: A }>;
  const standard = (schema as { "~standard"?: { validate?: Validate } } | null | undefined)?.["~standard"];
  if (!standard?.validate) return judged as A;
  const result = await standard.validate(judged);
  if (result.issues) throw new NotExecuted(`the arguments as they were judged do not fit the schema: ${result.issues.map((issue) => issue.message).join("; ")}`);
  return result.value as A;
}

/** The last of what a tool yields, or what it returned. LIMIT: what comes before is not judged, so nobody is shown it. */
export async function drained(output: unknown): Promise<unknown> {
  const awaited = await output;
  if (typeof awaited !== "object" || awaited === null || !(Symbol.asyncIterator in awaited)) return awaited;
  let last: unknown;
  for await (const part of awaited as AsyncIterable<unknown>) last = part;
  return last;
}

async function reparsed<A, R>(asked: Asked<A, R>, judged: Arguments): Promise<A> {
  if (!asked.parse) return judged as A;
  try {
    return await asked.parse(judged);
  } catch (error) {
    throw error instanceof NotExecuted ? error : new NotExecuted(error instanceof Error ? error.message : String(error));
  }
}

function valueOf<R>(outcome: Outcome, original: { value: R } | null): R | undefined {
  if (outcome.kind !== "success") return undefined;
  if (outcome.withheld) return outcomeText(outcome) as R;
  const untouched = original !== null && !outcome.reconciled && same(safely(original.value), outcome.data);
  return untouched ? original!.value : (outcome.data as R);
}

function safely(value: unknown): unknown {
  try {
    return plain(value);
  } catch {
    return undefined;
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new NotExecuted("the call was admitted, and its program never came to run it"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
