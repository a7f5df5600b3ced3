//! What people and machines do wrong, and what they are told: which object, which field, and what to do about it.

mod components;
mod disk;
mod events;
mod functions;
mod manifests;
mod node;

use crate::harness::shown;
use std::process::Output;

/// The command ended with this code and said all of these words.
#[track_caller]
fn told(output: &Output, exit: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(exit), "{}", shown(output));
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not said: {}", shown(output));
    }
}
