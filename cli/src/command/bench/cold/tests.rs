use super::custom_section;

#[test]
fn copies_differ_by_a_section_that_says_their_name() {
    assert_eq!(custom_section("cold-007"), *b"\x00\x09\x08cold-007");
}
