//! A receipt proves one invocation, and ties what was described, approved and executed together.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use toolgate_model::{Digest, InvocationId};
use toolgate_record::{Entry, Receipt, ReceiptError, Record, Signer, Ties, Tree};

use crate::sample::{LOG, ORIGIN, entry, invocation, note, sealed, signer};

/// A digest by name.
fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn entry_with(number: u64, about: &InvocationId, data: Value) -> Entry {
    let data = data.as_object().unwrap().clone();
    Entry {
        invocation: Some(about.clone()),
        data,
        ..entry(number)
    }
}

/// A log in which every other record is about one invocation, with these data, all signed.
fn log(data: &[Value]) -> Vec<Record> {
    let about = invocation(9_000);
    let entries = (0..)
        .step_by(2)
        .zip(data)
        .flat_map(|(number, data)| [entry(number), entry_with(number + 1, &about, data.clone())]);
    sealed(entries)
}

fn receipt(log: &[Record]) -> Result<Receipt, ReceiptError> {
    let about = invocation(9_000);
    let tree: Tree = log.iter().map(|record| record.leaf).collect();
    let records = log
        .iter()
        .filter(|record| record.index % 2 == 1)
        .cloned()
        .collect();
    let signed = note(log, log.len() as u64);
    Receipt::make(&about, records, &tree, &signed, signer().verifier())
}

fn approved_refund() -> Receipt {
    let snapshot = digest("snapshot");
    let data = [
        json!({"described": snapshot}),
        json!({"approved": snapshot}),
        json!({"executed": snapshot}),
    ];
    receipt(&log(&data)).unwrap()
}

/// What comes of records that name these digests, in order: `d` described, `a` approved,
/// `x` executed, each followed by the name of what.
fn check_ties(steps: &str, expected: Expect) {
    let data = |step: &str| {
        let (kind, name) = step.split_at(1);
        let field = match kind {
            "d" => "described",
            "a" => "approved",
            _ => "executed",
        };
        json!({ field: digest(name) })
    };
    let data: Vec<Value> = steps.split(' ').map(data).collect();
    let shown = match receipt(&log(&data)) {
        Ok(_) => "tied".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_receipt_proves_its_records_and_ties_their_digests() {
    let text = approved_refund().to_value().to_string();
    let proven = Receipt::parse(text.as_bytes())
        .unwrap()
        .verify(signer().verifier())
        .unwrap();
    assert_eq!(proven.invocation, invocation(9_000));
    assert_eq!(
        (proven.checkpoint.origin.as_str(), proven.checkpoint.size),
        (ORIGIN, 6)
    );
    let indexes: Vec<u64> = proven.entries.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [1, 3, 5]);
    let snapshot = Some(digest("snapshot"));
    let ties = Ties {
        described: snapshot,
        approved: snapshot,
        executed: snapshot,
    };
    assert_eq!(proven.ties, ties);
}

#[test]
fn a_receipt_of_the_sample_log_verifies_under_every_later_checkpoint() {
    let tree: Tree = LOG.records.iter().map(|record| record.leaf).collect();
    let records = LOG.records[30..32].to_vec();
    for note in &LOG.notes[1..] {
        let about = invocation(10);
        let made =
            Receipt::make(&about, records.clone(), &tree, note, signer().verifier()).unwrap();
        assert!(made.verify(signer().verifier()).is_ok());
    }
    let early = &LOG.notes[0];
    let error = Receipt::make(&invocation(10), records, &tree, early, signer().verifier());
    assert_eq!(
        error.unwrap_err().to_string(),
        "record 30 of the receipt is not under its checkpoint: leaf 30 is not in a tree of 1 leaves"
    );
}

#[test]
fn how_a_receipt_is_laid_out_does_not_matter() {
    let value = approved_refund().to_value();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let read = Receipt::parse(pretty.as_bytes()).unwrap();
    assert_eq!(read, approved_refund());
    assert!(read.verify(signer().verifier()).is_ok());
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    let expected = [
        "toolgate_receipt",
        "invocation",
        "described",
        "approved",
        "executed",
        "checkpoint",
        "records",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let text = approved_refund().to_value().to_string().into_bytes();
    // Three of every sixteen bytes, and another bit each time.
    for offset in (0..text.len()).filter(|offset| offset % 16 < 3) {
        let mut changed = text.clone();
        changed[offset] ^= 1 << (offset / 16 % 7);
        let held = Receipt::parse(&changed).and_then(|read| read.verify(signer().verifier()));
        assert!(
            held.is_err(),
            "byte {offset} of {}",
            String::from_utf8_lossy(&changed)
        );
    }
}

#[test]
fn receipts_with_parts_exchanged_are_refused() {
    let change = |change: fn(&mut Value), expected: Expect| {
        let mut value = approved_refund().to_value();
        change(&mut value);
        let read = Receipt::parse(value.to_string().as_bytes());
        let error = read
            .and_then(|read| read.verify(signer().verifier()))
            .unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    change(
        |value| value["records"] = json!([]),
        expect![
            "the receipt has no records: `inv_019ed15f92787427bca889caceaf132b` is not on the log yet"
        ],
    );
    change(
        |value| value["records"].as_array_mut().unwrap().swap(0, 1),
        expect!["record 1 of the receipt is out of order"],
    );
    change(
        |value| {
            let first = value["records"][0].clone();
            value["records"].as_array_mut().unwrap().insert(0, first);
        },
        expect!["record 1 of the receipt is out of order"],
    );
    change(
        |value| value["records"][0]["index"] = json!(2),
        expect![
            "record 2 of the receipt does not hold: the entry at index 2 says that it is number 1"
        ],
    );
    change(
        |value| value["records"][0]["path"] = value["records"][1]["path"].clone(),
        expect![
            "record 1 of the receipt is not under its checkpoint: the proof does not lead to the root"
        ],
    );
    change(
        |value| value["records"][0]["entry"]["data"]["described"] = json!("sha256:0"),
        expect![
            "record 1 of the receipt is not under its checkpoint: the proof does not lead to the root"
        ],
    );
    change(
        |value| drop(value["records"].as_array_mut().unwrap().pop()),
        expect!["the digests stated in the receipt are not those in its records"],
    );
    change(
        |value| value["executed"] = json!(null),
        expect!["the digests stated in the receipt are not those in its records"],
    );
    change(
        |value| value["approved"] = json!(digest("other")),
        expect!["the digests stated in the receipt are not those in its records"],
    );
    change(
        |value| value["invocation"] = json!(invocation(1)),
        expect!["record 1 of the receipt is not about `inv_019ed0ff73d47d26a2154e6d76b2b2b9`"],
    );
    change(
        |value| value["checkpoint"] = json!(LOG.notes[1]),
        expect![
            "record 1 of the receipt is not under its checkpoint: the proof has the wrong number of hashes"
        ],
    );
    change(
        |value| value["checkpoint"] = json!(""),
        expect![
            "the receipt's checkpoint does not hold: the note has no blank line with signatures after it"
        ],
    );
    change(
        |value| value["toolgate_receipt"] = json!(2),
        expect!["not a receipt: version 2, and this reader knows 1"],
    );
    change(
        |value| value["more"] = json!(1),
        expect![
            "not a receipt: unknown field `more`, expected one of `toolgate_receipt`, `invocation`, `described`, `approved`, `executed`, `checkpoint`, `records`"
        ],
    );
    let thief = Signer::from_seed(ORIGIN, [8; 32]).unwrap();
    let error = approved_refund().verify(thief.verifier()).unwrap_err();
    assert!(matches!(error, ReceiptError::Checkpoint(_)));
}

#[test]
fn only_what_was_described_and_approved_may_have_run() {
    let tied = || expect!["tied"];
    check_ties("d1 a1 x1", tied());
    // An allowed call needs no approval; a denied one runs never.
    check_ties("d1 x1", tied());
    check_ties("d1", tied());
    // Two votes; two attempts; a requeue with a second approval.
    check_ties("d1 a1 a1 x1 x1", tied());
    check_ties("d1 a1 d2 a2 x2", tied());
    check_ties(
        "d1 a2",
        expect!["record 3 of the receipt names another `approved` than was described before it"],
    );
    check_ties(
        "a1",
        expect!["record 1 of the receipt names another `approved` than was described before it"],
    );
    check_ties(
        "x1",
        expect!["record 1 of the receipt names another `executed` than was described before it"],
    );
    check_ties(
        "d1 a1 x2",
        expect!["record 5 of the receipt names another `executed` than was described before it"],
    );
    check_ties(
        "d1 x2",
        expect!["record 3 of the receipt names another `executed` than was described before it"],
    );
    // Requeued, and run without the second approval.
    check_ties(
        "d1 a1 d2 x2",
        expect!["record 7 of the receipt names another `executed` than was approved before it"],
    );
    check_ties(
        "d1 a1 d2 x1",
        expect!["record 7 of the receipt names another `executed` than was described before it"],
    );
    check_ties(
        "d1 a1 d2 a1",
        expect!["record 7 of the receipt names another `approved` than was described before it"],
    );
}

#[test]
fn a_tie_that_is_no_digest_is_refused() {
    for value in [json!(5), json!("sha256:"), json!([digest("1")])] {
        let error = receipt(&log(&[json!({ "described": value })])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`described` in record 1 of the receipt is not a digest"
        );
    }
    assert!(receipt(&log(&[json!({"described": null})])).is_ok());
}

#[test]
fn no_receipt_is_made_without_records() {
    let error = receipt(&log(&[])).unwrap_err();
    assert!(matches!(error, ReceiptError::Empty(_)), "{error}");
}

#[test]
fn no_receipt_is_made_of_what_is_not_on_the_log() {
    let tree: Tree = LOG.records.iter().map(|record| record.leaf).collect();
    let other = entry_with(30, &invocation(10), json!({"amount": 1}))
        .seal(30)
        .unwrap();
    let verifier = signer().verifier().clone();
    let error = Receipt::make(
        &invocation(10),
        vec![other],
        &tree,
        &LOG.notes[5],
        &verifier,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "record 30 of the receipt is not under its checkpoint: the proof does not lead to the root"
    );
}
