//! `[[source]]`: where tools come from.
//!
//! ```toml
//! [[source]]
//! name = "crm"
//! mcp = { url = "http://127.0.0.1:9000/mcp", auth = { bearer = "env:CRM_TOKEN" } }
//! ```
//!
//! Must not know: what a secret's text is; that is fetched when the source starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use toolgate_gate::pin::ToolChanges;
use toolgate_model::{Duration, Effect};
use toolgate_tools::{
    ClientScope, EraChoice, HostConfig, Isolation, Secret, SourceConfig, SourceKind, SourceLimits,
    WireNames, source_problems,
};

use super::reader::{Problem, Section};
use super::secret::{FORM, SecretPlace};
use super::tree::{Node, Origin, Value};
use super::{DeclaredApi, DeclaredGrant, DeclaredPlugin, DeclaredRaw, Reading};

/// One source, with its secrets named and not known.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: String,
    /// How it is reached.
    pub(crate) transport: Transport,
    /// How its tools are named towards MCP clients.
    pub(crate) wire_names: WireNames,
    /// Which era of MCP it is spoken to in.
    pub(crate) era: EraChoice,
    /// Who shares a conversation with it.
    pub(crate) isolation: Isolation,
    /// Whether a call of its tools may leave a trace, where nothing else is said of a tool.
    pub(crate) effect: Effect,
    /// What its server may ask of the client behind a call.
    pub(crate) client: ClientScope,
    /// Its bounds.
    pub(crate) limits: SourceLimits,
    /// What happens to its tools when they change, where it differs from the gate's own setting.
    pub(crate) tool_changes: Option<ToolChanges>,
}

/// How a source is reached.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    /// A process that speaks MCP over its standard streams.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its environment beside the few variables that every source gets.
        env: BTreeMap<String, SecretPlace>,
        /// Where it runs.
        cwd: Option<PathBuf>,
    },
    /// A server that speaks MCP over HTTP.
    Http {
        /// Its endpoint.
        url: String,
        /// The gate's own credential there.
        bearer: Option<SecretPlace>,
        /// How it gets one, where none stands fast.
        grant: Option<DeclaredGrant>,
        /// Further headers.
        headers: BTreeMap<String, SecretPlace>,
    },
    /// An HTTP API with a description.
    OpenApi(Box<DeclaredApi>),
    /// A plugin.
    Plugin(DeclaredPlugin),
    /// A program that runs its tools itself.
    Host(HostConfig),
    /// A service to which raw requests are sent.
    Raw(Box<DeclaredRaw>),
}

impl Transport {
    /// How the gate gets its token there, where it has to get one.
    pub(crate) const fn grant(&self) -> Option<&DeclaredGrant> {
        match self {
            Self::Http { grant, .. } => grant.as_ref(),
            Self::OpenApi(api) => api.grant.as_ref(),
            Self::Raw(raw) => raw.grant.as_ref(),
            Self::Stdio { .. } | Self::Plugin(_) | Self::Host(_) => None,
        }
    }

    /// The address that such a token is for.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Http { url, .. } => Some(url),
            Self::OpenApi(api) => api.base_url.as_deref(),
            Self::Raw(raw) => Some(&raw.base_url),
            Self::Stdio { .. } | Self::Plugin(_) | Self::Host(_) => None,
        }
    }
}

impl Source {
    /// A stdio source with nothing else said.
    pub(crate) fn stdio(name: &str, command: Vec<String>) -> Self {
        let transport = Transport::Stdio {
            command,
            env: BTreeMap::new(),
            cwd: None,
        };
        Self {
            name: name.to_owned(),
            transport,
            wire_names: WireNames::default(),
            era: EraChoice::default(),
            isolation: Isolation::default(),
            effect: Effect::Some,
            client: ClientScope::default(),
            limits: SourceLimits::default(),
            tool_changes: None,
        }
    }

    /// A server without credentials, with nothing else said.
    pub(crate) fn http(name: &str, url: String) -> Self {
        let transport = Transport::Http {
            url,
            bearer: None,
            grant: None,
            headers: BTreeMap::new(),
        };
        Self {
            transport,
            ..Self::stdio(name, Vec::new())
        }
    }

    /// A host with which any trusted one registers its tools.
    pub(crate) fn host(name: &str) -> Self {
        Self {
            transport: Transport::Host(HostConfig::default()),
            ..Self::stdio(name, Vec::new())
        }
    }

    /// The source as it is started, its secrets got by `fetch`.
    ///
    /// # Errors
    /// A sentence of `fetch` about the first secret that cannot be had.
    pub(crate) fn started_with(
        &self,
        fetch: impl Fn(&SecretPlace) -> Result<Secret, String>,
    ) -> Result<SourceConfig, String> {
        let all = |places: &BTreeMap<String, SecretPlace>| fetched(places, &fetch);
        let kind = match &self.transport {
            Transport::Stdio { command, env, cwd } => SourceKind::Stdio {
                command: command.clone(),
                env: all(env)?,
                cwd: cwd.clone(),
            },
            Transport::Http {
                url,
                bearer,
                headers,
                ..
            } => SourceKind::Http {
                url: url.clone(),
                bearer: bearer.as_ref().map(&fetch).transpose()?,
                headers: all(headers)?,
            },
            Transport::OpenApi(api) => SourceKind::OpenApi(Box::new(api.started_with(fetch)?)),
            Transport::Plugin(plugin) => SourceKind::Plugin(Box::new(plugin.started_with(fetch)?)),
            Transport::Host(host) => SourceKind::Host(Box::new(host.clone())),
            Transport::Raw(raw) => SourceKind::Raw(Box::new(raw.started_with(fetch)?)),
        };
        Ok(SourceConfig {
            name: self.name.clone(),
            kind,
            wire_names: self.wire_names,
            era: self.era,
            isolation: match self.transport.grant() {
                // A conversation that is held as a person is nobody else's.
                Some(grant) if grant.is_exchange() => Isolation::Principal,
                _ => self.isolation,
            },
            effect: self.effect,
            client: self.client,
            limits: self.limits,
            grants: None,
        })
    }
}

/// The words that a key can hold and what each stands for; the first is meant where nobody wrote
/// the key.
type Words<T> = ((&'static str, T), &'static [(&'static str, T)]);

const NAMES: Words<WireNames> = (
    ("prefixed", WireNames::Prefixed),
    &[("bare", WireNames::Bare)],
);
const ERAS: Words<EraChoice> = (
    ("auto", EraChoice::Auto),
    &[("modern", EraChoice::Modern), ("legacy", EraChoice::Legacy)],
);
const ISOLATIONS: Words<Isolation> = (
    ("shared", Isolation::Shared),
    &[("principal", Isolation::Principal)],
);
const EFFECTS: Words<Effect> = (("some", Effect::Some), &[("none", Effect::None)]);

/// Reads the table of one kind of source.
type Read = for<'r, 'a, 'b> fn(&'r mut Reading<'a, 'b>, &str, Node) -> Option<Transport>;

/// The kinds of sources, by the table that says how one is reached.
const KINDS: [(&str, Read); 5] = [
    ("mcp", |reading, path, node| reading.mcp_server(path, node)),
    ("openapi", |reading, path, node| reading.openapi(path, node)),
    ("plugin", |reading, path, node| reading.plugin(path, node)),
    ("host", |reading, path, node| reading.host(path, node)),
    ("http", |reading, path, node| reading.raw(path, node)),
];

/// LIMIT: a description is a file of the operator's own; the largest measured has 1,223 operations.
const DESCRIBED_TOOLS_MAX: usize = 5_000;

/// These secrets, got by `fetch`.
///
/// # Errors
/// A sentence of `fetch` about the first one that cannot be had.
pub(super) fn fetched(
    places: &BTreeMap<String, SecretPlace>,
    fetch: impl Fn(&SecretPlace) -> Result<Secret, String>,
) -> Result<BTreeMap<String, Secret>, String> {
    let fetched = places
        .iter()
        .map(|(name, place)| Ok((name.clone(), fetch(place)?)));
    fetched.collect()
}

impl Reading<'_, '_> {
    /// All sources.
    pub(super) fn sources(&mut self, root: &mut Section) -> Vec<Source> {
        let sections = self.reader.tables(root, "source");
        let origins: Vec<_> = sections
            .iter()
            .map(|section| section.origin.clone())
            .collect();
        let mut sources = Vec::new();
        let mut places = Vec::new();
        for (section, origin) in sections.into_iter().zip(origins) {
            let path = section.path.clone();
            if let Some(source) = self.source(section) {
                if let Transport::Plugin(_) = source.transport {
                    self.plugins.push(source.name.clone());
                }
                sources.push(source);
                places.push((path, origin));
            }
        }
        self.check(&sources, &places);
        sources
    }

    /// What the tools themselves would refuse.
    fn check(&mut self, sources: &[Source], places: &[(String, Origin)]) {
        let blank = |_: &SecretPlace| Ok(Secret::new(""));
        let configs: Vec<_> = sources
            .iter()
            .filter_map(|source| source.started_with(blank).ok())
            .collect();
        for problem in source_problems(&configs) {
            if let Some((path, origin)) = places.get(problem.position) {
                self.reader.complain(
                    Problem::Contradiction,
                    (path, origin),
                    problem.to_string(),
                    None,
                );
            }
        }
    }

    fn source(&mut self, mut section: Section) -> Option<Source> {
        let name: Option<String> = self.reader.required(&mut section, "name");
        let wire_names = self.choice(&mut section, "names", &NAMES);
        let era = self.choice(&mut section, "era", &ERAS);
        let isolation = self.choice(&mut section, "isolation", &ISOLATIONS);
        let effect = self.choice(&mut section, "effect", &EFFECTS);
        let client = self.client(&mut section);
        let limits = self.source_limits(&mut section);
        let tool_changes = self.reader.optional(&mut section, "tool_changes");
        let transport = self.transport(&mut section);
        self.reader.finish(section);
        Some(Source {
            name: name?,
            transport: transport?,
            wire_names,
            era,
            isolation,
            effect,
            client,
            limits,
            tool_changes,
        })
    }

    /// What one of these words stands for; the first of them where nobody wrote the key.
    fn choice<T: Copy + 'static>(
        &mut self,
        section: &mut Section,
        key: &'static str,
        words: &Words<T>,
    ) -> T {
        let ((_, default), others) = words;
        let all = || [&words.0].into_iter().chain(*others);
        let Some(node) = section.take(key) else {
            return *default;
        };
        let path = format!("{}{key}", section.path);
        let written = match &node.value {
            Value::Text(text) => all().find(|(word, _)| word == text),
            _ => None,
        };
        let Some((word, chosen)) = written else {
            let quoted: Vec<String> = all().map(|(word, _)| format!("{word:?}")).collect();
            self.reader.misfit(&path, &node, &quoted.join(" or "));
            return *default;
        };
        self.reader.note(path, (*word).into(), node.origin);
        *chosen
    }

    fn client(&mut self, section: &mut Section) -> ClientScope {
        let mut client = self.reader.table(section, "client");
        let default = ClientScope::default();
        let mut allowed = |key, default| {
            let found = self.reader.optional(&mut client, key);
            found.unwrap_or(default)
        };
        let scope = ClientScope {
            sampling: allowed("sampling", default.sampling),
            elicitation: allowed("elicitation", default.elicitation),
            roots: allowed("roots", default.roots),
            assumed: allowed("assumed", default.assumed),
        };
        self.reader.finish(client);
        scope
    }

    fn source_limits(&mut self, section: &mut Section) -> SourceLimits {
        let defaults = SourceLimits {
            tools_max: match section.has("openapi") {
                true => DESCRIBED_TOOLS_MAX,
                false => SourceLimits::default().tools_max,
            },
            ..SourceLimits::default()
        };
        let reader = &mut *self.reader;
        let span = |found: Option<Duration>, default| found.unwrap_or(default);
        let count = |found: Option<u32>, default| found.map_or(default, |count| count as usize);
        SourceLimits {
            start_timeout: span(
                reader.optional(section, "start_timeout"),
                defaults.start_timeout,
            ),
            call_timeout: span(reader.optional(section, "timeout"), defaults.call_timeout),
            tools_max: count(reader.optional(section, "tools_max"), defaults.tools_max),
            offers_max: count(reader.optional(section, "offers_max"), defaults.offers_max),
            message_bytes_max: count(
                reader.optional(section, "message_bytes"),
                defaults.message_bytes_max,
            ),
            ..defaults
        }
    }

    /// How it is reached: exactly one of the tables says so.
    fn transport(&mut self, section: &mut Section) -> Option<Transport> {
        let mut written = KINDS.iter().filter(|(kind, _)| section.has(kind));
        let (first, further) = (written.next().copied(), written.next().copied());
        let Some((kind, read)) = first else {
            let message = format!("`{}mcp` is missing", section.path);
            let help = "write one of `mcp = { … }`, `openapi = { … }`, `plugin = { … }`, \
                        `host = { … }`, `http = { … }`";
            let place = (format!("{}mcp", section.path), section.origin.clone());
            let help = Some(help.to_owned());
            self.reader
                .complain(Problem::Missing, (&place.0, &place.1), message, help);
            return None;
        };
        if let Some((second, _)) = further {
            let message = format!("the source is both `{kind}` and `{second}`");
            let help = Some("make two sources of it".to_owned());
            let place = (section.path.clone(), section.origin.clone());
            self.reader
                .complain(Problem::Contradiction, (&place.0, &place.1), message, help);
            for (kind, _) in KINDS {
                section.take(kind);
            }
            return None;
        }
        let path = format!("{}{kind}", section.path);
        let node = section.take(kind)?;
        read(self, &path, node)
    }

    fn mcp_server(&mut self, path: &str, node: Node) -> Option<Transport> {
        let origin = node.origin.clone();
        let mut mcp = self.reader.as_table(path, node);
        let command: Option<Vec<String>> = self.reader.optional(&mut mcp, "command");
        let url: Option<String> = self.reader.optional(&mut mcp, "url");
        let transport = match (command, url) {
            (Some(command), None) => Some(self.stdio(&mut mcp, command)),
            (None, Some(url)) => Some(self.http(&mut mcp, url)),
            (both, _) => {
                let wrong = if both.is_some() { "both" } else { "neither" };
                let message = format!("`{path}` has {wrong} of `command` and `url`");
                let help = "a process has `command`, a server has `url`".to_owned();
                let place = (path, &origin);
                self.reader
                    .complain(Problem::Contradiction, place, message, Some(help));
                mcp.take_rest();
                None
            }
        };
        self.reader.finish(mcp);
        transport
    }

    fn stdio(&mut self, mcp: &mut Section, command: Vec<String>) -> Transport {
        let env = self.places(mcp, "env");
        let cwd: Option<PathBuf> = self.reader.optional(mcp, "cwd");
        let cwd = cwd.map(|cwd| self.base.join(cwd));
        Transport::Stdio { command, env, cwd }
    }

    fn http(&mut self, mcp: &mut Section, url: String) -> Transport {
        let headers = self.places(mcp, "headers");
        let mut auth = self.reader.table(mcp, "auth");
        let grant = self.auth_grant(&mut auth);
        let path = format!("{}bearer", auth.path);
        let bearer = auth
            .take("bearer")
            .and_then(|node| self.place(&path, "bearer token", &node));
        self.reader.finish(auth);
        Transport::Http {
            url,
            bearer,
            grant,
            headers,
        }
    }

    /// A table whose keys are names of variables or headers.
    pub(super) fn places(
        &mut self,
        mcp: &mut Section,
        key: &'static str,
    ) -> BTreeMap<String, SecretPlace> {
        let mut table = self.reader.table(mcp, key);
        let mut places = BTreeMap::new();
        for entry in table.take_rest() {
            let path = format!("{}{}", table.path, entry.key);
            if let Some(place) = self.place(&path, &entry.key, &entry.node) {
                places.insert(entry.key, place);
            }
        }
        places
    }

    pub(super) fn place(&mut self, path: &str, name: &str, node: &Node) -> Option<SecretPlace> {
        let Value::Text(text) = &node.value else {
            self.reader.misfit(path, node, "a text in quotes");
            return None;
        };
        let Some(place) = SecretPlace::under(name, text, self.base) else {
            // The text itself is not shown: it is probably the secret.
            let message = format!("`{path}` holds a secret in the open");
            let place = (path, &node.origin);
            self.reader.complain(
                Problem::LiteralSecret,
                place,
                message,
                Some(FORM.to_owned()),
            );
            return None;
        };
        self.reader
            .note(path.to_owned(), json!(place.shown()), node.origin.clone());
        Some(place)
    }
}
