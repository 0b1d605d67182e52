//! One service that is known: which addresses are its own, and how its requests are read.
//!
//! A service is a constant in its own file and a line in the list of [`super`]. Its reader is given
//! the request after everything that is the same for all services was done ([`Asked`]), and says
//! which operation it is, with which arguments, about which places.
//!
//! Must not know: other services.

use serde_json::{Map, Value};

use super::address::Address;
use super::body::{Body, Speaks};
use super::headers::Headers;
use super::operation::Understood;
use super::refusal::Refusal;
use super::table::{Found, Table};

/// A service that is known.
pub(super) struct Service {
    /// The first half of its tools' names.
    pub(super) name: &'static str,
    /// What it takes its bodies for.
    pub(super) speaks: Speaks,
    /// Query and form fields that are credentials: taken out and never recorded.
    pub(super) secrets: &'static [&'static str],
    /// Query fields that may be given several times.
    pub(super) lists: &'static [&'static str],
    /// Whether a request to this address is for this service.
    pub(super) owns: fn(&Address, &[String]) -> bool,
    /// Which operation it is; none where the service is known and the operation is not.
    pub(super) read: fn(&Asked<'_>) -> Result<Option<Understood>, Refusal>,
    /// Which segment of the path is a credential.
    pub(super) secret_segment: fn(&Address) -> Option<usize>,
}

/// What a service's reader is given.
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    pub(super) address: &'r Address,
    pub(super) headers: &'r Headers,
    pub(super) body: &'r Body,
    pub(super) lists: &'static [&'static str],
    pub(super) own_domains: &'r [String],
}

impl Asked<'_> {
    /// The operation of a table that this request is.
    pub(super) fn find<'t>(&self, table: &'t Table) -> Result<Option<Found<'t>>, Refusal> {
        table.find(self.method, &self.address.parts())
    }

    /// The parameters: those of the path, the query and the body, each name once.
    ///
    /// # Errors
    /// A [`Refusal`] that names what two of them give differently.
    pub(super) fn parameters(
        &self,
        path: &[(&'static str, String)],
    ) -> Result<Map<String, Value>, Refusal> {
        let mut merged = self.body.fields()?;
        for (name, value) in self.address.query.object(self.lists)? {
            put(&mut merged, &name, value)?;
        }
        for (name, value) in path {
            put(&mut merged, name, Value::from(value.as_str()))?;
        }
        Ok(merged)
    }
}

/// No segment of the path is a credential.
pub(super) fn no_secret(_: &Address) -> Option<usize> {
    None
}

/// Adds a parameter; one that is there already stays, if it says the same.
pub(super) fn put(
    merged: &mut Map<String, Value>,
    name: &str,
    value: Value,
) -> Result<(), Refusal> {
    match merged.get(name) {
        Some(known) if !is_same(known, &value) => Err(Refusal::twice(name)),
        Some(_) => Ok(()),
        None => {
            merged.insert(name.to_owned(), value);
            Ok(())
        }
    }
}

/// Whether two values say the same, a number also as its text: queries know no numbers.
fn is_same(left: &Value, right: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    left == right || text(left).is_some_and(|left| Some(left) == text(right))
}
