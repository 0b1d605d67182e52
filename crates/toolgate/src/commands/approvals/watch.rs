//! `toolgate approvals watch`: what waits, live, and deciding on it where a person sits.
//!
//! ```text
//! {"change":"approval.requested","approval":{"approval_id":"apr_…",…}}      with --json
//! ```
//!
//! The record's own stream says that something changed, and the list is asked again; the stream is
//! opened first, so nothing falls between the two. One that breaks off is taken up where it ended.
//! Without a terminal nothing is asked. Must not know: what a typed line means; `board` does.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use super::board::{Asked, Board, WAITING_MAX};
use super::show::shown;
use crate::admin::{Admin, Ask};
use crate::fault::Fault;
use crate::shell::Shell;
use crate::sse::Events;
use crate::table::rows;

/// Times that a stream is taken up again without a word from it.
// LIMIT: thirty, one a second: half a minute covers a restart of the gate.
const RETURNS_MAX: u32 = 30;

/// What begins the kinds that change what waits.
const KIND_PREFIX: &str = "approval.";

/// Kinds beside those that end a wait.
const ENDS: [&str; 2] = ["invocation.cancelled", "invocation.denied"];

/// Watches until the person leaves or the gate is gone.
///
/// # Errors
/// [`Fault`] where the gate does not answer for half a minute, or refuses.
pub(super) async fn run(shell: &Shell, admin: &Admin) -> Result<(), Fault> {
    let asks =
        !shell.global.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut watch = Watch {
        shell,
        admin,
        board: Board::default(),
        next: None,
        asks,
    };
    let mut lines = asks.then(|| BufReader::new(tokio::io::stdin()).lines());
    let mut silent = 0;
    while silent <= RETURNS_MAX {
        match watch.follow(&mut lines, &mut silent).await {
            Ok(Left::Person) => return Ok(()),
            Ok(Left::Stream) => {}
            Err(fault) if fault.code() == "unreachable" && watch.next.is_some() => {}
            Err(fault) => return Err(fault),
        }
        silent += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(Fault::failed("the gate sends no events any more")
        .help("see whether it runs: `toolgate doctor`"))
}

/// Why following came to an end.
enum Left {
    /// The person left.
    Person,
    /// The stream broke off.
    Stream,
}

/// One who watches.
struct Watch<'w> {
    shell: &'w Shell,
    admin: &'w Admin,
    board: Board,
    /// The record that comes next, once one was seen.
    next: Option<u64>,
    asks: bool,
}

impl Watch<'_> {
    async fn follow(
        &mut self,
        lines: &mut Option<Lines<BufReader<Stdin>>>,
        silent: &mut u32,
    ) -> Result<Left, Fault> {
        let ask = Ask::get("/v1/events").with("from", self.next);
        let response = self
            .admin
            .send(ask.header("accept", "text/event-stream"))
            .await?;
        if !response.status().is_success() {
            // The list says the same in words.
            self.admin.body(Ask::get("/v1/approvals")).await?;
            let status = response.status();
            return Err(Fault::failed(format!(
                "the gate sends no events (HTTP {status})"
            )));
        }
        let mut events = Events::of(response);
        let waiting = self.list().await?;
        if self.next.is_none() {
            self.begin(&waiting)?;
        }
        self.board.set_waiting(waiting);
        self.draw()?;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Ok(Some(event)) => {
                        *silent = 0;
                        self.happened(&event).await?;
                    }
                    Ok(None) | Err(_) => return Ok(Left::Stream),
                },
                line = typed(lines) => match line {
                    Some(line) => if self.asked(&line).await? { return Ok(Left::Person) },
                    None => return Ok(Left::Person),
                },
            }
        }
    }

    async fn list(&self) -> Result<Vec<Value>, Fault> {
        let ask = Ask::get("/v1/approvals").with("limit", Some(WAITING_MAX));
        Ok(rows(&self.admin.body(ask).await?))
    }

    /// What waits already, for those who read line by line.
    fn begin(&self, waiting: &[Value]) -> Result<(), Fault> {
        if self.asks {
            return Ok(());
        }
        waiting
            .iter()
            .try_for_each(|approval| self.line("waiting", approval))
    }

    /// One record: where it is about approvals, what waits is asked for again.
    async fn happened(&mut self, event: &str) -> Result<(), Fault> {
        let Ok(record) = serde_json::from_str::<Value>(event) else {
            return Ok(());
        };
        let index = record.get("index").and_then(Value::as_u64);
        self.next = index.map(|index| index + 1).or(self.next);
        let kind = record
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !kind.starts_with(KIND_PREFIX) && !ENDS.contains(&kind) {
            return Ok(());
        }
        let Some(id) = approval_of(&record) else {
            return Ok(());
        };
        let approval = self
            .admin
            .body(Ask::get(format!("/v1/approvals/{id}")))
            .await?;
        if !self.asks {
            return self.line(kind, &approval);
        }
        let (at, tool) = (shown(record.get("at")), shown(approval.get("tool")));
        self.board.note(format!("{at}  {kind}  {id}  {tool}"));
        let waiting = self.list().await?;
        self.board.set_waiting(waiting);
        self.draw()
    }

    fn line(&self, change: &str, approval: &Value) -> Result<(), Fault> {
        let value = json!({"change": change, "approval": approval});
        self.shell.print_line(&value, || {
            let text = |key: &str| shown(approval.get(key));
            format!(
                "{change}  {}  {}  {}  {}  expires {}",
                text("approval_id"),
                text("status"),
                text("tool"),
                text("agent"),
                text("expires_at"),
            )
        })
    }

    /// Does what a typed line asks for; whether the person leaves.
    async fn asked(&mut self, line: &str) -> Result<bool, Fault> {
        match self.board.typed(line) {
            Asked::Draw => {}
            Asked::Leave => return Ok(true),
            Asked::Open(id) => {
                let path = format!("/v1/approvals/{id}");
                self.board.look_at(self.admin.body(Ask::get(path)).await?);
            }
            Asked::Decide { approval, body } => {
                let path = format!("/v1/approvals/{approval}/decision");
                // A decision that does not count is news too, and no reason to leave.
                let said = match self.admin.body(Ask::post(path, body)).await {
                    Ok(envelope) => shown(envelope.get("status")),
                    Err(fault) => format!("refused: {}: {fault}", fault.code()),
                };
                self.board.note(format!("{approval}  {said}"));
                let waiting = self.list().await?;
                self.board.set_waiting(waiting);
            }
        }
        self.draw()?;
        Ok(false)
    }

    /// Draws the whole screen anew.
    fn draw(&self) -> Result<(), Fault> {
        if !self.asks {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        let text = self.board.drawn();
        let drawn = write!(out, "\u{1b}[2J\u{1b}[H{text}").and_then(|()| out.flush());
        drawn.map_err(|error| Fault::failed(format!("standard output cannot be written: {error}")))
    }
}

/// The approval that a record is about.
fn approval_of(record: &Value) -> Option<String> {
    let text = record.get("text").and_then(Value::as_str)?;
    let entry: Value = serde_json::from_str(text).ok()?;
    entry.pointer("/data/approval")?.as_str().map(str::to_owned)
}

/// The next typed line; none at the end of input. Where nobody is asked, it never comes.
async fn typed(lines: &mut Option<Lines<BufReader<Stdin>>>) -> Option<String> {
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}
