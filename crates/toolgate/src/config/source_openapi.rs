//! `openapi = { … }` of a `[[source]]`: an HTTP API with a description.
//!
//! ```toml
//! openapi = { file = "specs/stripe.json", base_url = "http://127.0.0.1:8420", auth = { bearer = "file:/run/secrets/stripe" } }
//! ```
//! Must not know: what the description says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toolgate_tools::{ApiAuth, OpenApiConfig, Secret};

use super::secret::SecretPlace;
use super::source::{Transport, fetched};
use super::tree::Node;
use super::{DeclaredGrant, Reading};

/// An API, with its secrets named and not known.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredApi {
    /// The description.
    pub(crate) file: PathBuf,
    /// Where the API is.
    pub(crate) base_url: Option<String>,
    /// The bearer token of the gate's own.
    pub(crate) bearer: Option<SecretPlace>,
    /// How it gets one, where none stands fast.
    pub(crate) grant: Option<DeclaredGrant>,
    /// Further headers.
    pub(crate) headers: BTreeMap<String, SecretPlace>,
    /// Whether it may be in a private network.
    pub(crate) private_addresses: bool,
}

impl DeclaredApi {
    /// The API as it is started, its secrets got by `fetch`.
    ///
    /// # Errors
    /// A sentence of `fetch` about the first secret that cannot be had.
    pub(super) fn started_with(
        &self,
        fetch: impl Fn(&SecretPlace) -> Result<Secret, String>,
    ) -> Result<OpenApiConfig, String> {
        let bearer = self.bearer.as_ref().map(&fetch).transpose()?;
        Ok(OpenApiConfig {
            file: self.file.clone(),
            base_url: self.base_url.clone(),
            auth: bearer.map(ApiAuth::Bearer).into_iter().collect(),
            headers: fetched(&self.headers, fetch)?,
            private_addresses: self.private_addresses,
        })
    }
}

impl Reading<'_, '_> {
    /// The API that this table describes.
    pub(super) fn openapi(&mut self, path: &str, node: Node) -> Option<Transport> {
        let mut table = self.reader.as_table(path, node);
        let file: Option<PathBuf> = self.reader.required(&mut table, "file");
        let base_url = self.reader.optional(&mut table, "base_url");
        let private_addresses = self.reader.optional(&mut table, "private_addresses");
        let headers = self.places(&mut table, "headers");
        let mut auth = self.reader.table(&mut table, "auth");
        let grant = self.auth_grant(&mut auth);
        let place = format!("{}bearer", auth.path);
        let bearer = auth
            .take("bearer")
            .and_then(|node| self.place(&place, "bearer token", &node));
        self.reader.finish(auth);
        self.reader.finish(table);
        Some(Transport::OpenApi(Box::new(DeclaredApi {
            file: self.base.join(file?),
            base_url,
            bearer,
            grant,
            headers,
            private_addresses: private_addresses.unwrap_or_default(),
        })))
    }
}
