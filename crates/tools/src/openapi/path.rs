//! Templates of paths: `/customers/{customer}/orders/{order}`.
//!
//! A template is somebody else's text that is appended to the base URL of an API, so one that a
//! server could resolve to another place (`..`, an escape, a second `//`) is none. Pure.
//!
//! Must not know: who calls what is behind it.

use toolgate_model::resolves_to_itself;

/// LIMIT: bytes of a template; the longest measured has 190.
const PATH_BYTES_MAX: usize = 1_000;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Between the slashes; the last is empty where the template ends in one.
    pub(super) segments: Vec<Segment>,
    /// What stands after a `#`. It is never sent: some descriptions tell operations on one path apart
    /// by it.
    pub(super) fragment: Option<String>,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// As written, braces and all.
    pub(super) text: String,
    /// The parameters in it.
    pub(super) parameters: Vec<String>,
}

impl Segment {
    /// Whether it says the same in every request.
    pub(super) const fn is_literal(&self) -> bool {
        self.parameters.is_empty()
    }

    /// As written, without braces.
    pub(super) fn bare(&self) -> String {
        self.text.replace(['{', '}'], "")
    }

    /// What of it is no parameter.
    pub(super) fn literal(&self) -> String {
        let mut kept = String::new();
        let mut inside = false;
        for c in self.text.chars() {
            match c {
                '{' => inside = true,
                '}' => inside = false,
                _ if !inside => kept.push(c),
                _ => {}
            }
        }
        kept
    }
}

impl Template {
    /// The template that `path` writes.
    ///
    /// # Errors
    /// Why nothing can be asked for there.
    pub(super) fn parse(whole: &str) -> Result<Self, String> {
        let (path, fragment) = match whole.split_once('#') {
            Some((path, fragment)) => (path, Some(fragment.to_owned())),
            None => (whole, None),
        };
        if whole.len() > PATH_BYTES_MAX {
            let bytes = whole.len();
            return Err(format!(
                "its path has {bytes} bytes, more than the {PATH_BYTES_MAX} allowed"
            ));
        }
        let rest = path
            .strip_prefix('/')
            .ok_or_else(|| "its path does not begin with `/`".to_owned())?;
        if rest.contains('?') {
            return Err("its path has a `?`, which ends a path".to_owned());
        }
        // A parameter's value is judged where it is filled in; what stands here is judged now.
        if !resolves_to_itself(path) || path.contains('%') {
            return Err(
                "its path has a part that servers may read as another: `..`, an escape, a \
                        backslash or something invisible"
                    .to_owned(),
            );
        }
        let texts: Vec<&str> = rest.split('/').collect();
        let inner = texts.len().saturating_sub(1);
        if texts.iter().take(inner).any(|text| text.is_empty()) {
            return Err("its path has nothing between two slashes".to_owned());
        }
        let segments: Result<_, String> = texts.into_iter().map(segment).collect();
        Ok(Self {
            segments: segments?,
            fragment,
        })
    }

    /// What is sent.
    pub(super) fn path(&self) -> String {
        let texts: Vec<&str> = self.segments.iter().map(|one| one.text.as_str()).collect();
        format!("/{}", texts.join("/"))
    }

    /// The names of its parameters, in their order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &String> {
        self.segments.iter().flat_map(|segment| &segment.parameters)
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    let unpaired = || "the braces of its path do not pair".to_owned();
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let tail = rest.get(open..).unwrap_or_default();
        let inner = tail.strip_prefix('{').ok_or_else(unpaired)?;
        let (name, after) = inner.split_once('}').ok_or_else(unpaired)?;
        if name.is_empty() || name.contains('{') {
            return Err(unpaired());
        }
        parameters.push(name.to_owned());
        rest = after;
    }
    Ok(Segment {
        text: text.to_owned(),
        parameters,
    })
}
