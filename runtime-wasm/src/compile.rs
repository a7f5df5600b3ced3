//! Compiling in a child process. The compiler works on hostile input: in the child it can only hurt itself, within
//! limits on address space, CPU time, output and wall time.

use crate::engine;
use fnctl_config::limits;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Bytes of what the child said that are read, and go into an error.
const MESSAGE_BYTES_MAX: u64 = 2_000;

/// How to start the child: this program with hidden arguments, after which come those of [`run_child`].
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
    bounds: Bounds,
}

/// What the compiler of one component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// CPU time of all its threads, in seconds.
    pub cpu_seconds: u64,
    /// Bytes that it may write.
    pub output_bytes: u64,
    /// Wall time.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            memory_bytes: limits::COMPILE_MEMORY_BYTES_MAX,
            cpu_seconds: limits::COMPILE_CPU_MAX.as_secs(),
            output_bytes: limits::COMPILED_BYTES_MAX,
            time: limits::COMPILE_TIME_MAX,
        }
    }
}

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child could not be started.
    #[error("cannot start the compiler: {0}")]
    Start(#[source] io::Error),
    /// The compiler refused the component.
    #[error("the component does not compile: {0}")]
    Refused(String),
    /// The component takes more than a compiler may use.
    #[error("the component does not compile within {0}")]
    TooMuch(String),
    /// The compiler ended otherwise: the disk failed, or somebody else killed it.
    #[error("the compiler failed: {0}")]
    Failed(String),
}

impl Compiler {
    /// `program` is mostly `std::env::current_exe()`; with `arguments` it must end up in [`run_child`].
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, bounds: Bounds::default() }
    }

    /// The same compiler within other bounds.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Compiles `component` into the new file `output`, of which a failure may leave a part.
    pub(crate) async fn compile(&self, component: &Path, output: &Path) -> Result<(), CompileError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(component).arg(output);
        let Bounds { memory_bytes, cpu_seconds, output_bytes, time } = self.bounds;
        command.args([memory_bytes, cpu_seconds, output_bytes].map(|bound| bound.to_string()));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(CompileError::Start)?;
        let Ok(ended) = timeout(time, ended(&mut child)).await else {
            // It may not write any more once this is told.
            child.kill().await.map_err(CompileError::Start)?;
            return Err(CompileError::TooMuch(format!("{time:?}")));
        };
        let (status, said) = ended.map_err(CompileError::Start)?;
        if status.success() { Ok(()) } else { Err(self.bounds.failure(status, &said)) }
    }
}

/// How the child ended, and what it said until then.
async fn ended(child: &mut Child) -> io::Result<(ExitStatus, String)> {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(MESSAGE_BYTES_MAX).read_to_end(&mut said).await?;
    }
    Ok((child.wait().await?, String::from_utf8_lossy(&said).trim().to_owned()))
}

impl Bounds {
    fn failure(&self, status: ExitStatus, said: &str) -> CompileError {
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        if status.code() == Some(REFUSED) {
            CompileError::Refused(said.to_owned())
        } else if is(Signal::XCPU) {
            CompileError::TooMuch(format!("{} s of CPU time", self.cpu_seconds))
        } else if is(Signal::XFSZ) {
            CompileError::TooMuch(format!("{} bytes of compiled code", self.output_bytes))
        } else if is(Signal::ABORT) && said.contains(ALLOCATION_FAILED) {
            CompileError::TooMuch(format!("{} MiB of memory", self.memory_bytes >> 20))
        } else {
            CompileError::Failed(format!("{status}: {said}"))
        }
    }
}

/// Exit status of a child whose component does not compile.
const REFUSED: i32 = 65;
/// What the standard library says before it aborts a process that was denied memory.
const ALLOCATION_FAILED: &str = "memory allocation of";

/// The child's side: limits itself, compiles, and returns its exit status. What is wrong goes to stderr. The arguments are
/// the component's path, the output's, and the bounds on address space, CPU time and output.
pub fn run_child(arguments: &[impl AsRef<OsStr>]) -> i32 {
    let (status, message) = match compile_here(arguments) {
        Ok(()) => return 0,
        Err(ChildError::Refused(message)) => (REFUSED, message),
        Err(ChildError::Failed(error)) => (1, error.to_string()),
    };
    // With stderr gone the status is all that can be told.
    _ = writeln!(io::stderr(), "{message}");
    status
}

enum ChildError {
    Refused(String),
    Failed(io::Error),
}

impl From<io::Error> for ChildError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn compile_here(arguments: &[impl AsRef<OsStr>]) -> Result<(), ChildError> {
    let [component, output, bounds @ ..] = arguments else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    };
    limit_self(bounds)?;
    let wasm = fs::read(component.as_ref())?;
    let engine = engine::compiling().map_err(io::Error::other)?;
    let code = engine.precompile_component(&wasm).map_err(|error| ChildError::Refused(format!("{error:#}")))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(output.as_ref())?;
    Ok(file.write_all(&code)?)
}

/// Before a byte of the component is read.
fn limit_self(bounds: &[impl AsRef<OsStr>]) -> io::Result<()> {
    let number = |bound: &OsStr| bound.to_str()?.parse().ok();
    let bounds: Vec<u64> = bounds.iter().map_while(|bound| number(bound.as_ref())).collect();
    let [memory_bytes, cpu_seconds, output_bytes] = *bounds else { return Err(io::ErrorKind::InvalidInput.into()) };
    for (resource, limit, hard) in [
        (Resource::As, memory_bytes, memory_bytes),
        // At the first one the process is told which it was, at the second one it is killed without a word.
        (Resource::Cpu, cpu_seconds, cpu_seconds + 1),
        (Resource::Fsize, output_bytes, output_bytes),
        (Resource::Core, 0, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(hard) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
