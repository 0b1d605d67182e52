/**
 * What a caller may say about a call and about a tool, and how that is written for the gate.
 *
 *     callBody({ tool, arguments }, "host", { justification: "asked twice" })
 *
 * Must not know: how anything is sent.
 */

import { type Arguments, type JsonSchema, schemaOf } from "./json.js";
import type { Pending } from "./outcome.js";
import type { HostTool as Registration, HttpRequest, InvocationRequest, Trigger } from "./wire.js";

/** What happens where a call needs approval. */
export type OnApproval =
  /** The caller gets the outcome `pending`, and a model can tell its user. The default. */
  | "return"
  /** It is waited for, and the approved call runs. */
  | "wait"
  /** `ApprovalRequired` is thrown; frameworks that can pause a run by themselves are made to. */
  | "raise";

/** What can be said of every call. All of it may also be set for a whole client, by `with`. */
export type CallOptions = {
  /** Names the run of the agent; with the call's id it makes the key by which a repeated call is known again. */
  readonly run?: string;
  readonly onApproval?: OnApproval;
  /** How long `onApproval: "wait"` waits. Default: five minutes. */
  readonly approvalTimeoutMs?: number;
  /** Told once of a call that begins to wait for approval, whatever `onApproval` says. */
  readonly onPending?: (pending: Pending) => void;
  readonly env?: string;
  readonly workflow?: string;
  readonly sessionId?: string;
  readonly correlationId?: string;
  /** The user for whom the agent acts. Taken from trusted hosts only. */
  readonly onBehalfOf?: { readonly id: string; readonly groups?: readonly string[] };
  /** The user's own words. Taken from trusted hosts only. */
  readonly userRequest?: string;
  readonly signal?: AbortSignal | undefined;
};

/** What can be said of one call. */
export type OneCall = CallOptions & {
  /** The framework's id of this tool call. Default: a fresh one, so that no other call is taken for this one. */
  readonly callId?: string | undefined;
  /** The idempotency key itself, instead of one made of run and call id. */
  readonly idempotencyKey?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly trigger?: Trigger;
  readonly justification?: string;
  readonly timeoutMs?: number;
  /** That a second identical call is meant. */
  readonly allowDuplicate?: boolean;
};

/** What the gate is told of a tool that runs in this program. */
export type ToolOptions = {
  /** The source it belongs to. Default: that of the client, `app`. */
  readonly source?: string;
  readonly description?: string;
  /** A JSON Schema object, or a schema that can say itself as one (zod 4.2 and later). */
  readonly inputSchema?: unknown;
  /** How much harm one call can do. Left out, the gate rates it by name, description and schema. */
  readonly risk?: "low" | "medium" | "high" | "critical";
  readonly verb?: "READ" | "WRITE" | "DELETE" | "ADMIN";
  /** `none`: calls leave no trace, so that a failed one has certainly done nothing. Default: `some`. */
  readonly effect?: "some" | "none";
  /** How the resource is made from the arguments: `customer:{args.customer}`. */
  readonly resource?: string;
  /** How long one run may take. */
  readonly timeoutMs?: number;
  readonly category?: string;
  readonly version?: string;
  /** Well-known attributes made from arguments, which rules speak of: `{ path: "args.file_path" }`. */
  readonly attributes?: Readonly<Record<string, string>>;
};

/** A tool of this program, as the gate is told of it. */
export type HostTool = { readonly source: string; readonly name: string; readonly effect: "some" | "none"; readonly registration: Registration };

/** The schema of a tool that takes anything. */
const ANY_ARGUMENTS: JsonSchema = { type: "object" };

/** Which tools the gate takes. LIMIT: longer names are cut in the names that MCP clients see. */
const NAME = /^[A-Za-z0-9_./-]{1,128}$/;

/** Reads what is said of a tool. Throws a `TypeError` that names what is wrong. */
export function hostTool(name: string, options: ToolOptions, source: string): HostTool {
  if (!NAME.test(name)) throw new TypeError(`\`${name}\` is no name of a tool: use letters, digits, \`_\`, \`-\`, \`.\` and \`/\``);
  const schema = options.inputSchema === undefined ? ANY_ARGUMENTS : schemaOf(options.inputSchema, name);
  const registration = {
    ...given({
      description: options.description,
      risk: options.risk,
      verb: options.verb,
      effect: options.effect,
      resource: options.resource,
      timeout_ms: options.timeoutMs,
      category: options.category,
      version: options.version,
      attributes: options.attributes,
    }),
    name,
    input_schema: schema,
  };
  return { source: options.source ?? source, name, effect: options.effect ?? "some", registration };
}

/** The full name by which policies and people know it. */
export function toolId(tool: HostTool): string {
  return `${tool.source}.${tool.name}`;
}

/** The body of `POST /v1/invocations`. */
export function callBody(
  what: { tool: string; arguments: Arguments } | { http: HttpRequest },
  mode: "execute" | "host" | "decide" | "simulate",
  options: OneCall,
): InvocationRequest {
  return {
    ...what,
    ...given({
      version: options.version,
      env: options.env,
      workflow: options.workflow,
      resource: options.resource,
      session_id: options.sessionId,
      correlation_id: options.correlationId ?? options.run,
      trigger: options.trigger,
      on_behalf_of: options.onBehalfOf && { id: options.onBehalfOf.id, groups: [...(options.onBehalfOf.groups ?? [])] },
      user_request: options.userRequest,
      justification: options.justification,
      timeout_ms: options.timeoutMs,
      allow_duplicate: options.allowDuplicate,
    }),
    mode,
  };
}

/** The key by which the gate knows a repeated call again, and whether it was made for this call alone. */
export async function callKey(options: OneCall, runDefault: string): Promise<{ key: string; fresh: boolean }> {
  if (options.idempotencyKey !== undefined) return { key: options.idempotencyKey, fresh: false };
  const fresh = options.callId === undefined;
  const text = JSON.stringify([options.run ?? runDefault, options.callId ?? crypto.randomUUID()]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return { key: `sdk-${[...new Uint8Array(digest, 0, 20)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`, fresh };
}

/** The members that have been given. */
function given<T extends Record<string, unknown>>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}
