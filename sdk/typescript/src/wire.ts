/**
 * What travels between the gate and its callers, as its OpenAPI document describes it. What each field means
 * stands there.
 *
 * Written by `scripts/wire.mjs` from `docs/reference/openapi.json`; a test fails where both differ.
 */

export type CallError = {
  code: string;
  details: Record<string, unknown>;
  message: string;
};

export type Correlation = {
  correlation_id?: string | null;
};

export type Decision = {
  evaluated_at: string;
  matched: Array<Record<string, unknown>>;
  obligations: Array<string>;
  policy_version?: string | null;
  risk?: string | null;
  risk_score?: number | null;
  rules: Array<string>;
  sanitized: Array<Record<string, unknown>>;
  verdict: string;
};

export type Denial = {
  code: string;
  details: Record<string, unknown>;
  message: string;
  retryable: boolean;
};

export type Diagnostic = {
  code: string;
  file: string;
  help?: string | null;
  message: string;
  path: string;
  related: Array<Label>;
  severity: string;
  span?: Span | null;
};

export type Envelope = {
  arguments?: Record<string, unknown> | null;
  attempts: number;
  capability_id: string;
  capability_version: string;
  completed_at?: string | null;
  correlation: Correlation;
  data: unknown;
  decision: Decision;
  denial?: Denial | null;
  duplicate_of?: string | null;
  error?: CallError | null;
  evidence_ids: Array<string>;
  inspection?: Inspection | null;
  invocation_id: string;
  lease?: Lease | null;
  outcome: string;
  reconciled: boolean;
  replayed: boolean;
  request?: JudgedRequest | null;
  started_at?: string | null;
  status: string;
  success: boolean;
};

export type Fault = {
  detail: string;
  help?: string | null;
  pointer: string;
};

export type HostTool = {
  attributes?: Record<string, string>;
  category?: string | null;
  description?: string | null;
  effect?: string | null;
  input_schema?: Record<string, unknown> | null;
  name: string;
  resource?: string | null;
  risk?: string | null;
  timeout_ms?: number | null;
  verb?: string | null;
  version?: string | null;
};

export type HttpRequest = {
  body?: unknown;
  headers?: Record<string, string>;
  method: string;
  url: string;
};

export type Inspection = {
  data_class: Array<string>;
  external: boolean;
  rules: Array<string>;
  sanitized: Array<Record<string, unknown>>;
  signals: Array<string>;
  withheld?: Denial | null;
};

export type InvocationRequest = {
  allow_duplicate?: boolean;
  arguments?: Record<string, unknown> | null;
  correlation_id?: string | null;
  env?: string | null;
  http?: HttpRequest | null;
  justification?: string | null;
  mode?: string | null;
  on_behalf_of?: OnBehalfOf | null;
  resource?: string | null;
  session_id?: string | null;
  timeout_ms?: number | null;
  tool?: string | null;
  trigger?: Trigger | null;
  user_request?: string | null;
  version?: string | null;
  wait_ms?: number | null;
  workflow?: string | null;
};

export type JudgedRequest = {
  body?: unknown;
  headers: Record<string, string>;
  method: string;
  url: string;
  withheld: Array<string>;
};

export type Label = {
  message: string;
  span: Span;
};

export type Lease = {
  attempt: number;
  expires_at: string;
};

export type OnBehalfOf = {
  groups?: Array<string>;
  id: string;
};

export type OutcomeReport = {
  attempt: number;
  data?: unknown;
  error?: ReportedError | null;
  status: ReportedStatus;
};

export type Problem = {
  code: string;
  detail: string;
  diagnostics?: Array<Diagnostic>;
  errors: Array<Fault>;
  request_id: string;
  status: number;
  title: string;
  type: string;
};

export type RegisteredTool = {
  id?: string | null;
  name: string;
  reason?: string | null;
  state: string;
};

export type RegisteredTools = {
  source: string;
  tools: Array<RegisteredTool>;
};

export type ReportedError = {
  code?: string | null;
  message: string;
};

export type ReportedStatus = "succeeded" | "failed" | "unknown";

export type Span = {
  column: number;
  end: number;
  line: number;
  start: number;
};

export type Tool = {
  action?: string | null;
  category?: string | null;
  checks?: Record<string, unknown> | null;
  description?: string | null;
  digest: string;
  effect: string;
  faults?: Array<string>;
  health?: string | null;
  held?: boolean | null;
  id: string;
  input_schema?: Record<string, unknown> | null;
  lifecycle: string;
  method?: string | null;
  posture?: string | null;
  recovery: string;
  resource?: string | null;
  review?: string | null;
  risk: string;
  risk_reason: string;
  risk_score: number;
  route?: string | null;
  runner: string;
  source: string;
  timeout: string;
  verb: string;
  version: string;
  wire_name: string;
};

export type Trigger = {
  id: string;
  source: string;
};
