//! HTTP APIs by their descriptions: every operation is a tool.
//!
//! ```text
//! reading (pure): text → document → operations → tools, schemas, ratings
//! calling:        judged arguments → request → answer, by `source.rs`
//! ```
//! The description is somebody else's text: it names tools, and proves nothing about them.
//!
//! Must not know: other sources, who may call what.

mod document;
mod entry;
mod path;
mod reference;
mod text;
mod yaml;

mod argument;
mod body;
mod keyword;
mod operation;
mod parameters;
mod pattern;
mod schema;
mod weight;

mod describe;
mod naming;
mod rating;
mod resource;

mod reading;

mod answer;
mod auth;
mod guard;
mod request;
mod request_body;
mod request_style;
mod send;
mod source;

pub(crate) use answer::Asked;
pub use auth::ApiAuth;
pub(crate) use auth::Credentials;
pub use describe::Bases;
pub(crate) use guard::Base;
pub use reading::ApiTools;
pub(crate) use request::Prepared;
pub(crate) use send::{Sender, Sending, unsendable};
pub use source::OpenApiConfig;
pub(crate) use source::OpenApiSource;
