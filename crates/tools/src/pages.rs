//! The lists of a server, followed page by page.
//!
//! `tools/list` and its three siblings all answer a few items and, where there are more, a cursor
//! that asks for the next. A list is read to its end, but never in a circle, and never beyond its
//! bounds: a server without end costs a note, and no memory.
//!
//! Must not know: what an item says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use toolgate_model::{Duration, json::Raw};

use crate::exchange::Exchange;
use crate::message::RpcError;
use crate::session::Session;

/// How long one page may take.
const PAGE_WAIT: Duration = Duration::from_secs(30);
/// LIMIT: 1,000 items in pages of ten.
const PAGES_MAX: usize = 100;

/// One of the lists of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl List {
    const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// Where a page has its items.
    const fn key(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// What its items are called.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Templates => "templates of resources",
            Self::Tools | Self::Prompts | Self::Resources => self.key(),
        }
    }
}

/// What a server listed.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The items, as written.
    pub(crate) items: Vec<Raw>,
    /// What was odd about the list.
    pub(crate) note: Option<String>,
}

/// Why a list could not be had.
#[derive(Debug)]
pub(crate) struct ListError {
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether nothing can be sent any more.
    pub(crate) unreachable: bool,
}

/// The whole list, or what it has up to the page on which it goes beyond `items_max`.
pub(crate) async fn list(
    session: &Session,
    list: List,
    items_max: usize,
) -> Result<Listing, ListError> {
    let mut listing = Listing::default();
    let mut cursors = BTreeSet::new();
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = page(session, list, cursor.take()).await?;
        listing.items.extend(page.items);
        match page.next_cursor {
            None => return Ok(listing),
            Some(_) if listing.items.len() > items_max => return Ok(listing),
            Some(next) if !cursors.insert(next.clone()) => {
                listing.note = Some(format!("its list of {} goes in a circle", list.noun()));
                return Ok(listing);
            }
            Some(next) => cursor = Some(next),
        }
    }
    let noun = list.noun();
    listing.note = Some(format!(
        "its list of {noun} has more than {PAGES_MAX} pages"
    ));
    Ok(listing)
}

#[derive(Default)]
struct Page {
    items: Vec<Raw>,
    next_cursor: Option<String>,
}

async fn page(session: &Session, list: List, cursor: Option<String>) -> Result<Page, ListError> {
    let params: Map<String, Value> = cursor
        .map(|cursor| ("cursor".to_owned(), cursor.into()))
        .into_iter()
        .collect();
    let failed = |reason: String, unreachable| ListError {
        reason: format!("it did not list its {}: {reason}", list.noun()),
        unreachable,
    };
    let Some(exchange) = session.ask(list.method(), params, PAGE_WAIT).await else {
        return Err(failed(format!("no answer within {PAGE_WAIT}"), false));
    };
    match exchange {
        Exchange::Result(result) => read(&result, list)
            .map_err(|why| failed(format!("the page cannot be read: {why}"), false)),
        // A server without any need not know the method.
        Exchange::Error { error, .. } if error.code == RpcError::METHOD_NOT_FOUND => {
            Ok(Page::default())
        }
        Exchange::NotSent(_) | Exchange::Broken(_) => Err(failed(exchange.in_words(), true)),
        other => Err(failed(other.in_words(), false)),
    }
}

fn read(result: &Raw, list: List) -> Result<Page, String> {
    let words = |error: serde_json::Error| error.to_string();
    let fields: BTreeMap<String, Raw> = serde_json::from_str(result.get()).map_err(words)?;
    let items = fields
        .get(list.key())
        .ok_or_else(|| format!("missing field `{}`", list.key()))?;
    let next = fields.get("nextCursor").map(|next| next.get());
    Ok(Page {
        items: serde_json::from_str(items.get()).map_err(words)?,
        next_cursor: serde_json::from_str(next.unwrap_or("null")).map_err(words)?,
    })
}
