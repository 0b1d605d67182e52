//! One operation of an API, as a request of it is made: method, path, where each argument goes.
//!
//! `PATCH /customers/{id}?expand=…` with a JSON body is an [`Operation`] with two parameters and a
//! body; `Argument` says where among the arguments of a call each of them is found.
//!
//! Its digest stands in the tool's definition, so that a description that sends the same arguments
//! elsewhere is a changed tool. Must not know: how it is rated, sent or shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Operation {
    /// `GET`, `POST`, …
    pub(crate) method: String,
    /// The template, `/customers/{id}/orders`: no dot segments, no query, no empty segment but the
    /// last.
    pub(crate) path: String,
    /// What an argument can set.
    pub(crate) parameters: Vec<Parameter>,
    /// What its body is made of.
    pub(crate) body: Option<RequestBody>,
    /// Alternatives of security schemes, by name; of each alternative all. Empty: none is asked for.
    pub(crate) security: Vec<Vec<String>>,
    /// The header in which it takes an idempotency key, where it declares one.
    pub(crate) idempotency_header: Option<String>,
    /// A server of its own, in the description's words.
    pub(crate) server: Option<String>,
    /// Media types of what it answers when all is well.
    pub(crate) answers: Vec<String>,
}

/// Where a parameter stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// Between the slashes of the path.
    Path,
    /// After the `?`.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
}

/// How a list or an object is written in one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Style {
    /// `a,b`
    Simple,
    /// `.a.b`
    Label,
    /// `;x=a;x=b`
    Matrix,
    /// `x=a&x=b`
    Form,
    /// `x=a%20b`
    SpaceDelimited,
    /// `x=a|b`
    PipeDelimited,
    /// `x[k]=v`
    DeepObject,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Parameter {
    /// Its name on the wire.
    pub(crate) name: String,
    /// Where it goes.
    pub(crate) place: Place,
    /// Whether a request needs it.
    pub(crate) required: bool,
    /// How it is written.
    pub(crate) style: Style,
    /// Whether each element is written by itself.
    pub(crate) explode: bool,
    /// Whether reserved characters stay as they are.
    pub(crate) allow_reserved: bool,
    /// The media type that it is written in, instead of a style.
    pub(crate) content: Option<String>,
    /// Where its value is.
    pub(crate) argument: Argument,
}

/// Where a value is found among the arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Argument {
    /// The object it is in, where two values have the same name.
    pub(crate) group: Option<Group>,
    /// Its name there.
    pub(crate) name: String,
}

/// An object of arguments that would collide with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// Parameters of the path.
    Path,
    /// Of the query.
    Query,
    /// Of the header.
    Header,
    /// Of the cookies.
    Cookie,
    /// Members of the body.
    Body,
}

/// What a body is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RequestBody {
    /// Whether a request needs one.
    pub(crate) required: bool,
    /// What it is sent as.
    pub(crate) media: Media,
    /// Which arguments make it.
    pub(crate) shape: BodyShape,
}

/// What a body is sent as.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Media {
    /// `application/json`
    pub(crate) name: String,
    /// How it is written.
    pub(crate) kind: MediaKind,
    /// How single members are, where the description says more of them.
    pub(crate) encoding: BTreeMap<String, Encoding>,
}

/// How a body is written, in the order in which one is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MediaKind {
    /// As JSON.
    Json,
    /// As a form's fields.
    Form,
    /// As parts.
    Multipart,
    /// As it is, a text.
    Text,
    /// As it is, bytes that travel in base64.
    Binary,
}

/// How one member of a form is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Encoding {
    /// The media type of the part.
    pub(crate) content_type: Option<String>,
    /// As for parameters.
    pub(crate) style: Option<Style>,
    /// As for parameters.
    pub(crate) explode: Option<bool>,
    /// As for parameters.
    pub(crate) allow_reserved: bool,
}

/// Which arguments make a body.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyShape {
    /// One argument is the whole. Where it is sent as bytes, it is a file: `{"base64": "…"}` with
    /// a `type`, if one is given.
    Whole(Argument),
    /// Each member is one.
    Members(Vec<Member>),
}

/// A member of a body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Member {
    /// Its name in the body.
    pub(crate) name: String,
    /// Where its value is.
    pub(crate) argument: Argument,
    /// Whether it is a file, `{"base64": "…", "name": "…", "type": "…"}`, or a list of such.
    pub(crate) blob: bool,
}

/// What a security scheme asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `Authorization: Bearer …`, a token of OAuth among them.
    Bearer,
    /// `Authorization: Basic …`
    Basic,
    /// A key in a header, a query or a cookie.
    ApiKey {
        /// Where.
        place: Place,
        /// Under which name.
        name: String,
    },
    /// Something else.
    Other,
}

impl Operation {
    /// `GET /customers/{id}`: how people know it.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Argument {
    /// The value among these arguments.
    pub(crate) fn of<'v>(&self, arguments: &'v Value) -> Option<&'v Value> {
        let among = match self.group {
            Some(group) => arguments.get(group.as_str())?,
            None => arguments,
        };
        among.get(&self.name)
    }

    /// Its path, as rules and templates write it after `args.`; none where such a path cannot say it.
    pub(crate) fn path(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let group = self.group.map(|group| format!("{}.", group.as_str()));
        (!self.name.is_empty() && self.name.chars().all(plain))
            .then(|| format!("{}{}", group.unwrap_or_default(), self.name))
    }
}

impl Group {
    /// The name of the object.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Body => "body",
        }
    }
}

impl From<Place> for Group {
    fn from(place: Place) -> Self {
        match place {
            Place::Path => Self::Path,
            Place::Query => Self::Query,
            Place::Header => Self::Header,
            Place::Cookie => Self::Cookie,
        }
    }
}

impl Place {
    /// The place that a description writes so.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "path" => Self::Path,
            "query" => Self::Query,
            "header" => Self::Header,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }
}

impl Style {
    /// The style that a description writes so.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "simple" => Self::Simple,
            "label" => Self::Label,
            "matrix" => Self::Matrix,
            "form" => Self::Form,
            "spaceDelimited" => Self::SpaceDelimited,
            "pipeDelimited" => Self::PipeDelimited,
            "deepObject" => Self::DeepObject,
            _ => return None,
        })
    }
}
