//! The suite that every store passes, and every wrapper of one.
//!
//! It knows the port alone. A store's test hands in how one is made, empty, with this key and this
//! clock, and gets back everything that does not hold, by name:
//!
//! ```
//! use std::sync::Arc;
//! use toolgate_store::{MemoryStore, conformance};
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let report = conformance::run(|setting| {
//!     Arc::new(MemoryStore::new(setting.signer, setting.clock))
//! });
//! assert_eq!(report.await.to_string(), "");
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Must not know: any one store.

use std::fmt;
use std::sync::Arc;

use toolgate_gate::port::{BoxFuture, Clock, Store};
use toolgate_record::Signer;

pub use fixture::HandClock;
use fixture::{Bench, FixtureError, signer};

mod claims;
mod configuration;
pub mod fixture;
mod guards;
mod invocations;
mod lists;
mod log;
pub mod outbox;
mod races;
mod review;

/// What a store is made with.
pub struct Setting {
    /// Signs its log.
    pub signer: Signer,
    /// Tells it the time.
    pub clock: Arc<dyn Clock>,
}

/// Everything that did not hold: nothing, for a store that conforms.
#[derive(Debug, Default)]
pub struct Failures(Vec<(&'static str, String)>);

/// Whatever went wrong in a case.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whether one case holds.
type Outcome = Result<(), Error>;

/// One case: a name that says what holds, and the run that finds out.
struct Case {
    name: &'static str,
    run: fn(Bench) -> BoxFuture<'static, Outcome>,
}

/// A list of cases from the names of the functions that run them.
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        /// What holds here.
        pub(super) const CASES: &[super::Case] = &[$(super::Case {
            name: concat!(module_path!(), "::", stringify!($name)),
            run: |bench| Box::pin($name(bench)),
        }),+];
    };
}
use cases;

/// Runs every case, each on a store of its own.
pub async fn run(make: impl Fn(Setting) -> Arc<dyn Store>) -> Failures {
    let mut failures = Failures::default();
    for case in all() {
        let outcome = match bench(&make) {
            Ok(bench) => (case.run)(bench).await,
            Err(failure) => Err(failure.into()),
        };
        if let Err(failure) = outcome {
            failures.0.push((case.name, failure.to_string()));
        }
    }
    failures
}

fn bench(make: &impl Fn(Setting) -> Arc<dyn Store>) -> Result<Bench, FixtureError> {
    let clock = Arc::new(HandClock::default());
    let setting = Setting {
        signer: signer()?,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    Ok(Bench {
        store: make(setting),
        clock,
    })
}

fn all() -> impl Iterator<Item = &'static Case> {
    [
        guards::CASES,
        claims::CASES,
        invocations::CASES,
        lists::CASES,
        configuration::CASES,
        log::CASES,
        races::CASES,
        review::CASES,
    ]
    .into_iter()
    .flatten()
}

impl Failures {
    /// Whether everything held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, failure) in &self.0 {
            let name = name.rsplit_once("conformance::").map_or(*name, |it| it.1);
            writeln!(f, "{name}: {failure}")?;
        }
        Ok(())
    }
}
