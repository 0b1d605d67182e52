//! What a call is about, by its path: `/customers/{customer}/orders/{order}` is an `order`.
//!
//! The last parameter of the path names it, and the segment before says what it is. Parameters that
//! stand side by side are one name, as in `/repos/{owner}/{repo}`. A path without any is about nothing
//! that a grant could name. Pure.
//!
//! Must not know: grants, what the parameters hold.

use toolgate_model::ResourceTemplate;

use super::operation::{Operation, Place};
use super::path::{Segment, Template};

/// The template of what calls are about; none where the path does not say.
pub(super) fn of(operation: &Operation, template: &Template) -> Option<ResourceTemplate> {
    let last = template
        .segments
        .iter()
        .rposition(|segment| !segment.is_literal())?;
    let upto = template.segments.get(..=last)?;
    let literal = upto.iter().rposition(Segment::is_literal);
    let run = upto.get(literal.map_or(0, |at| at + 1)..)?;
    let names: Vec<&String> = run.iter().flat_map(|segment| &segment.parameters).collect();
    let arguments: Option<Vec<String>> =
        names.iter().map(|name| argument(operation, name)).collect();
    let kind = literal.and_then(|at| upto.get(at)).map(Segment::literal);
    let kind = kind.filter(|kind| !is_version(kind));
    let kind = kind.map_or_else(
        || of_parameter(names.last()?),
        |kind| word(&singular(&kind)),
    )?;
    let text = format!("{kind}:{}", arguments?.join("/"));
    ResourceTemplate::parse(&text).ok()
}

fn argument(operation: &Operation, name: &str) -> Option<String> {
    let mut parameters = operation.parameters.iter();
    let parameter = parameters.find(|one| one.place == Place::Path && one.name == name)?;
    Some(format!("{{args.{}}}", parameter.argument.path()?))
}

/// `customer` of `customer_id`, `customerId` and `customer`.
fn of_parameter(name: &str) -> Option<String> {
    let endings = ["_id", "-id", "Id", "ID", "_sid", "Sid", "_uuid"];
    let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
    word(stem.filter(|stem| !stem.is_empty()).unwrap_or(name))
}

/// `v1`, `2010-04-01`.
fn is_version(segment: &str) -> bool {
    let rest = segment.strip_prefix(['v', 'V']).unwrap_or(segment);
    rest.starts_with(|c: char| c.is_ascii_digit())
}

/// A type as it stands before the colon.
fn word(text: &str) -> Option<String> {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '_',
    };
    let word: String = text.chars().map(plain).collect();
    let word = word.trim_matches('_').to_owned();
    (!word.is_empty()).then_some(word)
}

/// One of many, as English mostly has it.
fn singular(word: &str) -> String {
    let cut = |ending: &str| word.strip_suffix(ending);
    if let Some(stem) = cut("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["sses", "xes", "ches", "shes", "zes"] {
        if let Some(stem) = cut(ending) {
            let kept = ending.strip_suffix("es").unwrap_or_default();
            return format!("{stem}{kept}");
        }
    }
    let plural = !["ss", "us", "is"]
        .iter()
        .any(|ending| word.ends_with(ending));
    match cut("s").filter(|stem| plural && stem.len() > 2) {
        Some(stem) => stem.to_owned(),
        None => word.to_owned(),
    }
}
