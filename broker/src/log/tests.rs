use super::*;

#[test]
fn positions_print_and_parse() {
    let position: Position = "3:18446744073709551615".parse().unwrap();
    assert_eq!(position.to_string(), "3:18446744073709551615");
    assert_eq!(Position::from_key(position.to_key()), position);
    assert_eq!(position.behind(), position, "the last place has nothing behind it");
    for text in ["", ":", "1", "1:", ":1", "a:1", "1:-1", "1:2:3", "4294967296:0"] {
        assert_eq!(text.parse::<Position>(), Err(InvalidPosition(text.to_owned())), "{text}");
    }
}

#[tokio::test]
async fn memory_conforms() {
    conformance::check(memory::MemoryLog::new).await;
}
