//! YAML as JSON: the one value that every reader of the text sees, or none.
//!
//! ```yaml
//! paths: &all
//!   /pets: {get: {operationId: listPets, x-price: 1.50}}
//! ```
//! Keys are texts, numbers keep their text, and what YAML 1.1 and 1.2 read differently (`012`,
//! `yes`) stays text. Duplicate keys, merge keys, foreign tags, a second document and keys that are
//! no scalars are refused, and an alias costs what it stands for.
//!
//! Must not know: what a description is.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};
use toolgate_model::json::Limits;

use super::weight;

/// LIMIT: values of one text, those that aliases repeat among them: a description of 16 MB has half
/// a million, and a few lines of aliases of aliases would have billions.
const NODES_MAX: usize = 4_000_000;

/// Reads `text`.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn parse(text: &str, limits: Limits) -> Result<Value, String> {
    if text.len() > limits.bytes_max {
        let (bytes, max) = (text.len(), limits.bytes_max);
        return Err(format!(
            "the text has {bytes} bytes, more than the {max} allowed"
        ));
    }
    let mut reader = Reader {
        limits,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        bytes: 0,
        done: None,
        documents: 0,
    };
    let mut last = 1;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        last = span.start.line();
        reader
            .take(event)
            .map_err(|message| format!("{message} at line {last}"))?;
    }
    reader
        .done
        .ok_or_else(|| format!("the text ends at line {last}, and there is no value in it"))
}

/// Values under construction, outermost first.
struct Reader {
    limits: Limits,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    bytes: usize,
    done: Option<Value>,
    documents: usize,
}

/// A list or an object that is not closed yet.
struct Open {
    anchor: usize,
    nodes_before: usize,
    bytes_before: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Value>),
    /// With the key that waits for its value.
    Object(Map<String, Value>, Option<String>),
}

/// What an alias stands for, and what it costs.
struct Anchored {
    value: Value,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                let single = self.documents == 1;
                single
                    .then_some(())
                    .ok_or_else(|| "a second document begins".to_owned())
            }
            Event::Alias(id) => self.alias(id),
            Event::Scalar(text, style, anchor, tag) => self.scalar((text, style), anchor, tag),
            Event::SequenceStart(_, anchor, tag) => {
                plain_tag(tag.as_deref(), "seq")?;
                self.begin(anchor, Inside::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                plain_tag(tag.as_deref(), "map")?;
                self.begin(anchor, Inside::Object(Map::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, inside: Inside) -> Result<(), String> {
        if self.open.len() >= self.limits.depth_max {
            return Err(format!(
                "nesting deeper than {} levels",
                self.limits.depth_max
            ));
        }
        if matches!(
            self.open.last().map(|open| &open.inside),
            Some(Inside::Object(_, None))
        ) {
            return Err("a key is no text".to_owned());
        }
        let (nodes_before, bytes_before) = (self.nodes, self.bytes);
        self.spend(1, 0)?;
        self.open.push(Open {
            anchor,
            nodes_before,
            bytes_before,
            inside,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let open = self.open.pop().ok_or("something ends that never began")?;
        let value = match open.inside {
            Inside::List(items) => Value::Array(items),
            Inside::Object(members, _) => Value::Object(members),
        };
        let cost = (
            self.nodes - open.nodes_before,
            self.bytes - open.bytes_before,
        );
        self.remember(open.anchor, &value, cost)?;
        self.put(value)
    }

    fn scalar(
        &mut self,
        (text, style): (Cow<'_, str>, ScalarStyle),
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
    ) -> Result<(), String> {
        if text.len() > self.limits.string_bytes_max {
            return Err(format!("a text of {} bytes is too long", text.len()));
        }
        self.spend(1, text.len())?;
        if let Some(Inside::Object(members, key @ None)) =
            self.open.last_mut().map(|open| &mut open.inside)
        {
            if style == ScalarStyle::Plain && text == "<<" {
                return Err("a merge key `<<` is not read: write out what it stands for".to_owned());
            }
            if members.contains_key(text.as_ref()) {
                let shown: String = text.chars().take(64).collect();
                return Err(format!("the key `{shown}` stands twice"));
            }
            *key = Some(text.into_owned());
            return Ok(());
        }
        let bytes = text.len();
        let value = match tag.as_deref() {
            Some(tag) => tagged(&text, tag)?,
            None if style == ScalarStyle::Plain => plain(&text)?,
            None => Value::String(text.into_owned()),
        };
        self.remember(anchor, &value, (1, bytes))?;
        self.put(value)
    }

    fn alias(&mut self, id: usize) -> Result<(), String> {
        let anchored = self
            .anchors
            .get(&id)
            .ok_or("an alias stands within what it stands for")?;
        if self.open.len() + anchored.depth > self.limits.depth_max {
            return Err(format!(
                "nesting deeper than {} levels",
                self.limits.depth_max
            ));
        }
        let (nodes, bytes) = (anchored.nodes, anchored.bytes);
        // INVARIANT: what is about to be copied was paid for before.
        self.spend(nodes, bytes)?;
        let value = self.anchors.get(&id).map(|anchored| anchored.value.clone());
        let value = value.unwrap_or_default();
        match (self.open.last_mut().map(|open| &mut open.inside), value) {
            (Some(Inside::Object(_, None)), _) => Err("a key is an alias".to_owned()),
            (_, value) => self.put(value),
        }
    }

    fn put(&mut self, value: Value) -> Result<(), String> {
        match self.open.last_mut().map(|open| &mut open.inside) {
            Some(Inside::List(items)) => items.push(value),
            Some(Inside::Object(members, key)) => {
                let key = key.take().ok_or("a key is no text")?;
                members.insert(key, value);
            }
            None => self.done = Some(value),
        }
        Ok(())
    }

    /// Keeps what has an anchor, which costs as much again.
    fn remember(
        &mut self,
        anchor: usize,
        value: &Value,
        (nodes, bytes): (usize, usize),
    ) -> Result<(), String> {
        if anchor == 0 {
            return Ok(());
        }
        self.spend(nodes, bytes)?;
        let kept = Anchored {
            depth: weight::depth(value),
            value: value.clone(),
            nodes,
            bytes,
        };
        self.anchors.insert(anchor, kept);
        Ok(())
    }

    fn spend(&mut self, nodes: usize, bytes: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > NODES_MAX || self.bytes > self.limits.bytes_max {
            return Err("with its aliases written out the text would be too large".to_owned());
        }
        Ok(())
    }
}

fn plain_tag(tag: Option<&Tag>, expected: &str) -> Result<(), String> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(expected) => Err(foreign(tag)),
        Some(_) | None => Ok(()),
    }
}

fn foreign(tag: &Tag) -> String {
    format!("the tag `{tag}` is not read")
}

fn tagged(text: &str, tag: &Tag) -> Result<Value, String> {
    match tag.core_suffix() {
        Some("str") => Ok(Value::String(text.to_owned())),
        Some("int" | "float" | "bool" | "null") => plain(text),
        Some(_) | None => Err(foreign(tag)),
    }
}

/// What a text without quotes is: what YAML 1.2 and JSON agree on, else a text.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => return Err(format!("`{text}` is no number that JSON has")),
        _ if is_number(text) => match text.parse::<Number>() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text.to_owned()),
        },
        _ => Value::String(text.to_owned()),
    })
}

/// Whether a text begins as JSON's numbers do; whether it is one, its parser says.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
}
