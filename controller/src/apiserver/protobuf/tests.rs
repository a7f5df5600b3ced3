use super::{BASE64_STANDARD, decode};
use base64::Engine;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A tag: the number of a field and how its value is written.
fn tag(field: u64, wire: u64) -> Vec<u8> {
    varint(field << 3 | wire)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [tag(field, 0), varint(value)].concat()
}

/// A field that says its length: a text, bytes, or the fields of a message.
fn long(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [tag(field, 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn entry(field: u64, key: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    long(field, [long(1, key), long(2, value)].concat())
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    [b"k8s\0".to_vec(), long(1, [long(1, api_version), long(2, kind)].concat()), long(2, raw)].concat()
}

/// The fields of metadata that `kubectl create` sends, among those that it leaves empty.
fn metadata(name: &str) -> Vec<u8> {
    let empty = [4, 6].map(|field| long(field, "")).concat();
    long(1, [long(1, name), long(2, ""), long(3, "default"), empty, number(7, 0), entry(11, "team", "a")].concat())
}

fn config_map() -> Vec<u8> {
    [metadata("m"), entry(2, "k", "v"), entry(2, "ü", ""), entry(3, "b", b"\xff\0"), number(4, 1)].concat()
}

#[test]
fn what_kubectl_posts_is_read() {
    let meta = json!({"name": "m", "namespace": "default", "labels": {"team": "a"}});
    let owner = [long(1, "ConfigMap"), long(3, "o"), long(4, "u"), long(5, "v1"), number(6, 1), number(7, 0)].concat();
    let owned = long(1, [long(1, "m"), number(7, 300), long(13, owner), long(14, "one"), long(14, "two")].concat());
    let attributes = [long(1, "default"), long(2, "get"), long(5, "services"), long(7, "hello")].concat();
    let secret = [metadata("m"), entry(2, "k", b"\0"), long(3, "Opaque"), entry(4, "s", "t")].concat();
    let rows: [(&str, &str, Vec<u8>, Value); 6] = [
        (
            "v1",
            "ConfigMap",
            config_map(),
            json!({"metadata": meta, "data": {"k": "v", "ü": ""}, "immutable": true,
                "binaryData": {"b": BASE64_STANDARD.encode(b"\xff\0")}}),
        ),
        (
            "v1",
            "ConfigMap",
            owned,
            json!({"metadata": {"name": "m", "generation": 300, "finalizers": ["one", "two"], "ownerReferences": [
                {"kind": "ConfigMap", "name": "o", "uid": "u", "apiVersion": "v1", "controller": true, "blockOwnerDeletion": false},
            ]}}),
        ),
        (
            "v1",
            "Secret",
            secret,
            json!({"metadata": meta, "type": "Opaque", "data": {"k": "AA=="}, "stringData": {"s": "t"}}),
        ),
        (
            "v1",
            "Namespace",
            [metadata("m"), long(2, long(1, "kubernetes")), long(3, "")].concat(),
            json!({"metadata": meta, "spec": {"finalizers": ["kubernetes"]}, "status": {}}),
        ),
        (
            "authorization.k8s.io/v1",
            "SelfSubjectAccessReview",
            long(2, long(1, attributes)),
            json!({"spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "services", "name": "hello"}}}),
        ),
        ("v1", "Namespace", Vec::new(), json!({})),
    ];
    for (api_version, kind, raw, mut expected) in rows {
        expected["apiVersion"] = json!(api_version);
        expected["kind"] = json!(kind);
        assert_eq!(decode(&envelope(api_version, kind, &raw)), Some(expected), "{kind}");
    }
}

/// What newer clients may add: a field of any number, written in any way.
#[test]
fn unknown_fields_are_passed_over() {
    let plain = decode(&envelope("v1", "ConfigMap", &config_map()));
    assert!(plain.is_some());
    let strange = [
        number(99, u64::MAX),
        [tag(98, 1), vec![7; 8]].concat(),
        long(97, b"\xff not text"),
        [tag(u64::MAX >> 3, 5), vec![7; 4]].concat(),
    ];
    for unknown in &strange {
        for raw in [[unknown.clone(), config_map()].concat(), [config_map(), unknown.clone()].concat()] {
            assert_eq!(decode(&envelope("v1", "ConfigMap", &raw)), plain, "{unknown:?}");
        }
        let wrapped = [envelope("v1", "ConfigMap", &config_map()), unknown.clone()].concat();
        assert_eq!(decode(&wrapped), plain, "{unknown:?} in the envelope");
    }
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let whole = envelope("v1", "ConfigMap", &config_map());
    let nothing = envelope("v1", "ConfigMap", &[]);
    // The envelope without its object is whole, and an object without a field.
    let kind_alone = nothing.len() - long(2, "").len();
    for cut in (0..whole.len()).filter(|cut| *cut != kind_alone) {
        assert_eq!(decode(&whole[..cut]), None, "{cut} of {} bytes", whole.len());
    }
    assert_eq!(decode(&whole[..kind_alone]), decode(&nothing));
    for broken in [
        // A number that never ends, or is longer than one can be.
        vec![0x80],
        [tag(4, 0), vec![0xff; 10]].concat(),
        // A length beyond the end, and beyond all memory.
        [tag(1, 2), varint(5), b"four".to_vec()].concat(),
        [tag(1, 2), varint(u64::MAX)].concat(),
        // Fixed numbers without all of their bytes.
        [tag(99, 1), vec![0; 7]].concat(),
        [tag(99, 5), vec![0; 3]].concat(),
    ] {
        assert_eq!(decode(&envelope("v1", "ConfigMap", &broken)), None, "{broken:?}");
    }
}

#[test]
fn what_is_written_in_another_way_than_its_field_is_refused() {
    let name = |field: Vec<u8>| long(1, field);
    for wrong in [
        // Numbers where texts, messages and maps are, and the other way round.
        name(number(1, 7)),
        name(long(7, "7")),
        name(number(11, 7)),
        name([tag(1, 5), vec![0; 4]].concat()),
        number(1, 7),
        number(2, 7),
        long(4, "yes"),
        long(2, number(1, 7)),
        // Groups, which nobody writes, and ways that do not exist.
        tag(2, 3),
        tag(2, 4),
        tag(2, 6),
        tag(2, 7),
        tag(99, 3),
        tag(99, 6),
        // A text that is none, and a number that no generation can be.
        name(long(1, b"\xff")),
        entry(2, "k", b"\xff"),
        name(number(7, u64::MAX)),
    ] {
        assert_eq!(decode(&envelope("v1", "ConfigMap", &wrong)), None, "{wrong:?}");
    }
    for strange in [
        b"k8s".to_vec(),
        config_map(),
        envelope("apps/v1", "Deployment", &config_map()),
        [b"k8s\0".to_vec(), long(2, config_map())].concat(),
        [b"k8s\0".to_vec(), number(1, 1)].concat(),
    ] {
        assert_eq!(decode(&strange), None, "{strange:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_the_reader_down(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec!["ConfigMap", "Secret", "Namespace", "SelfSubjectAccessReview"]),
    ) {
        // Whatever it answers.
        let _ = decode(&bytes);
        let _ = decode(&[b"k8s\0", bytes.as_slice()].concat());
        let _ = decode(&envelope("v1", kind, &bytes));
    }

    #[test]
    fn no_damage_brings_the_reader_down(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = envelope("v1", "ConfigMap", &config_map());
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(read) = decode(&bytes) {
            prop_assert!(read.is_object() && read["kind"].is_string());
        }
    }
}
