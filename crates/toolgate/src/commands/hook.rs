//! `toolgate hook`: what a coding agent runs before and after each of its tools.
//!
//! ```text
//! {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [
//!   {"type": "command", "command": "toolgate hook claude-code || exit 2", "timeout": 120}]}]}}
//! ```
//!
//! The exit codes are the agents': 0 goes on, 2 is a refusal with its reason on standard error. Any
//! other code lets their tool run, so nothing here ends with one before a tool, a panic included.
//! Must not know: how an event is answered.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures_util::FutureExt as _;

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hook::{self, Answer, Coder, Setting};
use crate::shell::Shell;

/// Arguments of `toolgate hook`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: toolgate hook claude-code --key-file ~/.config/toolgate/coder.key"
)]
pub(crate) struct Hook {
    /// Which agent asks
    #[arg(value_enum)]
    coder: Coder,
    /// A file with the agent's key; else TOOLGATE_KEY
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The source that its tools are registered with
    #[arg(long, default_value = "code")]
    source: String,
    /// Seconds to wait for an approval; keep it below the agent's own timeout of the hook
    #[arg(long, value_name = "SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
    /// What the gate allows is not asked again by the agent itself
    #[arg(long)]
    answer_prompts: bool,
}

impl Run for Hook {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let setting = Setting {
            coder: self.coder,
            key_file: self.key_file,
            source: self.source,
            wait: Duration::from_secs(self.wait),
            answers_prompts: self.answer_prompts,
        };
        let answered = AssertUnwindSafe(hook::answer(&setting, shell)).catch_unwind();
        let answer = answered
            .await
            .unwrap_or_else(|_| Answer::broken(true, "the hook itself broke"));
        if let Some(why) = &answer.error {
            shell.say(why);
        }
        match &answer.out {
            // Without its answer the agent would not know what to run: that is a refusal.
            Some(out) => Ok(shell
                .print_raw(&out.to_string())
                .map_or(Exit::Usage, |()| answer.exit)),
            None => Ok(answer.exit),
        }
    }
}
