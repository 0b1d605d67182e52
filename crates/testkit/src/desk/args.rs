//! How the desk is started: flags in, a running desk out. The binary and `toolgate refund-desk`
//! both come through here.
//!
//! `refund-desk --listen 127.0.0.1:0 --ledger desk.jsonl --switches` prints
//! `{"listening":"http://127.0.0.1:41234/mcp","switch":"http://127.0.0.1:41234/switch"}`.
//! With `--stdio` the standard output belongs to the protocol, and what is said goes to stderr.
//!
//! Must not know: messages, tools.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};
use serde_json::json;
use tokio::net::TcpListener;

use super::mcp::{Control, Schemas};
use super::{Desk, Face, Fault, KeyPolicy, LedgerError, http, stdio};

/// How the process ends when a switch ends it.
pub(super) const EXIT_BY_SWITCH: i32 = 9;

/// The desk's flags.
#[derive(Clone, Debug, Args)]
pub struct DeskArgs {
    /// Speak MCP on standard input and output.
    #[arg(long, conflicts_with = "listen", required_unless_present = "listen")]
    pub stdio: bool,
    /// Speak MCP over HTTP at this address; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The ledger; made where it is missing.
    #[arg(long, value_name = "FILE")]
    pub ledger: PathBuf,
    /// Answer a repeated idempotency key from the first effect.
    #[arg(long)]
    pub idempotency: bool,
    /// Let faults be armed from outside: the tool `desk_switch` and `POST /switch`.
    #[arg(long)]
    pub switches: bool,
    /// With --stdio: serve `POST /switch` at this address too.
    #[arg(long, value_name = "ADDR", requires = "switches")]
    pub control: Option<SocketAddr>,
    /// Start with a fault armed: `kind=drop,tool=refund,when=after,times=1`.
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Fault>,
    /// Publish schemas that name the arguments and say nothing else of them.
    #[arg(long)]
    pub loose_schemas: bool,
    /// How many tools one page of the list holds.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub page_size: usize,
}

/// Why a desk did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its ledger is unusable.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It cannot listen there.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A stream broke.
    #[error("the desk's streams broke: {0}")]
    Streams(#[from] std::io::Error),
}

#[derive(Parser)]
#[command(
    name = "refund-desk",
    version,
    about = "A small real refund desk that speaks MCP"
)]
struct Whole {
    #[command(flatten)]
    desk: DeskArgs,
}

/// Parses `args` (with the program's name first), runs the desk to its end and says how it ended.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = Whole::command().try_get_matches_from(args);
    let whole = match parsed.and_then(|found| Whole::from_arg_matches(&found)) {
        Ok(whole) => whole,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let ended = runtime.block_on(run(whole.desk));
    // A read of standard input cannot be called back; the process does not wait for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Runs the desk until its input ends (stdio) or its process does (HTTP).
///
/// # Errors
/// [`RunError`] where it cannot start or a stream breaks.
pub async fn run(args: DeskArgs) -> Result<(), RunError> {
    let keys = if args.idempotency {
        KeyPolicy::Honour
    } else {
        KeyPolicy::Ignore
    };
    let control = if args.switches {
        Control::Open
    } else {
        Control::Hidden
    };
    let schemas = if args.loose_schemas {
        Schemas::Loose
    } else {
        Schemas::Strict
    };
    let desk = Desk::open(&args.ledger, keys)?;
    let face = Arc::new(Face::new(desk, control, args.page_size).with_schemas(schemas));
    args.fault
        .into_iter()
        .for_each(|fault| face.switches().set(fault));
    match args.listen {
        Some(address) => {
            let (listener, address) = bound(address).await?;
            println!("{}", where_it_listens(address, control));
            Ok(http::serve(listener, face).await?)
        }
        None => on_streams(face, args.control).await,
    }
}

async fn on_streams(face: Arc<Face>, control: Option<SocketAddr>) -> Result<(), RunError> {
    let streams = stdio::serve(&face, tokio::io::stdin(), tokio::io::stdout());
    let ended = match control {
        None => streams.await?,
        Some(address) => {
            let (listener, address) = bound(address).await?;
            eprintln!("{}", where_it_listens(address, Control::Open));
            tokio::select! {
                ended = streams => ended?,
                served = http::serve(listener, Arc::clone(&face)) => return Ok(served?),
            }
        }
    };
    match ended {
        stdio::Ended::Input => Ok(()),
        stdio::Ended::Switch => std::process::exit(EXIT_BY_SWITCH),
    }
}

async fn bound(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

fn where_it_listens(address: SocketAddr, control: Control) -> serde_json::Value {
    match control {
        Control::Hidden => json!({"listening": format!("http://{address}/mcp")}),
        Control::Open => json!({
            "listening": format!("http://{address}/mcp"),
            "switch": format!("http://{address}/switch"),
        }),
    }
}

fn failed(error: &RunError) -> ExitCode {
    eprintln!("refund-desk: {error}");
    ExitCode::FAILURE
}
