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

pub use auth::ApiAuth;
pub use describe::Bases;
pub use reading::ApiTools;
pub use source::OpenApiConfig;
pub(crate) use source::OpenApiSource;
