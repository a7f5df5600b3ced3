//! OpenAPI schemas of all kinds, made from their types: for `explain`, strict field checks and CRDs.

use super::kind::KINDS;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The components of an OpenAPI 3.0 document, by name. Each kind's root is named by [`super::kind::Kind::schema_name`] and
/// carries `x-kubernetes-group-version-kind`; others are reached by `#/components/schemas/NAME`. Made once.
pub fn schemas() -> &'static Map<String, Value> {
    static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let mut generator = SchemaSettings::openapi3().into_generator();
        let roots: Vec<_> = KINDS.iter().map(|kind| (kind, (kind.schema)(&mut generator))).collect();
        let mut all = generator.take_definitions(true);
        for (kind, root) in roots {
            let mut root = Value::from(root);
            root["x-kubernetes-group-version-kind"] =
                json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}]);
            all.insert(kind.schema_name(), root);
        }
        all
    });
    &SCHEMAS
}

/// Root of a kind of ours: `apiVersion`, `kind` and `metadata` around spec and status. Its description is the spec's.
pub(super) fn custom<Spec: JsonSchema, Status: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let description = Spec::json_schema(generator).get("description").cloned().unwrap_or_default();
    let root = json!({
        "type": "object",
        "description": description,
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of the object."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": generator.subschema_for::<ObjectMeta>(),
            "spec": generator.subschema_for::<Spec>(),
            "status": generator.subschema_for::<Status>(),
        },
    });
    Schema::try_from(root).unwrap_or_default()
}

/// Root of a kind whose type is Kubernetes' own.
pub(super) fn built_in<Object: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    Object::json_schema(generator)
}

/// Adds fields that validation refuses, of any type.
pub(super) fn add_refused_fields(schema: &mut Schema, fields: impl Iterator<Item = &'static str>) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for field in fields {
        let refused = json!({"description": "Refused for functions.", "x-kubernetes-preserve-unknown-fields": true});
        properties.insert(field.to_owned(), refused);
    }
    schema.remove("additionalProperties");
}
