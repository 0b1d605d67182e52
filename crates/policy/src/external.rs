//! `is_external_principal`: whether a call reaches somebody outside the tenant's own domains.
//!
//! With the own domain `acme.com`, `ana@eu.acme.com` is inside; `x@acme.com.evil`, `x@notacme.com` and
//! a look-alike with a Cyrillic letter are outside. One recipient outside is enough. A recipient
//! that is no plain address, or a tenant that has named no domains, makes it unknown.
//!
//! Must not know: how the tenant's domains are configured.

use serde_json::Value;

use crate::call::Call;
use crate::limits;
use crate::plain;
use crate::ruling::Fault;
use crate::term::Term;
use crate::value::{Datum, Got};

/// What is looked at, as it stands in the call.
#[derive(Clone, Debug)]
pub(crate) struct External {
    pub(crate) recipient: Term,
    pub(crate) host: Term,
}

/// Who is meant by a text: the domain, where it is one.
type Domain = fn(&str) -> Option<String>;

impl External {
    /// Whether somebody is outside. Where neither a recipient nor a host can be, nobody is, and
    /// whatever compares it is about another tool.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
        let said = call.facts.and_then(|facts| facts.places?.get("external"));
        if let Some(said) = said {
            let said = said.as_bool().map(Datum::Bool);
            return Ok(said.map_or(Got::Unknown, Got::Value));
        }
        let recipient = match read(&self.recipient, call)? {
            Got::Value(datum) => {
                let answer = judged(&datum, of_recipient, call)?;
                return self.beside(answer, call);
            }
            other => other,
        };
        let host = match read(&self.host, call)? {
            Got::Value(datum) => judged(&datum, plain::host, call)?,
            other => other,
        };
        Ok(match (recipient, host) {
            (Got::Impossible, host) => host,
            (_, Got::Value(Datum::Bool(true))) => Got::Value(Datum::Bool(true)),
            _ => Got::Unknown,
        })
    }

    /// What the recipients say, where the host does not say worse. Of a raw request the host is
    /// that of the service; of another call a recipient is easily added, and must not hide where
    /// the call goes.
    fn beside<'c, 't: 'c>(
        &'t self,
        recipients: Got<'c>,
        call: &mut Call<'_, 'c>,
    ) -> Result<Got<'c>, Fault> {
        let recognised = call.facts.is_some_and(|facts| facts.places.is_some());
        if recognised || recipients == Got::Value(Datum::Bool(true)) {
            return Ok(recipients);
        }
        let mark = call.mark();
        let host = match read(&self.host, call)? {
            Got::Value(datum) => judged(&datum, plain::host, call)?,
            Got::Missing | Got::Unknown if self.host.exists(call)? => Got::Unknown,
            Got::Missing | Got::Unknown | Got::Impossible => {
                call.forget_since(mark);
                return Ok(recipients);
            }
        };
        Ok(match host {
            Got::Value(Datum::Bool(false)) => recipients,
            outside => outside,
        })
    }
}

/// A place as it stands. Of a raw request only what its normaliser recognised counts: its body may
/// have a `recipient` that nobody sends anything to.
fn read<'c, 't: 'c>(term: &'t Term, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
    let Term::Mapped { path, .. } = term else {
        return Ok(Got::Unknown);
    };
    match call.facts.is_some_and(|facts| facts.places.is_some()) {
        true => Ok(call.place(&path.steps).unwrap_or(Got::Impossible)),
        false => term.value(call),
    }
}

fn judged<'c>(
    datum: &Datum<'_>,
    domain: Domain,
    call: &mut Call<'_, 'c>,
) -> Result<Got<'c>, Fault> {
    let own = call.facts.map_or(&[][..], |facts| facts.own_domains);
    let outside = |text: &str| Some(!is_own(&domain(text)?, own));
    let answers: Option<Vec<Option<bool>>> = match datum {
        Datum::Text(text) => Some(vec![outside(text)]),
        Datum::Json(Value::Array(items)) if items.len() <= limits::ELEMENTS_MAX => {
            call.meter.spend(items.len())?;
            let one = |item: &Value| item.as_str().and_then(outside);
            Some(items.iter().map(one).collect())
        }
        _ => None,
    };
    let answers = answers.filter(|answers| !answers.is_empty() && !own.is_empty());
    Ok(match answers {
        Some(answers) if answers.contains(&Some(true)) => Got::Value(Datum::Bool(true)),
        Some(answers) if !answers.contains(&None) => Got::Value(Datum::Bool(false)),
        Some(_) | None => Got::Unknown,
    })
}

/// The domain of an address, of a URL, or a bare one. A word without a dot is a name of something
/// else: a channel, a user, a group.
fn of_recipient(text: &str) -> Option<String> {
    if text.contains('@') && !text.contains("://") {
        return plain::domain(text);
    }
    plain::host(text).filter(|_| text.contains('.'))
}

/// Whether a domain is one of the tenant's own or below one.
fn is_own(domain: &str, own: &[String]) -> bool {
    own.iter().filter_map(|own| plain::name(own)).any(|own| {
        domain == own
            || domain
                .strip_suffix(own.as_str())
                .is_some_and(|below| below.ends_with('.'))
    })
}
