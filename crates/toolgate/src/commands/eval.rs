//! `toolgate eval`: what would the gate say to this call? Nothing runs.
//!
//! ```text
//! toolgate eval -f call.json --policy policies/ --explain
//! approval_required by refunds/r2: amount > 500 or env == prod
//! ```
//!
//! A raw request stands as `http` instead of `tool` and `arguments`; what may be sent of it is
//! `request` in the answer.
//!
//! With `--policy` it works offline, on the same code that decides calls, as the first call ever made; without, the running
//! gate is asked, and where none runs the configured policies are taken. The exit code is the
//! verdict: 0, 5 or 6; whatever could not be evaluated is 1.
//!
//! Must not know: how a call is decided; `gate` does.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use toolgate_gate::history::Ledger;
use toolgate_gate::port::{Clock as _, PolicyDocument, Stored};
use toolgate_gate::{Configuration, Judged, Question, explain, unscoped};
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{
    Agent, AgentId, Call, Catalogue, Code, HttpRequest, Identity, Mode, Profile, Recognition, Risk,
    Role, TenantId, Timestamp, ToolId, Trigger, Verdict,
};
use toolgate_tools::recognise;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;
use crate::explained;
use crate::fault::Fault;
use crate::shell::{Shell, problems, read_text};
use crate::{catalogue, reload};

/// Arguments of `toolgate eval`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate eval -f call.json --policy policies/ --explain")]
pub(crate) struct Eval {
    /// The call, as POST /v1/invocations takes it, with `agent` beside; `-` reads it from stdin
    #[arg(short = 'f', long, value_name = "CALL")]
    file: PathBuf,
    /// Show the truth of every part of every rule that was looked at
    #[arg(long)]
    explain: bool,
    /// Policy files or directories: decide offline with these; may be repeated
    #[arg(long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// Tools, as `toolgate tool ls --json` prints them
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// The risk of a tool that `--tools` does not name
    #[arg(long, default_value = "high")]
    risk: String,
}

/// A call to be judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    tool: Option<ToolId>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
    /// A raw request instead of both.
    #[serde(default)]
    http: Option<HttpRequest>,
    #[serde(default)]
    env: Option<String>,
    #[serde(default)]
    workflow: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    trigger: Option<Trigger>,
    #[serde(default)]
    allow_duplicate: bool,
    #[serde(default)]
    justification: Option<String>,
    /// Who calls; an agent of the configuration keeps its profile.
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    tenant: Option<TenantId>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    runtime: Option<String>,
    /// When; now, if not said.
    #[serde(default)]
    at: Option<Timestamp>,
}

impl Run for Eval {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let text = read_text(&self.file, Limits::CALL.bytes_max as u64)?;
        let value = parse(text.as_bytes(), Limits::CALL, Numbers::Exact).map_err(|error| {
            Fault::usage(format!("`{}` is not a call: {error}", self.file.display()))
        })?;
        if !self.policy.is_empty() {
            let config = shell.resolve(Vec::new())?.config;
            return self.offline(shell, value, &config, &self.policy);
        }
        match Admin::open(shell) {
            Ok(admin) => self.online(shell, &admin, value).await,
            Err(fault) if fault.code() == "unreachable" => {
                let config = shell.resolve(Vec::new())?.config;
                if config.policies.is_empty() {
                    return Err(fault.help("name policies with `--policy` to work offline"));
                }
                shell.say("no gate runs here; deciding offline with the configured policies");
                let policies = config.policies.clone();
                self.offline(shell, value, &config, &policies)
            }
            Err(fault) => Err(fault),
        }
    }
}

impl Eval {
    async fn online(&self, shell: &Shell, admin: &Admin, call: Value) -> Result<Exit, Fault> {
        let answer = admin.body(Ask::post("/v1/evaluate", call)).await?;
        self.tell(shell, &answer)
    }

    fn offline(
        &self,
        shell: &Shell,
        call: Value,
        config: &Config,
        policies: &[PathBuf],
    ) -> Result<Exit, Fault> {
        let written: Written = serde_path_to_error::deserialize(call).map_err(|error| {
            Fault::usage(format!("`{}` is not a call: {error}", self.file.display()))
                .help("write it as POST /v1/invocations takes it, with `agent` beside")
        })?;
        let now = written.at.unwrap_or_else(|| SystemClock.now());
        let identity = identity(&written, config, now);
        let (call, recognition) = written.into_call(&config.settings.own_domains)?;
        let configuration = self.configuration(shell, &call, (config, policies))?;
        // Offline nobody has called before: that is known, and not unknown.
        let nothing = Ledger::new(config.settings.history);
        let question = Question::from(&call).knowing(&nothing);
        let judged = explain(&configuration, &identity, question, now);
        let (judged, explanation) = judged.map_err(|denial| {
            Fault::failed(format!("the call cannot be judged: {}", denial.message))
                .coded(denial.code.as_str())
        })?;
        let mut answer = judgement(&judged);
        let request = recognition.and_then(|found| may_be_sent(&found, &judged, &call));
        if let (Some(request), Some(map)) = (request, answer.as_object_mut()) {
            map.insert("request".to_owned(), json!(request));
        }
        if let (true, Some(map)) = (self.explain, answer.as_object_mut()) {
            map.insert("explanation".to_owned(), json!(explanation));
        }
        self.tell(shell, &answer)
    }

    fn configuration(
        &self,
        shell: &Shell,
        call: &Call,
        (config, policies): (&Config, &[PathBuf]),
    ) -> Result<Configuration, Fault> {
        let files = reload::read(policies)?;
        let documents = files.documents.iter().map(|document| PolicyDocument {
            name: document.name.clone(),
            text: document.text.clone(),
        });
        let stored = Stored {
            policies: documents.collect(),
            ..Stored::default()
        };
        let known = catalogue::read(self.tools.as_deref())?;
        let known = self.with_called(shell, known, call)?;
        let configuration =
            Configuration::build(stored, Arc::new(known), config.settings.clone(), None);
        if configuration.policy_errors().next().is_some() {
            let diagnostics = configuration.diagnostics.clone();
            let errors = configuration.policy_errors().count();
            let message = format!("the policies have {}", problems(errors));
            return Err(Fault::invalid(
                message,
                reload::findings(diagnostics, &files),
            ));
        }
        Ok(configuration)
    }

    /// The catalogue with the called tool in it, so that its rules can be judged at all.
    fn with_called(
        &self,
        shell: &Shell,
        known: Catalogue,
        call: &Call,
    ) -> Result<Catalogue, Fault> {
        let is_known = call.recognised.is_some() || known.get(&call.tool).is_some();
        if self.tools.is_some() || is_known {
            return Ok(known);
        }
        let risk = Risk::parse(&self.risk).ok_or_else(|| {
            Fault::usage(format!("`{}` is not a risk", self.risk))
                .help("write low, medium, high or critical")
        })?;
        shell.say(&format!(
            "nothing is known of `{}`; taken as {risk} risk with any arguments (--tools, --risk)",
            call.tool
        ));
        Ok(Catalogue::new([catalogue::assumed(
            call.tool.clone(),
            risk,
        )]))
    }

    fn tell(&self, shell: &Shell, answer: &Value) -> Result<Exit, Fault> {
        let decision = answer.get("decision").unwrap_or(answer);
        let verdict = decision
            .get("verdict")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let verdict = Verdict::parse(verdict);
        let denial = answer.get("denial").filter(|denial| !denial.is_null());
        let denial = denial
            .or_else(|| decision.get("denial"))
            .filter(|denial| !denial.is_null());
        let code = denial
            .and_then(|denial| denial.get("code"))
            .and_then(Value::as_str);
        shell.print(answer, || {
            let mut text = explained::sentence(verdict, decision, denial);
            if let (true, Some(explanation)) = (self.explain, answer.get("explanation")) {
                text.push_str(&explained::tree(explanation));
            }
            text
        })?;
        Ok(match verdict {
            Some(Verdict::Allow | Verdict::Sanitize) => Exit::Done,
            Some(Verdict::RequireApproval) => Exit::ApprovalRequired,
            // A gate that could not decide has not denied anything on purpose.
            Some(Verdict::Deny) if code == Some(Code::GateUnavailable.as_str()) => Exit::Failed,
            Some(Verdict::Deny) => Exit::Denied,
            None => Exit::Failed,
        })
    }
}

impl Written {
    /// The call, and what a raw request was recognised as.
    fn into_call(self, own_domains: &[String]) -> Result<(Call, Option<Recognition>), Fault> {
        let (call, recognition) = match (self.tool, self.http) {
            (Some(tool), None) => {
                let arguments = self.arguments.unwrap_or_else(|| json!({}));
                (Call::new(tool, arguments), None)
            }
            (None, Some(request)) if self.arguments.is_none() => {
                let found = recognise(&request, own_domains)
                    .map_err(|denial| Fault::failed(denial.message).coded(denial.code.as_str()))?;
                (found.clone().call(), Some(found))
            }
            (Some(_), Some(_)) | (None, _) => {
                return Err(Fault::usage("the call names no tool, or more than one")
                    .help("write `tool` and `arguments`, or `http` instead of both"));
            }
        };
        let call = Call {
            // A verdict, whoever would run or send it.
            mode: Mode::Decide,
            version: self.version,
            env: self.env,
            workflow: self.workflow,
            resource: self.resource,
            trigger: self.trigger,
            allow_duplicate: self.allow_duplicate,
            justification: self.justification,
            ..call
        };
        Ok((call, recognition))
    }
}

/// The request that may be sent; none where it may not, or where what was sanitized cannot be
/// replaced in it.
fn may_be_sent(found: &Recognition, judged: &Judged, call: &Call) -> Option<HttpRequest> {
    match judged.decision.verdict {
        Verdict::Allow | Verdict::Sanitize => {
            found.request_with(judged.sanitized.as_ref().unwrap_or(&call.arguments))
        }
        Verdict::RequireApproval | Verdict::Deny => None,
    }
}

/// The agent as the configuration declares it; one that it does not know reaches everything, so
/// that rules and posture alone decide.
fn identity(written: &Written, config: &Config, now: Timestamp) -> Identity {
    let id = written.agent.clone().unwrap_or_else(AgentId::gate);
    let declared = config.agents.iter().find(|agent| agent.spec.id == id);
    let agent = Agent {
        tenant: written
            .tenant
            .clone()
            .or_else(|| declared.map(|agent| agent.tenant.clone()))
            .unwrap_or_default(),
        owner: declared.map_or_else(AgentId::gate, |agent| agent.spec.owner.clone()),
        role: written
            .role
            .or_else(|| declared.map(|agent| agent.spec.role))
            .unwrap_or_default(),
        profile: declared.map_or(Profile::Admin, |agent| agent.spec.profile.clone()),
        runtime: written.runtime.clone(),
        project: written.project.clone(),
        trusted_host: false,
        suspended: false,
        created_at: now,
        id,
    };
    unscoped(&Arc::new(agent), now)
}

fn judgement(judged: &Judged) -> Value {
    json!({
        "decision": judged.decision,
        "env": judged.env,
        "workflow": judged.workflow,
        "resource": judged.resource,
    })
}
