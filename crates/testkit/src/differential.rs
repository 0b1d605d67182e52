//! The engine against the reference: random policies, calls and histories, and never a difference.
//!
//! `cargo run -p toolgate-testkit --bin differential -- --cases 1000000 --seed 7` plays a million; a
//! difference is cut down to what it needs and printed with its seed, which plays it again:
//!
//! ```text
//! case 4711 differs in effect: engine None, reference Some(Deny)
//! {"tools": […], "documents": […], "call": {…}}
//! ```
//!
//! Must not know: how either of the two decides.

mod dice;
mod engine;
mod scene;
mod shrink;
mod writer;

use toolgate_policy::{Budget, Ruling};

use crate::reference::{self, Outcome};

pub use engine::Engine;
pub use scene::Scene;

/// What became of one case.
#[derive(Clone, Debug, PartialEq)]
pub enum Played {
    /// The two agree; the second says whether any rule matched.
    Same(bool),
    /// The engine refuses the documents, with the first diagnostic.
    Refused(String),
    /// They differ.
    Differs(Box<Difference>),
}

/// A scene on which the two differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The scene.
    pub scene: Scene,
    /// In what.
    pub part: &'static str,
    /// What the engine says.
    pub engine: Outcome,
    /// What the reference says.
    pub reference: Outcome,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "they differ in `{}`", self.part)?;
        writeln!(f, "engine:    {:?}", self.engine)?;
        writeln!(f, "reference: {:?}", self.reference)?;
        write!(f, "{:#}", self.scene.json())
    }
}

/// Plays the case that this seed makes, and cuts a difference down to what it needs.
pub fn play(seed: u64) -> Played {
    let scene = Scene::random(seed);
    match compare(&scene) {
        Played::Differs(found) => {
            let small =
                shrink::smallest(&scene, |scene| matches!(compare(scene), Played::Differs(_)));
            match compare(&small) {
                Played::Differs(small) => Played::Differs(small),
                Played::Same(_) | Played::Refused(_) => Played::Differs(found),
            }
        }
        other => other,
    }
}

/// Asks both about the scene.
pub fn compare(scene: &Scene) -> Played {
    let loaded = match Engine::load(scene) {
        Ok(loaded) => loaded,
        Err(refused) => return Played::Refused(refused),
    };
    let engine = match loaded.decide(Budget::default()) {
        Ok(ruling) => outcome(&ruling),
        Err(refused) => return Played::Refused(refused),
    };
    let reference = reference::decide(&scene.documents, &scene.tools, &scene.call);
    match part(&engine, &reference) {
        None => Played::Same(!reference.rules.is_empty()),
        Some(part) => Played::Differs(Box::new(Difference {
            scene: scene.clone(),
            part,
            engine,
            reference,
        })),
    }
}

fn part(engine: &Outcome, reference: &Outcome) -> Option<&'static str> {
    let parts = [
        ("rules", engine.rules == reference.rules),
        ("effect", engine.effect == reference.effect),
        ("determining", engine.determining == reference.determining),
        ("code", engine.code == reference.code),
        ("is_limited", engine.is_limited == reference.is_limited),
        ("obligations", engine.obligations == reference.obligations),
        ("approval", engine.approval == reference.approval),
        ("sanitize", engine.sanitize == reference.sanitize),
        ("notices", engine.notices == reference.notices),
    ];
    let different = parts.into_iter().find(|(_, same)| !same);
    different.map(|(part, _)| part)
}

fn outcome(ruling: &Ruling) -> Outcome {
    let rules = ruling.rules.iter();
    let approval = ruling.approval.clone().map(|mut terms| {
        terms.approvers.sort();
        terms
    });
    Outcome {
        effect: ruling.effect,
        determining: ruling.determining.clone(),
        code: ruling.rule_code.clone(),
        is_limited: ruling.is_limited,
        rules: rules
            .map(|rule| {
                (
                    rule.rule.clone(),
                    rule.effect.clone(),
                    rule.truth,
                    rule.monitor,
                )
            })
            .collect(),
        obligations: ruling.obligations.iter().copied().collect(),
        approval,
        sanitize: ruling.sanitize.as_ref().map(|sanitize| {
            let classes = sanitize.classes.iter().map(ToString::to_string).collect();
            (classes, sanitize.fields.clone())
        }),
        notices: ruling
            .notices
            .iter()
            .map(|notice| (notice.rule.clone(), notice.channel.clone(), notice.incident))
            .collect(),
    }
}
