//! A few threads that read, each with a connection of its own that cannot write.
//!
//! SQLite reads block, and a thread that runs many tasks must not: one list over a cold file would
//! hold up every call that shares the thread. A point read through here costs some ten
//! microseconds more than one made in place, against some two hundred for the commit that follows.
//!
//! Must not know: what is read.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use toolgate_gate::port::Unavailable;

use crate::failure::unavailable;
use crate::sqlite::{OpenError, schema};

/// Threads that read.
// LIMIT: reads are short and mostly from memory; more threads than this fight over the processors
// with the writer.
const READERS: usize = 4;

/// Reads that wait for a thread; whoever comes later waits before it may join them.
const READS_WAITING_MAX: usize = 4_096;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The reading threads.
pub(super) struct Readers {
    reads: Mutex<Option<Sender<Read>>>,
    room: Semaphore,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts the threads on the database at `path`.
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let (reads, inbox) = channel::<Read>();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut threads = Vec::with_capacity(READERS);
        for number in 0..READERS {
            let connection = schema::open_reader(path)?;
            let inbox = Arc::clone(&inbox);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(&connection, &inbox))
                .map_err(|source| OpenError::Thread { source })?;
            threads.push(thread);
        }
        Ok(Self {
            reads: Mutex::new(Some(reads)),
            room: Semaphore::new(READS_WAITING_MAX),
            threads: Mutex::new(threads),
        })
    }

    /// Runs `read` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let _room = self.room.acquire().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |connection| {
            // Whoever asked may have gone; then nobody misses the answer.
            let _ = answer.send(read(connection));
        }))?;
        match answered.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(unavailable(format!("a read failed: {error}"))),
            Err(_) => Err(closed()),
        }
    }

    fn send(&self, read: Read) -> Result<(), Unavailable> {
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = reads.as_ref().ok_or_else(closed)?;
        reads.send(read).map_err(|_| closed())
    }

    /// Ends the threads, after what is waiting; their connections are closed when this returns.
    pub(super) fn close(&self) {
        drop(
            self.reads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread of the store ended in a panic");
            }
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(connection: &Connection, inbox: &Mutex<Receiver<Read>>) {
    loop {
        // The lock is let go before the read begins, so that one thread waits and all others read.
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(connection),
            Err(_) => return,
        }
    }
}

fn closed() -> Unavailable {
    unavailable("the store is closed")
}
