use super::*;
use crate::api::schemas;

#[test]
fn finders_agree_with_the_table() {
    for kind in KINDS {
        assert_eq!(by_plural(kind.group, kind.plural).map(Kind::schema_name), Some(kind.schema_name()));
        assert_eq!(by_kind(&kind.api_version(), kind.kind).map(Kind::schema_name), Some(kind.schema_name()));
        for name in kind.short_names.iter().copied().chain([kind.kind, kind.plural, kind.singular]) {
            assert_eq!(by_name(name).map(Kind::schema_name), Some(kind.schema_name()), "{name}");
        }
    }
    assert!(by_kind("v1", "Service").is_none());
    assert!(by_plural("", "services").is_none());
}

#[test]
fn every_kind_has_a_described_schema_whose_references_exist() {
    let all = schemas();
    let text = serde_json::to_string(all).unwrap();
    for kind in KINDS {
        let root = &all[&kind.schema_name()];
        assert!(root["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", kind.kind);
        assert_eq!(root["x-kubernetes-group-version-kind"][0]["kind"], kind.kind);
        assert!(root["properties"]["metadata"].is_object(), "{}", kind.kind);
    }
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(all.contains_key(name), "{name}");
    }
}
