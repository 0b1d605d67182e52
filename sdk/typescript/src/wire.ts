/**
 * What travels between the gate and its callers, as its OpenAPI document describes it.
 *
 * Written by `scripts/wire.mjs` from `docs/reference/openapi.json`; a test fails where both differ.
 */

/** Why a call failed, or why nobody can know whether it did. */
export type CallError = {
  /** `tool_error`, `upstream_unavailable`, `invalid_result` or `unknown_effect`. */
  code: string;
  /** Facts beside it. */
  details: Record<string, unknown>;
  /** One sentence. */
  message: string;
};

/** What a call belongs to. */
export type Correlation = {
  /** The caller's name for it. */
  correlation_id?: string | null;
};

/** How a call was decided. */
export type Decision = {
  /** When it was decided. */
  evaluated_at: string;
  /** Every rule that matched, also those that are only watched. */
  matched: Array<Record<string, unknown>>;
  /** What execution owes. */
  obligations: Array<string>;
  /** The digest of the policy set in force. */
  policy_version?: string | null;
  /** The tool's risk. */
  risk?: string | null;
  /** The finer rating, 0.0 to 1.0. */
  risk_score?: number | null;
  /** The enforced rules that matched, the one that is named first in importance. */
  rules: Array<string>;
  /** What was replaced in the arguments: type and place, never the value. */
  sanitized: Array<Record<string, unknown>>;
  /** `allow`, `sanitize`, `require_approval` or `deny`. */
  verdict: string;
};

/** A refusal as data. */
export type Denial = {
  /** The stable code. */
  code: string;
  /** Facts beside it: rule, approval, digest, what to do. */
  details: Record<string, unknown>;
  /** One sentence for the caller. */
  message: string;
  /** Whether the same call may succeed later without being changed. */
  retryable: boolean;
};

/** One complaint about a policy: what, where, and how to mend it. */
export type Diagnostic = {
  /** A stable code such as `P021`. */
  code: string;
  /** The document it stands in. */
  file: string;
  /** How to mend it. */
  help?: string | null;
  /** What is wrong. */
  message: string;
  /** JSON pointer of the part. */
  path: string;
  /** Further places. */
  related: Array<Label>;
  /** Whether it keeps the policy from loading. */
  severity: string;
  span?: Span | null;
};

/** The answer to one call, whatever became of it. */
export type Envelope = {
  /** With a lease: the arguments as they were judged, which are the ones to run with. */
  arguments?: Record<string, unknown> | null;
  /** How many attempts were admitted. */
  attempts: number;
  /** The tool. */
  capability_id: string;
  /** Its version; empty where there is no such tool. */
  capability_version: string;
  /** When it ended. */
  completed_at?: string | null;
  /** What the call belongs to. */
  correlation: Correlation;
  /** What the tool answered. */
  data: unknown;
  /** How it was decided. */
  decision: Decision;
  denial?: Denial | null;
  /** The earlier identical call that this one joined. */
  duplicate_of?: string | null;
  error?: CallError | null;
  /** The records of it. */
  evidence_ids: Array<string>;
  inspection?: Inspection | null;
  /** The gate's durable life of this call. */
  invocation_id: string;
  lease?: Lease | null;
  /** `success`, `failure`, `denied`, `skipped` (the tool is disabled) or `indeterminate` (running, or an effect that nobody can know of yet). */
  outcome: string;
  /** Whether live state told what became of the call, because its answer was lost; `data` is then what was read. */
  reconciled: boolean;
  /** Whether an earlier call with the same idempotency key is answered again. */
  replayed: boolean;
  request?: JudgedRequest | null;
  /** When the last attempt was admitted. */
  started_at?: string | null;
  /** The state of the invocation. */
  status: string;
  /** Whether the outcome is `success`. */
  success: boolean;
};

/** One place of a request that is wrong. */
export type Fault = {
  /** What is wrong there. */
  detail: string;
  /** How to mend it. */
  help?: string | null;
  /** JSON pointer into the body. */
  pointer: string;
};

/** A tool that its program runs itself. What is stated here is taken as it is from a trusted host; from anybody else it may only make the tool look more dangerous. */
export type HostTool = {
  /** Well-known attributes made from arguments: `{"path": "args.file_path"}`. */
  attributes?: Record<string, string>;
  /** A tag such as `billing`. */
  category?: string | null;
  /** What it says of itself. */
  description?: string | null;
  /** Whether a call may leave a trace: `some` or `none`. */
  effect?: string | null;
  /** JSON Schema of its arguments. */
  input_schema?: Record<string, unknown> | null;
  /** Its name within the source. */
  name: string;
  /** How its resource is made from the arguments: `customer:{args.customer}`. */
  resource?: string | null;
  /** `low`, `medium`, `high` or `critical`. */
  risk?: string | null;
  /** How long one run may take, in milliseconds. */
  timeout_ms?: number | null;
  /** `READ`, `WRITE`, `DELETE` or `ADMIN`. */
  verb?: string | null;
  /** Its version. */
  version?: string | null;
};

/** A raw HTTP request. */
export type HttpRequest = {
  /** A text is the body as it is; anything else is written as JSON. None: no body. */
  body?: unknown;
  /** By name, in any letter case. */
  headers?: Record<string, string>;
  /** `GET`, `POST`, … */
  method: string;
  /** Absolute, `https` or `http`. */
  url: string;
};

/** What was found in an answer. */
export type Inspection = {
  /** Classes of data in it. */
  data_class: Array<string>;
  /** Whether outsiders can write some of it. */
  external: boolean;
  /** The rules about results that matched, as `document/rule`. */
  rules: Array<string>;
  /** What was replaced: type and place, never the value. */
  sanitized: Array<Record<string, unknown>>;
  /** Signs that it speaks to the model: `instructions`, `hidden_text`. */
  signals: Array<string>;
  withheld?: Denial | null;
};

/** One proposed use of a tool. */
export type InvocationRequest = {
  /** That a second identical call is meant. */
  allow_duplicate?: boolean;
  /** The arguments. None: `{}`. */
  arguments?: Record<string, unknown> | null;
  /** The caller's name for what belongs together. */
  correlation_id?: string | null;
  /** The environment. Where the credential fixes one, it may be left out. */
  env?: string | null;
  http?: HttpRequest | null;
  /** Why, in the agent's own words. Approvers see it marked as such. */
  justification?: string | null;
  /** `execute`: the gate runs the tool. `host`: the caller runs it once it is allowed, under a lease, and reports what came of it. `decide`: a verdict only, recorded. `simulate`: a verdict only, nothing recorded. */
  mode?: string | null;
  on_behalf_of?: OnBehalfOf | null;
  /** The resource, `type:id`. Where the arguments name one, both must agree. */
  resource?: string | null;
  /** The caller's name for its session. */
  session_id?: string | null;
  /** How long the attempt may take, in milliseconds, if shorter than the tool's own bound. */
  timeout_ms?: number | null;
  /** The tool's full name, `{source}.{operation}`. Required, unless `http` is given. */
  tool?: string | null;
  trigger?: Trigger | null;
  /** The user's own words. Accepted from a trusted host only. */
  user_request?: string | null;
  /** Which version of it, if that matters. */
  version?: string | null;
  /** How long to wait for an approval, in milliseconds, before it is answered as pending. */
  wait_ms?: number | null;
  /** The workflow. Where the credential fixes one, it may be left out. */
  workflow?: string | null;
};

/** The request that may be sent, rebuilt from what was judged. */
export type JudgedRequest = {
  /** The body. */
  body?: unknown;
  /** The headers that are sent; those that are credentials are the caller's own to add. */
  headers: Record<string, string>;
  /** The method. */
  method: string;
  /** The address in its canonical form. */
  url: string;
  /** What the given request had and this one has not, by name: `header authorization`. */
  withheld: Array<string>;
};

/** A second place that belongs to the complaint. */
export type Label = {
  /** What is to be seen there. */
  message: string;
  /** Where. */
  span: Span;
};

/** That a host may run a call, once. */
export type Lease = {
  /** The attempt to report on. */
  attempt: number;
  /** From when on silence is an unknown effect. */
  expires_at: string;
};

/** A user, as a trusted host names them. */
export type OnBehalfOf = {
  /** The groups that they belong to. */
  groups?: Array<string>;
  /** Their name, usually an address. */
  id: string;
};

/** What came of a call that its caller ran. */
export type OutcomeReport = {
  /** The attempt of the lease. */
  attempt: number;
  /** What the function returned. */
  data?: unknown;
  error?: ReportedError | null;
  /** Whether the effect is there, is not, or nobody can say. */
  status: ReportedStatus;
};

/** A problem with a request (RFC 9457, `application/problem+json`). */
export type Problem = {
  /** The stable code. */
  code: string;
  /** What is wrong this time. */
  detail: string;
  /** For policies: everything that was found, with its place in the text. */
  diagnostics?: Array<Diagnostic>;
  /** The places that are wrong. */
  errors: Array<Fault>;
  /** Names this request in the gate's log. */
  request_id: string;
  /** The HTTP status. */
  status: number;
  /** What it is, the same for every occurrence. */
  title: string;
  /** A URL that says more about this kind of problem. */
  type: string;
};

/** One registered tool. */
export type RegisteredTool = {
  /** Its full name; none where there can be no such name. */
  id?: string | null;
  /** Its name as given. */
  name: string;
  /** Why it is not active. */
  reason?: string | null;
  /** `active`; `held` until a person has reviewed its definition; or `unavailable`. */
  state: string;
};

/** What became of a registration. */
export type RegisteredTools = {
  /** The source. */
  source: string;
  /** Each tool, in the order in which they were given. */
  tools: Array<RegisteredTool>;
};

/** Why a call failed that its caller ran. */
export type ReportedError = {
  /** `tool_error`, `upstream_unavailable` or `invalid_result`. */
  code?: string | null;
  /** One sentence. */
  message: string;
};

/** How a call ended that its caller ran. */
export type ReportedStatus = "succeeded" | "failed" | "unknown";

/** A place in a text. */
export type Span = {
  /** Column in characters, from 1. */
  column: number;
  /** Byte after the last. */
  end: number;
  /** Line, from 1. */
  line: number;
  /** First byte. */
  start: number;
};

/** A tool. */
export type Tool = {
  /** A tag such as `issues`. */
  category?: string | null;
  /** What is verified before it runs and looked for after its answer was lost, for people. */
  checks?: Record<string, unknown> | null;
  /** What its source says about it; nobody checked it. */
  description?: string | null;
  /** What an approval pins: the digest of all of it. */
  digest: string;
  /** Whether a call may leave a trace: `some` or `none`. */
  effect: string;
  /** Why it cannot be called although it is there, for people. */
  faults?: Array<string>;
  /** How its source is doing, for people: `starting`, `up` or `down`. */
  health?: string | null;
  /** Whether its calls are denied and models are not shown it until somebody reviews it, for people. */
  held?: boolean | null;
  /** Its full name, `{source}.{operation}`. */
  id: string;
  /** JSON Schema of the arguments. */
  input_schema?: Record<string, unknown> | null;
  /** `declared`, `active`, `deprecated` or `disabled`. */
  lifecycle: string;
  /** What the loss of an answer can lead to: `read`, `idempotent`, `checkable` or `irreversible`. */
  recovery: string;
  /** How the resource is made from the arguments. */
  resource?: string | null;
  /** How it stands against the definition that was reviewed, for people: `accepted`, `changed`, `disabled` or `unpinned`. */
  review?: string | null;
  /** How much harm one call can do. */
  risk: string;
  /** Why it is rated so. */
  risk_reason: string;
  /** The finer rating. */
  risk_score: number;
  /** The source that it comes from. */
  source: string;
  /** How long one attempt may take. */
  timeout: string;
  /** What it does to its resource: `READ`, `WRITE`, `DELETE` or `ADMIN`. */
  verb: string;
  /** Its version. */
  version: string;
  /** The name that MCP clients see. */
  wire_name: string;
};

/** The event that an agent says it acts on. */
export type Trigger = {
  /** Its id there. */
  id: string;
  /** Which system says it happened. */
  source: string;
};
