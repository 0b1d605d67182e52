//! One invocation at a time: read by its id, its approval, its fingerprint, exactly as written.
//!
//! And what is broken in one stops that one alone.
//!
//! Must not know: any one store.

use toolgate_execution::{Choice, Input, Invocation, Status, Thaw};
use toolgate_gate::port::InvocationFilter;
use toolgate_model::{AgentId, Digest, TenantId};

use super::fixture::{
    Bench, FixtureError, admitted, after, approval_id, broken, denied, executing, frozen, holds,
    insertion, invocation_id, proposed, replacement, same, snapshot, step, succeeded, thawed,
    voted,
};
use super::{Outcome, cases};

cases![
    what_is_read_is_what_was_written,
    what_is_not_there_is_none,
    a_replacement_is_what_is_read_next,
    an_approval_leads_to_its_invocation_in_every_state,
    a_void_approval_still_leads_to_its_invocation,
    an_approval_of_nobody_leads_nowhere,
    the_newest_of_identical_calls_is_found,
    identical_calls_are_of_one_tenant_and_agent,
    a_broken_invocation_is_an_error_that_names_the_invariant,
    a_broken_invocation_costs_no_list_a_place,
];

async fn read(bench: &Bench, number: u32) -> Result<Option<Invocation>, super::Error> {
    Ok(bench.store.invocation(&invocation_id(number)).await?)
}

async fn what_is_read_is_what_was_written(bench: Bench) -> Outcome {
    let pending = frozen(&proposed(3, |_| {})?, 1)?;
    let written = [
        executing(1)?,
        denied(&proposed(2, |_| {})?)?,
        pending.clone(),
        succeeded(&executing(4)?)?,
    ];
    for invocation in &written {
        bench.store.commit(insertion(invocation)).await?;
    }
    for invocation in &written {
        let found = bench.store.invocation(&invocation.id).await?;
        same("the invocation", found.as_ref(), Some(invocation))?;
        // Numbers too, digit for digit: `640.10` is not to become `640.1`.
        let text = serde_json::to_string(&found)?;
        same("its text", text, serde_json::to_string(invocation)?)?;
    }
    Ok(())
}

async fn what_is_not_there_is_none(bench: Bench) -> Outcome {
    same("the invocation", read(&bench, 1).await?, None)
}

async fn a_replacement_is_what_is_read_next(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    let second = succeeded(&first)?;
    bench
        .store
        .commit(replacement(first.revision, &second))
        .await?;
    same("the invocation", read(&bench, 1).await?, Some(second))
}

/// One invocation in each state that comes after a request was made, each with its own request.
fn asked() -> Result<Vec<Invocation>, FixtureError> {
    let pending = |number: u32| frozen(&proposed(number, |_| {})?, number);
    let approved = |number: u32| voted(&pending(number)?, Choice::Approve);
    Ok(vec![
        pending(1)?,
        approved(2)?,
        thawed(&approved(3)?)?,
        succeeded(&thawed(&approved(4)?)?)?,
        voted(&pending(5)?, Choice::Deny)?,
        step(
            &pending(6)?,
            Input::Withdraw {
                by: "billing_agent".parse()?,
            },
        )?,
        expired(&pending(7)?)?,
    ])
}

fn expired(pending: &Invocation) -> Result<Invocation, FixtureError> {
    let late = after(4_000_000);
    Ok(pending.step(late, Input::Expire)?.next)
}

async fn an_approval_leads_to_its_invocation_in_every_state(bench: Bench) -> Outcome {
    let asked = asked()?;
    for invocation in &asked {
        bench.store.commit(insertion(invocation)).await?;
    }
    for (number, invocation) in (1..).zip(&asked) {
        let found = bench.store.by_approval(&approval_id(number)).await?;
        same("the invocation", found.as_ref(), Some(invocation))?;
    }
    Ok(())
}

async fn a_void_approval_still_leads_to_its_invocation(bench: Bench) -> Outcome {
    let first = voted(&frozen(&proposed(1, |_| {})?, 1)?, Choice::Approve)?;
    bench.store.commit(insertion(&first)).await?;
    let drifted = Input::Thaw(Thaw::Drifted(Box::new(snapshot(2))));
    let requeued = step(&first, drifted)?;
    bench
        .store
        .commit(replacement(first.revision, &requeued))
        .await?;
    for number in [1, 2] {
        let found = bench.store.by_approval(&approval_id(number)).await?;
        same("the invocation", found.as_ref(), Some(&requeued))?;
    }
    Ok(())
}

async fn an_approval_of_nobody_leads_nowhere(bench: Bench) -> Outcome {
    bench.store.commit(insertion(&executing(1)?)).await?;
    let found = bench.store.by_approval(&approval_id(1)).await?;
    same("the invocation", found, None)
}

async fn the_newest_of_identical_calls_is_found(bench: Bench) -> Outcome {
    let same_call = |number| proposed(number, |it| it.fingerprint = Digest::of(b"same"));
    let old = succeeded(&admitted(&same_call(1)?)?)?;
    let new = succeeded(&admitted(&same_call(3)?)?)?;
    let running = admitted(&same_call(2)?)?;
    // Not in the order of their ids: the newest is the one with the newest id.
    for invocation in [&new, &old, &running, &executing(9)?] {
        bench.store.commit(insertion(invocation)).await?;
    }
    let (tenant, agent) = (TenantId::default(), "billing_agent".parse::<AgentId>()?);
    let digest = Digest::of(b"same");
    let key = (&tenant, &agent, &digest);
    for (statuses, expected) in [
        (vec![Status::Succeeded], Some(&new)),
        (vec![Status::Executing], Some(&running)),
        (vec![Status::Executing, Status::Succeeded], Some(&new)),
        (vec![Status::Failed], None),
        (vec![], None),
    ] {
        let found = bench.store.by_fingerprint(key, &statuses).await?;
        same("the newest", found.as_ref(), expected)?;
    }
    Ok(())
}

async fn identical_calls_are_of_one_tenant_and_agent(bench: Bench) -> Outcome {
    let first = executing(1)?;
    bench.store.commit(insertion(&first)).await?;
    let (tenant, agent) = (TenantId::default(), "billing_agent".parse::<AgentId>()?);
    let (other_tenant, other_agent) = ("other".parse()?, "crm_agent".parse()?);
    let digest = first.proposal.fingerprint;
    for (key, expected) in [
        ((&tenant, &agent, &digest), Some(&first)),
        ((&other_tenant, &agent, &digest), None),
        ((&tenant, &other_agent, &digest), None),
    ] {
        let found = bench
            .store
            .by_fingerprint(key, &[Status::Executing])
            .await?;
        same("the call", found.as_ref(), expected)?;
    }
    Ok(())
}

async fn a_broken_invocation_is_an_error_that_names_the_invariant(bench: Bench) -> Outcome {
    let first = broken(&executing(1)?);
    bench.store.commit(insertion(&first)).await?;
    let Err(error) = bench.store.invocation(&first.id).await else {
        return Err("it was read".into());
    };
    holds(
        "the error names it",
        error.detail.contains(first.id.as_str()),
    )?;
    holds(
        &format!("`{}` names the invariant", error.detail),
        error.detail.contains("invariant 2 is broken"),
    )
}

async fn a_broken_invocation_costs_no_list_a_place(bench: Bench) -> Outcome {
    let (first, third) = (executing(1)?, executing(3)?);
    for invocation in [&first, &broken(&executing(2)?), &third] {
        bench.store.commit(insertion(invocation)).await?;
    }
    let unfinished = bench.store.unfinished(None, 2).await?;
    same(
        "the unfinished",
        unfinished,
        vec![first.clone(), third.clone()],
    )?;
    let filter = InvocationFilter {
        limit: 2,
        ..InvocationFilter::default()
    };
    let listed = bench.store.invocations(filter).await?;
    same("the list", listed, vec![third, first])
}
