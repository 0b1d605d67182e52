//! The refund desk as a process of its own.
//!
//! `refund-desk --listen 127.0.0.1:0 --ledger desk.jsonl` prints where it listens, as one line
//! of JSON; `refund-desk --stdio --ledger desk.jsonl` speaks MCP on its standard streams.

use std::process::ExitCode;

fn main() -> ExitCode {
    toolgate_testkit::desk::main_with(std::env::args_os())
}
