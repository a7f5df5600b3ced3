//! Sizes, names, words and manifests.

use super::{files, read, root};
use std::path::{Path, PathBuf};

/// A product file stops here; tables and tests are apart (rule 14).
const LINES_MAX: usize = 500;
/// Files that were longer when the rule came. The list may only shrink.
const LONG_FILES: &[&str] = &[];
/// Names that say nothing (rule 17).
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager"];

fn rust() -> Vec<PathBuf> {
    files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")).collect()
}

fn is_test(file: &Path) -> bool {
    let text = file.to_string_lossy();
    text.starts_with("tests/") || text.contains("/tests/") || text.ends_with("tests.rs") || text.ends_with("_tests.rs")
}

#[test]
fn files_are_short() {
    let long: Vec<_> = rust()
        .into_iter()
        .filter(|file| !is_test(file) && !LONG_FILES.contains(&&*file.to_string_lossy()))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "files over {LINES_MAX} lines (rule 14): split them by what they are for: {long:?}");
}

#[test]
fn names_say_something() {
    let empty: Vec<_> = rust()
        .into_iter()
        .filter(|file| file.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| EMPTY_NAMES.contains(&stem)))
        .collect();
    assert!(empty.is_empty(), "names that say nothing (rule 17): {empty:?}");
}

#[test]
fn modules_say_what_they_are_for() {
    let silent: Vec<_> = rust().into_iter().filter(|file| !is_test(file) && !read(file).starts_with("//!")).collect();
    assert!(silent.is_empty(), "files without a module doc in their first line (rule 14): {silent:?}");
}

#[test]
fn nothing_sleeps_or_waits_for_luck() {
    let sleepers: Vec<_> = rust()
        .into_iter()
        .filter(|file| is_test(file) && !file.ends_with("tests/it/repository/tidy.rs"))
        .filter(|file| ["thread::sleep(", "#[ignore"].iter().any(|word| read(file).contains(word)))
        .collect();
    assert!(sleepers.is_empty(), "tests that sleep or are ignored (rule 18): {sleepers:?}");
}

#[test]
fn compiled_code_alone_is_trusted() {
    let keyword = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "(unsafe_code"];
    let unchecked: Vec<_> = rust()
        .into_iter()
        .filter(|file| !file.starts_with("examples") && !file.ends_with("tests/it/repository/tidy.rs"))
        .filter(|file| keyword.iter().any(|word| read(file).contains(word)))
        .collect();
    let loader = Path::new("runtime-wasm/src/artifact/compiled.rs");
    assert!(unchecked == [loader], "only {} may hold unsafe code, with its reason: {unchecked:?}", loader.display());
}

#[test]
fn crates_take_lints_and_versions_from_the_workspace() {
    for file in files().into_iter().filter(|file| file.ends_with("Cargo.toml") && !file.starts_with("examples")) {
        let manifest = read(&file);
        if !manifest.contains("[package]") {
            continue;
        }
        for line in ["[lints]\nworkspace = true", "edition.workspace = true", "publish.workspace = true"] {
            assert!(manifest.contains(line), "{} lacks {line:?} (rule 1)", file.display());
        }
        assert!(!manifest.contains("git = "), "{} has a git dependency", file.display());
    }
}

#[test]
fn the_architecture_names_files_that_are_there() {
    let text = read(Path::new("ARCHITECTURE.md"));
    let missing: Vec<_> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && word.ends_with(".rs") && !word.contains('*'))
        .filter(|word| !root().join(word).is_file())
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that are not there: {missing:?}");
}
