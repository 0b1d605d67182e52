//! Load for the comparison: `tools/call` from many clients, or the whole of `tools/list`.
//!
//! ```text
//! bench-load calls --port 8787 --path /mcp --era legacy --tool s00__tool_000 --callers 32 --millis 1500
//! bench-load list  --port 8787 --path /mcp --era modern --times 5
//! ```
//!
//! Each client has one connection, which it keeps, and in the legacy era one session. No two
//! requests are alike, and an answer counts only where it says its own number back. What was seen is
//! printed as one line of JSON. HTTP is written and read by hand, so that the client costs little
//! and the same everywhere. Must not know: who answers.

mod wire;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wire::{Era, Session, Where};

/// LIMIT: pages of one listing; a server that turns more of them goes round in circles.
const PAGES_MAX: usize = 1_000;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What one client saw.
#[derive(Default)]
struct Seen {
    /// How long each good answer took, in microseconds.
    micros: Vec<u64>,
    /// Answers that were not as expected, and connections that broke.
    bad: u64,
    /// The first of those.
    first_bad: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Value, Fault> {
    let mut words = std::env::args().skip(1);
    let job = words.next().unwrap_or_default();
    let mut options = BTreeMap::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        options.insert(name, value);
    }
    let get = |name: &str| {
        options
            .get(name)
            .cloned()
            .ok_or_else(|| format!("`{name}` is missing"))
    };
    let to = Where {
        port: get("--port")?.parse()?,
        path: get("--path")?,
        era: Era::of(&get("--era")?)?,
        token: options.get("--token").cloned(),
    };
    match job.as_str() {
        "calls" => {
            let limit = Duration::from_millis(get("--millis")?.parse()?);
            Ok(load(
                &to,
                &get("--tool")?,
                get("--callers")?.parse()?,
                limit,
            ))
        }
        "list" => list(&to, get("--times")?.parse()?),
        other => Err(format!("`{other}` is neither `calls` nor `list`").into()),
    }
}

fn load(to: &Where, tool: &str, callers: u64, limit: Duration) -> Value {
    // Everybody is connected before the clock runs.
    let opened: Vec<_> = (0..callers).map(|_| Session::open(to)).collect();
    let started = now();
    let seen: Vec<Seen> = thread::scope(|scope| {
        let threads: Vec<_> = (1..)
            .zip(opened)
            .map(|(caller, session)| {
                scope.spawn(move || match session {
                    Ok(session) => call_until(session, tool, caller * 1_000_000_000, limit),
                    Err(fault) => Seen {
                        bad: 1,
                        first_bad: Some(fault.to_string()),
                        ..Seen::default()
                    },
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let bad: u64 = seen.iter().map(|seen| seen.bad).sum();
    let first_bad = seen.iter().find_map(|seen| seen.first_bad.clone());
    let mut micros: Vec<u64> = seen.into_iter().flat_map(|seen| seen.micros).collect();
    micros.sort_unstable();
    let at = |percent: usize| {
        let place = (micros.len() * percent / 100).min(micros.len().saturating_sub(1));
        micros.get(place).copied()
    };
    json!({
        "callers": callers, "calls": micros.len(), "bad": bad, "first_bad": first_bad,
        "seconds": seconds, "p50_us": at(50), "p99_us": at(99),
    })
}

fn call_until(mut session: Session, tool: &str, first: u64, limit: Duration) -> Seen {
    let started = now();
    let mut seen = Seen::default();
    for number in first.. {
        if started.elapsed() >= limit {
            break;
        }
        let arguments =
            json!({"n": number, "customer": "cust_123", "region": "north", "limit": 20});
        let asked = now();
        let answer = session.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        match answer {
            Ok(text) if text.contains(&format!("said {number} back")) => seen.micros.push(took),
            Ok(text) => {
                seen.bad += 1;
                seen.first_bad.get_or_insert(text);
            }
            Err(fault) => {
                // A connection that broke is not mended: what it cost would be in the figures.
                seen.bad += 1;
                seen.first_bad.get_or_insert(fault.to_string());
                break;
            }
        }
    }
    seen
}

fn list(to: &Where, times: usize) -> Result<Value, Fault> {
    let mut session = Session::open(to)?;
    let (mut micros, mut tools, mut pages, mut bytes) = (Vec::new(), 0, 0, 0);
    for _ in 0..times {
        (tools, pages, bytes) = (0, 0, 0);
        let started = now();
        let mut params = json!({});
        for _ in 0..PAGES_MAX {
            let text = session.ask("tools/list", params)?;
            let answer: Value = serde_json::from_str(&text)?;
            let result = &answer["result"];
            let page = result["tools"].as_array();
            tools += page
                .ok_or_else(|| format!("no list of tools: {text:.300}"))?
                .len();
            pages += 1;
            bytes += text.len();
            match result.get("nextCursor") {
                Some(cursor) if !cursor.is_null() => params = json!({"cursor": cursor}),
                _ => break,
            }
        }
        micros.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(json!({"micros": micros, "tools": tools, "pages": pages, "bytes": bytes}))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the wall clock; nothing else depends on it"
)]
fn now() -> Instant {
    Instant::now()
}
