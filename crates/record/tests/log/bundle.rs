//! A bundle is the whole log: it verifies by itself, and nothing in it can be changed unnoticed.

use expect_test::{Expect, expect};
use toolgate_record::{
    LINE_BYTES_MAX, Place, Problem, Record, Report, Signer, Verifier, checkpoint_line, header_line,
    leaf_hash, record_line, verify_bundle,
};

use crate::sample::{LOG, Log, ORIGIN, errors, note, records, signer};

fn lines(log: &Log) -> Vec<String> {
    let header = header_line(signer().verifier());
    let notes = log.notes.iter().map(|note| checkpoint_line(note));
    let rows = log
        .records
        .iter()
        .map(|record| record_line(record).unwrap());
    [header].into_iter().chain(notes).chain(rows).collect()
}

/// Four records, of which three are signed.
fn small() -> Vec<String> {
    let records = LOG.records[..4].to_vec();
    lines(&Log {
        notes: vec![note(&records, 2), note(&records, 3)],
        records,
    })
}

fn verified(lines: &[impl AsRef<str>]) -> Report {
    let text: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    verify_bundle(
        format!("{}\n", text.join("\n")).as_bytes(),
        signer().verifier(),
    )
}

/// What is wrong with the small bundle after `change`.
fn check(change: impl FnOnce(&mut Vec<String>), expected: Expect) {
    let mut lines = small();
    change(&mut lines);
    let report = verified(&lines);
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    expected.assert_eq(&found.join("\n"));
    assert!(!report.is_sound());
}

#[test]
fn a_bundle_of_the_log_gives_the_report_of_the_log() {
    assert_eq!(verified(&lines(&LOG)), LOG.report());
    assert!(verified(&small()).is_sound());
    // The newline at the end is optional.
    let text = small().join("\n");
    assert!(verify_bundle(text.as_bytes(), signer().verifier()).is_sound());
}

#[test]
fn a_line_is_what_the_documentation_says() {
    let lines = small();
    let verifier = signer().verifier().to_string();
    assert_eq!(
        lines[0],
        format!(r#"{{"toolgate_bundle":1,"origin":"{ORIGIN}","verifier_key":"{verifier}"}}"#)
    );
    assert!(lines[1].starts_with(&format!(r#"{{"checkpoint":"{ORIGIN}\n2\n"#)));
    let record = &LOG.records[0];
    let (leaf, entry) = (record.leaf, record.text());
    assert_eq!(
        lines[3],
        format!(r#"{{"index":0,"leaf":"{leaf}","entry":{entry}}}"#)
    );
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let text = format!("{}\n", small().join("\n")).into_bytes();
    // Every seventh byte, and another bit each time.
    for offset in (0..text.len() - 1).filter(|offset| offset % 7 == 0) {
        let mut changed = text.clone();
        changed[offset] ^= 1 << (offset / 7 % 7);
        let report = verify_bundle(&changed, signer().verifier());
        assert!(
            !report.is_sound(),
            "byte {offset} of {}",
            String::from_utf8_lossy(&changed)
        );
    }
}

#[test]
fn only_the_key_that_the_reader_brings_is_trusted() {
    let thief = Signer::from_seed(ORIGIN, [8; 32]).unwrap();
    let text = small().join("\n");
    let report = verify_bundle(text.as_bytes(), thief.verifier());
    let found = errors(&report);
    assert_eq!(found[0].0, Place::Line { number: 1 });
    assert_eq!(found.last(), Some(&(Place::Log, Problem::Unsigned)));
    assert_eq!(report.checkpoints_confirmed, 0);
    // Nor does it help to change the key in the header.
    let mut lines = small();
    lines[0] = header_line(thief.verifier());
    assert!(!verified(&lines).is_sound());
    assert!(Verifier::parse(&thief.verifier().to_string()).is_ok());
}

#[test]
fn what_is_wrong_is_named_by_line_and_record() {
    check(|lines| drop(lines.remove(4)), expect!["record 1: missing"]);
    check(
        |lines| lines.swap(3, 4),
        expect![[r#"
            record 0: missing
            record 0: the index comes again or out of order"#]],
    );
    check(
        |lines| lines.truncate(5),
        expect!["record 2: missing at the end of the log, but a checkpoint is over them"],
    );
    check(
        |lines| lines.swap(2, 3),
        expect!["line 4: a checkpoint after the first record"],
    );
    check(
        |lines| drop(lines.remove(0)),
        expect![
            "line 1: not a header: unknown field `checkpoint`, expected one of `toolgate_bundle`, `origin`, `verifier_key` at column 13"
        ],
    );
    check(Vec::clear, expect!["line 1: the bundle has no header"]);
    check(
        |lines| lines[4] = "garbage".to_owned(),
        expect![[r#"
        line 5: not a record: expected value at column 1
        record 1: missing"#]],
    );
    check(
        |lines| lines[4].insert_str(1, r#""index":1,"#),
        expect![[r#"
        line 5: not a record: duplicate field `index` at column 18
        record 1: missing"#]],
    );
    check(
        |lines| lines[4].insert_str(1, r#""more":1,"#),
        expect![[r#"
        line 5: not a record: unknown field `more`, expected one of `index`, `leaf`, `entry` at column 7
        record 1: missing"#]],
    );
    check(
        |lines| lines[0] = lines[0].replace("bundle\":1", "bundle\":2"),
        expect!["line 1: bundle version 2, and this reader knows 1"],
    );
    check(
        |lines| lines.insert(4, String::new()),
        expect!["line 5: not a record: EOF while parsing a value at column 0"],
    );
    check(
        |lines| lines[4] = " ".repeat(LINE_BYTES_MAX + 1),
        expect![[r#"
            line 5: longer than the 525312 bytes allowed
            record 1: missing"#]],
    );
}

#[test]
fn text_that_is_no_text_is_a_finding() {
    let mut text = format!("{}\n", small().join("\n")).into_bytes();
    let place = text.len() - 9;
    text[place] = 0xff;
    let found = errors(&verify_bundle(&text, signer().verifier()));
    assert!(matches!(
        found[..],
        [(Place::Line { number: 7 }, Problem::LineRefused { .. })]
    ));
    let found = errors(&verify_bundle(b"", signer().verifier()));
    assert!(matches!(
        found[..],
        [(Place::Line { number: 1 }, Problem::LineRefused { .. })]
    ));
}

#[test]
fn what_does_not_fit_a_line_is_not_written() {
    let line = |bytes: &[u8]| {
        record_line(&Record {
            index: 5,
            bytes: bytes.to_vec(),
            leaf: leaf_hash(bytes),
        })
    };
    for bad in [
        &b""[..],
        b"{",
        b"{\n}",
        b" {}",
        b"{} ",
        b"{}{}",
        b"\"\xff\"",
    ] {
        let error = line(bad).unwrap_err().to_string();
        assert_eq!(
            error,
            "record 5 is not one line of JSON: verify the log where it is stored"
        );
    }
    // Anything else travels exactly as it is stored, to be judged by the reader.
    let mut odd = small();
    odd[4] = line(b"{ \"a\" : 1.0 }")
        .unwrap()
        .replace(r#""index":5"#, r#""index":1"#);
    let found = errors(&verified(&odd));
    assert!(matches!(&found[0], (place, Problem::Malformed { .. }) if *place == records(1, 1)));
    assert!(found.contains(&(records(0, 1), Problem::RootDiffers)));
}
