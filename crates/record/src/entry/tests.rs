//! The form of an entry: the golden file, what is refused, and that whatever is sealed reads back.
//!
//! Form and leaf of the golden file were made by other programs. The limits are tried at their
//! edges, since a limit that is one too wide would seal a record that nobody can read again.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use toolgate_model::{AgentId, TenantId, Timestamp};

use super::{Actor, ENTRY_BYTES_MAX, Entry, EntryError, INDEX_MAX, INSTANT_MAX};

const GOLDEN: &[u8] = include_bytes!("../../tests/golden/entry_v1.json");

fn sample() -> Entry {
    let name = |text: &str| text.parse::<AgentId>().unwrap();
    Entry {
        id: "evt_019700000000700080000000000000ab".parse().unwrap(),
        at: "2026-06-16T15:14:22.104Z".parse().unwrap(),
        kind: "invocation.denied".to_owned(),
        tenant: TenantId::default(),
        actor: Actor::Agent {
            id: name("billing_agent"),
            key: "key_019700000000700080000000000000cd".parse().unwrap(),
            chain: vec![name("ana@acme.com"), name("triage_agent")],
        },
        invocation: Some("inv_019700000000700080000000000000ef".parse().unwrap()),
        correlation: Some("c-1 \"é\" \u{7}".to_owned()),
        data: object(json!({"code": "not_granted", "amount": 640.10, "rules": [], "none": null})),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn check_seal(change: impl FnOnce(&mut Entry), expected: Expect) {
    let mut entry = sample();
    change(&mut entry);
    expected.assert_eq(&entry.seal(7).unwrap_err().to_string());
}

fn check_parse(text: &str, expected: Expect) {
    expected.assert_eq(&Entry::parse(text.as_bytes()).unwrap_err().to_string());
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn the_form_is_the_golden_one() {
    // Form and leaf were made outside this program: sorted keys by hand, sha256sum.
    let record = sample().seal(7).unwrap();
    assert_eq!(record.text(), String::from_utf8_lossy(GOLDEN));
    assert_eq!(
        record.leaf.to_string(),
        "sha256:15d5709724075dbd503d69de15ff2606bba795ee2fe6a918a6ac6960c6a36da3"
    );
    assert_eq!(Entry::parse(GOLDEN).unwrap(), (7, record.entry().unwrap()));
}

#[test]
fn every_actor_reads_back() {
    let person = Actor::Person {
        id: "ana@acme.com".parse().unwrap(),
        key: "key_019700000000700080000000000000cd".parse().unwrap(),
    };
    for (actor, form) in [
        (
            person,
            r#"{"id":"ana@acme.com","key":"key_019700000000700080000000000000cd","kind":"person"}"#,
        ),
        (Actor::Gate, r#"{"kind":"gate"}"#),
        (Actor::Nobody, r#"{"kind":"nobody"}"#),
    ] {
        let entry = Entry {
            actor,
            invocation: None,
            correlation: None,
            ..sample()
        };
        let record = entry.seal(0).unwrap();
        assert!(
            record
                .text()
                .starts_with(&format!(r#"{{"actor":{form},"at":"#))
        );
        assert_eq!(record.entry().unwrap(), entry);
    }
}

#[test]
fn what_cannot_be_read_back_is_not_sealed() {
    check_seal(
        |entry| entry.kind = "Invocation denied".to_owned(),
        expect![
            "`Invocation denied` is not a kind of record: lower-case words and dots such as `invocation.denied`"
        ],
    );
    check_seal(
        |entry| entry.kind = String::new(),
        expect![
            "`` is not a kind of record: lower-case words and dots such as `invocation.denied`"
        ],
    );
    check_seal(
        |entry| entry.at = Timestamp::from_millis(-1),
        expect![
            "`1969-12-31T23:59:59.999Z` is not an instant between 1970 and 9999: check the clock"
        ],
    );
    check_seal(
        |entry| entry.at = Timestamp::from_millis(INSTANT_MAX.as_millis() + 1),
        expect!["`253402207200001ms` is not an instant between 1970 and 9999: check the clock"],
    );
    check_seal(
        |entry| entry.data = object(json!({"n": 9_007_199_254_740_993_u64})),
        expect![
            "the number `9007199254740993` in the entry is outside exact range: write it as text"
        ],
    );
    check_seal(
        |entry| entry.data = object(json!({"a": [{"$serde_json::private::Number": "1"}]})),
        expect![
            "the key `$serde_json::private::Number` in the entry is reserved: name it otherwise"
        ],
    );
    check_seal(
        |entry| entry.data = object(json!({"text": "x".repeat(ENTRY_BYTES_MAX)})),
        expect![
            "the entry has 65910 bytes, more than the 65535 allowed: commit to large bodies instead"
        ],
    );
    // The entry and its data are two levels; 94 more fit.
    check_seal(
        |entry| entry.data = object(json!({"deep": nested(95)})),
        expect!["the entry is nested deeper than 96 levels: commit to deep bodies instead"],
    );
    assert_eq!(
        sample().seal(INDEX_MAX + 1).unwrap_err().to_string(),
        "`9007199254740992` is above the largest index of a log"
    );
}

#[test]
fn the_largest_of_everything_reads_back() {
    let mut entry = sample();
    entry.at = INSTANT_MAX;
    entry.data = object(json!({"deep": nested(94), "n": 9_007_199_254_740_992_u64}));
    let room = ENTRY_BYTES_MAX - entry.seal(INDEX_MAX).unwrap().bytes.len();
    let filler = room - r#""text":"","#.len();
    entry
        .data
        .insert("text".to_owned(), "x".repeat(filler).into());
    let record = entry.seal(INDEX_MAX).unwrap();
    assert_eq!(record.bytes.len(), ENTRY_BYTES_MAX);
    assert_eq!(record.entry().unwrap(), entry);
    entry.kind.push('x');
    let (bytes, max) = (ENTRY_BYTES_MAX + 1, ENTRY_BYTES_MAX);
    assert_eq!(
        entry.seal(INDEX_MAX),
        Err(EntryError::TooLong { bytes, max })
    );
}

#[test]
fn an_entry_has_one_form() {
    let golden = std::str::from_utf8(GOLDEN).unwrap();
    let with = |from: &str, to: &str| {
        assert!(golden.contains(from), "{from}");
        golden.replacen(from, to, 1)
    };
    for text in [
        with(",", ", "),
        with("640.1", "640.10"),
        with("640.1", "6401e-1"),
        with("22.104Z", "22.1040Z"),
        with("22.104Z", "22.104+00:00"),
        with("é", "\\u00e9"),
        with(r#""invocation":"#, r#""correlation":null,"invocation":"#).replacen(
            r#""correlation":"c-1 \"é\" \u0007","#,
            "",
            1,
        ),
        with(
            r#""chain":["ana@acme.com","triage_agent"],"#,
            r#""chain":[],"#,
        ),
    ] {
        let error = Entry::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error, EntryError::NotCanonical, "{text}");
    }
    check_parse(
        &with(r#""v":1"#, r#""v":2"#),
        expect!["not an entry: it has version 2, and this reader knows version 1"],
    );
    check_parse(
        &with(r#""v":1"#, r#""v":1,"w":1"#),
        expect![
            "not an entry: unknown field `w`, expected one of `v`, `index`, `id`, `at`, `kind`, `tenant`, `actor`, `invocation`, `correlation`, `data`"
        ],
    );
    check_parse(
        &with(r#""v":1"#, r#""v":1,"v":1"#),
        expect!["not an entry: the key `v` stands twice at line 1, column 427"],
    );
    check_parse(
        &golden[..40],
        expect!["not an entry: EOF while parsing a string at line 1, column 40"],
    );
    check_parse(
        "",
        expect!["not an entry: EOF while parsing a value at line 1, column 0"],
    );
}

#[test]
fn a_record_that_was_moved_says_so() {
    let mut record = sample().seal(7).unwrap();
    record.index = 8;
    assert_eq!(
        record.entry().unwrap_err().to_string(),
        "the entry at index 8 says that it is number 7"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(|n| json!(n)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u16>().prop_map(|n| json!(n)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_sealed_reads_back(
        value in any_value(), correlation: Option<String>, index in 0..=INDEX_MAX,
    ) {
        let data = object(json!({"value": value}));
        let entry = Entry { data, correlation, ..sample() };
        match entry.seal(index) {
            Ok(record) => {
                // Numbers may come back in another notation, so forms are compared.
                let again = record.entry().unwrap();
                prop_assert_eq!(again.seal(index).unwrap(), record);
                prop_assert_eq!(&again.correlation, &entry.correlation);
            }
            Err(error) => prop_assert!(
                matches!(error, EntryError::Number(_)), "{error}"
            ),
        }
    }
}
