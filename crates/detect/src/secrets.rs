//! Secrets: tokens of providers, values that key words speak of, places that hold one by position.
//!
//! Must not know: the JSON that a text stands in.

pub(crate) mod assignments;
mod checksum;
pub(crate) mod filler;
pub(crate) mod formats;
pub(crate) mod names;
pub(crate) mod places;
pub(crate) mod runs;

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use toolgate_model::DataClass::Secrets;

use crate::bytes::{at, before, is_word, slice};
use crate::page::Page;
use filler::{is_filler, is_random};
use formats::{Format, LIKELY};

/// Bytes of one token. LIMIT: the longest fixed format has 400.
const TOKEN_BYTES_MAX: usize = 512;

/// A format whose expression is compiled when it is first needed: most are never met.
#[derive(Debug)]
pub(crate) struct CompiledFormat {
    format: &'static Format,
    tail: OnceLock<Option<Regex>>,
}

impl CompiledFormat {
    pub(crate) fn new(format: &'static Format) -> Self {
        Self {
            format,
            tail: OnceLock::new(),
        }
    }

    fn tail(&self) -> Option<&Regex> {
        self.tail
            .get_or_init(|| compiled(self.format.tail).ok())
            .as_ref()
    }

    /// Holds what follows a beginning against the format.
    pub(crate) fn read(&self, page: &mut Page<'_>, hit: &Range<usize>) {
        let bytes = page.bytes;
        let Some(start) = hit.start.checked_sub(self.format.lead) else {
            return;
        };
        if !self.begins_at(bytes, hit, start) {
            return;
        }
        let window = slice(bytes, hit.end, hit.end + TOKEN_BYTES_MAX);
        let Some(length) = self
            .tail()
            .and_then(|tail| tail.find(window))
            .map(|found| found.end())
        else {
            return;
        };
        let end = hit.end + length;
        let token = slice(bytes, start, end);
        let loose = self.format.confidence <= LIKELY;
        let open = at(bytes, end).is_some_and(|next| next.is_ascii_alphanumeric());
        let tail = slice(bytes, hit.end, end);
        if open || is_filler(token) || loose && !is_random(tail) {
            return;
        }
        page.add(Secrets, self.format.kind, start..end, self.confidence(tail));
    }

    /// A check that fits leaves no doubt; one that does not may be another generation of tokens.
    fn confidence(&self, random: &[u8]) -> f32 {
        let checked = matches!(self.format.kind, "GITHUB_TOKEN" | "NPM_TOKEN");
        match checked && random.len() == 36 && checksum::has_crc(random) {
            true => 0.99,
            false => self.format.confidence,
        }
    }

    /// The beginning in its own letter case, after nothing that it would be the middle of.
    fn begins_at(&self, bytes: &[u8], hit: &Range<usize>, start: usize) -> bool {
        let written = slice(bytes, hit.start, hit.end);
        let lead = slice(bytes, start, hit.start);
        let first = at(bytes, start).is_some_and(is_word);
        self.format
            .prefixes
            .iter()
            .any(|prefix| prefix.as_bytes() == written)
            && lead.iter().all(u8::is_ascii_graphic)
            && !(first && before(bytes, start).is_some_and(|byte| byte.is_ascii_alphanumeric()))
    }
}

fn compiled(tail: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{tail})"))
        .unicode(false)
        .build()
}

#[cfg(test)]
mod tests {
    use super::{compiled, formats};

    #[test]
    fn every_format_compiles() {
        for format in formats::all() {
            assert!(
                compiled(format.tail).is_ok(),
                "{}: {}",
                format.kind,
                format.tail
            );
        }
    }
}
