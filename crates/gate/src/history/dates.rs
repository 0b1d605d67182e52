//! Days in texts: "the 3rd of May 2024", "May 3", "3 May", "05/03/2024" and `2024-05-03` are one day.
//!
//! English names of months only. A figure date that could be read two ways is both days: this finds
//! out whether a day was spoken of, not which one was meant.
//!
//! Must not know: who spoke.

use std::collections::HashSet;

/// A day, in whichever year where none was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Day {
    year: Option<u16>,
    month: u8,
    day: u8,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl Day {
    /// Whether this very day was spoken of, or the same day of a year that was not named.
    pub(super) fn is_among(self, days: &HashSet<Self>) -> bool {
        days.contains(&self) || days.contains(&Self { year: None, ..self })
    }

    fn of(year: Option<u16>, month: u8, day: u8) -> Option<Self> {
        let real = (1..=12).contains(&month) && (1..=31).contains(&day);
        real.then_some(Self { year, month, day })
    }
}

/// The day that an ISO date or date and time names.
pub(super) fn iso(text: &str) -> Option<Day> {
    let date = text.get(..10)?;
    let behind = text.get(10..)?;
    if !(behind.is_empty() || behind.starts_with(['t', ' '])) {
        return None;
    }
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = (year.len(), month.len(), day.len()) == (4, 2, 2);
    Day::of(
        Some(year.parse().ok().filter(|_| whole)?),
        month.parse().ok()?,
        day.parse().ok()?,
    )
}

/// Every day that a searchable text speaks of.
pub(super) fn days(text: &str) -> Vec<Day> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || ",;()".contains(c))
        .map(|word| word.trim_end_matches(['.', ':', '!', '?']))
        .filter(|word| !word.is_empty() && *word != "of" && *word != "the")
        .collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        found.extend(iso(word));
        found.extend(figures(word));
        let Some(month) = month(word) else {
            continue;
        };
        let word_at = |at: Option<usize>| at.and_then(|at| words.get(at)).copied();
        let (before, after) = (word_at(at.checked_sub(1)), word_at(Some(at + 1)));
        let behind = word_at(Some(at + 2));
        if let Some(day) = before.and_then(ordinal) {
            found.extend(Day::of(after.and_then(year), month, day));
        }
        if let Some(day) = after.and_then(ordinal) {
            found.extend(Day::of(behind.and_then(year), month, day));
        }
    }
    found
}

/// `may`, `sep`, `sept`, `september`.
fn month(word: &str) -> Option<u8> {
    let named =
        |name: &&str| name.starts_with(word) && (word.len() == 3 || word.len() == name.len());
    let at = match word {
        "sept" => Some(8),
        _ => MONTHS.iter().position(named),
    };
    at.and_then(|at| u8::try_from(at + 1).ok())
}

/// `3`, `3rd`, `21st`.
fn ordinal(word: &str) -> Option<u8> {
    let endings = ["st", "nd", "rd", "th"];
    let bare = endings.iter().find_map(|ending| word.strip_suffix(ending));
    let day = bare.unwrap_or(word).parse().ok();
    day.filter(|day| (1..=31).contains(day))
}

fn year(word: &str) -> Option<u16> {
    word.parse()
        .ok()
        .filter(|year| word.len() == 4 && (1900..2200).contains(year))
}

/// `05/03/2024` and `3.5.2024`, month and day either way.
fn figures(word: &str) -> Vec<Day> {
    let mut parts = word.split(['/', '.']);
    let three = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(first), Some(second), Some(last), None) = three else {
        return Vec::new();
    };
    let (Some(year), Ok(first), Ok(second)) = (year(last), first.parse(), second.parse()) else {
        return Vec::new();
    };
    let either = [
        Day::of(Some(year), first, second),
        Day::of(Some(year), second, first),
    ];
    either.into_iter().flatten().collect()
}
