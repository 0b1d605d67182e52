//! Names of arguments, looked up in the tools that a rule can be about.
//!
//! `amout > 500` beside tools that have `amount` is an error with the nearest name. A tool that is
//! not in the catalogue yet, or whose schema leaves room for anything, could have it.
//!
//! Must not know: how rules are decided.

use std::collections::BTreeSet;
use std::ops::Range;

use toolgate_model::{Catalogue, Descriptor, Glob, ToolId};

use crate::checker::{Root, Use};
use crate::diagnostics::{NO_ENTITY, TOOL_NOT_IN_CATALOGUE, UNCHECKED_ARGUMENTS, UNKNOWN_ARGUMENT};
use crate::reading::Placed;
use crate::schema::{Admission, Shape};
use crate::scope::Scope;
use crate::source::{Complaint, Report, shown};

/// What the tools of one rule are looked up in.
pub(crate) struct Reach<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// What the document opens; where it opens something, its rules are meant for that.
    pub(crate) allowed_tools: &'a [Placed<Glob>],
}

impl Reach<'_> {
    /// Warns of tools that are opened by name and not known.
    pub(crate) fn check_grant(&self, report: &mut Report<'_>) {
        for glob in self.allowed_tools {
            if glob.value.is_exact() && !self.knows(glob.value.as_str()) {
                warn_unknown(glob.value.as_str(), &glob.at, &glob.path, report);
            }
        }
    }

    /// Checks the arguments and fields that a rule reads.
    pub(crate) fn check_rule(
        &self,
        scope: &Scope,
        uses: &[Use],
        rule: (&Range<usize>, &str),
        report: &mut Report<'_>,
    ) {
        let missing: Vec<&str> = scope
            .exact_names()
            .into_iter()
            .filter(|name| !self.knows(name))
            .collect();
        for name in &missing {
            warn_unknown(name, rule.0, rule.1, report);
        }
        // A tool that nobody knows yet could have any argument.
        if uses.is_empty() || !missing.is_empty() || self.opens_unknown(scope) {
            return;
        }
        let tools = self.tools(scope);
        if tools.is_empty() {
            let message =
                "no known tool is within reach of this rule, so its arguments were not checked";
            report.push(Complaint::new(UNCHECKED_ARGUMENTS, message).at(rule.0, rule.1));
            return;
        }
        let sums = uses.iter().any(|used| used.root == Root::Summed);
        let known = self.catalogue.iter().filter(|_| sums);
        let all: Vec<&Descriptor> = known.map(AsRef::as_ref).collect();
        // A rule that asks whether there is such an argument is written for tools that have none, too.
        let asked: BTreeSet<&str> = uses
            .iter()
            .filter(|used| used.asks && used.root == Root::Argument)
            .map(|used| used.path.text.as_str())
            .collect();
        let held =
            |used: &&Use| used.root == Root::Entity || !asked.contains(used.path.text.as_str());
        for used in uses.iter().filter(held) {
            if report.is_full() {
                return;
            }
            let tools: &[&Descriptor] = match used.root {
                Root::Summed => &all,
                Root::Argument | Root::Entity => &tools,
            };
            if !tools.iter().any(|tool| could_have(tool, used)) {
                report.push(match used.root {
                    Root::Argument | Root::Summed => unknown_argument(used, tools),
                    Root::Entity => no_entity(used),
                });
            }
        }
    }

    /// The known tools that the rule can be about. What the document opens narrows them, unless
    /// the rule is about others.
    fn tools(&self, scope: &Scope) -> Vec<&Descriptor> {
        let known = || self.catalogue.iter().map(AsRef::as_ref);
        let in_scope = |tool: &&Descriptor| scope.fits(tool.names());
        let opened = |tool: &&Descriptor| {
            let mut globs = self.allowed_tools.iter();
            globs.any(|glob| {
                tool.names()
                    .iter()
                    .any(|name| glob.value.matches(name.as_str()))
            })
        };
        let both: Vec<&Descriptor> = known().filter(in_scope).filter(opened).collect();
        match both.is_empty() {
            true => known().filter(in_scope).collect(),
            false => both,
        }
    }

    /// Whether the document opens a tool by name that is not known and that the rule can be about.
    fn opens_unknown(&self, scope: &Scope) -> bool {
        self.allowed_tools.iter().any(|glob| {
            let name = glob.value.as_str();
            let fits = name.parse().is_ok_and(|tool: ToolId| scope.fits(&tool));
            glob.value.is_exact() && fits && !self.knows(name)
        })
    }

    fn knows(&self, name: &str) -> bool {
        let routed = |tool: &ToolId| {
            let mut routes = self
                .catalogue
                .iter()
                .filter_map(|known| known.route.as_ref());
            routes.any(|route| route == tool)
        };
        name.parse()
            .is_ok_and(|tool| self.catalogue.get(&tool).is_some() || routed(&tool))
    }
}

/// Whether a call of the tool could have the argument, or its descriptor maps the name; or, for a
/// field of the entity, whether its descriptor says how that is looked up.
fn could_have(tool: &Descriptor, used: &Use) -> bool {
    let argument = &used.path;
    if used.root == Root::Entity {
        return tool.checks.entity.is_some();
    }
    if tool.attributes.contains_key(&argument.text) {
        return true;
    }
    let mut shape = Shape::of(Some(&tool.input_schema));
    argument.steps.iter().all(|step| {
        let (admission, inner) = shape.step(step);
        shape = inner;
        admission != Admission::Undeclared
    })
}

fn unknown_argument(used: &Use, tools: &[&Descriptor]) -> Complaint {
    let name = &used.path.text;
    let whose = match tools {
        [tool] => format!("`{}` has no argument `{}`", tool.id, shown(name)),
        _ => format!(
            "none of {} tools within reach has an argument `{}`",
            tools.len(),
            shown(name)
        ),
    };
    let mut names: Vec<&str> = tools
        .iter()
        .flat_map(|tool| {
            let declared = Shape::of(Some(&tool.input_schema)).names();
            declared.chain(tool.attributes.keys().map(String::as_str))
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let complaint = Complaint::new(UNKNOWN_ARGUMENT, whose).at(&used.at, &used.pointer);
    match toolgate_model::nearest(name, names.iter().copied()) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        // LIMIT: a longer list would hide the message.
        None if (1..=12).contains(&names.len()) => {
            complaint.help(format!("one of {}", names.join(", ")))
        }
        None => complaint.help("`toolgate tool ls` shows the arguments of every tool"),
    }
}

fn no_entity(used: &Use) -> Complaint {
    let name = shown(&used.path.text);
    let message = format!("`entity.{name}` is of no tool that the rule can be about");
    Complaint::new(NO_ENTITY, message)
        .at(&used.at, &used.pointer)
        .help("say in the tool's descriptor how its entity is looked up, in `entity`")
}

fn warn_unknown(name: &str, at: &Range<usize>, path: &str, report: &mut Report<'_>) {
    let message = format!("the tool `{}` is not in the catalogue", shown(name));
    report.push(Complaint::new(TOOL_NOT_IN_CATALOGUE, message).at(at, path));
}
