#!/usr/bin/env node
/**
 * Writes `src/wire.ts`: the types of what travels, from the gate's own OpenAPI document.
 *
 *     node scripts/wire.mjs             writes the file
 *     node scripts/wire.mjs --check     exit 1 where it differs
 *
 * Done at development time and committed, so that nothing is generated when the package is installed.
 * Must not know: what the client does with them.
 */

import { readFileSync, writeFileSync } from "node:fs";

/** What the client sends and reads; everything they refer to comes along. */
const ROOTS = ["Envelope", "HostTool", "InvocationRequest", "OutcomeReport", "Problem", "RegisteredTools", "Tool"];

const here = (path) => new URL(path, import.meta.url);
const document = process.env.TOOLGATE_OPENAPI ?? here("../../../docs/reference/openapi.json");
const target = here("../src/wire.ts");
const { schemas } = JSON.parse(readFileSync(document, "utf8")).components;

/** The names that a schema refers to. */
function referred(schema) {
  const found = [];
  JSON.stringify(schema, (key, value) => {
    if (key === "$ref") found.push(value.split("/").pop());
    return value;
  });
  return found;
}

function reachable() {
  const seen = new Set();
  const left = ROOTS.filter((name) => name in schemas);
  while (left.length > 0) {
    const name = left.pop();
    if (seen.has(name)) continue;
    seen.add(name);
    left.push(...referred(schemas[name]));
  }
  return [...seen].sort();
}

const PLAIN = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

/** A schema as a type. What says nothing about its type is `unknown`, never `any`. */
function type(schema, indent) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((choice) => type(choice, indent)).join(" | ");
  if (schema.allOf) return schema.allOf.map((part) => type(part, indent)).join(" & ");
  const kinds = [schema.type ?? []].flat();
  return kinds.length === 0 ? "unknown" : kinds.map((kind) => named(kind, schema, indent)).join(" | ");
}

function named(kind, schema, indent) {
  if (kind === "array") return `Array<${type(schema.items ?? {}, indent)}>`;
  if (kind !== "object") return PLAIN[kind] ?? "unknown";
  if (schema.properties) return members(schema, indent);
  const rest = schema.additionalProperties;
  return `Record<string, ${rest ? type(rest, indent) : "unknown"}>`;
}

function members(schema, indent) {
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties).map(
    ([name, member]) => `${inner}${name}${required.has(name) ? "" : "?"}: ${type(member, inner)};\n`,
  );
  return `{\n${lines.join("")}${indent}}`;
}

const head = `/**
 * What travels between the gate and its callers, as its OpenAPI document describes it. What each field means
 * stands there.
 *
 * Written by \`scripts/wire.mjs\` from \`docs/reference/openapi.json\`; a test fails where both differ.
 */
`;
const body = reachable().map((name) => `\nexport type ${name} = ${type(schemas[name], "")};\n`);
const text = head + body.join("");

if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error("`src/wire.ts` is not what `docs/reference/openapi.json` says: run `npm run wire`");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
