//! Paths into arguments: `items[0].id`.
//!
//! Must not know: schemas, what stands at the end of a path.

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

/// A path as written and its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) text: String,
    pub(crate) steps: Vec<Step>,
}

impl Path {
    /// The path that `text` writes; `None` where a step is empty or an index is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, indices) = match part.find('[') {
                Some(open) => part.split_at(open),
                None => (part, ""),
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
            for index in indices.split_terminator(']') {
                steps.push(Step::Index(index.strip_prefix('[')?.parse().ok()?));
            }
        }
        Some(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The path behind its first step.
    pub(crate) fn tail(&self) -> &[Step] {
        self.steps.get(1..).unwrap_or_default()
    }
}

impl Step {
    pub(crate) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Name(name) => value.as_object()?.get(name),
            Self::Index(index) => value.as_array()?.get(*index),
        }
    }
}

/// What stands at the end of `steps`.
pub(crate) fn find<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |here, step| step.of(here))
}

#[cfg(test)]
mod tests {
    use super::{Path, find};

    #[test]
    fn paths_reach_through_names_and_indices() {
        let value = serde_json::json!({"items": [[{"id": "a"}], 2], "user-id": 7});
        let at = |text: &str| find(&value, &Path::parse(text).unwrap().steps).cloned();
        assert_eq!(at("items[0][0].id"), Some("a".into()));
        assert_eq!(at("items[1]"), Some(2.into()));
        assert_eq!(at("user-id"), Some(7.into()));
        assert_eq!(at("items.id"), None);
        assert_eq!(at("items[2]"), None);
        for bad in ["", "a..b", "a[x]", "a:b", "[0]", "a@b"] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
    }
}
