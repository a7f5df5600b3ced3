use super::*;

#[test]
fn the_definition_of_a_bucket_source() {
    let kind = crate::api::kind::by_name("bucketsource").unwrap();
    insta::assert_snapshot!(serde_saphyr::to_string(&custom_resource_definition(kind).unwrap()).unwrap());
}

#[test]
fn every_kind_of_ours_has_one_in_structural_form() {
    let stream = custom_resource_definitions().unwrap();
    let ours: Vec<&Kind> = KINDS.iter().filter(|kind| !kind.built_in).collect();
    let read: Vec<Value> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(read.len(), ours.len());
    for (definition, kind) in read.iter().zip(ours) {
        assert_eq!(Some(definition.clone()), custom_resource_definition(kind));
        assert_eq!(definition["metadata"]["name"], kind.resource());
        check(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], kind.kind);
    }
    for refused in ["$ref", "anyOf", "oneOf", "allOf"] {
        assert!(!stream.contains(refused), "{refused}");
    }
}

#[test]
fn a_column_of_wide_output_keeps_its_priority() {
    let cell = Cell::Path(".spec.bucket");
    let printed = |priority| column(&Column { name: "Bucket", type_: "string", priority, cell }).unwrap();
    let bare = json!({"name": "Bucket", "type": "string", "jsonPath": ".spec.bucket"});
    assert_eq!(printed(0), bare);
    assert_eq!(printed(1)["priority"], 1);
}

/// Every schema has a type, or says that anything goes; an object says what is in it, since Kubernetes drops the rest.
fn check(schema: &Value, path: &str) {
    let typed = schema["type"].is_string()
        || schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["x-kubernetes-int-or-string"] == true;
    assert!(typed, "{path}: {schema}");
    let said = ["properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"];
    let is_known = schema["type"] != "object" || said.iter().any(|key| schema.get(key).is_some());
    // Kubernetes writes both itself.
    let is_its_own = path.ends_with(".metadata") || path.ends_with(".fieldsV1");
    assert!(is_known || is_its_own, "{path}: {schema}");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        check(property, &format!("{path}.{name}"));
    }
    for field in ["items", "additionalProperties"] {
        if schema[field].is_object() {
            check(&schema[field], &format!("{path}.{field}"));
        }
    }
}
