//! What an operator says about sources of tools: plain structs, filled by the binary from
//! `toolgate.toml`.
//!
//! ```toml
//! [[source]]
//! name = "git"
//! mcp = { command = ["uvx", "mcp-server-git"] }
//! [tools."git.push"]
//! risk = "high"
//! ```
//!
//! Must not know: files, environment variables, or how a source is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use toolgate_gate::trust::Grants;
use toolgate_model::{
    Authors, Checks, Duration, Effect, Lifecycle, ResourceTemplate, Risk, Stance, ToolId, Verb,
};
use zeroize::Zeroizing;

use crate::host::HostConfig;
use crate::openapi::OpenApiConfig;
use crate::plugin::PluginConfig;
use crate::raw::RawConfig;

/// Where some tools come from.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name: the first half of its tools' names.
    pub name: String,
    /// How it is reached.
    pub kind: SourceKind,
    /// How its tools are named towards MCP clients.
    pub wire_names: WireNames,
    /// Which era of MCP it is spoken to in.
    pub era: EraChoice,
    /// Who shares a conversation with it.
    pub isolation: Isolation,
    /// Whether a call of its tools may leave a trace, where nothing else is said of a tool.
    pub effect: Effect,
    /// What its server may ask of the client behind a call.
    pub client: ClientScope,
    /// Its bounds.
    pub limits: SourceLimits,
    /// Who grants the gate's credential there, where it is none that stands fast.
    pub grants: Option<Arc<dyn Grants>>,
}

impl SourceConfig {
    /// A source of which nothing else is said.
    pub fn new(name: impl Into<String>, kind: SourceKind) -> Self {
        Self {
            name: name.into(),
            kind,
            wire_names: WireNames::default(),
            era: EraChoice::default(),
            isolation: Isolation::default(),
            effect: Effect::Some,
            client: ClientScope::default(),
            limits: SourceLimits::default(),
            grants: None,
        }
    }
}

impl SourceConfig {
    /// How the gate and an MCP server know each other, in one word.
    pub(crate) fn auth(&self) -> &'static str {
        match &self.kind {
            _ if self.grants.is_some() => "oauth",
            SourceKind::Http {
                bearer: Some(_), ..
            } => "bearer",
            SourceKind::Http { headers, .. } if !headers.is_empty() => "headers",
            SourceKind::Stdio { .. } => "process",
            SourceKind::Http { .. }
            | SourceKind::OpenApi(_)
            | SourceKind::Plugin(_)
            | SourceKind::Raw(_)
            | SourceKind::Host(_) => "none",
        }
    }
}

/// Which era of MCP a server is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EraChoice {
    /// Whichever a probe shows.
    #[default]
    Auto,
    /// 2026-07-28; a server that does not speak it is down.
    Modern,
    /// 2025-11-25 and older; the server is not probed.
    Legacy,
}

/// Who shares a conversation with a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All principals.
    #[default]
    Shared,
    /// Nobody: each principal has a session or a process of its own.
    Principal,
}

/// What the server of a source may ask of the client behind a call, if that client can do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientScope {
    /// A sample of the client's model: a way to put words into it.
    pub sampling: bool,
    /// A form for the client's user to fill in, or a page to open.
    pub elicitation: bool,
    /// The roots of the client's workspace.
    pub roots: bool,
    /// Whether a legacy server is told, at the start of the conversation in which its tools are
    /// listed, that its client can do all of that: some servers list some tools to no other client.
    /// The operator's word and no client's, so nothing that is asked there is ever answered: whose
    /// client can be asked has a conversation of its own.
    pub assumed: bool,
}

impl Default for ClientScope {
    fn default() -> Self {
        Self {
            sampling: true,
            elicitation: true,
            roots: true,
            assumed: false,
        }
    }
}

/// How a source is reached.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A process that speaks MCP over its standard input and output.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
        /// What it finds in its environment, besides [`crate::INHERITED_VARIABLES`].
        env: BTreeMap<String, Secret>,
        /// Where it runs; the gate's own directory if not said.
        cwd: Option<PathBuf>,
    },
    /// A server that speaks MCP over streamable HTTP.
    Http {
        /// Its endpoint.
        url: String,
        /// The gate's own credential there, where it stands fast.
        bearer: Option<Secret>,
        /// Further headers on each request.
        headers: BTreeMap<String, Secret>,
    },
    /// An HTTP API that a description of it tells about.
    OpenApi(Box<OpenApiConfig>),
    /// A plugin that offers actions over signed HTTP.
    Plugin(Box<PluginConfig>),
    /// A program that runs its tools itself and reports what came of them.
    Host(Box<HostConfig>),
    /// A service to which raw requests are sent.
    Raw(Box<RawConfig>),
}

impl SourceKind {
    /// The kind in one word, as operators see it.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Stdio { .. } => "mcp-stdio",
            Self::Http { .. } => "mcp-http",
            Self::OpenApi(_) => "openapi",
            Self::Plugin(_) => "plugin",
            Self::Host(_) => "host",
            Self::Raw(_) => "http",
        }
    }
}

/// How the tools of a source are named towards MCP clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WireNames {
    /// `{source}__{tool}`.
    #[default]
    Prefixed,
    /// `{tool}`: only for a gate with this one source.
    Bare,
}

/// Bounds on one source.
#[derive(Clone, Copy, Debug)]
pub struct SourceLimits {
    /// How long it may take from the start of its process to its first list of tools.
    pub start_timeout: Duration,
    /// How long a call of its tools may take where nothing else is said.
    pub call_timeout: Duration,
    /// Bytes of one message from it.
    pub message_bytes_max: usize,
    /// How many tools it may offer; further ones are unavailable.
    pub tools_max: usize,
    /// How many prompts, resources and templates of resources it may offer, of each; further
    /// ones are left out of lists.
    pub offers_max: usize,
    /// Bytes of one tool's description.
    pub description_bytes_max: usize,
    /// Bytes of one tool's whole definition, its schemas among it.
    pub definition_bytes_max: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            // LIMIT: `npx` and `uvx` may have to fetch a package before the server speaks.
            start_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(60),
            message_bytes_max: toolgate_model::json::Limits::RESULT.bytes_max,
            // LIMIT: 4-interfaces, 5.
            tools_max: 1_000,
            offers_max: 1_000,
            description_bytes_max: 16 << 10,
            // LIMIT: the largest tool measured of a real server has 30 kB; generated ones from
            // large API documents reach 800 kB and are of no use to any model.
            definition_bytes_max: 256 << 10,
        }
    }
}

/// What the operator states about one tool; it wins over everything the source says.
#[derive(Clone, Debug, Default)]
pub struct ToolOverride {
    /// How much harm one call can do.
    pub risk: Option<Risk>,
    /// What it does to its resource.
    pub verb: Option<Verb>,
    /// How the resource is made from the arguments.
    pub resource: Option<ResourceTemplate>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Whether a call may leave a trace.
    pub effect: Option<Effect>,
    /// Whether it may be called.
    pub lifecycle: Option<Lifecycle>,
    /// Its version.
    pub version: Option<String>,
    /// A tag such as `issues`.
    pub category: Option<String>,
    /// Well-known attributes made from arguments: name to expression text.
    pub attributes: BTreeMap<String, String>,
    /// What is verified before it runs and looked for after its answer was lost.
    pub checks: Checks,
    /// Who can write what it returns; none: anyone.
    pub authors: Option<Authors>,
    /// The name that MCP clients see.
    pub wire_name: Option<String>,
    /// What a granted call of it gets when no rule speaks.
    pub posture: Option<Stance>,
}

/// What the operator states, by tool.
pub type Overrides = BTreeMap<ToolId, ToolOverride>;

/// A credential of the gate's own. Never printed, wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is wrong with the configuration of one source. That source never starts; others do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source `{source_name}`: {message}")]
pub struct SourceProblem {
    /// Where it stands in the list of sources.
    pub position: usize,
    /// The source's name.
    pub source_name: String,
    /// What is wrong and how to put it right.
    pub message: String,
}

/// Everything that is wrong with these sources, ordered by their position.
pub fn source_problems(sources: &[SourceConfig]) -> Vec<SourceProblem> {
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for (position, source) in sources.iter().enumerate() {
        let first = names.insert(source.name.as_str());
        let found = [
            name_problem(&source.name),
            (!first).then(|| "the name is taken by an earlier source; choose another".to_owned()),
            bare_problem(source, sources.len()),
            kind_problem(&source.kind),
        ];
        problems.extend(found.into_iter().flatten().map(|message| SourceProblem {
            position,
            source_name: source.name.clone(),
            message,
        }));
    }
    problems
}

/// LIMIT: so that `{source}__` and a readable part of the tool's name fit a wire name.
const NAME_BYTES_MAX: usize = 32;

fn name_problem(name: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    // A `__` or an outer `_` in the name would make `{source}__{tool}` ambiguous.
    let clear = !name.contains("__") && !name.starts_with('_') && !name.ends_with('_');
    (!fits || !clear).then(|| {
        format!(
            "a name is 1 to {NAME_BYTES_MAX} letters, digits, `-` and single `_` inside, \
             such as `crm`"
        )
    })
}

fn bare_problem(source: &SourceConfig, count: usize) -> Option<String> {
    (source.wire_names == WireNames::Bare && count > 1).then(|| {
        format!("bare names need a single source, and there are {count}; leave `bare` out")
    })
}

fn kind_problem(kind: &SourceKind) -> Option<String> {
    match kind {
        SourceKind::Stdio { command, .. } => command
            .first()
            .is_none_or(String::is_empty)
            .then(|| "the command is empty; name a program".to_owned()),
        SourceKind::Http { url, headers, .. } => {
            url_problem(url).or_else(|| headers.keys().find_map(|name| header_problem(name)))
        }
        SourceKind::OpenApi(api) => api.problem(),
        SourceKind::Plugin(plugin) => plugin.problem(),
        SourceKind::Raw(raw) => raw.problem(),
        SourceKind::Host(_) => None,
    }
}

pub(crate) fn url_problem(text: &str) -> Option<String> {
    let Ok(url) = reqwest::Url::parse(text) else {
        return Some(format!("`{text}` is not a URL such as `https://host/mcp`"));
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Some(format!(
            "`{text}` does not begin with `http://` or `https://`"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("the URL carries a credential; move it to `auth`".to_owned());
    }
    None
}

/// Headers that the protocol itself sets: a configured one would contradict it.
const OWN_HEADERS: [&str; 8] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "transfer-encoding",
];

pub(crate) fn header_problem(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let taken = OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("mcp-");
    let valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
    (taken || !valid).then(|| format!("the header `{name}` cannot be configured; leave it out"))
}

#[cfg(test)]
mod tests {
    use super::{Secret, SourceConfig, SourceKind, WireNames, source_problems};
    use expect_test::{Expect, expect};
    use std::collections::BTreeMap;

    fn stdio(name: &str, command: &[&str]) -> SourceConfig {
        let command = command.iter().map(|part| (*part).to_owned()).collect();
        let kind = SourceKind::Stdio {
            command,
            env: BTreeMap::new(),
            cwd: None,
        };
        SourceConfig::new(name, kind)
    }

    fn http(name: &str, url: &str, headers: &[&str]) -> SourceConfig {
        let secret = |name: &&str| ((*name).to_owned(), Secret::new("x"));
        SourceConfig {
            kind: SourceKind::Http {
                url: url.to_owned(),
                bearer: None,
                headers: headers.iter().map(secret).collect(),
            },
            ..stdio(name, &[])
        }
    }

    fn check(sources: &[SourceConfig], expected: Expect) {
        let lines: Vec<_> = source_problems(sources)
            .iter()
            .map(ToString::to_string)
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_plain_configuration_has_no_problem() {
        check(
            &[
                stdio("git", &["uvx"]),
                http("crm-2", "http://127.0.0.1:9/mcp", &["X-Team"]),
            ],
            expect![""],
        );
    }

    #[test]
    fn every_problem_is_reported_with_its_remedy() {
        let bare = SourceConfig {
            wire_names: WireNames::Bare,
            ..stdio("bare", &["x"])
        };
        check(
            &[
                stdio("a__b", &["x"]),
                stdio("git", &[]),
                stdio("git", &["x"]),
                bare,
                http("u1", "crm", &[]),
                http("u2", "file:///etc/passwd", &[]),
                http("u3", "https://ana:pw@host/mcp", &[]),
                http("u4", "https://host/mcp", &["Mcp-Session-Id"]),
            ],
            expect![[r#"
                source `a__b`: a name is 1 to 32 letters, digits, `-` and single `_` inside, such as `crm`
                source `git`: the command is empty; name a program
                source `git`: the name is taken by an earlier source; choose another
                source `bare`: bare names need a single source, and there are 8; leave `bare` out
                source `u1`: `crm` is not a URL such as `https://host/mcp`
                source `u2`: `file:///etc/passwd` does not begin with `http://` or `https://`
                source `u3`: the URL carries a credential; move it to `auth`
                source `u4`: the header `Mcp-Session-Id` cannot be configured; leave it out"#]],
        );
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "…");
    }
}
