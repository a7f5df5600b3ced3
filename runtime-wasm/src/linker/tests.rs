use super::missing;
use fnctl_config::snapshot::{Access, Grants};

#[test]
fn missing_names_the_import_and_the_way_out() {
    let none = Grants::default();
    let all = Grants {
        buckets: [("pictures".to_owned(), Access::Read)].into(),
        key_value: ["counters".to_owned()].into(),
        outbound: Default::default(),
    };
    for (import, grants, expected) in [
        ("wasi:http/types@0.2.12", &none, None),
        ("wasi:http/outgoing-handler@0.2.0", &none, None),
        ("wasi:cli/environment@0.2.6", &none, None),
        ("wasi:config/store@0.2.0-rc.1", &none, None),
        ("wasi:blobstore/blobstore@0.2.0-draft", &all, None),
        ("wasi:keyvalue/atomics@0.2.0-draft", &all, None),
        (
            "wasi:blobstore/blobstore@0.2.0-draft",
            &none,
            Some("imports wasi:blobstore/blobstore, which is not granted: add the annotation fnctl.dev/buckets"),
        ),
        ("wasi:keyvalue/store@0.2.0-draft", &none, Some("add the annotation fnctl.dev/key-value")),
        ("wasi:keyvalue/store@0.2.0-draft2", &all, Some("which nothing here provides")),
        ("wasi:http/types@0.3.0", &none, Some("there is WASI 0.2")),
        (
            "wasi:messaging/producer@0.2.0-draft",
            &all,
            Some("imports wasi:messaging/producer@0.2.0-draft, which nothing"),
        ),
        ("host", &all, Some("imports host, which nothing here provides")),
    ] {
        let found = missing(import, grants);
        match expected {
            None => assert_eq!(found, None, "{import}"),
            Some(part) => assert!(found.as_ref().is_some_and(|text| text.contains(part)), "{import}: {found:?}"),
        }
    }
}
