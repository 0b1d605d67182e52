//! A server of MCP as a child process: one JSON message a line, in and out.
//!
//! Four tasks serve one process. The *writer* owns its input and takes one line at a time from a
//! bounded queue, so that a request that timed out in the queue is never written later. The
//! *reader* owns its output. The *listener* drains its stderr, so that it never blocks on it. The
//! *keeper* owns the process: it notices its death, and ends it when the connection is closed.
//!
//! Must not know: eras, tools, or when to start the process again.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::BoxFuture;
use toolgate_model::{Duration, json::Raw};

use crate::config::Secret;
use crate::era::Era;
use crate::exchange::{Exchange, Link, Request, Ticket};
use crate::follow::News;
use crate::lines::{Line, Lines};
use crate::message::{self, excerpt};
use crate::ports::Ports;
use crate::switchboard::{OnlyGarbage, Switchboard};

/// The variables of the gate's own environment that a child process sees; all others are withheld,
/// since the gate's environment may hold credentials of other sources.
pub const INHERITED_VARIABLES: [&str; 12] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// LIMIT: lines that wait for a server that does not read its input.
const QUEUE_LINES_MAX: usize = 256;
/// LIMIT: bytes of one line of stderr, and how many lines of one process are logged.
const STDERR_LINE_BYTES_MAX: usize = 4 << 10;
const STDERR_LINES_LOGGED_MAX: u32 = 1_000;
/// LIMIT: how many last lines of stderr explain a death.
const STDERR_TAIL_LINES: usize = 3;
const STDERR_TAIL_CHARS: usize = 200;
/// How long a process may take to leave: after its input closed, after TERM, after KILL.
const LEAVE_WAIT: Duration = Duration::from_secs(2);
const TERM_WAIT: Duration = Duration::from_secs(2);
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How long the last words of a dead process are waited for: a child of it may hold its output.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// How to start the process.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, Secret>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) message_bytes_max: usize,
}

/// The connection to one process.
pub(crate) struct StdioLink {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Slip>,
}

struct Shared {
    source: String,
    ports: Ports,
    board: Switchboard,
    era: OnceLock<Era>,
    stderr_tail: Mutex<VecDeque<String>>,
    /// Raised to end the process.
    closing: CancellationToken,
    /// Raised when its output has ended.
    silent: CancellationToken,
    /// Raised when the connection is of no use any more.
    ended: CancellationToken,
    /// Raised when the process is gone.
    gone: CancellationToken,
    reason: OnceLock<String>,
}

/// One line on its way into the process.
struct Slip {
    line: String,
    /// The request it is, if it is one.
    request: Option<(u64, Ticket)>,
}

impl StdioLink {
    /// Starts the process.
    ///
    /// # Errors
    /// Why it could not be started, in words.
    pub(crate) fn start(
        source: &str,
        program: &Program,
        ports: &Ports,
        news: Arc<News>,
    ) -> Result<Self, String> {
        let mut child = spawn(program, ports)?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("its input and output could not be opened".to_owned());
        };
        let shared = Arc::new(Shared {
            source: source.to_owned(),
            ports: ports.clone(),
            board: Switchboard::new(source, news),
            era: OnceLock::new(),
            stderr_tail: Mutex::default(),
            closing: CancellationToken::new(),
            silent: CancellationToken::new(),
            ended: CancellationToken::new(),
            gone: CancellationToken::new(),
            reason: OnceLock::new(),
        });
        let (queue, slips) = mpsc::channel(QUEUE_LINES_MAX);
        let tasks = &ports.tasks;
        let bytes_max = program.message_bytes_max;
        let reader = read(Arc::clone(&shared), stdout, queue.clone(), bytes_max);
        tasks.spawn(
            "mcp stdio writer",
            Box::pin(write(Arc::clone(&shared), stdin, slips)),
        );
        tasks.spawn("mcp stdio reader", Box::pin(reader));
        tasks.spawn(
            "mcp stdio listener",
            Box::pin(listen(Arc::clone(&shared), stderr)),
        );
        tasks.spawn(
            "mcp stdio keeper",
            Box::pin(keep(Arc::clone(&shared), child)),
        );
        Ok(Self { shared, queue })
    }

    fn tell(&self, method: &'static str, params: &Raw) {
        let slip = Slip {
            line: message::notification(method, params),
            request: None,
        };
        if let Err(why) = self.enqueue(slip) {
            tracing::debug!(source = self.shared.source, method, why, "not notified");
        }
    }

    fn enqueue(&self, slip: Slip) -> Result<(), String> {
        if self.shared.ended.is_cancelled() {
            return Err(self.shared.reason());
        }
        self.queue.try_send(slip).map_err(|_| {
            format!("it does not read its input: {QUEUE_LINES_MAX} messages wait already")
        })
    }
}

impl Drop for StdioLink {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl Link for StdioLink {
    fn request(&self, request: Request) -> BoxFuture<'_, Exchange> {
        Box::pin(async move {
            let mut seat = self.shared.board.seat(&request);
            let slip = Slip {
                line: message::request(request.id, request.method, &request.params),
                request: Some((request.id, request.ticket.clone())),
            };
            if let Err(why) = self.enqueue(slip) {
                return Exchange::NotSent(why);
            }
            let ended = async {
                self.shared.ended.cancelled().await;
                // What was read before the end is on the board by now.
            };
            tokio::select! {
                biased;
                reply = &mut seat.reply => return given(reply),
                () = ended => {}
            }
            if let Ok(exchange) = seat.reply.try_recv() {
                return exchange;
            }
            if request.ticket.withdraw() {
                return Exchange::NotSent(self.shared.reason());
            }
            Exchange::Broken(self.shared.reason())
        })
    }

    fn notify(&self, method: &'static str, params: Raw) -> BoxFuture<'_, ()> {
        self.tell(method, &params);
        Box::pin(std::future::ready(()))
    }

    fn respond(&self, text: String) {
        let slip = Slip {
            line: text,
            request: None,
        };
        if let Err(why) = self.enqueue(slip) {
            tracing::debug!(source = self.shared.source, why, "not answered");
        }
    }

    fn agree(&self, era: Era) {
        let _ = self.shared.era.set(era);
    }

    fn cancel(&self, id: u64, reason: &'static str) {
        let params = serde_json::json!({"requestId": id, "reason": reason});
        self.tell("notifications/cancelled", &message::raw(&params));
    }

    fn listen(&self, request: Request) -> BoxFuture<'_, Exchange> {
        match self.shared.era.get() {
            // A legacy server tells its changes unasked, between its answers.
            Some(Era::Legacy(_)) => Box::pin(std::future::pending()),
            Some(Era::Modern) | None => self.request(request),
        }
    }

    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            self.shared.ended.cancelled().await;
            self.shared.reason()
        })
    }

    fn is_ended(&self) -> bool {
        self.shared.ended.is_cancelled()
    }

    fn observations(&self) -> String {
        self.shared.observations()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.shared.closing.cancel();
            self.shared.gone.cancelled().await;
        })
    }
}

fn given(reply: Result<Exchange, tokio::sync::oneshot::error::RecvError>) -> Exchange {
    reply.unwrap_or_else(|_| Exchange::Broken("the connection was given up".to_owned()))
}

impl Shared {
    /// Marks the connection as of no use. The first reason stays.
    fn end(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.ended.cancel();
    }

    fn reason(&self) -> String {
        self.reason
            .get()
            .cloned()
            .unwrap_or_else(|| "the connection was closed".to_owned())
    }

    fn observations(&self) -> String {
        let tail = self
            .stderr_tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = tail.iter().map(String::as_str).collect();
        let stderr = match lines.as_slice() {
            [] => String::new(),
            lines => format!("its last words were `{}`", lines.join(" / ")),
        };
        let told = [self.board.litter_in_words(), stderr];
        let told: Vec<_> = told.into_iter().filter(|text| !text.is_empty()).collect();
        told.join("; ")
    }
}

fn spawn(program: &Program, ports: &Ports) -> Result<Child, String> {
    let (name, arguments) = program
        .command
        .split_first()
        .ok_or("the command is empty")?;
    let inherited = ports
        .environment
        .iter()
        .filter(|(key, _)| INHERITED_VARIABLES.contains(&key.as_str()));
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .envs(inherited)
        .envs(program.env.iter().map(|(key, value)| (key, value.expose())))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: `npx` and the like start the server as a child of theirs, and a
        // Ctrl-C meant for the gate must not kill it in the middle of a call.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    command
        .spawn()
        .map_err(|error| format!("`{name}` could not be started: {error}; is it installed?"))
}

/// Writes one line after the other until the connection closes; then the input is closed too.
async fn write(shared: Arc<Shared>, mut stdin: ChildStdin, mut slips: mpsc::Receiver<Slip>) {
    let lines = async {
        while let Some(slip) = slips.recv().await {
            write_one(&shared, &mut stdin, slip).await;
        }
    };
    tokio::select! {
        () = lines => {}
        () = shared.closing.cancelled() => {}
        () = shared.ended.cancelled() => {}
    }
}

async fn write_one(shared: &Shared, stdin: &mut ChildStdin, slip: Slip) {
    let departs = slip
        .request
        .as_ref()
        .is_none_or(|(_, ticket)| ticket.depart());
    if !departs {
        return;
    }
    let mut line = slip.line.into_bytes();
    line.push(b'\n');
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        let why = match stdin.write(rest).await {
            Ok(written) if written > 0 => {
                rest = rest.get(written..).unwrap_or_default();
                continue;
            }
            Ok(_) => "end of file".to_owned(),
            Err(error) => error.to_string(),
        };
        let begun = rest.len() < line.len();
        return refuse(shared, slip.request.as_ref(), begun, &why).await;
    }
    if let Err(error) = stdin.flush().await {
        tracing::debug!(source = shared.source, %error, "flush");
    }
}

/// The input takes nothing any more: whoever sent this learns how far it got. The usual reason is
/// that the process just died, of which the keeper knows more in a moment.
async fn refuse(shared: &Shared, request: Option<&(u64, Ticket)>, begun: bool, why: &str) {
    let Some((id, _)) = request else { return };
    let ended = shared.ended.cancelled();
    let why = match shared.ports.within(LAST_WORDS_WAIT, ended).await {
        Some(()) => shared.reason(),
        None => format!("its input is closed: {why}"),
    };
    let exchange = if begun {
        Exchange::Broken(why)
    } else {
        Exchange::NotSent(why)
    };
    shared.board.settle(*id, exchange);
}

/// Reads messages until the output ends.
async fn read(
    shared: Arc<Shared>,
    stdout: ChildStdout,
    queue: mpsc::Sender<Slip>,
    bytes_max: usize,
) {
    let mut lines = Lines::new(BufReader::new(stdout), bytes_max);
    while let Some(line) = lines.next().await {
        let fed = match line {
            Line::Whole(text) if text.trim_ascii().is_empty() => Ok(Vec::new()),
            // A message is whole once its braces close; half of one never is.
            Line::Whole(text) | Line::Half(text) => shared.board.feed(&text, None),
            Line::TooLong => shared.board.overlong(bytes_max).map(|()| Vec::new()),
        };
        match fed {
            Ok(answers) => {
                for line in answers {
                    // A server that asks more than it reads goes without answers.
                    let _ = queue.try_send(Slip {
                        line,
                        request: None,
                    });
                }
            }
            Err(OnlyGarbage) => {
                shared.end(shared.board.litter_in_words());
                break;
            }
        }
    }
    shared.silent.cancel();
}

/// Reads stderr to its end, logs some of it and keeps the last of it.
async fn listen(shared: Arc<Shared>, stderr: ChildStderr) {
    let mut lines = Lines::new(BufReader::new(stderr), STDERR_LINE_BYTES_MAX);
    let mut logged = 0;
    while let Some(line) = lines.next().await {
        let text = match line {
            Line::Whole(text) | Line::Half(text) => {
                excerpt(&String::from_utf8_lossy(&text), STDERR_LINE_BYTES_MAX)
            }
            Line::TooLong => "a line too long to show".to_owned(),
        };
        logged += 1;
        if logged <= STDERR_LINES_LOGGED_MAX {
            tracing::info!(source = shared.source, text, "stderr");
        } else if logged == STDERR_LINES_LOGGED_MAX + 1 {
            tracing::warn!(
                source = shared.source,
                "further lines of stderr are not logged"
            );
        }
        remember(&shared, &text);
    }
}

fn remember(shared: &Shared, text: &str) {
    if text.is_empty() {
        return;
    }
    let mut tail = shared
        .stderr_tail
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if tail.len() >= STDERR_TAIL_LINES {
        tail.pop_front();
    }
    tail.push_back(excerpt(text, STDERR_TAIL_CHARS));
}

/// Waits for the process to end or to be ended.
async fn keep(shared: Arc<Shared>, mut child: Child) {
    tokio::select! {
        status = child.wait() => {
            let reason = status.map_or_else(
                |error| format!("its process was lost: {error}"),
                |status| format!("its process ended: {status}"),
            );
            shared.ports.within(LAST_WORDS_WAIT, shared.silent.cancelled()).await;
            shared.end(reason);
        }
        // Its output ended but not the process: it will never answer again.
        () = shared.silent.cancelled() => {
            let left = shared.ports.within(LAST_WORDS_WAIT, child.wait()).await;
            shared.end(match left {
                Some(Ok(status)) => format!("its process ended: {status}"),
                Some(Err(_)) | None => "it closed its output".to_owned(),
            });
            end_process(&shared, &mut child).await;
        }
        () = shared.ended.cancelled() => end_process(&shared, &mut child).await,
        () = shared.closing.cancelled() => {
            end_process(&shared, &mut child).await;
            shared.end("the gate closed the connection".to_owned());
        }
    }
    shared.gone.cancel();
}

/// Ends the process: first its input closes (the writer does that), then TERM, then KILL.
async fn end_process(shared: &Shared, child: &mut Child) {
    shared.closing.cancel();
    for (wait, signal) in [
        (LEAVE_WAIT, Some(nix::sys::signal::Signal::SIGTERM)),
        (TERM_WAIT, Some(nix::sys::signal::Signal::SIGKILL)),
        (KILL_WAIT, None),
    ] {
        if shared.ports.within(wait, child.wait()).await.is_some() {
            return;
        }
        let Some(signal) = signal else { break };
        tracing::warn!(source = shared.source, %signal, "its process does not leave by itself");
        // The process was not waited for yet, so its number, which is its group's, is its own.
        if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), signal);
        }
    }
    tracing::error!(source = shared.source, "its process does not end");
}
