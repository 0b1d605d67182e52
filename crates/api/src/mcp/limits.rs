//! Bounds of the MCP face: one line a limit, each with its unit and why it is that number.
//!
//! Bytes, depth and string length of a message are the API's own [`crate::Limits`]; what stands
//! here is only about MCP. Reaching a limit is always an answer, never a hang.
//!
//! Must not know: who reaches them.

use toolgate_model::Duration;

/// LIMIT: open legacy sessions of one credential. Clients that never say goodbye lose their
/// oldest idle session first, so that they can always come back.
pub(super) const SESSIONS_PER_CREDENTIAL_MAX: usize = 64;

/// LIMIT: how long a legacy session may be silent. Clients begin again on 404.
pub(super) const SESSION_IDLE_MAX: Duration = Duration::from_secs(30 * 60);

/// LIMIT: requests of one session (or one stdio connection) that have not been answered yet.
pub(super) const REQUESTS_IN_FLIGHT_MAX: usize = 256;

/// LIMIT: things that the client of one session (or stdio connection) was asked and has not
/// answered.
pub(super) const QUESTIONS_OPEN_MAX: usize = 64;

/// LIMIT: rounds of one credential that wait for the client's retry.
pub(super) const PARKED_PER_CREDENTIAL_MAX: usize = 64;

/// LIMIT: rounds of all credentials that wait for a retry; each holds a call and what it asked.
pub(super) const PARKED_MAX: usize = 1_024;

/// LIMIT: how long a client may take for an answer: people fill in forms, and an abandoned one
/// holds its server up no longer.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(15 * 60);

/// LIMIT: how long a call that is not allowed any more may take to end before its caller is told.
pub(super) const FORBIDDEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// LIMIT: tool calls of one credential that have not been answered yet, over all its sessions.
pub(super) const CALLS_PER_CREDENTIAL_MAX: usize = 1_024;

/// LIMIT: change streams of one credential, of both eras.
pub(super) const SUBSCRIPTIONS_PER_CREDENTIAL_MAX: usize = 64;

/// LIMIT: messages of one batch; batches exist in one old revision only.
pub(super) const BATCH_MESSAGES_MAX: usize = 32;

/// LIMIT: bytes of all headers of one request.
pub(super) const HEADER_BYTES_MAX: usize = 16 << 10;

/// LIMIT: how long a request body may take to arrive, against clients that drip.
pub(super) const BODY_READ_MAX: Duration = Duration::from_secs(30);

/// LIMIT: bytes of one trace context entry; the W3C asks for 8192 of a `baggage`.
pub(super) const TRACE_BYTES_MAX: usize = 8_192;

/// LIMIT: bytes of what a client sends along for the tool in `_meta`, beside trace context.
pub(super) const META_BYTES_MAX: usize = 16 << 10;

/// LIMIT: bytes of the entries on one page of a list; one entry always fits.
pub(super) const PAGE_BYTES_MAX: usize = 4 << 20;

/// LIMIT: bytes of what servers tell models about themselves, all together; what comes beyond that
/// is left out whole.
pub(super) const INSTRUCTIONS_BYTES_MAX: usize = 16 << 10;

/// LIMIT: resources that one listener follows at once.
pub(super) const RESOURCES_FOLLOWED_MAX: usize = 128;

/// LIMIT: updates of resources that wait for a slow listener; of one resource only one waits.
pub(super) const UPDATES_WAITING_MAX: usize = 256;

/// LIMIT: tasks that one listener follows at once.
pub(super) const TASKS_FOLLOWED_MAX: usize = 32;

/// LIMIT: notifications that wait for a slow reader of one request; more progress is dropped.
pub(super) const NOTIFICATIONS_QUEUED_MAX: usize = 64;

/// LIMIT: events of one legacy stream that are kept for a client that comes back; one that is
/// further behind begins anew.
pub(super) const TAPE_EVENTS_MAX: usize = 256;

/// LIMIT: legacy streams of one session that are kept after their end.
pub(super) const TAPES_ENDED_MAX: usize = 64;

/// LIMIT: bytes of them; the newest is always kept.
pub(super) const TAPES_BYTES_MAX: usize = 1 << 20;

/// How long the answer to a legacy request may take before it is told on a stream that can be gone
/// on with: a call that takes longer may lose its client.
pub(super) const STREAM_AFTER: Duration = Duration::from_millis(50);

/// How long a legacy client should wait before it comes back to a stream that broke.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// LIMIT: messages that wait for a slow reader of a stdio connection; then work waits too.
pub(super) const LINES_QUEUED_MAX: usize = 64;

/// LIMIT: characters that are shown of what a caller named.
pub(super) const NAME_SHOWN_MAX: usize = 128;

/// How long a quiet stream waits before a comment keeps it open; proxies give up after 30 to 60 s.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often a task is looked at while its server may say something of it.
pub(super) const TALK_TICK: Duration = Duration::from_secs(1);

/// How often a waiting caller hears that it still waits; clients count their time-outs from it.
pub(super) const WAITING_TICK: Duration = Duration::from_secs(5);

/// How long changes are collected before listeners hear of them: a start-up is many changes.
pub(super) const CHANGE_DEBOUNCE: Duration = Duration::from_millis(100);

/// LIMIT: how long calls that are under way may go on after their stdio connection has closed.
pub(super) const STDIO_DRAIN_MAX: Duration = Duration::from_secs(5);
