//! The proxy that loses answers, as a process of its own.
//!
//! `faulty-proxy --to 127.0.0.1:9000` prints where it listens, as one line of JSON, and takes one
//! command a line: `{"arm":{"fault":"after","times":1}}`.

use std::process::ExitCode;

fn main() -> ExitCode {
    toolgate_testkit::proxy::main_with(std::env::args_os())
}
