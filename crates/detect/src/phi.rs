//! What says something of a person's health. Conservative: a disease alone is medicine, a disease
//! beside a person is a health record.
//!
//! `MRN 00482913` is one by its name; `diagnosed with hepatitis` only near a patient or an
//! identifier of a person.
//!
//! Must not know: what a disease is. The words are a list.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;
use toolgate_model::DataClass::{Phi, Pii};

use crate::bytes::{at, count, slice};
use crate::page::Page;
use crate::pii::checks::{digits_of, luhn};
use crate::words::Word;

/// Bytes between a number and the word that names it.
const NAME_DISTANCE: usize = 24;
/// Bytes between what is said and whom it is said of.
const PERSON_DISTANCE: usize = 120;
/// Words about health that are looked at. LIMIT: one is enough; a text of nothing else stays linear.
const SAID_MAX: usize = 64;

/// Resources of a health record (HL7 FHIR).
pub(crate) const FHIR: &[&str] = &["resourcetype"];

/// A resource that says something of a patient.
pub(crate) fn fhir(page: &mut Page<'_>, hit: &Range<usize>) {
    static RESOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"\A[\\"':=\s]{1,8}(Patient|Condition|Observation|MedicationRequest|MedicationStatement|MedicationAdministration|AllergyIntolerance|DiagnosticReport|Encounter|Procedure|Immunization|CarePlan|ClinicalImpression|FamilyMemberHistory|ImagingStudy|Coverage|Claim|ExplanationOfBenefit)\b"#).ok()
    });
    let window = slice(page.bytes, hit.end, hit.end + 64);
    let group = RESOURCE
        .as_ref()
        .and_then(|resource| resource.captures(window))
        .and_then(|groups| groups.get(1).map(|group| group.range()));
    if let Some(group) = group {
        page.add(
            Phi,
            "FHIR_RESOURCE",
            hit.end + group.start..hit.end + group.end,
            0.75,
        );
    }
}

/// A run of letters, digits and dashes that a word before it may name.
pub(crate) fn read(page: &mut Page<'_>, run: &Range<usize>) {
    let text = slice(page.bytes, run.start, run.end);
    let digits = count(text, u8::is_ascii_digit);
    let before = |word| page.is_before(word, run.start, NAME_DISTANCE);
    let found = if digits >= 5 && text.len() <= 20 && before(Word::MedicalRecord) {
        Some(("MEDICAL_RECORD_NUMBER", 0.75))
    } else if text.len() == 10 && digits == 10 && before(Word::Npi) && is_npi(text) {
        Some(("NPI", 0.75))
    } else if (11..=13).contains(&text.len()) && digits >= 9 && before(Word::Ndc) {
        Some(("NDC", 0.6))
    } else {
        None
    };
    if let Some((kind, confidence)) = found {
        page.add(Phi, kind, run.clone(), confidence);
    }
}

/// Luhn over the number behind the prefix of US health cards.
fn is_npi(text: &[u8]) -> bool {
    let mut digits = vec![8, 0, 8, 4, 0];
    digits.extend(digits_of(text));
    matches!(text.first(), Some(b'1' | b'2')) && luhn(&digits)
}

/// What is said of health near a person. Runs last, when persons have been found.
pub(crate) fn said(page: &mut Page<'_>) {
    let said: Vec<Range<usize>> = page
        .mentions
        .iter()
        .filter(|mention| mention.word == Word::Diagnosis)
        .map(|mention| mention.at.clone())
        .take(SAID_MAX)
        .collect();
    for at in said {
        if is_of_person(page, &at) {
            let range = with_code(page.bytes, &at);
            page.add(Phi, "HEALTH_STATEMENT", range, 0.6);
        }
    }
}

/// Whether a person is named near it: by a number or an address, or as `patient Jane Roe`.
fn is_of_person(page: &Page<'_>, at: &Range<usize>) -> bool {
    let close = |other: &Range<usize>| {
        other.start < at.end + PERSON_DISTANCE && at.start < other.end + PERSON_DISTANCE
    };
    let identified = page.found.iter().take(SAID_MAX).any(|found| {
        (found.class == Pii && found.kind != "IP_ADDRESS" || found.kind == "MEDICAL_RECORD_NUMBER")
            && close(&found.at)
    });
    identified
        || page
            .mentions
            .iter()
            .filter(|mention| mention.word == Word::Patient && close(&mention.at))
            .take(SAID_MAX)
            .any(|mention| is_name_behind(page.bytes, mention.at.end))
}

/// Two words that begin with capitals, behind a space or colon.
fn is_name_behind(bytes: &[u8], place: usize) -> bool {
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"\A(?:'s name|[ _]name)?[\s:"=,]{1,4}(?:is )?\p{Lu}[\p{L}'-]+(?: \p{Lu}[\p{L}.'-]*)"#,
        )
        .ok()
    });
    NAME.as_ref()
        .is_some_and(|name| name.is_match(slice(bytes, place, place + 48)))
}

/// The word with the code of ICD-10 behind it.
fn with_code(bytes: &[u8], at_word: &Range<usize>) -> Range<usize> {
    static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\A[^\n]{0,16}?\b([A-TV-Z][0-9][0-9AB](?:\.[0-9A-Z]{1,4})?)\b").ok()
    });
    let window = slice(bytes, at_word.end, at_word.end + 32);
    let code = CODE
        .as_ref()
        .and_then(|code| code.captures(window))
        .and_then(|groups| groups.get(1).map(|group| group.end()));
    let end = at_word.end + code.unwrap_or_default();
    let rest = usize::from(at(bytes, end) == Some(b's'));
    at_word.start..end + rest
}
