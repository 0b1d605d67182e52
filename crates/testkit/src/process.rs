//! A child process that is stopped by its own id, and never outlives its test.
//!
//! `Process::start(Command::new("refund-desk")…)` keeps the child; dropping it kills and reaps
//! that child and no other. The output can be read line by line, which is how a test learns
//! where a server listens.
//!
//! Must not know: what runs.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A running child.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the command with its standard output kept for reading.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self { child, output })
    }

    /// The child's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it printed, without its end; waits for it.
    ///
    /// # Errors
    /// `UnexpectedEof` where it prints no more.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let output = self.output.as_mut();
        let read = output.map_or(Ok(0), |output| output.read_line(&mut line))?;
        if read == 0 {
            let ended = io::ErrorKind::UnexpectedEof;
            return Err(io::Error::new(ended, "the process prints no more"));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    ///
    /// # Errors
    /// Where it is not ours to wait for.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// Where it is not ours to wait for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is what we want.
        let _ = self.kill();
    }
}
