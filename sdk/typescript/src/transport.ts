/**
 * Requests to the gate: address, key, retries. The only file that calls `fetch` for it.
 *
 *     const envelope = await transport.send({ method: "POST", path: "/v1/invocations", body, key });
 *
 * Only what is safe to repeat is repeated: reading, and what carries a key or a number of its own by which
 * the gate knows it again. Must not know: what an answer means.
 */

import { GateError } from "./errors.js";
import type { Problem } from "./wire.js";

/** Where the gate listens when nobody says otherwise. */
const URL_DEFAULT = "http://127.0.0.1:8787";

/** How often one request is sent. LIMIT: with the pauses below it gives up after about three seconds. */
const TRIES_MAX = 4;

/** The first pause between two tries; each further one is twice as long. */
const PAUSE_FIRST_MS = 400;

/** The longest pause. LIMIT: a `Retry-After` beyond it is somebody else's to wait for. */
const PAUSE_MAX_MS = 10_000;

/** How long one request may take, beyond what it was told to wait. LIMIT: a tool may run for two minutes. */
const ANSWER_MAX_MS = 150_000;

/** Time, handed in, so that tests need none. */
export type Timing = {
  /** Milliseconds that only go forward. */
  readonly now: () => number;
  /** Waits, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
};

/** Where the gate is, and who asks. */
export type TransportOptions = {
  /** The gate's address. Default: `TOOLGATE_URL`, else http://127.0.0.1:8787. */
  readonly url?: string;
  /** The agent's key, `tg_…`. Default: `TOOLGATE_KEY`. */
  readonly key?: string;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Used instead of the system's clock. */
  readonly timing?: Timing;
};

/** One request. */
export type Request = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  /** The `Idempotency-Key`. */
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
  /** How long the gate was asked to wait before it answers. */
  readonly waitMs?: number;
};

/** The way to one gate. */
export class Transport {
  readonly url: string;
  readonly timing: Timing;
  readonly #key: string;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: TransportOptions = {}) {
    this.url = address(options.url ?? variable("TOOLGATE_URL") ?? URL_DEFAULT);
    this.timing = options.timing ?? SYSTEM;
    this.#key = credential(options.key ?? variable("TOOLGATE_KEY") ?? "");
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Sends a request until it is answered. Throws a `GateError`, or the reason of an aborted signal. */
  async send(request: Request): Promise<unknown> {
    if (this.#key === "") {
      throw new GateError("there is no key for the gate: pass `key`, or set `TOOLGATE_KEY`", { code: "unauthenticated", status: 401 });
    }
    let pause = PAUSE_FIRST_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once(request);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!(error instanceof Busy) || tries === TRIES_MAX) throw error instanceof Busy ? error.error : error;
        await this.timing.sleep(Math.min(error.pauseMs ?? pause, PAUSE_MAX_MS), request.signal);
        pause *= 2;
      }
    }
  }

  async #once(request: Request): Promise<unknown> {
    const response = await this.#answered(request);
    const text = await response.text().catch((cause: unknown) => {
      throw new Busy(unreachable(this.url, cause));
    });
    const body = parsed(text);
    if (response.ok && body !== undefined) return body;
    throw refusal(response, body);
  }

  async #answered(request: Request): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#key}`, Accept: "application/json" };
    if (request.body !== undefined) headers["Content-Type"] = "application/json";
    if (request.key !== undefined) headers["Idempotency-Key"] = request.key;
    const patience = AbortSignal.timeout(ANSWER_MAX_MS + (request.waitMs ?? 0));
    const init: RequestInit = {
      method: request.method,
      headers,
      // The key goes to the gate and to nowhere that something else points at.
      redirect: "manual",
      signal: request.signal ? AbortSignal.any([request.signal, patience]) : patience,
    };
    if (request.body !== undefined) init.body = JSON.stringify(request.body);
    const fetch = this.#fetch;
    return fetch(`${this.url}${request.path}`, init).catch((cause: unknown) => {
      throw new Busy(unreachable(this.url, cause));
    });
  }
}

/** A try that failed and may be made again. */
class Busy extends Error {
  readonly error: GateError;
  readonly pauseMs: number | undefined;

  constructor(error: GateError, pauseMs?: number) {
    super(error.message);
    this.error = error;
    this.pauseMs = pauseMs;
  }
}

const SYSTEM: Timing = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const timer = setTimeout(done, ms);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      function done() {
        signal?.removeEventListener("abort", stop);
        resolve();
      }
      signal?.addEventListener("abort", stop, { once: true });
    }),
};

function refusal(response: Response, body: unknown): Error {
  if (!isProblem(body)) {
    const message = `what answers at \`${response.url}\` with ${response.status} is no gate: check \`TOOLGATE_URL\``;
    const error = new GateError(message, { code: "invalid_answer", status: response.status || 502 });
    return response.status >= 502 ? new Busy(error) : error;
  }
  const error = new GateError(body.detail, { code: body.code, status: response.status, problem: body });
  if (response.status !== 429 && response.status !== 503) return error;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new Busy(error, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body && "status" in body;
}

function unreachable(url: string, cause: unknown): GateError {
  return new GateError(`the gate does not answer at \`${url}\`: ${reason(cause)}`, { code: "gate_unavailable", cause });
}

/** Why a request failed: `fetch` hides it in the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? reason(error.cause) : error.message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function address(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError(`\`${text}\` is no address of a gate: write it like \`${URL_DEFAULT}\``);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** A key as a header takes it. What is none is not repeated: an error of `fetch` would, and models read errors. */
function credential(text: string): string {
  const key = text.trim();
  if (!/^[\x21-\x7e]*$/.test(key)) throw new TypeError("the key for the gate has characters that no key has: check `TOOLGATE_KEY`");
  return key;
}

/** An environment variable, where there is an environment. */
function variable(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name] || undefined;
}
