/**
 * One call on its way: proposed, waited for, claimed, run here where it is this program's own, reported.
 *
 *     propose ── lease ──▶ run the function ──▶ report ──▶ what the gate left of it
 *        └─ pending ──▶ wait ──▶ claim the lease ──┘
 *
 * INVARIANT: the function runs only in `#perform`, which is reached only with a lease, once for each lease.
 * The report is sent until the lease is over and a while beyond; the proposal is repeated under one key.
 * Must not know: frameworks.
 */

import { ApprovalRequired, GateError, NotExecuted } from "./errors.js";
import { type Arguments, plain } from "./json.js";
import type { OneCall } from "./options.js";
import { type Following, type Outcome, outcomeOf, type Pending, refused, unanswered, type WaitOptions } from "./outcome.js";
import type { Transport } from "./transport.js";
import type { Envelope, InvocationRequest, OutcomeReport } from "./wire.js";

/** How long waiting takes where nobody says otherwise. */
export const WAIT_DEFAULT_MS = 300_000;

/** How long the gate is asked to hold one answer. LIMIT: proxies on the way close what is silent for longer. */
const HOLD_MAX_MS = 20_000;

/** How long a report is sent again after the lease is over. */
const LATE_REPORT_MS = 30_000;

/** The pause between two reports. */
const REPORT_PAUSE_MS = 2_000;

/** Characters of an error's message that are reported. LIMIT: the record is no place for stack traces. */
const MESSAGE_CHARS_MAX = 500;

/** What the function of a tool is told beside its arguments. */
export type Running = {
  readonly invocationId: string;
  readonly attempt: number;
  /** Aborted when the lease is over or the caller gives up. Work after that is reported late. */
  readonly signal: AbortSignal;
};

/** A tool's own function, with the arguments as they were judged. */
export type ToolFunction = (args: Arguments, running: Running) => unknown;

/** What is called, and how. */
export type Proposal = {
  readonly tool: string;
  readonly body: InvocationRequest;
  readonly key: string;
  /** Whether the key was made for this call alone, so that nobody else can have run anything under it. */
  readonly fresh: boolean;
  readonly options: OneCall;
  /** The function, where the tool runs here; it says whether a failed run may have left a trace. */
  readonly host: { readonly run: ToolFunction; readonly effect: "some" | "none" } | null;
};

/** One call, from its proposal to its end. */
export class Link<T> {
  readonly #transport: Transport;
  readonly #proposal: Proposal;
  readonly #following: Following<T>;
  #known: Envelope | null = null;
  #unreported: { envelope: Envelope; report: OutcomeReport; cause: unknown } | null = null;

  constructor(transport: Transport, proposal: Proposal) {
    this.#transport = transport;
    this.#proposal = proposal;
    this.#following = { wait: (options) => this.wait(options), reconcile: (options) => this.reconcile(options) };
  }

  /** Proposes the call and follows it as far as its options say. */
  async propose(): Promise<Outcome<T>> {
    const { options } = this.#proposal;
    const deadline = this.#transport.timing.now() + (options.approvalTimeoutMs ?? WAIT_DEFAULT_MS);
    const outcome = await this.#proposed();
    if (outcome.kind !== "pending") return outcome;
    options.onPending?.(outcome as Pending);
    if (options.onApproval === "raise") throw new ApprovalRequired(outcome as Pending);
    return options.onApproval === "wait" ? this.#waited(outcome, deadline, options.signal) : outcome;
  }

  /** Takes up a call that was proposed before, by its id: claims it if it is approved. */
  async resume(id: string): Promise<Outcome<T>> {
    return this.#answered(() => this.#claimed(id));
  }

  /** Waits until the call has been decided and has run, or the time is up. */
  async wait(options: WaitOptions = {}): Promise<Outcome<T>> {
    const deadline = this.#transport.timing.now() + (options.timeoutMs ?? WAIT_DEFAULT_MS);
    return this.#waited(await this.#latest(options.signal), deadline, options.signal);
  }

  /** Finds out what became of a call in doubt. */
  async reconcile(options: WaitOptions = {}): Promise<Outcome<T>> {
    const deadline = this.#transport.timing.now() + (options.timeoutMs ?? WAIT_DEFAULT_MS);
    const unreported = this.#unreported;
    const outcome = unreported
      ? await this.#reported(unreported.envelope, unreported.report, { cause: unreported.cause, until: deadline, signal: options.signal })
      : await this.#latest(options.signal);
    return this.#settled(outcome, deadline, options.signal);
  }

  /** One proposal. Repeated, it is answered from the first by its key, joins what waits, or claims what is approved. */
  async #proposed(signal = this.#proposal.options.signal): Promise<Outcome<T>> {
    const { body, key, fresh, host } = this.#proposal;
    const outcome = await this.#answered(async () => (await this.#transport.send({ method: "POST", path: "/v1/invocations", body, key, signal })) as Envelope);
    const stranded = fresh && host !== null && outcome.kind === "indeterminate" && outcome.status === "executing" && outcome.replayed;
    return stranded && outcome.envelope ? this.#unrun(outcome.envelope) : outcome;
  }

  /** The answer with the lease was lost, and nobody else knows the key: what it was for has certainly not run. */
  #unrun(envelope: Envelope): Promise<Outcome<T>> {
    const error = { code: "tool_error", message: "the answer with the lease was lost, and the function has not run" };
    const report = { attempt: envelope.attempts, status: "failed", error } as const;
    return this.#reported(envelope, report, { cause: undefined, until: this.#transport.timing.now() + LATE_REPORT_MS });
  }

  /** How the call stood when the gate last spoke of it; where it never did, it is asked under the same key. */
  async #latest(signal?: AbortSignal): Promise<Outcome<T>> {
    return this.#known ? outcomeOf<T>(this.#known, this.#following) : this.#proposed(signal);
  }

  /** The outcome of an answer; what has a lease is run. */
  async #answered(ask: () => Promise<Envelope>): Promise<Outcome<T>> {
    try {
      const envelope = await ask();
      this.#known = envelope;
      return envelope.lease ? await this.#perform(envelope) : outcomeOf<T>(envelope, this.#following);
    } catch (error) {
      if (error instanceof GateError) return this.#failed(error);
      throw error;
    }
  }

  /** No answer. What would run here has certainly not run; what the gate runs may have. */
  #failed(error: GateError): Outcome<T> {
    const { tool, host } = this.#proposal;
    if (this.#known !== null) return outcomeOf<T>(this.#known, this.#following);
    if (error.refused || host !== null) {
      return refused(tool, { code: error.code, message: error.message, retryable: !error.refused }, error);
    }
    return unanswered<T>(tool, error.message, { envelope: null, cause: error }, this.#following);
  }

  /** Waits while people decide. */
  async #waited(first: Outcome<T>, deadline: number, signal?: AbortSignal): Promise<Outcome<T>> {
    let outcome = first;
    while (outcome.kind === "pending") {
      const left = deadline - this.#transport.timing.now();
      if (outcome.status === "pending_approval" && left <= 0) return outcome;
      outcome = await this.#decided(outcome, Math.min(left, HOLD_MAX_MS), signal);
    }
    return outcome.kind === "indeterminate" && this.#proposal.host === null ? this.#settled(outcome, deadline, signal) : outcome;
  }

  /** One look at a call that waits. An approved call of this program is claimed, and runs. */
  #decided(outcome: Pending<T>, holdMs: number, signal?: AbortSignal): Promise<Outcome<T>> {
    const { invocationId: id } = outcome;
    return this.#answered(async () => {
      const seen = await this.#looked(id, holdMs, signal);
      return seen.status === "approved" && this.#proposal.host !== null ? this.#claimed(id, signal) : seen;
    });
  }

  /** Waits until the gate knows, or a person must say, or the time is up. */
  async #settled(first: Outcome<T>, deadline: number, signal?: AbortSignal): Promise<Outcome<T>> {
    let outcome = first;
    while (outcome.kind === "indeterminate" && outcome.invocationId !== null && this.#unreported === null) {
      const { invocationId: id, cause } = outcome;
      const left = deadline - this.#transport.timing.now();
      if (left <= 0 || outcome.status === "needs_operator") return outcome;
      const seen: Outcome<T> = await this.#answered(() => this.#looked(id, Math.min(left, HOLD_MAX_MS), signal));
      outcome = cause === undefined ? seen : { ...seen, cause };
    }
    return outcome;
  }

  async #looked(id: string, holdMs: number, signal?: AbortSignal): Promise<Envelope> {
    const waitMs = Math.max(0, Math.floor(holdMs));
    const path = `/v1/invocations/${encodeURIComponent(id)}?wait_ms=${waitMs}`;
    return (await this.#transport.send({ method: "GET", path, signal, waitMs })) as Envelope;
  }

  async #claimed(id: string, signal = this.#proposal.options.signal): Promise<Envelope> {
    const path = `/v1/invocations/${encodeURIComponent(id)}/lease`;
    return (await this.#transport.send({ method: "POST", path, body: {}, signal })) as Envelope;
  }

  /** Runs the function under the lease, and reports. */
  async #perform(envelope: Envelope): Promise<Outcome<T>> {
    const { host, options, tool } = this.#proposal;
    const { lease } = envelope;
    if (host === null || !lease) return outcomeOf<T>(envelope, this.#following);
    const leaseMs = leaseLength(envelope);
    const until = this.#transport.timing.now() + leaseMs + LATE_REPORT_MS;
    const over = AbortSignal.timeout(Math.max(0, Math.floor(leaseMs)));
    const signal = options.signal ? AbortSignal.any([options.signal, over]) : over;
    const running = { invocationId: envelope.invocation_id, attempt: lease.attempt, signal };
    let report: OutcomeReport;
    let cause: unknown;
    try {
      const returned = await host.run((envelope.arguments ?? {}) as Arguments, running);
      report = { attempt: lease.attempt, status: "succeeded", ...sayable(returned, tool) };
    } catch (error) {
      cause = error;
      report = { attempt: lease.attempt, ...failure(error, host.effect) };
    }
    return this.#reported(envelope, report, { cause, until });
  }

  /** Reports until the gate has heard it or the time is up. A report is known again by its attempt. */
  async #reported(envelope: Envelope, first: OutcomeReport, how: { cause: unknown; until: number; signal?: AbortSignal | undefined }): Promise<Outcome<T>> {
    const { timing } = this.#transport;
    const path = `/v1/invocations/${encodeURIComponent(envelope.invocation_id)}/outcome`;
    let report = first;
    let reduced = false;
    for (;;) {
      try {
        const answer = (await this.#transport.send({ method: "POST", path, body: report, signal: how.signal })) as Envelope;
        this.#unreported = null;
        this.#known = answer;
        return outcomeOf<T>(answer, this.#following, how.cause);
      } catch (error) {
        if (!(error instanceof GateError)) throw error;
        if (error.refused) {
          if (reduced || !isAboutData(report, error)) return this.#overtaken(envelope, error, how);
          report = { ...report, data: { withheld: `the gate does not take what the tool returned: ${error.message}` } };
          reduced = true;
        } else if (timing.now() >= how.until) {
          this.#unreported = { envelope, report, cause: how.cause };
          const message = `it ran here, and the gate has not heard what came of it: ${error.message}`;
          return unanswered<T>(this.#proposal.tool, message, { envelope, cause: how.cause }, this.#following);
        } else {
          await timing.sleep(REPORT_PAUSE_MS, how.signal);
        }
      }
    }
  }

  /** The gate does not take the report: it knows already what became of the call, or another attempt runs. */
  async #overtaken(envelope: Envelope, error: GateError, how: { cause: unknown }): Promise<Outcome<T>> {
    this.#unreported = null;
    try {
      this.#known = await this.#looked(envelope.invocation_id, 0);
      return outcomeOf<T>(this.#known, this.#following, how.cause);
    } catch {
      const message = `the gate refused the report of it: ${error.message}`;
      return unanswered<T>(this.#proposal.tool, message, { envelope, cause: how.cause }, this.#following);
    }
  }
}

/** How long a lease is, by the gate's clock alone: the two clocks need not agree. */
function leaseLength(envelope: Envelope): number {
  const end = Date.parse(envelope.lease?.expires_at ?? "");
  const begin = Date.parse(envelope.started_at ?? "");
  return Number.isFinite(end - begin) ? Math.max(0, end - begin) : 0;
}

/** What a function returned, if JSON can say it. It has run all the same. */
function sayable(returned: unknown, tool: string): { data: unknown } {
  try {
    return { data: plain(returned) };
  } catch (error) {
    return { data: { withheld: `what \`${tool}\` returned is not JSON: ${message(error)}` } };
  }
}

/** What an error says: that nothing has happened, or nothing at all. */
function failure(error: unknown, effect: "some" | "none"): Omit<OutcomeReport, "attempt"> {
  const nothing = error instanceof NotExecuted || effect === "none";
  return nothing ? { status: "failed", error: { code: "tool_error", message: message(error) } } : { status: "unknown" };
}

/** Whether it is what the tool returned that the gate does not take. The call has run all the same. */
function isAboutData(report: OutcomeReport, error: GateError): boolean {
  return report.status === "succeeded" && (error.status === 413 || error.status === 400);
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.slice(0, MESSAGE_CHARS_MAX);
}
