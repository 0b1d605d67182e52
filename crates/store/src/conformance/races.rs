//! Many at once: one winner where only one may win, and one line of records with no gap in it.
//!
//! All commits of a race are under way before the first is answered, so a store that writes in
//! groups meets them in one group.
//!
//! Must not know: any one store.

use futures_util::future::join_all;
use toolgate_gate::port::{Change, Commit, CommitError, Committed, RecordFilter};
use toolgate_model::{Epoch, Role};

use super::fixture::{
    Bench, after, agent, claim, entry, executing, holds, insertion, replacement, same, succeeded,
};
use super::{Outcome, cases};

cases![
    one_of_many_steps_of_one_invocation_wins,
    one_of_many_claims_of_one_key_wins,
    one_of_many_changes_at_one_epoch_wins,
    places_are_dense_and_those_of_a_commit_adjacent,
];

/// Callers in a race.
const CALLERS: u32 = 48;

async fn race(bench: &Bench, commits: Vec<Commit>) -> Vec<Result<Committed, CommitError>> {
    join_all(commits.into_iter().map(|commit| bench.store.commit(commit))).await
}

/// That one was made and all others were refused with `expected`; which one.
fn won(
    results: &[Result<Committed, CommitError>],
    refused: impl Fn(&CommitError) -> bool,
) -> Result<usize, super::Error> {
    let winners: Vec<_> = results.iter().filter(|it| it.is_ok()).collect();
    same("the winners", winners.len(), 1)?;
    for result in results {
        if let Err(refusal) = result {
            holds(&format!("{refusal:?} is the refusal"), refused(refusal))?;
        }
    }
    let place = results.iter().position(Result::is_ok);
    place.ok_or_else(|| "nobody won".into())
}

async fn one_of_many_steps_of_one_invocation_wins(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    let next = succeeded(&first)?;
    let step = |caller| Commit {
        entries: vec![entry(caller, "invocation.succeeded")],
        ..replacement(first.revision, &next)
    };
    let results = race(&bench, (1..=CALLERS).map(step).collect()).await;
    let current = next.revision;
    won(&results, |refusal| {
        *refusal == CommitError::RevisionMoved { current }
    })?;
    one_record(&bench).await
}

async fn one_of_many_claims_of_one_key_wins(bench: Bench) -> Outcome {
    let mut commits = Vec::new();
    let mut calls = Vec::new();
    for caller in 1..=CALLERS {
        let call = executing(caller)?;
        commits.push(Commit {
            claim: Some(claim(&call, "k", after(1_000))),
            entries: vec![entry(caller, "invocation.admitted")],
            ..insertion(&call)
        });
        calls.push(call);
    }
    let key = claim(&executing(1)?, "k", after(1_000)).key;
    let results = race(&bench, commits).await;
    let winner = won(&results, |refusal| {
        matches!(refusal, CommitError::KeyTaken { .. })
    })?;
    let holder = bench.store.claimed(&key).await?.map(|it| it.0);
    same(
        "the holder",
        holder.as_ref(),
        calls.get(winner).map(|it| &it.id),
    )?;
    let there = bench.store.unfinished(None, usize::MAX).await?;
    same("the invocations", there.len(), 1)?;
    one_record(&bench).await
}

async fn one_of_many_changes_at_one_epoch_wins(bench: Bench) -> Outcome {
    let mut commits = Vec::new();
    for caller in 1..=CALLERS {
        commits.push(Commit {
            epoch: Some(Epoch(0)),
            changes: vec![Change::Agent(agent(
                &format!("agent_{caller}"),
                Role::Agent,
            )?)],
            entries: vec![entry(caller, "agent.created")],
            ..Commit::default()
        });
    }
    let results = race(&bench, commits).await;
    let current = Epoch(1);
    won(&results, |refusal| {
        *refusal == CommitError::EpochMoved { current }
    })?;
    let agents = bench.store.configuration().await?.agents;
    same("the agents", agents.len(), 1)?;
    one_record(&bench).await
}

async fn one_record(bench: &Bench) -> Outcome {
    let filter = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let places: Vec<_> = bench
        .store
        .records(filter)
        .await?
        .iter()
        .map(|it| it.index)
        .collect();
    same("the record of the winner alone", places, vec![0])
}

async fn places_are_dense_and_those_of_a_commit_adjacent(bench: Bench) -> Outcome {
    let three = |caller: u32| Commit {
        entries: (0..3)
            .map(|part| entry(caller * 10 + part, "key.created"))
            .collect(),
        // Every other one is refused, and leaves no gap.
        epoch: Some(Epoch(u64::from(caller % 2))),
        ..Commit::default()
    };
    let results = race(&bench, (1..=CALLERS).map(three).collect()).await;
    let mut places = Vec::new();
    for committed in results.iter().flatten() {
        let own: Vec<_> = committed.records.iter().map(|it| it.index).collect();
        let first = own.first().copied().unwrap_or_default();
        same(
            "the places of one commit",
            own,
            vec![first, first + 1, first + 2],
        )?;
        places.push(first);
    }
    places.sort_unstable();
    let expected = (0..u64::from(CALLERS / 2))
        .map(|number| number * 3)
        .collect();
    same("the first places", places, expected)
}
