//! A proxy that loses answers: it stands between the gate and a tool and breaks connections.
//!
//! A call can be cut before the tool hears of it, after the tool has answered, or be delivered
//! long after its client was cut off: the three things that a lost answer can mean, and that look
//! the same from where the gate stands. Faults are decided request by request, on connections
//! that live on, so that only the calls aimed at are struck.
//!
//! Must not know: what is proxied, beyond HTTP/1.1 and the name of an MCP tool.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

mod args;
mod message;
mod plan;
mod relay;

pub use args::{ProxyArgs, main_with};
pub use plan::{Aim, ArmedFault, Plan, ProxyCounts, ProxyFault, Rates};

use plan::{Fate, Fates};

/// LIMIT: connections at once; late requests keep theirs until they have landed.
const CONNECTIONS_MAX: usize = 2048;
/// How long the server may say nothing. A backend that holds its answers must stay below it.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A running proxy; dropping it ends it, and what was late never lands.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    fates: Mutex<Fates>,
    clients: Mutex<BTreeMap<u64, TcpStream>>,
    stopped: AtomicBool,
    stopping: Condvar,
    asleep: Mutex<()>,
}

impl FaultyProxy {
    /// Listens at `listen` and forwards to `to`, without a fault until told.
    ///
    /// # Errors
    /// Where it cannot listen there.
    pub fn start(listen: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            to,
            fates: Mutex::default(),
            clients: Mutex::default(),
            stopped: AtomicBool::new(false),
            stopping: Condvar::new(),
            asleep: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &own));
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Follows this plan from the next request on.
    pub fn follow(&self, plan: Plan) {
        self.shared.fates().follow(plan);
    }

    /// Arms a fault for the next requests aimed at.
    pub fn arm(&self, armed: ArmedFault) {
        self.shared.fates().arm(armed);
    }

    /// What it has done so far.
    pub fn counts(&self) -> ProxyCounts {
        self.shared.fates().counts.clone()
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.stop();
        // The accept that is under way sees the end only when somebody knocks.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn decide(&self, line: &str, body: &[u8]) -> Fate {
        self.fates().decide(line, body)
    }

    fn landed_late(&self) {
        let counts = &mut self.fates().counts;
        counts.late_waiting = counts.late_waiting.saturating_sub(1);
    }

    fn not_reached(&self) {
        self.fates().counts.unreachable += 1;
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        Ok(stream)
    }

    /// Waits; says whether the proxy is still running afterwards.
    fn pause(&self, wait: Duration) -> bool {
        let guard = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        let running = |(): &mut ()| !self.stopped.load(Ordering::Acquire);
        let woken = self.stopping.wait_timeout_while(guard, wait, running);
        drop(woken);
        !self.stopped.load(Ordering::Acquire)
    }

    fn stop(&self) {
        {
            // Set under the lock, so that nobody goes to sleep between looking and waiting.
            let _guard = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
            self.stopped.store(true, Ordering::Release);
        }
        self.stopping.notify_all();
        for client in self.clients().values() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    fn fates(&self) -> MutexGuard<'_, Fates> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, client) in (0u64..).zip(listener.incoming()) {
        if shared.stopped.load(Ordering::Acquire) {
            return;
        }
        let Ok(client) = client else { continue };
        if shared.clients().len() >= CONNECTIONS_MAX {
            continue;
        }
        let own = Arc::clone(shared);
        thread::spawn(move || converse(number, &client, &own));
    }
}

fn converse(number: u64, client: &TcpStream, shared: &Shared) {
    let _ = client.set_nodelay(true);
    if let Ok(kept) = client.try_clone() {
        shared.clients().insert(number, kept);
    }
    // Whatever broke is the two sides' own affair: both see their connection end.
    let _ = relay::serve(client, shared);
    let _ = client.shutdown(Shutdown::Both);
    shared.clients().remove(&number);
}

#[cfg(test)]
mod tests;
