use super::{Step, simulate};
use serde_json::{Value, json};

fn steps(trace: &str) -> Vec<Step> {
    simulate(trace.lines()).collect::<Result<_, _>>().expect("a trace that makes sense")
}

/// Time and number of each decision.
#[track_caller]
fn check(trace: &str, expected: &[(f64, Option<u32>)]) {
    let actual: Vec<(f64, Option<u32>)> =
        steps(trace).into_iter().map(|step| (step.t.as_f64().expect("a number"), step.desired)).collect();
    assert_eq!(actual, expected, "of {trace}");
}

#[track_caller]
fn check_error(trace: &str, expected: &str) {
    let error = simulate(trace.lines()).find_map(Result::err).expect("an error");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_decision_is_printed_as_the_contract_says() {
    let trace = r#"
        {"t":0,"ready":1}
        {"t":0,"spec":{"target":10,"total":10,"targetBurstCapacity":100}}
        {"t":2.5,"stable":50,"panic":50}"#;
    let printed = serde_json::to_value(&steps(trace)[0]).expect("JSON");
    let expected = json!({
        "t": 2.5, "valid": true, "desired": 5, "excessBurstCapacity": -140, "panicking": true, "panicSince": 2.5,
        "rule": "Panic",
        "reason": "50 requests in flight on average over 60s, 10 for each instance, need 5; in panic since 2.5s, where the \
                   number only grows",
    });
    assert_eq!(printed, expected);
    assert_eq!(serde_json::to_value(&steps(&trace.replace("2.5", "2"))[0]).expect("JSON")["t"], json!(2));
}

#[test]
fn the_first_spec_makes_the_decider_with_what_is_ready() {
    check("{\"t\":0,\"ready\":4}\n{\"t\":0,\"spec\":{}}\n{\"t\":2,\"stable\":0,\"panic\":0}", &[(2.0, Some(4))]);
    check("{\"t\":0,\"spec\":{}}\n{\"t\":1,\"ready\":4}\n{\"t\":2,\"stable\":0,\"panic\":0}", &[(2.0, Some(2))]);
    // Fields that are left out keep what they had.
    check(
        "{\"t\":0,\"spec\":{\"target\":10,\"maxScaleUpRate\":10}}\n{\"t\":0,\"spec\":{\"target\":1}}\n\
         {\"t\":2,\"stable\":30,\"panic\":0}\n{\"t\":2,\"spec\":{\"activationScale\":20}}\n\
         {\"t\":4,\"stable\":30,\"panic\":0}",
        &[(2.0, Some(10)), (4.0, Some(20))],
    );
    // An hour is the longest window, and a day may lie between two lines.
    check("{\"t\":0,\"spec\":{\"stableWindow\":3600}}\n{\"t\":86400,\"stable\":70,\"panic\":0}", &[(86400.0, Some(1))]);
    // Time may go back.
    check(
        "{\"t\":60,\"stable\":70,\"panic\":0}\n{\"t\":2,\"stable\":71,\"panic\":0}",
        &[(60.0, Some(1)), (2.0, Some(2))],
    );
}

#[test]
fn samples_are_decided_about_every_two_seconds() {
    let spec = "{\"t\":0,\"spec\":{\"target\":10,\"stableWindow\":6,\"panicWindow\":1}}\n";
    check(&format!("{spec}{{\"t\":2.5,\"concurrency\":12}}"), &[]);
    check(&format!("{spec}{{\"t\":2.5,\"concurrency\":12}}\n{{\"t\":4,\"ready\":1}}"), &[(4.0, Some(2))]);
    // A tick sees all lines of its own time.
    check(&format!("{spec}{{\"t\":1,\"rps\":10}}\n{{\"t\":2,\"rps\":90}}"), &[(2.0, Some(9))]);
    // After the window nothing is known, and nothing is said of the number.
    let idle = format!("{spec}{{\"t\":2,\"concurrency\":10}}\n{{\"t\":10,\"ready\":1}}");
    check(&idle, &[(2.0, Some(1)), (4.0, Some(1)), (6.0, Some(1)), (8.0, Some(0)), (10.0, None)]);
    let never = idle.replace("\"target\":10", "\"target\":10,\"targetBurstCapacity\":0");
    assert_eq!(steps(&never).last().and_then(|step| step.desired), None);
    let always = idle.replace("\"target\":10", "\"target\":10,\"targetBurstCapacity\":-1");
    check(&always, &[(2.0, Some(1)), (4.0, Some(1)), (6.0, Some(1)), (8.0, Some(0)), (10.0, Some(0))]);
}

#[test]
fn a_bad_line_names_itself_and_its_field() {
    for (line, cause) in [
        ("{\"stable\":1,\"panic\":1}", "field \"t\" is missing"),
        ("{\"t\":-1,\"ready\":1}", "field \"t\" is -1: at least 0"),
        ("{\"t\":\"0\",\"ready\":1}", "field \"t\" is \"0\": expected a number"),
        ("{\"t\":0,\"stable\":1}", "field \"panic\" is missing beside \"stable\""),
        ("{\"t\":0,\"concurrency\":1,\"rps\":1}", "field \"rps\" cannot stand beside \"concurrency\""),
        ("{\"t\":0,\"spec\":{\"target\":0}}", "field \"spec.target\" is 0: at least 0.01"),
        ("{\"t\":0,\"spec\":{\"stableWindow\":4000}}", "field \"spec.stableWindow\" is 4000: at most 3600"),
        ("{\"t\":0}", "field \"t\" stands alone: expected spec, ready, stable and panic, or a sample"),
        ("{\"t\":200000,\"ready\":1}", "field \"t\" is more than 86400s after the line before"),
        ("{\"t\":1,\"rps\":1}", "field \"rps\" differs from the earlier samples: a trace has one metric"),
    ] {
        check_error(&format!("\n{{\"t\":0,\"concurrency\":0}}\n{line}"), &format!("trace line 3: {cause}"));
    }
    let unknown = simulate(["{\"t\":0,\"spec\":{\"targe\":1}}"]).next().expect("an answer").expect_err("an error");
    assert!(unknown.to_string().starts_with("trace line 1: field \"spec.targe\" is not known: expected target, "));
    let mut after = simulate(["{", "{\"t\":0,\"stable\":1,\"panic\":1}"]);
    assert!(after.next().is_some_and(|step| step.is_err()) && after.next().is_none(), "an error ends the trace");
}

#[test]
fn every_answer_is_one_line_of_json() {
    for step in
        steps("{\"t\":0,\"spec\":{\"scaleDownDelay\":10}}\n{\"t\":1,\"concurrency\":500}\n{\"t\":100,\"ready\":0}")
    {
        let line = serde_json::to_string(&step).expect("JSON");
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["desired"].is_null(), value["valid"] == json!(false));
    }
}
