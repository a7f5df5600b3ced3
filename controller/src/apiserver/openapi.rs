//! OpenAPI v3: an index with a hash for each group and version, and one document for each. `kubectl` reads from it which
//! verbs validate, and `explain` prints the schemas.

use super::resource::Resource;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fnctl_config::api;
use http::header;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The documents.
#[derive(Debug)]
pub(crate) struct Documents {
    index: Bytes,
    /// `apis/serving.knative.dev/v1` → document.
    documents: BTreeMap<String, Bytes>,
}

impl Documents {
    /// Makes them from the schemas of all kinds.
    pub(crate) fn new() -> Self {
        let mut places: BTreeMap<String, Vec<Resource>> = BTreeMap::new();
        for resource in Resource::all() {
            places.entry(place(resource)).or_default().push(resource);
        }
        let documents: BTreeMap<_, Bytes> = places
            .into_iter()
            .map(|(place, resources)| {
                let document = document(&place, &resources).to_string();
                (place, document.into())
            })
            .collect();
        let index = documents.iter().map(|(place, document)| {
            let digest = Sha256::digest(document);
            let hash: String = digest.iter().take(16).map(|byte| format!("{byte:02X}")).collect();
            (place.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{place}?hash={hash}")}))
        });
        let index = json!({"paths": index.collect::<Map<_, _>>()}).to_string().into();
        Self { index, documents }
    }

    /// Answers a path below `/openapi/v3`; nothing where there is no document.
    pub(crate) fn answer(&self, rest: &[&str]) -> Option<Response> {
        let body = match rest {
            [] => &self.index,
            place => self.documents.get(&place.join("/"))?,
        };
        Some(([(header::CONTENT_TYPE, "application/json")], body.clone()).into_response())
    }
}

fn place(resource: Resource) -> String {
    let prefix = if resource.kind().group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", resource.api_version())
}

/// Paths with what kubectl looks up there, and every schema that they reach.
fn document(place: &str, resources: &[Resource]) -> Value {
    let (mut paths, mut used) = (Map::new(), Map::new());
    for resource in resources {
        let kind = resource.kind();
        let schema = json!({"$ref": format!("#/components/schemas/{}", kind.schema_name())});
        let operation = |action: &str| {
            let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
            json!({
                "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "x-kubernetes-action": action,
                "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
                "parameters": [parameter("fieldValidation"), parameter("dryRun"), parameter("fieldManager")],
            })
        };
        let collection = if kind.namespaced {
            format!("/{place}/namespaces/{{namespace}}/{}", kind.plural)
        } else {
            format!("/{place}/{}", kind.plural)
        };
        let one = json!({
            "get": operation("get"), "put": operation("put"), "patch": operation("patch"),
            "delete": operation("delete"),
        });
        paths.insert(format!("{collection}/{{name}}"), one);
        paths.insert(collection, json!({"get": operation("list"), "post": operation("post")}));
        reach(&kind.schema_name(), &mut used);
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "fnctl", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths, "components": {"schemas": used},
    })
}

/// Collects a schema and those that it refers to.
fn reach(name: &str, used: &mut Map<String, Value>) {
    let mut waiting = vec![name.to_owned()];
    while let Some(name) = waiting.pop() {
        let Some(schema) = api::schemas().get(&name) else { continue };
        if used.insert(name, readable(schema)).is_none() {
            references(schema, &mut waiting);
        }
    }
}

/// The schema in the form that `kubectl explain` reads: what may be null is not an alternative, and a line of a description
/// ends with its paragraph.
fn readable(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut fields: Map<_, _> = fields.iter().map(|(name, value)| (name.clone(), readable(value))).collect();
            if let Some(Value::String(text)) = fields.get_mut("description") {
                let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
                *text = paragraphs.join("\n\n");
            }
            if let Some(Value::Array(ways)) = fields.get("anyOf")
                && let [way, null] = ways.as_slice()
                && null["enum"] == json!([null])
            {
                let way = way.clone();
                fields.remove("anyOf");
                fields.insert("allOf".to_owned(), json!([way]));
                fields.insert("nullable".to_owned(), json!(true));
            }
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(readable).collect(),
        other => other.clone(),
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value.as_str()) {
                    ("$ref", Some(reference)) => {
                        found.push(reference.rsplit('/').next().unwrap_or(reference).to_owned());
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Documents, readable};
    use serde_json::json;

    #[test]
    fn what_may_be_null_is_explained_as_what_it_is() {
        let written = json!({"properties": {"sink": {
            "description": "Where\nit goes.\n\nOr not.",
            "anyOf": [{"$ref": "#/components/schemas/Sink"}, {"enum": [null], "nullable": true}],
        }, "two": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}});
        let explained = json!({"properties": {"sink": {
            "description": "Where it goes.\n\nOr not.", "allOf": [{"$ref": "#/components/schemas/Sink"}], "nullable": true,
        }, "two": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}});
        assert_eq!(readable(&written), explained);
        for document in Documents::new().documents.values() {
            let text = String::from_utf8_lossy(document);
            assert!(!text.contains(r#""enum":[null]"#), "a field that `kubectl explain` cannot look into");
        }
    }
}
