use super::super::super::demo::pictures;
use super::each_has_a_result;
use futures::stream;
use serde_json::json;

fn results(
    subjects: impl Iterator<Item = usize>,
) -> stream::Iter<impl Iterator<Item = Result<serde_json::Value, crate::failure::Failure>>> {
    stream::iter(subjects.map(|subject| Ok(json!({"subject": subject.to_string()}))))
}

#[tokio::test]
async fn a_picture_counts_once_however_many_results_it_has() {
    let all = (0..pictures::COUNT).flat_map(|subject| [subject, subject]);
    assert!(each_has_a_result(results(all)).await.is_ok());
    let failure = each_has_a_result(results((0..200).map(|number| number % 50))).await.expect_err("half of them");
    assert!(failure.to_string().contains("50 of 100"), "{failure}");
}
