use super::NodeKeyValues;
use fnctl_broker::key_values::{KeyValues, Options};
use fnctl_broker::vfs::simulated::Simulated;
use fnctl_runtime_wasm::capability::key_values::conformance;
use std::sync::Arc;

#[tokio::test]
async fn the_port_s_own_suite() {
    conformance::check(|quota| {
        let options = Options::new(Arc::new(Simulated::new(1)), "/node/key-values.redb".into());
        Arc::new(NodeKeyValues(KeyValues::new(Options { quota, free_bytes_min: 0, ..options })))
    })
    .await;
}
