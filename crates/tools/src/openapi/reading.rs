//! A description as tools, in one step and without an API: for tests, benchmarks and people who want
//! to see what a description would give.
//!
//! ```no_run
//! let text = std::fs::read("petstore.yaml").unwrap_or_default();
//! let tools = toolgate_tools::ApiTools::read("petstore", &text, &Default::default());
//! ```
//! Must not know: how an API is reached.

use std::sync::Arc;

use toolgate_model::{Descriptor, Effect};

use super::describe::{self, Bases};
use super::document::{Bounds, Document};
use crate::config::{Overrides, SourceLimits, WireNames};
use crate::describe::{Origin, UnavailableTool};
use crate::era::Era;

/// The tools that a description is.
pub struct ApiTools {
    /// How many operations it has.
    pub operations: usize,
    /// Those that can be called.
    pub tools: Vec<Arc<Descriptor>>,
    /// Those that cannot, and why.
    pub unavailable: Vec<UnavailableTool>,
    /// What their ratings rest on.
    pub bases: Bases,
}

/// LIMIT: tools of one description (the largest measured has 1,223).
const TOOLS_MAX: usize = 5_000;

impl ApiTools {
    /// Reads a description, OpenAPI 3 or Swagger 2.0, JSON or YAML, as tools of `source`.
    ///
    /// # Errors
    /// Why the text is no description, and where.
    pub fn read(source: &str, text: &[u8], overrides: &Overrides) -> Result<Self, String> {
        let document = Document::read(text, Bounds::default())?;
        let operations = document.operations();
        let origin = Origin {
            source,
            wire_names: WireNames::Prefixed,
            limits: SourceLimits {
                tools_max: TOOLS_MAX,
                ..SourceLimits::default()
            },
            version: None,
            era: Era::Modern,
            headers: None,
            effect: Effect::Some,
        };
        let described = describe::describe(origin, document, overrides);
        let tools = described.offered.into_iter().map(|tool| tool.descriptor);
        Ok(Self {
            operations,
            tools: tools.collect(),
            unavailable: described.unavailable,
            bases: described.bases,
        })
    }
}
