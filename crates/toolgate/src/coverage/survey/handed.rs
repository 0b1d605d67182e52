//! What an agent is given: its tool arguments, followed to the tools that they stand for.
//!
//! ```text
//! Agent(tools=[guard(search), *more])     search, through the gate; and whatever `more` is bound to
//! ```
//!
//! Must not know: what follows from that for a tool.

use super::{Spot, Survey};
use crate::coverage::expr::{Call, Expr, Place};
use crate::coverage::frameworks::{Role, TOOL_ARGUMENTS};
use crate::coverage::names::Followed;

/// What an agent was given.
#[derive(Debug)]
pub(super) enum Leaf {
    /// A tool that is found where it is made.
    Tool(Spot),
    /// Something else.
    Given {
        spot: Spot,
        name: String,
        doubt: Option<String>,
    },
}

/// Where a look for tools is.
#[derive(Clone, Copy)]
pub(super) struct Walk<'c> {
    pub(super) file: usize,
    /// The agent that is given them.
    pub(super) place: Place,
    pub(super) gated: bool,
    pub(super) key: Option<&'c str>,
}

impl Walk<'_> {
    fn given(&self, place: Place, expr: &Expr, doubt: Option<String>) -> (Leaf, bool) {
        let name = self.key.map_or_else(|| expr.shown(), str::to_owned);
        let leaf = Leaf::Given {
            spot: (self.file, place),
            name,
            doubt,
        };
        (leaf, self.gated)
    }
}

fn unseen(expr: &Expr) -> String {
    format!("which tools `{}` stands for cannot be seen", expr.shown())
}

impl<'s> Survey<'s> {
    /// The tools that an expression stands for, each with whether the gate is around it.
    pub(super) fn leaves(
        &self,
        walk: &Walk<'_>,
        expr: &'s Expr,
        followed: &mut Followed,
        given: &mut Vec<(Leaf, bool)>,
    ) {
        match expr {
            Expr::Name(name) => self.name_leaves(walk, name, followed, given),
            Expr::Call(call) => self.call_leaves(walk, (expr, call), followed, given),
            Expr::List(parts) => {
                for part in parts {
                    self.leaves(walk, part, followed, given);
                }
            }
            Expr::Map(members) => {
                for (key, value) in members {
                    let walk = Walk {
                        key: key.as_deref(),
                        ..*walk
                    };
                    self.leaves(&walk, value, followed, given);
                }
            }
            Expr::Function(place) => given.push(walk.given(*place, expr, None)),
            // Texts name tools that are built into the agent.
            Expr::Text(_) => {}
            Expr::Member(..) => {
                let foreign = self.names.origin(walk.file, expr).is_some();
                given.push(walk.given(walk.place, expr, (!foreign).then(|| unseen(expr))));
            }
            // What the gate is told beside its tools is none.
            Expr::Other(_) if walk.gated => {}
            Expr::Other(_) => given.push(walk.given(walk.place, expr, Some(unseen(expr)))),
        }
    }

    fn name_leaves(
        &self,
        walk: &Walk<'_>,
        name: &str,
        followed: &mut Followed,
        given: &mut Vec<(Leaf, bool)>,
    ) {
        if let Some((file, index)) = self.names.declared(walk.file, name)
            && let Some(spot) = self.spot(file, index)
        {
            let gated = walk.gated;
            let leaf = if self.tools.contains_key(&spot) {
                Leaf::Tool(spot)
            } else {
                let name = name.to_owned();
                Leaf::Given {
                    spot,
                    name,
                    doubt: None,
                }
            };
            given.push((leaf, gated));
            return;
        }
        if followed.contains(&(walk.file, name.to_owned())) {
            return;
        }
        let values = self.names.values(walk.file, name, followed);
        if values.is_empty() {
            let expr = Expr::Name(name.to_owned());
            let foreign = self.names.origin(walk.file, &expr).is_some();
            given.push(walk.given(walk.place, &expr, (!foreign).then(|| unseen(&expr))));
        }
        for (file, value) in values {
            self.leaves(&Walk { file, ..*walk }, value, followed, given);
        }
    }

    fn call_leaves(
        &self,
        walk: &Walk<'_>,
        (expr, call): (&'s Expr, &'s Call),
        followed: &mut Followed,
        given: &mut Vec<(Leaf, bool)>,
    ) {
        let spot = (walk.file, call.place);
        if self.tools.contains_key(&spot) {
            given.push((Leaf::Tool(spot), walk.gated));
            return;
        }
        let origin = self.names.origin(walk.file, &call.callee);
        let walk = Walk {
            gated: walk.gated || origin.as_ref().is_some_and(|origin| origin.is_gate()),
            ..*walk
        };
        let role = origin
            .as_ref()
            .and_then(|origin| origin.known())
            .map(|known| known.role);
        match (&origin, role) {
            (Some(origin), _) if origin.is_gate() => {
                for (_, value) in &call.arguments {
                    self.leaves(&walk, value, followed, given);
                }
            }
            (_, Some(Role::Holds(position) | Role::Runs(position))) => {
                for value in tool_arguments(call, position) {
                    self.leaves(&walk, value, followed, given);
                }
            }
            // A tool of somebody else's package.
            (Some(_), _) => given.push(walk.given(call.place, expr, None)),
            (None, _) => {
                let class = call.callee.last_name();
                let class = class.and_then(|name| self.names.declared(walk.file, name));
                let spot = class.and_then(|(file, index)| self.spot(file, index));
                match spot.filter(|spot| self.tools.contains_key(spot)) {
                    Some(spot) => given.push((Leaf::Tool(spot), walk.gated)),
                    None => given.push(walk.given(call.place, expr, Some(unseen(expr)))),
                }
            }
        }
    }
}

/// The arguments that carry tools.
pub(super) fn tool_arguments(call: &Call, position: Option<usize>) -> Vec<&Expr> {
    let keyword = call.arguments.iter().filter_map(|(key, value)| {
        let carries = key
            .as_deref()
            .is_some_and(|key| TOOL_ARGUMENTS.contains(&key));
        carries.then_some(value)
    });
    let members = options(call)
        .into_iter()
        .filter_map(|(key, value)| TOOL_ARGUMENTS.contains(&key).then_some(value));
    let positional = position.and_then(|position| call.positional().nth(position));
    keyword.chain(members).chain(positional).collect()
}

/// The members of options objects, and of their own `options`.
pub(super) fn options(call: &Call) -> Vec<(&str, &Expr)> {
    let mut all: Vec<_> = call.members().collect();
    if let Some(Expr::Map(inner)) = call.named("options") {
        all.extend(
            inner
                .iter()
                .filter_map(|(key, value)| Some((key.as_deref()?, value))),
        );
    }
    all
}
