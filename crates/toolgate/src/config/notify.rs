//! `[[notify]]`: who is told of approvals and of calls that need a person.
//!
//! ```toml
//! [[notify]]
//! name = "pager"
//! url = "https://hooks.acme.com/toolgate"
//! secret = "env:PAGER_SECRET"
//! events = ["approval.*", "invocation.needs_operator"]
//! ```
//!
//! Must not know: how anything is sent, what the secret is.

use std::collections::BTreeMap;

use serde_json::json;
use toolgate_model::{Glob, TenantId};
use toolgate_notify::{Address, ENDPOINTS_MAX, EVENTS_DEFAULT, EndpointSpec, SigningSecrets};

use super::Reading;
use super::reader::{Problem, Section};
use super::secret::SecretPlace;
use super::tree::{Origin, Value};

/// Bytes of an endpoint's name, which stands in every line of the delivery log.
const NAME_BYTES_MAX: usize = 64;

/// One endpoint of the configuration file.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredEndpoint {
    /// Its name.
    pub(crate) name: String,
    address: Address,
    secret: SecretPlace,
    events: Vec<Glob>,
    tenant: TenantId,
}

impl DeclaredEndpoint {
    /// The endpoint as it is told, with its secret.
    ///
    /// # Errors
    /// A sentence about the secret, never the secret.
    pub(crate) fn opened_with(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<EndpointSpec, String> {
        let secret = self.secret.text(variables)?;
        let secrets = SigningSecrets::parse(&secret).map_err(|error| error.to_string())?;
        Ok(EndpointSpec {
            name: self.name.clone(),
            address: self.address.clone(),
            secrets,
            events: self.events.clone(),
            tenant: self.tenant.clone(),
        })
    }
}

impl Reading<'_, '_> {
    /// All endpoints.
    pub(super) fn endpoints(&mut self, root: &mut Section) -> Vec<DeclaredEndpoint> {
        let mut endpoints: Vec<DeclaredEndpoint> = Vec::new();
        for section in self.reader.tables(root, "notify") {
            let (path, origin) = (section.path.clone(), section.origin.clone());
            let Some(endpoint) = self.endpoint(section) else {
                continue;
            };
            let name = &endpoint.name;
            if endpoints.iter().any(|other| other.name == *name) {
                let message = format!("there are two endpoints `{name}`");
                let help = "the name is what deliveries are kept under: choose another";
                self.contradiction((&path, &origin), message, help);
            }
            if endpoints.len() == ENDPOINTS_MAX {
                let message = format!("there are more than {ENDPOINTS_MAX} endpoints");
                let help = "let one receiver pass messages on to several others";
                self.contradiction((&path, &origin), message, help);
            }
            endpoints.push(endpoint);
        }
        endpoints
    }

    fn endpoint(&mut self, mut section: Section) -> Option<DeclaredEndpoint> {
        let name = self.endpoint_name(&mut section);
        let address = self.address(&mut section);
        let secret = self.signing_secret(&mut section);
        let all = EVENTS_DEFAULT.into_iter().map(Glob::new).collect();
        let events = self.reader.value(&mut section, "events", all);
        let tenant: Option<TenantId> = self.reader.optional(&mut section, "tenant");
        self.reader.finish(section);
        Some(DeclaredEndpoint {
            name: name?,
            address: address?,
            secret: secret?,
            events,
            tenant: tenant.unwrap_or_default(),
        })
    }

    fn endpoint_name(&mut self, section: &mut Section) -> Option<String> {
        let (path, origin) = (format!("{}name", section.path), section.origin.clone());
        let name: String = self.reader.required(section, "name")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) {
            return Some(name);
        }
        let message = format!("`{path}` is no name of an endpoint");
        let help = format!("write 1 to {NAME_BYTES_MAX} letters, digits and `_ - .`");
        self.contradiction((&path, &origin), message, &help);
        None
    }

    /// The address; what is shown of it is not the path, which may be a secret.
    fn address(&mut self, section: &mut Section) -> Option<Address> {
        if !section.has("url") {
            let _missing: Option<String> = self.reader.required(section, "url");
            return None;
        }
        let path = format!("{}url", section.path);
        let node = section.take("url")?;
        let Value::Text(text) = &node.value else {
            self.reader.misfit(&path, &node, "an https URL");
            return None;
        };
        match Address::parse(text) {
            Ok(address) => {
                self.reader.note(path, json!(address.shown()), node.origin);
                Some(address)
            }
            Err(error) => {
                let message = format!("`{path}` cannot be told anything: {error}");
                let place = (path.as_str(), &node.origin);
                self.reader.complain(Problem::Value, place, message, None);
                None
            }
        }
    }

    fn signing_secret(&mut self, section: &mut Section) -> Option<SecretPlace> {
        if !section.has("secret") {
            let _missing: Option<String> = self.reader.required(section, "secret");
            return None;
        }
        let path = format!("{}secret", section.path);
        let node = section.take("secret")?;
        self.place(&path, "secret", &node)
    }

    pub(super) fn contradiction(&mut self, place: (&str, &Origin), message: String, help: &str) {
        let help = Some(help.to_owned());
        self.reader
            .complain(Problem::Contradiction, place, message, help);
    }
}
