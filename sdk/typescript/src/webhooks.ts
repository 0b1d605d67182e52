/**
 * Verifies the gate's webhooks, which follow Standard Webhooks 1.0.
 *
 *     const event = await verifyWebhook(process.env.HOOK_SECRET, request.headers, await request.text());
 *     if (event.type === "approval.requested") { … }
 *
 * Pass the body as it came: parsing and writing it again changes its bytes. Must not know: what events mean.
 */

/** How old, or how far ahead, a message may be. LIMIT: five minutes, as the specification's own libraries. */
const TOLERANCE_SECONDS = 300;

/** What a secret begins with. */
const PREFIX = "whsec_";

/** One message of the gate. What it names is plain text that agents may have chosen. */
export type WebhookEvent = {
  /** `approval.requested`, `invocation.needs_operator`, … */
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The record that it tells of: the same for every delivery of it. */
  readonly id: string;
};

/** A message that nobody who knows the secret has sent just now. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
}

/** Headers, as `fetch` gives them or as Node does. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The message, if it is genuine and fresh; else throws a `WebhookError`. While a secret is changed, pass both. */
export async function verifyWebhook(
  secrets: string | readonly string[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
  options: { toleranceSeconds?: number; now?: Date } = {},
): Promise<WebhookEvent> {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => header(headers, name));
  if (!id || !timestamp || !signatures) throw new WebhookError("the message is not signed: `webhook-id`, `webhook-timestamp` or `webhook-signature` is missing");
  fresh(timestamp, options);
  const text = typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const keys = [secrets].flat().flatMap((secret) => secret.trim().split(/\s+/));
  for (const secret of keys) {
    if (await signedBy(secret, signatures, signed)) return eventOf(text, id);
  }
  throw new WebhookError("no signature of the message is right: check that the secret is the one of this endpoint");
}

/** Whether one of the signatures was made with this secret. The comparison is `verify`'s, in constant time. */
async function signedBy(secret: string, signatures: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const raw = secret.startsWith(PREFIX) ? bytes(secret.slice(PREFIX.length)) : null;
  if (raw === null || raw.length === 0) throw new WebhookError(`a secret is written \`${PREFIX}\` and base64`);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  for (const signature of signatures.split(" ")) {
    const given = signature.startsWith("v1,") ? bytes(signature.slice(3)) : null;
    if (given !== null && (await crypto.subtle.verify("HMAC", key, given, signed))) return true;
  }
  return false;
}

function fresh(timestamp: string, options: { toleranceSeconds?: number; now?: Date }): void {
  const sent = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  const away = Math.abs((options.now ?? new Date()).getTime() / 1000 - sent);
  if (!(away <= (options.toleranceSeconds ?? TOLERANCE_SECONDS))) {
    throw new WebhookError("the message is too old or from the future: check both clocks, or it is a replay");
  }
}

function eventOf(text: string, id: string): WebhookEvent {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    event = null;
  }
  if (typeof event !== "object" || event === null || !("type" in event)) throw new WebhookError("the message is signed, and no event");
  return { ...(event as Omit<WebhookEvent, "id">), id };
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? undefined : headers[found];
  return typeof value === "string" ? value : value?.join(", ");
}

function bytes(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
