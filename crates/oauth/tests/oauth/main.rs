//! Both sides of OAuth against an authorization server with real keys on loopback.
//!
//! Time stands where a test puts it; nothing waits for it to pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod granted;
mod issuer;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_model::{Duration, Timestamp};
use toolgate_oauth::{Fetcher, Reach};

/// The instant at which every test begins.
const BEGIN: i64 = 1_781_622_862;

/// A clock that is set by hand.
struct HandClock(AtomicI64);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(BEGIN * 1_000)))
    }

    fn forward(&self, span: Duration) {
        self.0.fetch_add(span.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _until: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A client that may ask this machine.
fn fetcher() -> Fetcher {
    let _first = rustls::crypto::ring::default_provider().install_default();
    Fetcher::new(Reach::Private, &["http://127.0.0.1"]).unwrap()
}
