//! `openapi = { … }` of a `[[source]]`: an HTTP API with a description.
//!
//! ```toml
//! openapi = { file = "specs/stripe.json", base_url = "http://127.0.0.1:8420", auth = { bearer = "file:/run/secrets/stripe" } }
//! ```
//! Must not know: what the description says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toolgate_model::Glob;
use toolgate_tools::{ApiAuth, OpenApiConfig, Secret};

use super::reader::{Problem, Section};
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
    /// The gate's own credential, where one stands fast.
    pub(crate) auth: Option<DeclaredAuth>,
    /// How it gets one, where none stands fast.
    pub(crate) grant: Option<DeclaredGrant>,
    /// Credentials for single security schemes of the description.
    pub(crate) schemes: BTreeMap<String, DeclaredAuth>,
    /// Further headers.
    pub(crate) headers: BTreeMap<String, SecretPlace>,
    /// Whether it may be in a private network.
    pub(crate) private_addresses: bool,
    /// Which of its operations are tools; all of them if not said.
    pub(crate) include: Vec<Glob>,
    /// Which are not, whatever `include` says.
    pub(crate) exclude: Vec<Glob>,
}

/// One credential of the gate's own.
#[derive(Clone, Debug)]
pub(crate) enum DeclaredAuth {
    /// A bearer token.
    Bearer(SecretPlace),
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretPlace,
    },
    /// A header of the API's own.
    Header(Named),
    /// A parameter of the query.
    Query(Named),
}

/// A place in a request and what goes there.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
    /// The secret.
    pub(crate) value: SecretPlace,
}

/// The credentials that stand fast, by their key.
const AUTHS: [&str; 4] = ["bearer", "basic", "header", "query"];
/// Those that are granted.
const GRANTS: [&str; 2] = ["client_credentials", "token_exchange"];

impl DeclaredAuth {
    pub(super) fn started_with(
        &self,
        fetch: &impl Fn(&SecretPlace) -> Result<Secret, String>,
    ) -> Result<ApiAuth, String> {
        Ok(match self {
            Self::Bearer(place) => ApiAuth::Bearer(fetch(place)?),
            Self::Basic { user, password } => ApiAuth::Basic {
                user: user.clone(),
                password: fetch(password)?,
            },
            Self::Header(named) => ApiAuth::Header {
                name: named.name.clone(),
                value: fetch(&named.value)?,
            },
            Self::Query(named) => ApiAuth::Query {
                name: named.name.clone(),
                value: fetch(&named.value)?,
            },
        })
    }
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
        let started = |auth: &DeclaredAuth| auth.started_with(&fetch);
        let named = |(name, auth): (&String, &DeclaredAuth)| Ok((name.clone(), started(auth)?));
        Ok(OpenApiConfig {
            file: self.file.clone(),
            base_url: self.base_url.clone(),
            auth: self.auth.iter().map(started).collect::<Result<_, _>>()?,
            schemes: self
                .schemes
                .iter()
                .map(named)
                .collect::<Result<_, String>>()?,
            headers: fetched(&self.headers, &fetch)?,
            private_addresses: self.private_addresses,
            include: self.include.clone(),
            exclude: self.exclude.clone(),
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
        let include: Option<Vec<Glob>> = self.reader.optional(&mut table, "include");
        let exclude: Option<Vec<Glob>> = self.reader.optional(&mut table, "exclude");
        let headers = self.places(&mut table, "headers");
        let mut auth = self.reader.table(&mut table, "auth");
        let schemes = self.schemes(&mut auth);
        let (own, grant) = self.credential(&mut auth);
        self.reader.finish(auth);
        self.reader.finish(table);
        Some(Transport::OpenApi(Box::new(DeclaredApi {
            file: self.base.join(file?),
            base_url,
            auth: own,
            grant,
            schemes,
            headers,
            private_addresses: private_addresses.unwrap_or_default(),
            include: include.unwrap_or_default(),
            exclude: exclude.unwrap_or_default(),
        })))
    }

    /// The one credential that this table states: one that stands fast, or how one is got.
    pub(super) fn credential(
        &mut self,
        auth: &mut Section,
    ) -> (Option<DeclaredAuth>, Option<DeclaredGrant>) {
        self.only_one(auth);
        let grant = self.auth_grant(auth);
        (self.auth(auth), grant)
    }

    fn auth(&mut self, auth: &mut Section) -> Option<DeclaredAuth> {
        let place = format!("{}bearer", auth.path);
        let bearer = auth
            .take("bearer")
            .and_then(|node| self.place(&place, "bearer token", &node));
        let basic = self.basic(auth);
        let header = self.named(auth, "header").map(DeclaredAuth::Header);
        let query = self.named(auth, "query").map(DeclaredAuth::Query);
        let bearer = bearer.map(DeclaredAuth::Bearer);
        bearer.or(basic).or(header).or(query)
    }

    fn basic(&mut self, auth: &mut Section) -> Option<DeclaredAuth> {
        if !auth.has("basic") {
            return None;
        }
        let mut table = self.reader.table(auth, "basic");
        let user: Option<String> = self.reader.required(&mut table, "user");
        let password = self.secret(&mut table, "password");
        self.reader.finish(table);
        Some(DeclaredAuth::Basic {
            user: user?,
            password: password?,
        })
    }

    fn named(&mut self, auth: &mut Section, key: &'static str) -> Option<Named> {
        if !auth.has(key) {
            return None;
        }
        let mut table = self.reader.table(auth, key);
        let name: Option<String> = self.reader.required(&mut table, "name");
        let value = self.secret(&mut table, "value");
        self.reader.finish(table);
        Some(Named {
            name: name?,
            value: value?,
        })
    }

    /// A secret that has to be there.
    fn secret(&mut self, table: &mut Section, key: &'static str) -> Option<SecretPlace> {
        let path = format!("{}{key}", table.path);
        match table.take(key) {
            Some(node) => self.place(&path, "secret", &node),
            None => {
                let place = (path.as_str(), &table.origin.clone());
                let help = Some(super::secret::FORM.to_owned());
                let message = format!("`{path}` is missing");
                self.reader.complain(Problem::Missing, place, message, help);
                None
            }
        }
    }

    /// Credentials by the schemes of the description.
    fn schemes(&mut self, auth: &mut Section) -> BTreeMap<String, DeclaredAuth> {
        let mut table = self.reader.table(auth, "schemes");
        let mut schemes = BTreeMap::new();
        for entry in table.take_rest() {
            let path = format!("{}{}", table.path, entry.key);
            let mut scheme = self.reader.as_table(&path, entry.node);
            self.only_one(&scheme);
            if let Some(auth) = self.auth(&mut scheme) {
                schemes.insert(entry.key, auth);
            }
            self.reader.finish(scheme);
        }
        schemes
    }

    /// One credential is meant, and which must not be a matter of luck.
    fn only_one(&mut self, auth: &Section) {
        let written = |key: &&&str| auth.has(key);
        let fast = AUTHS.iter().filter(written).count();
        let granted = GRANTS.iter().filter(written).count();
        // A bearer token beside a grant is told of where grants are read.
        if fast > 1 || (granted > 0 && fast > usize::from(auth.has("bearer"))) {
            let path = auth.path.trim_end_matches('.');
            let message = format!("`{path}` has several credentials");
            let help = "leave one, and write those of single security schemes into `auth.schemes`";
            let place = (auth.path.as_str(), &auth.origin.clone());
            self.reader.complain(
                Problem::Contradiction,
                place,
                message,
                Some(help.to_owned()),
            );
        }
    }
}
