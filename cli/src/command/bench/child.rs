//! Servers in processes of their own, and what the kernel says of them.

use crate::failure::{Failure, code};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

#[cfg(test)]
mod tests;

/// Longest wait for the first line of a server: a large data directory on a busy machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// The kernel's unit of CPU time in `/proc`, as user space sees it on every architecture of ours.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server; it ends with this value.
pub(super) struct Server {
    child: Child,
    id: u32,
}

/// Where a server says that it is ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    /// On standard output.
    Out,
    /// On standard error.
    Error,
}

impl Server {
    /// Starts a program, and answers it with the first line that it says. What else it has to say goes to the file `log`.
    pub(super) async fn start(mut command: Command, says: Says, log: &Path) -> Result<(Self, String), Failure> {
        let failed = |what: &str| {
            Failure::failed(code::NODE, format!("a server of the benchmark {what}; it said in {}", log.display()))
        };
        command.stdin(Stdio::null()).kill_on_drop(true);
        let file = File::options().create(true).append(true).open(log)?;
        match says {
            Says::Out => command.stdout(Stdio::piped()).stderr(file),
            Says::Error => command.stdout(file).stderr(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|e| failed("does not start").because(&e))?;
        let id = child.id().ok_or_else(|| failed("ended at once"))?;
        let said: Option<Box<dyn AsyncRead + Send + Unpin>> = match says {
            Says::Out => child.stdout.take().map(|out| Box::new(out) as _),
            Says::Error => child.stderr.take().map(|error| Box::new(error) as _),
        };
        let mut lines = BufReader::new(said.ok_or_else(|| failed("has no output"))?).lines();
        let first = tokio::time::timeout(READY_TIMEOUT, lines.next_line()).await;
        let first =
            first.map_err(|_| failed("is not ready in time"))??.ok_or_else(|| failed("ended before it was ready"))?;
        Ok((Self { child, id }, first))
    }

    /// Ends it without warning, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// CPU time of all its threads so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64, Failure> {
        let stat = self.read("stat")?;
        ticks(&stat).map(|ticks| ticks as f64 / TICKS_PER_SECOND).ok_or_else(|| unknown("stat"))
    }

    /// Memory that it has resident, in MiB.
    pub(super) fn resident_mib(&self) -> Result<f64, Failure> {
        let status = self.read("status")?;
        resident_kib(&status).map(|kib| kib as f64 / 1_024.0).ok_or_else(|| unknown("status"))
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        let path = format!("/proc/{}/{file}", self.id);
        std::fs::read_to_string(&path)
            .map_err(|e| Failure::failed(code::FILE, format!("cannot read {path}: the server ended")).because(&e))
    }
}

/// CPU time of this thread so far, in seconds.
pub(super) fn thread_cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat")?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_PER_SECOND).ok_or_else(|| unknown("stat"))
}

fn unknown(file: &str) -> Failure {
    Failure::failed(code::OTHER, format!("/proc/PID/{file} does not look as on Linux"))
}

/// User and system time of `/proc/PID/stat`. The name in parentheses may hold anything, so fields count from its end.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

fn resident_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// A fresh folder that goes with this value.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one in `parent`, else where the system keeps such things.
    pub(super) fn fresh(parent: Option<&Path>) -> Result<Self, Failure> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(format!("fnctl-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).map_err(|e| {
            Failure::invalid(code::FILE, format!("cannot make the folder {}", path.display())).because(&e)
        })?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies where such things are expected.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
