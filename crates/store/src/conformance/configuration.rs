//! Agents, people, credentials and policies: replaced by name, numbered, put in force as a set.
//!
//! Must not know: any one store.

use toolgate_gate::port::{Change, Commit, CommitError, PolicyDocument};
use toolgate_model::{Epoch, Role, Timestamp};

use super::fixture::{
    Bench, after, agent, credential, draft, executing, holds, insertion, key_id, operator,
    publication, same,
};
use super::{Outcome, cases};

cases![
    an_empty_store_has_nothing_in_force,
    nouns_are_added_and_replaced_by_name,
    tenants_have_names_of_their_own,
    versions_are_numbered_by_the_store_within_their_name,
    drafts_are_listed_newest_first,
    a_set_is_in_force_instead_of_the_one_before,
    a_set_may_name_what_its_own_commit_wrote,
    a_set_names_only_what_exists_and_each_once,
    an_empty_set_puts_nothing_in_force,
    the_last_use_is_the_latest_one,
    a_use_is_no_change_of_configuration,
];

async fn change(bench: &Bench, changes: Vec<Change>) -> Result<Epoch, CommitError> {
    let commit = Commit {
        changes,
        ..Commit::default()
    };
    Ok(bench.store.commit(commit).await?.epoch)
}

async fn an_empty_store_has_nothing_in_force(bench: Bench) -> Outcome {
    let stored = bench.store.configuration().await?;
    same("the epoch", stored.epoch, Epoch(0))?;
    same("the agents", stored.agents, vec![])?;
    same("the people", stored.operators, vec![])?;
    holds("there are no credentials", stored.credentials.is_empty())?;
    same("the policies", stored.policies, vec![])?;
    same("the drafts", bench.store.drafts(None).await?, vec![])
}

async fn nouns_are_added_and_replaced_by_name(bench: Bench) -> Outcome {
    let first = [
        Change::Agent(agent("b_agent", Role::Reader)?),
        Change::Agent(agent("a_agent", Role::Agent)?),
        Change::Operator(operator("ana@acme.com", Role::Owner)?),
        Change::Credential(credential(2)?),
        Change::Credential(credential(1)?),
    ];
    change(&bench, first.to_vec()).await?;
    let mut revoked = credential(1)?;
    revoked.revoked_at = Some(after(5));
    let second = [
        Change::Agent(agent("b_agent", Role::Service)?),
        Change::Operator(operator("ana@acme.com", Role::Viewer)?),
        Change::Credential(revoked),
    ];
    change(&bench, second.to_vec()).await?;
    let stored = bench.store.configuration().await?;
    let agents = vec![
        agent("a_agent", Role::Agent)?,
        agent("b_agent", Role::Service)?,
    ];
    same("the agents", stored.agents, agents)?;
    let people = vec![operator("ana@acme.com", Role::Viewer)?];
    same("the people", stored.operators, people)?;
    let keys: Vec<_> = stored
        .credentials
        .iter()
        .map(|it| (it.id.clone(), it.revoked_at))
        .collect();
    same(
        "the credentials",
        keys,
        vec![(key_id(1), Some(after(5))), (key_id(2), None)],
    )
}

async fn tenants_have_names_of_their_own(bench: Bench) -> Outcome {
    let mut other = agent("billing_agent", Role::Reader)?;
    other.tenant = "other".parse()?;
    let ours = agent("billing_agent", Role::Agent)?;
    let both = vec![Change::Agent(ours.clone()), Change::Agent(other.clone())];
    change(&bench, both).await?;
    let stored = bench.store.configuration().await?;
    same("the agents", stored.agents, vec![ours, other])
}

async fn versions_are_numbered_by_the_store_within_their_name(bench: Bench) -> Outcome {
    for (name, text) in [("refunds", "r1"), ("tickets", "t1"), ("refunds", "r2")] {
        change(&bench, vec![Change::PolicyDraft(draft(name, text)?)]).await?;
    }
    let twice = ["r3", "r4"].map(|text| draft("refunds", text).map(Change::PolicyDraft));
    let twice: Result<Vec<_>, _> = twice.into_iter().collect();
    change(&bench, twice?).await?;
    let drafts = bench.store.drafts(Some("refunds")).await?;
    let numbers: Vec<_> = drafts
        .iter()
        .map(|it| (it.number, it.text.as_str(), it.active))
        .collect();
    let expected = vec![
        (4, "r4", false),
        (3, "r3", false),
        (2, "r2", false),
        (1, "r1", false),
    ];
    same("the versions", numbers, expected)?;
    let tickets = bench.store.drafts(Some("tickets")).await?;
    let mut expected = draft("tickets", "t1")?;
    expected.number = 1;
    expected.active = false;
    expected.activated = None;
    expected.requested = None;
    same("the rest of a draft", tickets, vec![expected])
}

async fn drafts_are_listed_newest_first(bench: Bench) -> Outcome {
    for (name, text) in [("b", "1"), ("a", "2"), ("b", "3")] {
        change(&bench, vec![Change::PolicyDraft(draft(name, text)?)]).await?;
    }
    let drafts = bench.store.drafts(None).await?;
    let texts: Vec<_> = drafts.iter().map(|it| it.text.as_str()).collect();
    same("all of them", texts, vec!["3", "2", "1"])?;
    same("of nobody", bench.store.drafts(Some("c")).await?, vec![])
}

/// Two documents with two versions each.
async fn write(bench: &Bench) -> Outcome {
    for (name, text) in [
        ("tickets", "t1"),
        ("refunds", "r1"),
        ("refunds", "r2"),
        ("tickets", "t2"),
    ] {
        change(bench, vec![Change::PolicyDraft(draft(name, text)?)]).await?;
    }
    Ok(())
}

async fn in_force(bench: &Bench, expected: &[(&str, &str)]) -> Outcome {
    let documents: Vec<_> = expected
        .iter()
        .map(|(name, text)| PolicyDocument {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
        .collect();
    same(
        "the set in force",
        bench.store.configuration().await?.policies,
        documents,
    )?;
    let drafts = bench.store.drafts(None).await?;
    let mut active: Vec<_> = drafts
        .iter()
        .filter(|it| it.active)
        .map(|it| it.text.as_str())
        .collect();
    active.sort_unstable();
    let mut texts: Vec<_> = expected.iter().map(|(_, text)| *text).collect();
    texts.sort_unstable();
    same("the drafts marked active", active, texts)
}

async fn a_set_is_in_force_instead_of_the_one_before(bench: Bench) -> Outcome {
    write(&bench).await?;
    in_force(&bench, &[]).await?;
    change(
        &bench,
        vec![publication(&[("tickets", 1), ("refunds", 2)], 5)?],
    )
    .await?;
    in_force(&bench, &[("refunds", "r2"), ("tickets", "t1")]).await?;
    let epoch = change(&bench, vec![publication(&[("refunds", 1)], 5)?]).await?;
    same("the epoch", epoch, Epoch(6))?;
    in_force(&bench, &[("refunds", "r1")]).await
}

async fn a_set_may_name_what_its_own_commit_wrote(bench: Bench) -> Outcome {
    write(&bench).await?;
    let changes = vec![
        Change::PolicyDraft(draft("refunds", "r3")?),
        Change::PolicyDraft(draft("new", "n1")?),
        publication(&[("refunds", 3), ("new", 1)], 5)?,
    ];
    change(&bench, changes).await?;
    in_force(&bench, &[("new", "n1"), ("refunds", "r3")]).await
}

async fn a_set_names_only_what_exists_and_each_once(bench: Bench) -> Outcome {
    write(&bench).await?;
    change(&bench, vec![publication(&[("refunds", 1)], 5)?]).await?;
    let later = Change::PolicyDraft(draft("refunds", "r3")?);
    for (what, changes) in [
        (
            "a version too high",
            vec![publication(&[("tickets", 1), ("refunds", 3)], 5)?],
        ),
        ("version 0", vec![publication(&[("refunds", 0)], 5)?]),
        ("an unknown name", vec![publication(&[("refund", 1)], 5)?]),
        (
            "two of one name",
            vec![publication(&[("refunds", 1), ("refunds", 2)], 5)?],
        ),
        (
            "one that is written later",
            vec![publication(&[("refunds", 3)], 5)?, later],
        ),
    ] {
        let refusal = change(&bench, changes).await;
        holds(
            &format!("{what} is refused, not {refusal:?}"),
            matches!(refusal, Err(CommitError::Unavailable(_))),
        )?;
        in_force(&bench, &[("refunds", "r1")]).await?;
    }
    same(
        "the epoch",
        bench.store.configuration().await?.epoch,
        Epoch(5),
    )
}

async fn an_empty_set_puts_nothing_in_force(bench: Bench) -> Outcome {
    write(&bench).await?;
    change(&bench, vec![publication(&[("refunds", 1)], 5)?]).await?;
    change(&bench, vec![publication(&[], 5)?]).await?;
    in_force(&bench, &[]).await
}

async fn used(bench: &Bench, uses: &[(u32, u32)], expected: &[(u32, u32)]) -> Outcome {
    let named = |list: &[(u32, u32)]| -> Vec<(_, Timestamp)> {
        list.iter()
            .map(|(key, at)| (key_id(*key), after(*at)))
            .collect()
    };
    bench.store.touch(named(uses)).await?;
    same(
        "the last uses",
        bench.store.last_used().await?,
        named(expected),
    )
}

async fn the_last_use_is_the_latest_one(bench: Bench) -> Outcome {
    used(&bench, &[], &[]).await?;
    used(&bench, &[(2, 5), (1, 7)], &[(1, 7), (2, 5)]).await?;
    used(&bench, &[(1, 6), (2, 9), (2, 8)], &[(1, 7), (2, 9)]).await
}

async fn a_use_is_no_change_of_configuration(bench: Bench) -> Outcome {
    change(&bench, vec![Change::Credential(credential(1)?)]).await?;
    bench.store.touch(vec![(key_id(1), after(1))]).await?;
    let decided_before = Commit {
        epoch: Some(Epoch(1)),
        ..insertion(&executing(1)?)
    };
    same(
        "the epoch",
        bench.store.commit(decided_before).await?.epoch,
        Epoch(1),
    )
}
