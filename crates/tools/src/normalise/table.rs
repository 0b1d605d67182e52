//! The operations of a service: one line each, method and path to name, category and rating.
//!
//! ```text
//! # method  path                            operation         category  verb  risk  parameters
//! PUT       /repos/{owner}/{repo}/merges    merge_branch      repos     -     -     base,head
//! GET       /repos/{o}/{r}/contents/{path*} get_content       repos     -     -     ref
//! ```
//!
//! `{name}` is one segment, `{name*}` one or more. `-` for verb and risk: by method and name. For
//! parameters `-` is none beside those of the path, `*` nobody has listed them. Of the lines that
//! fit a request the one with the most fixed segments counts, then the first.
//!
//! Must not know: which services there are.

use std::collections::BTreeMap;

use toolgate_model::{Risk, Verb};

use super::refusal::Refusal;

/// The operations of one service.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_method: BTreeMap<&'static str, Vec<Row>>,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) verb: Option<Verb>,
    pub(super) risk: Option<Risk>,
    /// Names of its parameters in query and body; none where nobody has listed them.
    pub(super) parameters: Option<Vec<&'static str>>,
    segments: Vec<Segment>,
}

/// A row that fits a request, with what its path says.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) row: &'t Row,
    pub(super) path: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug)]
enum Segment {
    Fixed(&'static str),
    One(&'static str),
    Many(&'static str),
}

impl Table {
    /// The table that the texts write, earlier lines before later ones. A line that is none is
    /// left out here; a test reads every table line by line.
    pub(super) fn read(texts: &[&'static str]) -> Self {
        let mut table = Self::default();
        for line in texts.iter().flat_map(|text| text.lines()) {
            if let Some((method, row)) = row(line) {
                table.by_method.entry(method).or_default().push(row);
            }
        }
        table
    }

    /// The operation that a request is.
    ///
    /// # Errors
    /// A [`Refusal`] where a part of the path holds an escaped slash that the operation's path
    /// has no room for.
    pub(super) fn find(&self, method: &str, parts: &[&str]) -> Result<Option<Found<'_>>, Refusal> {
        let method = if method == "HEAD" { "GET" } else { method };
        let rows = self.by_method.get(method).map_or(&[][..], Vec::as_slice);
        let mut best: Option<(usize, Found<'_>)> = None;
        for row in rows {
            let mut path = Vec::new();
            let fits = fits(&row.segments, parts, &mut path);
            let fixed = row.fixed();
            if fits && best.as_ref().is_none_or(|(most, _)| fixed > *most) {
                best = Some((fixed, Found { row, path }));
            }
        }
        match best {
            Some((_, found)) if found.hides_a_slash() => Err(Refusal::at(
                "url",
                "has an escaped slash where its operation takes one segment",
            )),
            best => Ok(best.map(|(_, found)| found)),
        }
    }
}

impl Row {
    fn fixed(&self) -> usize {
        let fixed = |segment: &&Segment| matches!(segment, Segment::Fixed(_));
        self.segments.iter().filter(fixed).count()
    }
}

impl Found<'_> {
    fn hides_a_slash(&self) -> bool {
        let one = |name: &str| {
            let same = |segment: &&Segment| matches!(segment, Segment::One(own) if *own == name);
            self.row.segments.iter().any(|segment| same(&segment))
        };
        self.path
            .iter()
            .any(|(name, value)| value.contains('/') && one(name))
    }
}

/// Whether the path fits; what stands for names is put into `path`.
fn fits(pattern: &[Segment], parts: &[&str], path: &mut Vec<(&'static str, String)>) -> bool {
    let (Some((first, rest)), Some((part, others))) = (pattern.split_first(), parts.split_first())
    else {
        return pattern.is_empty() && parts.is_empty();
    };
    match first {
        // Some services take their own words in any letter case; a rule must hold either way.
        Segment::Fixed(word) => part.eq_ignore_ascii_case(word) && fits(rest, others, path),
        Segment::One(name) => {
            path.push((*name, (*part).to_owned()));
            fits(rest, others, path) || undone(path)
        }
        // LIMIT: a path has few segments and a pattern one or two of these, so this ends soon.
        Segment::Many(name) => (1..=parts.len()).rev().any(|taken| {
            let (mine, others) = parts.split_at_checked(taken).unwrap_or((parts, &[]));
            path.push((*name, mine.join("/")));
            fits(rest, others, path) || undone(path)
        }),
    }
}

fn undone(path: &mut Vec<(&'static str, String)>) -> bool {
    path.pop();
    false
}

/// One line of a table; none for an empty line, a comment, or what is no line.
pub(super) fn row(line: &'static str) -> Option<(&'static str, Row)> {
    let mut words = line.split_whitespace();
    let method = words.next().filter(|word| !word.starts_with('#'))?;
    let mut word = || words.next();
    let (path, name, category) = (word()?, word()?, word()?);
    let (verb, risk, parameters) = (word()?, word()?, word()?);
    let row = Row {
        path,
        name,
        category,
        verb: Verb::parse(verb),
        risk: Risk::parse(risk),
        parameters: match parameters {
            "*" => None,
            "-" => Some(Vec::new()),
            listed => Some(listed.split(',').collect()),
        },
        segments: path
            .split('/')
            .skip(1)
            .filter(|part| !part.is_empty())
            .map(segment)
            .collect(),
    };
    let whole = word().is_none()
        && [verb, risk]
            .iter()
            .zip([row.verb.is_some(), row.risk.is_some()])
            .all(|(text, known)| *text == "-" || known);
    whole.then_some((method, row))
}

fn segment(text: &'static str) -> Segment {
    match text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    {
        Some(name) => match name.strip_suffix('*') {
            Some(name) => Segment::Many(name),
            None => Segment::One(name),
        },
        None => Segment::Fixed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    const TEXT: &str = "
        GET  /a/{x}          one    c  -  -  -
        GET  /a/me           me     c  -  -  q
        GET  /b/{p*}/end     many   c  READ  low  *
        GET  /b/{p*}         rest   c  -  -  -
        # a comment
    ";

    fn find(path: &str) -> String {
        let table = Table::read(&[TEXT]);
        let parts: Vec<&str> = path.split(' ').collect();
        match table.find("GET", &parts) {
            Ok(Some(found)) => format!("{} {:?}", found.row.name, found.path),
            Ok(None) => "nothing".to_owned(),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn fixed_segments_go_before_names() {
        assert_eq!(find("a me"), "me []");
        assert_eq!(find("A ME"), "me []");
        assert_eq!(find("a you"), r#"one [("x", "you")]"#);
        assert_eq!(find("a"), "nothing");
        assert_eq!(find("a you too"), "nothing");
    }

    #[test]
    fn a_name_takes_several_segments_only_where_the_table_says_so() {
        assert_eq!(find("b x y end"), r#"many [("p", "x/y")]"#);
        assert_eq!(find("b x y"), r#"rest [("p", "x/y")]"#);
        assert_eq!(find("b x/y"), r#"rest [("p", "x/y")]"#);
        assert_eq!(find("a x/y"), "refused");
    }

    #[test]
    fn head_is_a_look_too() {
        let table = Table::read(&[TEXT]);
        assert_eq!(
            table.find("HEAD", &["a", "me"]).unwrap().unwrap().row.name,
            "me"
        );
        assert!(table.find("POST", &["a", "me"]).unwrap().is_none());
    }
}
