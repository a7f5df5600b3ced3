//! CustomResourceDefinitions of our kinds, made from their types: what a cluster is given so that it takes the same objects.

use crate::api::kind::{Cell, Column, KINDS, Kind};
use crate::api::schemas;
use serde_json::{Map, Value, json};

/// The CustomResourceDefinition of a kind; none for Kubernetes' own.
pub fn custom_resource_definition(kind: &Kind) -> Option<Value> {
    if kind.built_in {
        return None;
    }
    let columns: Vec<Value> = kind.columns.iter().filter_map(column).collect();
    let mut names = json!({
        "kind": kind.kind,
        "listKind": format!("{}List", kind.kind),
        "plural": kind.plural,
        "singular": kind.singular,
        "categories": kind.categories,
    });
    if !kind.short_names.is_empty() {
        names["shortNames"] = json!(kind.short_names);
    }
    let mut version = json!({
        "name": kind.version,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": schema(kind)},
        "additionalPrinterColumns": columns,
    });
    if kind.has_status {
        version["subresources"] = json!({"status": {}});
    }
    Some(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource()},
        "spec": {
            "group": kind.group,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "names": names,
            "versions": [version],
        },
    }))
}

/// All definitions as one YAML stream.
pub fn custom_resource_definitions() -> Result<String, serde_saphyr::ser::Error> {
    let mut stream = String::new();
    for definition in KINDS.iter().filter_map(custom_resource_definition) {
        stream.push_str("---\n");
        stream.push_str(&serde_saphyr::to_string(&definition)?);
    }
    Ok(stream)
}

/// A printer column. The name is printed by Kubernetes itself, and what is no path cannot be one.
fn column(column: &Column) -> Option<Value> {
    let Cell::Path(path) = column.cell else { return None };
    if path == ".metadata.name" {
        return None;
    }
    let mut printed = json!({"name": column.name, "type": column.type_, "jsonPath": path});
    if column.priority > 0 {
        printed["priority"] = json!(column.priority);
    }
    Some(printed)
}

/// A kind's schema in the structural form that Kubernetes asks for: no references, metadata left to Kubernetes. No schema
/// of ours refers to itself, so that it ends.
fn schema(kind: &Kind) -> Value {
    let mut root = schemas().get(&kind.schema_name()).cloned().unwrap_or_default();
    if let Some(fields) = root.as_object_mut() {
        fields.remove("x-kubernetes-group-version-kind");
    }
    let mut schema = structural(&root);
    schema["properties"]["metadata"] = json!({"type": "object"});
    schema
}

fn structural(schema: &Value) -> Value {
    let anything = json!({"x-kubernetes-preserve-unknown-fields": true});
    let Some(fields) = schema.as_object() else { return anything };
    if let Some(target) = reference(fields) {
        let mut whole = structural(target);
        if let Some(description) = fields.get("description") {
            whole["description"] = description.clone();
        }
        return whole;
    }
    let mut kept = Map::new();
    for (key, value) in fields {
        let value = match key.as_str() {
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                properties.map(|(name, property)| (name.clone(), structural(property))).collect()
            }
            // Where any fields may stand, these are `true`; without them Kubernetes would drop the fields.
            "items" | "additionalProperties" => structural(value),
            "type"
            | "description"
            | "format"
            | "nullable"
            | "enum"
            | "required"
            | "minimum"
            | "maximum"
            | "x-kubernetes-int-or-string"
            | "x-kubernetes-preserve-unknown-fields" => value.clone(),
            _ => continue,
        };
        kept.insert(key.clone(), value);
    }
    // Of any type, as values without a type are.
    let is_typed = ["type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"];
    if !is_typed.iter().any(|key| kept.contains_key(*key)) {
        kept.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    Value::Object(kept)
}

/// The schema that is referred to, plainly or as the only alternative beside null.
fn reference(fields: &Map<String, Value>) -> Option<&'static Value> {
    let plain = fields.get("$ref");
    let alternatives = ["allOf", "anyOf", "oneOf"].into_iter().find_map(|key| fields.get(key)?.as_array());
    let only = alternatives.and_then(|all| all.iter().find_map(|schema| schema.get("$ref")));
    let name = plain.or(only)?.as_str()?.strip_prefix("#/components/schemas/")?;
    schemas().get(name)
}

#[cfg(test)]
mod tests;
