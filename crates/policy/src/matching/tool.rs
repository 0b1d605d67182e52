//! `tools`, `tool_name` and `tool_names`: which tool, or whose.
//!
//! `{"tool_name": "slack"}` fits every operation of the source `slack`; `{"tools": ["stripe.*"]}`
//! likewise by full names. `stripe` alone is no tool's full name and is refused.

use serde_json::json;
use toolgate_model::{Glob, ToolId};

use crate::checker::Checker;
use crate::diagnostics::BAD_PATTERN;
use crate::facts::attribute;
use crate::patterns::Patterns;
use crate::reading::{Item, Placed};
use crate::source::{Complaint, Report, shown};
use crate::term::Term;
use crate::test::{Key, Test};

pub(super) const TOOL_NAME: Key = Key {
    name: "tool_name",
    doc: "the source, as in `slack`: a name, a glob, or a list of them",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| {
        let globs = checker.report.globs(item)?;
        over("tool_name", globs)
    },
};

pub(super) const TOOL_NAMES: Key = Key {
    name: "tool_names",
    doc: "the same as `tool_name`",
    ..TOOL_NAME
};

pub(super) const TOOLS: Key = Key {
    name: "tools",
    doc: "full names, as in `slack.post_message` or `slack.*`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: read_tools,
};

fn read_tools(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Box<dyn Test>> {
    let globs = tool_globs(checker.report, item)?;
    over("tool", globs)
}

/// Globs over full names of tools. One without a wildcard has to be such a name.
pub(crate) fn tool_globs(report: &mut Report<'_>, item: &Item<'_>) -> Option<Vec<Placed<Glob>>> {
    let globs = report.globs(item)?;
    let mut fine = true;
    for glob in &globs {
        let name = glob.value.as_str();
        if glob.value.is_exact() && name.parse::<ToolId>().is_err() {
            fine = false;
            let message = format!("`{}` is not a tool's full name", shown(name));
            let help = format!("write `{}.*` for every tool of that source", shown(name));
            let complaint = Complaint::new(BAD_PATTERN, message).at(&glob.at, &glob.path);
            report.push(complaint.help(help));
        }
    }
    fine.then_some(globs)
}

pub(super) fn over(name: &str, globs: Vec<Placed<Glob>>) -> Option<Box<dyn Test>> {
    let term = Term::Attribute(attribute(name)?);
    let globs = globs.into_iter().map(|glob| glob.value).collect();
    Some(Box::new(Patterns { term, globs }))
}
