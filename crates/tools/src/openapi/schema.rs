//! The input schema of one operation: JSON Schema 2020-12, self-contained and small enough.
//!
//! ```text
//! {"$ref": "#/components/schemas/Pet"} → {"$ref": "#/$defs/Pet"}, and Pet beside it
//! {"type": "string", "nullable": true} → {"type": ["string", "null"]}
//! ```
//! Only what arguments are held against is kept, each keyword only where its value is one; what is
//! reached by reference comes along, circles stay circles. A schema that is too large is told in
//! outline: coarser, never stricter.
//!
//! Must not know: operations, where an argument goes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::keyword;
use super::operation::{Argument, Group};
use super::pattern::Patterns;
use super::reference::{self, References};
use super::text;
use super::weight;

/// One argument of an operation.
#[derive(Clone, Debug)]
pub(super) struct Slot<'d> {
    pub(super) argument: Argument,
    pub(super) required: bool,
    /// What is said of it, besides what its schema says.
    pub(super) description: String,
    pub(super) kind: Kind<'d>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'d> {
    /// What this schema says; anything where there is none.
    Of(Option<&'d Value>),
    /// A text.
    Text,
    /// A file: bytes, and what they are called.
    File,
    /// A list of such.
    Files,
}

/// How much of a schema is kept. Each is coarser than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// All of it.
    Full,
    /// What values are held against, without words.
    Bare,
    /// So many levels of each argument, and the types of what is beneath.
    Outline(usize),
}

const DETAILS: [Detail; 6] = [
    Detail::Full,
    Detail::Bare,
    Detail::Outline(6),
    Detail::Outline(3),
    Detail::Outline(1),
    Detail::Outline(0),
];

/// LIMIT: bytes of what is said of one argument, and of one member inside it.
const ARGUMENT_WORDS_MAX: usize = 600;
const MEMBER_WORDS_MAX: usize = 200;
/// LIMIT: values of one list of choices, and bytes of one default or constant.
const CHOICES_MAX: usize = 400;
const CHOICE_BYTES_MAX: usize = 1_000;
/// LIMIT: levels of one schema without what it refers to; every reader of it recurses.
const LEVELS_MAX: usize = 30;

/// What schemas are read with.
pub(super) struct Schemas<'d> {
    pub(super) references: References<'d>,
    pub(super) patterns: Patterns,
    pub(super) bytes_max: usize,
}

/// Why there is no schema in this detail.
pub(super) enum Fail {
    /// It is too large, too deep, or goes in a circle without reading on.
    Large,
    /// It cannot be told at all.
    Bad(String),
}

impl<'d> Schemas<'d> {
    /// The schema of an object of these arguments, and how much of it is told.
    ///
    /// # Errors
    /// What it refers to that is not there, or that not even its outline fits.
    pub(super) fn input(&self, slots: &[Slot<'d>]) -> Result<(Value, Detail), String> {
        for detail in DETAILS {
            // Where something was left out, a value may fit two of what was one of many.
            for exclusive in [true, false] {
                let mut bundle = Bundle::new(self, detail, exclusive);
                match bundle.whole(slots) {
                    Ok(_) if exclusive && bundle.losses > 0 => {}
                    Ok(schema) => return Ok((schema, detail)),
                    Err(Fail::Bad(reason)) => return Err(reason),
                    Err(Fail::Large) => break,
                }
            }
        }
        let (count, max) = (slots.len(), self.bytes_max);
        Err(format!(
            "not even an outline of its {count} arguments fits into the {max} bytes allowed"
        ))
    }
}

/// One schema in the making.
struct Bundle<'s, 'd> {
    schemas: &'s Schemas<'d>,
    detail: Detail,
    bytes: usize,
    /// Names in `$defs`, by the pointer they stand for.
    names: BTreeMap<String, String>,
    defs: Map<String, Value>,
    waiting: Vec<(String, &'d Value)>,
    /// From which definition to which other it goes without reading on in the value.
    turns: BTreeMap<String, BTreeSet<String>>,
    here: String,
    /// How often something was left out that a value would have been held against.
    losses: usize,
    /// Whether a value has to fit exactly one where the description says `oneOf`.
    exclusive: bool,
}

impl<'s, 'd> Bundle<'s, 'd> {
    fn new(schemas: &'s Schemas<'d>, detail: Detail, exclusive: bool) -> Self {
        Self {
            schemas,
            detail,
            exclusive,
            bytes: 0,
            names: BTreeMap::new(),
            defs: Map::new(),
            waiting: Vec::new(),
            turns: BTreeMap::new(),
            here: String::new(),
            losses: 0,
        }
    }

    fn whole(&mut self, slots: &[Slot<'d>]) -> Result<Value, Fail> {
        let mut flat = Members::default();
        let mut groups: BTreeMap<Group, Members> = BTreeMap::new();
        for slot in slots {
            let schema = self.slot(slot)?;
            let among = match slot.argument.group {
                Some(group) => groups.entry(group).or_default(),
                None => &mut flat,
            };
            among.add(&slot.argument.name, schema, slot.required);
        }
        for (group, members) in groups {
            let required = !members.required.is_empty();
            flat.add(group.as_str(), members.into_schema(), required);
        }
        while let Some((name, target)) = self.waiting.pop() {
            self.here.clone_from(&name);
            let schema = self.convert(target, 0, true)?;
            self.defs.insert(name, schema);
        }
        let mut whole = flat.into_schema();
        if let (Value::Object(whole), false) = (&mut whole, self.defs.is_empty()) {
            self.defs.sort_keys();
            whole.insert("$defs".to_owned(), std::mem::take(&mut self.defs).into());
        }
        let fits = whole.to_string().len() <= self.schemas.bytes_max
            && weight::is_light(&whole)
            && !weight::is_circular(&self.turns);
        fits.then_some(whole).ok_or(Fail::Large)
    }

    fn slot(&mut self, slot: &Slot<'d>) -> Result<Value, Fail> {
        self.here.clear();
        self.spend(slot.argument.name.len() + 8)?;
        let schema = match slot.kind {
            Kind::Of(None) => json!({}),
            Kind::Of(Some(schema)) => self.convert(schema, 1, true)?,
            Kind::Text => json!({"type": "string"}),
            Kind::File => keyword::file(),
            Kind::Files => json!({"type": "array", "items": keyword::file()}),
        };
        let Value::Object(mut members) = schema else {
            return Ok(json!({}));
        };
        let words = text::clean(&slot.description, ARGUMENT_WORDS_MAX);
        if self.detail == Detail::Full && !words.is_empty() {
            self.spend(words.len() + 16)?;
            members.insert("description".to_owned(), words.into());
        }
        Ok(members.into())
    }

    /// A schema as it stands here, `level` deep in its own part of the whole. `in_place` is what is
    /// held against the same value as the part it begins.
    fn convert(&mut self, schema: &'d Value, level: usize, in_place: bool) -> Result<Value, Fail> {
        self.spend(4)?;
        let Value::Object(members) = schema else {
            return Ok(match schema {
                Value::Bool(false) => json!(false),
                _ => json!({}),
            });
        };
        match self.detail {
            Detail::Full | Detail::Bare if level > LEVELS_MAX => return Err(Fail::Large),
            Detail::Outline(levels) if level > levels => return Ok(self.outline(members)),
            Detail::Full | Detail::Bare | Detail::Outline(_) => {}
        }
        if let Some(to) = reference::reference(schema) {
            return self.referred(to, level, in_place);
        }
        let mut kept = Map::new();
        for (keyword, value) in members {
            if let Some(value) = self.keyword((keyword, value), members, level, in_place)? {
                let keyword = match keyword.as_str() {
                    "oneOf" if !self.exclusive => "anyOf",
                    keyword => keyword,
                };
                self.spend(keyword.len() + 4)?;
                kept.insert(keyword.to_owned(), value);
            }
        }
        // What members a pattern would have let in is not told, so nothing may be shut out either.
        if members.contains_key("patternProperties") {
            kept.remove("additionalProperties");
            self.losses += 1;
        }
        Ok(keyword::nullable(members, kept))
    }

    /// What a reference leads to: a definition of its own, or in an outline what stands there.
    fn referred(&mut self, to: &str, level: usize, in_place: bool) -> Result<Value, Fail> {
        let target = self.schemas.references.target(to).map_err(Fail::Bad)?;
        if matches!(self.detail, Detail::Outline(_)) {
            return self.convert(target, level + 1, in_place);
        }
        let pointer = reference::pointer(to).map_err(Fail::Bad)?;
        let name = match self.names.get(&pointer) {
            Some(name) => name.clone(),
            None => {
                let name = keyword::definition_name(&pointer);
                self.names.insert(pointer, name.clone());
                self.waiting.push((name.clone(), target));
                name
            }
        };
        if in_place && !self.here.is_empty() {
            let turns = self.turns.entry(self.here.clone()).or_default();
            turns.insert(name.clone());
        }
        self.spend(name.len() + 20)?;
        Ok(json!({"$ref": format!("#/$defs/{name}")}))
    }

    /// A keyword as it is kept; none where it says nothing that is kept.
    fn keyword(
        &mut self,
        (keyword, value): (&str, &'d Value),
        members: &'d Map<String, Value>,
        level: usize,
        in_place: bool,
    ) -> Result<Option<Value>, Fail> {
        Ok(match keyword {
            "type" => self.types(value),
            "description" if self.detail == Detail::Full => self.words(value)?,
            "format" | "contentEncoding" | "contentMediaType" => keyword::short(value),
            "enum" => self.choices(value)?,
            "const" | "default" => self.constant(keyword, value)?,
            "properties" => self.properties(value, level)?,
            "required" => self.required(value, members),
            "additionalProperties" | "items" if !value.is_array() => {
                Some(self.convert(value, level + 1, false)?)
            }
            "items" | "prefixItems" => self.list(value, level, false)?,
            "allOf" | "anyOf" => self.list(value, level, in_place)?,
            "oneOf" if self.exclusive || !members.contains_key("anyOf") => {
                self.list(value, level, in_place)?
            }
            "minimum" | "maximum" => keyword::bound(keyword, value, members),
            "exclusiveMinimum" => keyword::exclusive(value, members.get("minimum")),
            "exclusiveMaximum" => keyword::exclusive(value, members.get("maximum")),
            "multipleOf" => value
                .as_f64()
                .filter(|step| *step > 0.0)
                .map(|_| value.clone()),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => value.as_u64().map(|_| value.clone()),
            "uniqueItems" => value.as_bool().map(Value::from),
            "pattern" => self.pattern(value)?,
            _ => {
                self.losses += usize::from(keyword::LOST.contains(&keyword));
                None
            }
        })
    }

    fn types(&mut self, value: &Value) -> Option<Value> {
        let known = |one: &&Value| {
            one.as_str()
                .is_some_and(|text| keyword::TYPES.contains(&text))
        };
        match value {
            Value::Array(all) if !all.is_empty() && all.iter().all(|one| known(&one)) => {
                let mut seen = BTreeSet::new();
                let mut each: Vec<Value> = all.clone();
                each.retain(|one| seen.insert(one.to_string()));
                Some(Value::Array(each))
            }
            one if known(&one) => Some(value.clone()),
            _ => {
                self.losses += 1;
                None
            }
        }
    }

    fn words(&mut self, value: &Value) -> Result<Option<Value>, Fail> {
        let words = text::clean(value.as_str().unwrap_or_default(), MEMBER_WORDS_MAX);
        self.spend(words.len())?;
        Ok((!words.is_empty()).then(|| words.into()))
    }

    fn choices(&mut self, value: &Value) -> Result<Option<Value>, Fail> {
        let fits = |all: &&Vec<Value>| {
            let small = |one: &Value| !one.is_string() || one.to_string().len() <= CHOICE_BYTES_MAX;
            (1..=CHOICES_MAX).contains(&all.len()) && all.iter().all(small)
        };
        let Some(all) = value.as_array().filter(fits) else {
            self.losses += 1;
            return Ok(None);
        };
        let mut seen = BTreeSet::new();
        let mut kept = Vec::new();
        for one in all {
            let text = one.to_string();
            self.spend(text.len() + 1)?;
            if seen.insert(text) {
                kept.push(one.clone());
            }
        }
        Ok(Some(Value::Array(kept)))
    }

    fn constant(&mut self, keyword: &str, value: &Value) -> Result<Option<Value>, Fail> {
        let holds = keyword == "const";
        let bytes = value.to_string().len();
        if bytes > CHOICE_BYTES_MAX || !holds && self.detail != Detail::Full {
            self.losses += usize::from(holds);
            return Ok(None);
        }
        self.spend(bytes)?;
        Ok(Some(value.clone()))
    }

    /// The members that a caller sends: those of the answer alone are left out.
    fn properties(&mut self, value: &'d Value, level: usize) -> Result<Option<Value>, Fail> {
        let Value::Object(properties) = value else {
            return Ok(None);
        };
        let mut kept = Map::new();
        for (name, schema) in properties {
            if self.schemas.is_read_only(schema) {
                continue;
            }
            self.spend(name.len() + 4)?;
            kept.insert(name.clone(), self.convert(schema, level + 1, false)?);
        }
        Ok(Some(kept.into()))
    }

    fn required(&self, value: &Value, members: &'d Map<String, Value>) -> Option<Value> {
        let properties = members.get("properties");
        let sent = |name: &&str| {
            let schema = properties.and_then(|all| all.get(*name));
            schema.is_none_or(|schema| !self.schemas.is_read_only(schema))
        };
        let names = value.as_array()?.iter().filter_map(Value::as_str);
        let names: BTreeSet<&str> = names.filter(sent).collect();
        (!names.is_empty()).then(|| json!(names))
    }

    fn list(
        &mut self,
        value: &'d Value,
        level: usize,
        in_place: bool,
    ) -> Result<Option<Value>, Fail> {
        let Some(all) = value.as_array().filter(|all| !all.is_empty()) else {
            return Ok(None);
        };
        let each = all.iter().map(|one| self.convert(one, level + 1, in_place));
        let each: Result<Vec<Value>, Fail> = each.collect();
        Ok(Some(Value::Array(each?)))
    }

    fn pattern(&mut self, value: &Value) -> Result<Option<Value>, Fail> {
        let usable = value
            .as_str()
            .filter(|text| self.schemas.patterns.admits(text));
        self.losses += usize::from(usable.is_none());
        self.spend(usable.map_or(0, str::len))?;
        Ok(usable.map(Value::from))
    }

    /// What stands for a schema that is not told: its type.
    fn outline(&mut self, members: &Map<String, Value>) -> Value {
        self.losses += 1;
        let kept = members.get("type").and_then(|value| self.types(value));
        let kept = kept.filter(|_| !keyword::is_nullable(members));
        kept.map_or_else(|| json!({}), |kind| json!({"type": kind}))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fail> {
        self.bytes = self.bytes.saturating_add(bytes);
        (self.bytes <= self.schemas.bytes_max)
            .then_some(())
            .ok_or(Fail::Large)
    }
}

impl<'d> Schemas<'d> {
    fn is_read_only(&self, schema: &'d Value) -> bool {
        let there = self.references.resolve(schema);
        keyword::is_read_only(schema) || there.is_ok_and(keyword::is_read_only)
    }
}

/// The members of an object of arguments.
#[derive(Default)]
struct Members {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Members {
    fn add(&mut self, name: &str, schema: Value, required: bool) {
        self.properties.insert(name.to_owned(), schema);
        if required {
            self.required.push(name.to_owned());
        }
    }

    fn into_schema(self) -> Value {
        let mut schema = json!({"type": "object", "properties": self.properties});
        if let (Value::Object(members), false) = (&mut schema, self.required.is_empty()) {
            members.insert("required".to_owned(), json!(self.required));
        }
        if let Value::Object(members) = &mut schema {
            members.insert("additionalProperties".to_owned(), false.into());
        }
        schema
    }
}

/// Takes one argument out of an input schema.
pub(super) fn leave_out(schema: &mut Value, argument: &Argument) {
    let among = match argument.group {
        None => Some(schema),
        Some(group) => schema.pointer_mut(&format!("/properties/{}", group.as_str())),
    };
    let Some(Value::Object(members)) = among else {
        return;
    };
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.remove(&argument.name);
    }
    if let Some(Value::Array(required)) = members.get_mut("required") {
        required.retain(|name| name.as_str() != Some(&argument.name));
    }
}
