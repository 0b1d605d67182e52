//! The record: dense places, what is found in it, and the checkpoints that are signed over it.
//!
//! Must not know: any one store.

use toolgate_gate::port::{Commit, RecordFilter};
use toolgate_model::TenantId;
use toolgate_record::{
    Checkpoint, Entry, Record, Verifier, VerifyInput, empty_root, root_of, verify,
};

use super::fixture::{
    Bench, appending, entry, executing, holds, insertion, invocation_id, record_id, same,
};
use super::{Outcome, cases};

cases![
    places_are_dense_from_zero_in_order,
    a_record_is_the_sealed_entry,
    a_record_is_found_by_its_id,
    lists_are_oldest_first_from_an_index_on,
    the_newest_ones_are_still_oldest_first,
    each_filter_leaves_out_what_does_not_fit,
    a_prefix_is_text_and_no_pattern,
    a_checkpoint_is_over_the_log_as_it_stands,
    a_checkpoint_of_an_empty_log_is_one,
    a_checkpoint_with_nothing_new_is_the_newest_one,
    checkpoints_are_listed_from_a_size_on,
    the_whole_log_verifies,
];

fn all() -> RecordFilter {
    RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    }
}

async fn append(bench: &Bench, entries: Vec<Entry>) -> Result<Vec<Record>, super::Error> {
    Ok(bench.store.commit(appending(entries)).await?.records)
}

async fn fill(bench: &Bench, numbers: std::ops::RangeInclusive<u32>) -> Outcome {
    let entries = numbers.map(|number| entry(number, "invocation.denied"));
    append(bench, entries.collect()).await?;
    Ok(())
}

async fn found(bench: &Bench, filter: RecordFilter) -> Result<Vec<u64>, super::Error> {
    let records = bench.store.records(filter).await?;
    Ok(records.iter().map(|it| it.index).collect())
}

fn verifier(bench: &Bench) -> Result<Verifier, super::Error> {
    Ok(Verifier::parse(&bench.store.verifier_key())?)
}

async fn places_are_dense_from_zero_in_order(bench: Bench) -> Outcome {
    let first = append(&bench, vec![entry(5, "key.created")]).await?;
    let with_call = Commit {
        entries: vec![
            entry(3, "invocation.admitted"),
            entry(4, "invocation.noted"),
        ],
        ..insertion(&executing(1)?)
    };
    let second = bench.store.commit(with_call).await?.records;
    let none = bench.store.commit(Commit::default()).await?.records;
    let places: Vec<_> = [first, second, none]
        .concat()
        .iter()
        .map(|it| it.index)
        .collect();
    same("the places", places, vec![0, 1, 2])?;
    let ids: Result<Vec<_>, _> = bench
        .store
        .records(all())
        .await?
        .iter()
        .map(Record::entry)
        .collect();
    let ids: Vec<_> = ids?.into_iter().map(|it| it.id).collect();
    same(
        "the order",
        ids,
        vec![record_id(5), record_id(3), record_id(4)],
    )
}

async fn a_record_is_the_sealed_entry(bench: Bench) -> Outcome {
    let mut second = entry(2, "invocation.denied");
    second.invocation = Some(invocation_id(2));
    second.correlation = Some("Größe 😀".to_owned());
    let entries = vec![entry(1, "key.created"), second];
    let mut sealed = Vec::new();
    for (index, entry) in (0..).zip(&entries) {
        sealed.push(entry.seal(index)?);
    }
    same(
        "as answered",
        append(&bench, entries).await?,
        sealed.clone(),
    )?;
    same("as read", bench.store.records(all()).await?, sealed)
}

async fn a_record_is_found_by_its_id(bench: Bench) -> Outcome {
    fill(&bench, 1..=3).await?;
    let record = bench.store.record(&record_id(2)).await?;
    same("it", record, Some(entry(2, "invocation.denied").seal(1)?))?;
    same(
        "one that is not there",
        bench.store.record(&record_id(4)).await?,
        None,
    )
}

async fn lists_are_oldest_first_from_an_index_on(bench: Bench) -> Outcome {
    same("an empty log", found(&bench, all()).await?, vec![])?;
    fill(&bench, 1..=5).await?;
    for (from, limit, expected) in [
        (0, usize::MAX, vec![0, 1, 2, 3, 4]),
        (0, 2, vec![0, 1]),
        (3, 9, vec![3, 4]),
        (5, 9, vec![]),
        (u64::MAX, 9, vec![]),
        (0, 0, vec![]),
    ] {
        let filter = RecordFilter {
            from,
            limit,
            ..all()
        };
        same("the list", found(&bench, filter).await?, expected)?;
    }
    Ok(())
}

async fn the_newest_ones_are_still_oldest_first(bench: Bench) -> Outcome {
    fill(&bench, 1..=5).await?;
    for (from, limit, expected) in [
        (0, 2, vec![3, 4]),
        (4, 2, vec![4]),
        (0, 9, vec![0, 1, 2, 3, 4]),
    ] {
        let filter = RecordFilter {
            from,
            limit,
            newest: true,
            ..all()
        };
        same("the list", found(&bench, filter).await?, expected)?;
    }
    Ok(())
}

/// Five records that differ in what is filtered by.
async fn assorted(bench: &Bench) -> Outcome {
    let other: TenantId = "other".parse()?;
    let about = |number, kind: &str, call: u32| Entry {
        invocation: Some(invocation_id(call)),
        ..entry(number, kind)
    };
    let entries = vec![
        about(1, "invocation.admitted", 1),
        about(2, "invocation.admitted", 2),
        about(3, "invocation.succeeded", 1),
        entry(4, "key.revoked"),
        Entry {
            tenant: other,
            ..entry(5, "key.revoked")
        },
    ];
    append(bench, entries).await?;
    Ok(())
}

async fn each_filter_leaves_out_what_does_not_fit(bench: Bench) -> Outcome {
    assorted(&bench).await?;
    let call = |number| RecordFilter {
        invocation: Some(invocation_id(number)),
        ..all()
    };
    let kind = |prefix: &str| RecordFilter {
        kind_prefix: Some(prefix.to_owned()),
        ..all()
    };
    let other = RecordFilter {
        tenant: Some("other".parse()?),
        ..all()
    };
    for (what, filter, expected) in [
        ("invocation", call(1), vec![0, 2]),
        ("another invocation", call(3), vec![]),
        ("kind", kind("invocation."), vec![0, 1, 2]),
        ("whole kind", kind("key.revoked"), vec![3, 4]),
        ("empty prefix", kind(""), vec![0, 1, 2, 3, 4]),
        ("kind and no more", kind("key.revoked.again"), vec![]),
        ("tenant", other, vec![4]),
        (
            "invocation and kind",
            RecordFilter {
                invocation: Some(invocation_id(1)),
                ..kind("invocation.s")
            },
            vec![2],
        ),
        (
            "newest of a kind",
            RecordFilter {
                newest: true,
                limit: 1,
                ..kind("invocation.")
            },
            vec![2],
        ),
        ("from on", RecordFilter { from: 1, ..call(1) }, vec![2]),
    ] {
        same(what, found(&bench, filter).await?, expected)?;
    }
    Ok(())
}

async fn a_prefix_is_text_and_no_pattern(bench: Bench) -> Outcome {
    assorted(&bench).await?;
    for prefix in ["%", "*", "?", "_ey", "KEY", "[k]ey", "'"] {
        let filter = RecordFilter {
            kind_prefix: Some(prefix.to_owned()),
            ..all()
        };
        same(prefix, found(&bench, filter).await?, vec![])?;
    }
    Ok(())
}

async fn a_checkpoint_is_over_the_log_as_it_stands(bench: Bench) -> Outcome {
    fill(&bench, 1..=5).await?;
    let note = bench.store.checkpoint().await?;
    let leaves = bench.store.records(all()).await?;
    let expected = Checkpoint {
        origin: "gate.test/log".to_owned(),
        size: 5,
        root: root_of(leaves.iter().map(|it| it.leaf)),
    };
    same(
        "the checkpoint",
        Checkpoint::open(&note, &verifier(&bench)?)?,
        expected,
    )
}

async fn a_checkpoint_of_an_empty_log_is_one(bench: Bench) -> Outcome {
    let note = bench.store.checkpoint().await?;
    let checkpoint = Checkpoint::open(&note, &verifier(&bench)?)?;
    same(
        "its size and root",
        (checkpoint.size, checkpoint.root),
        (0, empty_root()),
    )?;
    same("the list", bench.store.checkpoints(0).await?, vec![note])
}

async fn a_checkpoint_with_nothing_new_is_the_newest_one(bench: Bench) -> Outcome {
    fill(&bench, 1..=2).await?;
    let first = bench.store.checkpoint().await?;
    let count = bench.store.checkpoints(0).await?.len();
    same("again", bench.store.checkpoint().await?, first.clone())?;
    same(
        "how many there are",
        bench.store.checkpoints(0).await?.len(),
        count,
    )?;
    fill(&bench, 3..=3).await?;
    let next = bench.store.checkpoint().await?;
    holds("another record makes another checkpoint", next != first)
}

async fn checkpoints_are_listed_from_a_size_on(bench: Bench) -> Outcome {
    let mut notes = Vec::new();
    for numbers in [1..=2, 3..=3, 4..=6] {
        fill(&bench, numbers).await?;
        notes.push(bench.store.checkpoint().await?);
    }
    let key = verifier(&bench)?;
    for (from, expected) in [
        (0, vec![2, 3, 6]),
        (3, vec![3, 6]),
        (4, vec![6]),
        (7, vec![]),
    ] {
        let listed = bench.store.checkpoints(from).await?;
        let sizes: Result<Vec<_>, _> = listed.iter().map(|it| Checkpoint::open(it, &key)).collect();
        let sizes: Vec<_> = sizes?.iter().map(|it| it.size).collect();
        // A store may sign more often than it is asked to, so others may stand between.
        let asked: Vec<_> = sizes
            .iter()
            .copied()
            .filter(|it| [2, 3, 6].contains(it))
            .collect();
        same("those that were asked for", asked, expected)?;
        holds(
            "they grow",
            sizes.is_sorted() && sizes.first().is_none_or(|it| *it >= from),
        )?;
    }
    holds("each is listed", {
        let listed = bench.store.checkpoints(0).await?;
        notes.iter().all(|note| listed.contains(note))
    })
}

async fn the_whole_log_verifies(bench: Bench) -> Outcome {
    for numbers in [1..=3, 4..=4, 5..=9] {
        fill(&bench, numbers).await?;
        bench.store.checkpoint().await?;
    }
    let report = verify(VerifyInput {
        verifier: &verifier(&bench)?,
        checkpoints: &bench.store.checkpoints(0).await?,
        records: bench.store.records(all()).await?,
    });
    holds(&format!("it is sound: {report:?}"), report.is_sound())?;
    same("records under a checkpoint", report.size_confirmed, 9)
}
