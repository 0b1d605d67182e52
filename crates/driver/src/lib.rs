pub use agents::{AgentSpec, Issued, KeySpec};
pub use core::{Driver, OpenError, Ports};
pub use outcome::{Failed, Outcome};
pub use people::require;
pub use policies::{PolicyError, Published};
pub use recover::Recovered;
pub use run::Watch;
pub use settle::Landed;
