//! How long a caller's key is held, and what it is unique within.
//!
//! It is free again only when its time is over *and* its invocation has ended: the key of a call
//! that may still have its effect is held forever (3-execution, 2).
//!
//! Must not know: any one store.

use toolgate_execution::Invocation;
use toolgate_gate::port::{ClaimKey, Commit, CommitError};
use toolgate_model::{Digest, InvocationId, Timestamp};

use super::fixture::{
    Bench, after, claim, executing, holds, insertion, proposed, replacement, same, succeeded,
};
use super::{Outcome, cases};

cases![
    a_key_nobody_claimed_is_nobodys,
    a_key_is_read_with_what_was_called,
    a_key_is_unique_within_tenant_agent_and_tool,
    a_key_is_held_past_its_time_while_its_call_is_open,
    a_key_is_held_until_its_time_though_its_call_has_ended,
    a_key_that_was_let_go_has_a_new_holder,
    a_key_is_claimed_only_for_an_invocation,
];

const UNTIL: Timestamp = after(1_000);

fn claiming(invocation: &Invocation, key: &str) -> Commit {
    Commit {
        claim: Some(claim(invocation, key, UNTIL)),
        ..insertion(invocation)
    }
}

fn key_of(invocation: &Invocation) -> ClaimKey {
    claim(invocation, "k", UNTIL).key
}

fn held_by(invocation: &Invocation) -> Option<(InvocationId, Digest)> {
    Some((invocation.id.clone(), invocation.proposal.fingerprint))
}

async fn a_key_nobody_claimed_is_nobodys(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    same(
        "its holder",
        bench.store.claimed(&key_of(&first)).await?,
        None,
    )
}

async fn a_key_is_read_with_what_was_called(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(claiming(&first, "k")).await?;
    let holder = bench.store.claimed(&key_of(&first)).await?;
    same("its holder", holder, held_by(&first))?;
    let other = claim(&first, "K", UNTIL).key;
    same("another key", bench.store.claimed(&other).await?, None)
}

async fn a_key_is_unique_within_tenant_agent_and_tool(bench: Bench) -> Outcome {
    let (tenant, agent, tool) = (
        "other".parse()?,
        "crm_agent".parse()?,
        "stripe.void".parse()?,
    );
    let calls = [
        executing(1)?,
        super::fixture::admitted(&proposed(2, |it| it.tenant = tenant)?)?,
        super::fixture::admitted(&proposed(3, |it| it.agent = agent)?)?,
        super::fixture::admitted(&proposed(4, |it| it.tool = tool)?)?,
    ];
    for call in &calls {
        bench.store.commit(claiming(call, "k")).await?;
    }
    for call in &calls {
        let holder = bench.store.claimed(&key_of(call)).await?;
        same("the holder in its own scope", holder, held_by(call))?;
    }
    Ok(())
}

async fn a_key_is_held_past_its_time_while_its_call_is_open(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(claiming(&first, "k")).await?;
    bench.clock.set(after(9_999_999));
    let holder = bench.store.claimed(&key_of(&first)).await?;
    same("its holder", holder, held_by(&first))?;
    taken(&bench, 2).await
}

async fn a_key_is_held_until_its_time_though_its_call_has_ended(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(claiming(&first, "k")).await?;
    let ended = replacement(first.revision, &succeeded(&first)?);
    bench.store.commit(ended).await?;
    bench.clock.set(after(999));
    let holder = bench.store.claimed(&key_of(&first)).await?;
    same("its holder a moment before", holder, held_by(&first))?;
    taken(&bench, 2).await
}

async fn a_key_that_was_let_go_has_a_new_holder(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(claiming(&first, "k")).await?;
    let ended = replacement(first.revision, &succeeded(&first)?);
    bench.store.commit(ended).await?;
    bench.clock.set(UNTIL);
    let key = key_of(&first);
    same("its holder", bench.store.claimed(&key).await?, None)?;
    let second = executing(2)?;
    let later = Commit {
        claim: Some(claim(&second, "k", after(5_000))),
        ..insertion(&second)
    };
    bench.store.commit(later).await?;
    same(
        "its new holder",
        bench.store.claimed(&key).await?,
        held_by(&second),
    )?;
    taken(&bench, 3).await
}

async fn a_key_is_claimed_only_for_an_invocation(bench: Bench) -> Outcome {
    let first = executing(1)?;
    let alone = Commit {
        claim: Some(claim(&first, "k", UNTIL)),
        ..Commit::default()
    };
    let refusal = bench.store.commit(alone).await;
    holds(
        "a claim for nothing is refused",
        matches!(refusal, Err(CommitError::Unavailable(_))),
    )?;
    same(
        "its holder",
        bench.store.claimed(&key_of(&first)).await?,
        None,
    )
}

/// That the key is not free for invocation `number`.
async fn taken(bench: &Bench, number: u32) -> Outcome {
    let refusal = bench.store.commit(claiming(&executing(number)?, "k")).await;
    holds(
        "a second claim is refused as taken",
        matches!(refusal, Err(CommitError::KeyTaken { .. })),
    )
}
