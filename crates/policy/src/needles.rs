//! Every text that some rule searches the arguments for, found in one pass a call.
//!
//! `body_contains_any: ["deal #"]` asks for needle 0; whichever rule asks first has the whole set
//! searched, the others read the result. Both sides are in searchable form, so full-width letters
//! and invisible joints hide nothing. Where rules also ask for classes of data, the detector looks
//! for the needles in its own pass, and the text is walked once.
//!
//! Must not know: rules, conditions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, BuildError};
use serde_json::Value;
use toolgate_detect::{Detector, Scan, Scanner};
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
    texts: Vec<String>,
    /// The detector with these needles, made when a call first asks for both.
    scanner: OnceLock<Option<Scanner>>,
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
        Ok(Needles {
            automaton,
            ids,
            texts,
            scanner: OnceLock::new(),
        })
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

    /// Searches and scans in one pass. `None` where one alone is wanted, or the texts are too long
    /// for either; then each says so for itself.
    ///
    /// # Errors
    /// The budget, as [`Self::search`] has it.
    pub(crate) fn search_with(
        &self,
        detector: &Arc<Detector>,
        args: &Value,
        meter: &mut Meter,
    ) -> Result<Option<(Found, Scan)>, Fault> {
        let bytes = text_bytes(args);
        let scanner = match self.automaton.is_some() && bytes <= limits::BODY_BYTES_MAX {
            true => self
                .scanner
                .get_or_init(|| Scanner::new(detector, &self.texts)),
            false => &None,
        };
        let Some(scanner) = scanner else {
            return Ok(None);
        };
        meter.spend_text(bytes)?;
        let mut found = vec![false; self.ids.len()];
        let scan = scanner.scan(args, &mut |needle| {
            meter.spend(1)?;
            let id = self.ids.get(needle);
            if let Some(slot) = id.and_then(|id| found.get_mut(id.0)) {
                *slot = true;
            }
            Ok(())
        })?;
        Ok(scan.ok().map(|scan| (Found(found), scan)))
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

/// How much text is in the values, in bytes.
pub(crate) fn text_bytes(value: &Value) -> usize {
    let (mut bytes, mut rest) = (0, vec![value]);
    while let Some(value) = rest.pop() {
        match value {
            Value::String(text) => bytes += text.len(),
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => rest.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::NeedleList;
    use crate::meter::Meter;
    use crate::ruling::{Budget, Fault};
    use serde_json::json;
    use toolgate_detect::Detector;

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
    fn one_pass_finds_the_same_needles_and_the_data() {
        let args = json!({
            "secret": ["TOP SE\u{200b}CRET", {"x": "ｉｎｔｅｒｎａｌ only, ÄRGER, mail ana@acme.com"}],
            "deal #": 5,
        });
        let needles = [
            "o\"",
            "com\"",
            "top secret",
            "secret",
            "internal only",
            "ärger",
            "deal #",
            "5",
            "e@a",
            "a@a",
        ];
        let mut list = NeedleList::default();
        let ids: Vec<_> = needles.iter().map(|text| list.add(text).unwrap()).collect();
        let built = list.build().unwrap();
        let mut meter = Meter::new(Budget::default());
        let alone = built.search(&args, &mut meter).unwrap().unwrap();
        let (together, scan) = built
            .search_with(&Detector::builtin(), &args, &mut meter)
            .unwrap()
            .unwrap();
        for (id, needle) in ids.into_iter().zip(needles) {
            assert_eq!(together.has(id), alone.has(id), "{needle}");
        }
        assert_eq!(scan, Detector::builtin().scan(&args).unwrap());
        assert_eq!(scan.findings.len(), 1);
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
