//! What the tests share: running the program, and a gate of their own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use toolgate_testkit::{Process, wait_until};

/// LIMIT: a start takes less than a second on an idle machine; tests run on busy ones.
const READY: Duration = Duration::from_secs(120);

/// What a finished program said.
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its output as JSON.
    pub(crate) fn json(&self) -> Value {
        let why = format!("no JSON: {}{}", self.out, self.err);
        serde_json::from_str(&self.out).expect(&why)
    }

    /// The same, if it ended as it should.
    pub(crate) fn ended(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{}{}", self.out, self.err);
        self
    }
}

/// The program in a directory, with nothing of the surroundings' configuration.
pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let ours =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOOLGATE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").current_dir(directory);
    command
}

/// Runs it to its end.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Said {
    run_with(directory, arguments, "")
}

/// Runs it to its end with something on its input.
pub(crate) fn run_with(directory: &Path, arguments: &[&str], input: &str) -> Said {
    let mut command = program(directory);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with these files.
pub(crate) fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// A gate that runs, with its directory.
pub(crate) struct Gate {
    pub(crate) home: TempDir,
    process: Process,
}

impl Gate {
    /// `serve --demo` on a free port, in a directory with these files.
    pub(crate) fn start(files: &[(&str, &str)]) -> Self {
        Self::start_in(directory(files))
    }

    /// The same in a directory that is there already.
    pub(crate) fn start_in(home: TempDir) -> Self {
        let mut command = program(home.path());
        command.args([
            "serve",
            "--demo",
            "--listen",
            "127.0.0.1:0",
            "--data",
            "data",
        ]);
        let log = std::fs::File::create(home.path().join("gate.log")).unwrap();
        command.stdin(Stdio::null()).stderr(log);
        let process = Process::start(command).unwrap();
        let gate = Self { home, process };
        wait_until(READY, "the gate to listen", || {
            gate.data().join("server.json").exists().then_some(())
        })
        .unwrap_or_else(|overdue| panic!("{overdue}: {}", gate.log()));
        gate.wait_for_tool("desk.refund");
        gate
    }

    fn wait_for_tool(&self, tool: &str) {
        let there = || {
            let said = self.run(&["tool", "ls", "--json"]);
            (said.exit == 0 && said.out.contains(tool)).then_some(())
        };
        wait_until(READY, "the desk's tools", there)
            .unwrap_or_else(|overdue| panic!("{overdue}: {}", self.log()));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// What it wrote to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("gate.log")).unwrap_or_default()
    }

    /// Runs a command against it, with its own token.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut all = arguments.to_vec();
        all.extend(["--data", "data"]);
        run(self.home.path(), &all)
    }

    /// Runs a command with somebody's token.
    pub(crate) fn run_as(&self, token: &str, arguments: &[&str]) -> Said {
        let mut command = program(self.home.path());
        command
            .args(arguments)
            .args(["--data", "data"])
            .env("TOOLGATE_TOKEN", token);
        let output = command.stdin(Stdio::null()).output().unwrap();
        Said {
            exit: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A key for the demo's agent.
    pub(crate) fn key(&self) -> String {
        let made = self
            .run(&["key", "create", "refund_agent", "--json"])
            .ended(0)
            .json();
        made["token"].as_str().unwrap().to_owned()
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        let text = std::fs::read_to_string(self.data().join("server.json")).unwrap();
        let recorded: Value = serde_json::from_str(&text).unwrap();
        recorded["url"].as_str().unwrap().to_owned()
    }

    /// One call over HTTP, and its envelope.
    pub(crate) fn invoke(&self, token: &str, tool: &str, arguments: &Value) -> Value {
        let body = serde_json::json!({"tool": tool, "arguments": arguments}).to_string();
        let url = self.url();
        let host = url.trim_start_matches("http://");
        let request = format!(
            "POST /v1/invocations HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len(),
        );
        let address = host.parse().unwrap();
        let response = toolgate_testkit::exchange(address, request.as_bytes()).unwrap();
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> TempDir {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        self.home
    }

    /// Kills it where it stands.
    pub(crate) fn kill(mut self) -> TempDir {
        self.process.kill().unwrap();
        self.home
    }
}
