//! `fnctl demo xray`: what a newcomer starts with.

use crate::harness::{Data, binary, shown};
use crate::xray::files;
use serde_json::{Value, json};

#[test]
fn the_demo_counts_exactly_and_leaves_nothing_behind() {
    let (data, home, temporary, here) = (Data::fresh(), Data::fresh(), Data::fresh(), Data::fresh());
    let mut command = binary();
    command.args(["demo", "xray", "--pictures", "20", "-o", "json", "--data-dir"]).arg(data.path().join("node"));
    command.env("HOME", home.path()).env("TMPDIR", temporary.path()).current_dir(here.path());
    let output = command.output().expect("the binary starts");
    assert!(output.status.success(), "{}", shown(&output));

    let printed = String::from_utf8_lossy(&output.stdout);
    let mut last: Value = serde_json::from_str(&printed).expect("one JSON document and nothing else");
    let times = ["seconds", "toZeroSeconds"].map(|name| last.as_object_mut().expect("an object").remove(name));
    assert!(
        times.iter().all(|time| time.as_ref().and_then(Value::as_f64).is_some_and(|seconds| seconds > 0.0)),
        "{printed}"
    );
    let counts = json!({"pictures": 20, "processed": 20, "pneumonia": 4, "unsure": 2, "normal": 14, "rejected": 0,
        "anonymized": 2, "duplicates": 0, "lost": 0});
    assert_eq!(last, counts, "{}", shown(&output));

    for folder in [&home, &temporary, &here] {
        assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new(), "written outside of the data directory");
    }
    assert_eq!(files(data.path()).len(), 1);
}

#[test]
fn the_demo_says_what_it_cannot_do_before_it_starts_a_node() {
    for (pictures, words) in [("0", "1 to 10000"), ("nowhere", "neither a number nor a folder")] {
        let data = Data::fresh();
        let mut command = binary();
        command.args(["demo", "xray", "--pictures", pictures, "--data-dir"]).arg(data.path().join("node"));
        let output = command.output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(shown(&output).contains(words), "{}", shown(&output));
        assert_eq!(files(data.path()), Vec::<std::path::PathBuf>::new(), "there is no node: {}", shown(&output));
    }
}
