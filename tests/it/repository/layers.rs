//! Who may use whom: the picture in ARCHITECTURE.md as a list. A new edge is a decision, not an accident.

use std::collections::BTreeSet;
use std::process::Command;

const EDGES: &[(&str, &str)] = &[
    ("fnctl", "fnctl-activator"),
    ("fnctl", "fnctl-autoscaler"),
    ("fnctl", "fnctl-broker"),
    ("fnctl", "fnctl-config"),
    ("fnctl", "fnctl-controller"),
    ("fnctl", "fnctl-runtime-wasm"),
    ("fnctl-activator", "fnctl-config"),
    ("fnctl-autoscaler", "fnctl-config"),
    ("fnctl-broker", "fnctl-config"),
    ("fnctl-controller", "fnctl-config"),
    ("fnctl-runtime-wasm", "fnctl-activator"),
    ("fnctl-runtime-wasm", "fnctl-config"),
];

/// Crates that only one room may use: what it stands for lives there and nowhere else.
const OWNED: &[(&str, &[&str])] = &[
    ("wasmtime", &["fnctl-runtime-wasm"]),
    ("wasmtime-wasi", &["fnctl-runtime-wasm"]),
    ("redb", &["fnctl-broker", "fnctl-controller"]),
    ("s3s", &["fnctl-broker"]),
    ("clap", &["fnctl"]),
    ("anyhow", &[]),
];

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(super::root())
        .output()
        .expect("cargo describes the workspace");
    assert!(metadata.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata is JSON");
    let mut edges = BTreeSet::new();
    let mut strangers = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            if used.starts_with("fnctl") {
                edges.insert((name.to_owned(), used.to_owned()));
            }
            if OWNED.iter().any(|(crate_, rooms)| *crate_ == used && !rooms.contains(&name)) {
                strangers.push(format!("{name} uses {used}"));
            }
        }
    }
    let allowed: BTreeSet<_> = EDGES.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let surplus: Vec<_> = edges.difference(&allowed).collect();
    assert!(surplus.is_empty(), "edges that the architecture does not have (rule 3): {surplus:?}");
    assert!(strangers.is_empty(), "crates outside the room that owns them (rule 3): {strangers:?}");
}
