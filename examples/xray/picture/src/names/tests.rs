use super::*;

fn object(bucket: &str, key: &str, sequencer: &str) -> Object {
    Object { bucket: bucket.into(), key: key.into(), sequencer: sequencer.into() }
}

fn names(object: &Object) -> [String; 6] {
    let key = Key::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
    [
        object.digest(&key),
        object.event_id(&key),
        object.processed(&key),
        object.archived(&key, Format::Jpeg),
        object.research(&key, "NUMBER", "dcm"),
        object.unknown_patient(&key),
    ]
}

#[test]
fn results_have_keyed_names() {
    assert_eq!(
        names(&object("in", "a b", "0A")),
        [
            "111cee8b113bbd945c84d2c8cdeb2a6e",
            "bffd663a6d20db7e62159ad1b0513cf7",
            "111cee8b113bbd945c84d2c8cdeb2a6e.png",
            "111cee8b113bbd945c84d2c8cdeb2a6e.jpg",
            "NUMBER/d62dbe8990c67388.dcm",
            "VS7JICYS",
        ]
    );
}

#[test]
fn another_bucket_key_or_version_has_other_names() {
    let here = names(&object("in", "a b", "0A"));
    for (other, patient) in
        [(object("out", "a b", "0A"), false), (object("in", "a", "0A"), false), (object("in", "a b", "0B"), true)]
    {
        let there = names(&other);
        assert!(here[..5].iter().zip(&there).all(|(here, there)| here != there), "{other:?}: {there:?}");
        assert_eq!(here[5] == there[5], patient, "a patient stays the same over the versions of an object");
    }
}
