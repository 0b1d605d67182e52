//! `toolgate agent`: who may propose calls, and what they reach.
//!
//! ```text
//! toolgate agent add billing_agent --owner ana@acme.com --tool 'stripe.*' --max-risk high
//! toolgate agent can billing_agent stripe.refund --arguments '{"charge": "ch_1"}'
//! ```
//!
//! Must not know: how reach is judged; the gate answers `can` with the code that decides calls.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table};

/// Arguments of `toolgate agent`.
#[derive(Debug, Args)]
pub(crate) struct Agent {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an agent; it reaches nothing but what is listed here
    #[command(
        after_help = "Example: toolgate agent add billing_agent --owner ana@acme.com \
                            --tool 'stripe.*' --resource 'customer:*' --max-risk high"
    )]
    Add(Box<Add>),
    /// List all agents
    Ls,
    /// Show one agent
    Show {
        /// Its id
        id: String,
    },
    /// Suspend an agent: from the next call on its keys authenticate nobody
    Suspend {
        /// Its id
        id: String,
    },
    /// Let a suspended agent go on
    Resume {
        /// Its id
        id: String,
    },
    /// Ask what an agent could do right now, and why not
    Can(Can),
}

/// A new agent.
#[derive(Debug, Args)]
struct Add {
    /// Its id
    id: String,
    /// The person who answers for it, and who never approves its calls
    #[arg(long)]
    owner: String,
    /// reader, agent or service
    #[arg(long, default_value = "agent")]
    role: String,
    #[command(flatten)]
    reach: ReachArgs,
    /// The highest risk of a tool that it reaches
    #[arg(long, value_name = "RISK")]
    max_risk: Option<String>,
    /// No limits of reach; rules and posture still bind it
    #[arg(long, conflicts_with_all = ["tools", "resources", "envs", "workflows", "max_risk"])]
    admin: bool,
    /// What runs it, such as claude-code
    #[arg(long)]
    runtime: Option<String>,
    /// The project it belongs to
    #[arg(long)]
    project: Option<String>,
    /// Take its word for what its user said and which session a call belongs to
    #[arg(long)]
    trusted_host: bool,
}

/// What is reached, or narrowed.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    /// A tool or a pattern of tools; may be repeated
    #[arg(long = "tool", value_name = "TOOL")]
    tools: Vec<String>,
    /// A resource or a pattern of resources; may be repeated
    #[arg(long = "resource", value_name = "RESOURCE")]
    resources: Vec<String>,
    /// A plugin action `provider:action`; may be repeated
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
    /// An environment; may be repeated
    #[arg(long = "env", value_name = "ENV")]
    envs: Vec<String>,
    /// A workflow; may be repeated
    #[arg(long = "workflow", value_name = "WORKFLOW")]
    workflows: Vec<String>,
}

impl ReachArgs {
    /// As the API takes it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "tools": self.tools,
            "resources": self.resources,
            "actions": self.actions,
            "envs": self.envs,
            "workflows": self.workflows,
        })
    }

    /// Whether nothing is listed.
    fn is_empty(&self) -> bool {
        let lists = [
            &self.tools,
            &self.resources,
            &self.actions,
            &self.envs,
            &self.workflows,
        ];
        lists.iter().all(|list| list.is_empty())
    }
}

/// A question about one agent.
#[derive(Debug, Args)]
struct Can {
    /// Its id
    id: String,
    /// The tool; all tools, if not said
    tool: Option<String>,
    /// Arguments of the call, as JSON
    #[arg(long, requires = "tool", value_name = "JSON")]
    arguments: Option<String>,
    /// The resource that the call claims
    #[arg(long, requires = "tool")]
    resource: Option<String>,
    /// The environment
    #[arg(long, requires = "tool")]
    env: Option<String>,
    /// The workflow
    #[arg(long, requires = "tool")]
    workflow: Option<String>,
}

impl Run for Agent {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Add(add) => {
                let agent = admin.body(Ask::post("/v1/agents", add.to_json())).await?;
                shell.print(&agent, || {
                    let reach = if add.admin {
                        "reaches everything"
                    } else if add.reach.is_empty() {
                        "reaches nothing yet"
                    } else {
                        "reaches what you listed and nothing else"
                    };
                    format!("{} is there: it {reach}", add.id)
                })?;
            }
            What::Ls => {
                let agents = admin.body(Ask::get("/v1/agents")).await?;
                let columns = [
                    ("ID", "/id"),
                    ("OWNER", "/owner"),
                    ("ROLE", "/role"),
                    ("TENANT", "/tenant"),
                    ("SUSPENDED", "/suspended"),
                ];
                shell.print(&agents, || table(&rows(&agents), &columns))?;
            }
            What::Show { id } => {
                let agent = admin.body(Ask::get(format!("/v1/agents/{id}"))).await?;
                shell.print(&agent, || pretty(&agent))?;
            }
            What::Suspend { id } => {
                let path = format!("/v1/agents/{id}/suspend");
                let agent = admin.body(Ask::post(path, json!({}))).await?;
                shell.print(&agent, || {
                    format!("{id} is suspended; its next call is refused")
                })?;
            }
            What::Resume { id } => {
                let path = format!("/v1/agents/{id}/resume");
                let agent = admin.body(Ask::post(path, json!({}))).await?;
                shell.print(&agent, || format!("{id} may go on"))?;
            }
            What::Can(can) => return can.ask(&admin, shell).await,
        }
        Ok(Exit::Done)
    }
}

impl Add {
    fn to_json(&self) -> Value {
        let profile = if self.admin {
            json!({"mode": "admin"})
        } else if self.reach.is_empty() {
            json!({"mode": "scoped", "grants": []})
        } else {
            let mut grant = self.reach.to_json();
            if let (Some(map), Some(risk)) = (grant.as_object_mut(), &self.max_risk) {
                map.insert("max_risk".to_owned(), json!(risk));
            }
            json!({"mode": "scoped", "grants": [grant]})
        };
        let mut body =
            json!({"id": self.id, "owner": self.owner, "role": self.role, "profile": profile});
        if let Some(map) = body.as_object_mut().filter(|_| self.trusted_host) {
            map.insert("trusted_host".to_owned(), json!(true));
        }
        let optional = [("runtime", &self.runtime), ("project", &self.project)];
        for (key, value) in optional {
            if let (Some(map), Some(value)) = (body.as_object_mut(), value) {
                map.insert(key.to_owned(), json!(value));
            }
        }
        body
    }
}

impl Can {
    /// With a tool the exit code is the answer; a survey of all tools is data.
    async fn ask(self, admin: &Admin, shell: &Shell) -> Result<Exit, Fault> {
        let ask = Ask::get(format!("/v1/agents/{}/can", self.id))
            .with("tool", self.tool.as_ref())
            .with("arguments", self.arguments)
            .with("resource", self.resource)
            .with("env", self.env)
            .with("workflow", self.workflow);
        let answer = admin.body(ask).await?;
        let columns = [
            ("TOOL", "/tool"),
            ("ANSWER", "/answer"),
            ("CODE", "/code"),
            ("REASON", "/reason"),
        ];
        let found = rows(&answer);
        shell.print(&answer, || table(&found, &columns))?;
        if self.tool.is_none() {
            return Ok(Exit::Done);
        }
        let word = found
            .first()
            .and_then(|first| first.get("answer"))
            .and_then(Value::as_str);
        Ok(match word {
            Some("yes") => Exit::Done,
            Some("with_approval") => Exit::ApprovalRequired,
            Some("no") => Exit::Denied,
            // `depends` is an answer to a question that left the arguments open.
            Some("depends") => Exit::Done,
            _ => Exit::Failed,
        })
    }
}
