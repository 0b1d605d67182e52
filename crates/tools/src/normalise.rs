//! Raw HTTP requests as uses of tools: which service, which operation, about what.
//!
//! ```text
//! POST https://api.github.com/repos/Acme/site/pulls {"head": "x", "base": "main", …}
//!   → github.create_pull_request, org acme, repo acme/site, branch main
//! ```
//!
//! First the request is put into its one canonical form ([`address`], [`headers`], [`body`]); what
//! can be read in two ways is refused. Then the service that owns the address says which operation
//! it is. An operation that it does not know is `{service}.request`, a host that nobody knows
//! `http.request`; both are judged by method, host and path. What may be sent is rebuilt from what
//! was read, without credentials.
//!
//! Must not know: rules, who asks, how a request is sent.

mod address;
mod body;
mod headers;
mod multipart;
mod pairs;
mod refusal;

mod operation;
mod service;
mod table;

mod arn;
mod aws_host;
mod google;
mod graphql;
mod mail;
mod money;
mod own;
mod s3;

mod aws;
mod gdrive;
mod github;
mod gmail;
mod hubspot;
mod jira;
mod pagerduty;
mod salesforce;
mod slack;
mod stripe;

use std::sync::Arc;

use serde_json::{Map, Value};
use toolgate_model::{Denial, HttpRequest, Recognised, Recognition, Risk, RiskScore, Verb};

use address::Address;
use body::{Body, Speaks};
use headers::Headers;
use operation::{Operation, Places, Understood, is_read};
use refusal::Refusal;
use service::{Asked, Service, no_secret};

/// The services that are known. The first one that owns an address reads the request.
const SERVICES: &[&Service] = &[
    &aws::AWS,
    &gdrive::GDRIVE,
    &github::GITHUB,
    &gmail::GMAIL,
    &hubspot::HUBSPOT,
    &jira::JIRA,
    &pagerduty::PAGERDUTY,
    &salesforce::SALESFORCE,
    &slack::SLACK,
    &stripe::STRIPE,
];

/// A host that no service owns.
const HTTP: Service = Service {
    name: "http",
    speaks: Speaks::AsTyped,
    secrets: &[],
    lists: &[],
    owns: |_, _| true,
    read: |_| Ok(None),
    secret_segment: no_secret,
};

/// The operation of which nothing is known.
const UNKNOWN: &str = "request";

/// Methods that requests are made with.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What a request is a use of. One that can be read in two ways is recognised as refused, so that
/// it goes on the record like any other.
///
/// # Errors
/// The [`Denial`] itself, should there be no tool to record it under.
///
/// ```
/// use toolgate_model::HttpRequest;
/// let request = HttpRequest {
///     method: "POST".to_owned(),
///     url: "https://slack.com/api/chat.postMessage".to_owned(),
///     headers: Default::default(),
///     body: serde_json::json!({"channel": "C024BE91L", "text": "the build is green"}),
/// };
/// let found = toolgate_tools::recognise(&request, &[])?;
/// assert_eq!(found.recognised.descriptor.id.as_str(), "slack.post_message");
/// assert_eq!(found.recognised.places["channel"], "C024BE91L");
/// # Ok::<(), toolgate_model::Denial>(())
/// ```
pub fn recognise(request: &HttpRequest, own_domains: &[String]) -> Result<Recognition, Denial> {
    read(request, own_domains).or_else(refused)
}

fn read(request: &HttpRequest, own_domains: &[String]) -> Result<Recognition, Refusal> {
    let method = method(&request.method)?;
    let mut address = Address::read(&request.url)?;
    let headers = Headers::read(&request.headers, &authority(&address))?;
    let service = owner(&address, own_domains);
    let mut body = Body::read(&request.body, &headers, service.speaks)?;
    if is_read(method) && body != Body::Nothing {
        let what = format!("is given with `{method}`, which servers read or ignore");
        return Err(Refusal::at("body", what));
    }
    overrides(&address, &body)?;
    let withheld = withhold(service, &mut address, &mut body, &headers);
    let asked = Asked {
        method,
        address: &address,
        headers: &headers,
        body: &body,
        lists: service.lists,
        own_domains,
    };
    let understood = match (service.read)(&asked)? {
        Some(understood) => understood,
        None => unknown(&asked)?,
    };
    let request = rebuilt(&asked);
    Ok(Recognition {
        recognised: recognised(service, &asked, &request, &understood)?,
        arguments: Value::Object(understood.arguments),
        request: Some(request),
        form: body.pairs(),
        withheld,
    })
}

/// What is recorded of a request that is refused: that there was one, and why it was not judged.
fn refused(refusal: Refusal) -> Result<Recognition, Denial> {
    let operation = Operation::named(UNKNOWN, "http").rated(Verb::Write, Risk::High);
    let denial = refusal.denial();
    let descriptor = operation
        .descriptor(HTTP.name, "POST", &Map::new())
        .map_err(|_| denial.clone())?;
    Ok(Recognition {
        recognised: Recognised {
            descriptor: Arc::new(descriptor),
            places: Map::new(),
            refusal: Some(denial),
        },
        arguments: Value::Object(Map::new()),
        request: None,
        form: Vec::new(),
        withheld: Vec::new(),
    })
}

fn method(text: &str) -> Result<&'static str, Refusal> {
    let known = METHODS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(text));
    let what = "is none of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
    known.copied().ok_or_else(|| Refusal::at("method", what))
}

fn authority(address: &Address) -> String {
    match address.port {
        Some(port) => format!("{}:{port}", address.host),
        None => address.host.clone(),
    }
}

fn owner(address: &Address, own_domains: &[String]) -> &'static Service {
    let mut services = SERVICES.iter();
    services
        .find(|service| (service.owns)(address, own_domains))
        .copied()
        .unwrap_or(&HTTP)
}

/// Some frameworks take another method from a field of this name.
fn overrides(address: &Address, body: &Body) -> Result<(), Refusal> {
    const NAMES: &[&str] = &[
        "$httpmethod",
        "_httpmethod",
        "_method",
        "x-http-method-override",
    ];
    let named = |name: &str| NAMES.iter().any(|one| one.eq_ignore_ascii_case(name));
    let in_query = address.query.iter().any(|(name, _)| named(name));
    if in_query || body.has(named) {
        return Err(Refusal::at(
            "method",
            "is given again in a field that some servers obey",
        ));
    }
    Ok(())
}

/// Takes the credentials out, and tells which there were, together with the headers left out.
fn withhold(
    service: &Service,
    address: &mut Address,
    body: &mut Body,
    headers: &Headers,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut tell = |place: &str, found: Vec<String>| {
        names.extend(found.iter().map(|name| format!("{place} {name}")));
    };
    tell("header", headers.withheld.clone());
    tell("query", address.query.withhold(service.secrets));
    tell("body", body.withhold(service.secrets));
    let secret = (service.secret_segment)(address);
    if let Some(segment) = secret.and_then(|place| address.segments.get_mut(place)) {
        *segment = "withheld".to_owned();
        tell("path", vec!["secret".to_owned()]);
    }
    names.sort();
    names
}

/// An operation that its service does not list, or a host that nobody knows: judged by what HTTP
/// itself says of it.
fn unknown(asked: &Asked<'_>) -> Result<Understood, Refusal> {
    let address = asked.address;
    if address.segments.iter().any(|segment| segment.contains('/')) {
        let what = "has an escaped slash (`%2F`), and nobody knows whether it separates";
        return Err(Refusal::at("url", what));
    }
    let mut arguments = Map::new();
    let query = address.query.object(asked.lists)?;
    arguments.insert("method".to_owned(), Value::from(asked.method));
    arguments.insert(
        "url".to_owned(),
        Value::from(format!("{}{}", address.origin(), address.path())),
    );
    arguments.insert("query".to_owned(), Value::Object(query));
    if *asked.body != Body::Nothing {
        let fields = match asked.body {
            Body::Form(_) | Body::Multipart(..) => Value::Object(asked.body.fields()?),
            Body::Nothing | Body::Json(_) | Body::Text(_) => asked.body.rebuilt(),
        };
        arguments.insert("body".to_owned(), fields);
    }
    let mut places = Places::default();
    places.set("path", address.path());
    let operation = Operation {
        parameters: None,
        ..Operation::named(UNKNOWN, "http")
    };
    let (verb, risk) = match asked.method {
        "DELETE" => (Verb::Delete, Risk::High),
        method if is_read(method) => (Verb::Read, Risk::Medium),
        _ => (Verb::Write, Risk::High),
    };
    Ok(Understood {
        operation: operation.rated(verb, risk),
        arguments,
        places,
    })
}

/// The request as it may be sent.
fn rebuilt(asked: &Asked<'_>) -> HttpRequest {
    let mut headers = asked.headers.kept.clone();
    let given = headers
        .get("content-type")
        .map(String::as_str)
        .unwrap_or_default();
    if let Some(needed) = asked.body.content_type(given) {
        headers.insert("content-type".to_owned(), needed);
    }
    HttpRequest {
        method: asked.method.to_owned(),
        url: asked.address.url(),
        headers,
        body: asked.body.rebuilt(),
    }
}

fn recognised(
    service: &Service,
    asked: &Asked<'_>,
    request: &HttpRequest,
    understood: &Understood,
) -> Result<Recognised, Refusal> {
    let operation = understood.operation.clone();
    let mut descriptor = operation.descriptor(service.name, asked.method, &understood.arguments)?;
    if asked.address.scheme == "http" && service.name != HTTP.name && descriptor.risk < Risk::High {
        descriptor.risk = Risk::High;
        descriptor.risk_score = RiskScore::of_band(Risk::High);
        descriptor.risk_reason = "it goes over the network in the clear".to_owned();
    }
    let mut places = understood.places.0.clone();
    let known = |places: &mut Map<String, Value>, name: &str, value: &str| {
        places
            .entry(name.to_owned())
            .or_insert_with(|| Value::from(value));
    };
    // The host of a known service is a stranger to nobody; who is meant is said by a recipient.
    let said = places.contains_key("external") || places.contains_key("recipient");
    if service.name != HTTP.name && !said {
        let unknown = understood.operation.name == UNKNOWN;
        let external = if unknown {
            Value::Null
        } else {
            Value::Bool(false)
        };
        places.insert("external".to_owned(), external);
    }
    known(&mut places, "host", &asked.address.host);
    known(&mut places, "url", &request.url);
    Ok(Recognised {
        descriptor: Arc::new(descriptor),
        places,
        refusal: None,
    })
}
