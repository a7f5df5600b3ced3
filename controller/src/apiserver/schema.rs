//! Walking an object along its OpenAPI schema: unknown fields with their path (and pruning them), wrong types, missing
//! and out-of-range values. `explain` prints the same schemas, so what is documented is what is checked.

use serde_json::{Map, Value};

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Fields that the schema does not know; they are taken out of the object.
    pub(crate) unknown: Vec<Unknown>,
    /// Values that the schema does not allow.
    pub(crate) wrong: Vec<Wrong>,
}

/// A field that the schema does not know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Its path.
    pub(crate) path: String,
    /// The known field that looks most like it.
    pub(crate) nearest: Option<String>,
}

/// A value that the schema does not allow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Its path.
    pub(crate) path: String,
    /// Kubernetes' reason.
    pub(crate) reason: &'static str,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// Names closer than this are suggested; 1 is the same name.
const NEAR: f64 = 0.75;
/// Deeper objects are refused: each level is a level of the stack.
const DEPTH_MAX: usize = 64;

/// Walks an object along the schema of this name.
pub(crate) fn walk(schemas: &Map<String, Value>, name: &str, object: &mut Value) -> Findings {
    let mut walk = Walk { schemas, findings: Findings::default() };
    if let Some(schema) = schemas.get(name) {
        walk.value(schema, object, "", 0);
    }
    walk.findings
}

struct Walk<'s> {
    schemas: &'s Map<String, Value>,
    findings: Findings,
}

impl<'s> Walk<'s> {
    fn value(&mut self, schema: &'s Value, value: &mut Value, path: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return self.wrong(path, "FieldValueInvalid", format!("Invalid value: nested deeper than {DEPTH_MAX}"));
        }
        let (schema, name) = self.resolve(schema);
        if name.ends_with(".Quantity") && value.is_number() {
            // `cpu: 1` is a quantity as good as `cpu: "1"`; Kubernetes stores the text.
            *value = Value::String(value.to_string());
        }
        if schema["x-kubernetes-preserve-unknown-fields"] == true || value.is_null() {
            return;
        }
        if let Some(message) = misfit(schema, value) {
            return self.wrong(path, "FieldValueTypeInvalid", message);
        }
        self.bounds(schema, value, path);
        match value {
            Value::Object(fields) => self.object(schema, fields, path, depth),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&schema["items"], item, &format!("{path}[{index}]"), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, schema: &'s Value, fields: &mut Map<String, Value>, path: &str, depth: usize) {
        // Kubernetes stores nulls not at all.
        fields.retain(|_, value| !value.is_null());
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(required) {
                self.wrong(&join(path, required), "FieldValueRequired", "Required value".to_owned());
            }
        }
        let known = schema["properties"].as_object();
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        let open = schema["additionalProperties"] == true || (known.is_none() && more.is_none());
        if open {
            return;
        }
        fields.retain(|name, _| {
            let fits = more.is_some() || known.is_some_and(|known| known.contains_key(name));
            if !fits {
                let nearest = known.and_then(|known| nearest(name, known));
                self.findings.unknown.push(Unknown { path: join(path, name), nearest });
            }
            fits
        });
        for (name, value) in fields.iter_mut() {
            if let Some(schema) = known.and_then(|known| known.get(name)).or(more) {
                self.value(schema, value, &join(path, name), depth + 1);
            }
        }
    }

    /// Follows references, and the wrappers that schema generators put around them. Answers the last name, too.
    fn resolve(&self, mut schema: &'s Value) -> (&'s Value, &'s str) {
        let mut name = "";
        // A chain of references is short; the bound is against a cycle.
        for _ in 0..16 {
            let direct = schema["$ref"].as_str();
            let wrapped = || ["allOf", "anyOf", "oneOf"].iter().find_map(|wrapper| only_reference(&schema[*wrapper]));
            let Some(reference) = direct.or_else(wrapped) else { break };
            name = reference.rsplit('/').next().unwrap_or("");
            let Some(found) = self.schemas.get(name) else { break };
            schema = found;
        }
        (schema, name)
    }

    fn bounds(&mut self, schema: &Value, value: &Value, path: &str) {
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let names: Vec<_> = allowed.iter().filter(|allowed| !allowed.is_null()).map(Value::to_string).collect();
            let message = format!("Unsupported value: {value}: supported values: {}", names.join(", "));
            return self.wrong(path, "FieldValueNotSupported", message);
        }
        let Some(number) = value.as_f64() else { return };
        if let Some(least) = schema["minimum"].as_f64()
            && number < least
        {
            let message = format!("Invalid value: {value}: should be greater than or equal to {least}");
            self.wrong(path, "FieldValueInvalid", message);
        }
        if let Some(most) = schema["maximum"].as_f64()
            && number > most
        {
            let message = format!("Invalid value: {value}: should be less than or equal to {most}");
            self.wrong(path, "FieldValueInvalid", message);
        }
    }

    fn wrong(&mut self, path: &str, reason: &'static str, message: String) {
        self.findings.wrong.push(Wrong { path: path.to_owned(), reason, message });
    }
}

/// The one reference among the branches of a wrapper (the others say "or null").
fn only_reference(branches: &Value) -> Option<&str> {
    branches.as_array()?.iter().find_map(|branch| branch["$ref"].as_str())
}

fn misfit(schema: &Value, value: &Value) -> Option<String> {
    if schema["x-kubernetes-int-or-string"] == true {
        let fits = value.is_string() || value.is_i64() || value.is_u64();
        return (!fits).then(|| "Invalid value: must be a string or an integer".to_owned());
    }
    let wanted = schema["type"].as_str().or_else(|| schema["type"][0].as_str())?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    (!fits).then(|| format!("Invalid value: {is:?}: must be of type {wanted}"))
}

fn nearest(name: &str, known: &Map<String, Value>) -> Option<String> {
    let likeness = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    let best = known.keys().map(|candidate| (likeness(candidate), candidate)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= NEAR).map(|(_, candidate)| candidate.clone())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
