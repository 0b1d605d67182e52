//! Every text that some rule searches the arguments for, found in one pass a call.
//!
//! `body_contains_any: ["deal #"]` asks for needle 0; whichever rule asks first has the whole set
//! searched, the others read the result. Both sides are in searchable form, so full-width letters
//! and invisible joints hide nothing.
//!
//! Must not know: rules, conditions.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, BuildError};
use serde_json::Value;
use toolgate_model::searchable;

use crate::limits;
use crate::meter::Meter;
use crate::ruling::Fault;

/// Which needle of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NeedleId(usize);

/// The needles of a set while it is being read: each text once.
#[derive(Debug, Default)]
pub(crate) struct NeedleList {
    ids: BTreeMap<String, NeedleId>,
}

/// The needles of a set, ready to be searched for.
#[derive(Debug)]
pub(crate) struct Needles {
    automaton: Option<AhoCorasick>,
    ids: Vec<NeedleId>,
}

/// Which needles the arguments contain.
#[derive(Clone, Debug)]
pub(crate) struct Found(Vec<bool>);

impl NeedleList {
    /// The needle for this text; `None` where nothing searchable is left of it.
    pub(crate) fn add(&mut self, text: &str) -> Option<NeedleId> {
        let text = searchable(text);
        let next = NeedleId(self.ids.len());
        (!text.is_empty()).then(|| *self.ids.entry(text).or_insert(next))
    }

    /// # Errors
    /// Where the needles are too many for one automaton.
    pub(crate) fn build(self) -> Result<Needles, BuildError> {
        let (texts, ids): (Vec<String>, Vec<NeedleId>) = self.ids.into_iter().unzip();
        let automaton = match texts.is_empty() {
            true => None,
            false => Some(AhoCorasick::new(&texts)?),
        };
        Ok(Needles { automaton, ids })
    }
}

impl Needles {
    /// Searches every text in `args`, nested ones too, keys excluded. `None` where they are too
    /// long together.
    ///
    /// # Errors
    /// The budget: each hit counts, so texts made of hits alone cost no more than it allows.
    pub(crate) fn search(&self, args: &Value, meter: &mut Meter) -> Result<Option<Found>, Fault> {
        let mut found = vec![false; self.ids.len()];
        let mut bytes = 0;
        let mut rest = vec![args];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => {
                    bytes += text.len();
                    if bytes > limits::BODY_BYTES_MAX {
                        return Ok(None);
                    }
                    self.search_text(text, &mut found, meter)?;
                }
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => rest.extend(members.values()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        Ok(Some(Found(found)))
    }

    fn search_text(&self, text: &str, found: &mut [bool], meter: &mut Meter) -> Result<(), Fault> {
        meter.spend_text(text.len())?;
        let Some(automaton) = &self.automaton else {
            return Ok(());
        };
        // Overlapping, because `secret` inside `top secret` must not be hidden by it.
        for hit in automaton.find_overlapping_iter(&searchable(text)) {
            meter.spend(1)?;
            let id = self.ids.get(hit.pattern().as_usize());
            if let Some(slot) = id.and_then(|id| found.get_mut(id.0)) {
                *slot = true;
            }
        }
        Ok(())
    }
}

impl Found {
    pub(crate) fn has(&self, id: NeedleId) -> bool {
        self.0.get(id.0).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::NeedleList;
    use crate::meter::Meter;
    use crate::ruling::{Budget, Fault};
    use serde_json::json;

    fn found(needles: &[&str], args: &serde_json::Value) -> Vec<bool> {
        let mut list = NeedleList::default();
        let ids: Vec<_> = needles.iter().map(|text| list.add(text).unwrap()).collect();
        let needles = list.build().unwrap();
        let mut meter = Meter::new(Budget::default());
        let found = needles.search(args, &mut meter).unwrap().unwrap();
        ids.into_iter().map(|id| found.has(id)).collect()
    }

    #[test]
    fn every_nested_text_is_searched_and_no_key() {
        let args = json!({"secret": {"a": ["x", {"b": "the deal #4 is on"}]}, "n": 5});
        assert_eq!(
            found(&["deal #", "secret", "5"], &args),
            [true, false, false]
        );
    }

    #[test]
    fn needles_inside_needles_are_found_and_disguise_is_undone() {
        let args = json!({"text": "TOP SE\u{200b}CRET, ｉｎｔｅｒｎａｌ only"});
        let needles = [
            "top secret",
            "secret",
            "Internal Only",
            "cre",
            "only internal",
        ];
        assert_eq!(found(&needles, &args), [true, true, true, true, false]);
    }

    #[test]
    fn a_needle_of_invisible_letters_is_none() {
        assert_eq!(NeedleList::default().add("\u{200b}"), None);
    }

    #[test]
    fn hits_cost_steps_and_length_is_bounded() {
        let mut list = NeedleList::default();
        for length in 1..100 {
            list.add(&"a".repeat(length));
        }
        let needles = list.build().unwrap();
        let args = json!({"x": "a".repeat(60_000)});
        let mut meter = Meter::new(Budget::default());
        let fault = needles.search(&args, &mut meter).unwrap_err();
        assert_eq!(
            fault,
            Fault::BudgetExhausted {
                steps_max: 1_000_000
            }
        );
        let args = json!(["b".repeat(600 << 10), "b".repeat(600 << 10)]);
        let mut meter = Meter::new(Budget::default());
        assert!(needles.search(&args, &mut meter).unwrap().is_none());
    }
}
