/**
 * What this package throws. A denial is never among it, unless a caller asks for that.
 *
 *     throw new NotExecuted("the card was declined before anything was sent");
 *
 * Must not know: how calls are made.
 */

import type { Pending } from "./outcome.js";
import type { Problem } from "./wire.js";

/**
 * Thrown by a tool's own function: nothing has happened, and that is certain.
 *
 * Any other error of a function that has effects leaves them unknown, because it may have been thrown
 * after the effect.
 */
export class NotExecuted extends Error {
  override readonly name = "NotExecuted";
}

/** A call waits for approval, and its caller asked to be interrupted by that (`onApproval: "raise"`). */
export class ApprovalRequired extends Error {
  override readonly name = "ApprovalRequired";
  /** The call as it waits. */
  readonly outcome: Pending;

  constructor(outcome: Pending) {
    super(outcome.denial.message);
    this.outcome = outcome;
  }
}

/** The gate could not be reached, or refused the request itself. */
export class GateError extends Error {
  override readonly name = "GateError";
  /** The stable code of the problem; `gate_unavailable` where nothing answered. */
  readonly code: string;
  /** The HTTP status; null where nothing answered. */
  readonly status: number | null;
  /** The problem as the gate wrote it. */
  readonly problem: Problem | null;

  constructor(message: string, given: { code: string; status?: number; problem?: Problem; cause?: unknown }) {
    super(message, { cause: given.cause });
    this.code = given.code;
    this.status = given.status ?? null;
    this.problem = given.problem ?? null;
  }

  /** Whether the gate read the request and refused it, so that nothing came of it. */
  get refused(): boolean {
    return this.status !== null && this.status >= 400 && this.status < 500;
  }
}
