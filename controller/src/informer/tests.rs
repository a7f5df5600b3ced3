use super::{config, names};
use crate::apiserver::tests::server;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::watcher::Event;
use std::pin::pin;

#[tokio::test]
async fn of_an_object_only_its_name_is_kept() {
    let api = server().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.client(), "default");
    let name =
        ObjectMeta { name: Some("a".to_owned()), namespace: Some("default".to_owned()), ..ObjectMeta::default() };
    let labels = Some([("team".to_owned(), "blue".to_owned())].into());
    let map = ConfigMap { metadata: ObjectMeta { labels, ..name.clone() }, ..ConfigMap::default() };
    let stored = maps.create(&PostParams::default(), &map).await.expect("created");
    assert!(stored.metadata.managed_fields.is_some() && stored.metadata.labels.is_some());

    let mut events = pin!(names::<ConfigMap>(&api.client()));
    assert!(matches!(events.next().await, Some(Ok(Event::Init))));
    let Some(Ok(Event::InitApply(first))) = events.next().await else { panic!("the object comes first") };
    assert_eq!(first.metadata, name);
    assert!(matches!(events.next().await, Some(Ok(Event::InitDone))));
    maps.delete("a", &kube::api::DeleteParams::default()).await.expect("deleted");
    let Some(Ok(Event::Delete(last))) = events.next().await else { panic!("its end is told") };
    assert_eq!(last.metadata, name);
}

#[test]
fn what_is_there_is_not_asked_for_as_a_list() {
    assert_eq!(config().initial_list_strategy, kube::runtime::watcher::InitialListStrategy::StreamingList);
}
