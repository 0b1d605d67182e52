// Drives one MCP server with one of the official TypeScript clients and prints what it saw.
//
// Standard input: {client: "v1" | "v2-legacy" | "v2-auto", target: {url, token} | {command, args},
// asks: [[method, params]]}. Standard output: {version, answers: [{result} | {error}]}; a list is
// followed through all its pages. Must not know: whether a gate stands in between.

import { readFileSync } from 'node:fs';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';

const { client: kind, target, asks } = JSON.parse(readFileSync(0, 'utf8'));
const name = { name: 'toolgate-e2e', version: '1.0.0' };
const [Client, Http, Stdio, options] = {
  v1: [ClientV1, HttpV1, StdioV1, {}],
  'v2-legacy': [ClientV2, HttpV2, StdioV2, { versionNegotiation: { mode: 'legacy' } }],
  'v2-auto': [ClientV2, HttpV2, StdioV2, { versionNegotiation: { mode: 'auto' } }],
}[kind];

const METHODS = {
  'tools/list': (client) => pages((page) => client.listTools(page), 'tools'),
  'tools/call': (client, params) => client.callTool(params),
  'prompts/list': (client) => pages((page) => client.listPrompts(page), 'prompts'),
  'prompts/get': (client, params) => client.getPrompt(params),
  'resources/list': (client) => pages((page) => client.listResources(page), 'resources'),
  'resources/templates/list': (client) => pages((page) => client.listResourceTemplates(page), 'resourceTemplates'),
  'resources/read': (client, params) => client.readResource(params),
};

function transport() {
  if (target.command) return new Stdio({ command: target.command, args: target.args, env: target.env, stderr: 'ignore' });
  const headers = target.token ? { Authorization: `Bearer ${target.token}` } : {};
  return new Http(new URL(target.url), { requestInit: { headers } });
}

async function pages(list, key) {
  const found = [];
  let cursor;
  do {
    const page = await list(cursor ? { cursor } : {});
    found.push(...page[key]);
    cursor = page.nextCursor;
  } while (cursor);
  return { [key]: found };
}

async function answered(client, [method, params]) {
  try {
    return { result: await METHODS[method](client, params) };
  } catch (error) {
    return { error: { code: error.code ?? null, message: String(error.message) } };
  }
}

const client = new Client(name, options);
await client.connect(transport());
const answers = [];
for (const ask of asks) answers.push(await answered(client, ask));
const version = client.getNegotiatedProtocolVersion?.() ?? null;
await client.close();
console.log(JSON.stringify({ version, answers }));
process.exit(0);
