use super::{Signals, open, run};
use fnctl_config::node::{Flags, Node as Settings};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;

fn settings(folder: &Path) -> Settings {
    let free = || Some("127.0.0.1:0".to_owned());
    let flags = Flags { data_dir: Some(folder.to_owned()), http: free(), control: free(), s3: free(), config: None };
    Settings::resolve(flags, &BTreeMap::<&str, &str>::new()).expect("settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_become_ready_can_be_stopped() {
    // A second call finds the first one's, which is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let mut signals = Signals::listen().expect("signals");
    let mut node = open(settings(folder.path()), &mut signals).await.expect("it opens").expect("nobody stops it");
    let (_never, synced) = oneshot::channel();
    node.synced = synced;
    let mut on_ready = |ready: &_| panic!("not ready, and says so: {ready}");
    let ran = run(node, &mut on_ready, signals, std::future::ready(()));
    let ended = tokio::time::timeout(Duration::from_secs(20), ran).await.expect("it does not wait to be ready");
    ended.expect("it ends in order");
}
