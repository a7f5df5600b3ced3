//! What every adapter of [`KeyValues`] must do. An adapter is done when [`check`] passes on what its constructor makes.

use super::{KeyValueError, KeyValues};
use fnctl_config::key_value::{Quota, Refusal};
use futures::future::join_all;
use std::sync::Arc;

/// Writers the suite has at once.
const AT_ONCE: u64 = 32;

/// Runs the whole suite. `make` gives empty stores with this quota, new ones each time. Panics with the rule that is
/// broken.
pub async fn check(make: impl Fn(Quota) -> Arc<dyn KeyValues>) {
    let large = Quota { keys: 1_000, bytes: 1 << 20 };
    reads_what_was_written(make(large)).await;
    lists_in_order(make(large)).await;
    counts(make(large)).await;
    counts_each_of_many(make(large)).await;
    refuses_one_key_too_many(make(Quota { keys: 2, bytes: 1 << 20 })).await;
    refuses_one_byte_too_many(make(Quota { keys: 1_000, bytes: 10 })).await;
}

type Stores = Arc<dyn KeyValues>;

async fn get(stores: &Stores, store: &str, key: &str) -> Option<Vec<u8>> {
    stores.get(store, key).await.expect("a read is answered")
}

async fn set(stores: &Stores, store: &str, key: &str, value: &str) {
    stores.set(store, key, value.as_bytes().to_vec()).await.expect("there is room");
}

async fn reads_what_was_written(stores: Stores) {
    assert_eq!(get(&stores, "a", "k").await, None, "what was never written is not there");
    set(&stores, "a", "k", "one").await;
    set(&stores, "a", "k", "two").await;
    set(&stores, "b", "k", "").await;
    set(&stores, "a", "\u{fc} \0 k", "bytes").await;
    assert_eq!(get(&stores, "a", "k").await.as_deref(), Some(&b"two"[..]), "the last write counts");
    assert_eq!(get(&stores, "b", "k").await.as_deref(), Some(&b""[..]), "stores are apart, and nothing is a value");
    assert_eq!(get(&stores, "a", "\u{fc} \0 k").await.as_deref(), Some(&b"bytes"[..]), "keys are any text");
    stores.delete("a", "k").await.expect("a key is deleted");
    assert_eq!(get(&stores, "a", "k").await, None, "what was deleted is gone");
    stores.delete("a", "k").await.expect("deleting nothing is fine");
    stores.delete("never", "k").await.expect("deleting from nothing is fine");
    assert_eq!(get(&stores, "b", "k").await.as_deref(), Some(&b""[..]), "the other store has kept its own");
}

async fn lists_in_order(stores: Stores) {
    for key in ["b", "a/2", "\u{fc}", "a", "Z", "a/10"] {
        set(&stores, "m", key, "v").await;
    }
    set(&stores, "l", "before", "v").await;
    set(&stores, "ma", "after", "v").await;
    let list = async |skip, limit| stores.list("m", skip, limit).await.expect("a listing");
    let all = ["Z", "a", "a/10", "a/2", "b", "\u{fc}"];
    assert_eq!(list(0, 100).await, all, "in the order of their bytes, and of one store alone");
    assert_eq!(list(0, 2).await, all[..2], "a page");
    assert_eq!(list(2, 3).await, all[2..5], "the next page");
    assert_eq!(list(5, 3).await, all[5..], "the last page");
    assert!(list(6, 3).await.is_empty() && list(u64::MAX, 3).await.is_empty(), "beyond the end");
    assert!(stores.list("none", 0, 3).await.expect("a listing").is_empty(), "a store that is not there is empty");
}

async fn counts(stores: Stores) {
    assert_eq!(stores.increment("c", "n", 5).await, Ok(5), "a counter begins at 0");
    assert_eq!(stores.increment("c", "n", 0).await, Ok(5));
    assert_eq!(get(&stores, "c", "n").await.as_deref(), Some(&b"5"[..]), "it is decimal text");
    set(&stores, "c", "n", "41").await;
    assert_eq!(stores.increment("c", "n", 1).await, Ok(42), "and can be set as such");
    set(&stores, "c", "word", "many").await;
    let refused = stores.increment("c", "word", 1).await;
    assert_eq!(refused, Err(KeyValueError::Refused(Refusal::NoCounter)), "a word is no counter");
    let refused = stores.increment("c", "n", u64::MAX).await;
    assert_eq!(refused, Err(KeyValueError::Refused(Refusal::NoCounter)), "a counter does not begin again");
    assert_eq!(get(&stores, "c", "word").await.as_deref(), Some(&b"many"[..]), "a refusal changes nothing");
}

async fn counts_each_of_many(stores: Stores) {
    let sums = join_all((0..AT_ONCE).map(|_| stores.increment("c", "n", 1))).await;
    let mut sums: Vec<u64> = sums.into_iter().map(|sum| sum.expect("a sum")).collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=AT_ONCE).collect::<Vec<_>>(), "no two writers see the same sum");
}

async fn refuses_one_key_too_many(stores: Stores) {
    set(&stores, "s", "a", "1").await;
    set(&stores, "s", "b", "2").await;
    let full = Err(KeyValueError::Refused(Refusal::Keys(2)));
    assert_eq!(stores.set("s", "c", Vec::new()).await, full, "the store is full");
    assert_eq!(stores.increment("s", "c", 1).await.map(drop), full, "for counters too");
    set(&stores, "s", "b", "a longer value").await;
    set(&stores, "other", "c", "another store has its own room").await;
    stores.delete("s", "a").await.expect("a full store can be emptied");
    set(&stores, "s", "c", "3").await;
    assert_eq!(stores.set("s", "a", Vec::new()).await, full, "and is full again");
    assert_eq!(get(&stores, "s", "a").await, None, "a refusal changes nothing");
}

async fn refuses_one_byte_too_many(stores: Stores) {
    let full = Err(KeyValueError::Refused(Refusal::Bytes(10)));
    assert_eq!(stores.set("s", "key", vec![0; 8]).await, full, "keys count too");
    stores.set("s", "key", vec![0; 7]).await.expect("ten bytes fit");
    assert_eq!(stores.set("s", "", vec![0]).await, full);
    assert_eq!(stores.set("s", "key", vec![0; 8]).await, full);
    assert_eq!(get(&stores, "s", "key").await.map(|value| value.len()), Some(7), "a refusal changes nothing");
    stores.set("s", "key", vec![0; 2]).await.expect("less always fits");
    stores.set("s", "other", Vec::new()).await.expect("into the room that was made");
}
