//! HTTP APIs by their descriptions: every operation is a tool.
//!
//! ```text
//! reading (pure): text → document → operations → tools, schemas, ratings
//! calling:        judged arguments → request → answer, by `source.rs`
//! ```
//! The description is somebody else's text: it names tools, and proves nothing about them.
//!
//! Must not know: other sources, who may call what.

mod source;

pub use source::{ApiAuth, OpenApiConfig};
pub(crate) use source::OpenApiSource;
