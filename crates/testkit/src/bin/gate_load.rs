//! Load for benchmarks: one request over and over from many callers, or one flush over and over.
//!
//! `gate-load calls --address 127.0.0.1:8787 --request call.http --expect ch_1 --callers 16
//! --millis 5000` keeps sixteen connections busy and prints one line of JSON with how many calls
//! were answered as expected and how long they took. `gate-load flushes --file probe --millis 2000`
//! prints how often the disk takes an append with `fdatasync`.
//!
//! Must not know: what is asked, or who answers.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Parser};
use serde_json::{Value, json};
use toolgate_testkit::RawConnection;

/// Bytes of one append: about what one small record takes.
const APPEND_BYTES: usize = 512;

#[derive(Parser)]
#[command(name = "gate-load", about = "Load for benchmarks")]
enum Job {
    /// Keep connections busy with one request.
    Calls(Calls),
    /// Keep a disk busy with appends and flushes.
    Flushes {
        /// The file to append to.
        #[arg(long)]
        file: PathBuf,
        /// How long, in milliseconds.
        #[arg(long)]
        millis: u64,
    },
}

#[derive(Args, Clone)]
struct Calls {
    /// Who is asked.
    #[arg(long)]
    address: SocketAddr,
    /// A file with the whole HTTP request, byte for byte.
    #[arg(long)]
    request: PathBuf,
    /// What a good answer contains.
    #[arg(long)]
    expect: String,
    /// How many callers at once.
    #[arg(long, default_value_t = 1)]
    callers: usize,
    /// How long, in milliseconds.
    #[arg(long)]
    millis: u64,
}

/// What one caller saw.
#[derive(Default)]
struct Seen {
    /// How long each good answer took, in microseconds.
    micros: Vec<u64>,
    /// Answers that were not as expected, and connections that broke.
    bad: u64,
}

fn main() -> ExitCode {
    let done = match Job::parse() {
        Job::Calls(calls) => load(&calls),
        Job::Flushes { file, millis } => flush(&file, Duration::from_millis(millis)),
    };
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("gate-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load(calls: &Calls) -> std::io::Result<Value> {
    let request = std::fs::read(&calls.request)?;
    let started = Watch::start();
    let limit = Duration::from_millis(calls.millis);
    let seen: Vec<Seen> = thread::scope(|scope| {
        let one = || call_until(calls, &request, limit);
        let threads: Vec<_> = (0..calls.callers).map(|_| scope.spawn(one)).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default());
        ended.collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let bad: u64 = seen.iter().map(|seen| seen.bad).sum();
    let mut micros: Vec<u64> = seen.into_iter().flat_map(|seen| seen.micros).collect();
    micros.sort_unstable();
    Ok(json!({
        "callers": calls.callers, "calls": micros.len(), "bad": bad, "seconds": seconds,
        "p50_us": at_percent(&micros, 50), "p99_us": at_percent(&micros, 99),
    }))
}

fn call_until(calls: &Calls, request: &[u8], limit: Duration) -> Seen {
    let started = Watch::start();
    let mut seen = Seen::default();
    let mut connection = RawConnection::open(calls.address);
    while started.elapsed() < limit {
        let Ok(open) = &mut connection else {
            seen.bad += 1;
            connection = RawConnection::open(calls.address);
            continue;
        };
        let asked = Watch::start();
        let answer = open.exchange(request);
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        let good = |body: &[u8]| String::from_utf8_lossy(body).contains(&calls.expect);
        match answer {
            Ok(answer) if answer.status == 200 && good(&answer.body) => seen.micros.push(took),
            Ok(_) => seen.bad += 1,
            Err(error) => {
                seen.bad += 1;
                connection = Err(error);
            }
        }
    }
    seen
}

fn flush(path: &PathBuf, limit: Duration) -> std::io::Result<Value> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let started = Watch::start();
    let mut flushes = 0_u64;
    while started.elapsed() < limit {
        file.write_all(&[b'x'; APPEND_BYTES])?;
        file.sync_data()?;
        flushes += 1;
    }
    Ok(json!({"flushes": flushes, "seconds": started.elapsed().as_secs_f64()}))
}

fn at_percent(sorted: &[u64], percent: usize) -> Option<u64> {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied()
}

struct Watch(Instant);

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark measures the wall clock; nothing else depends on it"
    )]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
