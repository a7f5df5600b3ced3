//! What never comes fails a test, and says what was waited for.

use super::*;

const SHORT: Duration = Duration::from_millis(10);

#[test]
fn what_comes_in_time_is_the_answer() {
    let mut asked = 0;
    let third = within(PATIENCE, "the third", || {
        asked += 1;
        (asked == 3).then_some(asked)
    });
    assert_eq!(third, 3);
    let lines = Lines::of("one\ntwo words\n".as_bytes());
    assert_eq!(lines.says("words"), "two words");
    assert_eq!(lines.next("a third line"), None, "the end is no line");
    assert_eq!(ended(&mut Command::new("sh").args(["-c", "exit 3"]).spawn().expect("sh runs")), Some(3));
}

#[test]
#[should_panic(expected = "results of 3 pictures: not there after 10ms")]
fn an_answer_that_never_comes_fails() {
    within(SHORT, "results of 3 pictures", || None::<()>);
}

#[test]
#[should_panic(expected = "the ready line: not there after 10ms")]
fn a_line_that_never_comes_fails() {
    let silent = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat runs");
    let mut silent = Owned(silent);
    let lines = Lines::within(SHORT, silent.0.stdout.take().expect("stdout is piped"));
    lines.next("the ready line");
}

#[test]
#[should_panic(expected = "it ended without saying \"ready\"")]
fn words_that_are_never_said_fail() {
    Lines::of("steady\n".as_bytes()).says("ready");
}

#[test]
#[should_panic(expected = "the process did not end in 10ms")]
fn a_process_that_never_ends_fails() {
    ended_within(SHORT, &mut Command::new("tail").args(["-f", "/dev/null"]).spawn().expect("tail runs"));
}
