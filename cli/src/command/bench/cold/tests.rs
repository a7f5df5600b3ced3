use super::{custom_section, with_port};

#[test]
fn copies_differ_by_a_section_that_says_their_name() {
    assert_eq!(custom_section("cold-007"), *b"\x00\x09\x08cold-007");
}

#[test]
fn a_port_is_replaced() {
    assert_eq!(with_port("http://a.b.localhost:80/c/d", 81), "http://a.b.localhost:81/c/d");
    assert_eq!(with_port("http://a.b.localhost", 81), "http://a.b.localhost:81/");
}
