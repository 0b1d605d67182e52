//! `toolgate doctor`: is everything as it should be, and if not, what mends it?
//!
//! ```text
//! ok   configuration  no problems
//! FIX  data directory it is open to others (mode 755): chmod 700 ./toolgate-data
//! ```
//!
//! It changes nothing. The checks do not know each other; each says one line.
//! Must not know: how a gate is put together.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use toolgate_driver::{failing_tests, unknown_channels};
use toolgate_gate::port::{Clock as _, Tools as _};
use toolgate_model::{Catalogue, Diagnostic, Duration, Severity, SourceHealth, Timestamp};
use toolgate_store::audit::Evidence;
use toolgate_tools::{Ports, Sources};

use super::audit::{key_beside, told};
use crate::admin::{Admin, Ask, recorded_url};
use crate::cli::Run;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload::PolicyFiles;
use crate::shell::{Shell, problems};
use crate::table::rows;
use crate::tasks::Group;
use crate::{catalogue, home, reload};

/// How long sources may take to answer.
// LIMIT: half a minute; `npx` may have to fetch a package first.
const SOURCES_WAIT: Duration = Duration::from_secs(30);

/// Arguments of `toolgate doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate doctor --config toolgate.toml")]
pub(crate) struct Doctor {}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    /// What was seen.
    detail: String,
    /// What mends it; none where nothing has to be.
    fix: Option<String>,
}

impl Run for Doctor {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut findings = Vec::new();
        match shell.resolve(Vec::new()) {
            Err(fault) => findings.push(wrong("configuration", &fault)),
            Ok(resolved) => {
                findings.push(ok("configuration", configuration(resolved.warnings.len())));
                examine(shell, &resolved.config, &mut findings).await;
            }
        }
        let good = findings.iter().all(|finding| finding.fix.is_none());
        let value = json!({
            "ok": good,
            "checks": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        });
        shell.print(&value, || findings.iter().map(Finding::line).collect())?;
        Ok(if good { Exit::Done } else { Exit::Failed })
    }
}

async fn examine(shell: &Shell, config: &Config, findings: &mut Vec<Finding>) {
    let running = running(shell, config).await;
    findings.push(directory(&config.data));
    findings.extend(store(&config.data));
    findings.push(port(config, running.is_some()).await);
    findings.push(policies(config, running.as_ref()).await);
    match &running {
        Some(admin) => {
            findings.push(asked_sources(admin).await);
            findings.extend(asked_tools(admin).await);
        }
        None => findings.extend(tried_sources(shell, config).await),
    }
}

/// The gate on this data directory, if one answers.
async fn running(shell: &Shell, config: &Config) -> Option<Admin> {
    recorded_url(&config.data)?;
    let admin = Admin::open(shell).ok()?;
    admin.body(Ask::get("/healthz")).await.ok().map(|_| admin)
}

fn configuration(warnings: usize) -> String {
    if warnings == 0 {
        "no problems".to_owned()
    } else {
        format!("{warnings} warnings")
    }
}

fn directory(data: &Path) -> Finding {
    let shown = data.display();
    if !data.exists() {
        return ok(
            "data directory",
            format!("`{shown}` is made at the first start"),
        );
    }
    match home::too_open(data) {
        Some(mode) => fix(
            "data directory",
            format!("`{shown}` is open to others (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        ),
        None => ok("data directory", format!("`{shown}` is its owner's alone")),
    }
}

/// The store, its record, and the clock held against the newest of it.
fn store(data: &Path) -> Vec<Finding> {
    if !data.join("toolgate.db").exists() {
        return vec![ok(
            "store",
            "there is none yet; it is made at the first start".to_owned(),
        )];
    }
    let evidence = match Evidence::open(data) {
        Ok(evidence) => evidence,
        Err(error) => {
            return vec![fix(
                "store",
                error.to_string(),
                "restore a backup".to_owned(),
            )];
        }
    };
    let mut newest = None;
    let read = evidence.records(|record| {
        newest = record.entry().ok().map(|entry| entry.at).max(newest);
    });
    let store = match read {
        Ok(()) => ok("store", "it can be read".to_owned()),
        Err(error) => fix("store", error.to_string(), "restore a backup".to_owned()),
    };
    vec![store, record(data, &evidence), clock(newest)]
}

fn record(data: &Path, evidence: &Evidence) -> Finding {
    let report = key_beside(data)
        .map_err(|fault| fault.to_string())
        .and_then(|key| evidence.verify(&key).map_err(|error| error.to_string()));
    let last = |text: String| text.lines().last().unwrap_or_default().to_owned();
    match report {
        Ok(report) if report.is_sound() => ok("record", last(told(&report))),
        Ok(report) => fix(
            "record",
            last(told(&report)),
            "keep a copy, and run `toolgate audit verify` to see the places".to_owned(),
        ),
        Err(why) => fix(
            "record",
            why,
            "name the key with `toolgate audit verify --key`".to_owned(),
        ),
    }
}

fn clock(newest: Option<Timestamp>) -> Finding {
    let now = SystemClock.now();
    match newest {
        Some(newest) if newest > now => fix(
            "clock",
            format!("it is {} behind the newest record", newest.since(now)),
            "enable time synchronisation".to_owned(),
        ),
        _ => ok("clock", now.to_string()),
    }
}

async fn port(config: &Config, running: bool) -> Finding {
    let address = config.listen;
    if running {
        return ok("port", format!("the gate listens on `{address}`"));
    }
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => ok("port", format!("`{address}` is free")),
        Err(error) => fix(
            "port",
            format!("`{address}` cannot be taken: {error}"),
            "stop the other process, or set another `listen`".to_owned(),
        ),
    }
}

async fn policies(config: &Config, running: Option<&Admin>) -> Finding {
    let files = match reload::read(&config.policies) {
        Ok(files) => files,
        Err(fault) => return wrong("policies", &fault),
    };
    let loaded = toolgate_policy::load(&files.documents, &Catalogue::default());
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .count();
    let count = files.documents.len();
    let paths = config
        .policies
        .iter()
        .map(|path| path.display().to_string());
    let paths = paths.collect::<Vec<_>>().join(" ");
    if errors > 0 {
        let detail = format!("{} in {count} files", problems(errors));
        return fix("policies", detail, format!("toolgate check {paths}"));
    }
    if let [first, ..] = red(config, &files, running).await.as_slice() {
        let detail = format!(
            "tests in them fail, so they are not put in force: {}",
            first.message
        );
        return fix("policies", detail, format!("toolgate test {paths}"));
    }
    let channels = unknown_channels(&files.documents, &config.settings.channels);
    if let [first, ..] = channels.as_slice() {
        let detail = format!("`{}`: {}", first.file, first.message);
        let mend = "name an endpoint of `[[notify]]`, or add one".to_owned();
        return fix("policies", detail, mend);
    }
    if count == 0 {
        let detail = "no files; without a policy in force every call is denied".to_owned();
        return ok("policies", detail);
    }
    ok("policies", format!("{count} files load"))
}

/// The tests of the files that fail, where a gate is there to say what the tools are: whether a
/// case holds may hang on their risk.
async fn red(config: &Config, files: &PolicyFiles, running: Option<&Admin>) -> Vec<Diagnostic> {
    let Some(admin) = running else {
        return Vec::new();
    };
    let tools = admin.body(Ask::get("/v1/tools")).await.unwrap_or_default();
    let tools = Arc::new(catalogue::of(&tools).unwrap_or_default());
    let on = (&tools, &config.settings);
    // A test that does not read fails as one that does not hold.
    failing_tests(&files.documents, on, &toolgate_tools::recognise).unwrap_or_else(|wrong| wrong)
}

async fn asked_sources(admin: &Admin) -> Finding {
    match admin.body(Ask::get("/v1/sources")).await {
        Err(fault) => wrong("sources", &fault),
        Ok(sources) => {
            let text = |source: &Value, key: &str| {
                source
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let down = rows(&sources)
                .into_iter()
                .filter(|source| text(source, "health") != "up");
            let down = down.map(|source| (text(&source, "name"), text(&source, "detail")));
            sourced(rows(&sources).len(), down.collect())
        }
    }
}

/// Starts every source, as the gate would, and ends it again.
async fn tried_sources(shell: &Shell, config: &Config) -> Vec<Finding> {
    let configs = config.sources.iter().map(|source| {
        let started = source.started_with(|place| place.fetch(&shell.variables));
        started.map_err(|why| (source.name.clone(), why))
    });
    let configs = match configs.collect::<Result<Vec<_>, _>>() {
        Ok(configs) => configs,
        Err(problem) => return vec![sourced(config.sources.len(), vec![problem])],
    };
    let group = Group::default();
    let ports = Ports {
        clock: Arc::new(SystemClock),
        tasks: Arc::new(group.clone()),
        entropy: Arc::new(SystemEntropy),
        environment: Arc::new(shell.variables.clone()),
    };
    let sources = Sources::start(configs, &config.overrides, ports, Arc::new(|_| {}));
    sources.settled(SOURCES_WAIT).await;
    let (statuses, catalogue) = (sources.sources(), sources.catalogue());
    sources.shutdown().await;
    let down = statuses
        .iter()
        .filter(|source| source.health != SourceHealth::Up);
    let down = down.map(|source| {
        (
            source.name.clone(),
            source.detail.clone().unwrap_or_default(),
        )
    });
    let faults = catalogue.iter().flat_map(|tool| {
        let lines = catalogue.faults(&tool.id).iter();
        lines.map(|line| (tool.id.to_string(), line.clone()))
    });
    vec![
        sourced(statuses.len(), down.collect()),
        checked(faults.collect()),
    ]
}

async fn asked_tools(admin: &Admin) -> Vec<Finding> {
    let tools = match admin.body(Ask::get("/v1/tools")).await {
        Err(fault) => return vec![wrong("descriptors", &fault)],
        Ok(tools) => tools,
    };
    vec![descriptors(&tools), held(&tools)]
}

/// Tools that say something else than was agreed to.
fn held(tools: &Value) -> Finding {
    let is_held = |tool: &Value| tool.get("held").and_then(Value::as_bool) == Some(true);
    let held = rows(tools).into_iter().filter(is_held);
    let held: Vec<_> = held
        .filter_map(|tool| tool.get("id").and_then(Value::as_str).map(str::to_owned))
        .collect();
    match held.as_slice() {
        [] => ok("reviews", "no tool waits for a person".to_owned()),
        [first, ..] => fix(
            "reviews",
            format!(
                "{} held, such as `{first}`: its definition changed",
                held.len()
            ),
            format!("toolgate tool review {first}"),
        ),
    }
}

fn descriptors(tools: &Value) -> Finding {
    let mut faults = Vec::new();
    for tool in rows(tools) {
        let id = tool.get("id").and_then(Value::as_str).unwrap_or_default();
        let lines = tool.get("faults").and_then(Value::as_array);
        let lines = lines.into_iter().flatten().filter_map(Value::as_str);
        faults.extend(lines.map(|line| (id.to_owned(), line.to_owned())));
    }
    checked(faults)
}

/// What is wrong with descriptors, as tool and fault.
fn checked(faults: Vec<(String, String)>) -> Finding {
    match faults.as_slice() {
        [] => ok("descriptors", "what they state fits the tools".to_owned()),
        [(tool, fault), ..] => fix(
            "descriptors",
            format!("{}; `{tool}`: its {fault}", problems(faults.len())),
            format!("mend `[tools.\"{tool}\"]`; until then its calls are denied"),
        ),
    }
}

fn sourced(count: usize, down: Vec<(String, String)>) -> Finding {
    match down.as_slice() {
        [] => ok("sources", format!("{count} of {count} answer")),
        [(name, detail), ..] => fix(
            "sources",
            format!(
                "{} of {count} do not answer; `{name}`: {detail}",
                down.len()
            ),
            format!("try the command or URL of `{name}` by hand"),
        ),
    }
}

fn ok(check: &'static str, detail: String) -> Finding {
    Finding {
        check,
        detail,
        fix: None,
    }
}

fn fix(check: &'static str, detail: String, fix: String) -> Finding {
    Finding {
        check,
        detail,
        fix: Some(fix),
    }
}

fn wrong(check: &'static str, fault: &Fault) -> Finding {
    let text = fault.drawn();
    let hint = "mend what is named here".to_owned();
    Finding {
        check,
        detail: text,
        fix: Some(hint),
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        json!({
            "check": self.check, "ok": self.fix.is_none(),
            "detail": self.detail, "fix": self.fix,
        })
    }

    fn line(&self) -> String {
        match &self.fix {
            None => format!("ok   {:15} {}\n", self.check, self.detail),
            Some(fix) => format!(
                "FIX  {:15} {}\n     {:15} → {fix}\n",
                self.check, self.detail, ""
            ),
        }
    }
}
