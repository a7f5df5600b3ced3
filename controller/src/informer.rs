//! How reconcilers and projections watch the objects of a kind.
//!
//! What is there comes one object at a time, by the same stream as the changes after it: nothing ever holds a list of all
//! objects, and a start takes no more memory than what is kept of them.

use futures::Stream;
use kube::Api;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// How all watches of this process begin and go on.
pub(crate) fn config() -> Config {
    Config::default().streaming_lists()
}

/// All objects of a kind, in all namespaces, by their names alone.
pub(crate) fn names<K>(
    client: &Client,
) -> impl Stream<Item = Result<Event<PartialObjectMeta<K>>, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), config()).modify(|object| keep_name(&mut object.metadata))
}

/// Lets go of all but the name: labels, annotations and managed fields are most of a small object.
pub(crate) fn keep_name(metadata: &mut ObjectMeta) {
    let ObjectMeta { name, namespace, .. } = std::mem::take(metadata);
    *metadata = ObjectMeta { name, namespace, ..ObjectMeta::default() };
}

#[cfg(test)]
mod tests;
