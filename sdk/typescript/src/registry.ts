/**
 * Which tools of this program the gate has been told of.
 *
 *     await registry.ensure(refund);     // tells it of all that it has not heard of, once
 *
 * A tool that the gate does not know is not run, so a failed registration is tried again at the next call.
 * Must not know: what is called, how a call goes on.
 */

import { GateError } from "./errors.js";
import { type HostTool, toolId } from "./options.js";
import type { Transport } from "./transport.js";
import type { RegisteredTool, RegisteredTools } from "./wire.js";

/** How many tools are told of at once. LIMIT: keeps the body far below the gate's own limit. */
const BATCH = 50;

/** The tools of one client and all that were made `with` it. */
export class Registry {
  readonly #transport: Transport;
  readonly #tools = new Map<string, HostTool>();
  readonly #told = new Map<string, Promise<RegisteredTool[]>>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Remembers a tool; a later one of the same name takes its place. */
  add(tool: HostTool): HostTool {
    const id = toolId(tool);
    const known = this.#tools.get(id);
    if (known && JSON.stringify(known) === JSON.stringify(tool)) return known;
    this.#tools.set(id, tool);
    this.#told.delete(id);
    return tool;
  }

  /** Tells the gate of this tool, and of the others that it has not heard of. */
  async ensure(tool: HostTool, signal?: AbortSignal): Promise<void> {
    const id = toolId(tool);
    if (!this.#told.has(id)) this.#tell(tool.source);
    await settledOr(this.#told.get(id), signal);
  }

  /** Tells the gate of everything, and returns what it said. */
  async all(signal?: AbortSignal): Promise<RegisteredTool[]> {
    for (const tool of this.#tools.values()) {
      if (!this.#told.has(toolId(tool))) this.#tell(tool.source);
    }
    const answers = await settledOr(Promise.all(new Set(this.#told.values())), signal);
    return answers?.flat() ?? [];
  }

  /** The gate does not know it after all. */
  forget(tool: HostTool): void {
    this.#told.delete(toolId(tool));
  }

  /** Tells the gate of all tools of a source that it has not heard of. */
  #tell(source: string): void {
    const untold = [...this.#tools.values()].filter((tool) => tool.source === source && !this.#told.has(toolId(tool)));
    for (let from = 0; from < untold.length; from += BATCH) {
      const batch = untold.slice(from, from + BATCH);
      const telling = this.#sent(source, batch);
      for (const tool of batch) this.#told.set(toolId(tool), telling);
      // Nobody may be waiting for it: the next call of each tool tries again.
      telling.catch(() => batch.forEach((tool) => this.#told.get(toolId(tool)) === telling && this.forget(tool)));
    }
  }

  async #sent(source: string, batch: HostTool[]): Promise<RegisteredTool[]> {
    const path = `/v1/sources/${encodeURIComponent(source)}/tools`;
    const body = { tools: batch.map((tool) => tool.registration) };
    const answer = (await this.#transport.send({ method: "POST", path, body })) as Partial<RegisteredTools>;
    if (!Array.isArray(answer.tools)) throw new GateError("the gate did not say what it made of the tools", { code: "invalid_answer" });
    return answer.tools;
  }
}

/** The promise, or the reason of the signal: the registration itself goes on for the others. */
async function settledOr<T>(promise: Promise<T> | undefined, signal?: AbortSignal): Promise<T | undefined> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
