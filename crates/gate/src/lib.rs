//! The gate: facts and a call in, a decision out, and permission to run only from a decision.

pub mod permit;
pub mod port;
