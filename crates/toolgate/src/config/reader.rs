//! Takes values out of the tree by key and type, and keeps every complaint until the end.
//!
//! Each key is asked for once, where its meaning is known; what nobody asked for is unknown, and
//! the nearest key that somebody asked for is what was meant. What was taken is also the list
//! that `toolgate config show --origin` prints.
//!
//! Must not know: which keys exist, files, the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use toolgate_gate::pin::ToolChanges;
use toolgate_model::Stance;
use toolgate_model::{
    AgentId, DataClass, Diagnostic, Duration, Effect, Glob, Lifecycle, ResourceTemplate, Risk,
    Role, Severity, Span, TenantId, ToolId, Verb, nearest,
};

use super::tree::{Entry, Node, Origin, Value};
use super::{ConfigFile, Effective};

/// A part of the tree that is being read.
pub(super) struct Section {
    /// Its path, with a dot at the end unless it is the root.
    pub(super) path: String,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
    /// Where it stands.
    pub(super) origin: Origin,
}

/// Collects complaints and effective values.
pub(super) struct Reader<'t> {
    file: Option<&'t ConfigFile>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) effective: Vec<Effective>,
}

/// The kinds of complaints, each with its stable code. `C001` is a file that is not TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nobody knows this key.
    UnknownKey,
    /// The value does not fit its key.
    Value,
    /// The key is known and does not work yet.
    NotAvailable,
    /// A secret stands in the open.
    LiteralSecret,
    /// A key is missing.
    Missing,
    /// Two parts contradict each other.
    Contradiction,
}

impl Problem {
    const fn code(self) -> &'static str {
        match self {
            Self::UnknownKey => "C002",
            Self::Value => "C003",
            Self::NotAvailable => "C004",
            Self::LiteralSecret => "C005",
            Self::Missing => "C006",
            Self::Contradiction => "C007",
        }
    }
}

/// What a key can hold.
pub(super) trait Setting: Sized + Serialize {
    /// What a value is, for a complaint: `a duration such as 20s`.
    const WHAT: &'static str;

    /// Reads a node. A text from the environment or a flag is read as whatever is wanted.
    fn read(node: &Node) -> Option<Self>;
}

impl Section {
    /// The root of a tree.
    pub(super) const fn root(entries: Vec<Entry>) -> Self {
        Self {
            path: String::new(),
            entries,
            known: Vec::new(),
            origin: Origin::Default,
        }
    }

    /// A table at a path.
    pub(super) const fn at(path: String, entries: Vec<Entry>, origin: Origin) -> Self {
        Self {
            path,
            entries,
            known: Vec::new(),
            origin,
        }
    }

    /// Takes a key's value out, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(place).node)
    }

    /// Whether somebody wrote this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Looks at a key's value and leaves it there.
    pub(super) fn peek(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// Takes everything that is left, as a table whose keys are names and not ours.
    pub(super) fn take_rest(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }
}

impl<'t> Reader<'t> {
    pub(super) const fn new(file: Option<&'t ConfigFile>) -> Self {
        Self {
            file,
            problems: Vec::new(),
            effective: Vec::new(),
        }
    }

    /// A key's value, or `default` where nobody set it.
    pub(super) fn value<T: Setting>(
        &mut self,
        section: &mut Section,
        key: &'static str,
        default: T,
    ) -> T {
        let path = format!("{}{key}", section.path);
        let (value, origin) = match section.take(key) {
            None => (default, Origin::Default),
            Some(node) => match self.read(&path, &node) {
                Some(value) => (value, node.origin),
                // The complaint makes the whole configuration unusable; the default only lets
                // the rest be read too.
                None => return default,
            },
        };
        self.note(path, json!(value), origin);
        value
    }

    /// A key's value, if somebody set it.
    pub(super) fn optional<T: Setting>(
        &mut self,
        section: &mut Section,
        key: &'static str,
    ) -> Option<T> {
        let path = format!("{}{key}", section.path);
        let node = section.take(key)?;
        let value: T = self.read(&path, &node)?;
        self.note(path, json!(value), node.origin);
        Some(value)
    }

    /// A key's value, which must be set.
    pub(super) fn required<T: Setting>(
        &mut self,
        section: &mut Section,
        key: &'static str,
    ) -> Option<T> {
        if !section.has(key) {
            section.known.push(key);
            let message = format!("`{}{key}` is missing", section.path);
            let help = format!("add `{key} = …`: {}", T::WHAT);
            let origin = section.origin.clone();
            self.complain(
                Problem::Missing,
                (&section.path, &origin),
                message,
                Some(help),
            );
            return None;
        }
        self.optional(section, key)
    }

    /// A table, empty where nobody wrote it.
    pub(super) fn table(&mut self, section: &mut Section, key: &'static str) -> Section {
        let path = format!("{}{key}", section.path);
        let Some(node) = section.take(key) else {
            return Section::at(path + ".", Vec::new(), Origin::Default);
        };
        self.as_table(&path, node)
    }

    /// A node that must be a table.
    pub(super) fn as_table(&mut self, path: &str, node: Node) -> Section {
        let what = node.what();
        let entries = match node.value {
            Value::Table(entries) => entries,
            _ => {
                let message = format!("`{path}` is {what}, not a table");
                let help = format!("write it as `[{path}]` with keys below");
                self.complain(Problem::Value, (path, &node.origin), message, Some(help));
                Vec::new()
            }
        };
        Section::at(format!("{path}."), entries, node.origin)
    }

    /// A list of tables: `[[source]]`.
    pub(super) fn tables(&mut self, section: &mut Section, key: &'static str) -> Vec<Section> {
        let Some(node) = section.take(key) else {
            return Vec::new();
        };
        let what = node.what();
        let Value::List(items) = node.value else {
            let message = format!("`{key}` is {what}, not a list of tables");
            let help = format!("write each one as `[[{key}]]` in the file");
            self.complain(Problem::Value, (key, &node.origin), message, Some(help));
            return Vec::new();
        };
        let numbered = items.into_iter().enumerate();
        numbered
            .map(|(place, item)| self.as_table(&format!("{}{key}[{place}]", section.path), item))
            .collect()
    }

    /// Complains about a key that is known but does not work yet.
    pub(super) fn unavailable(&mut self, section: &mut Section, key: &'static str, help: &str) {
        let path = format!("{}{key}", section.path);
        if let Some(node) = section.take(key) {
            let message = format!("`{path}` is not available yet");
            let help = Some(help.to_owned());
            self.complain(Problem::NotAvailable, (&path, &node.origin), message, help);
        }
    }

    /// Complains about whatever nobody asked for.
    pub(super) fn finish(&mut self, section: Section) {
        for entry in section.entries {
            let path = format!("{}{}", section.path, entry.key);
            let near = nearest(&entry.key, section.known.iter().copied());
            let help = near.map_or_else(
                || format!("known here: {}", listed(&section.known)),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("`{path}` is not a key of the configuration");
            let place = (path.as_str(), &entry.origin);
            self.complain(Problem::UnknownKey, place, message, Some(help));
            // A variable with our prefix that resembles nothing may belong to something else.
            let foreign = matches!(&entry.origin, Origin::Variable(name) if !name.contains("__"));
            if let Some(last) = self
                .problems
                .last_mut()
                .filter(|_| foreign && near.is_none())
            {
                last.severity = Severity::Warning;
            }
        }
    }

    /// Keeps a complaint.
    pub(super) fn complain(
        &mut self,
        problem: Problem,
        (path, origin): (&str, &Origin),
        message: String,
        help: Option<String>,
    ) {
        let (file, span, message) = match origin {
            Origin::File(range) => (self.file_name(), self.span(range), message),
            Origin::Variable(name) => (
                "environment".to_owned(),
                None,
                format!("{message} (from `{name}`)"),
            ),
            Origin::Flag(flag) => (
                "command line".to_owned(),
                None,
                format!("{message} (from `{flag}`)"),
            ),
            Origin::Default => (self.file_name(), None, message),
        };
        self.problems.push(Diagnostic {
            code: problem.code(),
            severity: Severity::Error,
            message,
            help,
            file,
            path: path.trim_end_matches('.').to_owned(),
            span,
            related: Vec::new(),
        });
    }

    /// Complains that a value does not fit.
    pub(super) fn misfit(&mut self, path: &str, node: &Node, wanted: &str) {
        let shown = match &node.value {
            Value::Text(text) => format!("`{}`", text.chars().take(80).collect::<String>()),
            _ => node.what().to_owned(),
        };
        let message = format!("`{path}` cannot be {shown}");
        let help = Some(format!("it takes {wanted}"));
        self.complain(Problem::Value, (path, &node.origin), message, help);
    }

    /// Keeps an effective value.
    pub(super) fn note(&mut self, path: String, value: serde_json::Value, origin: Origin) {
        self.effective.push(Effective {
            path,
            value,
            origin,
        });
    }

    /// Where the value that was taken at this path came from.
    pub(super) fn origin_of(&self, path: &str) -> Origin {
        let taken = self.effective.iter().rfind(|value| value.path == path);
        taken.map_or(Origin::Default, |value| value.origin.clone())
    }

    /// The place of one character of a text, where the file has the text as it is; else the
    /// place of the whole.
    pub(super) fn inside(&self, node: &Node, text: &str, column: usize) -> Origin {
        let Origin::File(range) = &node.origin else {
            return node.origin.clone();
        };
        let raw = self.file.and_then(|file| file.text.get(range.clone()));
        let plain = raw
            .and_then(|raw| raw.get(1..raw.len().checked_sub(1)?))
            .is_some_and(|inner| inner == text);
        if !plain {
            return node.origin.clone();
        }
        let before: usize = text
            .chars()
            .take(column.saturating_sub(1))
            .map(char::len_utf8)
            .sum();
        let start = range.start + 1 + before;
        let one = text.get(before..).and_then(|rest| rest.chars().next());
        Origin::File(start..start + one.map_or(1, char::len_utf8))
    }

    pub(super) fn read<T: Setting>(&mut self, path: &str, node: &Node) -> Option<T> {
        let value = T::read(node);
        if value.is_none() {
            self.misfit(path, node, T::WHAT);
        }
        value
    }

    fn file_name(&self) -> String {
        self.file
            .map_or_else(|| "configuration".to_owned(), |file| file.name())
    }

    fn span(&self, range: &std::ops::Range<usize>) -> Option<Span> {
        self.file
            .map(|file| Span::in_text(&file.text, range.start, range.end))
    }
}

fn listed(keys: &[&str]) -> String {
    let mut keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.sort();
    keys.join(", ")
}

impl Setting for String {
    const WHAT: &'static str = "a text in quotes";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Setting for bool {
    const WHAT: &'static str = "true or false";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) if !matches!(node.origin, Origin::File(_)) => text.parse().ok(),
            _ => None,
        }
    }
}

impl Setting for u32 {
    const WHAT: &'static str = "a whole number from 1 to 4294967295";

    fn read(node: &Node) -> Option<Self> {
        let number: i64 = match &node.value {
            Value::Integer(number) => *number,
            Value::Text(text) if !matches!(node.origin, Origin::File(_)) => text.parse().ok()?,
            _ => return None,
        };
        Self::try_from(number).ok().filter(|number| *number > 0)
    }
}

impl Setting for Vec<String> {
    const WHAT: &'static str = "a list of texts";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::List(items) => items.iter().map(String::read).collect(),
            // `TOOLGATE_HOSTS=a.example,b.example`
            Value::Text(text) if !matches!(node.origin, Origin::File(_)) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                Some(parts.map(str::to_owned).collect())
            }
            _ => None,
        }
    }
}

impl Setting for Vec<Glob> {
    const WHAT: &'static str = "a list of names or patterns";

    fn read(node: &Node) -> Option<Self> {
        Vec::<String>::read(node).map(|texts| texts.into_iter().map(Glob::new).collect())
    }
}

/// Types that are written as a text and read by one function.
macro_rules! texts {
    ($($type:ty: $what:literal, $read:expr;)+) => {$(
        impl Setting for $type {
            const WHAT: &'static str = $what;

            fn read(node: &Node) -> Option<Self> {
                let read: fn(&str) -> Option<Self> = $read;
                String::read(node).and_then(|text| read(&text))
            }
        }
    )+};
}

texts! {
    DataClass: "\"SECRETS\", \"PII\", \"PHI\" or \"INTERNAL\"", |text| Self::parse(text);
    AgentId: "a name of 1 to 128 letters, digits and `_ - . @ + :`", |text| text.parse().ok();
    Duration: "a duration such as 250ms, 20s, 5m, 24h or 30d", |text| text.parse().ok();
    Effect: "\"none\" for a tool that only reads, \"some\", or a table that says how to look for it", |text| match text {
        "none" => Some(Self::None),
        "some" => Some(Self::Some),
        _ => None,
    };
    Lifecycle: "\"declared\", \"active\", \"deprecated\" or \"disabled\"", |text| match text {
        "declared" => Some(Self::Declared),
        "active" => Some(Self::Active),
        "deprecated" => Some(Self::Deprecated),
        "disabled" => Some(Self::Disabled),
        _ => None,
    };
    PathBuf: "a path", |text| (!text.is_empty()).then(|| Self::from(text));
    ResourceTemplate: "a template such as \"customer:{args.customer}\"", |text| {
        Self::parse(text).ok()
    };
    Risk: "\"low\", \"medium\", \"high\" or \"critical\"", |text| Self::parse(text);
    Role: "\"reader\", \"agent\" or \"service\"", |text| {
        Self::parse(text).filter(|role| role.kind() == toolgate_model::TokenKind::Agent)
    };
    SocketAddr: "an address with a port such as \"127.0.0.1:8787\"", |text| text.parse().ok();
    ToolChanges: "\"hold\" or \"record\"", |text| match text {
        "hold" => Some(Self::Hold),
        "record" => Some(Self::Record),
        _ => None,
    };
    Stance: "\"allow\", \"require_approval\" or \"deny\"", |text| match text {
        "allow" => Some(Self::Allow),
        "require_approval" => Some(Self::RequireApproval),
        "deny" => Some(Self::Deny),
        _ => None,
    };
    ToolId: "a tool's full name, \"source.operation\"", |text| text.parse().ok();
    TenantId: "a name of 1 to 128 letters, digits and `_ - . @ + :`", |text| text.parse().ok();
    Verb: "\"READ\", \"WRITE\", \"DELETE\" or \"ADMIN\"", |text| Self::parse(text);
}
