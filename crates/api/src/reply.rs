//! What goes back: JSON with its status and headers, pages of a list, and work that is carried to
//! its end even if the caller goes away.

use std::future::Future;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::conditional::Tag;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Items of a page where nobody says.
const PAGE_ITEMS: usize = 50;

/// Items of a page.
// LIMIT: two hundred, so that a page stays far below what a reader holds in memory.
const PAGE_ITEMS_MAX: usize = 200;

/// What a handler answers.
pub(crate) type Answer<T> = Result<Reply<T>, Problem>;

/// A JSON body with its status and headers.
pub(crate) struct Reply<T> {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: T,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub(crate) next: Option<String>,
}

/// How many items a page may have, as asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct PageLimit(Option<usize>);

impl<T> Reply<T> {
    /// 200 with this body.
    pub(crate) const fn ok(body: T) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            body,
        }
    }

    /// 201 with this body.
    pub(crate) const fn created(body: T) -> Self {
        Self {
            status: StatusCode::CREATED,
            headers: Vec::new(),
            body,
        }
    }

    /// 202 with this body: it was asked for, and is not so yet.
    pub(crate) const fn accepted(body: T) -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            headers: Vec::new(),
            body,
        }
    }

    /// The same with the tag of what it shows.
    pub(crate) fn tagged(mut self, tag: &Tag) -> Self {
        self.headers.extend(tag.header());
        self
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.headers.push((HeaderName::from_static(name), value));
        self
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.body) else {
            return Problem::new(Kind::Defect, "the answer could not be written").into_response();
        };
        let mut response = (self.status, body).into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().extend(self.headers);
        response
    }
}

impl<T> Page<T> {
    /// A page of everything there is.
    pub(crate) const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// The page of what was read with one item too many, which tells whether there is more.
    /// `cursor` names the last item of the page.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

impl PageLimit {
    /// The number of items, within its bounds.
    pub(crate) fn get(self) -> Result<usize, Problem> {
        match self.0 {
            None => Ok(PAGE_ITEMS),
            Some(limit @ 1..=PAGE_ITEMS_MAX) => Ok(limit),
            Some(limit) => {
                let detail = format!("{limit} is not between 1 and {PAGE_ITEMS_MAX}");
                Err(Problem::parameter("limit", detail))
            }
        }
    }
}

/// Carries work to its end as a task of its own. A caller who hangs up in the middle must not
/// leave a call admitted and never sent, or a change committed and not taken over.
pub(crate) async fn carried<T, W>(api: &Api, name: &'static str, work: W) -> Result<T, Problem>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let task = async move {
        let _gone = sender.send(work.await);
    };
    api.tasks.spawn(name, Box::pin(task));
    receiver.await.map_err(|_| {
        let detail = "the gate is stopping: look at what became of the request before repeating it";
        Problem::new(Kind::GateUnavailable, detail)
    })
}
