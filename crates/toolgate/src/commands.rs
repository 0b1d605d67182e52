//! The commands, one file each.
//!
//! A command reads its arguments, asks the gate or works offline, prints data to stdout, and says
//! how the process ends. The table that names them all is in `cli.rs`.
//!
//! Must not know: each other.

pub(crate) mod agent;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod coverage;
pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod hook;
pub(crate) mod incident;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod lint;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod notify;
pub(crate) mod openapi;
pub(crate) mod pack;
pub(crate) mod policy;
pub(crate) mod proxy;
pub(crate) mod receipt;
pub(crate) mod reconcile;
pub(crate) mod refund_desk;
pub(crate) mod resolve;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod source;
pub(crate) mod test;
pub(crate) mod tool;
pub(crate) mod user;
pub(crate) mod wrap;
