//! Everything that can be done to checkpoints: found, and named by their number.

use serde_json::{Value, json};
use toolgate_model::Digest;
use toolgate_record::{Checkpoint, Place, Problem, Signer, Verification};

use crate::sample::{LOG, Log, ORIGIN, entry, errors, note, records, sealed, signer};

fn with_notes(notes: Vec<String>) -> Log {
    Log {
        records: LOG.records.clone(),
        notes,
    }
}

/// The only error of the log, which is at this checkpoint.
fn only_at(log: &Log, number: u64) -> Problem {
    let found = errors(&log.report());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, Place::Checkpoint { number });
    found[0].1.clone()
}

fn refused(log: &Log, number: u64) -> String {
    match only_at(log, number) {
        Problem::CheckpointRefused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_changed_byte_of_a_checkpoint_is_found() {
    let note = LOG.notes[2].as_bytes();
    for offset in 0..note.len() {
        let mut changed = note.to_vec();
        changed[offset] ^= 1;
        let mut verification = Verification::new(signer().verifier());
        verification.checkpoint(&String::from_utf8_lossy(&changed));
        let found = errors(&verification.finish());
        assert!(
            matches!(
                found[..],
                [(
                    Place::Checkpoint { number: 1 },
                    Problem::CheckpointRefused { .. }
                )]
            ),
            "byte {offset}: {found:?}"
        );
    }
}

#[test]
fn a_refused_checkpoint_spoils_no_other() {
    let mut log = LOG.clone();
    log.notes[3] = log.notes[3].replace("\n181\n", "\n180\n");
    let found = refused(&log, 4);
    assert!(
        found.ends_with("does not fit the text of the note"),
        "{found}"
    );
    let report = log.report();
    assert_eq!((report.checkpoints, report.checkpoints_confirmed), (6, 5));
    assert_eq!(report.size_confirmed, 290);
}

#[test]
fn checkpoints_of_other_keys_and_logs_are_refused() {
    let head = |origin: &str| Checkpoint {
        origin: origin.to_owned(),
        size: 300,
        root: Digest::of(b""),
    };
    let thief = Signer::from_seed(ORIGIN, [8; 32]).unwrap();
    let mut log = LOG.clone();
    log.notes.push(head(ORIGIN).sign(&thief).unwrap());
    let reason = refused(&log, 7);
    assert_eq!(
        reason,
        format!(
            "the note is not signed by `{ORIGIN}+{}`",
            signer().verifier().id()
        )
    );

    let other = Signer::from_seed("other.acme.com/log", [7; 32]).unwrap();
    log.notes[6] = head("other.acme.com/log").sign(&other).unwrap();
    assert!(refused(&log, 7).starts_with("the note is not signed by"));
}

#[test]
fn swapped_checkpoints_shrink() {
    let mut log = LOG.clone();
    log.notes.swap(2, 3);
    assert_eq!(
        only_at(&log, 4),
        Problem::CheckpointShrinks {
            size: 100,
            before: 181
        }
    );
}

#[test]
fn two_stories_of_one_size_are_a_fork() {
    let mut log = LOG.clone();
    let other = sealed((1_000..1_300).map(entry));
    log.notes.insert(3, note(&other, 100));
    assert_eq!(only_at(&log, 4), Problem::CheckpointForked);
}

#[test]
fn dropped_and_doubled_checkpoints_leave_the_log_sound() {
    let doubled = with_notes(
        LOG.notes
            .iter()
            .flat_map(|note| [note.clone(), note.clone()])
            .collect(),
    );
    let report = doubled.report();
    assert!(report.is_sound());
    assert_eq!(report.checkpoints_confirmed, 12);

    let report = with_notes(LOG.notes[..5].to_vec()).report();
    assert!(report.is_sound());
    assert_eq!((report.size_confirmed, report.unsigned_tail), (256, 44));
}

#[test]
fn records_without_any_checkpoint_are_unsound() {
    let found = errors(&with_notes(Vec::new()).report());
    assert_eq!(found, [(Place::Log, Problem::Unsigned)]);
    // The head of the empty log says nothing about what came later.
    let root = Digest::of(b"");
    let first = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 0,
        root,
    }
    .sign(&signer())
    .unwrap();
    assert_eq!(
        errors(&with_notes(vec![first]).report()),
        [(Place::Log, Problem::Unsigned)]
    );
    let empty = Log {
        records: Vec::new(),
        notes: Vec::new(),
    };
    assert!(empty.report().is_sound());
}

#[test]
fn a_kept_checkpoint_finds_a_log_that_was_signed_anew() {
    // Whoever has the signing key as well can rewrite everything but what somebody kept.
    let forged = sealed((0..300).map(|number| entry(if number == 70 { 1_070 } else { number })));
    let anew = Log {
        notes: vec![note(&forged, 100), note(&forged, 300)],
        records: forged.clone(),
    };
    assert!(anew.report().is_sound());
    let kept = LOG.notes[3].clone();
    let log = Log {
        notes: vec![note(&forged, 64), kept, note(&forged, 300)],
        ..anew
    };
    assert_eq!(
        errors(&log.report()),
        [(records(64, 180), Problem::RootDiffers)]
    );

    let shorter = Log {
        records: LOG.records[..200].to_vec(),
        notes: LOG.notes.clone(),
    };
    assert_eq!(
        errors(&shorter.report()),
        [(records(200, 289), Problem::Truncated)]
    );
}

#[test]
fn an_empty_log_has_the_root_of_nothing() {
    let head = |root| {
        Checkpoint {
            origin: ORIGIN.to_owned(),
            size: 0,
            root,
        }
        .sign(&signer())
        .unwrap()
    };
    let right = with_notes([vec![head(Digest::of(b""))], LOG.notes.clone()].concat());
    assert!(right.report().is_sound());
    let wrong = Log {
        records: Vec::new(),
        notes: vec![head(Digest::of(b"x"))],
    };
    assert_eq!(only_at(&wrong, 1), Problem::RootDiffers);
}

#[test]
fn a_report_has_the_documented_json() {
    let mut log = LOG.clone();
    log.notes.remove(5);
    log.notes.remove(4);
    log.records[7].bytes[3] ^= 1;
    log.records.remove(250);
    let report = serde_json::to_value(log.report()).unwrap();
    let place = |from: u64, to: u64| json!({"severity": "error", "part": "records", "from": from, "to": to});
    let with = |mut finding: Value, more: Value| {
        finding
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        finding
    };
    let bytes =
        json!({"problem": "bytes_changed", "message": "the bytes do not hash to the stored leaf"});
    let missing = json!({"problem": "missing", "message": "missing"});
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings[0], with(place(7, 7), bytes));
    assert_eq!(findings.last(), Some(&with(place(250, 250), missing)));
    let sums = json!({
        "v": 1, "sound": false, "records": 299, "size_confirmed": 181, "checkpoints": 4,
        "checkpoints_confirmed": 4, "unsigned_tail": 119, "errors": findings.len(), "warnings": 0,
        "findings": findings, "findings_dropped": 0,
    });
    assert_eq!(report, sums);
}

#[test]
fn a_checkpoint_that_comes_too_late_is_a_finding() {
    let mut verification = Verification::new(signer().verifier());
    verification.checkpoint(&LOG.notes[1]);
    LOG.records[..100]
        .iter()
        .for_each(|record| verification.record(record));
    // Over all records so far, and so in time.
    verification.checkpoint(&LOG.notes[2]);
    LOG.records[100..200]
        .iter()
        .for_each(|record| verification.record(record));
    verification.checkpoint(&LOG.notes[3]);
    let report = verification.finish();
    assert_eq!(
        errors(&report),
        [(Place::Checkpoint { number: 3 }, Problem::CheckpointLate)]
    );
    assert_eq!(
        (report.checkpoints_confirmed, report.size_confirmed),
        (2, 100)
    );
}
