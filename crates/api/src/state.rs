//! What every handler is given.

use std::sync::Arc;

use toolgate_driver::Driver;
use toolgate_gate::outbox::Notices;
use toolgate_gate::port::Tasks;

use crate::admission::Admission;
use crate::receipts::LogLeaves;

/// Bounds on what comes in (4-interfaces, 5).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Nesting of its JSON.
    pub depth_max: usize,
    /// Bytes of one string in it.
    pub string_bytes_max: usize,
    /// How long a caller may ask to wait.
    pub wait_ms_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            depth_max: 64,
            string_bytes_max: 256 << 10,
            wait_ms_max: 120_000,
        }
    }
}

/// The shared state of all faces. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Decides and runs.
    pub driver: Arc<Driver>,
    /// Tells endpoints of what stands on the record.
    pub notices: Arc<dyn Notices>,
    /// Holds what outlives a request.
    pub tasks: Arc<dyn Tasks>,
    /// Bounds.
    pub limits: Limits,
    /// How people reach this gate, without a slash at the end: for links in answers.
    pub public_url: Arc<str>,
    /// Host names that requests may name beside loopback ones; everything else is refused.
    pub hosts: Arc<[String]>,
    /// Origins that browsers may call from, beside the gate's own.
    pub origins: Arc<[String]>,
    /// The ways in beside the gate's own tokens.
    pub admission: Admission,
    /// The leaves of the log as far as receipts needed them.
    pub leaves: LogLeaves,
}
