//! A body whose unknown fields are ignored: what AuthZEN asks of every receiver, so that a client of
//! a later version is understood.
//!
//! It stands beside [`Given`], which refuses them, and is read by the same strict parser: duplicate
//! keys, inexact numbers, too much of anything, a wrong content type, an empty body, a missing field
//! and a wrong type are a 400 here too. Which fields a type knows, and that it ignores the rest, the
//! type says itself; [`Tolerates`] marks those that do.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::body::Given;
use crate::problem::Problem;
use crate::state::Api;

/// A type that ignores fields which it does not know.
pub(crate) trait Tolerates: DeserializeOwned {}

/// A body that must be there, and may say more than is known.
pub(crate) struct Tolerant<T>(pub(crate) T);

impl<T: Tolerates> FromRequest<Api> for Tolerant<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let Given(body) = Given::<T>::from_request(request, api).await?;
        Ok(Self(body))
    }
}
