//! The rules of the repository that a tool can check. Each message cites the rule; CONTRIBUTING.md has them all.

mod layers;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the cli folder lies in the repository").to_owned()
}

/// Files that git tracks or would track.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    names.lines().map(PathBuf::from).filter(|file| root().join(file).is_file()).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_default()
}
