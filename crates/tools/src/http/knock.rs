//! At the door of a server: the credential of this moment, and a fresh one where that is taken no
//! more.
//!
//! ```text
//! POST with a token that was taken back → 401 → another token → POST
//! ```
//! Whoever answers 401 did not look at what was sent, so it is not the same thing sent twice; with
//! a credential that stands fast there is no second knock.
//!
//! Must not know: what is sent, how credentials are granted.

use reqwest::{RequestBuilder, Response, StatusCode};
use toolgate_gate::trust::Authorization;

use super::{Shared, words};

/// Why nothing was heard.
pub(super) enum Unasked {
    /// There is no credential to ask with.
    NoCredential(String),
    /// The request failed.
    Failed(reqwest::Error),
}

impl Unasked {
    /// For the log.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::NoCredential(why) => why.clone(),
            Self::Failed(error) => words(error),
        }
    }
}

impl Shared {
    /// The credential of this moment, where one is granted.
    pub(super) async fn authorization(&self) -> Result<Option<Authorization>, String> {
        match &self.grants {
            None => Ok(None),
            Some(grants) => grants.authorization(self.behalf.as_ref()).await.map(Some),
        }
    }

    /// Sends what is prepared, with a credential.
    pub(super) async fn knock(
        &self,
        prepare: impl Fn(Option<&Authorization>) -> RequestBuilder,
    ) -> Result<Response, Unasked> {
        let authorization = self.authorization().await;
        let authorization = authorization.map_err(Unasked::NoCredential)?;
        let sent = self.knock_with(prepare, authorization).await;
        sent.map_err(Unasked::Failed)
    }

    /// Sends what is prepared with this credential, and once more with a fresh one where it is
    /// refused.
    pub(super) async fn knock_with(
        &self,
        prepare: impl Fn(Option<&Authorization>) -> RequestBuilder,
        authorization: Option<Authorization>,
    ) -> Result<Response, reqwest::Error> {
        let response = prepare(authorization.as_ref()).send().await?;
        let (Some(grants), Some(used)) = (&self.grants, authorization) else {
            return Ok(response);
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        grants.refused(&used);
        match self.authorization().await {
            Ok(Some(fresh)) if fresh != used => prepare(Some(&fresh)).send().await,
            _ => Ok(response),
        }
    }
}
