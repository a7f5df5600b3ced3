//! What the figures were measured on and with.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// The machine at one moment.
#[derive(Debug)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    load: String,
}

impl Machine {
    pub(super) fn look() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let model = file("/proc/cpuinfo");
        let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        Self {
            cpu: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: file("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }

    /// The load average of both moments: a busy machine says so beside its figures.
    pub(super) fn and_load_after(self, after: &Self) -> Self {
        Self { load: format!("{} before, {} after", self.load, after.load), ..self }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "loadAverage": self.load})
    }
}

/// The checksum of a program's file, so that figures can be tied to it.
pub(super) fn sha256(path: &Path) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut digest)?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
