//! The gate: facts and a call in, a decision out, and permission to run only from a decision.
//!
//! [`authenticate`] says who calls, [`decide`] answers the call in the order of 2-decision, part
//! 2, [`freeze`] makes what approvers decide on, [`revalidate`] decides an approved call again, and
//! [`permit`] turns a yes that is durable into one attempt. [`port`] names what the edge must
//! offer.
//!
//! Must not know: how anything is stored, sent or shown. No async (port signatures aside), no
//! clock, no randomness, no environment, no file, no socket.

pub mod ability;
mod authenticate;
pub mod backtest;
pub mod beside;
mod can;
pub mod case;
mod configuration;
mod decide;
mod effort;
mod evidence;
pub mod history;
pub mod incident;
mod inspect;
mod live;
mod look;
mod notice;
pub mod outbox;
mod payload;
pub mod peer;
pub mod permit;
pub mod pin;
pub mod port;
mod posture;
mod question;
mod reach;
mod sanitize;
mod snapshot;
mod thaw;
pub mod trust;

pub use authenticate::{Caller, authenticate};
pub use can::{Possibility, agent_of, ask, survey, unscoped};
pub use configuration::{Capture, Configuration, Settings};
pub use decide::{Judged, Looks, decide, explain, known, looks, reaches, visible};
pub use evidence::{Established, Evidence, Found, Reading, landed};
pub use inspect::{Inspected, inspect, measures, session_of, words};
pub use live::live;
pub use look::{Look, LookError};
pub use notice::notices;
pub use payload::bound;
pub use posture::Posture;
pub use question::{Question, session, user_words};
pub use snapshot::{drift, fingerprint, freeze};
pub use thaw::{Thawed, amended, frozen_call, revalidate};
