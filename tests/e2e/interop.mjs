// Drives one MCP server with one of the official TypeScript clients and prints what it saw.
//
// Standard input: {client: "v1" | "v2-legacy" | "v2-auto", target: {url, token} | {command, args},
// calls: [{name, arguments}]}. Standard output: {version, tools, results: [{result} | {error}]}.
// Must not know: whether a gate stands in between.

import { readFileSync } from 'node:fs';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const { client: kind, target, calls } = JSON.parse(readFileSync(0, 'utf8'));
const name = { name: 'toolgate-e2e', version: '1.0.0' };
const [Client, Http, Stdio, options] = {
  v1: [ClientV1, HttpV1, StdioV1, {}],
  'v2-legacy': [ClientV2, HttpV2, StdioV2, { versionNegotiation: { mode: 'legacy' } }],
  'v2-auto': [ClientV2, HttpV2, StdioV2, { versionNegotiation: { mode: 'auto' } }],
}[kind];

function transport() {
  if (target.command) return new Stdio({ command: target.command, args: target.args, env: target.env, stderr: 'ignore' });
  const headers = target.token ? { Authorization: `Bearer ${target.token}` } : {};
  return new Http(new URL(target.url), { requestInit: { headers } });
}

async function allTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : {});
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor);
  return tools;
}

async function called(client, call) {
  try {
    return { result: await client.callTool(call) };
  } catch (error) {
    return { error: { code: error.code ?? null, message: String(error.message) } };
  }
}

const client = new Client(name, options);
await client.connect(transport());
const tools = await allTools(client);
const results = [];
for (const call of calls) results.push(await called(client, call));
const version = client.getNegotiatedProtocolVersion?.() ?? null;
await client.close();
console.log(JSON.stringify({ version, tools, results }));
process.exit(0);
