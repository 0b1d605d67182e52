//! How much harm one operation can do, by a table of rules over its method, path and words.
//!
//! ```text
//! GET    /customers/{id}            low: `GET` reads
//! GET    /apps.uninstall            high: its name says `uninstall`
//! POST   /charges/{id}/refund       critical: its path says `refund`: it is about money
//! DELETE /orgs/{org}/memberships    high: `DELETE` takes something away
//! ```
//! Every rule raises and none lowers: the method says where to begin, and whatever the description says
//! besides is somebody's word, believed only where it speaks of harm. The words are those of
//! [`crate::lexicon`].
//!
//! Must not know: who asks, policies, how an operation is called.

use std::collections::BTreeSet;

use serde_json::Value;
use toolgate_model::{RiskScore, Verb};

use super::entry::Told;
use super::operation::Operation;
use super::path::Template;
use crate::lexicon::{self, Class, FIELDS, NAMES, PATHS, Word};
use crate::risk::{Rating, band};

/// A rating, and whether more than a method's mere habit speaks for it.
#[derive(Clone, Debug)]
pub(super) struct Rated {
    pub(super) rating: Rating,
    pub(super) basis: Basis,
}

/// What a rating rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// A rule over the words of the operation.
    Words,
    /// The method, which says as much by itself: a read or a removal.
    Method,
    /// Nothing tells what it writes.
    Fallback,
}

impl Rated {
    /// Whether it is a read, rated low.
    pub(super) fn is_low_read(&self) -> bool {
        self.rating.verb == Verb::Read && self.rating.risk() == toolgate_model::Risk::Low
    }
}

/// Where a method begins, in hundredths of the full score.
const READS: u8 = 10;
const READS_MANY: u8 = 15;
const PATCHES: u8 = 40;
const WRITES: u8 = 45;
const REMOVES: u8 = 70;
const REMOVES_MANY: u8 = 75;
const UNKNOWN: u8 = 65;
/// LIMIT: what a word may make of a mere look, where what is looked at opens no doors.
const LOOK_MAX: u8 = 25;
/// A look that only those may take who may write.
const WRITERS_LOOK: u8 = 40;
/// LIMIT: values of a schema that are walked; a larger schema counts as unrated.
const SCHEMA_NODES_MAX: usize = 6_000;
/// LIMIT: levels of arguments whose names are read.
const FIELDS_DEPTH_MAX: usize = 3;

/// One thing that was noticed.
#[derive(Clone, Debug)]
struct Ground {
    score: u8,
    class: Option<Class>,
    place: Place,
    /// Whether it says what is done, and not what it is done to.
    deed: bool,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Name,
    Path,
    Tag,
    Argument,
    Summary,
    Method,
}

/// Rates an operation.
pub(super) fn rate(
    operation: &Operation,
    template: &Template,
    told: &Told,
    schema: &Value,
) -> Rated {
    let mut grounds = Grounds::new(operation, template);
    grounds.name(told.operation_id.as_deref().unwrap_or_default());
    grounds.path(template);
    grounds.tags(&told.tags);
    grounds.prose(&told.summary);
    grounds.prose(first_sentence(&told.description));
    grounds.scopes(&told.scopes);
    grounds.arguments(schema);
    grounds.rated()
}

/// What was noticed of one operation.
struct Grounds<'o> {
    method: &'o str,
    /// Whether the method promises to change nothing.
    looks: bool,
    base: Ground,
    all: Vec<Ground>,
    /// A word says what the method says, too.
    confirmed: bool,
}

impl<'o> Grounds<'o> {
    fn new(operation: &'o Operation, template: &Template) -> Self {
        let method = operation.method.as_str();
        let last = template.segments.last();
        let many = last.is_some_and(super::path::Segment::is_literal);
        let (score, why) = match (method, many) {
            ("GET" | "HEAD" | "OPTIONS" | "QUERY", false) => (READS, "reads"),
            ("GET" | "HEAD" | "OPTIONS" | "QUERY", true) => (READS_MANY, "reads"),
            ("DELETE", false) => (REMOVES, "takes something away"),
            ("DELETE", true) => (REMOVES_MANY, "takes something away"),
            ("PATCH", _) => (PATCHES, "changes something"),
            ("POST" | "PUT", _) => (WRITES, "makes or changes something"),
            _ => (UNKNOWN, "may do anything"),
        };
        let base = Ground {
            score,
            class: None,
            place: Place::Method,
            deed: false,
            why: format!("the method `{method}` {why}"),
        };
        Self {
            method,
            looks: matches!(method, "GET" | "HEAD" | "OPTIONS" | "QUERY"),
            base,
            all: Vec::new(),
            confirmed: false,
        }
    }

    /// The operation's own name.
    fn name(&mut self, id: &str) {
        let mut words = lexicon::words(id);
        let method = self.method.to_ascii_lowercase();
        // `PostCustomers` says with its first word what the method says.
        if words.first() == Some(&method) && !lexicon::is_reading(&method) {
            words.remove(0);
        }
        self.foreign(id, Place::Name);
        let chunks = id.split(['/', '.', '_', ' ']);
        let leading: Vec<String> = chunks
            .filter_map(|chunk| lexicon::words(chunk).into_iter().next())
            .collect();
        self.words((&words, &leading), NAMES, Place::Name);
        self.words((&words, &leading), PATHS, Place::Name);
        self.confirmed |= self.looks && words.iter().any(|word| lexicon::is_reading(word));
    }

    fn path(&mut self, template: &Template) {
        for segment in &template.segments {
            let literal = segment.literal();
            let words = lexicon::words(&literal);
            // A segment of one word may be a command, one of several is a name.
            let leading = if words.len() == 1 {
                words.as_slice()
            } else {
                &[]
            };
            self.foreign(&literal, Place::Path);
            self.words((&words, leading), NAMES, Place::Path);
            self.words((&words, leading), PATHS, Place::Path);
        }
    }

    /// A tag says what something is about, not what is done.
    fn tags(&mut self, tags: &[String]) {
        for tag in tags {
            let mut words = lexicon::words(tag);
            words.retain(|word| lexicon::matches(NAMES, word).all(|found| !found.always));
            self.words((&words, &[]), NAMES, Place::Tag);
        }
    }

    /// A sentence says what is done with its first word, and with those after `and`, `or`, `to`.
    fn prose(&mut self, sentence: &str) {
        let words = lexicon::words(sentence);
        let leads = |before: Option<&String>| {
            before.is_none_or(|word| lexicon::is_joint(word) || word == "to")
        };
        for (place, word) in words.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|at| words.get(at));
            if !leads(before) {
                continue;
            }
            self.confirmed |= self.looks && (lexicon::is_reading(word) || word == "returns");
            for found in lexicon::matches(NAMES, word).filter(|found| found.always) {
                self.add(found, found.acting, Place::Summary);
            }
        }
    }

    /// Words, and those of them that stand where a command would.
    fn words(
        &mut self,
        (words, leading): (&[String], &[String]),
        table: &'static [Word],
        place: Place,
    ) {
        // A page's token is no secret, in a path as in an argument.
        if lexicon::is_harmless(words) {
            return;
        }
        for word in words {
            for found in lexicon::matches(table, word) {
                if let Some(score) = self.weight((word, leading), found) {
                    self.add(found, score, place);
                }
            }
        }
    }

    /// What a word suggests in an operation of this method; none where it says nothing there.
    fn weight(&self, (word, leading): (&String, &[String]), found: &Word) -> Option<u8> {
        // `/add-ons` and `/ssh-keys` are what is looked at; `addOn` and `/apps/{id}/install` are done.
        let mild = matches!(found.class, Class::Write | Class::Send | Class::Execute);
        let stands = !mild || leading.contains(word);
        match (self.looks, found.always) {
            (false, _) => Some(found.acting),
            // `blocks` and `deleted` are what is looked at; `block` and `delete` are what is done.
            (true, true) => (stands && !is_inflected(word, found.word)).then_some(found.acting),
            (true, false) if found.class == Class::Secret => Some(found.reading),
            (true, false) if PATHS.iter().any(|line| std::ptr::eq(line, found)) => {
                Some(found.reading)
            }
            (true, false) => Some(found.reading.min(LOOK_MAX)),
        }
    }

    /// Look-alike letters are no words of the table.
    fn foreign(&mut self, text: &str, place: Place) {
        if !text.is_ascii() {
            self.all.push(Ground {
                score: UNKNOWN,
                class: None,
                place,
                deed: true,
                why: "its name has letters outside ASCII".to_owned(),
            });
        }
    }

    /// A look for which only scopes of writers are enough is more than it says.
    fn scopes(&mut self, alternatives: &[Vec<String>]) {
        let scoped: Vec<&Vec<String>> = alternatives.iter().filter(|all| !all.is_empty()).collect();
        let writes = |scope: &String| {
            let words = lexicon::words(scope);
            let reads = words
                .iter()
                .any(|word| lexicon::is_reading(word) || word == "readonly");
            let any =
                |word: &String| matches!(word.as_str(), "admin" | "delete" | "manage" | "write");
            !reads && words.iter().any(any)
        };
        if self.looks && !scoped.is_empty() && scoped.iter().all(|all| all.iter().all(writes)) {
            self.all.push(Ground {
                score: WRITERS_LOOK,
                class: None,
                place: Place::Tag,
                deed: false,
                why: "only scopes of writers open it".to_owned(),
            });
        }
    }

    /// The names of the arguments, and among the choices of a write those that take away.
    fn arguments(&mut self, schema: &Value) {
        let mut nodes = 0;
        let mut open = vec![(schema, 0usize)];
        let mut entered = BTreeSet::new();
        while let Some((node, depth)) = open.pop() {
            nodes += 1;
            if nodes > SCHEMA_NODES_MAX {
                return self.endless();
            }
            let Value::Object(members) = node else {
                if let Value::Array(items) = node {
                    open.extend(items.iter().map(|item| (item, depth)));
                }
                continue;
            };
            let properties = members.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                self.field(name);
                if depth + 1 < FIELDS_DEPTH_MAX {
                    open.push((inner, depth + 1));
                }
            }
            self.choices(members.get("enum"));
            let definition = members.get("$ref").and_then(Value::as_str);
            if let Some(to) = definition.filter(|to| entered.insert((*to, depth))) {
                let target = to
                    .strip_prefix('#')
                    .and_then(|pointer| schema.pointer(pointer));
                open.extend(target.map(|target| (target, depth)));
            }
            let parts = ["items", "allOf", "anyOf", "oneOf"];
            open.extend(
                parts
                    .iter()
                    .filter_map(|part| Some((members.get(*part)?, depth))),
            );
        }
    }

    fn field(&mut self, name: &str) {
        let words = lexicon::words(name);
        if lexicon::is_harmless(&words) {
            return;
        }
        for word in &words {
            for found in lexicon::matches(FIELDS, word) {
                // A secret that a caller gives is not one that it reads.
                let opens = matches!(found.class, Class::Execute | Class::Send);
                let score = match (self.looks, opens) {
                    (false, _) => found.acting,
                    (true, true) => found.reading,
                    (true, false) => found.reading.min(LOOK_MAX),
                };
                self.add(found, score, Place::Argument);
            }
        }
    }

    /// `{"type": {"enum": ["reboot", "shutdown", "destroy"]}}` on a path that just says `actions`.
    fn choices(&mut self, choices: Option<&Value>) {
        if self.looks {
            return;
        }
        let choices = choices.and_then(Value::as_array).into_iter().flatten();
        for choice in choices.filter_map(Value::as_str) {
            let words = lexicon::words(choice);
            for word in &words {
                let deeds = lexicon::matches(NAMES, word)
                    .filter(|found| found.class == Class::Destroy && found.always)
                    .filter(|found| !is_inflected(word, found.word));
                for found in deeds {
                    self.add(found, found.acting, Place::Argument);
                }
            }
        }
    }

    fn endless(&mut self) {
        self.all.push(Ground {
            score: UNKNOWN,
            class: None,
            place: Place::Argument,
            deed: false,
            why: "its schema is too large to rate".to_owned(),
        });
    }

    fn add(&mut self, found: &Word, score: u8, place: Place) {
        let (word, what) = (found.word, found.class.in_words());
        let whose = match place {
            Place::Name => "its name says",
            Place::Path => "its path says",
            Place::Tag => "its tag says",
            Place::Argument => "an argument says",
            Place::Summary | Place::Method => "its summary says",
        };
        self.all.push(Ground {
            score,
            class: Some(found.class),
            place,
            deed: found.always,
            why: format!("{whose} `{word}`: {what}"),
        });
    }

    fn rated(mut self) -> Rated {
        // The method comes last among equals: a word says more.
        self.all
            .sort_by_key(|ground| (std::cmp::Reverse(ground.score), ground.place));
        let strongest = self.all.first().map_or(0, |ground| ground.score);
        let score = strongest.max(self.base.score);
        let verb = self.verb();
        let basis = match (self.all.is_empty() && !self.confirmed, self.method) {
            (false, _) => Basis::Words,
            (true, "DELETE") => Basis::Method,
            (true, _) if self.looks => Basis::Method,
            (true, _) => Basis::Fallback,
        };
        Rated {
            basis,
            rating: Rating {
                score: RiskScore::from_hundredths(score),
                verb,
                reason: self.reason(score, basis),
            },
        }
    }

    fn verb(&self) -> Verb {
        let named = |classes: &[Class], from: u8| {
            let mut own = self.all.iter().filter(|ground| ground.place <= Place::Path);
            own.any(|g| g.class.is_some_and(|c| classes.contains(&c)) && g.score >= from)
        };
        let deed = self.all.iter().any(|ground| ground.deed);
        if self.looks && !deed {
            Verb::Read
        } else if named(&[Class::Access, Class::Secret], UNKNOWN) {
            Verb::Admin
        } else if self.method == "DELETE" || named(&[Class::Destroy], LOOK_MAX) {
            Verb::Delete
        } else {
            Verb::Write
        }
    }

    /// The strongest reasons, each once.
    fn reason(&self, score: u8, basis: Basis) -> String {
        // LIMIT: three reasons tell a person enough; weaker bands than the result tell nothing.
        let near = |ground: &&Ground| band(ground.score) == band(score);
        let mut seen = BTreeSet::new();
        let mut told: Vec<&str> = self
            .all
            .iter()
            .filter(near)
            .map(|ground| ground.why.as_str())
            .filter(|why| seen.insert(*why))
            .take(2)
            .collect();
        told.push(&self.base.why);
        if basis == Basis::Fallback {
            told.push("nothing tells what");
        }
        told.join("; ")
    }
}

/// Whether a word is another form of a deed: `blocks`, `removed`, `cancelled`.
fn is_inflected(word: &str, deed: &str) -> bool {
    let ending = word.strip_prefix(deed).unwrap_or_default();
    let doubled = deed.chars().next_back().map(|last| format!("{last}ed"));
    matches!(ending, "s" | "d" | "ed") || doubled.is_some_and(|doubled| doubled == ending)
}

fn first_sentence(text: &str) -> &str {
    text.split(['.', '\n']).next().unwrap_or_default()
}
