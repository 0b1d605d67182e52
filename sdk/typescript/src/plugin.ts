/**
 * The other side of the gate's plugins: actions as functions, requests checked, answers signed.
 *
 *     const plugin = new Plugin({ provider: "refunds", secret: process.env.REFUNDS_SECRET! });
 *     plugin.action({
 *       id: "issue",
 *       label: "Refund a charge",
 *       risk: "high",
 *       inputSchema: { type: "object", properties: { charge: { type: "string" } }, required: ["charge"] },
 *       execute: async (call) => ({ message: "refunded", data: await desk.refund(call.arguments.charge, call.idempotencyKey) }),
 *       reflect: async (call) => ({ found: (await desk.find(call.invocationId)) !== undefined }),
 *     });
 *     export default { fetch: plugin.fetch };          // or `await plugin.listen(9100)` on Node
 *
 * `execute` throws `NotExecuted` to state that nothing happened. Any other error leaves the effect
 * unknown, and the gate then asks `reflect`. Nothing but the fetch API and its crypto is needed.
 * Must not know: who may call what. The gate decides that, and asks people.
 */

import { NotExecuted } from "./errors.js";
import type { JsonSchema } from "./json.js";
import { base64, type Bytes, Seal, Unverified } from "./signature.js";

export { NotExecuted } from "./errors.js";
export { Unverified } from "./signature.js";

/** LIMIT: how far a request's time may be from now, either way; an older one is a replay. */
const WINDOW_SECONDS = 60;
/** LIMIT: twice what the gate takes as the arguments of a call. */
const BODY_BYTES_MAX = 2 << 20;
/** LIMIT: requests remembered at once; beyond it new ones are refused until old ones are out of the window. */
const SEEN_MAX = 100_000;

/** One call, as the gate judged it. */
export type Call = {
  readonly action: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the schema promises is the author's to know
  readonly arguments: Readonly<Record<string, any>>;
  /** `source`, `tenant`, `agent`, `user`, `resource`, as far as the gate knows them. */
  readonly context: Readonly<Record<string, unknown>>;
  /** The gate's own name for it, the same at every attempt; none before it is to run. */
  readonly invocationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly attempt: number;
};

/** It was done, or it was definitely not (`success: false`). */
export type Done = {
  readonly success?: boolean;
  readonly message?: string;
  readonly data?: unknown;
  /** What it changed elsewhere, by this plugin's own account. */
  readonly effects?: Readonly<Record<string, unknown>>;
};

/** Whether the effect of a call is there. */
export type Found = { readonly found: boolean | "unknown"; readonly data?: unknown };

/** An action: what the gate is told of it, and the functions behind it. */
export type Action = {
  readonly id: string;
  readonly label?: string;
  readonly description?: string;
  readonly inputSchema?: JsonSchema;
  readonly requiresConfirmation?: boolean;
  /** May raise what the gate finds by itself; lowers nothing. */
  readonly risk?: "low" | "medium" | "high" | "critical";
  readonly verb?: "READ" | "WRITE" | "DELETE" | "ADMIN";
  readonly resource?: string;
  /** Does it. */
  readonly execute: (call: Call) => Done | Promise<Done>;
  /** Refuses a call before it runs, by throwing `Refused`. */
  readonly authorize?: (call: Call) => void | Promise<void>;
  /** Reads whether the effect of a call is there. */
  readonly reflect?: (call: Call) => Found | Promise<Found>;
};

/** What a plugin is. */
export type PluginOptions = {
  readonly provider: string;
  /** `whsec_` and base64; two with a space between while it is changed, the new one first. */
  readonly secret: string;
  readonly version?: string;
  readonly owner?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Told of errors that the gate is told nothing of. */
  readonly onError?: (error: unknown, incident: string) => void;
};

/** Thrown by `authorize`: the call may not run. The words reach the agent. */
export class Refused extends Error {
  override readonly name = "Refused";
}

type Said = { readonly status: number; readonly body: Record<string, unknown> };

const refusal = (status: number, message: string): Said => ({ status, body: { success: false, message } });

/** A set of actions behind one address and one secret. */
export class Plugin {
  readonly #options: PluginOptions;
  readonly #actions = new Map<string, Action>();
  readonly #seal: Seal;
  readonly #seen: Seen;
  #condition: { status: "ok" | "degraded" | "down"; detail?: string } = { status: "ok" };

  constructor(options: PluginOptions) {
    this.#options = options;
    this.#seal = new Seal(options.secret);
    this.#seen = new Seen(this.#now());
  }

  /** Declares an action. */
  action(action: Action): this {
    if (this.#actions.has(action.id)) {
      throw new TypeError(`the plugin \`${this.#options.provider}\` has an action \`${action.id}\` already`);
    }
    this.#actions.set(action.id, action);
    return this;
  }

  /** What `health` says from now on. */
  isIn(status: "ok" | "degraded" | "down", detail?: string): void {
    this.#condition = detail === undefined ? { status } : { status, detail };
  }

  /** Answers one request of the gate: for servers that speak the fetch API. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const body = await bounded(request);
    if (body === undefined) return new Response(null, { status: 413 });
    const now = this.#now();
    let said: Said;
    try {
      this.#seen.first(await this.#seal.verify(request.headers, body, { now, windowSeconds: WINDOW_SECONDS }), Number(request.headers.get("webhook-timestamp")), now);
      said = await this.#answered(request.method, new URL(request.url).pathname, body);
    } catch (error) {
      // Unsigned: a signed refusal of a copy would pass for one of the call that ran.
      if (error instanceof Unverified) return Response.json({ message: error.message }, { status: 401 });
      // The effect may have landed: the gate is told nothing, and finds out by `reflect`.
      const incident = crypto.randomUUID();
      (this.#options.onError ?? console.error)(error, incident);
      said = { status: 500, body: { message: `the plugin failed, incident ${incident}` } };
    }
    return this.#signed(request.headers.get("webhook-id") ?? "", said);
  };

  /** Serves it on Node until what it returns is closed. Put TLS in front where the gate is elsewhere. */
  async listen(port: number, host = "127.0.0.1"): Promise<Listening> {
    const { createServer } = (await import(NODE_HTTP)) as NodeHttp;
    const server = createServer((incoming, outgoing) => void relay(incoming, outgoing, this.fetch));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => resolve());
    });
    return { port: server.address().port, close: () => server.close() };
  }

  /** Seconds since 1970. */
  #now(): number {
    return Math.floor((this.#options.now ?? Date.now)() / 1000);
  }

  async #answered(method: string, path: string, body: Bytes): Promise<Said> {
    const step = path.replace(/\/+$/, "").split("/action/").pop() ?? "";
    if (method === "GET" && step === "health") return { status: 200, body: await this.#health() };
    const asked = parsed(body);
    // A request that was signed for one step is not taken at another's address.
    if (method !== "POST" || asked?.["type"] !== `action.${step}`) {
      return refusal(400, "the request is not one for this address");
    }
    if (step === "discover") return { status: 200, body: this.#discovered() };
    const action = this.#actions.get(String(asked["action"]));
    if (action === undefined) return refusal(404, "there is no such action");
    return performed(step, action, callOf(asked));
  }

  async #health(): Promise<Record<string, unknown>> {
    // Another revision has the gate read the actions again.
    const text = new TextEncoder().encode(JSON.stringify(this.#discovered()));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    return { ...this.#condition, revision: base64(digest).slice(0, 16) };
  }

  #discovered(): Record<string, unknown> {
    const { provider, version = "1.0.0", owner } = this.#options;
    return { provider, version, owner, auth: "hmac", actions: [...this.#actions.values()].map(told) };
  }

  async #signed(id: string, said: Said): Promise<Response> {
    const body = new TextEncoder().encode(JSON.stringify(said.body));
    const timestamp = this.#now();
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": await this.#seal.sign(id, timestamp, body),
    };
    return new Response(body, { status: said.status, headers });
  }
}

/** What the gate is told of an action. */
function told(action: Action): Record<string, unknown> {
  const { id, label, description, risk, verb, resource } = action;
  return {
    id,
    label,
    description,
    input_schema: action.inputSchema ?? { type: "object" },
    requires_confirmation: action.requiresConfirmation ?? true,
    risk,
    verb,
    resource,
    reflect: action.reflect !== undefined,
  };
}

function callOf(asked: Record<string, unknown>): Call {
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    action: String(asked["action"]),
    arguments: (asked["arguments"] ?? {}) as Record<string, unknown>,
    context: (asked["context"] ?? {}) as Record<string, unknown>,
    invocationId: text(asked["invocation_id"]),
    idempotencyKey: text(asked["idempotency_key"]),
    attempt: Number(asked["attempt"] ?? 0),
  };
}

async function performed(step: string, action: Action, call: Call): Promise<Said> {
  if (step === "authorize") return authorized(action, call);
  if (step === "execute") return executed(action, call);
  if (step === "reflect") {
    const found: Found = (await action.reflect?.(call)) ?? { found: "unknown" };
    return { status: 200, body: found };
  }
  return refusal(404, "there is no such step");
}

async function authorized(action: Action, call: Call): Promise<Said> {
  try {
    await action.authorize?.(call);
    return { status: 200, body: { allowed: true } };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { status: 200, body: { allowed: false, message: error.message } };
  }
}

async function executed(action: Action, call: Call): Promise<Said> {
  try {
    const { success = true, message = "", data = null, effects = null } = await action.execute(call);
    return { status: 200, body: { success, message, data, effects } };
  } catch (error) {
    if (!(error instanceof NotExecuted)) throw error;
    return { status: 200, body: { success: false, message: error.message } };
  }
}

function parsed(body: Bytes): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The body of a request; none where it is too long. */
async function bounded(request: Request): Promise<Bytes | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
    length += next.value.length;
    if (length > BODY_BYTES_MAX) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(next.value);
  }
  const body = new Uint8Array(length);
  let place = 0;
  for (const chunk of chunks) {
    body.set(chunk, place);
    place += chunk.length;
  }
  return body;
}

/**
 * The requests of the last minutes: each is answered once, so a copy of one does nothing. What came before this
 * process is not remembered, so what was signed before it is not taken.
 */
class Seen {
  readonly #started: number;
  readonly #ids = new Map<string, number>();

  constructor(started: number) {
    this.#started = started;
  }

  first(id: string, timestamp: number, now: number): void {
    if (timestamp <= this.#started) throw new Unverified("the request was signed before the plugin started: try again");
    for (const [old, at] of this.#ids) {
      // One is out of the window once it is as old as the window is wide, counted both ways.
      if (now - at <= 2 * WINDOW_SECONDS) break;
      this.#ids.delete(old);
    }
    if (this.#ids.has(id)) throw new Unverified("the request was here before");
    if (this.#ids.size >= SEEN_MAX) {
      throw new Unverified("there are more requests than can be told apart: try again later");
    }
    this.#ids.set(id, now);
  }
}

/** A plugin that is being served. */
export type Listening = { readonly port: number; close(): void };

/** Not a literal, so that bundlers for places without Node leave it alone. */
const NODE_HTTP: string = "node:http";

type NodeHttp = {
  createServer(handler: (incoming: Incoming, outgoing: Outgoing) => void): {
    once(event: "error", listener: (error: Error) => void): void;
    listen(port: number, host: string, done: () => void): void;
    address(): { port: number };
    close(): void;
  };
};

type Incoming = AsyncIterable<Uint8Array> & {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

type Outgoing = {
  writeHead(status: number, headers: Record<string, string>): void;
  end(body?: Uint8Array): void;
};

/** One request of Node's own server as one of the fetch API. */
async function relay(incoming: Incoming, outgoing: Outgoing, answer: Plugin["fetch"]): Promise<void> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) break;
    chunks.push(chunk);
  }
  if (length > BODY_BYTES_MAX) {
    outgoing.writeHead(413, { connection: "close" });
    outgoing.end();
    return;
  }
  const plain = incoming.method === "GET" || incoming.method === "HEAD";
  const body = plain ? null : new Blob(chunks as BlobPart[]);
  const request = new Request(new URL(incoming.url, "http://plugin.invalid"), { method: incoming.method, headers, body });
  const response = await answer(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(new Uint8Array(await response.arrayBuffer()));
}
