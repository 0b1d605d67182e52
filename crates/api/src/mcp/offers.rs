//! What one identity sees of the prompts and resources of all sources, and where their names lead.
//!
//! ```text
//! crm__greet                     → crm.prompts/get     {"name": "greet"}
//! toolgate://crm/file:///a.txt   → crm.resources/read  {"uri": "file:///a.txt"}
//! ```
//!
//! Everything is shown where the code that decides calls would let some call of it be reached. A
//! name is looked up among what is there, never taken apart: what a server calls its things is up
//! to the server.
//!
//! Must not know: how anything is fetched, transports.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolgate_gate::{Configuration, reaches, visible};
use toolgate_model::{Announced, Descriptor, Identity, Method, Offer, Timestamp, ToolId};

use super::limits::INSTRUCTIONS_BYTES_MAX;
use super::naming::{SCHEME, could_expand, prompt_name, unwrapped, wrapped};
use super::paging::Entry;

/// What a source offers a list of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Prompts,
    Resources,
    Templates,
}

/// The offers of all sources, as one identity sees them now.
#[derive(Clone, Copy)]
pub(super) struct Offers<'o> {
    configuration: &'o Configuration,
    identity: &'o Identity,
    now: Timestamp,
}

/// What ends a line for some reader.
const LINE_ENDS: [char; 7] = [
    '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
];

/// One thing that a source offers.
#[derive(Clone)]
pub(super) struct Offered<'o> {
    kind: Kind,
    source: &'o str,
    bare: bool,
    /// Its own name: of a prompt, a URI, or the template of one.
    name: &'o str,
    given: &'o Value,
}

/// Where a name or a URI leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// To something that the caller may know of.
    Known(Place),
    /// To something that is hidden from it.
    Hidden(Place),
    /// Nowhere.
    Nowhere,
    /// To one of these sources: the caller must say which.
    Several(Vec<String>),
}

/// A source, and the name or URI there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which source.
    pub(super) source: String,
    /// Its own name for it.
    pub(super) name: String,
}

impl Kind {
    /// The field of a result that lists them.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of a definition that names it.
    const fn key(self) -> &'static str {
        match self {
            Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// The method that it is used by.
    pub(super) const fn method(self) -> Method {
        match self {
            Self::Prompts => Method::GetPrompt,
            Self::Resources | Self::Templates => Method::ReadResource,
        }
    }

    fn of(self, offer: &Offer) -> &[Value] {
        match self {
            Self::Prompts => &offer.prompts,
            Self::Resources => &offer.resources,
            Self::Templates => &offer.templates,
        }
    }
}

impl Offered<'_> {
    /// The name by which clients know it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::Prompts => prompt_name((self.source, self.bare), self.name),
            Kind::Resources | Kind::Templates => wrapped((self.source, self.bare), self.name),
        }
    }

    fn place(&self) -> Place {
        Place {
            source: self.source.to_owned(),
            name: self.name.to_owned(),
        }
    }
}

impl<'o> Offers<'o> {
    pub(super) const fn new(
        configuration: &'o Configuration,
        identity: &'o Identity,
        now: Timestamp,
    ) -> Self {
        Self {
            configuration,
            identity,
            now,
        }
    }

    /// Whether some source lets this identity use the method.
    pub(super) fn any(&self, method: Method) -> bool {
        self.sources(method).next().is_some()
    }

    /// The names of all entries of a list, in order, whoever may see them.
    pub(super) fn names(&self, kind: Kind) -> impl Iterator<Item = String> {
        self.all(kind).map(|thing| thing.shown())
    }

    /// The entries of a list that this identity sees from a place on, each as its server wrote it
    /// but for the name. Of two that clients would know by one name the first is shown.
    pub(super) fn entries(&self, kind: Kind, start: usize) -> impl Iterator<Item = Entry> {
        let mut names = BTreeSet::new();
        let all = self.all(kind).enumerate();
        let mut shown: Vec<_> = all
            .filter(|(_, thing)| self.may_show(thing))
            .map(|(place, thing)| (place, thing.shown(), thing))
            .filter(|(_, name, _)| names.insert(name.clone()))
            .collect();
        shown.retain(|(place, ..)| *place >= start);
        shown.into_iter().map(|(place, name, thing)| {
            let mut definition = thing.given.clone();
            if let Some(given) = definition.get_mut(thing.kind.key()) {
                *given = name.clone().into();
            }
            Entry {
                place,
                name,
                definition: definition.to_string(),
            }
        })
    }

    /// Where the name of a prompt leads.
    pub(super) fn prompt(&self, name: &str) -> Lead {
        let named = |thing: &Offered<'_>| thing.shown() == name;
        if let Some(thing) = self.visible(Kind::Prompts).find(named) {
            return Lead::Known(thing.place());
        }
        let hidden = self.all(Kind::Prompts).find(named);
        hidden.map_or(Lead::Nowhere, |thing| Lead::Hidden(thing.place()))
    }

    /// Where a URI leads, or the template of one: to the source that it names, or that lists it, or
    /// else to the only one that could have it.
    pub(super) fn resource(&self, uri: &str) -> Lead {
        if let Some(lead) = self.wrapped(uri) {
            return lead;
        }
        // Under our own scheme stands what a source is named in, or what a bare one wrote itself.
        let ours = uri.starts_with(SCHEME);
        let lists = |kind| {
            let listed = self.visible(kind).filter(|thing| thing.name == uri);
            listed.filter(move |thing| thing.bare || !ours)
        };
        let listing: Vec<_> = lists(Kind::Resources)
            .chain(lists(Kind::Templates))
            .collect();
        // A source without its name in front is who says what a name without one means.
        if let Some(bare) = listing.iter().find(|thing| thing.bare) {
            return Lead::Known(bare.place());
        }
        let expanding = self.visible(Kind::Templates);
        let expanding = expanding.filter(|thing| could_expand(thing.name, uri));
        let expanding = expanding.filter(|thing| thing.bare || !ours);
        let reading = self.sources(Method::ReadResource);
        let reading = reading.filter(|(_, offer)| offer.bare || !ours);
        let ways: [BTreeSet<&str>; 3] = [
            listing.iter().map(|thing| thing.source).collect(),
            expanding.map(|thing| thing.source).collect(),
            reading.map(|(source, _)| source).collect(),
        ];
        let sources = ways.into_iter().find(|sources| !sources.is_empty());
        let mut sources = sources.into_iter().flatten();
        match (sources.next(), sources.next()) {
            (None, _) => Lead::Nowhere,
            (Some(only), None) => known(only, uri),
            (Some(one), Some(other)) => {
                let all = [one, other].into_iter().chain(sources);
                Lead::Several(all.map(|source| wrapped((source, false), uri)).collect())
            }
        }
    }

    /// Where a URI leads that names its source.
    fn wrapped(&self, uri: &str) -> Option<Lead> {
        let (source, inner) = unwrapped(uri)?;
        let offer = self.configuration.catalogue.offers().get(source)?;
        if offer.bare {
            return None;
        }
        let place = Place {
            source: source.to_owned(),
            name: inner.to_owned(),
        };
        let tool = self.tool(source, Method::ReadResource);
        Some(match tool.is_some_and(|tool| self.shows(tool)) {
            true => Lead::Known(place),
            false => Lead::Hidden(place),
        })
    }

    /// What the sources that this identity sees can do besides tools, as a server declares it.
    pub(super) fn capabilities(&self) -> Map<String, Value> {
        let declared = |method, key: &str| {
            self.sources(method)
                .filter_map(|(_, offer)| offer.capabilities.get(key))
                .collect::<Vec<_>>()
        };
        let mut all = Map::new();
        if self.any(Method::GetPrompt) {
            all.insert("prompts".to_owned(), json!({"listChanged": true}));
        }
        if self.any(Method::ReadResource) {
            let follows = |given: &&Value| given.get("subscribe") == Some(&Value::Bool(true));
            let subscribe = declared(Method::ReadResource, "resources")
                .iter()
                .any(follows);
            let resources = json!({"subscribe": subscribe, "listChanged": true});
            all.insert("resources".to_owned(), resources);
        }
        if !declared(Method::Complete, "completions").is_empty() {
            all.insert("completions".to_owned(), json!({}));
        }
        if self
            .seen()
            .any(|(_, offer)| offer.capabilities.contains_key("logging"))
        {
            all.insert("logging".to_owned(), json!({}));
        }
        all
    }

    /// What the sources that this identity sees tell models about themselves, each under its name.
    /// The only one of a gate that does not show itself speaks for itself.
    pub(super) fn instructions(&self, own: Option<&str>) -> Option<String> {
        let said = self
            .seen()
            .filter_map(|(source, offer)| Some((source, offer, offer.instructions.as_deref()?)));
        let said: Vec<_> = said.collect();
        if let (None, [(_, offer, only)]) = (own, said.as_slice())
            && offer.bare
        {
            return Some((*only).to_owned());
        }
        let mut text = own.unwrap_or_default().to_owned();
        for (source, _, words) in said {
            let part = format!("\n\nFrom {source}:\n{}", quoted(words));
            if text.len() + part.len() <= INSTRUCTIONS_BYTES_MAX {
                text.push_str(&part);
            }
        }
        let text = text.trim_start();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// How often the servers that this identity sees have said that a list changed.
    pub(super) fn announced(&self) -> Announced {
        self.seen().fold(Announced::default(), |all, (_, offer)| {
            let said = offer.announced;
            Announced {
                tools: all.tools.wrapping_add(said.tools),
                prompts: all.prompts.wrapping_add(said.prompts),
                resources: all.resources.wrapping_add(said.resources),
            }
        })
    }

    /// The sources of which this identity sees anything.
    fn seen(&self) -> impl Iterator<Item = (&'o str, &'o Offer)> {
        let catalogue = &self.configuration.catalogue;
        let mut shown: Vec<&str> = catalogue
            .iter()
            .filter(|tool| self.shows(tool))
            .map(|tool| tool.id.source())
            .collect();
        shown.dedup();
        let offers = self.offers();
        offers.filter(move |(source, _)| shown.contains(source))
    }

    /// The sources that let this identity use the method.
    fn sources(&self, method: Method) -> impl Iterator<Item = (&'o str, &'o Offer)> {
        let this = *self;
        let offers = self.offers();
        offers.filter(move |(source, _)| {
            this.tool(source, method)
                .is_some_and(|tool| this.shows(tool))
        })
    }

    /// All of a kind that this identity may be shown.
    fn visible(&self, kind: Kind) -> impl Iterator<Item = Offered<'o>> {
        let this = *self;
        self.all(kind).filter(move |thing| this.may_show(thing))
    }

    fn may_show(&self, thing: &Offered<'_>) -> bool {
        let Some(tool) = self.tool(thing.source, thing.kind.method()) else {
            return false;
        };
        match thing.kind {
            // Which of its expansions are reached is decided when one is read.
            Kind::Templates => self.shows(tool),
            Kind::Prompts | Kind::Resources => {
                let arguments = json!({thing.kind.key(): thing.name});
                reaches(
                    self.configuration,
                    self.identity,
                    (tool, arguments),
                    self.now,
                )
            }
        }
    }

    /// All of a kind that there are, in the order of sources and of their lists.
    fn all(&self, kind: Kind) -> impl Iterator<Item = Offered<'o>> {
        self.offers().flat_map(move |(source, offer)| {
            kind.of(offer).iter().filter_map(move |given| {
                Some(Offered {
                    kind,
                    source,
                    bare: offer.bare,
                    name: given.get(kind.key())?.as_str()?,
                    given,
                })
            })
        })
    }

    fn offers(&self) -> impl Iterator<Item = (&'o str, &'o Offer)> + use<'o> {
        let offers = self.configuration.catalogue.offers();
        offers
            .iter()
            .map(|(source, offer)| (source.as_str(), offer.as_ref()))
    }

    /// The tool that stands for a method of a source.
    fn tool(&self, source: &str, method: Method) -> Option<&'o Arc<Descriptor>> {
        let id = method.tool(source)?;
        self.configuration.catalogue.get(&id)
    }

    fn shows(&self, tool: &Arc<Descriptor>) -> bool {
        visible(self.configuration, self.identity, tool, self.now)
    }
}

impl Place {
    /// The tool that stands for a method there.
    pub(super) fn tool(&self, method: Method) -> Option<ToolId> {
        method.tool(&self.source)
    }
}

/// The words of a server, none of whose lines can pass for the gate's or another server's.
fn quoted(words: &str) -> String {
    let lines = words.split(LINE_ENDS).map(|line| format!("> {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn known(source: &str, uri: &str) -> Lead {
    Lead::Known(Place {
        source: source.to_owned(),
        name: uri.to_owned(),
    })
}
