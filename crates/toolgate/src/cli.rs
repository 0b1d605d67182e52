//! The command line: one table, one line a command.
//!
//! To add a command: a file under `commands/` with its arguments and a [`Run`], and its line
//! here. Help, completions and the manual follow from it.
//!
//! Must not know: what a command does.

use clap::{Parser, Subcommand};

use crate::commands;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{GlobalArgs, Shell};

/// Decides whether an agent's tool call may run, runs it once, and proves what happened.
#[derive(Debug, Parser)]
#[command(name = "toolgate", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  toolgate demo --once                       the whole story on real parts
  toolgate serve                             the gate on 127.0.0.1:8787
  toolgate mcp wrap -- npx some-server       one MCP server behind a gate of its own

Exit codes:
  0 done or allowed · 1 internal or network · 2 usage · 3 policy or configuration invalid
  4 tests failed · 5 denied · 6 approval required · 7 drift, conflict or broken record · 8 not permitted";

/// What a command does.
pub(crate) trait Run {
    /// Does it, and says how the process ends.
    async fn run(self, shell: &Shell) -> Result<Exit, Fault>;
}

macro_rules! commands {
    ($($(#[$meta:meta])* $name:ident($arguments:ty),)+) => {
        /// Every command.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$meta])* $name($arguments),)+
        }

        impl Command {
            /// Runs whichever it is.
            pub(crate) async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
                match self {
                    $(Self::$name(arguments) => Box::pin(arguments.run(shell)).await,)+
                }
            }
        }
    };
}

impl Command {
    /// What is logged where TOOLGATE_LOG does not say.
    pub(crate) const fn log_filter(&self) -> &'static str {
        match self {
            // Answers are lost on purpose there; warnings about it would only be in the way.
            Self::Demo(_) => "error",
            _ => "warn,toolgate=info",
        }
    }
}

commands! {
    /// See or change agents
    Agent(commands::agent::Agent),
    /// See approvals that wait
    Approvals(commands::approvals::Approvals),
    /// Approve one frozen call, by its digest
    Approve(commands::decide::Approve),
    /// Verify the record, or sign it as it stands
    Audit(commands::audit::Audit),
    /// Check policy documents, offline
    Check(commands::check::Check),
    /// Print a shell's completions
    Completions(commands::completions::Completions),
    /// See the configuration in force
    Config(commands::config::Config),
    /// Find tools that are not behind the gate, offline
    Coverage(commands::coverage::Coverage),
    /// Tell the whole story on real parts
    Demo(commands::demo::Demo),
    /// Refuse one frozen call
    Deny(commands::decide::Deny),
    /// Find data and hidden instructions in a text, offline
    Detect(commands::detect::Detect),
    /// Check everything, and say what mends it
    Doctor(commands::doctor::Doctor),
    /// Decide one call without running it
    Eval(commands::eval::Eval),
    /// Judge the tools of a coding agent, from its own hook
    Hook(commands::hook::Hook),
    /// See or change incidents that rules opened
    Incident(commands::incident::Incident),
    /// Write a configuration and policies to begin with
    Init(commands::init::Init),
    /// See, make, rotate or revoke credentials of agents
    Key(commands::key::Key),
    /// Find rules that cannot do what they seem to, offline
    Lint(commands::lint::Lint),
    /// See the record
    Log(commands::log::Log),
    /// Print the manual page
    Man(commands::man::Man),
    /// Serve MCP on the standard streams
    Mcp(commands::mcp::Mcp),
    /// See who is told of approvals, and what was sent
    Notify(commands::notify::Notify),
    /// Print the OpenAPI document of the HTTP API
    Openapi(commands::openapi::Openapi),
    /// See packs of policies, or copy one to begin with
    Pack(commands::pack::Pack),
    /// See or change policies
    Policy(commands::policy::Policy),
    /// Judge every request of a program before it is sent
    Proxy(commands::proxy::Proxy),
    /// Print the self-contained proof about one invocation
    Receipt(commands::receipt::Receipt),
    /// See calls in doubt, or have the gate look for the effect of one now
    Reconcile(commands::reconcile::Reconcile),
    /// A refund desk to try the gate on
    #[command(hide = true)]
    RefundDesk(commands::refund_desk::RefundDesk),
    /// Say what happened to a call in doubt
    Resolve(commands::resolve::Resolve),
    /// Print the JSON Schema of policies or of the configuration
    Schema(commands::schema::Schema),
    /// Send one frozen call back to the agent for revision
    SendBack(commands::decide::SendBack),
    /// Run the gate
    Serve(commands::serve::Serve),
    /// See where tools come from
    Source(commands::source::Source),
    /// Run the cases of policies, and say what they leave out
    Test(commands::test::Test),
    /// See tools, and review those that changed
    Tool(commands::tool::Tool),
    /// See or add people
    User(commands::user::User),
}
