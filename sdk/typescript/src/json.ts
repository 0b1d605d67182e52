/**
 * Plain JSON: what can be judged, compared and sent.
 *
 *     plain(new Date(0))                  "1970-01-01T00:00:00.000Z"
 *     same({ a: 1, b: 2 }, { b: 2, a: 1 })     true
 *     schemaOf(z.object({ charge: z.string() }))   {"type": "object", …}
 *
 * Must not know: gates, calls, frameworks.
 */

/** A JSON Schema document, as far as this package cares. */
export type JsonSchema = { readonly [key: string]: unknown };

/** A schema that can say itself as JSON Schema: zod 4.2 and later, ArkType, Valibot and others. */
export type StandardJsonSchema = {
  readonly "~standard": {
    readonly version: number;
    readonly vendor: string;
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => Record<string, unknown> };
  };
};

/** The arguments of a tool: one object. */
export type Arguments = { readonly [key: string]: unknown };

/** The same value as JSON says it. Throws a `TypeError` for what JSON cannot say: cycles, big integers. */
export function plain(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined ? null : JSON.parse(text);
}

/** Whether two values are the same JSON; the order of members says nothing. */
export function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (!isObject(left) || !isObject(right) || Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]));
}

/** Whether a value is an object or an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Arguments as one JSON object. */
export function argumentsOf(value: unknown): Arguments {
  const written = plain(value ?? {});
  if (isObject(written) && !Array.isArray(written)) return written;
  throw new TypeError("the arguments of a tool are one object: wrap a single value, `{ input: value }`");
}

/** A schema as JSON Schema, from whatever says it. */
export function schemaOf(schema: unknown, tool: string): JsonSchema {
  if (isStandard(schema)) {
    const written = schema["~standard"].jsonSchema?.input({ target: "draft-2020-12" });
    if (written) return written;
    const vendor = schema["~standard"].vendor;
    throw new TypeError(`the schema of \`${tool}\` (${vendor}) cannot say itself as JSON Schema: pass a JSON Schema object, or use zod 4.2 or later`);
  }
  if (isObject(schema) && !Array.isArray(schema)) return schema;
  throw new TypeError(`the schema of \`${tool}\` is neither a JSON Schema object nor a Standard JSON Schema`);
}

function isStandard(schema: unknown): schema is StandardJsonSchema {
  return (typeof schema === "object" || typeof schema === "function") && schema !== null && "~standard" in schema;
}
