//! What a commit is refused for, in which order, and that a refused one leaves nothing.
//!
//! The epoch, the revision, the key, the policy set, the record ids: each guard is met alone, and
//! the first of several is the one that is told.
//!
//! Must not know: any one store.

use toolgate_execution::Invocation;
use toolgate_gate::port::{Change, Commit, CommitError, InvocationFilter, RecordFilter};
use toolgate_model::{Epoch, Role};

use super::fixture::{
    Bench, after, agent, appending, claim, draft, entry, executing, holds, insertion,
    invocation_id, publication, replacement, same, succeeded,
};
use super::{Outcome, cases};

cases![
    an_epoch_that_moved_on_refuses,
    an_epoch_that_stands_admits,
    each_commit_with_changes_moves_the_epoch_by_one,
    an_insertion_of_what_is_there_refuses,
    a_replacement_of_what_is_not_there_refuses,
    a_revision_that_moved_on_refuses,
    a_revision_that_would_not_grow_refuses,
    a_key_that_is_taken_refuses,
    the_first_guard_in_order_is_the_one_that_speaks,
    a_record_id_stands_once,
    an_entry_that_cannot_be_a_record_refuses_the_whole_commit,
    more_records_than_a_commit_may_have_refuse_it,
];

fn reconfiguration() -> Result<Commit, super::fixture::FixtureError> {
    Ok(Commit {
        changes: vec![Change::Agent(agent("billing_agent", Role::Agent)?)],
        ..Commit::default()
    })
}

/// That `commit` is refused with `expected`, and that nothing whatever is left of it.
async fn refused(bench: &Bench, commit: Commit, expected: CommitError) -> Outcome {
    same("the refusal", refusal(bench, commit).await?, expected)
}

/// The refusal of a commit that carries one of everything.
async fn refusal(bench: &Bench, commit: Commit) -> Result<CommitError, super::Error> {
    let loaded = Commit {
        changes: [
            vec![
                Change::Agent(agent("stowaway", Role::Service)?),
                Change::PolicyDraft(draft("stowaway", "text")?),
            ],
            commit.changes,
        ]
        .concat(),
        entries: [vec![entry(900_000, "agent.created")], commit.entries].concat(),
        ..commit
    };
    let before = everything(bench).await?;
    let refusal = match bench.store.commit(loaded).await {
        Ok(committed) => return Err(format!("it was made: {committed:?}").into()),
        Err(refusal) => refusal,
    };
    same("what is left of it", everything(bench).await?, before)?;
    Ok(refusal)
}

/// All that the port shows, as text.
async fn everything(bench: &Bench) -> Result<Vec<String>, super::Error> {
    let store = &bench.store;
    let records = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let invocations = InvocationFilter {
        limit: usize::MAX,
        ..InvocationFilter::default()
    };
    let key = claim(&executing(1)?, "k", after(1_000)).key;
    Ok(vec![
        format!("{:?}", store.configuration().await?),
        format!("{:?}", store.records(records).await?),
        format!("{:?}", store.invocations(invocations).await?),
        format!("{:?}", store.drafts(None).await?),
        format!("{:?}", store.claimed(&key).await?),
    ])
}

/// That a commit is refused as one that the store will not make, with a word that says why.
async fn impossible(bench: &Bench, commit: Commit, word: &str) -> Outcome {
    match refusal(bench, commit).await? {
        CommitError::Unavailable(error) => holds(
            &format!("`{}` names `{word}`", error.detail),
            error.detail.contains(word),
        ),
        other => Err(format!("the refusal is {other:?}").into()),
    }
}

async fn an_epoch_that_moved_on_refuses(bench: Bench) -> Outcome {
    bench.store.commit(reconfiguration()?).await?;
    let decided_before = Commit {
        epoch: Some(Epoch(0)),
        ..insertion(&executing(1)?)
    };
    let current = Epoch(1);
    refused(&bench, decided_before, CommitError::EpochMoved { current }).await?;
    // One that was never in force is no better.
    let decided_nowhere = Commit {
        epoch: Some(Epoch(2)),
        ..insertion(&executing(1)?)
    };
    refused(&bench, decided_nowhere, CommitError::EpochMoved { current }).await
}

async fn an_epoch_that_stands_admits(bench: Bench) -> Outcome {
    bench.store.commit(reconfiguration()?).await?;
    let commit = Commit {
        epoch: Some(Epoch(1)),
        ..insertion(&executing(1)?)
    };
    same(
        "the epoch after",
        bench.store.commit(commit).await?.epoch,
        Epoch(1),
    )
}

async fn each_commit_with_changes_moves_the_epoch_by_one(bench: Bench) -> Outcome {
    let two = Commit {
        changes: vec![
            Change::Agent(agent("one", Role::Agent)?),
            Change::Agent(agent("two", Role::Agent)?),
        ],
        ..Commit::default()
    };
    same(
        "after two changes",
        bench.store.commit(two).await?.epoch,
        Epoch(1),
    )?;
    let none = appending(vec![entry(1, "invocation.denied")]);
    same(
        "after a record",
        bench.store.commit(none).await?.epoch,
        Epoch(1),
    )?;
    let again = Commit {
        epoch: Some(Epoch(1)),
        ..reconfiguration()?
    };
    same(
        "after another",
        bench.store.commit(again).await?.epoch,
        Epoch(2),
    )?;
    let stored = bench.store.configuration().await?;
    same("as it is read", stored.epoch, Epoch(2))
}

async fn an_insertion_of_what_is_there_refuses(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    let second = succeeded(&first)?;
    refused(&bench, insertion(&second), CommitError::NoSuchInvocation).await
}

async fn a_replacement_of_what_is_not_there_refuses(bench: Bench) -> Outcome {
    let commit = replacement(1, &succeeded(&executing(1)?)?);
    refused(&bench, commit, CommitError::NoSuchInvocation).await
}

async fn a_revision_that_moved_on_refuses(bench: Bench) -> Outcome {
    let first = executing(1)?;
    let second = succeeded(&first)?;
    bench.store.commit(insertion(&first)).await?;
    bench
        .store
        .commit(replacement(first.revision, &second))
        .await?;
    let current = second.revision;
    let late = replacement(first.revision, &second);
    refused(&bench, late, CommitError::RevisionMoved { current }).await?;
    let early = replacement(second.revision + 1, &later(&second, 2));
    refused(&bench, early, CommitError::RevisionMoved { current }).await
}

fn later(invocation: &Invocation, by: u64) -> Invocation {
    Invocation {
        revision: invocation.revision + by,
        ..invocation.clone()
    }
}

async fn a_revision_that_would_not_grow_refuses(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    impossible(&bench, replacement(first.revision, &first), "revision").await
}

async fn a_key_that_is_taken_refuses(bench: Bench) -> Outcome {
    let first = executing(1)?;
    let holding = Commit {
        claim: Some(claim(&first, "k", after(1_000))),
        ..insertion(&first)
    };
    bench.store.commit(holding).await?;
    let second = executing(2)?;
    let taken = CommitError::KeyTaken {
        invocation: first.id.clone(),
        fingerprint: first.proposal.fingerprint,
    };
    let wanting = Commit {
        claim: Some(claim(&second, "k", after(1_000))),
        ..insertion(&second)
    };
    refused(&bench, wanting, taken).await?;
    same(
        "the invocation without its key",
        bench.store.invocation(&invocation_id(2)).await?,
        None,
    )
}

async fn the_first_guard_in_order_is_the_one_that_speaks(bench: Bench) -> Outcome {
    let first = executing(1)?;
    let holding = Commit {
        claim: Some(claim(&first, "k", after(1_000))),
        ..insertion(&first)
    };
    bench.store.commit(holding).await?;
    bench
        .store
        .commit(appending(vec![entry(1, "key.created")]))
        .await?;
    let all = Commit {
        epoch: Some(Epoch(5)),
        claim: Some(claim(&first, "k", after(1_000))),
        changes: vec![publication(&[("none", 1)], 5)?],
        entries: vec![entry(1, "key.created")],
        ..insertion(&first)
    };
    let current = Epoch(0);
    refused(&bench, all.clone(), CommitError::EpochMoved { current }).await?;
    let all = Commit { epoch: None, ..all };
    refused(&bench, all.clone(), CommitError::NoSuchInvocation).await?;
    let all = Commit {
        invocation: insertion(&executing(2)?).invocation,
        ..all
    };
    let taken = CommitError::KeyTaken {
        invocation: first.id.clone(),
        fingerprint: first.proposal.fingerprint,
    };
    refused(&bench, all.clone(), taken).await?;
    let all = Commit { claim: None, ..all };
    impossible(&bench, all.clone(), "`none`").await?;
    let all = Commit {
        changes: Vec::new(),
        ..all
    };
    impossible(&bench, all, entry(1, "key.created").id.as_str()).await
}

async fn a_record_id_stands_once(bench: Bench) -> Outcome {
    bench
        .store
        .commit(appending(vec![entry(1, "key.created")]))
        .await?;
    let again = appending(vec![entry(2, "key.created"), entry(1, "key.revoked")]);
    impossible(&bench, again, entry(1, "key.created").id.as_str()).await?;
    let twice = appending(vec![entry(3, "key.created"), entry(3, "key.revoked")]);
    impossible(&bench, twice, entry(3, "key.created").id.as_str()).await
}

async fn an_entry_that_cannot_be_a_record_refuses_the_whole_commit(bench: Bench) -> Outcome {
    let mut large = entry(2, "invocation.denied");
    let text = "x".repeat(toolgate_record::ENTRY_BYTES_MAX);
    large.data.insert("reason".to_owned(), text.into());
    let commit = Commit {
        entries: vec![entry(1, "invocation.denied"), large],
        ..insertion(&executing(1)?)
    };
    impossible(&bench, commit, "bytes").await?;
    let next = appending(vec![entry(1, "invocation.denied")]);
    let record = bench.store.commit(next).await?.records;
    same(
        "the place of the next record",
        record.iter().map(|it| it.index).collect::<Vec<_>>(),
        vec![0],
    )
}

async fn more_records_than_a_commit_may_have_refuse_it(bench: Bench) -> Outcome {
    // One more is in every commit that is made to be refused.
    let entries: Vec<_> = (1..=1_024)
        .map(|number| entry(number, "key.created"))
        .collect();
    impossible(&bench, appending(entries.clone()), "1024").await?;
    let change = Change::PolicyDraft(draft("many", "text")?);
    let commit = Commit {
        changes: vec![change; 1_023],
        ..Commit::default()
    };
    impossible(&bench, commit, "1024").await?;
    let records = bench.store.commit(appending(entries)).await?.records;
    same("as many as it may have", records.len(), 1_024)
}
