//! `http = { … }` of a `[[source]]`: a service to which the gate sends raw requests itself.
//!
//! ```toml
//! http = { base_url = "https://api.github.com", auth = { bearer = "env:GITHUB_TOKEN" } }
//! ```
//! Must not know: what is asked of it.

use std::collections::BTreeMap;

use toolgate_tools::{RawConfig, Secret};

use super::secret::SecretPlace;
use super::source::{Transport, fetched};
use super::source_openapi::DeclaredAuth;
use super::tree::Node;
use super::{DeclaredGrant, Reading};

/// A service, with its secrets named and not known.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredRaw {
    /// Where it is.
    pub(crate) base_url: String,
    /// The gate's own credential, where one stands fast.
    pub(crate) auth: Option<DeclaredAuth>,
    /// How it gets one, where none stands fast.
    pub(crate) grant: Option<DeclaredGrant>,
    /// Further headers.
    pub(crate) headers: BTreeMap<String, SecretPlace>,
    /// Whether it may be in a private network.
    pub(crate) private_addresses: bool,
}

impl DeclaredRaw {
    /// The service as it is started, its secrets got by `fetch`.
    ///
    /// # Errors
    /// A sentence of `fetch` about the first secret that cannot be had.
    pub(super) fn started_with(
        &self,
        fetch: impl Fn(&SecretPlace) -> Result<Secret, String>,
    ) -> Result<RawConfig, String> {
        let auth = self.auth.iter().map(|auth| auth.started_with(&fetch));
        Ok(RawConfig {
            base_url: self.base_url.clone(),
            auth: auth.collect::<Result<_, _>>()?,
            headers: fetched(&self.headers, &fetch)?,
            private_addresses: self.private_addresses,
        })
    }
}

impl Reading<'_, '_> {
    /// The service that this table describes.
    pub(super) fn raw(&mut self, path: &str, node: Node) -> Option<Transport> {
        let mut table = self.reader.as_table(path, node);
        let base_url: Option<String> = self.reader.required(&mut table, "base_url");
        let private_addresses = self.reader.optional(&mut table, "private_addresses");
        let headers = self.places(&mut table, "headers");
        let mut section = self.reader.table(&mut table, "auth");
        let (auth, grant) = self.credential(&mut section);
        self.reader.finish(section);
        self.reader.finish(table);
        Some(Transport::Raw(Box::new(DeclaredRaw {
            base_url: base_url?,
            auth,
            grant,
            headers,
            private_addresses: private_addresses.unwrap_or_default(),
        })))
    }
}
