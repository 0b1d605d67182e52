/** The list of conformance, against the fake gate; and against the real one where TOOLGATE_PERSON says that there is one. */

import { test } from "node:test";

import { CONFORMANCE } from "./conformance.js";
import { fakeWorld, realWorld } from "./world.js";

const real = process.env["TOOLGATE_PERSON"] !== undefined;
for (const [name, run] of Object.entries(CONFORMANCE)) {
  test(`${real ? "the gate" : "the fake"}: ${name}`, () => run(real ? realWorld() : fakeWorld()));
}
