//! `time_window`: the decision falls into certain hours of certain days.
//!
//! `{"days": ["mon-fri"], "from": "09:00", "to": "17:30", "zone": "Europe/Berlin"}`. From `from`,
//! up to but not including `to`; a window that ends before it begins runs past midnight and belongs
//! to the day it begins on. Without hours it is the whole day, without days every day, without a
//! zone the document's `time_zone`, and without that UTC.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::call::Call;
use crate::checker::Checker;
use crate::diagnostics::BAD_TIME;
use crate::reading::Item;
use crate::ruling::Fault;
use crate::source::{Complaint, Report, shown};
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "time_window",
    doc: "the decision falls into these hours of these days",
    schema,
    read,
};

const MINUTES: i32 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[derive(Debug)]
struct Window {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes of the day.
    from: i32,
    to: i32,
    zone: Option<TimeZone>,
}

impl Test for Window {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let zone = self.zone.as_ref().unwrap_or(call.zone);
        let now = call.facts.map(|facts| facts.now.as_millis());
        let instant = now.and_then(|now| jiff::Timestamp::from_millisecond(now).ok());
        let Some(instant) = instant else {
            call.note_unknown("time");
            return Ok(Answer::UNKNOWN);
        };
        let local = instant.to_zoned(zone.clone());
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        Ok(Answer::known(self.holds(local.weekday(), minute)))
    }
}

impl Window {
    fn holds(&self, day: Weekday, minute: i32) -> bool {
        if self.from < self.to {
            return self.on(day) && self.from <= minute && minute < self.to;
        }
        let began_today = self.on(day) && self.from <= minute;
        let began_yesterday = self.on(day.previous()) && minute < self.to;
        began_today || began_yesterday
    }

    fn on(&self, day: Weekday) -> bool {
        let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
        self.days.get(place).copied().unwrap_or_default()
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "days": {"$ref": "#/$defs/texts"},
            "from": {"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"},
            "to": {"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"},
            "zone": {"type": "string"}
        }
    })
}

fn read(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Box<dyn Test>> {
    let report = &mut *checker.report;
    let members = report.members(item, &["days", "from", "to", "zone"])?;
    let (mut days, mut from, mut to, mut zone) = (Some([true; 7]), None, None, Some(None));
    for (key, member) in &members {
        match *key {
            "days" => days = read_days(report, member),
            "from" => from = Some(read_minute(report, member)),
            "to" => to = Some(read_minute(report, member)),
            _ => zone = read_zone(report, member).map(Some),
        }
    }
    let (from, to) = match (from, to) {
        (None, None) => (Some(0), Some(MINUTES)),
        (Some(from), Some(to)) => (from, to),
        _ => {
            wrong(report, item, "`from` and `to` stand together".to_owned());
            return None;
        }
    };
    let (from, to) = (from?, to?);
    if members.is_empty() || from == to || from == MINUTES {
        wrong(report, item, "the window has no hours in it".to_owned());
        return None;
    }
    Some(Box::new(Window {
        days: days?,
        from,
        to,
        zone: zone?,
    }))
}

/// `mon`, or `mon-fri`, or a list of them.
fn read_days(report: &mut Report<'_>, item: &Item<'_>) -> Option<[bool; 7]> {
    let ranges = report.each(item, |report, item| {
        let text = report.text(item)?;
        let lower = text.value.to_ascii_lowercase();
        let (first, last) = lower.split_once('-').unwrap_or((&lower, &lower));
        let place = |day: &str| DAYS.iter().position(|known| *known == day);
        let range = place(first).zip(place(last));
        if range.is_none() {
            let message = format!(
                "`{}` is not a day or days such as mon-fri",
                shown(&text.value)
            );
            wrong(report, item, message);
        }
        range
    })?;
    let mut days = [false; 7];
    for (first, last) in ranges {
        let length = (last + 7 - first) % 7;
        for (place, day) in days.iter_mut().enumerate() {
            *day |= (place + 7 - first) % 7 <= length;
        }
    }
    Some(days)
}

fn read_minute(report: &mut Report<'_>, item: &Item<'_>) -> Option<i32> {
    let text = report.text(item)?;
    let number = |digits: &str| match digits.len() {
        2 => digits.parse::<u16>().ok().map(i32::from),
        _ => None,
    };
    let minute = text.value.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (number(hour)?, number(minute)?);
        let whole = hour * 60 + minute;
        (minute < 60 && whole <= MINUTES).then_some(whole)
    });
    if minute.is_none() {
        wrong(
            report,
            item,
            format!("`{}` is not a time such as 09:00", shown(&text.value)),
        );
    }
    minute
}

/// A time zone by its IANA name.
pub(crate) fn read_zone(report: &mut Report<'_>, item: &Item<'_>) -> Option<TimeZone> {
    let text = report.text(item)?;
    let zone = TimeZone::get(&text.value).ok();
    if zone.is_none() {
        let message = format!(
            "`{}` is not a time zone such as Europe/Berlin",
            shown(&text.value)
        );
        wrong(report, item, message);
    }
    zone
}

fn wrong(report: &mut Report<'_>, item: &Item<'_>, message: String) {
    report.complain(item, Complaint::new(BAD_TIME, message));
}

#[cfg(test)]
mod tests {
    use super::Window;
    use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday};

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_it_begins_on() {
        let mut days = [false; 7];
        days[4] = true;
        let night = Window {
            days,
            from: 22 * 60,
            to: 6 * 60,
            zone: None,
        };
        assert!(night.holds(Friday, 23 * 60));
        assert!(night.holds(Saturday, 5 * 60 + 59));
        assert!(!night.holds(Saturday, 6 * 60));
        assert!(!night.holds(Saturday, 23 * 60));
        assert!(!night.holds(Friday, 5 * 60));
        assert!(!night.holds(Thursday, 23 * 60));
    }

    #[test]
    fn the_end_is_not_in_it() {
        let office = Window {
            days: [true; 7],
            from: 540,
            to: 1050,
            zone: None,
        };
        assert!(office.holds(Monday, 540) && office.holds(Sunday, 1049));
        assert!(!office.holds(Monday, 539) && !office.holds(Monday, 1050));
    }
}
