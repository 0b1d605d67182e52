/**
 * The client: one agent's way to a gate.
 *
 *     const gate = new Toolgate();
 *     const refund = gate.guard("refund", { risk: "high", inputSchema }, async ({ charge }) => stripe.refund(charge));
 *     const outcome = await refund({ charge: "ch_1" });
 *
 * `call` has the gate run a tool; `guard` and `perform` run a function of this program under the gate's lease.
 * Must not know: frameworks.
 */

import { GateError } from "./errors.js";
import { type Arguments, argumentsOf } from "./json.js";
import { Link, type Proposal, type ToolFunction, WAIT_DEFAULT_MS } from "./link.js";
import { type CallOptions, callBody, callKey, type HostTool, hostTool, type OneCall, toolId, type ToolOptions } from "./options.js";
import { isSettled, type Outcome, refused } from "./outcome.js";
import { Registry } from "./registry.js";
import { Transport, type TransportOptions } from "./transport.js";
import type { Decision, Denial, Envelope, HttpRequest, RegisteredTool, Tool } from "./wire.js";

/** How a client is made. Everything has a default. */
export type ToolgateOptions = TransportOptions &
  CallOptions & {
    /** The source that this program's own tools belong to. Default: `app`. */
    readonly source?: string;
  };

/** A verdict, without anything being run. */
export type Verdict = {
  /** Whether the call would run now, without anybody's approval. */
  readonly allowed: boolean;
  readonly verdict: "allow" | "sanitize" | "require_approval" | "deny";
  readonly denial: Denial | null;
  readonly decision: Decision | null;
  readonly invocationId: string | null;
  readonly envelope: Envelope | null;
};

/** A guarded function: proposed to the gate at every call, run when the gate says so. */
export type Guarded<A, R> = {
  (args: A, options?: OneCall): Promise<Outcome<R>>;
  /** Claims a call that was left waiting, by its id, and runs it if it has been approved. */
  resume(invocationId: string, options?: OneCall): Promise<Outcome<R>>;
  /** What the gate is told of it. */
  readonly tool: HostTool;
};

/** What a guarded function is told beside its arguments. */
export type { Running, ToolFunction } from "./link.js";

/** One agent's way to a gate. */
export class Toolgate {
  readonly #transport: Transport;
  readonly #registry: Registry;
  readonly #defaults: CallOptions;
  readonly #source: string;
  readonly #run: string;

  constructor(options?: ToolgateOptions);
  /** @internal for `with` */
  constructor(options: ToolgateOptions, parent: Toolgate);
  constructor(options: ToolgateOptions = {}, parent?: Toolgate) {
    this.#transport = parent ? parent.#transport : new Transport(options);
    this.#registry = parent ? parent.#registry : new Registry(this.#transport);
    // The agent's key stays with the transport: nothing that is said of a call may hold it.
    const { url: _url, key: _key, fetch: _fetch, timing: _timing, source, ...defaults } = options;
    this.#defaults = { ...(parent ? parent.#defaults : {}), ...defaults };
    this.#source = source ?? (parent ? parent.#source : "app");
    this.#run = parent ? parent.#run : crypto.randomUUID();
  }

  /** The gate's address. */
  get url(): string {
    return this.#transport.url;
  }

  /** What happens where a call needs approval, unless the call says otherwise. */
  get onApproval(): NonNullable<CallOptions["onApproval"]> {
    return this.#defaults.onApproval ?? "return";
  }

  /** The same client with other defaults: a run, a session, a user. */
  with(options: CallOptions & { source?: string }): Toolgate {
    return new Toolgate(options, this);
  }

  /** Has the gate run a tool, if it may run. */
  async call<T = unknown>(tool: string, args: Arguments = {}, options: OneCall = {}): Promise<Outcome<T>> {
    const whole = this.#whole(options);
    const body = callBody({ tool, arguments: argumentsOf(args) }, "execute", whole);
    return this.#link<T>({ tool, body, options: whole, host: null });
  }

  /** Has the gate send a raw HTTP request, if it may be sent. */
  async http<T = unknown>(request: HttpRequest, options: OneCall = {}): Promise<Outcome<T>> {
    const whole = this.#whole(options);
    const body = callBody({ http: request }, "execute", whole);
    return this.#link<T>({ tool: "http", body, options: whole, host: null });
  }

  /** Wraps a function of this program: the gate decides each call, and hears what came of it. */
  guard<A extends object, R>(
    name: string,
    options: ToolOptions,
    run: (args: A, running: Parameters<ToolFunction>[1]) => R | Promise<R>,
  ): Guarded<A, R> {
    const tool = this.tool(name, options);
    const function_ = run as unknown as ToolFunction;
    const guarded = (args: A, call?: OneCall) => this.perform<R>(tool, args, function_, call);
    const resume = (invocationId: string, call?: OneCall) => this.resume<R>(tool, invocationId, function_, call);
    return Object.assign(guarded, { resume, tool });
  }

  /** Tells the client of a tool of this program. The gate hears of it before its first call, or by `register`. */
  tool(name: string, options: ToolOptions = {}): HostTool {
    return this.#registry.add(hostTool(name, options, this.#source));
  }

  /** Proposes one call of a tool of this program, and runs the function under the gate's lease. */
  async perform<T = unknown>(tool: HostTool, args: unknown, run: ToolFunction, options: OneCall = {}): Promise<Outcome<T>> {
    const id = toolId(tool);
    const whole = this.#whole(options);
    const body = callBody({ tool: id, arguments: argumentsOf(args) }, "host", whole);
    const unregistered = await this.#unregistered(tool, whole.signal);
    if (unregistered) return unregistered;
    const outcome = await this.#link<T>({ tool: id, body, options: whole, host: { run, effect: tool.effect } });
    if (outcome.kind === "denied" && outcome.denial.code === "tool_not_found") this.#registry.forget(tool);
    return outcome;
  }

  /** Claims a call of such a tool that was left waiting, and runs the function if it has been approved. */
  async resume<T = unknown>(tool: HostTool, invocationId: string, run: ToolFunction, options: OneCall = {}): Promise<Outcome<T>> {
    const id = toolId(tool);
    const proposal = { tool: id, body: {}, key: "", fresh: false, options: this.#whole(options), host: { run, effect: tool.effect } };
    return new Link<T>(this.#transport, proposal).resume(invocationId);
  }

  /** Tells the gate of every tool that was guarded so far, and what it said of each. Throws a `GateError`. */
  register(options: { signal?: AbortSignal } = {}): Promise<RegisteredTool[]> {
    return this.#registry.all(options.signal);
  }

  /** The gate's verdict, on the record; nothing runs. */
  decide(tool: string, args: Arguments = {}, options: OneCall = {}): Promise<Verdict> {
    return this.#verdict("decide", tool, args, options);
  }

  /** The gate's verdict, off the record; nothing runs and nothing is consumed. */
  simulate(tool: string, args: Arguments = {}, options: OneCall = {}): Promise<Verdict> {
    return this.#verdict("simulate", tool, args, options);
  }

  /** The verdict on a call of a tool of this program, off the record. */
  async preview(tool: HostTool, args: unknown, options: OneCall = {}): Promise<Verdict> {
    const unregistered = await this.#unregistered(tool, options.signal);
    return unregistered ? verdictOf(unregistered.denial) : this.#verdict("simulate", toolId(tool), argumentsOf(args), options);
  }

  /** How a call stands, again and again until it has ended: for a page that shows somebody the wait. */
  async *watch<T>(first: Outcome<T>, options: { signal?: AbortSignal; timeoutMs?: number } = {}): AsyncGenerator<Outcome<T>> {
    let outcome = first;
    yield outcome;
    const deadline = this.#transport.timing.now() + (options.timeoutMs ?? WAIT_DEFAULT_MS);
    while (!isSettled(outcome)) {
      const timeoutMs = deadline - this.#transport.timing.now();
      if (timeoutMs <= 0) return;
      const before = outcome.status;
      if (outcome.kind === "pending") outcome = await outcome.wait({ timeoutMs, signal: options.signal });
      else if (outcome.kind === "indeterminate") outcome = await outcome.reconcile({ timeoutMs, signal: options.signal });
      if (outcome.status === before) return;
      yield outcome;
    }
  }

  /** The tools that this agent may see. Throws a `GateError`. */
  async tools(options: { signal?: AbortSignal } = {}): Promise<Tool[]> {
    const answer = (await this.#transport.send({ method: "GET", path: "/v1/tools", signal: options.signal })) as { items: Tool[] };
    return answer.items;
  }

  /** Withdraws a call that waits. Throws a `GateError` where it no longer can be. */
  async cancel(invocationId: string, options: { signal?: AbortSignal } = {}): Promise<Envelope> {
    const path = `/v1/invocations/${encodeURIComponent(invocationId)}/cancel`;
    return (await this.#transport.send({ method: "POST", path, body: {}, signal: options.signal })) as Envelope;
  }

  async #link<T>(proposal: Omit<Proposal, "key" | "fresh">): Promise<Outcome<T>> {
    const key = await callKey(proposal.options, this.#run);
    return new Link<T>(this.#transport, { ...proposal, ...key }).propose();
  }

  async #unregistered(tool: HostTool, signal?: AbortSignal) {
    try {
      await this.#registry.ensure(tool, signal);
      return null;
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      const message = `\`${toolId(tool)}\` could not be registered with the gate: ${error.message}`;
      return refused(toolId(tool), { code: error.code, message, retryable: !error.refused }, error);
    }
  }

  async #verdict(mode: "decide" | "simulate", tool: string, args: Arguments, options: OneCall): Promise<Verdict> {
    const whole = this.#whole(options);
    const body = callBody({ tool, arguments: argumentsOf(args) }, mode, whole);
    try {
      const key = mode === "decide" ? { key: (await callKey(whole, this.#run)).key } : {};
      const envelope = (await this.#transport.send({ method: "POST", path: "/v1/invocations", body, ...key, signal: whole.signal })) as Envelope;
      return verdictOf(envelope.denial ?? null, envelope);
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      return verdictOf({ code: error.code, message: error.message, retryable: !error.refused, details: {} });
    }
  }

  #whole(options: OneCall): OneCall {
    return { ...this.#defaults, ...options };
  }
}

/** A verdict. Without an envelope nobody has decided, and that is a denial. */
function verdictOf(denial: Denial | null, envelope: Envelope | null = null): Verdict {
  const decision = envelope?.decision ?? null;
  const verdict = (decision?.verdict ?? "deny") as Verdict["verdict"];
  const allowed = denial === null && (verdict === "allow" || verdict === "sanitize");
  return { allowed, verdict, denial, decision, invocationId: envelope?.invocation_id ?? null, envelope };
}
