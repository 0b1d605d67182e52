/**
 * A plugin written with the TypeScript package, served by Node, with a ledger beside it.
 *
 *     node note_plugin.mjs PACKAGE HOME [PORT]
 *
 * PACKAGE is the compiled `plugin.js`, HOME holds the secret, the ledger and, once a test wants it to
 * die after its effect, a file `die`. Prints the port that it listens on. Must not know the gate.
 */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , where, home, port = "0"] = process.argv;
const { Plugin, NotExecuted, Refused } = await import(pathToFileURL(where).href);
const ledger = path.join(home, "ledger.jsonl");

const lines = () => (fs.existsSync(ledger) ? fs.readFileSync(ledger, "utf8").trim().split("\n").map((line) => JSON.parse(line)) : []);
const written = (call) => lines().map((line) => line.effect.note).find((note) => note.invocation === call.invocationId);

const plugin = new Plugin({ provider: "notes", secret: fs.readFileSync(path.join(home, "secret"), "utf8"), version: "3.0.0" });

plugin.action({
  id: "add_note",
  label: "Add a note",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"], additionalProperties: false },
  authorize: (call) => {
    if (call.arguments.text === "forbidden") throw new Refused("no such word here");
  },
  execute: (call) => {
    if (call.arguments.text === "") throw new NotExecuted("there is nothing to note");
    const note = { invocation: call.invocationId, key: call.idempotencyKey, text: call.arguments.text, agent: call.context.agent };
    fs.appendFileSync(ledger, `${JSON.stringify({ effect: { note } })}\n`);
    if (fs.existsSync(path.join(home, "die"))) process.exit(1);
    return { message: "noted", data: note, effects: { add_comment: { content: call.arguments.text, is_public: false } } };
  },
  reflect: (call) => {
    const note = written(call);
    return { found: note !== undefined, data: note };
  },
});

const listening = await plugin.listen(Number(port));
console.log(listening.port);
