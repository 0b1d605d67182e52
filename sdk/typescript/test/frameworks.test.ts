/** Agents of the three frameworks, against the fake gate; and against the real one where TOOLGATE_PERSON says so. */

import { test } from "node:test";

import { AI_SDK } from "./ai.js";
import { LANGCHAIN } from "./langchain.js";
import { OPENAI_AGENTS } from "./openai-agents.js";
import { fakeWorld, realWorld } from "./world.js";

const real = process.env["TOOLGATE_PERSON"] !== undefined;
for (const [name, run] of Object.entries({ ...AI_SDK, ...OPENAI_AGENTS, ...LANGCHAIN })) {
  test(`${real ? "the gate" : "the fake"}: ${name}`, () => run(real ? realWorld() : fakeWorld()));
}
