/**
 * The two worlds in which the lists of tests run: the fake gate, and the real one with people who decide.
 *
 * On both, `app.allowed`, `app.read`, `app.frozen`, `app.denied`, `app.cleaned` and `app.withheld` are granted, and those
 * of each framework (`app.ai_allowed`), and the rules of policy.json hold. Losses happen on the way, between the client and the gate. Must not know: what a test expects.
 */

import assert from "node:assert/strict";

import { type Outcome, type Pending, Toolgate, type ToolgateOptions } from "../src/index.js";
import { FakeGate } from "../src/testing.js";

/** A gate, people around it, and a line to it that can be bad. */
export type World = {
  readonly client: (options?: ToolgateOptions) => Toolgate;
  readonly approve: (outcome: Pending) => Promise<void>;
  readonly reject: (outcome: Pending, reason: string) => Promise<void>;
  /** Loses the next so many answers of this kind, or the requests themselves. */
  readonly lose: (what: "propose" | "report", part: "request" | "answer", times?: number) => void;
  /** Nothing is lost any more. */
  readonly heal: () => void;
};

/** A list of tests, by what each says. */
export type List = Record<string, (world: World) => Promise<void>>;

type Line = { fetch: typeof fetch } & Pick<World, "lose" | "heal">;

/** A line on which answers and requests are lost when told. */
function line(fetch: typeof globalThis.fetch): Line {
  const losses: Array<{ what: string; part: string }> = [];
  return {
    lose: (what, part, times = 1) => void losses.push(...Array.from({ length: times }, () => ({ what, part }))),
    heal: () => void losses.splice(0),
    fetch: async (input, init) => {
      const { pathname } = new URL(String(input));
      const what = pathname.endsWith("/outcome") ? "report" : pathname === "/v1/invocations" ? "propose" : "";
      const index = losses.findIndex((loss) => loss.what === what);
      const [lost] = index < 0 ? [] : losses.splice(index, 1);
      if (lost?.part === "request") throw new TypeError("the test lost the request");
      const answer = await fetch(input, init);
      if (lost) throw new TypeError("the test lost the answer");
      return answer;
    },
  };
}

/** The fake gate with the rules of policy.json. */
export function fakeWorld(): World & { fake: FakeGate } {
  const fake = new FakeGate();
  for (const pattern of ["app.*allowed", "app.read"]) fake.allow(pattern);
  fake.deny("app.*denied", "not today");
  fake.freeze("app.*frozen", "a person has to approve it");
  fake.sanitize("app.*cleaned", { note: "[removed]" });
  fake.withhold("app.*withheld", (data) => ({ ...(data as object), iban: "[removed]" }));
  const { fetch, lose, heal } = line(fake.fetch);
  const { timing } = hurried();
  return {
    fake,
    lose,
    heal,
    client: (options = {}) => new Toolgate({ timing, ...options, url: "http://gate.test", key: "fake", fetch }),
    approve: async (outcome) => fake.approve(outcome),
    reject: async (outcome, reason) => fake.reject(outcome, reason),
  };
}

/** The gate that the environment names, and a person's token. */
export function realWorld(): World {
  const person = process.env["TOOLGATE_PERSON"];
  assert.ok(person, "TOOLGATE_PERSON is the token of somebody who may approve");
  const { fetch, lose, heal } = line(globalThis.fetch);
  const decide = async ({ approval }: Pending, decision: string, reason: string) => {
    const body = JSON.stringify({ digest: approval.digest, decision, reason });
    const headers = { Authorization: `Bearer ${person}`, "Content-Type": "application/json" };
    const url = `${process.env["TOOLGATE_URL"]}/v1/approvals/${approval.id}/decision`;
    const answer = await globalThis.fetch(url, { method: "POST", headers, body });
    assert.equal(answer.status, 200, await answer.text());
  };
  return {
    lose,
    heal,
    client: (options = {}) => new Toolgate({ ...options, fetch }),
    approve: (outcome) => decide(outcome, "approve", "checked"),
    reject: (outcome, reason) => decide(outcome, "deny", reason),
  };
}

/** A clock whose pauses are over at once, and count. */
export function hurried(): { timing: NonNullable<ToolgateOptions["timing"]>; slept: number[] } {
  const slept: number[] = [];
  let skipped = 0;
  const sleep = async (ms: number) => {
    slept.push(ms);
    skipped += ms;
  };
  return { slept, timing: { now: () => performance.now() + skipped, sleep } };
}

/** The outcome, if it is of this kind. */
export function a<K extends Outcome["kind"]>(kind: K, outcome: Outcome): Extract<Outcome, { kind: K }> {
  assert.equal(outcome.kind, kind, JSON.stringify(outcome, (name, value) => (name === "cause" ? String(value) : value)));
  return outcome as Extract<Outcome, { kind: K }>;
}

/** A charge that no other test uses. */
export function mark(): string {
  return `ch_${crypto.randomUUID().slice(0, 13)}`;
}

/** The function that fails for lack of a person. */
export function never(): never {
  throw new assert.AssertionError({ message: "this must not run" });
}
