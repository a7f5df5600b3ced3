use super::{MemoryKeyValues, conformance};
use std::sync::Arc;

#[tokio::test]
async fn the_port_s_own_suite() {
    conformance::check(|quota| Arc::new(MemoryKeyValues::new(quota))).await;
}
