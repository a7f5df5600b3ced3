use super::*;

#[test]
fn a_function_and_a_broker_have_their_names_in_their_addresses() {
    let key = ObjectKey::new("ns", "f");
    assert_eq!(function_host(&key, "fn.example.com"), "f.ns.fn.example.com");
    assert_eq!(function_internal_hosts(&key), ["f.ns.svc.cluster.local", "f.ns.svc", "f.ns"]);
    assert_eq!(broker_path(&key), "/-/broker/ns/f");
    assert_eq!(function_path(&key), "/-/function/ns/f");
}
