#!/usr/bin/env node
/**
 * What the TypeScript client costs: one call through it beside a bare `fetch` of the same bodies, and its sizes.
 *
 *     node bench/sdk/typescript.mjs PACKAGE      the compiled package: `sdk/typescript` after `npm run build`
 *
 * The gate here is a process of its own that answers at once with an envelope as the gate writes it, so what is measured
 * is the client alone: median time, and processor time of this process. Rounds alternate, so that a busy machine slows both.
 */

import { execFileSync, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const CALLS = 1_000; // a round
const ROUNDS = 7;
const ENVELOPE = {
  invocation_id: "inv_019770cd8a48700080000000000000a1", capability_id: "app.refund", capability_version: "", correlation: { correlation_id: null },
  outcome: "success", success: true, data: { refunded: 12 }, error: null, denial: null,
  decision: { verdict: "allow", policy_version: `sha256:${"0".repeat(64)}`, rules: ["refunds/small"], matched: [], obligations: [], risk: "low", risk_score: 0.1, sanitized: [], evaluated_at: "2026-01-01T00:00:00.000Z" },
  inspection: null, status: "succeeded", replayed: false, duplicate_of: null, reconciled: false, attempts: 1,
  evidence_ids: ["evt_019770cd8a48700080000000000000a2"], started_at: "2026-01-01T00:00:00.000Z", completed_at: "2026-01-01T00:00:00.004Z",
};
const LEASED = { ...ENVELOPE, outcome: "indeterminate", success: false, data: null, status: "executing", completed_at: null, lease: { attempt: 1, expires_at: "2026-01-01T00:00:25.000Z" }, arguments: { charge: "ch_1" } };
const ARGUMENTS = { charge: "ch_1" };

if (process.send) serve();
else await measure(resolve(process.argv[2] ?? "sdk/typescript"));

/** Answers as the gate does, at once. */
function serve() {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const tools = request.url.endsWith("/tools") && { source: "app", tools: [{ id: "app.refund", name: "refund", state: "active", reason: null }] };
      const answer = tools || (body.includes('"mode":"host"') ? LEASED : ENVELOPE);
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
}

async function measure(home) {
  const { Toolgate } = await import(pathToFileURL(join(home, "dist/index.js")).href);
  const child = fork(fileURLToPath(import.meta.url));
  const port = await new Promise((resolve) => child.once("message", resolve));
  const url = `http://127.0.0.1:${port}`;
  const gate = new Toolgate({ url, key: "bench" });
  const refund = gate.guard("refund", { risk: "low" }, async () => ({ refunded: 12 }));
  const bare = (path, body) => async () => {
    const headers = { Authorization: "Bearer bench", "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
    return (await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  };
  const propose = (mode) => bare("/v1/invocations", { tool: "app.refund", arguments: ARGUMENTS, mode });
  const report = bare("/v1/invocations/inv_1/outcome", { attempt: 1, status: "succeeded", data: { refunded: 12 } });
  const host = propose("host");
  const ways = {
    "one request, bare `fetch`": propose("execute"),
    "`gate.call`": () => gate.call("app.refund", ARGUMENTS),
    "two requests, bare `fetch`": async () => { await host(); await report(); },
    "a guarded function": () => refund(ARGUMENTS),
  };
  try {
    table(await rounds(ways));
    sizes(home);
  } finally {
    child.kill();
  }
}

async function rounds(ways) {
  const seen = Object.fromEntries(Object.keys(ways).map((name) => [name, { times: [], cpu: [] }]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, call] of Object.entries(ways)) {
      const before = process.cpuUsage();
      const times = [];
      for (let count = 0; count < CALLS; count += 1) {
        const began = performance.now();
        await call();
        times.push(performance.now() - began);
      }
      const used = process.cpuUsage(before);
      if (round === 0) continue; // the first warms up
      seen[name].times.push(...times);
      seen[name].cpu.push((used.user + used.system) / CALLS);
    }
  }
  return seen;
}

function table(seen) {
  console.log(`| one call (Node ${process.version}) | median µs | processor µs |\n|---|---|---|`);
  for (const [name, { times, cpu }] of Object.entries(seen)) {
    console.log(`| ${name} | ${Math.round(median(times) * 1000)} | ${Math.round(median(cpu))} |`);
  }
}

function median(values) {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];
}

function sizes(home) {
  const { exports } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  console.log("\n| what is loaded | bytes | compressed |\n|---|---|---|");
  for (const [name, to] of Object.entries(exports)) {
    if (typeof to === "string") continue;
    const text = Buffer.concat([...loaded(join(home, to.default))].map((file) => readFileSync(file)));
    console.log(`| \`${name.replace(".", "toolgate")}\` | ${text.length} | ${gzipSync(text, { level: 9 }).length} |`);
  }
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: home, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  console.log(`| the package, with types, README and licence | ${packed.unpackedSize} | ${packed.size} |`);
}

/** A module and all of the package that it imports. */
function loaded(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name] of readFileSync(file, "utf8").matchAll(/from "(\.\/[^"]+)"/g)) loaded(join(dirname(file), name), seen);
  return seen;
}
