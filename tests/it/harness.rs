//! A real node: the `fnctl` binary in a fresh data directory on free ports, stopped when the test ends.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a test waits for what must come: many times what a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// Lines of a process that wait to be looked at; then it waits.
const LINES_AHEAD: usize = 64;

/// A running node.
pub(crate) struct Node {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) data: Data,
}

/// A data directory that outlives its node.
pub(crate) struct Data(TempDir);

impl Data {
    pub(crate) fn fresh() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The `fnctl` binary, which sees nothing of this machine's settings.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnctl"));
    command.env_clear().env("HOME", "/nonexistent").env("NO_COLOR", "1");
    command
}

impl Node {
    /// Starts a node in a fresh data directory.
    pub(crate) fn start() -> Self {
        Self::start_in(Data::fresh())
    }

    /// Starts a node in a data directory that may hold something.
    pub(crate) fn start_in(data: Data) -> Self {
        Self::spawn(Self::command(&data), data)
    }

    /// Starts a node by a command that was made for it, and waits until it is ready.
    pub(crate) fn spawn(mut command: Command, data: Data) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let lines = Lines::of(child.stdout.take().expect("stdout is piped"));
        let line = lines.next("the ready line of a node").unwrap_or_default();
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("the first line is no JSON ({e}): {line:?}"));
        Self { child, ready, data }
    }

    /// `fnctl up` on free ports, not started.
    pub(crate) fn command(data: &Data) -> Command {
        let mut command = binary();
        command.args(["up", "--http", "127.0.0.1:0", "--control", "127.0.0.1:0", "--s3", "127.0.0.1:0", "-o", "json"]);
        command.arg("--data-dir").arg(data.path());
        command
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        PathBuf::from(self.ready["kubeconfig"].as_str().expect("the ready line names the kubeconfig"))
    }

    /// Host and port of the data plane.
    pub(crate) fn address(&self) -> &str {
        self.ready["http"].as_str().and_then(|url| url.strip_prefix("http://")).expect("the ready line names the port")
    }

    /// Runs `fnctl ARGUMENTS` against this node.
    pub(crate) fn fnctl(&self, arguments: &[&str]) -> Output {
        let mut command = binary();
        command.args(arguments).arg("--kubeconfig").arg(self.kubeconfig()).current_dir(root());
        command.output().expect("the binary runs")
    }

    /// Runs `fnctl ARGUMENTS` and answers what it printed; the command must succeed.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.fnctl(arguments);
        assert!(output.status.success(), "fnctl {arguments:?} failed: {}", shown(&output));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Runs `fnctl apply` on a manifest.
    pub(crate) fn try_apply(&self, manifest: &str) -> Output {
        let folder = Data::fresh();
        let file = folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest).expect("the manifest is written");
        self.fnctl(&["apply", "-f", &file.display().to_string()])
    }

    /// Applies a manifest; the command must succeed.
    pub(crate) fn apply(&self, manifest: &str) {
        let output = self.try_apply(manifest);
        assert!(output.status.success(), "fnctl apply failed: {}", shown(&output));
    }

    /// Runs `fnctl ARGUMENTS -o json` and answers the document it printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("fnctl {arguments:?} printed no JSON ({e}): {text}"))
    }

    /// Stops the node as a user would, and answers its exit code.
    pub(crate) fn stop(mut self) -> (Option<i32>, Data) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        (ended(&mut self.child), std::mem::replace(&mut self.data, Data::fresh()))
    }

    /// Waits until the node ends by itself, and answers its exit code.
    pub(crate) fn ended(mut self) -> (Option<i32>, Data) {
        (ended(&mut self.child), std::mem::replace(&mut self.data, Data::fresh()))
    }

    /// Kills the node without warning.
    pub(crate) fn kill(mut self) -> Data {
        self.child.kill().expect("the node is killed");
        self.child.wait().expect("the node ends");
        std::mem::replace(&mut self.data, Data::fresh())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer. What does not come in [`PATIENCE`] fails the test, which would hang otherwise.
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask)
}

#[allow(clippy::disallowed_methods, reason = "a real node works in real time")]
fn within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Some(answer) => return answer,
            None => assert!(begun.elapsed() < patience, "{what}: not there after {patience:?}"),
        }
    }
}

/// The lines that a process prints, as they come.
pub(crate) struct Lines {
    told: mpsc::Receiver<String>,
    patience: Duration,
}

impl Lines {
    pub(crate) fn of(printed: impl Read + Send + 'static) -> Self {
        Self::within(PATIENCE, printed)
    }

    fn within(patience: Duration, printed: impl Read + Send + 'static) -> Self {
        let (tell, told) = mpsc::sync_channel(LINES_AHEAD);
        std::thread::spawn(move || {
            // Who does not listen any more has seen enough.
            BufReader::new(printed).lines().map_while(Result::ok).all(|line| tell.send(line).is_ok())
        });
        Self { told, patience }
    }

    /// The next line; none at the end. One that does not come in [`PATIENCE`] fails the test.
    pub(crate) fn next(&self, what: &str) -> Option<String> {
        match self.told.recv_timeout(self.patience) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{what}: not there after {:?}", self.patience),
        }
    }

    /// Waits for a line with these words, and answers it.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> String {
        std::iter::from_fn(|| self.next(words))
            .find(|line| line.contains(words))
            .unwrap_or_else(|| panic!("it ended without saying {words:?}"))
    }
}

/// A process that does not outlive its test.
pub(crate) struct Owned(pub(crate) Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a process to end, and kills one that does not.
pub(crate) fn ended(child: &mut Child) -> Option<i32> {
    ended_within(PATIENCE, child)
}

fn ended_within(patience: Duration, child: &mut Child) -> Option<i32> {
    let id = child.id().to_string();
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || tell.send(child.wait().expect("a child of ours")));
        match told.recv_timeout(patience) {
            Ok(status) => status.code(),
            Err(_) => {
                let killed = Command::new("kill").args(["-KILL", &id]).status().expect("kill runs");
                panic!("the process did not end in {patience:?}; killed: {killed}");
            }
        }
    })
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the cli folder lies in the repository").to_owned()
}

/// What a command printed, for messages.
pub(crate) fn shown(output: &Output) -> String {
    format!(
        "{}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Says that a check was skipped and why, past the capture of the test harness, which would swallow the words of a test
/// that passes.
pub(crate) fn skipped(why: &str) {
    // Without stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

#[cfg(test)]
mod tests;
