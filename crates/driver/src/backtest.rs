//! What a candidate would have said to last week's calls, and what watched rules noticed in them.
//!
//! ```text
//! store ──pages, newest first──▶ turned round ──▶ gate::backtest ──▶ report
//! ```
//!
//! Reading is bounded and goes page by page; deciding goes in short stretches with a rest between,
//! so that whoever stops waiting stops the work. Must not know: how a report is shown.

use toolgate_gate::Configuration;
use toolgate_gate::backtest::{Backtest, ExportedCall, Recorded, Report, Watched, Watching};
use toolgate_gate::port::{InvocationFilter, PolicyDocument};
use toolgate_model::{Diagnostic, Duration, Severity, Timestamp};
use toolgate_policy::Document;

use crate::driver::Driver;
use crate::outcome::Failed;
use crate::policies::PolicyError;

/// Calls of one backtest where nobody says.
const CALLS_USUAL: usize = 10_000;

/// Calls of one backtest.
// LIMIT: a hundred thousand take about 200 MB while they are looked at.
const CALLS_MAX: usize = 100_000;

/// Calls that are read at once.
const PAGE: usize = 500;

/// Calls that are decided without a rest.
// LIMIT: two hundred, some milliseconds; nothing else waits longer for them.
const STRETCH: usize = 200;

/// Which recorded calls are meant.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// From when on.
    pub since: Timestamp,
    /// At most how many, the newest ones; none: ten thousand.
    pub limit: Option<usize>,
}

/// Calls as they were read, oldest first.
struct Reading {
    calls: Vec<Recorded>,
    /// Nothing before this instant was read, though there is something; none where all was.
    known_from: Option<Timestamp>,
    /// The first instant that is looked at: the period's, or later where the limit cut it.
    since: Timestamp,
}

impl Period {
    fn limit(self) -> Result<usize, Failed> {
        match self.limit {
            None => Ok(CALLS_USUAL),
            Some(limit @ 1..=CALLS_MAX) => Ok(limit),
            Some(limit) => {
                let message = format!("{limit} calls: the limit lies between 1 and {CALLS_MAX}");
                Err(Failed::Invalid(message))
            }
        }
    }
}

impl Driver {
    /// The configuration as it would be with these documents instead of those of the same name.
    ///
    /// # Errors
    /// [`PolicyError`] where that set would not load.
    pub async fn candidate(
        &self,
        documents: &[Document],
        without: &[String],
    ) -> Result<Configuration, PolicyError> {
        let configuration = self.configuration();
        let mut stored = self.store().configuration().await?;
        let kept = self.set_with(documents).into_iter();
        let kept = kept.filter(|document| !without.contains(&document.name));
        let policies = kept.map(|document| PolicyDocument {
            name: document.name,
            text: document.text,
        });
        stored.policies = policies.collect();
        stored.policies.sort_by(|a, b| a.name.cmp(&b.name));
        let settings = configuration.settings.clone();
        let catalogue = configuration.catalogue.clone();
        let candidate = Configuration::build(stored, catalogue, settings, Some(&configuration));
        let is_error = |found: &Diagnostic| found.severity == Severity::Error;
        if candidate.diagnostics.iter().any(is_error) {
            return Err(PolicyError::Invalid(candidate.diagnostics));
        }
        Ok(candidate)
    }

    /// Decides recorded calls under the set in force and under the candidate.
    ///
    /// # Errors
    /// [`PolicyError`] where the candidate does not load or the store cannot be read.
    pub async fn backtest(
        &self,
        candidate: &Configuration,
        period: Period,
    ) -> Result<Report, PolicyError> {
        let present = self.configuration();
        let sets = [&present.policies, &candidate.policies];
        let windows = sets.into_iter().flatten();
        let window = windows.filter(|set| set.reads_history());
        let window = window.map(|set| set.window_max()).max();
        let read = self.recorded(period, window.unwrap_or_default()).await?;
        let mut backtest = Backtest::new(&present, candidate, read.since);
        if let Some(at) = read.known_from {
            backtest.know_from(at);
        }
        for stretch in read.calls.chunks(STRETCH) {
            for call in stretch {
                backtest.replay(call);
            }
            tokio::task::yield_now().await;
        }
        Ok(backtest.report())
    }

    /// The recorded calls of the period, oldest first, to be decided again elsewhere.
    ///
    /// # Errors
    /// [`Failed`] where the store cannot be read.
    pub async fn exported(&self, period: Period) -> Result<Vec<ExportedCall>, Failed> {
        let read = self.recorded(period, Duration::default()).await?;
        Ok(read.calls.iter().map(ExportedCall::from).collect())
    }

    /// What watched rules noticed in recorded calls, and what they would have changed.
    ///
    /// # Errors
    /// [`Failed`] where the store cannot be read.
    pub async fn watched(&self, policy: Option<&str>, period: Period) -> Result<Watched, Failed> {
        let read = self.recorded(period, Duration::default()).await?;
        let present = self.configuration();
        let mut watching = Watching::new(present.policies.as_deref(), policy);
        for call in &read.calls {
            watching.look(call);
        }
        Ok(watching.report())
    }

    /// The newest calls of the period, and those of the window before it for the history.
    async fn recorded(&self, period: Period, window: Duration) -> Result<Reading, Failed> {
        let limit = period.limit()?;
        let from = Timestamp::from_millis(period.since.as_millis() - window.as_millis());
        let mut calls: Vec<Recorded> = Vec::new();
        let (mut before, mut counted, mut known_from) = (None, 0, None);
        let mut since = period.since;
        'pages: loop {
            let filter = InvocationFilter {
                before: before.take(),
                limit: PAGE,
                ..InvocationFilter::default()
            };
            let page = self.store().invocations(filter).await?;
            for invocation in &page {
                let at = invocation.created_at;
                if at < from || calls.len() >= CALLS_MAX {
                    known_from = Some(from.max(calls.last().map_or(from, Recorded::at)));
                    break 'pages;
                }
                if at >= period.since {
                    if counted == limit {
                        // The call after the last one that counts.
                        since = calls.last().map_or(at, Recorded::at);
                        known_from = Some(since);
                        break 'pages;
                    }
                    counted += 1;
                }
                calls.push(Recorded::of(invocation));
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id.clone()),
                _ => break,
            }
        }
        calls.reverse();
        Ok(Reading {
            calls,
            known_from,
            since,
        })
    }
}
