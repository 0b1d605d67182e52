//! Attributes: what rules can read of a call (2-decision, 1).
//!
//! `env == prod` reads the entry `env` of the registry. An entry has a type, a text for the
//! reference page and a source. A name that is not in the registry is an argument of the tool.
//!
//! Must not know: expressions, rules.

mod getters;
mod registry;

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use toolgate_detect::Scan;

use crate::input::Facts;
use crate::value::Got;

pub(crate) use getters::{entity, resource_name};
pub use registry::ATTRIBUTES;
pub(crate) use registry::ORIGINS;

/// What kind of value an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Whatever the caller sent.
    Any,
    /// A text.
    Text,
    /// An exact decimal.
    Number,
    /// True or false.
    Bool,
    /// `low` < `medium` < `high` < `critical`.
    Risk,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A calendar day, `2026-12-24`.
    Date,
    /// A span of time, `24h`.
    Duration,
    /// A list of texts.
    Texts,
    /// A set of some of these words.
    Set(&'static [&'static str]),
    /// All texts of the arguments, searchable.
    Body,
    /// A thing with parts, which only `exists` asks for.
    Object,
}

/// One attribute that rules can read.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, `user.id`.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// What it is, for the reference page.
    pub doc: &'static str,
    pub(crate) source: Source,
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The facts of the call.
    Facts(Getter),
    /// What is known of earlier calls.
    History(Getter),
    /// What a normaliser recognised, else what the tool's descriptor maps it to, else the argument
    /// of that name.
    Mapped,
    /// The texts of the arguments, or of the result that is judged.
    Body,
    /// What the detector finds in them.
    Found(fn(&Scan) -> BTreeSet<&'static str>),
    /// What the detector found in the tool's own definition.
    ToolSignals,
    /// Whether a recipient or host is outside the tenant's own domains.
    External,
    /// What the tool answered; only rules about results read it.
    Result,
}

/// Reads one fact of a call.
pub(crate) type Getter = for<'a, 'c> fn(&Reading<'a, 'c>) -> Got<'c>;

/// What getters read: the facts, and the zone of the rule's document.
pub(crate) struct Reading<'a, 'c> {
    pub(crate) facts: &'a Facts<'c>,
    pub(crate) zone: &'a TimeZone,
}

/// The attribute of this name.
pub(crate) fn attribute(name: &str) -> Option<&'static Attribute> {
    let at = ATTRIBUTES
        .binary_search_by(|known| known.name.cmp(name))
        .ok()?;
    ATTRIBUTES.get(at)
}

/// The attributes whose names begin with `head` and a dot.
pub(crate) fn parts_of(head: &str) -> Vec<&'static str> {
    let names = ATTRIBUTES.iter().map(|known| known.name);
    names
        .filter(|name| name.split_once('.').is_some_and(|(first, _)| first == head))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::registry::{CLASSES, ORIGINS, ROLES, VERBS};
    use super::{ATTRIBUTES, attribute, parts_of};
    use toolgate_model::{DataClass, Origin, Role, Verb};

    #[test]
    fn names_are_sorted_and_found() {
        for pair in ATTRIBUTES.windows(2) {
            assert!(
                pair[0].name < pair[1].name,
                "{} is out of order",
                pair[1].name
            );
        }
        for known in ATTRIBUTES {
            assert_eq!(
                attribute(known.name).map(|found| found.doc),
                Some(known.doc)
            );
        }
        assert!(attribute("amount").is_none());
        assert_eq!(parts_of("user"), ["user.groups", "user.id"]);
    }

    #[test]
    fn words_are_those_of_the_model() {
        let words = |all: Vec<&'static str>| all;
        assert_eq!(
            words(Role::ALL.iter().map(|(_, word)| *word).collect()),
            ROLES
        );
        assert_eq!(
            words(Verb::ALL.iter().map(|(_, word)| *word).collect()),
            VERBS
        );
        assert_eq!(
            words(DataClass::ALL.iter().map(|(_, word)| *word).collect()),
            CLASSES
        );
        assert_eq!(
            words(Origin::ALL.iter().map(|(_, word)| *word).collect()),
            ORIGINS
        );
    }
}
