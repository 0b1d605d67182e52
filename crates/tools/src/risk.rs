//! How much harm a tool can do, guessed from what its source says of it, pessimistically.
//!
//! `refund_charge(charge, amount)` is critical: its name and an argument move money. Annotations
//! are claims of a server that nobody has vouched for, so they raise the rating freely and lower
//! it only where name and schema say nothing else. Descriptions are prose and count for nothing.
//! The tables of words are in [`crate::lexicon`]; an operator's own word wins over all of it.
//!
//! Must not know: who asks, policies, or how the source is reached.

use std::collections::BTreeSet;

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
    let (score, grounds) = found.score(claims);
    let mut reasons = found.reasons(score);
    reasons.extend(grounds.into_iter().map(str::to_owned));
    Rating {
        score: RiskScore::from_hundredths(score),
        verb: found.verb(claims),
        reason: reasons.join("; "),
    }
}

/// The middles and edges of bands agree with [`RiskScore::of_band`].
pub(crate) fn band(hundredths: u8) -> Risk {
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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Name,
    Argument,
    Title,
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

    /// The score, and the grounds that are no findings.
    fn score(&self, claims: Claims) -> (u8, Vec<&'static str>) {
        let floor = self.floor();
        let (base, ground) = self.base(claims, floor);
        let destroys = if claims.destroys() { DESTROYS } else { 0 };
        let grounds = [
            (!ground.is_empty()).then_some(ground),
            claims.destroys().then_some("it says it may destroy"),
            self.foreign.then_some("its name has letters outside ASCII"),
            self.endless.then_some("its schema is too large to rate"),
        ];
        let score = base.max(floor.unwrap_or(0)).max(destroys);
        (score, grounds.into_iter().flatten().collect())
    }

    /// Where the rating starts from, by what the name is and what the tool claims.
    fn base(&self, claims: Claims, floor: Option<u8>) -> (u8, &'static str) {
        match (self.reads, claims.read_only) {
            (true, Some(false)) => (CHANGES, "its name reads, but it says it changes something"),
            (true, Some(true) | None) => (READS, "its name reads"),
            (false, Some(true)) if floor.is_none() => {
                (READS, "it says it only reads, and nothing contradicts")
            }
            (false, Some(true)) => (0, "it says it only reads, which is not believed"),
            (false, Some(false) | None) if floor.is_none() => {
                (UNKNOWN, "nothing tells what it does")
            }
            (false, Some(false)) => (CHANGES, "it says it changes something"),
            (false, None) => (0, ""),
        }
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
        let trusted = claims.read_only != Some(false) && !claims.destroys() && !self.foreign;
        if self.reads && trusted && !runs {
            Verb::Read
        } else if named(&[Class::Access, Class::Secret]) {
            Verb::Admin
        } else if named(&[Class::Destroy]) || claims.destroys() && !self.is_named() {
            Verb::Delete
        } else {
            Verb::Write
        }
    }

    /// Whether any word of the name says what the tool does.
    fn is_named(&self) -> bool {
        self.all.iter().any(|finding| finding.place == Place::Name)
    }

    /// The findings in words, strongest first, each word once.
    fn reasons(&self, score: u8) -> Vec<String> {
        // LIMIT: three reasons tell a person enough; weaker bands than the result tell nothing.
        let near = |finding: &&Finding| band(finding.score) == band(score);
        let mut told: Vec<&Finding> = self.all.iter().filter(near).collect();
        told.sort_by_key(|finding| (std::cmp::Reverse(finding.score), finding.place));
        let mut seen = BTreeSet::new();
        told.retain(|finding| seen.insert(finding.word.word));
        told.into_iter().take(3).map(Finding::in_words).collect()
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

#[cfg(test)]
mod tests {
    use super::rate;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};
    use toolgate_model::{Risk, Verb};

    fn tool(name: &str, annotations: Value, fields: &[&str]) -> Value {
        let properties: serde_json::Map<String, Value> = fields
            .iter()
            .map(|field| ((*field).to_owned(), json!({"type": "string"})))
            .collect();
        json!({
            "name": name,
            "annotations": annotations,
            "inputSchema": {"type": "object", "properties": properties},
        })
    }

    /// One line a tool: name (arguments) [claims] → rating.
    fn check(tools: &[(&str, Value, &[&str])], expected: Expect) {
        let lines: Vec<String> = tools
            .iter()
            .map(|(name, annotations, fields)| {
                let rating = rate(&tool(name, annotations.clone(), fields));
                let score = rating.score.hundredths();
                let (risk, verb) = (rating.risk(), rating.verb);
                format!(
                    "{name}({}) {risk} {score} {verb}: {}",
                    fields.join(","),
                    rating.reason
                )
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    const NONE: &[&str] = &[];

    #[test]
    fn without_annotations_name_and_schema_decide() {
        check(
            &[
                ("get_charge", Value::Null, &["id"]),
                ("list_refunds", Value::Null, &["charge"]),
                ("refund", Value::Null, &["charge", "amount"]),
                ("stripe.refund", Value::Null, NONE),
                ("create_issue", Value::Null, &["title", "body"]),
                ("deleteIssue", Value::Null, NONE),
                ("deleteissue", Value::Null, NONE),
                ("list_and_delete", Value::Null, NONE),
                ("find_and_refund", Value::Null, NONE),
                ("update_list", Value::Null, NONE),
                ("issue_list", Value::Null, NONE),
                ("update_page", Value::Null, &["title", "description"]),
                ("set_subscription", Value::Null, NONE),
                ("runscript", Value::Null, &["script_description"]),
                ("run_shell", Value::Null, &["command"]),
                ("get_output", Value::Null, &["command"]),
                ("query", Value::Null, &["sql"]),
                ("grant_role", Value::Null, NONE),
                ("get_token", Value::Null, NONE),
                ("list_pages", Value::Null, &["page_token", "max_tokens"]),
                ("create_api_key", Value::Null, NONE),
                ("write_file", Value::Null, &["path", "content"]),
                ("message_team", Value::Null, &["to", "body"]),
                ("frobnicate", Value::Null, NONE),
                ("", Value::Null, NONE),
            ],
            expect![[r#"
                get_charge(id) medium 45 READ: its name says `charge`: it is about money; its name reads
                list_refunds(charge) medium 45 READ: its name says `refund`: it is about money; its name reads
                refund(charge,amount) critical 90 WRITE: its name says `refund`: it is about money; an argument says `amount`: it is about money
                stripe.refund() critical 90 WRITE: its name says `refund`: it is about money
                create_issue(title,body) medium 40 WRITE: its name says `create`: it changes something
                deleteIssue() high 70 DELETE: its name says `delete`: it takes something away
                deleteissue() high 70 DELETE: its name says `delete`: it takes something away
                list_and_delete() high 70 DELETE: its name says `delete`: it takes something away
                find_and_refund() critical 90 WRITE: its name says `refund`: it is about money
                update_list() medium 45 WRITE: its name says `update`: it changes something
                issue_list() low 15 READ: its name reads
                update_page(title,description) medium 45 WRITE: its name says `update`: it changes something
                set_subscription() medium 45 WRITE: its name says `set`: it changes something
                runscript(script_description) critical 80 WRITE: its name says `script`: it runs what it is given
                run_shell(command) critical 95 WRITE: its name says `shell`: it runs what it is given; an argument says `command`: it runs what it is given
                get_output(command) high 70 WRITE: an argument says `command`: it runs what it is given; its name reads
                query(sql) high 60 WRITE: an argument says `sql`: it runs what it is given; its name reads
                grant_role() critical 90 ADMIN: its name says `grant`: it is about access; its name says `role`: it is about access
                get_token() high 60 READ: its name says `token`: it is about secrets; its name reads
                list_pages(page_token,max_tokens) low 15 READ: its name reads
                create_api_key() critical 90 ADMIN: its name says `apikey`: it is about secrets
                write_file(path,content) medium 50 WRITE: an argument says `path and content`: it changes something; its name says `write`: it changes something
                message_team(to,body) medium 50 WRITE: an argument says `recipient and text`: it reaches out
                frobnicate() high 65 WRITE: nothing tells what it does
                () high 65 WRITE: nothing tells what it does"#]],
        );
    }

    #[test]
    fn a_claim_to_only_read_lowers_nothing_that_speaks_against_it() {
        let reads = json!({"readOnlyHint": true});
        check(
            &[
                ("frobnicate", reads.clone(), NONE),
                ("get_sum", reads.clone(), NONE),
                ("transfer_funds", reads.clone(), &["amount"]),
                ("delete_all", reads.clone(), NONE),
                ("frobnicate", reads.clone(), &["command"]),
                ("d\u{435}lete_all", reads.clone(), NONE),
                ("fetch", reads.clone(), &["url"]),
                (
                    "get_sum",
                    json!({"readOnlyHint": true, "destructiveHint": true}),
                    NONE,
                ),
                ("get_sum", json!({"readOnlyHint": "yes"}), NONE),
            ],
            expect![[r#"
                frobnicate() low 15 WRITE: it says it only reads, and nothing contradicts
                get_sum() low 15 READ: its name reads
                transfer_funds(amount) critical 90 WRITE: its name says `transfer`: it is about money; an argument says `amount`: it is about money; it says it only reads, which is not believed
                delete_all() high 70 DELETE: its name says `delete`: it takes something away; it says it only reads, which is not believed
                frobnicate(command) critical 90 WRITE: an argument says `command`: it runs what it is given; it says it only reads, which is not believed
                dеlete_all() high 65 WRITE: it says it only reads, which is not believed; its name has letters outside ASCII
                fetch(url) medium 35 READ: an argument says `url`: it reaches out; its name reads
                get_sum() low 15 READ: its name reads
                get_sum() low 15 READ: its name reads"#]],
        );
    }

    #[test]
    fn a_claim_to_change_something_raises() {
        check(
            &[
                ("get_sum", json!({"readOnlyHint": false}), NONE),
                (
                    "create_directory",
                    json!({"readOnlyHint": false, "destructiveHint": false}),
                    NONE,
                ),
                (
                    "edit_file",
                    json!({"readOnlyHint": false, "destructiveHint": true}),
                    NONE,
                ),
                (
                    "frobnicate",
                    json!({"readOnlyHint": false, "destructiveHint": false}),
                    NONE,
                ),
                ("get_sum", json!({"destructiveHint": true}), NONE),
                ("refund", json!({"destructiveHint": true}), NONE),
                ("frobnicate", json!({"destructiveHint": true}), NONE),
            ],
            expect![[r#"
                get_sum() medium 40 WRITE: its name reads, but it says it changes something
                create_directory() medium 40 WRITE: its name says `create`: it changes something; it says it changes something
                edit_file() high 65 WRITE: it says it changes something; it says it may destroy
                frobnicate() high 65 WRITE: nothing tells what it does
                get_sum() high 65 DELETE: its name reads; it says it may destroy
                refund() critical 90 WRITE: its name says `refund`: it is about money; it says it may destroy
                frobnicate() high 65 DELETE: nothing tells what it does; it says it may destroy"#]],
        );
    }

    #[test]
    fn a_title_and_nested_arguments_count_and_prose_does_not() {
        let titled = json!({"name": "get_it", "title": "Purge everything"});
        let rating = rate(&titled);
        assert_eq!((rating.risk(), rating.verb), (Risk::High, Verb::Write));
        let nested = json!({"name": "do_it", "inputSchema": {"properties": {"list": {"items": {
            "anyOf": [{"properties": {"amount_cents": {}}}],
        }}}}});
        assert_eq!(rate(&nested).risk(), Risk::Critical);
        let prose = json!({"name": "get_it", "description": "Deletes, refunds and runs shell."});
        assert_eq!(rate(&prose).risk(), Risk::Low);
    }

    #[test]
    fn a_schema_too_large_to_read_is_not_taken_for_harmless() {
        let many: Vec<Value> = (0..5_000).map(Value::from).collect();
        let tool = json!({"name": "get_it", "annotations": {"readOnlyHint": true},
            "inputSchema": {"properties": {"x": {"enum": many}}}});
        assert_eq!(rate(&tool).risk(), Risk::High);
    }

    #[test]
    fn no_claim_lowers_what_the_name_says() {
        let names = [
            "refund",
            "drop_table",
            "exec",
            "set_password",
            "grant",
            "payout",
            "rm",
        ];
        for name in names {
            let alone = rate(&tool(name, Value::Null, NONE)).score;
            for read_only in [true, false] {
                for destructive in [true, false] {
                    let claims = json!({"readOnlyHint": read_only, "destructiveHint": destructive,
                        "title": "List things"});
                    let rated = rate(&tool(name, claims, NONE)).score;
                    assert!(rated >= alone, "{name} fell from {alone:?} to {rated:?}");
                }
            }
        }
    }
}
