//! Compiling in a child process. The compiler works on hostile input: in the child it can only hurt itself, within
//! limits on address space, CPU time, output and wall time.

use crate::engine;
use fnctl_config::limits;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio::time::timeout;

/// Bytes of what the child said that go into an error.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// How to start the child: this program with hidden arguments, after which come the component's path and the output's.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child could not be started.
    #[error("cannot start the compiler: {0}")]
    Start(#[source] std::io::Error),
    /// The compiler refused the component.
    #[error("the component does not compile: {0}")]
    Refused(String),
    /// The child was killed or died.
    #[error("the compiler was stopped ({0}): the component needs more than {1} MiB of memory or {2} s to compile")]
    Stopped(String, u64, u64),
}

impl Compiler {
    /// `program` is mostly `std::env::current_exe()`; with `arguments` it must end up in [`run_child`].
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Compiles `component` into the new file `output`.
    pub(crate) async fn compile(&self, component: &Path, output: &Path) -> Result<(), CompileError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(component).arg(output);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(CompileError::Start)?;
        let stopped = |why: String| {
            let (memory, time) = (limits::COMPILE_MEMORY_BYTES_MAX >> 20, limits::COMPILE_CPU_MAX.as_secs());
            CompileError::Stopped(why, memory, time)
        };
        let done = timeout(limits::COMPILE_TIME_MAX, child.wait_with_output()).await;
        let done = done.map_err(|_| stopped("wall time".to_owned()))?.map_err(CompileError::Start)?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr[..done.stderr.len().min(MESSAGE_BYTES_MAX)]).trim().to_owned();
        match done.status.code() {
            Some(REFUSED) => Err(CompileError::Refused(said)),
            _ => Err(stopped(format!("{}: {said}", done.status))),
        }
    }
}

/// Exit status of a child whose component does not compile.
const REFUSED: i32 = 65;

/// The child's side: limits itself, compiles `component` into `output`, and returns its exit status.
/// What is wrong goes to stderr.
pub fn run_child(component: &OsStr, output: &OsStr) -> i32 {
    let (status, message) = match compile_here(Path::new(component), Path::new(output)) {
        Ok(()) => return 0,
        Err(ChildError::Refused(message)) => (REFUSED, message),
        Err(ChildError::Failed(message)) => (1, message),
    };
    // With stderr gone the status is all that can be told.
    _ = writeln!(std::io::stderr(), "{message}");
    status
}

enum ChildError {
    Refused(String),
    Failed(String),
}

fn compile_here(component: &Path, output: &Path) -> Result<(), ChildError> {
    let failed = |error: &dyn std::fmt::Display| ChildError::Failed(error.to_string());
    limit_self().map_err(|error| failed(&error))?;
    let wasm = fs::read(component).map_err(|error| failed(&error))?;
    let engine = engine::compiling().map_err(|error| failed(&error))?;
    let code = engine.precompile_component(&wasm).map_err(|error| ChildError::Refused(format!("{error:#}")))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(output);
    file.and_then(|mut file| file.write_all(&code)).map_err(|error| failed(&error))
}

/// Before a byte of the component is read.
fn limit_self() -> rustix::io::Result<()> {
    for (resource, limit) in [
        (Resource::As, limits::COMPILE_MEMORY_BYTES_MAX),
        (Resource::Cpu, limits::COMPILE_CPU_MAX.as_secs()),
        (Resource::Fsize, limits::COMPILED_BYTES_MAX),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
