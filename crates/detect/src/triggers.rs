//! Everything that is searched for literally, in one automaton: beginnings of tokens, key words,
//! names of places, words, phrases, and the needles of a policy set beside them.
//!
//! A hit says where to look; whoever it belongs to looks.
//!
//! Must not know: what a hit leads to.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use crate::internal::{WORDINGS, Wording};
use crate::phi::FHIR;
use crate::secrets::formats;
use crate::secrets::names::{KEY_WORDS, SERVICES, Strength};
use crate::secrets::places::{PLACES, Place};
use crate::signals::PHRASES;
use crate::words::{WORDS, Word};

/// Whom a hit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A token format, by its place in the list of all.
    Format(usize),
    KeyWord(Strength),
    Service,
    Place(Place),
    At,
    Word(Word),
    Wording(Wording),
    Phrase(usize),
    Fhir,
    /// A key word of a tenant's own pattern.
    Own(usize),
    /// A text that somebody else asked for.
    Needle(usize),
}

/// The literals of the product, each with whom it belongs to.
pub(crate) fn builtin() -> Vec<(&'static str, Trigger)> {
    let formats = formats::all()
        .enumerate()
        .flat_map(|(place, format)| each(format.prefixes, Trigger::Format(place)));
    let phrases = PHRASES
        .iter()
        .enumerate()
        .flat_map(|(place, phrase)| each(phrase.begins, Trigger::Phrase(place)));
    let words = WORDS
        .iter()
        .flat_map(|(word, texts)| each(texts, Trigger::Word(*word)));
    formats
        .chain(
            KEY_WORDS
                .iter()
                .flat_map(|(strength, texts)| each(texts, Trigger::KeyWord(*strength))),
        )
        .chain(each(SERVICES, Trigger::Service))
        .chain(
            PLACES
                .iter()
                .flat_map(|(place, texts)| each(texts, Trigger::Place(*place))),
        )
        .chain([("@", Trigger::At)])
        .chain(words)
        .chain(
            WORDINGS
                .iter()
                .flat_map(|(wording, texts)| each(texts, Trigger::Wording(*wording))),
        )
        .chain(phrases)
        .chain(each(FHIR, Trigger::Fhir))
        .collect()
}

fn each<'t>(
    texts: &'t [&'static str],
    trigger: Trigger,
) -> impl Iterator<Item = (&'static str, Trigger)> + use<'t> {
    texts.iter().map(move |text| (*text, trigger))
}

/// The automaton over these texts, ASCII letters in any case.
///
/// # Errors
/// Where the texts are too many for one automaton.
pub(crate) fn automaton<'t>(
    texts: impl Iterator<Item = &'t str>,
    kind: Option<AhoCorasickKind>,
) -> Result<AhoCorasick, BuildError> {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .prefilter(false)
        .kind(kind)
        .build(texts)
}
