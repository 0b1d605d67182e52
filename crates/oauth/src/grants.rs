//! What an operator says about the gate's own tokens for one server.
//!
//! ```toml
//! auth = { client_credentials = { issuer = "https://login.acme.com", client_id = "toolgate", … } }
//! ```
//! INVARIANT: the client's secret goes to an authorization server that the operator named, never
//! to one that the server behind the gate names: a server that could choose would be sent it.
//!
//! Must not know: where secrets are, how tokens are got.

use std::fmt;

use zeroize::Zeroizing;

/// The gate's own tokens for one server.
#[derive(Clone)]
pub struct GrantSpec {
    /// How they are got.
    pub kind: GrantKind,
    /// Where.
    pub place: TokenPlace,
    /// The gate's name there.
    pub client_id: String,
    /// And its secret.
    pub client_secret: Zeroizing<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What the tokens are for: the server's address (RFC 8707).
    pub resource: String,
}

/// How a token is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// For the gate itself (RFC 6749, 4.4).
    ClientCredentials,
    /// For the user behind a call, from the user's own token (RFC 8693); what the gate asks of the
    /// server for itself it asks with client credentials.
    TokenExchange,
}

/// Where tokens are got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// Exactly here.
    TokenUrl(String),
    /// Where the metadata of this authorization server says.
    Issuer(String),
}

impl fmt::Debug for GrantSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantSpec")
            .field("kind", &self.kind)
            .field("place", &self.place)
            .field("client_id", &self.client_id)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
