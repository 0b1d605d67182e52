//! A text as it is searched, and the way back from a place in it to the bytes that were sent.
//!
//! `ｓ\u{200b}k-…` is searched as `sk-…`: NFKC, without invisible characters, every letter beyond
//! ASCII in lower case. What is found at bytes 0 to 3 of the view is bytes 0 to 8 of the text. A
//! member's value is searched behind its key (`password: "hunter2"`), because the key is the word
//! that says what the value is; nothing that lies in the key is reported there.
//!
//! Must not know: what is searched for.

use std::borrow::Cow;
use std::ops::Range;

use toolgate_model::is_invisible;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// Bytes of a value that is searched behind its key. LIMIT: no password is longer; what is, says
/// itself what it is.
const LABELLED_BYTES_MAX: usize = 16 << 10;

/// A text as it is searched.
#[derive(Debug)]
pub(crate) struct View<'t> {
    text: Cow<'t, str>,
    /// Where the value begins, behind its key.
    start: usize,
    /// Where it ends, before the mark that closes it.
    end: usize,
    /// Where view and text differ; none where they are the same byte for byte.
    pieces: Vec<Piece>,
}

/// From here on, up to the next piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Where it begins in the view.
    pub(crate) view: usize,
    /// Where it begins in what the view was made of.
    pub(crate) source: usize,
    /// Whether a byte of the view is a byte of the source; otherwise all of it is one thing.
    pub(crate) literal: bool,
}

impl<'t> View<'t> {
    /// The view of a text, behind the key that it stands under.
    pub(crate) fn new(text: &'t str, key: Option<&str>) -> Self {
        let key = key.filter(|_| text.len() <= LABELLED_BYTES_MAX);
        let mut view = match text.is_ascii() {
            true => Self {
                text: Cow::Borrowed(text),
                start: 0,
                end: text.len(),
                pieces: Vec::new(),
            },
            false => normalised(text),
        };
        if let Some(key) = key.filter(|key| !key.is_empty()) {
            view.put_behind(key);
        }
        view
    }

    /// A view of what a part of another view reads when undone.
    pub(crate) fn derived(text: String, pieces: Vec<Piece>) -> Self {
        Self {
            start: 0,
            end: text.len(),
            text: Cow::Owned(text),
            pieces,
        }
    }

    fn put_behind(&mut self, key: &str) {
        let label: String = key.nfkc().filter(|c| !is_invisible(*c)).collect();
        let mut text = String::with_capacity(label.len() + self.text.len() + 5);
        text.push_str(&label);
        text.push_str(": \"");
        self.start = text.len();
        text.push_str(&self.text);
        self.end = text.len();
        text.push('"');
        self.text = Cow::Owned(text);
        for piece in &mut self.pieces {
            piece.view += self.start;
        }
    }

    /// What is searched.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The same as text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the value begins.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    /// Where it ends.
    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    /// The bytes that were sent for these bytes of the view; `None` where they lie in the key.
    pub(crate) fn source(&self, found: &Range<usize>) -> Option<Range<usize>> {
        let (from, to) = (found.start.max(self.start), found.end.min(self.end));
        if from >= to {
            return None;
        }
        if self.pieces.is_empty() {
            return Some(from - self.start..to - self.start);
        }
        let first = self.piece_at(from)?;
        let start = match self.pieces.get(first)? {
            piece if piece.literal => piece.source + (from - piece.view),
            piece => piece.source,
        };
        let last = self.piece_at(to - 1)?;
        let end = match (self.pieces.get(last)?, self.pieces.get(last + 1)) {
            (piece, _) if piece.literal => piece.source + (to - piece.view),
            (_, Some(next)) => next.source,
            // INVARIANT: every list of pieces ends with one that begins where the text ends.
            (piece, None) => piece.source,
        };
        Some(start..end.max(start))
    }

    /// Whether any of these bytes of the view differ from the source.
    pub(crate) fn is_changed(&self, found: &Range<usize>) -> bool {
        let Some(first) = self.piece_at(found.start) else {
            return false;
        };
        self.pieces
            .iter()
            .skip(first)
            .take_while(|piece| piece.view < found.end)
            .any(|piece| !piece.literal)
    }

    fn piece_at(&self, at: usize) -> Option<usize> {
        self.pieces
            .partition_point(|piece| piece.view <= at)
            .checked_sub(1)
    }
}

/// Builds the text of a view piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    text: String,
    pieces: Vec<Piece>,
}

impl Builder {
    /// Bytes that are the same in both.
    pub(crate) fn copy(&mut self, source: usize, text: &str) {
        self.begin(source, true);
        self.text.push_str(text);
    }

    /// What reads as `text` but is written otherwise; several of them where a character's bytes
    /// were split.
    pub(crate) fn replace(&mut self, source: usize, text: &str) {
        self.begin(source, false);
        self.text.push_str(text);
    }

    /// The view of a source that ends at `end`.
    pub(crate) fn finish<'t>(mut self, end: usize) -> View<'t> {
        self.begin(end, true);
        View::derived(self.text, self.pieces)
    }

    fn begin(&mut self, source: usize, literal: bool) {
        // Two literal neighbours are one piece unless something was left out between them.
        let view = self.text.len();
        if let Some(last) = self.pieces.last().filter(|last| last.literal && literal)
            && source.checked_sub(last.source) == view.checked_sub(last.view)
        {
            return;
        }
        self.pieces.push(Piece {
            view,
            source,
            literal,
        });
    }
}

fn normalised<'t>(text: &str) -> View<'t> {
    let mut builder = Builder::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = plain_length(rest);
        builder.copy(at, rest.get(..plain).unwrap_or_default());
        let odd = rest.get(plain..).unwrap_or_default();
        let length = odd_length(odd);
        odd_run(
            &mut builder,
            at + plain,
            odd.get(..length).unwrap_or_default(),
        );
        at += plain + length;
    }
    builder.finish(text.len())
}

/// Bytes of ASCII at the start of `text` that nothing after them combines with.
fn plain_length(text: &str) -> usize {
    let ascii = text.bytes().take_while(u8::is_ascii).count();
    match ascii == text.len() {
        true => ascii,
        false => ascii.saturating_sub(1),
    }
}

/// Bytes of one ASCII character and what is not ASCII after it.
fn odd_length(text: &str) -> usize {
    let mut characters = text.char_indices();
    characters.next();
    characters
        .find(|(_, c)| c.is_ascii())
        .map_or(text.len(), |(at, _)| at)
}

/// The same as `searchable` makes of it, but for ASCII capitals. Each character with its marks has
/// its own piece, unless characters combine across them: then all of the run is one thing.
fn odd_run(builder: &mut Builder, at: usize, run: &str) {
    let whole = folded(run);
    let clusters: Vec<(usize, String)> = clusters(run)
        .map(|(offset, cluster)| (at + offset, folded(cluster)))
        .collect();
    let joined: usize = clusters.iter().map(|(_, text)| text.len()).sum();
    if joined != whole.len() || !starts_in_turn(&whole, &clusters) {
        builder.replace(at, &whole);
        return;
    }
    for (source, text) in clusters {
        builder.replace(source, &text);
    }
}

fn starts_in_turn(whole: &str, clusters: &[(usize, String)]) -> bool {
    let mut rest = Some(whole);
    for (_, text) in clusters {
        rest = rest.and_then(|rest| rest.strip_prefix(text.as_str()));
    }
    rest == Some("")
}

fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkc().filter(|c| !is_invisible(*c)) {
        match c.is_ascii() {
            true => folded.push(c),
            false => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// Characters with the marks that follow them.
fn clusters(run: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut starts: Vec<usize> = run
        .char_indices()
        .filter(|(at, c)| *at == 0 || canonical_combining_class(*c) == 0)
        .map(|(at, _)| at)
        .collect();
    starts.push(run.len());
    let pairs: Vec<(usize, usize)> = starts
        .iter()
        .copied()
        .zip(starts.iter().copied().skip(1))
        .collect();
    pairs
        .into_iter()
        .filter_map(move |(from, to)| Some((from, run.get(from..to)?)))
}

#[cfg(test)]
mod tests {
    use super::View;
    use toolgate_model::searchable;

    fn found(text: &str, needle: &str) -> Option<String> {
        let view = View::new(text, None);
        let at = view.text().find(needle).unwrap();
        let source = view.source(&(at..at + needle.len()))?;
        text.get(source).map(str::to_owned)
    }

    #[test]
    fn what_is_found_leads_back_to_what_was_sent() {
        assert_eq!(found("a deal #4", "deal").unwrap(), "deal");
        assert_eq!(found("x ｄｅａｌ #4", "deal").unwrap(), "ｄｅａｌ");
        assert_eq!(found("x de\u{200b}al!", "deal").unwrap(), "de\u{200b}al");
        assert_eq!(found("é de\u{301}al ü", "al").unwrap(), "al");
        assert_eq!(found("ﬁle", "il").unwrap(), "ﬁl");
    }

    #[test]
    fn the_view_reads_as_needles_do() {
        let odd = [
            "TOP SE\u{200b}CRET",
            "ｉｎｔｅｒｎａｌ Only",
            "e\u{301}\u{200b}\u{301}Ö",
            "\u{1112}\u{1161}\u{11ab}글",
            "ﬁle \u{202e}İ K",
            "🏴\u{e0067}\u{e007f} x\u{fe0f}",
        ];
        for text in odd {
            let view = View::new(text, None);
            assert_eq!(
                view.text().to_ascii_lowercase(),
                searchable(text),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_key_stands_before_its_value_and_is_not_reported() {
        let view = View::new("hunter2é", Some("password"));
        assert_eq!(view.text(), "password: \"hunter2é\"");
        assert_eq!(view.source(&(0..8)), None);
        assert_eq!(view.source(&(11..18)), Some(0..7));
        assert_eq!(view.source(&(0..14)), Some(0..3));
        assert_eq!(view.source(&(18..21)), Some(7..9));
    }
}
