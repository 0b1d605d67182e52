/**
 * A gate for unit tests, in the process: the real client, its retries and its lease, and no server.
 *
 *     const fake = new FakeGate();
 *     fake.freeze("app.refund", "a refund needs a person");
 *     const refund = fake.client().guard("refund", {}, pay);
 *     const pending = await refund({ charge: "ch_1" });      // kind `pending`, and nothing ran
 *     fake.approve(pending);
 *     await pending.wait();                                  // now it runs
 *
 * What is not scripted is denied with `not_granted`, as by a gate. Rules are scripted, not judged: what a policy really
 * says is for `toolgate test`, and `record` writes the calls that were made as cases for it. The fake and the real gate
 * pass one list of tests. Must not know: how the client does what it does.
 */

import { type Arguments, same } from "./json.js";
import type { Outcome } from "./outcome.js";
import { Toolgate, type ToolgateOptions } from "./toolgate.js";
import type { Timing } from "./transport.js";
import type { Denial, Envelope, Problem } from "./wire.js";

/** How long a lease is, unless a test says otherwise. */
const LEASE_MS = 25_000;

/** How long people have. */
const APPROVAL_MS = 86_400_000;

/** The moment at which everything begins. */
const BEGAN_MS = Date.UTC(2026, 0, 1);

/** What happens to the calls of some tools. */
type Script = {
  readonly pattern: string;
  readonly verdict: "allow" | "deny" | "require_approval" | "sanitize";
  readonly message: string;
  readonly code: string;
  readonly replaced: Arguments;
  readonly answer: (args: Arguments) => unknown;
  readonly left: (data: unknown) => unknown;
};

/** One call, and how it stands. */
type Invocation = {
  readonly id: string;
  readonly tool: string;
  readonly asked: Arguments;
  readonly arguments: Arguments;
  readonly mode: string;
  readonly script: Script;
  status: string;
  data: unknown;
  error: Envelope["error"];
  denial: Denial | null;
  attempts: number;
};

/** What was asked of the gate. */
export type Asked = { readonly method: string; readonly path: string; readonly body: Record<string, unknown> };

/** A scripted gate. The last script that fits a tool counts. */
export class FakeGate {
  /** Everything that was asked. */
  readonly requests: Asked[] = [];
  /** The tools that programs told of, by their full names. */
  readonly registered = new Map<string, Record<string, unknown>>();
  readonly #scripts: Script[] = [];
  readonly #invocations = new Map<string, Invocation>();
  readonly #keys = new Map<string, string>();
  readonly #losses: Array<{ what: string; part: string }> = [];
  readonly #watching = new Set<() => void>();
  readonly #leaseMs: number;

  /** `leaseMs`: how long a lease is. */
  constructor(options: { leaseMs?: number } = {}) {
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
  }

  // ── Scripts

  /** Calls run. `answer` is what the gate's own tools say, or makes it of the arguments. */
  allow(pattern: string, answer: unknown = null): void {
    this.#script(pattern, "allow", { answer: typeof answer === "function" ? (answer as Script["answer"]) : () => answer });
  }

  /** Calls are denied. */
  deny(pattern: string, message = "not today", code = "policy_denied"): void {
    this.#script(pattern, "deny", { message, code });
  }

  /** Calls wait for `approve`, `reject` or `expire`. */
  freeze(pattern: string, message = "a person has to approve it", answer: unknown = null): void {
    this.#script(pattern, "require_approval", { message, answer: typeof answer === "function" ? (answer as Script["answer"]) : () => answer });
  }

  /** Calls run with these arguments in the place of their own. */
  sanitize(pattern: string, replaced: Arguments): void {
    this.#script(pattern, "sanitize", { replaced });
  }

  /** Calls run, and callers get what `left` makes of the answer. */
  withhold(pattern: string, left: (data: unknown) => unknown): void {
    this.#script(pattern, "allow", { left });
  }

  /** Loses the next proposal or report: the `request` itself, or its `answer`. */
  lose(what: "propose" | "report", part: "request" | "answer" = "answer"): void {
    this.#losses.push({ what, part });
  }

  // ── People, and time

  /** A person says yes. A tool of the gate runs at once; the program's own waits to be claimed. */
  approve(outcome: Outcome | string): void {
    const found = this.#waiting(outcome);
    found.status = "approved";
    if (found.mode === "execute") this.#run(found);
    this.#changed();
  }

  /** A person says no. */
  reject(outcome: Outcome | string, reason = "no"): void {
    const found = this.#waiting(outcome);
    found.status = "rejected";
    found.denial = denial("approval_rejected", `an approver refused this call: ${reason}`);
    this.#changed();
  }

  /** Nobody decided in time; or the lease of a running call is over. */
  expire(outcome: Outcome | string): void {
    const running = this.#invocations.get(idOf(outcome));
    if (running?.status === "executing") {
      running.status = "unknown_effect";
      running.error = { code: "unknown_effect", message: "the lease is over", details: {} };
    } else {
      const found = this.#waiting(outcome);
      found.status = "expired";
      found.denial = denial("approval_expired", "nobody approved this call in time");
    }
    this.#changed();
  }

  // ── Clients

  /** A client of this gate. Its pauses take no time. */
  client(options: Omit<ToolgateOptions, "url" | "key" | "fetch"> = {}): Toolgate {
    return new Toolgate({ timing: hurried(), ...options, url: "http://gate.test", key: "fake", fetch: this.fetch });
  }

  /** Answers requests as a gate does. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input));
    const body = init?.body ? (JSON.parse(String(init.body)) as Record<string, unknown>) : {};
    const method = init?.method ?? "GET";
    this.requests.push({ method, path: url.pathname, body });
    const what = url.pathname.endsWith("/outcome") ? "report" : url.pathname === "/v1/invocations" ? "propose" : "";
    const index = this.#losses.findIndex((loss) => loss.what === what);
    const [lost] = index < 0 ? [] : this.#losses.splice(index, 1);
    if (lost?.part === "request") throw new TypeError("scripted: the request was lost");
    const answer = await this.#answered(method, url, body, new Headers(init?.headers), init?.signal ?? undefined);
    if (lost) throw new TypeError("scripted: the answer was lost");
    return answer;
  };

  /** The calls that were made, as cases for `toolgate test`: what was asked, and what this gate said. */
  record(): { tools: Array<Record<string, unknown>>; tests: Array<Record<string, unknown>> } {
    const told = ["risk", "verb", "resource", "input_schema"];
    const tools = [...this.registered].map(([id, tool]) => ({ id, ...Object.fromEntries(Object.entries(tool).filter(([name]) => told.includes(name))) }));
    const tests = [...this.#invocations.values()].map(({ tool, asked, script }, index) => ({
      name: `call ${index + 1} of ${tool}`,
      call: { tool, arguments: asked },
      expect: script.verdict,
    }));
    return { tools, tests };
  }

  // ── The gate

  async #answered(method: string, url: URL, body: Record<string, unknown>, headers: Headers, signal?: AbortSignal): Promise<Response> {
    const [, kind = "", id = "", verb = ""] = url.pathname.split("/").slice(1);
    const found = this.#invocations.get(id);
    if (kind === "sources" && verb === "tools") return json(this.#told(id, body));
    if (kind === "tools") return json({ items: [...this.registered].map(([name, tool]) => ({ ...tool, id: name })), next: null });
    if (kind === "invocations" && id === "" && method === "POST") return this.#proposed(body, headers.get("idempotency-key"));
    if (kind !== "invocations" || !found) return problem(404, "not_found", `there is no \`${url.pathname}\``);
    if (verb === "lease") return json(this.#claimed(found));
    if (verb === "outcome") return this.#reported(found, body);
    if (verb === "cancel") return this.#cancelled(found);
    return json(await this.#watched(found, Number(url.searchParams.get("wait_ms") ?? 0), signal));
  }

  #told(source: string, body: Record<string, unknown>): unknown {
    const tools = body["tools"] as Array<Record<string, unknown>>;
    for (const tool of tools) this.registered.set(`${source}.${String(tool["name"])}`, tool);
    return { source, tools: tools.map((tool) => ({ id: `${source}.${String(tool["name"])}`, state: "active", reason: null })) };
  }

  #proposed(body: Record<string, unknown>, key: string | null): Response {
    const earlier = this.#invocations.get(this.#keys.get(key ?? "") ?? "");
    if (earlier) return this.#again(earlier, body);
    const made = this.#made(body);
    if (made.mode === "decide" || made.mode === "simulate") return json(envelope(made));
    this.#invocations.set(made.id, made);
    if (key !== null) this.#keys.set(key, made.id);
    if (made.status !== "proposed") return json(envelope(made));
    if (made.mode === "host") return json(this.#leased(made));
    this.#run(made);
    return json(envelope(made));
  }

  #again(found: Invocation, body: Record<string, unknown>): Response {
    if (found.tool !== body["tool"] || !same(found.asked, body["arguments"] ?? {})) {
      const conflict = { ...this.#made(body), status: "denied", denial: denial("idempotency_conflict", "the key names another call") };
      return json(envelope(conflict));
    }
    const claims = found.status === "approved" && found.mode === "host";
    return json(claims ? this.#leased(found) : { ...envelope(found), replayed: true });
  }

  #made(body: Record<string, unknown>): Invocation {
    const [tool, mode, asked] = [String(body["tool"]), String(body["mode"]), (body["arguments"] ?? {}) as Arguments];
    const script = this.#scripts.findLast(({ pattern }) => fits(pattern, tool)) ?? script_("*", "deny", { message: "the tool is not granted", code: "not_granted" });
    const id = `inv_${(this.#invocations.size + 1).toString(16).padStart(32, "0")}`;
    const made: Invocation = {
      id,
      tool,
      asked,
      arguments: { ...asked, ...script.replaced },
      mode,
      script,
      status: "proposed",
      data: null,
      error: null,
      denial: null,
      attempts: 0,
    };
    if (mode === "execute" && this.registered.has(tool)) return ended(made, denial("runs_in_host", "its host runs it: propose it in the mode `host`"));
    if (mode === "host" && !this.registered.has(tool)) return ended(made, denial("tool_not_found", "there is no such tool"));
    if (script.verdict === "deny") return ended(made, denial(script.code, script.message));
    if (script.verdict !== "require_approval") return made;
    made.denial = frozen(made);
    if (mode === "host" || mode === "execute") made.status = "pending_approval";
    return made;
  }

  #leased(found: Invocation): unknown {
    found.status = "executing";
    found.denial = null;
    found.attempts += 1;
    const lease = { attempt: found.attempts, expires_at: new Date(BEGAN_MS + this.#leaseMs).toISOString() };
    return { ...envelope(found), lease, arguments: found.arguments };
  }

  #claimed(found: Invocation): unknown {
    return found.status === "approved" ? this.#leased(found) : envelope(found);
  }

  #run(found: Invocation): void {
    found.attempts += 1;
    found.denial = null;
    found.status = "succeeded";
    found.data = found.script.left(found.script.answer(found.arguments));
  }

  #reported(found: Invocation, body: Record<string, unknown>): Response {
    const status = body["status"] === "unknown" ? "unknown_effect" : String(body["status"]);
    if (body["attempt"] !== found.attempts) return problem(409, "wrong_state", "the report is of another attempt");
    if (!["executing", "unknown_effect", "reconciling", "needs_operator"].includes(found.status)) {
      return found.status === status ? json({ ...envelope(found), replayed: true }) : problem(409, "wrong_state", `${found.id} is \`${found.status}\``);
    }
    found.status = status;
    found.data = status === "succeeded" ? found.script.left(body["data"] ?? null) : null;
    const said = (body["error"] ?? { code: "unknown_effect", message: "its host cannot say whether it took effect" }) as { code: string; message: string };
    found.error = status === "succeeded" ? null : { ...said, details: {} };
    this.#changed();
    return json(envelope(found));
  }

  #cancelled(found: Invocation): Response {
    if (found.status !== "pending_approval") return problem(409, "wrong_state", `${found.id} is \`${found.status}\``);
    this.#changed();
    return json(envelope(ended(found, denial("cancelled", "the call was withdrawn before it ran"), "cancelled")));
  }

  /** How a call stands, once it no longer waits for people or has been waited for long enough. */
  async #watched(found: Invocation, waitMs: number, signal?: AbortSignal): Promise<Envelope> {
    const open = () => ["pending_approval", "executing", "unknown_effect", "reconciling"].includes(found.status);
    const deadline = performance.now() + waitMs;
    while (open() && performance.now() < deadline && !signal?.aborted) await this.#change(deadline - performance.now(), signal);
    signal?.throwIfAborted();
    return envelope(found);
  }

  #change(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#watching.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#watching.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  #changed(): void {
    for (const done of [...this.#watching]) done();
  }

  #waiting(outcome: Outcome | string): Invocation {
    const found = this.#invocations.get(idOf(outcome));
    if (found?.status === "pending_approval") return found;
    throw new Error(`\`${idOf(outcome)}\` is \`${found?.status ?? "not known"}\`: nobody has to decide it`);
  }

  #script(pattern: string, verdict: Script["verdict"], more: Partial<Script>): void {
    this.#scripts.push(script_(pattern, verdict, more));
  }
}

function script_(pattern: string, verdict: Script["verdict"], more: Partial<Script>): Script {
  return { pattern, verdict, message: "", code: "policy_denied", replaced: {}, answer: () => null, left: (data) => data, ...more };
}

function ended(invocation: Invocation, why: Denial, status = "denied"): Invocation {
  return Object.assign(invocation, { status, denial: why });
}

function envelope(found: Invocation): Envelope {
  const outcome = word(found);
  return {
    invocation_id: found.id,
    capability_id: found.tool,
    capability_version: "",
    correlation: { correlation_id: null },
    outcome,
    success: outcome === "success",
    data: found.data,
    error: found.error ?? null,
    denial: found.denial,
    decision: { verdict: found.script.verdict, rules: [], matched: [], obligations: [], sanitized: [], evaluated_at: new Date(BEGAN_MS).toISOString() },
    inspection: null,
    status: found.status,
    replayed: false,
    duplicate_of: null,
    reconciled: false,
    attempts: found.attempts,
    evidence_ids: [],
    started_at: found.attempts > 0 ? new Date(BEGAN_MS).toISOString() : null,
    completed_at: null,
  };
}

function word(found: Invocation): string {
  if (found.denial) return "denied";
  if (found.status === "succeeded" || found.status === "proposed") return "success";
  return found.status === "failed" ? "failure" : "indeterminate";
}

function denial(code: string, message: string, retryable = false, details: Record<string, unknown> = {}): Denial {
  return { code, message, retryable, details };
}

function frozen(made: Invocation): Denial {
  const approval_id = made.id.replace("inv_", "apr_");
  const expires_at = new Date(BEGAN_MS + APPROVAL_MS).toISOString();
  const details = { approval_id, digest: `sha256:${"0".repeat(64)}`, expires_at, url: `http://gate.test/approvals/${approval_id}` };
  return denial("approval_required", made.script.message, true, details);
}

function json(body: unknown): Response {
  return Response.json(body);
}

function problem(status: number, code: string, detail: string): Response {
  const body: Problem = { type: `http://gate.test/problems/${code}`, title: code, status, detail, code, errors: [], request_id: "req_fake" };
  return Response.json(body, { status, headers: { "Content-Type": "application/problem+json" } });
}

/** Whether a pattern with `*` fits a name. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

function idOf(outcome: Outcome | string): string {
  return typeof outcome === "string" ? outcome : (outcome.invocationId ?? "");
}

/** A clock whose pauses are over at once, and count. */
function hurried(): Timing {
  let skipped = 0;
  return {
    now: () => performance.now() + skipped,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      skipped += ms;
    },
  };
}
