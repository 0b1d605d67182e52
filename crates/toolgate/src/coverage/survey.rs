//! Finds the tools of a code base, and says of each whether the gate stands before it.
//!
//! A tool is covered where it is decorated with the gate, wrapped by it, or given only to agents that
//! have the gate's hook. One agent that gets it bare uncovers it. What cannot be seen is unknown.
//!
//! INVARIANT: nothing is covered unless something of the gate's SDK was seen on its way; held by
//! the cases in `tests.rs`. Must not know: how files are found or shown.

mod handed;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::handed::{Leaf, Walk, options, tool_arguments};
use super::expr::{Call, Declared, Expr, Place};
use super::frameworks::{Known, Role, SUSPECTS};
use super::names::{Followed, Names, Source};
use super::{Finding, State};

/// A place in a file.
type Spot = (usize, Place);

/// Finds all tools of these files.
pub(super) fn survey(sources: &[Source]) -> Vec<Finding> {
    let mut survey = Survey {
        names: Names::of(sources),
        sources,
        tools: BTreeMap::new(),
        given: BTreeMap::new(),
        runners: Vec::new(),
        gated: HashSet::new(),
    };
    for (file, source) in sources.iter().enumerate() {
        survey.declared(file, &source.code.declared);
        let called = called(source);
        for expr in &source.code.loose {
            survey.visit(expr, &Seen::at(file, &called));
        }
    }
    survey.hand_out();
    survey.findings()
}

#[derive(Debug)]
struct Survey<'s> {
    names: Names<'s>,
    sources: &'s [Source],
    tools: BTreeMap<Spot, Found>,
    /// What agents get that is made into a tool nowhere: plain functions, other people's tools.
    given: BTreeMap<(Spot, String), Found>,
    runners: Vec<Runner<'s>>,
    /// Calls whose result the gate wraps as a whole.
    gated: HashSet<Spot>,
}

/// A tool.
#[derive(Debug)]
struct Found {
    name: String,
    framework: &'static str,
    served: bool,
    /// What of the gate is a part of it, so that whoever gets it gets the gate.
    gate: Option<String>,
    /// Why nothing can be said.
    doubt: Option<String>,
    /// The agents that get it, and whether through the gate.
    uses: Vec<(String, bool)>,
    /// The agent or server whose method made it.
    owner: Option<Spot>,
}

/// What is given tools and runs them.
#[derive(Debug)]
struct Runner<'s> {
    file: usize,
    call: &'s Call,
    position: Option<usize>,
    framework: &'static str,
    wrapped: bool,
}

/// Where a visit is.
struct Seen<'c> {
    file: usize,
    /// The gate's call around it.
    gate: Option<String>,
    hint: Option<&'c str>,
    called: &'c HashMap<Place, String>,
}

impl<'c> Seen<'c> {
    const fn at(file: usize, called: &'c HashMap<Place, String>) -> Self {
        Self {
            file,
            gate: None,
            hint: None,
            called,
        }
    }

    fn within(&self, gate: Option<String>, hint: Option<&'c str>) -> Self {
        Self {
            file: self.file,
            gate: gate.or_else(|| self.gate.clone()),
            hint,
            called: self.called,
        }
    }
}

/// The names that calls are bound to.
fn called(source: &Source) -> HashMap<Place, String> {
    let mut called = HashMap::new();
    for (name, values) in &source.code.bindings {
        for value in values {
            if let Expr::Call(call) = value {
                called.insert(call.place, name.clone());
            }
        }
    }
    called
}

impl<'s> Survey<'s> {
    fn declared(&mut self, file: usize, declared: &'s [Declared]) {
        for one in declared {
            let marks: Vec<_> = one.decorators.iter().chain(&one.bases).collect();
            if let Some(found) = self.marked(file, one, &marks) {
                self.tools.insert((file, one.place), found);
            }
        }
    }

    /// What a function or class is by its decorators and bases.
    fn marked(&self, file: usize, one: &Declared, marks: &[&Expr]) -> Option<Found> {
        let mut found = None;
        let mut gate = None;
        let mut suspect = None;
        for mark in marks {
            let target: &Expr = match mark {
                Expr::Call(call) => &call.callee,
                mark => mark,
            };
            let origin = self.names.origin(file, target);
            match origin {
                Some(origin) if origin.is_gate() => gate = Some(format!("`{}`", mark.shown())),
                Some(origin) => match origin.known() {
                    Some(known) if matches!(known.role, Role::Tool | Role::Served) => {
                        found = Some((known, self.names.maker(file, target), *mark));
                    }
                    _ => suspect = suspicious(mark).or(suspect),
                },
                None => suspect = suspicious(mark).or(suspect),
            }
        }
        let name = found
            .and_then(|(_, _, mark)| stated_name(mark))
            .or_else(|| member_text(one, "name"))
            .unwrap_or_else(|| one.name.clone());
        let made = match (found, &gate, &suspect) {
            (Some((known, owner, _)), ..) => Found::of(name, known, owner),
            (None, Some(_), _) => Found::plain(name, "Toolgate"),
            (None, None, Some(_)) => Found::plain(name, "unknown"),
            (None, None, None) => return None,
        };
        let doubt = suspect.filter(|_| gate.is_none() && made.framework == "unknown");
        Some(Found {
            gate,
            doubt,
            ..made
        })
    }

    fn visit(&mut self, expr: &'s Expr, seen: &Seen<'_>) {
        match expr {
            Expr::Call(call) => self.visit_call(expr, call, seen),
            Expr::Map(members) => {
                for (key, value) in members {
                    self.visit(value, &seen.within(None, key.as_deref()));
                }
            }
            _ => {
                for part in expr.parts() {
                    self.visit(part, &seen.within(None, seen.hint));
                }
            }
        }
    }

    fn visit_call(&mut self, expr: &'s Expr, call: &'s Call, seen: &Seen<'_>) {
        let file = seen.file;
        let origin = self.names.origin(file, &call.callee);
        let mut gate = None;
        if let Some(origin) = origin {
            if origin.is_gate() {
                gate = Some(format!("`{}`", expr.shown()));
                self.wrap(file, call);
            } else if let Some(known) = origin.known() {
                self.known_call(call, known, seen);
            }
        }
        self.visit(&call.callee, &seen.within(None, None));
        // What the gate wraps keeps the name of the whole.
        let bound = seen.called.get(&call.place).map(String::as_str);
        let hint = seen.hint.or(bound).filter(|_| gate.is_some());
        for (_, value) in &call.arguments {
            self.visit(value, &seen.within(gate.clone(), hint));
        }
    }

    fn known_call(&mut self, call: &'s Call, known: &'static Known, seen: &Seen<'_>) {
        let spot = (seen.file, call.place);
        match known.role {
            Role::Tool | Role::Served => {
                let name = call_name(call)
                    .or_else(|| seen.called.get(&call.place).cloned())
                    .or_else(|| seen.hint.map(str::to_owned))
                    .or_else(|| given_function(call))
                    .unwrap_or_else(|| "?".to_owned());
                let inside = call.arguments.iter().find(|(_, value)| {
                    !matches!(value, Expr::Text(_)) && self.names.mentions_gate(seen.file, value)
                });
                let inside = inside.map(|(_, value)| format!("`{}`", value.shown()));
                let owner = match &*call.callee {
                    Expr::Member(object, _) => self.names.maker(seen.file, object),
                    _ => None,
                };
                let found = Found {
                    gate: seen.gate.clone().or(inside),
                    ..Found::of(name, known, owner)
                };
                self.tools.insert(spot, found);
            }
            Role::Runs(position) => self.runners.push(Runner {
                file: seen.file,
                call,
                position,
                framework: known.framework,
                wrapped: seen.gate.is_some(),
            }),
            Role::Holds(_) => {}
        }
    }

    /// Notes what a call of the gate wraps.
    fn wrap(&mut self, file: usize, call: &'s Call) {
        let mut followed = Followed::new();
        for (_, value) in &call.arguments {
            self.wrap_value(file, value, &mut followed);
        }
    }

    fn wrap_value(&mut self, file: usize, value: &'s Expr, followed: &mut Followed) {
        match value {
            Expr::Name(name) => {
                let declared = self.names.declared(file, name);
                let spot = declared.and_then(|(file, index)| self.spot(file, index));
                self.gated.extend(spot);
                for (file, value) in self.names.values(file, name, followed) {
                    self.wrap_value(file, value, followed);
                }
            }
            Expr::Call(call) => {
                self.gated.insert((file, call.place));
            }
            Expr::List(_) | Expr::Map(_) => {
                for part in value.parts() {
                    self.wrap_value(file, part, followed);
                }
            }
            Expr::Member(..) | Expr::Text(_) | Expr::Function(_) | Expr::Other(_) => {}
        }
    }

    fn spot(&self, file: usize, index: usize) -> Option<Spot> {
        let declared = self.names.code(file)?.declared.get(index)?;
        Some((file, declared.place))
    }

    /// Follows what every agent is given.
    fn hand_out(&mut self) {
        let runners = std::mem::take(&mut self.runners);
        for runner in &runners {
            let hooked = self.is_hooked(runner);
            let at = format!(
                "{} at {}",
                runner.framework,
                self.shown(runner.file, runner.call.place)
            );
            let mut given = Vec::new();
            let mut followed = Followed::new();
            for value in tool_arguments(runner.call, runner.position) {
                let walk = Walk {
                    file: runner.file,
                    place: runner.call.place,
                    gated: hooked,
                    key: None,
                };
                self.leaves(&walk, value, &mut followed, &mut given);
            }
            for (leaf, gated) in given {
                self.hand(leaf, (at.clone(), gated), runner.framework);
            }
        }
        self.runners = runners;
    }

    fn is_hooked(&self, runner: &Runner<'_>) -> bool {
        let spot = (runner.file, runner.call.place);
        if runner.wrapped || self.gated.contains(&spot) {
            return true;
        }
        let tools = tool_arguments(runner.call, runner.position);
        let others = runner.call.arguments.iter().filter_map(|(key, value)| {
            // The members of an options object are looked at one by one.
            let options = key.is_none() && matches!(value, Expr::Map(_));
            (!options).then_some(value)
        });
        let members = options(runner.call)
            .into_iter()
            .filter_map(|(key, value)| (key != "options").then_some(value));
        others
            .chain(members)
            .filter(|value| !tools.iter().any(|tool| std::ptr::eq(*tool, *value)))
            .any(|value| self.names.mentions_gate(runner.file, value))
    }

    fn hand(&mut self, leaf: Leaf, handed: (String, bool), framework: &'static str) {
        match leaf {
            Leaf::Tool(spot) => {
                if let Some(found) = self.tools.get_mut(&spot) {
                    found.uses.push(handed);
                }
            }
            Leaf::Given { spot, name, doubt } => {
                let made = Found {
                    doubt,
                    ..Found::plain(name, framework)
                };
                let named = (spot, made.name.clone());
                self.given.entry(named).or_insert(made).uses.push(handed);
            }
        }
    }

    fn shown(&self, file: usize, place: Place) -> String {
        let path = self.sources.get(file).map(|source| source.path.display());
        path.map(|path| format!("{path}:{}", place.line))
            .unwrap_or_default()
    }

    fn findings(self) -> Vec<Finding> {
        let hooked: HashSet<Spot> = self
            .runners
            .iter()
            .filter(|runner| self.is_hooked(runner))
            .map(|runner| (runner.file, runner.call.place))
            .chain(self.gated.iter().copied())
            .collect();
        let path = |file: usize| self.sources.get(file).map(|source| source.path.clone());
        let given = self.given.iter().map(|((spot, _), found)| (spot, found));
        let tools = self.tools.iter().chain(given).map(|(spot, found)| {
            let (state, reason) = found.state(*spot, &hooked);
            Finding {
                path: path(spot.0).unwrap_or_default(),
                line: spot.1.line,
                name: found.name.clone(),
                kind: found.framework.to_owned(),
                served: found.served,
                state,
                reason,
            }
        });
        tools.collect()
    }
}

impl Found {
    fn of(name: String, known: &Known, owner: Option<Spot>) -> Self {
        Self {
            served: known.role == Role::Served,
            owner,
            ..Self::plain(name, known.framework)
        }
    }

    const fn plain(name: String, framework: &'static str) -> Self {
        Self {
            name,
            framework,
            served: false,
            gate: None,
            doubt: None,
            uses: Vec::new(),
            owner: None,
        }
    }

    /// INVARIANT: covered only by something of the gate that was seen; a bare use comes before a
    /// wrapped one, because an agent may take either.
    fn state(&self, spot: Spot, hooked: &HashSet<Spot>) -> (State, String) {
        if let Some(gate) = &self.gate {
            return (State::Covered, format!("{gate} is around it"));
        }
        if let Some(doubt) = &self.doubt
            && self.uses.iter().all(|(_, gated)| !gated)
        {
            return (State::Unknown, doubt.clone());
        }
        if let Some((agent, _)) = self.uses.iter().find(|(_, gated)| !gated) {
            let reason = format!("given to {agent} without the gate");
            return (State::Uncovered, reason);
        }
        if let Some((agent, _)) = self.uses.first() {
            return (State::Covered, format!("the gate is with {agent}"));
        }
        let owned = self.owner.is_some_and(|owner| hooked.contains(&owner));
        if owned || hooked.contains(&spot) {
            return (State::Covered, "the gate wraps it".to_owned());
        }
        (
            State::Uncovered,
            "nothing puts the gate before it".to_owned(),
        )
    }
}

/// The name that a tool's call states: by name, or as its first text.
fn call_name(call: &Call) -> Option<String> {
    let keys = ["name", "name_override", "id"];
    let named = keys
        .iter()
        .find_map(|key| call.named(key).and_then(Expr::text));
    let first = call.positional().next().and_then(Expr::text);
    named.or(first).map(str::to_owned)
}

fn stated_name(mark: &Expr) -> Option<String> {
    match mark {
        Expr::Call(call) => call_name(call),
        _ => None,
    }
}

/// The function that a call makes a tool of.
fn given_function(call: &Call) -> Option<String> {
    let first = call.named("func").or_else(|| call.named("fn"));
    let first = first.or_else(|| call.positional().next());
    first.and_then(Expr::last_name).map(str::to_owned)
}

fn member_text(one: &Declared, name: &str) -> Option<String> {
    let member = one.members.iter().find(|(key, _)| key == name);
    member
        .and_then(|(_, value)| value.text())
        .map(str::to_owned)
}

fn suspicious(mark: &Expr) -> Option<String> {
    let name = mark.last_name().filter(|name| SUSPECTS.contains(name))?;
    Some(format!("where `{name}` comes from is not known here"))
}
