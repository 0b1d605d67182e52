/**
 * Toolgate for TypeScript: every tool call of an agent is decided, run at most once, and recorded.
 *
 * Adapters for frameworks are under `toolgate/ai`, `toolgate/openai-agents` and `toolgate/langchain`; the fake gate
 * for unit tests is `toolgate/testing`, the verifier of webhooks `toolgate/webhooks`.
 */

export { ApprovalRequired, GateError, NotExecuted } from "./errors.js";
export { type Arguments, type JsonSchema, plain, same } from "./json.js";
export type { CallOptions, HostTool, OnApproval, OneCall, ToolOptions } from "./options.js";
export {
  type Approval,
  type Denied,
  type Failure,
  type Indeterminate,
  isSettled,
  type Outcome,
  outcomeText,
  type Pending,
  type Skipped,
  type Success,
  type WaitOptions,
} from "./outcome.js";
export { type Guarded, type Running, type ToolFunction, Toolgate, type ToolgateOptions, type Verdict } from "./toolgate.js";
export type { Timing, TransportOptions } from "./transport.js";
export type * as wire from "./wire.js";
