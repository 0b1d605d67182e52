//! Everything that can be done to stored records, at many places: found, and found there.
//!
//! Three attackers. One changes rows and knows nothing of hashes; one also mends the leaf column;
//! one seals every later record anew, so that each record alone is flawless.

use std::collections::BTreeSet;
use std::slice;
use std::sync::LazyLock;

use toolgate_record::{Place, Problem, Record, Report, Verification, leaf_hash};

use crate::sample::{HEADS, LOG, RECORDS, entry, errors, records, rewritten, sealed, signer};

/// Indexes worth trying: around every checkpoint, both ends, and some between.
fn places() -> impl Iterator<Item = u64> {
    let edges = HEADS
        .into_iter()
        .flat_map(|size| [size - 1, size, size + 1]);
    let all: BTreeSet<u64> = edges
        .chain((0..RECORDS).step_by(97))
        .chain([RECORDS - 1])
        .collect();
    all.into_iter()
}

/// The verification of the first 0, 1, 2, … records of the sample log.
static PREFIXES: LazyLock<Vec<Verification>> = LazyLock::new(|| {
    let mut verification = Verification::new(signer().verifier());
    LOG.notes
        .iter()
        .for_each(|note| verification.checkpoint(note));
    let mut all = vec![verification.clone()];
    for record in &LOG.records {
        verification.record(record);
        all.push(verification.clone());
    }
    all
});

/// The verification of the first `index` records of the sample log.
fn prefix(index: u64) -> Verification {
    PREFIXES[usize::try_from(index).unwrap()].clone()
}

fn finish(mut verification: Verification, rest: &[Record]) -> Report {
    rest.iter().for_each(|record| verification.record(record));
    verification.finish()
}

fn mended(mut record: Record) -> Record {
    record.leaf = leaf_hash(&record.bytes);
    record
}

/// The rows after `index` of the sample log.
fn after(index: u64) -> &'static [Record] {
    &LOG.records[usize::try_from(index).unwrap() + 1..]
}

fn row(index: u64) -> Record {
    LOG.records[usize::try_from(index).unwrap()].clone()
}

/// The same rows with other indexes beside them.
fn renumbered(rows: &[Record], shift: i64) -> Vec<Record> {
    let moved = |row: &Record| Record {
        index: row.index.strict_add_signed(shift),
        ..row.clone()
    };
    rows.iter().map(moved).collect()
}

/// A whole log of these numbers of entries, every record sealed at its new place.
fn resealed(numbers: impl IntoIterator<Item = u64>) -> Report {
    finish(prefix(0), &sealed(numbers.into_iter().map(entry)))
}

#[test]
fn the_log_as_it_was_written_is_sound() {
    let report = LOG.report();
    assert_eq!(report.findings, []);
    assert!(report.is_sound());
    assert_eq!((report.records, report.unsigned_tail), (RECORDS, 10));
    assert_eq!((report.checkpoints, report.checkpoints_confirmed), (6, 6));
    assert_eq!(report.size_confirmed, 290);
}

#[test]
fn every_flipped_bit_is_found_at_its_record() {
    // Whatever is read after an early record costs time, so that only some of its bytes are tried.
    for (index, step) in [(5, 13), (253, 1), (295, 1)] {
        let start = prefix(index);
        for offset in (0..row(index).bytes.len()).step_by(step) {
            let mut flipped = row(index);
            flipped.bytes[offset] ^= 1 << (offset % 8);
            check_changed(index, &start, flipped, offset);
        }
    }
}

#[test]
fn every_value_of_every_byte_of_one_record_is_found() {
    // The tail after it is short, so that all of them can be tried.
    let start = prefix(289);
    for offset in (0..row(289).bytes.len()).step_by(3) {
        for mask in 1..=255 {
            let mut flipped = row(289);
            flipped.bytes[offset] ^= mask;
            let mut verification = start.clone();
            verification.record(&flipped);
            let found = errors(&verification.finish());
            assert!(
                found.contains(&(Place::record(289), Problem::BytesChanged)),
                "{offset}"
            );
        }
    }
}

/// A changed record is found at its index, with the leaf as it was and with the leaf mended.
fn check_changed(index: u64, start: &Verification, changed: Record, what: usize) {
    let report = finish(
        start.clone(),
        &[slice::from_ref(&changed), after(index)].concat(),
    );
    let found = errors(&report);
    assert_eq!(
        found[0],
        (Place::record(index), Problem::BytesChanged),
        "{index} at {what}"
    );
    assert!(
        found
            .iter()
            .all(|(place, _)| *place == Place::record(index)),
        "{found:?}"
    );
    assert_eq!(
        report.size_confirmed, 290,
        "the other records are confirmed all the same"
    );

    let report = finish(start.clone(), &[&[mended(changed)], after(index)].concat());
    let (alone, tree): (Vec<_>, Vec<_>) = errors(&report)
        .into_iter()
        .partition(|(_, problem)| *problem != Problem::RootDiffers);
    assert!(
        alone
            .iter()
            .all(|(place, _)| *place == Place::record(index)),
        "{alone:?}"
    );
    assert_eq!(tree, rewritten(index), "{index} at {what}");
}

#[test]
fn a_changed_leaf_is_found_at_its_record_and_spoils_nothing_else() {
    for index in places() {
        let mut changed = row(index);
        changed.leaf = leaf_hash(b"other");
        let report = finish(prefix(index), &[&[changed], after(index)].concat());
        assert_eq!(
            errors(&report),
            [(Place::record(index), Problem::BytesChanged)]
        );
        assert_eq!(report.size_confirmed, 290);
    }
}

#[test]
fn damage_of_both_kinds_in_one_log_is_all_found() {
    let mut rows = LOG.records.clone();
    rows[70].leaf = leaf_hash(b"other");
    rows[150].bytes[9] ^= 1;
    rows[200] = mended(Record {
        bytes: rows[201].bytes.clone(),
        ..rows[200].clone()
    });
    let found = errors(&finish(prefix(0), &rows));
    assert!(found.contains(&(Place::record(70), Problem::BytesChanged)));
    assert!(found.contains(&(Place::record(150), Problem::BytesChanged)));
    assert!(found.contains(&(Place::record(200), Problem::Misplaced { shift: 1 })));
    assert!(found.contains(&(Place::record(201), Problem::IdRepeated { first: 200 })));
    assert!(found.contains(&(records(181, 255), Problem::RootDiffers)));
}

#[test]
fn bytes_here_and_a_leaf_there_spoil_no_root_in_either_order() {
    for (bytes, leaf) in [(70, 150), (150, 70)] {
        let mut rows = LOG.records.clone();
        rows[bytes].bytes[9] ^= 1;
        rows[leaf].leaf = leaf_hash(b"other");
        let report = finish(prefix(0), &rows);
        assert_eq!(report.size_confirmed, 290, "bytes {bytes}, leaf {leaf}");
        let found = errors(&report);
        let wrong = |index: usize| (Place::record(index as u64), Problem::BytesChanged);
        assert!(
            found.contains(&wrong(bytes)) && found.contains(&wrong(leaf)),
            "{found:?}"
        );
    }
}

#[test]
fn a_dropped_record_is_found_at_its_index() {
    for index in places().filter(|index| *index < RECORDS - 1) {
        let found = errors(&finish(prefix(index), after(index)));
        assert_eq!(found, [(Place::record(index), Problem::Missing)]);
    }
    let report = finish(prefix(50), after(80));
    assert_eq!(errors(&report), [(records(50, 80), Problem::Missing)]);
    assert_eq!(
        (report.size_confirmed, report.checkpoints_confirmed),
        (1, 1)
    );
}

#[test]
fn a_dropped_record_whose_gap_was_closed_is_found() {
    for index in places().filter(|index| *index < RECORDS - 1) {
        let found = errors(&finish(prefix(index), &renumbered(after(index), -1)));
        let moved = (records(index, RECORDS - 2), Problem::Misplaced { shift: 1 });
        assert!(found.contains(&moved), "{index}: {found:?}");

        let report = resealed((0..RECORDS).filter(|number| *number != index));
        assert_eq!(errors(&report), rewritten(index), "{index}");
    }
}

#[test]
fn a_doubled_record_is_found_at_its_index() {
    for index in places() {
        let twice = [&[row(index), row(index)], after(index)].concat();
        let found = errors(&finish(prefix(index), &twice));
        let place = Place::record(index);
        let repeated = (place, Problem::IdRepeated { first: index });
        assert_eq!(found, [repeated, (place, Problem::OutOfOrder)], "{index}");

        let shifted = renumbered(&LOG.records[usize::try_from(index).unwrap()..], 1);
        let found = errors(&finish(
            prefix(index),
            &[&[row(index)][..], &shifted].concat(),
        ));
        let moved = (
            records(index + 1, RECORDS),
            Problem::Misplaced { shift: -1 },
        );
        assert!(found.contains(&moved), "{index}: {found:?}");
        let repeated = (
            Place::record(index + 1),
            Problem::IdRepeated { first: index },
        );
        assert!(found.contains(&repeated), "{index}: {found:?}");

        let report = resealed((0..=index).chain(index..RECORDS));
        let expected = [vec![repeated], rewritten(index + 1)].concat();
        assert_eq!(errors(&report), expected, "{index}");
    }
}

#[test]
fn swapped_records_are_found_at_both_places() {
    for (index, distance) in places().zip([1, 2, 30].into_iter().cycle()) {
        if index + distance < RECORDS {
            check_swapped(index, index + distance);
        }
    }
}

fn check_swapped(low: u64, high: u64) {
    let (first, second) = (
        usize::try_from(low).unwrap(),
        usize::try_from(high).unwrap(),
    );
    let shift = i64::try_from(high - low).unwrap();

    // The contents of two rows.
    let mut rows = LOG.records.clone();
    (rows[first], rows[second]) = (
        Record {
            index: low,
            ..row(high)
        },
        Record {
            index: high,
            ..row(low)
        },
    );
    let found = errors(&finish(prefix(low), &rows[first..]));
    assert!(
        found.contains(&(Place::record(low), Problem::Misplaced { shift })),
        "{low}"
    );
    assert!(
        found.contains(&(Place::record(high), Problem::Misplaced { shift: -shift })),
        "{low}"
    );

    // The rows themselves, with their indexes.
    let mut rows = LOG.records.clone();
    rows.swap(first, second);
    let found = errors(&finish(prefix(low), &rows[first..]));
    assert!(
        found.contains(&(records(low, high - 1), Problem::Missing)),
        "{found:?}"
    );
    assert!(found.contains(&(Place::record(low), Problem::OutOfOrder)) || high - low > 1);

    // What the records say, sealed anew.
    let mut numbers: Vec<u64> = (0..RECORDS).collect();
    numbers.swap(first, second);
    assert_eq!(
        errors(&resealed(numbers)),
        rewritten(low),
        "{low} and {high}"
    );
}

#[test]
fn an_inserted_record_is_found_where_it_was_put() {
    for index in places() {
        let inserted = entry(1_000 + index).seal(index).unwrap();
        let here = usize::try_from(index).unwrap();

        // Beside the true one.
        let rows = [&[inserted.clone()][..], &LOG.records[here..]].concat();
        let found = errors(&finish(prefix(index), &rows));
        assert!(
            found.contains(&(Place::record(index), Problem::OutOfOrder)),
            "{found:?}"
        );

        // Before the true one, with all later ones moved up.
        let rows = [&[inserted][..], &renumbered(&LOG.records[here..], 1)].concat();
        let found = errors(&finish(prefix(index), &rows));
        let moved = (
            records(index + 1, RECORDS),
            Problem::Misplaced { shift: -1 },
        );
        assert!(found.contains(&moved), "{index}: {found:?}");

        // Likewise, and all later ones sealed anew.
        let report = resealed((0..index).chain([1_000 + index]).chain(index..RECORDS));
        assert_eq!(errors(&report), rewritten(index), "{index}");
    }
}

#[test]
fn a_rewritten_record_is_found_between_its_checkpoints() {
    for index in places() {
        let mut other = entry(index);
        other.data.insert("amount".to_owned(), 1.into());
        let rows = [&[other.seal(index).unwrap()], after(index)].concat();
        assert_eq!(
            errors(&finish(prefix(index), &rows)),
            rewritten(index),
            "{index}"
        );
    }
}

#[test]
fn a_truncated_log_is_found_as_far_as_it_was_signed() {
    for size in places() {
        let report = prefix(size).finish();
        let found = errors(&report);
        if size >= 290 {
            assert_eq!((found, report.unsigned_tail), (vec![], size - 290));
        } else {
            assert_eq!(found, [(records(size, 289), Problem::Truncated)]);
        }
    }
}

#[test]
fn times_that_run_backwards_are_a_warning() {
    // Record 100 says that it happened ten seconds after 119, by which time 15 of them lie.
    let mut numbers: Vec<_> = (0..RECORDS).map(entry).collect();
    let late = numbers[119].at;
    numbers[100].at = late.plus("10s".parse().unwrap());
    let rows = sealed(numbers);
    let mut verification = Verification::new(signer().verifier());
    verification.checkpoint(&crate::sample::note(&rows, RECORDS));
    let report = finish(verification, &rows);
    assert!(report.is_sound());
    assert_eq!((report.errors, report.warnings), (0, 1));
    // Ten seconds less the five allowed are seven records of 700 ms beyond 119.
    assert_eq!(report.findings[0].place, records(101, 126));
    assert_eq!(report.findings[0].problem, Problem::TimeBackwards);
}

#[test]
fn a_log_full_of_faults_is_reported_within_bounds() {
    // Every second record is damaged, each in its own way, so that nothing merges.
    let mut verification = Verification::new(signer().verifier());
    for index in 0..3_000 {
        let bytes = format!("fault {index}").into_bytes();
        verification.record(&Record {
            index,
            leaf: leaf_hash(&bytes),
            bytes,
        });
        verification.record(&Record {
            index: 0,
            leaf: leaf_hash(b""),
            bytes: Vec::new(),
        });
    }
    let report = verification.finish();
    assert!(!report.is_sound());
    assert_eq!(report.findings.len(), toolgate_record::FINDINGS_MAX);
    assert_eq!(report.errors, report.findings_dropped + 1_000);
    assert!(report.findings_dropped > 3_000);
}

#[test]
fn absurd_indexes_are_findings_like_any_other() {
    let mut verification = prefix(290);
    for index in [u64::MAX, u64::MAX, 0, u64::MAX - 1] {
        verification.record(&Record { index, ..row(290) });
    }
    let found = errors(&verification.finish());
    assert!(
        found.contains(&(records(290, u64::MAX - 1), Problem::Missing)),
        "{found:?}"
    );
    assert!(
        found.contains(&(Place::record(0), Problem::OutOfOrder)),
        "{found:?}"
    );
}
