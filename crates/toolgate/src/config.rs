//! `toolgate.toml`, the environment and the flags, made into one configuration or a list of
//! everything that is wrong with it.
//!
//! Flag > environment (`TOOLGATE_…`, `__` for nesting) > file > default. To add an option: one
//! field of [`Config`] and one line in [`Reading::whole`]; the listing of `config show`, the
//! variable, the type check and the help for typing errors follow from it. Paths in the file are
//! relative to the file, others to where the program runs.
//!
//! Must not know: the file system, the environment, the clock. [`resolve`] is a function.

mod agent;
mod checks;
mod detect;
mod mcp;
mod notify;
mod oauth;
mod reader;
mod schema;
mod secret;
mod show;
mod source;
mod source_host;
mod source_openapi;
mod source_plugin;
mod source_raw;
mod tool;
mod tree;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toolgate_api::Limits;
use toolgate_driver::AgentSpec;
use toolgate_gate::{Capture, Posture, Settings};
use toolgate_model::{Diagnostic, Duration, Severity, Span, Stance, TenantId};
use toolgate_policy::Document;
use toolgate_tools::Overrides;

pub(crate) use mcp::{Entrance, McpSettings, OwnTools};
pub(crate) use notify::DeclaredEndpoint;
pub(crate) use oauth::{DeclaredGrant, DeclaredIssuer, OAuthSettings};
pub(crate) use schema::{descriptor_schema, json_schema};
pub(crate) use show::Listing;
pub(crate) use source::Source;
pub(crate) use source_openapi::DeclaredApi;
pub(crate) use source_plugin::DeclaredPlugin;
pub(crate) use source_raw::DeclaredRaw;
pub(crate) use tree::Origin;

use reader::{Problem, Reader, Section};

/// LIMIT: a configuration is written by hand; a larger file is not one.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// The source that there is without any configuration file.
const HOST: &str = "app";

/// The configuration of one gate.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where the gate listens.
    pub(crate) listen: SocketAddr,
    /// Where it keeps everything.
    pub(crate) data: PathBuf,
    /// Files and directories with policy documents.
    pub(crate) policies: Vec<PathBuf>,
    /// Documents that come with the command and not from files.
    pub(crate) documents: Vec<Document>,
    /// What decisions are made with.
    pub(crate) settings: Settings,
    /// Where tools come from.
    pub(crate) sources: Vec<Source>,
    /// What the operator states about tools.
    pub(crate) overrides: Overrides,
    /// Agents that the file declares.
    pub(crate) agents: Vec<DeclaredAgent>,
    /// Who is told of what stands on the record.
    pub(crate) endpoints: Vec<DeclaredEndpoint>,
    /// Bounds on what comes in.
    pub(crate) limits: Limits,
    /// The MCP face.
    pub(crate) mcp: McpSettings,
    /// Whose tokens are taken.
    pub(crate) oauth: OAuthSettings,
    /// How people reach this gate, without a slash at the end.
    pub(crate) public_url: Option<String>,
    /// Host names that requests may name beside loopback ones.
    pub(crate) hosts: Vec<String>,
    /// Origins that browsers may call from.
    pub(crate) origins: Vec<String>,
}

/// An agent of the configuration file.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredAgent {
    /// What it is.
    pub(crate) spec: AgentSpec,
    /// Whose it is.
    pub(crate) tenant: TenantId,
}

/// The configuration file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    /// Its path as given.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

impl ConfigFile {
    /// Its name in complaints.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// Flags that set a key: `("--listen", "listen", "127.0.0.1:0")`.
pub(crate) type Flags = Vec<(&'static str, &'static str, String)>;

/// One effective value.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    /// Which key.
    pub(crate) path: String,
    /// What it is; never a secret's text.
    pub(crate) value: serde_json::Value,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The configuration.
    pub(crate) config: Config,
    /// Every value with its origin.
    pub(crate) effective: Vec<Effective>,
    /// What is doubtful.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Makes one configuration of all that was said.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub(crate) fn resolve(
    flags: &Flags,
    variables: &BTreeMap<String, String>,
    file: Option<&ConfigFile>,
) -> Result<Resolved, Vec<Diagnostic>> {
    let mut reader = Reader::new(file);
    let mut tree = Vec::new();
    if let Some(file) = file {
        let (entries, errors) = tree::of_toml(&file.text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| syntax(file, error)).collect());
        }
        tree = entries;
    }
    tree::overlay_variables(&mut tree, variables);
    for (flag, path, text) in flags {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        tree::put(&mut tree, &path, (text, &Origin::Flag(flag)));
    }
    let base = file.map_or_else(PathBuf::new, |file| file.directory().to_owned());
    let mut config = Reading {
        reader: &mut reader,
        base: &base,
        plugins: Vec::new(),
    }
    .whole(Section::root(tree));
    if file.is_none() && config.sources.is_empty() {
        // Whoever has written nothing yet can put a program's own functions behind the gate.
        config.sources.push(Source::host(HOST));
    }
    let Reader {
        mut problems,
        mut effective,
        ..
    } = reader;
    problems.sort_by_key(|problem| problem.span.map(|span| span.start));
    effective.sort_by(|a, b| a.path.cmp(&b.path));
    let wrong = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    if wrong {
        Err(problems)
    } else {
        Ok(Resolved {
            config,
            effective,
            warnings: problems,
        })
    }
}

/// Reads the parts of the tree; what is wrong goes to the reader.
struct Reading<'r, 't> {
    reader: &'r mut Reader<'t>,
    base: &'r Path,
    /// The sources that look for their own effects, read before what is stated of their tools.
    plugins: Vec<String>,
}

impl Reading<'_, '_> {
    fn whole(&mut self, mut root: Section) -> Config {
        let root = &mut root;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8787));
        let mut config = Config {
            listen: self.reader.value(root, "listen", listen),
            data: self.path(root, "data", "./toolgate-data"),
            policies: self.paths(root, "policies"),
            documents: Vec::new(),
            settings: self.settings(root),
            sources: self.sources(root),
            overrides: self.overrides(root),
            agents: self.agents(root),
            endpoints: self.endpoints(root),
            limits: self.limits(root),
            mcp: self.mcp(root),
            oauth: self.oauth(root),
            public_url: self.public_url(root),
            hosts: self.reader.value(root, "hosts", Vec::new()),
            origins: self.reader.value(root, "origins", Vec::new()),
        };
        let settings = &mut config.settings;
        settings.detector = self.detector(root);
        let own = |source: &Source| Some((source.name.clone(), source.tool_changes?));
        settings.source_changes = config.sources.iter().filter_map(own).collect();
        let channels = config
            .endpoints
            .iter()
            .map(|endpoint| endpoint.name.clone());
        settings.channels = channels.collect();
        self.check_anonymous(&config);
        self.check_oauth(&config);
        self.store(root);
        let help = "put a TLS proxy in front, and name its host in `hosts`";
        self.reader.unavailable(root, "tls", help);
        let rest = std::mem::replace(root, Section::root(Vec::new()));
        self.reader.finish(rest);
        config
    }

    fn store(&mut self, root: &mut Section) {
        let before = self.reader.problems.len();
        let Some(node) = root.take("store") else {
            self.reader
                .note("store".to_owned(), "sqlite".into(), Origin::Default);
            return;
        };
        let text = match &node.value {
            tree::Value::Text(text) => text.as_str(),
            _ => "",
        };
        let path = ("store", &node.origin);
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let message = "`store` cannot be PostgreSQL yet: it is not available".to_owned();
            let help = Some("leave `store` out, or write `store = \"sqlite\"`".to_owned());
            self.reader
                .complain(Problem::NotAvailable, path, message, help);
        } else if text != "sqlite" {
            self.reader.misfit("store", &node, "\"sqlite\"");
        }
        if self.reader.problems.len() == before {
            self.reader
                .note("store".to_owned(), "sqlite".into(), node.origin);
        }
    }

    fn settings(&mut self, root: &mut Section) -> Settings {
        let defaults = Settings::default();
        let posture = self.posture(root);
        let mut approvals = self.reader.table(root, "approvals");
        let mut idempotency = self.reader.table(root, "idempotency");
        let mut record = self.reader.table(root, "record");
        let mut policy = self.reader.table(root, "policy");
        let reader = &mut *self.reader;
        let settings = Settings {
            posture,
            approval_expires_in: reader.value(
                &mut approvals,
                "expires_in",
                defaults.approval_expires_in,
            ),
            idempotency_ttl: reader.value(&mut idempotency, "ttl", defaults.idempotency_ttl),
            duplicate_window: reader.value(
                &mut idempotency,
                "duplicate_window",
                defaults.duplicate_window,
            ),
            own_domains: reader
                .value::<Vec<String>>(root, "own_domains", Vec::new())
                .iter()
                .map(|domain| domain.trim_end_matches('.').to_ascii_lowercase())
                .collect(),
            tool_changes: reader.value(root, "tool_changes", defaults.tool_changes),
            second_person: reader.value(&mut policy, "second_person", defaults.second_person),
            escalation: escalation(reader, &mut approvals),
            capture: capture(reader, &mut record),
            ..defaults
        };
        [approvals, idempotency, record, policy]
            .into_iter()
            .for_each(|section| reader.finish(section));
        settings
    }

    fn posture(&mut self, root: &mut Section) -> Posture {
        let defaults = Posture::default();
        let mut section = self.reader.table(root, "posture");
        let mut stance = |key, default| -> Stance { self.reader.value(&mut section, key, default) };
        let posture = Posture {
            low: stance("low", defaults.low),
            medium: stance("medium", defaults.medium),
            high: stance("high", defaults.high),
            critical: stance("critical", defaults.critical),
        };
        self.reader.finish(section);
        posture
    }

    fn limits(&mut self, root: &mut Section) -> Limits {
        let mut section = self.reader.table(root, "limits");
        let defaults = Limits::default();
        let mut count = |key, default: usize| -> usize {
            let default = u32::try_from(default).unwrap_or(u32::MAX);
            self.reader.value(&mut section, key, default) as usize
        };
        let body_bytes_max = count("body_bytes", defaults.body_bytes_max);
        let depth_max = count("json_depth", defaults.depth_max);
        let string_bytes_max = count("string_bytes", defaults.string_bytes_max);
        let wait = Duration::from_millis(defaults.wait_ms_max);
        let wait: Duration = self.reader.value(&mut section, "wait", wait);
        self.reader.finish(section);
        let wait_ms_max = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        Limits {
            body_bytes_max,
            depth_max,
            string_bytes_max,
            wait_ms_max,
        }
    }

    fn public_url(&mut self, root: &mut Section) -> Option<String> {
        let place = root.take("public_url")?;
        let text = match &place.value {
            tree::Value::Text(text) => text.trim_end_matches('/'),
            _ => "",
        };
        let plain = ["http://", "https://"].iter().any(|scheme| {
            text.strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty() && !rest.contains('@'))
        });
        if !plain {
            self.reader.misfit(
                "public_url",
                &place,
                "a URL such as \"https://gate.example\"",
            );
            return None;
        }
        self.reader
            .note("public_url".to_owned(), text.into(), place.origin.clone());
        Some(text.to_owned())
    }

    /// A path; in the file it is relative to the file.
    fn path(&mut self, section: &mut Section, key: &'static str, default: &str) -> PathBuf {
        let path: PathBuf = self.reader.value(section, key, PathBuf::from(default));
        self.based(&format!("{}{key}", section.path), path)
    }

    fn paths(&mut self, section: &mut Section, key: &'static str) -> Vec<PathBuf> {
        let texts: Vec<String> = self.reader.value(section, key, Vec::new());
        let path = format!("{}{key}", section.path);
        texts
            .into_iter()
            .map(|text| self.based(&path, PathBuf::from(text)))
            .collect()
    }

    fn based(&self, path: &str, value: PathBuf) -> PathBuf {
        match self.reader.origin_of(path) {
            Origin::File(_) => self.base.join(value),
            _ => value,
        }
    }
}

/// `escalate_after` and `escalate_to`, which mean something only together.
fn escalation(reader: &mut Reader<'_>, approvals: &mut Section) -> Option<(Duration, Vec<String>)> {
    let place = ["escalate_after", "escalate_to"]
        .into_iter()
        .find_map(|key| approvals.peek(key).map(|node| node.origin.clone()));
    let after: Option<Duration> = reader.optional(approvals, "escalate_after");
    let to: Option<Vec<String>> = reader.optional(approvals, "escalate_to");
    match (after, to.filter(|to| !to.is_empty())) {
        (Some(after), Some(to)) => Some((after, to)),
        (None, None) => None,
        _ => {
            let message = "an approval escalates after a time and to somebody".to_owned();
            let help = Some("write both, or leave both out".to_owned());
            if let Some(origin) = &place {
                let place = ("approvals.escalate_after", origin);
                reader.complain(Problem::Value, place, message, help);
            }
            None
        }
    }
}

fn capture(reader: &mut Reader<'_>, section: &mut Section) -> Capture {
    let Some(node) = section.take("capture") else {
        reader.note(
            "record.capture".to_owned(),
            "digest".into(),
            Origin::Default,
        );
        return Capture::Digest;
    };
    let text = match &node.value {
        tree::Value::Text(text) => text.as_str(),
        _ => "",
    };
    let capture = match text {
        "digest" => Capture::Digest,
        "full" => Capture::Full,
        "redacted" => {
            let message = "`record.capture` cannot be `redacted` yet: it is not available";
            let help = Some("write \"digest\" to keep no arguments in the record".to_owned());
            let place = ("record.capture", &node.origin);
            reader.complain(Problem::NotAvailable, place, message.to_owned(), help);
            return Capture::Digest;
        }
        _ => {
            reader.misfit("record.capture", &node, "\"digest\" or \"full\"");
            return Capture::Digest;
        }
    };
    reader.note(
        "record.capture".to_owned(),
        text.into(),
        node.origin.clone(),
    );
    capture
}

fn syntax(file: &ConfigFile, error: &toml::de::Error) -> Diagnostic {
    let span = error
        .span()
        .map(|range| Span::in_text(&file.text, range.start, range.end));
    Diagnostic {
        code: "C001",
        severity: Severity::Error,
        message: format!("this is not TOML: {}", error.message()),
        help: None,
        file: file.name(),
        path: String::new(),
        span,
        related: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
