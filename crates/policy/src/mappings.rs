//! What descriptors map onto well-known attributes: `amount = args.amount_cents / 100`.
//!
//! Compiled once for all tools of the catalogue, found again by their text. A mapping that is no
//! expression over arguments is left out, with a warning: the attribute is then unknown for every
//! call of that tool, which is strict, and no other tool suffers.
//!
//! Must not know: rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use toolgate_model::{Catalogue, Diagnostic};

use crate::checker::{Checker, Written};
use crate::diagnostics::BAD_MAPPING;
use crate::language;
use crate::needles::NeedleList;
use crate::source::{Complaint, Report, Source};
use crate::term::{Mappings, Term};
use crate::tree::Offsets;

/// The mappings of each attribute, and what is wrong with those left out.
pub(crate) fn compile(catalogue: &Catalogue) -> (BTreeMap<String, Arc<Mappings>>, Vec<Diagnostic>) {
    let mut found: BTreeMap<String, Mappings> = BTreeMap::new();
    let mut warnings = Vec::new();
    for tool in catalogue.iter() {
        for (name, text) in &tool.attributes {
            let mappings = found.entry(name.clone()).or_default();
            if mappings.contains_key(text) {
                continue;
            }
            match term(text) {
                Ok(term) => {
                    mappings.insert(text.clone(), term);
                }
                Err(problem) => warnings.push(warning(tool.id.as_str(), name, text, &problem)),
            }
        }
    }
    let shared = found
        .into_iter()
        .map(|(name, mappings)| (name, Arc::new(mappings)));
    (shared.collect(), warnings)
}

fn term(text: &str) -> Result<Term, String> {
    let expr = language::parse(text).map_err(|error| error.message)?;
    let source = Source::new("", text);
    let mut report = Report::new(&source);
    let (none, mut needles) = (BTreeMap::new(), NeedleList::default());
    let written = Written {
        text: text.to_owned(),
        expr,
        offsets: Offsets::Plain(0),
        path: String::new(),
    };
    let term = Checker::new(&mut report, &mut needles, &none).term_of(&written);
    match term {
        Some(term) if over_arguments(&term) => Ok(term),
        Some(_) => Err("it reads more than arguments".to_owned()),
        None => Err(report
            .diagnostics
            .pop()
            .map_or_else(String::new, |problem| problem.message)),
    }
}

fn over_arguments(term: &Term) -> bool {
    match term {
        Term::Argument(_) | Term::Mapped { .. } | Term::Literal(_) => true,
        Term::Attribute(_)
        | Term::Entity(_)
        | Term::Result(_)
        | Term::Local { .. }
        | Term::Counted(_)
        | Term::Seen(_)
        | Term::External(_)
        | Term::Body => false,
        Term::Default(inner, _) | Term::Apply { to: inner, .. } => over_arguments(inner),
        Term::Arithmetic { left, right, .. } => over_arguments(left) && over_arguments(right),
    }
}

fn warning(tool: &str, name: &str, text: &str, problem: &str) -> Diagnostic {
    let source = Source::new(tool, text);
    let mut report = Report::new(&source);
    let message = format!("`{name}` of `{tool}` cannot be mapped: {problem}");
    report.push(
        Complaint::new(BAD_MAPPING, message)
            .at(&(0..text.len()), &format!("/attributes/{name}"))
            .help("write an expression over arguments, as in `args.amount_cents / 100`"),
    );
    report.diagnostics.remove(0)
}
