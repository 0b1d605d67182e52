//! Lists of invocations: their order, their filters, and how one goes on where another ended.
//!
//! Must not know: any one store.

use toolgate_execution::{Choice, Invocation, Status};
use toolgate_gate::port::InvocationFilter;

use super::fixture::{
    Bench, FixtureError, admitted, denied, executing, frozen, insertion, invocation_id, proposed,
    same, succeeded, thawed, voted,
};
use super::{Outcome, cases};

cases![
    lists_are_newest_first_and_as_long_as_asked,
    each_filter_leaves_out_what_does_not_fit,
    filters_hold_together,
    pages_show_everything_once,
    the_unfinished_are_oldest_first_and_not_terminal,
    the_unfinished_go_on_after_a_cursor,
];

fn filter() -> InvocationFilter {
    InvocationFilter {
        limit: 100,
        ..InvocationFilter::default()
    }
}

/// Which ones a filter finds, by number.
async fn listed(bench: &Bench, filter: InvocationFilter) -> Result<Vec<u32>, super::Error> {
    let found = bench.store.invocations(filter).await?;
    Ok(found.iter().map(number).collect())
}

fn number(invocation: &Invocation) -> u32 {
    (0..1_000)
        .find(|number| invocation_id(*number) == invocation.id)
        .unwrap_or(u32::MAX)
}

async fn fill(bench: &Bench, invocations: &[Invocation]) -> Outcome {
    for invocation in invocations {
        bench.store.commit(insertion(invocation)).await?;
    }
    Ok(())
}

async fn lists_are_newest_first_and_as_long_as_asked(bench: Bench) -> Outcome {
    same("an empty store", listed(&bench, filter()).await?, vec![])?;
    fill(&bench, &[executing(2)?, executing(3)?, executing(1)?]).await?;
    same("all", listed(&bench, filter()).await?, vec![3, 2, 1])?;
    for (limit, expected) in [(2, vec![3, 2]), (1, vec![3]), (0, vec![])] {
        let found = listed(&bench, InvocationFilter { limit, ..filter() }).await?;
        same("the first ones", found, expected)?;
    }
    let unbounded = InvocationFilter {
        limit: usize::MAX,
        ..filter()
    };
    same(
        "without a limit",
        listed(&bench, unbounded).await?,
        vec![3, 2, 1],
    )
}

/// One that differs from number 1 in each thing that is filtered by.
fn different() -> Result<Vec<Invocation>, FixtureError> {
    let (tenant, agent, tool) = ("other".parse()?, "crm_agent".parse()?, "crm.note".parse()?);
    let trip = || Some("trip_1".to_owned());
    Ok(vec![
        executing(1)?,
        admitted(&proposed(2, |it| it.tenant = tenant)?)?,
        admitted(&proposed(3, |it| it.agent = agent)?)?,
        admitted(&proposed(4, |it| it.tool = tool)?)?,
        admitted(&proposed(5, |it| it.correlation = trip())?)?,
        succeeded(&executing(6)?)?,
        denied(&proposed(7, |it| it.correlation = trip())?)?,
    ])
}

async fn each_filter_leaves_out_what_does_not_fit(bench: Bench) -> Outcome {
    fill(&bench, &different()?).await?;
    let by = |change: &dyn Fn(&mut InvocationFilter)| {
        let mut filter = filter();
        change(&mut filter);
        filter
    };
    let (tenant, agent) = ("other".parse()?, "crm_agent".parse()?);
    let tool = "crm.note".parse()?;
    for (what, filter, expected) in [
        (
            "tenant",
            by(&|it| it.tenant = Some(Clone::clone(&tenant))),
            vec![2],
        ),
        (
            "agent",
            by(&|it| it.agent = Some(Clone::clone(&agent))),
            vec![3],
        ),
        (
            "tool",
            by(&|it| it.tool = Some(Clone::clone(&tool))),
            vec![4],
        ),
        (
            "correlation",
            by(&|it| it.correlation = Some("trip_1".to_owned())),
            vec![7, 5],
        ),
        (
            "no such correlation",
            by(&|it| it.correlation = Some("trip".to_owned())),
            vec![],
        ),
        (
            "one status",
            by(&|it| it.statuses = vec![Status::Succeeded]),
            vec![6],
        ),
        (
            "two statuses",
            by(&|it| it.statuses = vec![Status::Succeeded, Status::Denied]),
            vec![7, 6],
        ),
        (
            "cursor",
            by(&|it| it.before = Some(invocation_id(3))),
            vec![2, 1],
        ),
    ] {
        same(what, listed(&bench, filter).await?, expected)?;
    }
    Ok(())
}

async fn filters_hold_together(bench: Bench) -> Outcome {
    fill(&bench, &different()?).await?;
    let both = InvocationFilter {
        correlation: Some("trip_1".to_owned()),
        statuses: vec![Status::Executing],
        ..filter()
    };
    same(
        "correlation and status",
        listed(&bench, both).await?,
        vec![5],
    )?;
    let all = InvocationFilter {
        tenant: Some("default".parse()?),
        agent: Some("billing_agent".parse()?),
        tool: Some("stripe.refund".parse()?),
        statuses: vec![Status::Executing, Status::Succeeded],
        before: Some(invocation_id(6)),
        ..filter()
    };
    same(
        "all but one",
        listed(&bench, all.clone()).await?,
        vec![5, 1],
    )?;
    let correlated = InvocationFilter {
        correlation: Some("trip_1".to_owned()),
        limit: 1,
        ..all
    };
    same("all of them", listed(&bench, correlated).await?, vec![5])
}

async fn pages_show_everything_once(bench: Bench) -> Outcome {
    let all: Result<Vec<_>, _> = (1..=7).map(executing).collect();
    fill(&bench, &all?).await?;
    let mut seen = Vec::new();
    let mut before = None;
    for _ in 0..4 {
        let page = InvocationFilter {
            before: before.take(),
            limit: 3,
            ..filter()
        };
        let page = bench.store.invocations(page).await?;
        before = page.last().map(|it| it.id.clone());
        seen.extend(page.iter().map(number));
        if before.is_none() {
            break;
        }
    }
    same("the pages", seen, vec![7, 6, 5, 4, 3, 2, 1])
}

/// One in each state that can be stored, terminal ones too.
fn states() -> Result<Vec<Invocation>, FixtureError> {
    let pending = |number: u32| frozen(&proposed(number, |_| {})?, number);
    Ok(vec![
        denied(&proposed(1, |_| {})?)?,
        pending(2)?,
        voted(&pending(3)?, Choice::Approve)?,
        thawed(&voted(&pending(4)?, Choice::Approve)?)?,
        voted(&pending(5)?, Choice::Deny)?,
        succeeded(&executing(6)?)?,
        super::fixture::lost(&executing(7)?)?,
        super::fixture::doubted(&executing(8)?)?,
        super::fixture::settled_by_person(&executing(9)?)?,
    ])
}

async fn unfinished(
    bench: &Bench,
    after: Option<u32>,
    limit: usize,
) -> Result<Vec<u32>, super::Error> {
    let after = after.map(invocation_id);
    let found = bench.store.unfinished(after.as_ref(), limit).await?;
    Ok(found.iter().map(number).collect())
}

async fn the_unfinished_are_oldest_first_and_not_terminal(bench: Bench) -> Outcome {
    let mut states = states()?;
    states.reverse();
    fill(&bench, &states).await?;
    let found = unfinished(&bench, None, 100).await?;
    same("the unfinished", found, vec![2, 3, 4, 7, 8])
}

async fn the_unfinished_go_on_after_a_cursor(bench: Bench) -> Outcome {
    fill(&bench, &states()?).await?;
    for (after, limit, expected) in [
        (None, 2, vec![2, 3]),
        (Some(3), 2, vec![4, 7]),
        // The cursor itself need not be there any more.
        (Some(5), 2, vec![7, 8]),
        (Some(8), 2, vec![]),
        (None, 0, vec![]),
    ] {
        same(
            "the page",
            unfinished(&bench, after, limit).await?,
            expected,
        )?;
    }
    Ok(())
}
