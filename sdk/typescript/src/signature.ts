/**
 * Signatures of Standard Webhooks 1.0: `v1,` and the base64 of an HMAC-SHA256 over `{id}.{timestamp}.{body}`.
 *
 *     const id = await new Seal(secret).verify(headers, body, { now, windowSeconds: 300 });
 *
 * What the gate sends to endpoints and to plugins is signed so, and so are the answers of plugins.
 * Must not know: what a message says.
 */

/** LIMIT: signatures of one message that are looked at; a change of secrets needs two. */
const SIGNATURES_MAX = 8;
/** LIMIT: two, the one that comes and the one that goes. */
const SECRETS_MAX = 2;
/** LIMIT: the specification asks for 24 to 64 bytes. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const PREFIX = "whsec_";

/** Bytes as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A message that nobody who knows the secret has sent just now. */
export class Unverified extends Error {
  override readonly name: string = "Unverified";
}

/** Signs and checks with shared secrets. */
export class Seal {
  readonly #keys: Promise<readonly CryptoKey[]>;

  /** `text`: `whsec_` and base64; while a secret is changed the new and the old one, with a space between. */
  constructor(text: string) {
    const written = text.split(/\s+/).filter((one) => one !== "");
    if (written.length < 1 || written.length > SECRETS_MAX) {
      throw new TypeError(`there are ${written.length} secrets: give one, or the new and the old one`);
    }
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const keys = written.map(keyOf).map((key) => crypto.subtle.importKey("raw", key, algorithm, false, ["sign", "verify"]));
    this.#keys = Promise.all(keys);
  }

  /** The value of `webhook-signature`. */
  async sign(id: string, timestamp: number, body: Bytes): Promise<string> {
    const content = contentOf(id, timestamp, body);
    const all = (await this.#keys).map(async (key) => new Uint8Array(await crypto.subtle.sign("HMAC", key, content)));
    return (await Promise.all(all)).map((digest) => `v1,${base64(digest)}`).join(" ");
  }

  /** The id of a message that one of the secrets signed within the window. Throws `Unverified`. */
  async verify(headers: Headers, body: Bytes, fresh: { now: number; windowSeconds: number }): Promise<string> {
    const [id, time, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers.get(name));
    if (!id || !time || !signature || !/^\d{1,15}$/.test(time)) throw new Unverified("it is not signed");
    if (Math.abs(fresh.now - Number(time)) > fresh.windowSeconds) {
      throw new Unverified(`its time is more than ${fresh.windowSeconds} seconds away from now: check both clocks, or it is a replay`);
    }
    const content = contentOf(id, Number(time), body);
    const given = signature.split(/\s+/).slice(0, SIGNATURES_MAX);
    const digests = given.filter((one) => one.startsWith("v1,")).map((one) => bytesOf(one.slice(3)));
    for (const key of await this.#keys) {
      for (const digest of digests) {
        // Compares in constant time by its definition.
        if (digest !== undefined && (await crypto.subtle.verify("HMAC", key, digest, content))) return id;
      }
    }
    throw new Unverified("it is not signed with the shared secret");
  }
}

/** Bytes as base64 writes them. */
export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function contentOf(id: string, timestamp: number, body: Bytes): Bytes {
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

function keyOf(text: string): Bytes {
  const key = text.startsWith(PREFIX) ? bytesOf(text.slice(PREFIX.length)) : undefined;
  if (key === undefined || key.length < SECRET_BYTES_MIN || key.length > SECRET_BYTES_MAX) {
    throw new TypeError(
      `a secret is \`${PREFIX}\` and base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes: make one with \`openssl rand -base64 32\``,
    );
  }
  return key;
}

function bytesOf(text: string): Bytes | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
