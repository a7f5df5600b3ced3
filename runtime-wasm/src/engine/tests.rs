use super::{Cleaning, cleaning, code, compiling, fingerprint};

#[test]
fn the_scan_is_refused_while_swap_is_on() {
    let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    assert_eq!(cleaning(&format!("{head}/dev/sda2 partition 1048572 0 -2\n")), Cleaning::Zero);
    if wasmtime::PoolingAllocationConfig::is_pagemap_scan_available() {
        assert_eq!(cleaning(head), Cleaning::Scan);
        assert_eq!(cleaning(""), Cleaning::Scan, "no /proc/swaps: a kernel without swap");
    }
}

#[test]
fn the_compiler_makes_what_the_pool_takes() {
    let serving = crate::testing::engine();
    assert_eq!(fingerprint(&compiling().unwrap()), serving.fingerprint());
}

#[test]
fn another_setting_is_another_fingerprint() {
    let mut other = code();
    other.epoch_interruption(false);
    assert_ne!(fingerprint(&wasmtime::Engine::new(&other).unwrap()), crate::testing::engine().fingerprint());
}

/// A component that holds one core module of one section.
pub(crate) fn component(section: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.extend_from_slice(section);
    let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
    component.push(u8::try_from(module.len()).unwrap());
    component.extend(module);
    component
}

#[test]
fn proposals_that_guests_do_not_need_are_off() {
    let engine = compiling().unwrap();
    let plain = component(&[5, 3, 1, 0, 1]);
    assert!(engine.precompile_component(&plain).is_ok(), "one page of memory");
    for (what, section) in [
        ("threads", &[5, 4, 1, 3, 1, 1][..]),
        ("memory64", &[5, 3, 1, 4, 1]),
        ("gc", &[1, 3, 1, 0x5f, 0]),
        ("exceptions", &[1, 4, 1, 0x60, 0, 0, 13, 3, 1, 0, 0]),
    ] {
        assert!(engine.precompile_component(&component(section)).is_err(), "{what} is on");
    }
}
