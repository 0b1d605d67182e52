//! What people look after: pins of tools, incidents, and who put which version in force.
//!
//! Must not know: any one store.

use std::sync::Arc;

use toolgate_gate::incident::{
    Incident, IncidentEdit, IncidentFilter, IncidentState, IncidentWrite, Sighting,
};
use toolgate_gate::pin::{Standing, ToolPin};
use toolgate_gate::port::{Change, Commit, CommitError};
use toolgate_model::{Digest, Epoch, IncidentId, Risk, RuleRef, TenantId, ToolId};

use super::fixture::{
    Bench, after, draft, entry, executing, holds, insertion, invocation_id, publication, same,
    stamp,
};
use super::{Error, Outcome, cases};

cases![
    a_pin_is_replaced_by_name_and_kept_whole,
    what_is_put_in_force_is_stamped_once,
    a_request_is_one_per_document_and_settled_by_its_version,
    a_request_names_a_version_that_exists,
    one_incident_is_open_for_a_rule_and_agent,
    an_incident_counts_until_it_is_closed_and_then_another_opens,
    an_edit_meets_what_was_seen,
    a_refused_incident_leaves_nothing,
    an_incident_is_no_change_of_configuration,
    incidents_are_listed_newest_first_and_as_asked_for,
];

async fn commit(bench: &Bench, changes: Vec<Change>) -> Outcome {
    let commit = Commit {
        changes,
        ..Commit::default()
    };
    bench.store.commit(commit).await?;
    Ok(())
}

fn pin(tool: &str, text: &str) -> Result<ToolPin, Error> {
    Ok(ToolPin {
        tool: tool.parse::<ToolId>()?,
        digest: Digest::of(text.as_bytes()),
        definition: text.to_owned(),
        standing: Standing::Accepted,
        by: "gate".parse()?,
        at: after(1),
        seen: Vec::new(),
    })
}

async fn a_pin_is_replaced_by_name_and_kept_whole(bench: Bench) -> Outcome {
    let first = [pin("b.two", "{}")?, pin("a.one", "{}")?];
    commit(&bench, first.map(Change::ToolPin).to_vec()).await?;
    let mut disabled = pin("b.two", r#"{"name":"two"}"#)?.with_seen(Digest::of(b"x"), after(4));
    disabled.standing = Standing::Disabled;
    disabled.by = "ana@acme.com".parse()?;
    commit(&bench, vec![Change::ToolPin(disabled.clone())]).await?;
    let stored = bench.store.configuration().await?;
    let pins = [pin("a.one", "{}")?, disabled].map(Arc::new);
    same("the pins", stored.pins, pins.to_vec())?;
    same("the epoch", stored.epoch, Epoch(2))
}

/// Two versions of `refunds` and one of `tickets`.
async fn written(bench: &Bench) -> Outcome {
    for (name, text) in [("refunds", "r1"), ("refunds", "r2"), ("tickets", "t1")] {
        commit(bench, vec![Change::PolicyDraft(draft(name, text)?)]).await?;
    }
    Ok(())
}

/// When each version was last put in force and asked for: text, milliseconds, milliseconds.
async fn stamped(bench: &Bench, expected: &[(&str, Option<u32>, Option<u32>)]) -> Outcome {
    let mut found: Vec<_> = bench.store.drafts(None).await?;
    found.sort_by(|a, b| a.text.cmp(&b.text));
    let found: Vec<_> = found
        .into_iter()
        .map(|draft| (draft.text, draft.activated, draft.requested))
        .collect();
    let expected: Result<Vec<_>, Error> = expected
        .iter()
        .map(|(text, activated, requested)| {
            let at = |number: &Option<u32>| number.map(stamp).transpose();
            Ok(((*text).to_owned(), at(activated)?, at(requested)?))
        })
        .collect();
    same("the stamps", found, expected?)
}

async fn what_is_put_in_force_is_stamped_once(bench: Bench) -> Outcome {
    written(&bench).await?;
    commit(
        &bench,
        vec![publication(&[("refunds", 1), ("tickets", 1)], 5)?],
    )
    .await?;
    commit(
        &bench,
        vec![publication(&[("refunds", 2), ("tickets", 1)], 6)?],
    )
    .await?;
    let both = [
        ("r1", Some(5), None),
        ("r2", Some(6), None),
        ("t1", Some(5), None),
    ];
    stamped(&bench, &both).await?;
    commit(&bench, vec![publication(&[("refunds", 1)], 7)?]).await?;
    let back = [
        ("r1", Some(7), None),
        ("r2", Some(6), None),
        ("t1", Some(5), None),
    ];
    stamped(&bench, &back).await
}

fn request(name: &str, number: u32, at: u32) -> Result<Change, Error> {
    Ok(Change::PolicyRequest(name.to_owned(), number, stamp(at)?))
}

async fn a_request_is_one_per_document_and_settled_by_its_version(bench: Bench) -> Outcome {
    written(&bench).await?;
    commit(
        &bench,
        vec![request("refunds", 1, 3)?, request("tickets", 1, 4)?],
    )
    .await?;
    let asked = [
        ("r1", None, Some(3)),
        ("r2", None, None),
        ("t1", None, Some(4)),
    ];
    stamped(&bench, &asked).await?;
    commit(&bench, vec![request("refunds", 2, 5)?]).await?;
    let later = [
        ("r1", None, None),
        ("r2", None, Some(5)),
        ("t1", None, Some(4)),
    ];
    stamped(&bench, &later).await?;
    commit(&bench, vec![publication(&[("refunds", 2)], 6)?]).await?;
    let settled = [
        ("r1", None, None),
        ("r2", Some(6), None),
        ("t1", None, Some(4)),
    ];
    stamped(&bench, &settled).await?;
    commit(
        &bench,
        vec![publication(&[("refunds", 2), ("tickets", 1)], 7)?],
    )
    .await?;
    commit(&bench, vec![request("refunds", 2, 8)?]).await?;
    commit(
        &bench,
        vec![publication(&[("refunds", 1), ("tickets", 1)], 9)?],
    )
    .await?;
    let other = [
        ("r1", Some(9), None),
        ("r2", Some(6), None),
        ("t1", Some(7), None),
    ];
    stamped(&bench, &other).await
}

async fn a_request_names_a_version_that_exists(bench: Bench) -> Outcome {
    written(&bench).await?;
    for (name, number) in [("refunds", 3), ("refunds", 0), ("none", 1)] {
        let refusal = commit(&bench, vec![request(name, number, 3)?]).await;
        holds("a request for nothing is refused", refusal.is_err())?;
    }
    let own = Change::PolicyDraft(draft("new", "n1")?);
    commit(&bench, vec![own, request("new", 1, 3)?]).await
}

fn incident_id(number: u32) -> IncidentId {
    IncidentId::mint(after(number), [0; 10])
}

fn sighting(number: u32) -> Sighting {
    Sighting {
        invocation: invocation_id(number),
        at: after(number),
    }
}

fn incident(number: u32, (rule, agent): (&str, &str)) -> Result<Incident, Error> {
    Ok(Incident {
        id: incident_id(number),
        tenant: TenantId::default(),
        state: IncidentState::Open,
        severity: Risk::High,
        rule: RuleRef {
            policy: "refunds".to_owned(),
            rule: rule.to_owned(),
        },
        agent: agent.parse()?,
        tool: "stripe.refund".parse()?,
        first: sighting(number),
        last: sighting(number),
        count: 1,
        note: None,
        changed_by: None,
        changed_at: None,
        revision: 0,
    })
}

fn opened(number: u32, key: (&str, &str)) -> Result<IncidentWrite, Error> {
    Ok(IncidentWrite::Open(Box::new(incident(number, key)?)))
}

fn edited(number: u32, expected: u64, state: IncidentState) -> Result<IncidentWrite, Error> {
    Ok(IncidentWrite::Edit {
        id: incident_id(number),
        expected,
        edit: IncidentEdit {
            state: Some(state),
            ..IncidentEdit::default()
        },
        by: "ana@acme.com".parse()?,
        at: after(50),
    })
}

async fn write(bench: &Bench, incidents: Vec<IncidentWrite>) -> Result<(), CommitError> {
    let commit = Commit {
        incidents,
        ..Commit::default()
    };
    bench.store.commit(commit).await.map(drop)
}

async fn refused(bench: &Bench, write_: IncidentWrite) -> Outcome {
    let refusal = write(bench, vec![write_]).await;
    same("the refusal", refusal, Err(CommitError::IncidentMoved))
}

const R1: (&str, &str) = ("r1", "billing_agent");

async fn one_incident_is_open_for_a_rule_and_agent(bench: Bench) -> Outcome {
    write(&bench, vec![opened(1, R1)?]).await?;
    refused(&bench, opened(2, R1)?).await?;
    refused(&bench, opened(1, ("r9", "other"))?).await?;
    write(&bench, vec![edited(1, 0, IncidentState::Investigating)?]).await?;
    refused(&bench, opened(2, R1)?).await?;
    let others = vec![opened(3, ("r2", R1.1))?, opened(4, (R1.0, "other"))?];
    write(&bench, others).await?;
    let twice = vec![opened(5, ("r3", R1.1))?, opened(6, ("r3", R1.1))?];
    let refusal = write(&bench, twice).await;
    same(
        "two in one commit",
        refusal,
        Err(CommitError::IncidentMoved),
    )
}

async fn an_incident_counts_until_it_is_closed_and_then_another_opens(bench: Bench) -> Outcome {
    write(&bench, vec![opened(1, R1)?]).await?;
    let collect = |number| IncidentWrite::Collect(incident_id(1), sighting(number));
    write(&bench, vec![collect(2)]).await?;
    write(&bench, vec![collect(3)]).await?;
    write(&bench, vec![edited(1, 0, IncidentState::Closed)?]).await?;
    refused(&bench, collect(4)).await?;
    refused(&bench, edited(1, 1, IncidentState::Open)?).await?;
    write(&bench, vec![opened(5, R1)?]).await?;
    let mut expected = incident(1, R1)?;
    expected.count = 3;
    expected.last = sighting(3);
    expected.state = IncidentState::Closed;
    expected.changed_by = Some("ana@acme.com".parse()?);
    expected.changed_at = Some(after(50));
    expected.revision = 1;
    let all = list(&bench, IncidentFilter::default()).await?;
    same("the incidents", all, vec![incident(5, R1)?, expected])
}

async fn an_edit_meets_what_was_seen(bench: Bench) -> Outcome {
    write(&bench, vec![opened(1, R1)?]).await?;
    refused(&bench, edited(2, 0, IncidentState::Closed)?).await?;
    refused(&bench, edited(1, 1, IncidentState::Closed)?).await?;
    // What is counted meanwhile is no edit.
    let more = IncidentWrite::Collect(incident_id(1), sighting(2));
    write(&bench, vec![more]).await?;
    write(&bench, vec![edited(1, 0, IncidentState::Investigating)?]).await?;
    refused(&bench, edited(1, 0, IncidentState::Closed)?).await?;
    let found = list(&bench, IncidentFilter::default()).await?;
    let shown: Vec<_> = found
        .iter()
        .map(|it| (it.state, it.count, it.revision))
        .collect();
    same(
        "the incident",
        shown,
        vec![(IncidentState::Investigating, 2, 1)],
    )
}

async fn a_refused_incident_leaves_nothing(bench: Bench) -> Outcome {
    let call = executing(1)?;
    let commit = Commit {
        incidents: vec![
            opened(1, R1)?,
            IncidentWrite::Collect(incident_id(9), sighting(1)),
        ],
        entries: vec![entry(1, "invocation.denied")],
        ..insertion(&call)
    };
    let refusal = bench.store.commit(commit).await.map(drop);
    same("the refusal", refusal, Err(CommitError::IncidentMoved))?;
    same("the call", bench.store.invocation(&call.id).await?, None)?;
    let all = list(&bench, IncidentFilter::default()).await?;
    same("the incidents", all, vec![])
}

async fn an_incident_is_no_change_of_configuration(bench: Bench) -> Outcome {
    let call = executing(1)?;
    let commit = Commit {
        epoch: Some(Epoch(0)),
        incidents: vec![opened(1, R1)?],
        ..insertion(&call)
    };
    let epoch = bench.store.commit(commit).await?.epoch;
    same("the epoch", epoch, Epoch(0))
}

async fn list(bench: &Bench, filter: IncidentFilter) -> Result<Vec<Incident>, Error> {
    let limit = if filter.limit == 0 { 100 } else { filter.limit };
    Ok(bench
        .store
        .incidents(IncidentFilter { limit, ..filter })
        .await?)
}

async fn listed(bench: &Bench, filter: IncidentFilter, expected: &[u32]) -> Outcome {
    let shown = format!("{filter:?}");
    let found = list(bench, filter).await?;
    let found: Vec<_> = found.into_iter().map(|it| it.id).collect();
    let expected: Vec<_> = expected.iter().map(|number| incident_id(*number)).collect();
    same(&shown, found, expected)
}

async fn incidents_are_listed_newest_first_and_as_asked_for(bench: Bench) -> Outcome {
    write(
        &bench,
        vec![
            opened(1, R1)?,
            opened(2, ("r2", "x"))?,
            opened(3, ("r3", "x"))?,
        ],
    )
    .await?;
    write(&bench, vec![edited(1, 0, IncidentState::Closed)?]).await?;
    write(&bench, vec![opened(4, R1)?]).await?;
    let all = IncidentFilter::default;
    let other: TenantId = "other".parse()?;
    listed(&bench, all(), &[4, 3, 2, 1]).await?;
    listed(&bench, IncidentFilter { limit: 2, ..all() }, &[4, 3]).await?;
    let id = Some(incident_id(1));
    listed(&bench, IncidentFilter { id, ..all() }, &[1]).await?;
    let before = Some(incident_id(3));
    listed(&bench, IncidentFilter { before, ..all() }, &[2, 1]).await?;
    let states = vec![IncidentState::Closed, IncidentState::Investigating];
    listed(&bench, IncidentFilter { states, ..all() }, &[1]).await?;
    let open_under = Some(incident(1, R1)?.key());
    listed(
        &bench,
        IncidentFilter {
            open_under,
            ..all()
        },
        &[4],
    )
    .await?;
    let ours = Some(TenantId::default());
    let of = |tenant| IncidentFilter { tenant, ..all() };
    listed(&bench, of(ours), &[4, 3, 2, 1]).await?;
    listed(&bench, of(Some(other)), &[]).await?;
    Ok(())
}
