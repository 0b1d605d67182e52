//! How the process ends: the exit codes of 4-interfaces, part 1, the same for every command.
//!
//! A script may read the answer from the code alone: `toolgate eval -f call.json` ends with 0
//! where the call is allowed, 5 where it is denied, 6 where people must approve it first.
//! INVARIANT: whatever could not be evaluated never ends with 0; held by `fault`'s own codes.
//!
//! Must not know: messages.

use std::process::ExitCode;

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or allowed.
    Done = 0,
    /// The gate, the network or this program failed.
    Failed = 1,
    /// The command line, or what it names, is wrong.
    Usage = 2,
    /// A policy or the configuration is invalid.
    Invalid = 3,
    /// A case of a policy failed, or something that was to be covered is not.
    TestsFailed = 4,
    /// The call is denied.
    Denied = 5,
    /// The call waits for approval.
    ApprovalRequired = 6,
    /// Something changed meanwhile, or the record does not verify.
    Conflict = 7,
    /// The token is missing, unknown, or may not.
    NotPermitted = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
