use super::{ago, seconds_ago};
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
struct Query {
    #[serde(rename = "sinceSeconds", deserialize_with = "seconds_ago")]
    since: Option<Timestamp>,
}

#[test]
fn the_far_past_is_the_first_moment() {
    let now: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
    assert_eq!(ago(now, Duration::from_secs(10)).to_string(), "2026-01-01T00:00:00Z");
    for far in [Duration::from_secs(1_000_000_000_000), Duration::MAX] {
        assert_eq!(ago(now, far), Timestamp::MIN);
    }
}

#[test]
fn seconds_are_a_number_from_zero() {
    let query = |seconds: &str| serde_json::from_str::<Query>(&format!("{{\"sinceSeconds\": {seconds}}}"));
    assert!(query("1.5").unwrap().since.unwrap() < Timestamp::now());
    assert_eq!(query("1e15").unwrap().since, Some(Timestamp::MIN));
    assert!(query("-1").unwrap_err().to_string().contains("sinceSeconds: -1"));
    assert!(query("1e300").is_err());
}
