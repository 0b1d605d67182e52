//! `url_patterns`: where a request goes, by prefix or glob.
//!
//! A text without a wildcard is a prefix that ends at a boundary: `https://api.acme.com/v1` fits
//! `https://api.acme.com/v1/refunds` and neither `https://api.acme.com/v10` nor
//! `https://api.acme.com.evil/v1`. In a glob, `https://*.acme.com/admin/*`, what stands for the host is
//! compared with the host alone, so a path cannot fake it. A glob without a scheme, `*/admin/*`, is
//! compared with the whole URL.

use serde_json::json;
use toolgate_model::Glob;

use crate::call::Call;
use crate::checker::Checker;
use crate::diagnostics::BAD_PATTERN;
use crate::patterns::over;
use crate::plain::{self, Place, Url};
use crate::reading::{Item, Placed};
use crate::ruling::Fault;
use crate::source::{Complaint, shown};
use crate::term::Term;
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "url_patterns",
    doc: "URLs: a prefix as in `https://api.acme.com/v1`, or a glob",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read,
};

#[derive(Debug)]
struct Urls {
    term: Term,
    patterns: Vec<Pattern>,
}

/// What one pattern wants of a URL.
#[derive(Debug)]
enum Pattern {
    Parts(Parts),
    Whole(Glob),
}

#[derive(Debug)]
struct Parts {
    scheme: Glob,
    /// Host and port.
    place: Glob,
    rest: Rest,
}

/// What it wants behind the host.
#[derive(Debug)]
enum Rest {
    Anything,
    /// This, and then the end or a boundary.
    Prefix(String),
    Glob(Glob),
}

fn read(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Box<dyn Test>> {
    let globs = checker.report.globs(item)?;
    let patterns: Vec<Option<Pattern>> = globs.iter().map(|glob| pattern(glob, checker)).collect();
    let Term::Mapped { path, mappings, .. } = checker.fact("url")? else {
        return None;
    };
    // As it stands: a URL with a plain host and an odd path is still no URL of another host.
    let place = Place::Other;
    let term = Term::Mapped {
        path,
        mappings,
        place,
    };
    let patterns = patterns.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Box::new(Urls { term, patterns }))
}

fn pattern(written: &Placed<Glob>, checker: &mut Checker<'_, '_>) -> Option<Pattern> {
    let text = written.value.as_str();
    let parsed = match (written.value.is_exact(), text.contains("://")) {
        (true, true) => plain::url(text).map(|url| Parts::prefix(url, None)),
        (true, false) => {
            let url = plain::url(&format!("https://{text}"));
            url.map(|url| Parts::prefix(url, Some("*")))
        }
        (false, true) => Parts::glob(text),
        (false, false) => Some(Pattern::Whole(written.value.clone())),
    };
    if parsed.is_none() {
        let message = format!("`{}` is no URL or pattern of one", shown(text));
        let complaint = Complaint::new(BAD_PATTERN, message).at(&written.at, &written.path);
        let help =
            "write scheme and host, as in `https://api.acme.com/v1` or `https://*.acme.com/*`";
        checker.report.push(complaint.help(help));
    }
    parsed
}

impl Parts {
    /// A text without wildcards, of its own scheme or of any that fits `scheme`.
    fn prefix(url: Url, scheme: Option<&str>) -> Pattern {
        Pattern::Parts(Self {
            scheme: Glob::new(scheme.unwrap_or(&url.scheme)),
            place: Glob::new(url.place()),
            rest: match url.rest.as_str() {
                "/" => Rest::Anything,
                rest => Rest::Prefix(rest.to_owned()),
            },
        })
    }

    /// A text with wildcards: scheme, host and the rest, each a glob of its own.
    fn glob(text: &str) -> Option<Pattern> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (place, rest) = rest.split_at(end);
        if place.is_empty() || place.contains(['@', '\\', '#', ' ']) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let place = place.to_ascii_lowercase();
        let own = match scheme.as_str() {
            "http" | "ws" => ":80",
            "https" | "wss" => ":443",
            _ => "",
        };
        Some(Pattern::Parts(Self {
            place: Glob::new(place.strip_suffix(own).unwrap_or(&place)),
            scheme: Glob::new(scheme),
            rest: match rest {
                "" | "/" | "/*" => Rest::Anything,
                rest => Rest::Glob(Glob::new(rest)),
            },
        }))
    }

    fn fits(&self, url: &Url) -> Answer {
        if !self.scheme.matches(&url.scheme) || !self.place.matches(&url.place()) {
            return Answer::FALSE;
        }
        let fits = match &self.rest {
            Rest::Anything => return Answer::TRUE,
            Rest::Prefix(prefix) => begins(&url.rest, prefix),
            Rest::Glob(glob) => glob.matches(&url.rest),
        };
        match url.has_plain_rest() {
            true => Answer::known(fits),
            false => Answer::UNKNOWN,
        }
    }
}

impl Pattern {
    fn fits(&self, url: &Url) -> Answer {
        match self {
            Self::Parts(parts) => parts.fits(url),
            Self::Whole(glob) if glob.is_any() => Answer::TRUE,
            Self::Whole(glob) => match url.plain() {
                Some(whole) => Answer::known(glob.matches(&whole)),
                None => Answer::UNKNOWN,
            },
        }
    }
}

/// Whether a path and query begin with these parts of it, whole.
fn begins(rest: &str, prefix: &str) -> bool {
    let bounds = ['/', '?', '&', '='];
    rest.strip_prefix(prefix)
        .is_some_and(|tail| tail.is_empty() || prefix.ends_with(bounds) || tail.starts_with(bounds))
}

impl Test for Urls {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        over(&self.term, call, |text, call| {
            let Some(url) = plain::url(text) else {
                self.term.note(call);
                return Ok(Answer::UNKNOWN);
            };
            let mut answer = Answer::FALSE;
            for pattern in &self.patterns {
                call.meter.spend_text(text.len())?;
                answer = answer.or(pattern.fits(&url));
            }
            if answer == Answer::UNKNOWN {
                self.term.note(call);
            }
            Ok(answer)
        })
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        self.term.shown(call)
    }
}
