/**
 * What became of a call: six kinds, told apart by `kind`. Data, whatever happened; nothing is thrown.
 *
 *     switch (outcome.kind) {
 *       case "success": return outcome.data;
 *       case "pending": return `waits for ${outcome.approval.url}`;
 *       case "indeterminate": return (await outcome.reconcile()).kind;
 *       default: return outcomeText(outcome);
 *     }
 *
 * The only file that turns the gate's envelope into what callers read. Must not know: how it travelled.
 */

import type { CallError, Decision, Denial, Envelope } from "./wire.js";

/** Everything that can become of a call. */
export type Outcome<T = unknown> = Success<T> | Failure | Denied | Pending<T> | Skipped | Indeterminate<T>;

/** What all kinds have. */
type Common = {
  /** The tool, by its full name. */
  readonly tool: string;
  /** The gate's life of the call; null where the gate has none. */
  readonly invocationId: string | null;
  /** How it was decided; null where the gate did not decide it. */
  readonly decision: Decision | null;
  /** Whether an earlier call with the same key is answered again. */
  readonly replayed: boolean;
  /** The earlier identical call that this one joined. */
  readonly duplicateOf: string | null;
  /** The gate's answer as it came; null where there was none. */
  readonly envelope: Envelope | null;
  /** The error that the tool's own function threw, where it ran here and threw one. */
  readonly cause?: unknown;
};

/** It ran, and this is what rules about results left of its answer. */
export type Success<T = unknown> = Common & {
  readonly kind: "success";
  readonly outcome: "success";
  readonly status: "succeeded";
  readonly data: T;
  /** Whether live state told of it because its answer was lost; `data` is then what was read. */
  readonly reconciled: boolean;
  /** Why the answer is kept from the caller, where it is. */
  readonly withheld: Denial | null;
};

/** It had no effect: the tool says so, or the gate found out. */
export type Failure = Common & {
  readonly kind: "failure";
  readonly outcome: "failure";
  readonly status: "failed";
  readonly error: CallError;
  readonly data: unknown;
};

/** It did not run. `refused`: the gate refused the request, or could not be reached. */
export type Denied = Common & {
  readonly kind: "denied";
  readonly outcome: "denied";
  readonly status: "denied" | "rejected" | "expired" | "cancelled" | "refused";
  readonly denial: Denial;
};

/** It has not run: people must approve it first. */
export type Pending<T = unknown> = Common & {
  readonly kind: "pending";
  readonly outcome: "denied";
  readonly status: "pending_approval" | "approved";
  readonly invocationId: string;
  readonly denial: Denial;
  readonly approval: Approval;
  /** Waits until people have decided; an approved call runs, and its outcome is returned. */
  readonly wait: (options?: WaitOptions) => Promise<Outcome<T>>;
};

/** It did not run, because the tool is disabled. */
export type Skipped = Common & { readonly kind: "skipped"; readonly outcome: "skipped"; readonly status: string; readonly denial: Denial };

/** Nobody can know yet whether it took effect. It must not be repeated. */
export type Indeterminate<T = unknown> = Common & {
  readonly kind: "indeterminate";
  readonly outcome: "indeterminate";
  /** `unreachable`: the gate has not answered. `unreported`: it ran here, and the gate has not heard what came of it. */
  readonly status: "executing" | "unknown_effect" | "reconciling" | "needs_operator" | "unreachable" | "unreported";
  readonly error: CallError;
  /** Tells the gate again what it has not heard, and waits for what it finds out. */
  readonly reconcile: (options?: WaitOptions) => Promise<Outcome<T>>;
};

/** The approval that a call waits for. */
export type Approval = {
  readonly id: string;
  /** What people decide on: the digest of everything that would run. */
  readonly digest: string;
  readonly expiresAt: string;
  /** Where people decide. */
  readonly url: string;
};

/** How long to wait. */
export type WaitOptions = {
  /** Default: five minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

/** How a waiting call, or one in doubt, goes on. Bound by whoever made it. */
export type Following<T> = {
  readonly wait: (options?: WaitOptions) => Promise<Outcome<T>>;
  readonly reconcile: (options?: WaitOptions) => Promise<Outcome<T>>;
};

/** The envelope as an outcome. */
export function outcomeOf<T>(envelope: Envelope, following: Following<T>, cause?: unknown): Outcome<T> {
  const common: Common = {
    tool: envelope.capability_id,
    invocationId: envelope.invocation_id,
    decision: envelope.decision,
    replayed: envelope.replayed,
    duplicateOf: envelope.duplicate_of ?? null,
    envelope,
    ...(cause === undefined ? {} : { cause }),
  };
  switch (envelope.outcome) {
    case "success":
      return succeeded(common, envelope);
    case "failure":
      return { ...common, kind: "failure", outcome: "failure", status: "failed", error: errorOf(envelope), data: envelope.data };
    case "skipped":
      return { ...common, kind: "skipped", outcome: "skipped", status: envelope.status, denial: denialOf(envelope) };
    case "denied":
      return waits(envelope) ? pending(common, envelope, following) : denied(common, envelope);
    default:
      return doubtful(common, envelope, following);
  }
}

/** A call that never came to be one: the gate refused the request, or was not there. Nothing ran. */
export function refused(tool: string, denial: { code: string; message: string; retryable: boolean }, cause?: unknown): Denied {
  const common = { tool, invocationId: null, decision: null, replayed: false, duplicateOf: null, envelope: null };
  const whole = { ...denial, details: {} };
  return { ...common, kind: "denied", outcome: "denied", status: "refused", denial: whole, ...(cause === undefined ? {} : { cause }) };
}

/** A call of which the gate's answer is missing. */
export function unanswered<T>(tool: string, message: string, known: { envelope: Envelope | null; cause?: unknown }, following: Following<T>): Indeterminate<T> {
  const { envelope, cause } = known;
  return {
    tool,
    invocationId: envelope?.invocation_id ?? null,
    decision: envelope?.decision ?? null,
    replayed: envelope?.replayed ?? false,
    duplicateOf: envelope?.duplicate_of ?? null,
    envelope,
    ...(cause === undefined ? {} : { cause }),
    kind: "indeterminate",
    outcome: "indeterminate",
    status: envelope === null ? "unreachable" : "unreported",
    error: { code: "unknown_effect", message, details: {} },
    reconcile: following.reconcile,
  };
}

/** An outcome in words, for a model: what happened, and what to do. The first line is stable. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case "success":
      return outcome.withheld ? `This call was executed. Its result is withheld: ${sentence(outcome.withheld.message)}` : written(outcome.data);
    case "failure":
      return `Failed with ${outcome.error.code}: ${sentence(outcome.error.message)}${named(outcome)}`;
    case "pending":
      return pendingText(outcome);
    case "indeterminate":
      return `Unknown effect: ${sentence(outcome.error.message)} Nobody can know yet whether this call took effect. Do not repeat it.${named(outcome)}`;
    default:
      return `Denied by ${whose(outcome.denial)}: ${sentence(outcome.denial.message)} This call was not executed.${named(outcome)} ${advice(outcome.denial)}`;
  }
}

/** Whether a call has come to its end. */
export function isSettled(outcome: Outcome): boolean {
  return outcome.kind !== "pending" && outcome.kind !== "indeterminate";
}

function succeeded<T>(common: Common, envelope: Envelope): Success<T> {
  const withheld = envelope.inspection?.withheld ?? null;
  return {
    ...common,
    kind: "success",
    outcome: "success",
    status: "succeeded",
    data: envelope.data as T,
    reconciled: envelope.reconciled,
    withheld,
  };
}

function denied(common: Common, envelope: Envelope): Denied {
  return { ...common, kind: "denied", outcome: "denied", status: envelope.status as Denied["status"], denial: denialOf(envelope) };
}

function pending<T>(common: Common, envelope: Envelope, following: Following<T>): Pending<T> {
  const denial = denialOf(envelope);
  const detail = (name: string) => String(denial.details[name] ?? "");
  const approval = { id: detail("approval_id"), digest: detail("digest"), expiresAt: detail("expires_at"), url: detail("url") };
  return {
    ...common,
    kind: "pending",
    outcome: "denied",
    status: envelope.status as Pending["status"],
    invocationId: envelope.invocation_id,
    denial,
    approval,
    wait: following.wait,
  };
}

/** Whatever is not known to have ended is in doubt. */
function doubtful<T>(common: Common, envelope: Envelope, following: Following<T>): Indeterminate<T> {
  const status = envelope.status as Indeterminate["status"];
  return { ...common, kind: "indeterminate", outcome: "indeterminate", status, error: errorOf(envelope), reconcile: following.reconcile };
}

function waits(envelope: Envelope): boolean {
  return envelope.status === "pending_approval" || envelope.status === "approved";
}

function errorOf(envelope: Envelope): CallError {
  if (envelope.error) return envelope.error;
  const message = envelope.status === "executing" ? "it was sent and has not been answered yet" : `it is ${envelope.status}`;
  return { code: "unknown_effect", message, details: {} };
}

function denialOf(envelope: Envelope): Denial {
  return envelope.denial ?? { code: envelope.status, message: `the call is ${envelope.status}`, retryable: false, details: {} };
}

function pendingText(outcome: Pending): string {
  const { approval, denial } = outcome;
  const head = `Approval required by ${whose(denial)}: ${sentence(denial.message)} This call was not executed yet.`;
  return `${head}\nIt waits as ${approval.id} until ${approval.expiresAt} for a person to decide at ${approval.url}\nMaking the same call again joins it and asks nobody twice.`;
}

/** Who denied: the rule where one spoke, else the code. */
function whose(denial: Denial): string {
  const { policy, rule } = denial.details;
  return typeof policy === "string" && typeof rule === "string" ? `${policy}/${rule}` : denial.code;
}

function advice(denial: Denial): string {
  return denial.retryable ? "It may be tried again later." : "Do not repeat it unchanged.";
}

function named(outcome: Outcome): string {
  return outcome.invocationId === null ? "" : `\nInvocation ${outcome.invocationId}.`;
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

function written(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data ?? null);
}
