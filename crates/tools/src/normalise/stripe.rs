//! Stripe: forms with nested names, amounts in the smallest unit of their currency.
//!
//! `POST https://api.stripe.com/v1/payment_intents` with `amount=64000&currency=usd` is
//! `stripe.create_payment_intent` of 640 usd. An amount without its currency (a refund's is that of
//! its charge) is open: nobody can say how many units make one.
//!
//! Must not know: other services.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::body::{Body, Speaks};
use super::money;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::{Asked, Service, no_secret, put};
use super::table::{Found, Table};

/// The service.
pub(super) const STRIPE: Service = Service {
    name: "stripe",
    speaks: Speaks::Form,
    secrets: &["client_secret"],
    lists: &["expand"],
    owns: |address, _| address.is_under("stripe.com"),
    read,
    secret_segment: no_secret,
};

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(&[
        include_str!("tables/stripe.hand.txt"),
        include_str!("tables/stripe.txt"),
    ])
});

fn read(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    if !matches!(
        asked.address.host.as_str(),
        "api.stripe.com" | "files.stripe.com"
    ) {
        return Ok(None);
    }
    let Some(found) = asked.find(&TABLE)? else {
        return Ok(None);
    };
    let arguments = parameters(asked, &found)?;
    let operation = Operation::of(found.row);
    let mut places = Places::default();
    amount(&mut places, &operation, &arguments);
    about(&mut places, &found, &arguments);
    if let Some(account) = asked.headers.get("stripe-account") {
        places.set("account", account);
    }
    places.set("external", false);
    Ok(Some(Understood {
        operation,
        arguments,
        places,
    }))
}

/// The parameters with their brackets undone: `metadata[order]=1` is a member of `metadata`.
fn parameters(asked: &Asked<'_>, found: &Found<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut merged = Map::new();
    if let Body::Form(pairs) = asked.body {
        for (name, value) in pairs.iter() {
            nest(&mut merged, name, value)?;
        }
    } else {
        merged = asked.body.fields()?;
    }
    let mut query = Map::new();
    for (name, value) in asked.address.query.iter() {
        nest(&mut query, name, value)?;
    }
    for (name, value) in query {
        put(&mut merged, &name, value)?;
    }
    for (name, value) in &found.path {
        put(&mut merged, name, Value::from(value.as_str()))?;
    }
    Ok(merged)
}

/// LIMIT: levels of brackets: the deepest of Stripe's parameters has five.
const DEPTH_MAX: usize = 8;

/// Puts `a[b][0]=v` where it belongs. Numbers are places of a list and kept as names: two readers
/// might count differently.
fn nest(object: &mut Map<String, Value>, name: &str, value: &str) -> Result<(), Refusal> {
    let bad = || Refusal::at("body", "has a name whose brackets do not pair");
    let (first, mut rest) = name.split_once('[').map_or((name, ""), |(first, _)| {
        (first, name.get(first.len()..).unwrap_or_default())
    });
    let mut keys = vec![first];
    while !rest.is_empty() {
        let (key, after) = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .ok_or_else(bad)?;
        keys.push(key);
        rest = after;
    }
    if keys.len() > DEPTH_MAX || first.is_empty() || first.contains(']') {
        return Err(bad());
    }
    insert(object, &keys, value).ok_or_else(|| Refusal::twice(name))
}

/// `None` where the place is taken by something else.
fn insert(object: &mut Map<String, Value>, keys: &[&str], value: &str) -> Option<()> {
    let (first, rest) = keys.split_first()?;
    match rest {
        [] => match object.get(*first) {
            Some(known) => (known.as_str() == Some(value)).then_some(()),
            None => {
                object.insert((*first).to_owned(), Value::from(value));
                Some(())
            }
        },
        [""] => {
            let list = object
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut()?.push(Value::from(value));
            Some(())
        }
        _ => {
            let inner = object
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            insert(inner.as_object_mut()?, rest, value)
        }
    }
}

/// Parameters that say how much, the first that is there.
const AMOUNTS: &[&str] = &["amount", "amount_to_capture", "unit_amount", "amount_off"];

fn amount(places: &mut Places, operation: &Operation, arguments: &Map<String, Value>) {
    let takes = |name: &&&str| {
        let listed = operation
            .parameters
            .iter()
            .flatten()
            .any(|known| known == **name);
        listed || arguments.contains_key(**name)
    };
    let currency = arguments.get("currency").and_then(Value::as_str);
    if let Some(currency) = currency {
        places.set("currency", currency.to_ascii_lowercase());
    }
    if AMOUNTS.iter().any(|name| takes(&name)) {
        let given = AMOUNTS.iter().find_map(|name| arguments.get(*name));
        let major = given
            .zip(currency)
            .and_then(|(minor, currency)| money::major(minor, currency));
        places.set("amount", major.unwrap_or(Value::Null));
        if currency.is_none() {
            places.open("currency");
        }
    }
}

/// Parameters that name the thing that a call is about where the path does not.
const THINGS: &[&str] = &[
    "charge",
    "payment_intent",
    "subscription",
    "invoice",
    "customer",
    "destination",
    "account",
];

fn about(places: &mut Places, found: &Found<'_>, arguments: &Map<String, Value>) {
    let in_path = found.path.first().map(|(name, id)| {
        // `…/charges/{id}` names its kind only by where it stands.
        let kind = match *name {
            "id" => found.row.category.trim_end_matches('s'),
            "subscription_exposed_id" => "subscription",
            "intent" => found.row.category.trim_end_matches('s'),
            name => name,
        };
        format!("{kind}:{id}")
    });
    let named = || {
        THINGS.iter().find_map(|kind| {
            let id = arguments.get(*kind)?.as_str()?;
            Some(format!("{kind}:{id}"))
        })
    };
    if let Some(resource) = in_path.or_else(named) {
        places.set("resource", resource);
    }
}
