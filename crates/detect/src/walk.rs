//! All texts of a JSON value with their places, in the order in which they stand.
//!
//! Object keys are texts too, and so are numbers, which may be cards. A value comes with the key
//! that it stands under, elements of a list with that of the list.
//!
//! Must not know: what is done with a text.

use std::borrow::Cow;

use serde_json::Value;

use crate::finding::Part;

/// One text of a value.
#[derive(Debug)]
pub(crate) struct Leaf<'v> {
    pub(crate) text: Cow<'v, str>,
    pub(crate) part: Part,
    pub(crate) is_number: bool,
    /// The key that it stands under.
    pub(crate) key: Option<&'v str>,
    /// Where it stands, for [`Leaves::path`].
    pub(crate) place: usize,
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

#[derive(Debug)]
struct Open<'v> {
    value: &'v Value,
    key: Option<&'v str>,
    place: usize,
}

/// The texts of a value, one after the other.
#[derive(Debug)]
pub(crate) struct Leaves<'v> {
    root: Option<Open<'v>>,
    rest: Vec<Open<'v>>,
    /// Each place with the one above it.
    places: Vec<(usize, Step<'v>)>,
    /// A key that comes before its value.
    pending: Option<(usize, &'v str)>,
}

impl<'v> Leaves<'v> {
    pub(crate) fn new(value: &'v Value) -> Self {
        let root = Open {
            value,
            key: None,
            place: 0,
        };
        Self {
            root: Some(root),
            rest: Vec::new(),
            places: Vec::new(),
            pending: None,
        }
    }

    /// The JSON pointer to a place.
    pub(crate) fn path(&self, mut place: usize) -> String {
        let mut tokens = Vec::new();
        // The root is place 0 and is kept nowhere.
        while let Some((above, step)) = place.checked_sub(1).and_then(|at| self.places.get(at)) {
            match step {
                Step::Key(key) => tokens.push(key.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => tokens.push(index.to_string()),
            }
            place = *above;
        }
        tokens
            .iter()
            .rev()
            .map(|token| format!("/{token}"))
            .collect()
    }

    fn open(&mut self, above: usize, step: Step<'v>) -> usize {
        self.places.push((above, step));
        self.places.len()
    }

    fn descend(&mut self, from: &Open<'v>) {
        let start = self.rest.len();
        match from.value {
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    let place = self.open(from.place, Step::Index(index));
                    let key = from.key;
                    self.rest.push(Open { value, key, place });
                }
            }
            Value::Object(members) => {
                for (key, value) in members {
                    let place = self.open(from.place, Step::Key(key));
                    let key = Some(key.as_str());
                    self.rest.push(Open { value, key, place });
                }
            }
            _ => {}
        }
        if let Some(added) = self.rest.get_mut(start..) {
            added.reverse();
        }
    }

    /// Whether the place is a member of an object, and then its key is a text.
    fn key_of(&self, place: usize) -> Option<&'v str> {
        match self.places.get(place.checked_sub(1)?) {
            Some((_, Step::Key(key))) => Some(key),
            _ => None,
        }
    }
}

impl<'v> Iterator for Leaves<'v> {
    type Item = Leaf<'v>;

    fn next(&mut self) -> Option<Leaf<'v>> {
        loop {
            if let Some((place, key)) = self.pending.take() {
                return Some(Leaf {
                    text: Cow::Borrowed(key),
                    part: Part::Key,
                    is_number: false,
                    key: None,
                    place,
                });
            }
            // The key comes first, then the value that is still at the top of the stack.
            let next = self.root.take().or_else(|| self.rest.pop())?;
            let leaf = leaf(&next);
            self.descend(&next);
            if let Some(key) = self.rest.last().and_then(|child| self.key_of(child.place)) {
                self.pending = Some((self.rest.last().map_or(0, |child| child.place), key));
            }
            if let Some(leaf) = leaf {
                return Some(leaf);
            }
        }
    }
}

fn leaf<'v>(open: &Open<'v>) -> Option<Leaf<'v>> {
    let (text, is_number) = match open.value {
        Value::String(text) => (Cow::Borrowed(text.as_str()), false),
        Value::Number(number) => (Cow::Owned(number.to_string()), true),
        _ => return None,
    };
    Some(Leaf {
        text,
        part: Part::Value,
        is_number,
        key: open.key,
        place: open.place,
    })
}

#[cfg(test)]
mod tests {
    use super::Leaves;
    use crate::finding::Part;
    use serde_json::json;

    #[test]
    fn texts_come_in_order_with_key_and_path() {
        let value = json!({"a/b": ["x", {"c": 1, "d": {}}], "e": "y"});
        let mut leaves = Leaves::new(&value);
        let mut seen = Vec::new();
        while let Some(leaf) = leaves.next() {
            let mark = if leaf.part == Part::Key { "#" } else { "" };
            seen.push(format!("{}{mark}={}", leaves.path(leaf.place), leaf.text));
        }
        assert_eq!(
            seen,
            [
                "/a~1b#=a/b",
                "/a~1b/0=x",
                "/a~1b/1/c#=c",
                "/a~1b/1/c=1",
                "/a~1b/1/d#=d",
                "/e#=e",
                "/e=y"
            ]
        );
    }
}
