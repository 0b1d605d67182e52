/**
 * Verifies the gate's webhooks, which follow Standard Webhooks 1.0.
 *
 *     const event = await verifyWebhook(process.env.HOOK_SECRET, request.headers, await request.text());
 *     if (event.type === "approval.requested") { … }
 *
 * Pass the body as it came: parsing and writing it again changes its bytes. Must not know: what events mean.
 */

import { type Bytes, Seal, Unverified } from "./signature.js";

/** How old, or how far ahead, a message may be. LIMIT: five minutes, as the specification's own libraries. */
const TOLERANCE_SECONDS = 300;

/** One message of the gate. What it names is plain text that agents may have chosen. */
export type WebhookEvent = {
  /** `approval.requested`, `invocation.needs_operator`, … */
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The record that it tells of: the same for every delivery of it. */
  readonly id: string;
};

/** A message that nobody who knows the secret has sent just now, or that is no event. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
}

/** Headers, as `fetch` gives them or as Node does. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The message, if it is genuine and fresh; else throws a `WebhookError`. While a secret is changed, pass both.
 * What is no secret at all is a `TypeError`.
 */
export async function verifyWebhook(
  secrets: string | readonly string[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
  options: { toleranceSeconds?: number; now?: Date } = {},
): Promise<WebhookEvent> {
  const seal = new Seal([secrets].flat().join(" "));
  const bytes: Bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  const now = (options.now ?? new Date()).getTime() / 1000;
  const fresh = { now, windowSeconds: options.toleranceSeconds ?? TOLERANCE_SECONDS };
  try {
    return eventOf(bytes, await seal.verify(headersOf(headers), bytes, fresh));
  } catch (error) {
    throw error instanceof Unverified ? new WebhookError(`the message is not taken: ${error.message}`) : error;
  }
}

function eventOf(body: Bytes, id: string): WebhookEvent {
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    event = null;
  }
  if (typeof event !== "object" || event === null || !("type" in event)) throw new WebhookError("the message is signed, and no event");
  return { ...(event as Omit<WebhookEvent, "id">), id };
}

function headersOf(headers: WebhookHeaders): Headers {
  if (headers instanceof Headers) return headers;
  const pairs = Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat().join(" ")] as [string, string]);
  return new Headers(pairs.filter(([name]) => name.toLowerCase().startsWith("webhook-")));
}
