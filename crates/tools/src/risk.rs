//! How much harm a tool can do, guessed from what its source says of it, pessimistically.
//!
//! `refund_charge(charge, amount)` is critical: its name and an argument move money. Annotations
//! are claims of a server that nobody has vouched for, so they raise the rating freely and lower
//! it only where name and schema say nothing else. Descriptions are prose and count for nothing.
//! The tables of words are in [`crate::lexicon`]; an operator's own word wins over all of it.
//!
//! Must not know: who asks, policies, or how the source is reached.

use serde_json::Value;
use toolgate_model::{Risk, RiskScore, Verb};

use crate::lexicon::{self, Class, FIELDS, NAMES, Word};

/// What a tool is rated, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rating {
    /// The finer rating; the band follows from it.
    pub(crate) score: RiskScore,
    /// What it seems to do to its resource.
    pub(crate) verb: Verb,
    /// Why, for people.
    pub(crate) reason: String,
}

impl Rating {
    /// The band that the score lies in.
    pub(crate) fn risk(&self) -> Risk {
        band(self.score.hundredths())
    }
}

/// Rates a tool by its definition.
pub(crate) fn rate(definition: &Value) -> Rating {
    let name = Name::read(definition);
    let fields = fields(definition.get("inputSchema"));
    let found = Findings::gather(&name, &fields);
    let claims = Claims::read(definition.get("annotations"));
    let (score, ground) = found.score(claims);
    let mut reasons = found.reasons(score);
    reasons.extend(ground);
    Rating {
        score: RiskScore::from_hundredths(score),
        verb: found.verb(claims),
        reason: reasons.join("; "),
    }
}

/// The middles and edges of bands agree with [`RiskScore::of_band`].
fn band(hundredths: u8) -> Risk {
    match hundredths {
        0..30 => Risk::Low,
        30..55 => Risk::Medium,
        55..80 => Risk::High,
        _ => Risk::Critical,
    }
}

/// What nobody can rate counts as high.
const UNKNOWN: u8 = 65;
/// A tool whose name reads, where nothing contradicts.
const READS: u8 = 15;
/// A tool that says of itself that it changes something.
const CHANGES: u8 = 40;
/// A tool that says of itself that it destroys.
const DESTROYS: u8 = 65;

/// The words of a tool's name and title.
struct Name {
    words: Vec<String>,
    title: Vec<String>,
    reads: bool,
    foreign: bool,
}

impl Name {
    fn read(definition: &Value) -> Self {
        let text = |key: &str| definition.get(key).and_then(Value::as_str).unwrap_or("");
        let annotated = definition
            .get("annotations")
            .and_then(|annotations| annotations.get("title"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let words = lexicon::words(text("name"));
        let mut title = lexicon::words(text("title"));
        title.extend(lexicon::words(annotated));
        Self {
            reads: name_reads(&words) && !title.iter().any(|word| says_deed(word)),
            foreign: !text("name").is_ascii(),
            words,
            title,
        }
    }
}

/// `list_refunds` and `issue_list` read; `list_and_refund`, `refund_list`, `get_drop` do not.
fn name_reads(words: &[String]) -> bool {
    let reads = |word: Option<&String>| word.is_some_and(|word| lexicon::is_reading(word));
    let listed = |word: &String| lexicon::matches(NAMES, word).next().is_some();
    let first = reads(words.first()) && !words.iter().any(|word| says_deed(word));
    first || reads(words.last()) && !words.iter().any(|w| listed(w) || lexicon::is_joint(w))
}

/// Whether a name with this word does not just read.
fn says_deed(word: &str) -> bool {
    lexicon::is_joint(word) || lexicon::matches(NAMES, word).any(|found| found.always)
}

/// LIMIT: a schema is walked to this many nodes; a larger one counts as unrated.
const SCHEMA_NODES_MAX: usize = 4_000;

/// The names of all properties in a schema, at any depth. `None` where there are too many.
fn fields(schema: Option<&Value>) -> Option<Vec<Vec<String>>> {
    let mut found = Vec::new();
    let mut open: Vec<&Value> = schema.into_iter().collect();
    let mut nodes = 0usize;
    while let Some(node) = open.pop() {
        nodes += 1;
        if nodes > SCHEMA_NODES_MAX {
            return None;
        }
        match node {
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    found.extend(properties.keys().map(|key| lexicon::words(key)));
                }
                open.extend(map.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Some(found)
}

/// One thing that was noticed.
struct Finding {
    word: &'static Word,
    score: u8,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Title,
    Argument,
}

struct Findings {
    all: Vec<Finding>,
    reads: bool,
    foreign: bool,
    endless: bool,
}

impl Findings {
    fn gather(name: &Name, fields: &Option<Vec<Vec<String>>>) -> Self {
        let mut all = Vec::new();
        let mut add = |words: &[String], table, place| {
            for word in words {
                for found in lexicon::matches(table, word) {
                    let score = if name.reads {
                        found.reading
                    } else {
                        found.acting
                    };
                    all.push(Finding {
                        word: found,
                        score,
                        place,
                    });
                }
            }
        };
        add(&name.words, NAMES, Place::Name);
        add(&name.title, NAMES, Place::Title);
        for field in fields.iter().flatten() {
            if !lexicon::is_harmless(field) {
                add(field, FIELDS, Place::Argument);
            }
        }
        all.extend(together(fields.as_deref().unwrap_or_default()));
        Self {
            all,
            reads: name.reads,
            foreign: name.foreign,
            endless: fields.is_none(),
        }
    }

    /// The strongest suggestion; `None` where nothing was noticed.
    fn floor(&self) -> Option<u8> {
        let unreadable = (self.foreign || self.endless).then_some(UNKNOWN);
        let strongest = self.all.iter().map(|finding| finding.score).max();
        strongest.max(unreadable)
    }

    /// The score, and the ground that is not a finding.
    fn score(&self, claims: Claims) -> (u8, Vec<String>) {
        let floor = self.floor();
        let contradicted = floor.is_some_and(|score| score > READS);
        let mut grounds = Vec::new();
        if self.foreign {
            grounds.push("its name has letters outside ASCII".to_owned());
        }
        if self.endless {
            grounds.push("its schema is too large to rate".to_owned());
        }
        let base = match (claims.read_only, self.reads) {
            (Some(true), true) => READS,
            (Some(true), false) if !contradicted => {
                grounds.push("it says it only reads, and nothing contradicts".to_owned());
                READS
            }
            (Some(true), false) => {
                grounds.push("it says it only reads, which is not believed".to_owned());
                0
            }
            (Some(false), true) => {
                grounds.push("its name reads, but it says it changes something".to_owned());
                CHANGES
            }
            (None, true) => READS,
            (Some(false) | None, false) if floor.is_none() => {
                grounds.push("nothing tells what it does".to_owned());
                UNKNOWN
            }
            (Some(false), false) => CHANGES,
            (None, false) => 0,
        };
        if self.reads {
            grounds.insert(0, "its name reads".to_owned());
        }
        let destroys = claims.destroys().then_some(DESTROYS);
        if destroys.is_some() {
            grounds.push("it says it may destroy".to_owned());
        }
        (
            base.max(floor.unwrap_or(0)).max(destroys.unwrap_or(0)),
            grounds,
        )
    }

    fn verb(&self, claims: Claims) -> Verb {
        let named = |classes: &[Class]| {
            let mut all = self.all.iter();
            all.any(|f| f.place == Place::Name && classes.contains(&f.word.class))
        };
        let runs = self
            .all
            .iter()
            .any(|f| f.word.class == Class::Execute && f.score > READS);
        let trusted = claims.read_only != Some(false) && !self.foreign;
        if self.reads && trusted && !runs {
            Verb::Read
        } else if named(&[Class::Access, Class::Secret]) {
            Verb::Admin
        } else if named(&[Class::Destroy]) || claims.destroys() && !named(&[Class::Write]) {
            Verb::Delete
        } else {
            Verb::Write
        }
    }

    /// The findings in words, strongest first, each word once.
    fn reasons(&self, score: u8) -> Vec<String> {
        let mut told: Vec<(u8, String)> = Vec::new();
        for finding in &self.all {
            let text = finding.in_words();
            if !told.iter().any(|(_, seen)| *seen == text) {
                told.push((finding.score, text));
            }
        }
        told.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        // LIMIT: three reasons tell a person enough; weaker bands than the result tell nothing.
        let near = |(strength, _): &(u8, String)| band(*strength) == band(score);
        told.into_iter()
            .filter(near)
            .take(3)
            .map(|(_, text)| text)
            .collect()
    }
}

impl Finding {
    fn in_words(&self) -> String {
        let (word, what) = (self.word.word, self.word.class.in_words());
        match self.place {
            Place::Name => format!("its name says `{word}`: {what}"),
            Place::Title => format!("its title says `{word}`: {what}"),
            Place::Argument => format!("an argument says `{word}`: {what}"),
        }
    }
}

/// Arguments that mean something only together: a file is written, a message is sent.
fn together(fields: &[Vec<String>]) -> impl Iterator<Item = Finding> {
    lexicon::PAIRS
        .iter()
        .filter_map(move |(left, right, word)| {
            let has = |any: &[&str]| {
                let listed = |field: &Vec<String>| field.iter().any(|w| any.contains(&w.as_str()));
                fields.iter().any(listed)
            };
            (has(left) && has(right)).then_some(Finding {
                word,
                score: word.acting,
                place: Place::Argument,
            })
        })
}

/// What a tool says of itself in `annotations`.
#[derive(Clone, Copy)]
struct Claims {
    read_only: Option<bool>,
    destructive: Option<bool>,
}

impl Claims {
    fn read(annotations: Option<&Value>) -> Self {
        let hint = |key: &str| {
            annotations
                .and_then(|all| all.get(key))
                .and_then(Value::as_bool)
        };
        Self {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
        }
    }

    /// The hint means something only where the tool does not claim to read: several SDKs send
    /// their default `true` along with `readOnlyHint: true`.
    fn destroys(self) -> bool {
        self.destructive == Some(true) && self.read_only != Some(true)
    }
}
