//! `entity`, `effect` and `trigger` of a tool: what the operator states by probes (3-execution, 4).
//!
//! ```toml
//! [tools."stripe.refund".effect]
//! probe = "stripe.list_refunds"
//! args = { charge = "{args.charge}" }
//! landed = "any(result.data, r, r.metadata.invocation_id == $invocation.id)"
//! ```
//!
//! Only the form is checked here. Whether the probe's tool is there, reads, and takes these
//! arguments is seen once its source has said what it offers.
//!
//! Must not know: which tools there are, how a probe is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use toolgate_model::{
    Backoff, Checks, Duration, Effect, EffectCheck, EffectLook, EntityCheck, KeyPlace, Probe,
    Template, TriggerCheck,
};
use toolgate_policy::Expectation;
use toolgate_tools::key_place_problem;

use super::Reading;
use super::reader::{Problem, Section};
use super::tree::{Node, Origin, Value};

/// How often to look before a person is asked, where nothing else is said.
const TRIES: u32 = 5;
// LIMIT: with the longest usual wait of a minute, fifty looks are most of an hour.
const TRIES_MAX: u32 = 50;

/// When a template is filled: whether the call has its name by then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filled {
    BeforeTheCall,
    AfterTheCall,
}

/// The keys of `idempotency`, each with the place that it names.
const KEY_PLACES: [(&str, PlaceOf); 3] = [
    ("header", KeyPlace::Header),
    ("argument", KeyPlace::Argument),
    ("meta", KeyPlace::Meta),
];

type PlaceOf = fn(String) -> KeyPlace;

const PLAIN: &str = "a text, a whole number, true or false, or a list; quote a path with dots";
const NAMES: &str = "a placeholder is `{args.path}`, `{trigger.id}` or `{trigger.source}`";

impl Reading<'_, '_> {
    /// What is stated by probes, and whether a call may leave a trace.
    pub(super) fn checks(&mut self, section: &mut Section) -> (Option<Effect>, Checks) {
        let (effect, check) = self.effect(section);
        let checks = Checks {
            entity: self.entity(section),
            effect: check,
            trigger: self.trigger(section),
            duplicate_window: self.reader.optional(section, "duplicate_window"),
        };
        (effect, checks)
    }

    fn entity(&mut self, section: &mut Section) -> Option<EntityCheck> {
        let mut entity = self.inner(section, "entity")?;
        let probe = self.probe(&mut entity, Filled::BeforeTheCall);
        let check = EntityCheck {
            list: self.list_path(&mut entity, "list"),
            matches: self.matches(&mut entity),
            pin: self.pins(&mut entity),
            probe: probe?,
        };
        self.reader.finish(entity);
        Some(check)
    }

    fn trigger(&mut self, section: &mut Section) -> Option<TriggerCheck> {
        let mut trigger = self.inner(section, "trigger")?;
        let probe = self.probe(&mut trigger, Filled::BeforeTheCall);
        let matches = self.matches(&mut trigger);
        self.reader.finish(trigger);
        Some(TriggerCheck {
            probe: probe?,
            matches,
        })
    }

    /// `effect` is a word, or a table that says how it is looked for.
    fn effect(&mut self, section: &mut Section) -> (Option<Effect>, Option<EffectCheck>) {
        let is_table = |node: &Node| matches!(node.value, Value::Table(_));
        if !section.peek("effect").is_some_and(is_table) {
            return (self.reader.optional(section, "effect"), None);
        }
        let Some(mut effect) = self.inner(section, "effect") else {
            return (None, None);
        };
        self.says_something(&effect);
        let check = EffectCheck {
            idempotency: self.idempotency(&mut effect),
            look: self.look(&mut effect),
            lands_within: self.lands_within(&mut effect),
            tries: self.tries(&mut effect),
            backoff: self
                .reader
                .optional(&mut effect, "backoff")
                .unwrap_or_default(),
        };
        self.reader.finish(effect);
        (Some(Effect::Some), Some(check))
    }

    /// A table that changes nothing is a misunderstanding, and so is a key that says how to look
    /// where nothing is looked at. A plugin's actions are looked for by the plugin itself.
    fn says_something(&mut self, effect: &Section) {
        if effect.has("probe") || effect.has("landed") || self.is_of_plugin(&effect.path) {
            return;
        }
        for key in ["args", "lands_within", "tries", "backoff"] {
            if let Some(node) = effect.peek(key) {
                let path = format!("{}{key}", effect.path);
                let message = format!("`{path}` says nothing without `probe`");
                let help = "name the tool that finds the effect in `probe`".to_owned();
                let place = (path.as_str(), &node.origin);
                self.reader
                    .complain(Problem::Contradiction, place, message, Some(help));
            }
        }
        if !effect.has("idempotency") {
            let path = effect.path.trim_end_matches('.');
            let message = format!("`{path}` has neither `idempotency` nor `probe`");
            let help = "write `effect = \"some\"` for an effect that nothing is known of";
            let place = (path, &effect.origin);
            self.reader.complain(
                Problem::Contradiction,
                place,
                message,
                Some(help.to_owned()),
            );
        }
    }

    fn is_of_plugin(&self, path: &str) -> bool {
        let tool = path.strip_prefix("tools.").unwrap_or_default();
        let source = tool.split_once('.').map_or("", |(source, _)| source);
        self.plugins.iter().any(|plugin| plugin == source)
    }

    fn idempotency(&mut self, effect: &mut Section) -> Option<KeyPlace> {
        let mut table = self.inner(effect, "idempotency")?;
        let mut found = Vec::new();
        for (key, make) in KEY_PLACES {
            let origin = table.peek(key).map(|node| node.origin.clone());
            let name: Option<String> = self.reader.optional(&mut table, key);
            if let (Some(name), Some(origin)) = (name, origin) {
                let place = make(name);
                self.takes_key(&format!("{}{key}", table.path), &place, &origin);
                found.push(place);
            }
        }
        if found.len() != 1 {
            let path = table.path.trim_end_matches('.');
            let message = format!("`{path}` has {} places for the key", found.len());
            let help = "name one: `header`, `argument` or `meta`".to_owned();
            let place = (path, &table.origin.clone());
            self.reader
                .complain(Problem::Contradiction, place, message, Some(help));
        }
        self.reader.finish(table);
        found.pop()
    }

    fn takes_key(&mut self, path: &str, place: &KeyPlace, origin: &Origin) {
        if let Some(why) = key_place_problem(place) {
            let help = "name the place that the downstream's documentation names".to_owned();
            self.refuse((path, origin), &why, &help);
        }
    }

    /// `probe` and `landed` mean something only together.
    fn look(&mut self, effect: &mut Section) -> Option<EffectLook> {
        if !effect.has("probe") && !effect.has("landed") {
            // Both are known here, and `args` was complained of already.
            for key in ["probe", "landed", "args"] {
                effect.take(key);
            }
            return None;
        }
        let landed = self.landed(effect);
        let probe = self.probe(effect, Filled::AfterTheCall);
        Some(EffectLook {
            probe: probe?,
            landed: landed?,
        })
    }

    fn landed(&mut self, effect: &mut Section) -> Option<String> {
        let node = effect.peek("landed").cloned();
        let text: String = self.reader.required(effect, "landed")?;
        let (Some(node), Err(error)) = (node, Expectation::compile(&text)) else {
            return Some(text);
        };
        let path = format!("{}landed", effect.path);
        let message = format!("`{path}` is no expectation: {error}");
        let help = error.help.unwrap_or_else(|| {
            "write a condition over `result`, `args` and `$invocation.id`".to_owned()
        });
        let origin = self.reader.inside(&node, &text, error.column);
        let place = (path.as_str(), &origin);
        self.reader
            .complain(Problem::Value, place, message, Some(help));
        None
    }

    fn lands_within(&mut self, effect: &mut Section) -> Option<Duration> {
        let origin = effect.peek("lands_within").map(|node| node.origin.clone());
        let bound: Duration = self.reader.optional(effect, "lands_within")?;
        if bound == Duration::default() {
            let path = format!("{}lands_within", effect.path);
            let help = "state how late the effect may appear, or leave it out: then a look that \
                        finds nothing proves nothing";
            let origin = origin.unwrap_or(Origin::Default);
            self.refuse((&path, &origin), "no request lands in no time", help);
        }
        Some(bound)
    }

    fn tries(&mut self, effect: &mut Section) -> u32 {
        let origin = effect.peek("tries").map(|node| node.origin.clone());
        let tries: Option<u32> = self.reader.optional(effect, "tries");
        if let (Some(_), Some(origin)) = (tries.filter(|tries| *tries > TRIES_MAX), origin) {
            let path = format!("{}tries", effect.path);
            let why = format!("nobody waits for more than {TRIES_MAX} looks");
            let help = format!("write a number from 1 to {TRIES_MAX}");
            self.refuse((&path, &origin), &why, &help);
        }
        tries.unwrap_or(TRIES)
    }

    fn probe(&mut self, section: &mut Section, filled: Filled) -> Option<Probe> {
        let arguments = self.templates(section, "args", filled);
        let arguments = arguments
            .into_iter()
            .map(|(name, template)| (name, template.as_json().clone()))
            .collect();
        Some(Probe {
            tool: self.reader.required(section, "probe")?,
            arguments: Template::parse(serde_json::Value::Object(arguments)).ok()?,
        })
    }

    fn matches(&mut self, section: &mut Section) -> BTreeMap<String, Template> {
        if let Some(Value::Table(entries)) = section.peek("match").map(|node| &node.value) {
            let nested: Vec<(String, Node)> = entries
                .iter()
                .filter(|entry| matches!(entry.node.value, Value::Table(_)))
                .map(|entry| {
                    (
                        format!("{}match.{}", section.path, entry.key),
                        entry.node.clone(),
                    )
                })
                .collect();
            for (path, node) in nested {
                self.reader.misfit(&path, &node, PLAIN);
            }
        }
        self.templates(section, "match", Filled::BeforeTheCall)
    }

    /// A table of templates by name or path.
    fn templates(
        &mut self,
        section: &mut Section,
        key: &'static str,
        filled: Filled,
    ) -> BTreeMap<String, Template> {
        let mut table = self.reader.table(section, key);
        let mut templates = BTreeMap::new();
        for entry in table.take_rest() {
            let path = format!("{}{}", table.path, entry.key);
            if let Some(template) = self.template(&path, &entry.node, filled) {
                templates.insert(entry.key, template);
            }
        }
        templates
    }

    fn template(&mut self, path: &str, node: &Node, filled: Filled) -> Option<Template> {
        let Some(json) = json_of(node) else {
            self.reader.misfit(path, node, PLAIN);
            return None;
        };
        let place = (path, &node.origin);
        let template = match Template::parse(json.clone()) {
            Ok(template) => template,
            Err(why) => {
                self.refuse(place, &why, NAMES);
                return None;
            }
        };
        let named = template.names().iter().any(|name| name == "invocation.id");
        if named && filled == Filled::BeforeTheCall {
            self.refuse(
                place,
                "the call has no `invocation.id` before it is decided",
                NAMES,
            );
        }
        self.reader.note(path.to_owned(), json, node.origin.clone());
        Some(template)
    }

    fn pins(&mut self, section: &mut Section) -> Vec<String> {
        let origin = section.peek("pin").map(|node| node.origin.clone());
        let pins: Vec<String> = self.reader.optional(section, "pin").unwrap_or_default();
        let distinct: BTreeSet<&String> = pins.iter().collect();
        let twice = distinct.len() < pins.len();
        if twice || pins.iter().any(|pin| !is_dotted(pin)) {
            let path = format!("{}pin", section.path);
            let origin = origin.unwrap_or(Origin::Default);
            let help = "name each field once, by its path: `amount`, `order.total`";
            self.refuse((&path, &origin), "a field is empty or named twice", help);
        }
        pins
    }

    fn list_path(&mut self, section: &mut Section, key: &'static str) -> Option<String> {
        let origin = section.peek(key).map(|node| node.origin.clone());
        let text: String = self.reader.optional(section, key)?;
        if let Some(origin) = origin.filter(|_| !is_dotted(&text)) {
            let path = format!("{}{key}", section.path);
            let help = "name where the candidates stand in the answer: `data`, `data.items`";
            self.refuse((&path, &origin), "it is no path", help);
        }
        Some(text)
    }

    /// The table at a key, if somebody wrote it.
    fn inner(&mut self, section: &mut Section, key: &'static str) -> Option<Section> {
        let path = format!("{}{key}", section.path);
        let node = section.take(key)?;
        Some(self.reader.as_table(&path, node))
    }

    fn refuse(&mut self, (path, origin): (&str, &Origin), why: &str, help: &str) {
        let message = format!("`{path}` cannot be used: {why}");
        self.reader.complain(
            Problem::Value,
            (path, origin),
            message,
            Some(help.to_owned()),
        );
    }
}

fn is_dotted(path: &str) -> bool {
    path.split('.').all(|step| !step.is_empty())
}

/// The value as JSON; none where it is something that JSON or the gate writes otherwise.
fn json_of(node: &Node) -> Option<serde_json::Value> {
    Some(match &node.value {
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::List(items) => items.iter().map(json_of).collect::<Option<_>>()?,
        Value::Table(entries) => {
            let member =
                |entry: &super::tree::Entry| Some((entry.key.clone(), json_of(&entry.node)?));
            serde_json::Value::Object(entries.iter().map(member).collect::<Option<_>>()?)
        }
        Value::Other(_) => return None,
    })
}

impl super::reader::Setting for Backoff {
    const WHAT: &'static str = "two durations, the first no longer than the last: \"1s..60s\"";

    fn read(node: &Node) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            return None;
        };
        let (first, last) = text.split_once("..")?;
        let (first, last): (Duration, Duration) = (first.parse().ok()?, last.parse().ok()?);
        (Duration::default() < first && first <= last).then_some(Self { first, last })
    }
}

#[cfg(test)]
mod tests;
