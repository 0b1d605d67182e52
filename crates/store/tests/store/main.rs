//! The stores as the gate sees them, and as somebody with the file in hand does.
//!
//! Both through the one suite, against each other on random operations, what only a disk can do,
//! and what an auditor finds in a copy. Kills are in a test of their own (`tests/kill.rs`).

#[cfg(test)]
mod audit;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod model;
#[cfg(test)]
mod sqlite;
