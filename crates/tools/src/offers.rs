//! What a server offers besides tools, as it wrote it and within bounds. Pure.
//!
//! A prompt needs a name, a resource a URI and a template a pattern of URIs, or nobody could ask
//! for it; whatever else stands there travels on untouched. What is too large, malformed, or there
//! already is left out and costs nothing else.
//!
//! Must not know: who may see what, how it is fetched.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use toolgate_model::{
    Announced, Offer,
    json::{self, Limits, Numbers, Raw},
};

use crate::config::{SourceLimits, WireNames};
use crate::era::Server;
use crate::message;
use crate::pages::{List, Listing};

/// LIMIT: URIs and patterns beyond this are no URIs; names beyond 200 bytes are refused of tools
/// too.
const URI_BYTES_MAX: usize = 8 << 10;
const NAME_BYTES_MAX: usize = 200;
/// LIMIT: all items of one list together; a list that a client can show is far smaller.
const LIST_BYTES_MAX: usize = 8 << 20;
/// LIMIT: deeper items are no use to a client, and every reader of them recurses.
const ITEM_DEPTH_MAX: usize = 64;
/// LIMIT: real declarations have some hundred bytes.
const CAPABILITIES_BYTES_MAX: usize = 64 << 10;

/// What a server listed besides tools, as written.
#[derive(Debug, Default)]
pub(crate) struct Shelves {
    prompts: Shelf,
    resources: Shelf,
    templates: Shelf,
    /// What was odd about the lists, or why there is none.
    notes: Vec<String>,
}

/// One list.
#[derive(Debug, Default)]
struct Shelf {
    items: Vec<Raw>,
    /// It could not be read this time.
    missed: bool,
}

impl Shelves {
    /// The lists that a server of these capabilities is asked for.
    pub(crate) fn wanted(server: &Server) -> Vec<List> {
        let prompts = server.can("prompts").then_some(List::Prompts);
        let resources = server.can("resources");
        let resources = resources.then_some([List::Resources, List::Templates]);
        prompts
            .into_iter()
            .chain(resources.into_iter().flatten())
            .collect()
    }

    /// Takes a list.
    pub(crate) fn put(&mut self, list: List, listing: Listing) {
        self.notes.extend(listing.note);
        if let Some(shelf) = self.of(list) {
            shelf.items = listing.items;
        }
    }

    /// Notes that a list could not be had.
    pub(crate) fn miss(&mut self, list: List, why: String) {
        self.notes.push(why);
        if let Some(shelf) = self.of(list) {
            shelf.missed = true;
        }
    }

    const fn of(&mut self, list: List) -> Option<&mut Shelf> {
        match list {
            List::Tools => None,
            List::Prompts => Some(&mut self.prompts),
            List::Resources => Some(&mut self.resources),
            List::Templates => Some(&mut self.templates),
        }
    }
}

/// What is known of a source besides what it listed.
#[derive(Clone, Copy)]
pub(crate) struct Shop<'a> {
    pub(crate) wire_names: WireNames,
    pub(crate) limits: SourceLimits,
    pub(crate) server: &'a Server,
    pub(crate) announced: Announced,
    /// What it offered until now: a list that cannot be read this time stays what it was.
    pub(crate) before: &'a Offer,
}

/// What a source offers, and what was left out, in words.
pub(crate) fn offer(shop: Shop<'_>, shelves: &Shelves) -> (Offer, Vec<String>) {
    let mut notes = shelves.notes.clone();
    let limits = shop.limits;
    let mut kept = |list, shelf: &Shelf, before: &[Value]| {
        if shelf.missed {
            return before.to_vec();
        }
        let (kept, left_out) = read(list, &shelf.items, limits);
        notes.extend(left_out);
        kept
    };
    let before = shop.before;
    let offer = Offer {
        bare: shop.wire_names == WireNames::Bare,
        capabilities: capabilities(shop.server),
        instructions: instructions(shop.server, limits.description_bytes_max),
        prompts: kept(List::Prompts, &shelves.prompts, &before.prompts),
        resources: kept(List::Resources, &shelves.resources, &before.resources),
        templates: kept(List::Templates, &shelves.templates, &before.templates),
        announced: shop.announced,
    };
    (offer, notes)
}

/// The items that can be offered, in their order, and a sentence about the others.
fn read(list: List, items: &[Raw], limits: SourceLimits) -> (Vec<Value>, Option<String>) {
    let mut kept = Vec::new();
    let mut keys = BTreeSet::new();
    let (mut bytes, mut left_out, mut first) = (0usize, 0usize, None);
    for item in items {
        let read = within(kept.len(), limits.offers_max)
            .and_then(|()| one(list, item, limits.definition_bytes_max))
            .and_then(|(key, value)| {
                bytes = bytes.saturating_add(item.get().len());
                if bytes > LIST_BYTES_MAX {
                    return Err(format!(
                        "all together have more than {LIST_BYTES_MAX} bytes"
                    ));
                }
                let fresh = keys.insert(key.clone());
                let twice = || format!("`{}` is there already", message::excerpt(&key, 80));
                fresh.then_some(value).ok_or_else(twice)
            });
        match read {
            Ok(value) => kept.push(value),
            Err(why) => {
                left_out += 1;
                first.get_or_insert(why);
            }
        }
    }
    let note = first.map(|why| format!("{left_out} of its {} are left out: {why}", list.noun()));
    (kept, note)
}

fn within(count: usize, max: usize) -> Result<(), String> {
    let room = count < max;
    room.then_some(())
        .ok_or_else(|| format!("it offers more than the {max} allowed"))
}

/// An item with what it is asked for by.
fn one(list: List, item: &Raw, bytes_max: usize) -> Result<(String, Value), String> {
    let limits = Limits {
        bytes_max,
        depth_max: ITEM_DEPTH_MAX,
        string_bytes_max: bytes_max,
    };
    let value = json::parse(item.get().as_bytes(), limits, Numbers::Relay)
        .map_err(|error| format!("one cannot be read: {error}"))?;
    let (key, key_bytes_max) = match list {
        List::Tools | List::Prompts => ("name", NAME_BYTES_MAX),
        List::Resources => ("uri", URI_BYTES_MAX),
        List::Templates => ("uriTemplate", URI_BYTES_MAX),
    };
    match value.get(key).and_then(Value::as_str) {
        None | Some("") => Err(format!("one has no `{key}`")),
        Some(text) if text.len() > key_bytes_max => Err(format!(
            "the `{key}` of one has {} bytes, more than the {key_bytes_max} allowed",
            text.len()
        )),
        Some(text) => Ok((text.to_owned(), value)),
    }
}

/// What the server declared; nothing where that is too much to be meant.
fn capabilities(server: &Server) -> Map<String, Value> {
    let text = message::raw(&server.capabilities);
    if text.get().len() > CAPABILITIES_BYTES_MAX {
        return Map::new();
    }
    server.capabilities.clone()
}

/// What the server tells models, cut where it is too long.
fn instructions(server: &Server, bytes_max: usize) -> Option<String> {
    let text = server.instructions.as_deref()?;
    if text.trim().is_empty() {
        return None;
    }
    if text.len() <= bytes_max {
        return Some(text.to_owned());
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(format!("{}…", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{Shelf, Shelves, Shop, offer};
    use crate::config::{SourceLimits, WireNames};
    use crate::era::{Era, Server};
    use crate::pages::List;
    use serde_json::{Value, json};
    use toolgate_model::{Announced, Offer, json::Raw};

    fn raw(text: &str) -> Raw {
        serde_json::from_str(text).unwrap()
    }

    fn shelf(items: impl IntoIterator<Item = Raw>) -> Shelf {
        Shelf {
            items: items.into_iter().collect(),
            missed: false,
        }
    }

    fn server(said: Value) -> Server {
        Server {
            capabilities: said["capabilities"].as_object().unwrap().clone(),
            instructions: said["instructions"].as_str().map(str::to_owned),
            ..Server::unknown(Era::Modern)
        }
    }

    fn offered(server: &Server, shelves: &Shelves) -> (Offer, Vec<String>) {
        let limits = SourceLimits {
            offers_max: 3,
            definition_bytes_max: 100,
            description_bytes_max: 8,
            ..SourceLimits::default()
        };
        let shop = Shop {
            wire_names: WireNames::Bare,
            limits,
            server,
            announced: Announced::default(),
            before: &Offer {
                prompts: vec![json!({"name": "old"})],
                ..Offer::default()
            },
        };
        offer(shop, shelves)
    }

    #[test]
    fn what_can_be_asked_for_is_kept_as_written_and_the_rest_is_told() {
        let shelves = Shelves {
            prompts: shelf([
                raw(r#"{"z":1.50,"name":"a","x-vendor":{"n":123456789012345678901}}"#),
                raw(r#"{"name":"a","title":"again"}"#),
                raw(r#"{"title":"nameless"}"#),
                raw(r#"{"name":"b","name":"c"}"#),
                raw("[1]"),
            ]),
            resources: shelf(
                ["a:1", "a:2", "a:3", "a:4", "a:5"]
                    .map(|uri| raw(&json!({ "uri": uri }).to_string())),
            ),
            templates: shelf([
                raw(&json!({"uriTemplate": "a:{x}"}).to_string()),
                raw(&json!({"uriTemplate": "b:{x}", "d": "y".repeat(200)}).to_string()),
                raw(&json!({"uri": "c:{x}"}).to_string()),
            ]),
            notes: vec!["its list of prompts goes in a circle".to_owned()],
        };
        let (offer, notes) = offered(&server(json!({"capabilities": {}})), &shelves);
        let shown = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown(&offer.prompts),
            [r#"{"z":1.50,"name":"a","x-vendor":{"n":123456789012345678901}}"#]
        );
        assert_eq!(offer.resources.len(), 3);
        assert_eq!(shown(&offer.templates), [r#"{"uriTemplate":"a:{x}"}"#]);
        assert_eq!(
            notes,
            [
                "its list of prompts goes in a circle",
                "4 of its prompts are left out: `a` is there already",
                "2 of its resources are left out: it offers more than the 3 allowed",
                "2 of its templates of resources are left out: one cannot be read: the text has \
                 230 bytes, more than the 100 allowed",
            ]
        );
        assert!(offer.bare);
    }

    #[test]
    fn what_a_server_says_of_itself_is_bounded() {
        let said = |instructions: &str, capabilities: Value| {
            let said = json!({"instructions": instructions, "capabilities": capabilities});
            offered(&server(said), &Shelves::default()).0
        };
        let small = said("short", json!({"resources": {"x": 1}}));
        assert_eq!(small.instructions.as_deref(), Some("short"));
        assert_eq!(json!(small.capabilities), json!({"resources": {"x": 1}}));
        let large = said("1234567ä9", json!({"x": {"y": "z".repeat(70_000)}}));
        assert_eq!(large.instructions.as_deref(), Some("1234567…"));
        assert!(large.capabilities.is_empty());
        assert_eq!(said(" \n", json!({})).instructions, None);
    }

    #[test]
    fn a_list_that_cannot_be_read_stays_what_it_was() {
        let mut shelves = Shelves::default();
        shelves.miss(List::Prompts, "it did not list its prompts".to_owned());
        let (offer, notes) = offered(&server(json!({"capabilities": {}})), &shelves);
        assert_eq!(offer.prompts, [json!({"name": "old"})]);
        assert_eq!(notes, ["it did not list its prompts"]);
        let (offer, _) = offered(&server(json!({"capabilities": {}})), &Shelves::default());
        assert!(offer.prompts.is_empty());
    }

    #[test]
    fn a_server_is_asked_only_for_what_it_declares() {
        let wanted = |capabilities| Shelves::wanted(&server(json!({"capabilities": capabilities})));
        assert_eq!(wanted(json!({"tools": {}})), []);
        assert_eq!(wanted(json!({"prompts": {}})), [List::Prompts]);
        assert_eq!(
            wanted(json!({"resources": {}})),
            [List::Resources, List::Templates]
        );
    }
}
