//! Cuts a scene down to what its difference needs: leaves parts out as long as it stays.
//!
//! Must not know: what the parts mean.

use serde_json::Value;

use super::scene::Scene;

/// The smallest scene found that is still `bad`.
pub(super) fn smallest(scene: &Scene, bad: impl Fn(&Scene) -> bool) -> Scene {
    let mut best = scene.clone();
    // LIMIT: every success makes the scene smaller, so this ends; 400 is more than a scene's parts.
    for _ in 0..400 {
        let Some(smaller) = smaller(&best).find(|scene| bad(scene)) else {
            break;
        };
        best = smaller;
    }
    best
}

fn smaller(scene: &Scene) -> impl Iterator<Item = Scene> + '_ {
    let documents = Value::Array(
        scene
            .documents
            .iter()
            .map(|(_, json)| json.clone())
            .collect(),
    );
    let texts = cuts(&documents).filter_map(|cut| {
        let cut = cut.as_array()?.clone();
        let named = cut.into_iter().enumerate();
        Some(Scene {
            documents: named.map(|(at, json)| (format!("d{at}"), json)).collect(),
            ..scene.clone()
        })
    });
    let calls = cuts(&scene.call).map(|call| Scene {
        call,
        ..scene.clone()
    });
    let tools = Value::Array(scene.tools.clone());
    let tools = cuts(&tools).filter_map(|cut| {
        let tools = cut.as_array()?.clone();
        Some(Scene {
            tools,
            ..scene.clone()
        })
    });
    let all: Vec<Scene> = texts.chain(calls).chain(tools).collect();
    all.into_iter()
}

/// The value with one part left out, or one expression halved.
fn cuts(value: &Value) -> impl Iterator<Item = Value> {
    let mut cuts = Vec::new();
    match value {
        Value::Array(items) => {
            for at in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(at);
                cuts.push(Value::Array(fewer));
            }
            for (at, item) in items.iter().enumerate() {
                for cut in self::cuts(item) {
                    let rest = items.iter().enumerate();
                    let new = rest.map(|(place, old)| {
                        if place == at {
                            cut.clone()
                        } else {
                            old.clone()
                        }
                    });
                    cuts.push(Value::Array(new.collect()));
                }
            }
        }
        Value::Object(members) => {
            for key in members.keys().filter(|key| {
                !["tool", "id", "now", "agent", "args", "resource", "looks_up"]
                    .contains(&key.as_str())
            }) {
                let mut fewer = members.clone();
                fewer.shift_remove(key);
                cuts.push(Value::Object(fewer));
            }
            for (key, member) in members {
                for cut in self::cuts(member).filter(|_| key != "approval") {
                    let mut new = members.clone();
                    new.insert(key.clone(), cut);
                    cuts.push(Value::Object(new));
                }
            }
        }
        Value::String(text) => cuts.extend(halves(text).map(Value::String)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    cuts.into_iter()
}

/// Both sides of every `and` and `or`, what stands in the parentheses, and it without its `not`.
fn halves(text: &str) -> impl Iterator<Item = String> + '_ {
    let sides = [" and ", " or ", " && ", " || "]
        .into_iter()
        .flat_map(move |word| {
            text.match_indices(word).flat_map(move |(at, _)| {
                let behind = text.get(at + word.len()..).unwrap_or_default();
                [text.get(..at).unwrap_or_default(), behind]
            })
        });
    let bare = text
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let plain = text.strip_prefix("not ");
    sides.chain(bare).chain(plain).map(str::to_owned)
}
