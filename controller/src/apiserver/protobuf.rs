//! Kubernetes protobuf, as far as `kubectl create configmap|secret|namespace` and `kubectl auth can-i` post it: they do not
//! fall back to JSON. The magic `k8s\0`, an envelope that names the kind, then a message read by the tables below.
//! Answers stay JSON, which every client takes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// The content type of such bodies.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// Messages nested deeper are refused; the tables below need five.
const DEPTH_MAX: usize = 8;

/// What a field of a message is.
#[derive(Clone, Copy, Debug)]
enum Type {
    Text,
    Bytes,
    Bool,
    Int,
    Texts,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

impl Type {
    /// How such a field is written: as a number, or as bytes that say their length.
    fn wire(self) -> u64 {
        match self {
            Self::Bool | Self::Int => 0,
            Self::Text
            | Self::Bytes
            | Self::Texts
            | Self::TextMap
            | Self::BytesMap
            | Self::Message(_)
            | Self::Messages(_) => 2,
        }
    }
}

/// Number, name and type, from Kubernetes' generated.proto files.
type Field = (u64, &'static str, Type);

const OWNER: &[Field] = &[
    (1, "kind", Type::Text),
    (3, "name", Type::Text),
    (4, "uid", Type::Text),
    (5, "apiVersion", Type::Text),
    (6, "controller", Type::Bool),
    (7, "blockOwnerDeletion", Type::Bool),
];
const METADATA: &[Field] = &[
    (1, "name", Type::Text),
    (2, "generateName", Type::Text),
    (3, "namespace", Type::Text),
    (5, "uid", Type::Text),
    (6, "resourceVersion", Type::Text),
    (7, "generation", Type::Int),
    (11, "labels", Type::TextMap),
    (12, "annotations", Type::TextMap),
    (13, "ownerReferences", Type::Messages(OWNER)),
    (14, "finalizers", Type::Texts),
];
const CONFIG_MAP: &[Field] = &[
    (1, "metadata", Type::Message(METADATA)),
    (2, "data", Type::TextMap),
    (3, "binaryData", Type::BytesMap),
    (4, "immutable", Type::Bool),
];
const SECRET: &[Field] = &[
    (1, "metadata", Type::Message(METADATA)),
    (2, "data", Type::BytesMap),
    (3, "type", Type::Text),
    (4, "stringData", Type::TextMap),
    (5, "immutable", Type::Bool),
];
const NAMESPACE: &[Field] = &[
    (1, "metadata", Type::Message(METADATA)),
    (2, "spec", Type::Message(&[(1, "finalizers", Type::Texts)])),
    (3, "status", Type::Message(&[(1, "phase", Type::Text)])),
];
const RESOURCE_ATTRIBUTES: &[Field] = &[
    (1, "namespace", Type::Text),
    (2, "verb", Type::Text),
    (3, "group", Type::Text),
    (4, "version", Type::Text),
    (5, "resource", Type::Text),
    (6, "subresource", Type::Text),
    (7, "name", Type::Text),
];
const REVIEW: &[Field] = &[
    (1, "metadata", Type::Message(METADATA)),
    (
        2,
        "spec",
        Type::Message(&[
            (1, "resourceAttributes", Type::Message(RESOURCE_ATTRIBUTES)),
            (2, "nonResourceAttributes", Type::Message(&[(1, "path", Type::Text), (2, "verb", Type::Text)])),
        ]),
    ),
];
const ENVELOPE: &[Field] =
    &[(1, "type", Type::Message(&[(1, "apiVersion", Type::Text), (2, "kind", Type::Text)])), (2, "raw", Type::Bytes)];

/// Reads a body as the JSON object that it stands for; nothing if it is damaged or of a kind that is not read here.
pub(crate) fn decode(body: &[u8]) -> Option<Value> {
    let envelope = message(body.strip_prefix(b"k8s\0")?, ENVELOPE, 0)?;
    let kind = envelope["type"]["kind"].as_str()?;
    let raw = BASE64_STANDARD.decode(envelope["raw"].as_str().unwrap_or("")).ok()?;
    let fields = match kind {
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Namespace" => NAMESPACE,
        "SelfSubjectAccessReview" => REVIEW,
        _ => return None,
    };
    let mut object = message(&raw, fields, 0)?;
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    object["kind"] = json!(kind);
    Some(object)
}

fn message(mut bytes: &[u8], fields: &[Field], depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut object = Map::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let (number, data) = match tag & 7 {
            0 => (varint(&mut bytes)?, &[][..]),
            1 => (0, take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                (0, take(&mut bytes, length)?)
            }
            5 => (0, take(&mut bytes, 4)?),
            _ => return None,
        };
        if let Some((_, name, type_)) = fields.iter().find(|field| field.0 == tag >> 3) {
            if tag & 7 != type_.wire() {
                return None;
            }
            put(&mut object, name, *type_, Read { number, data, depth })?;
        }
    }
    Some(Value::Object(object))
}

/// The content of one field.
#[derive(Clone, Copy)]
struct Read<'b> {
    number: u64,
    data: &'b [u8],
    depth: usize,
}

fn put(object: &mut Map<String, Value>, name: &str, type_: Type, read: Read<'_>) -> Option<()> {
    let text = || std::str::from_utf8(read.data).ok();
    let value = match type_ {
        Type::Text => match text()? {
            // Go writes empty strings where nothing was said.
            "" => return Some(()),
            text => json!(text),
        },
        Type::Bytes => json!(BASE64_STANDARD.encode(read.data)),
        Type::Bool => json!(read.number != 0),
        Type::Int => match i64::try_from(read.number).ok()? {
            0 => return Some(()),
            number => json!(number),
        },
        Type::Message(fields) => message(read.data, fields, read.depth + 1)?,
        Type::Texts => return push(object, name, json!(text()?)),
        Type::Messages(fields) => return push(object, name, message(read.data, fields, read.depth + 1)?),
        Type::TextMap | Type::BytesMap => {
            let value = if matches!(type_, Type::TextMap) { Type::Text } else { Type::Bytes };
            let entry = message(read.data, &[(1, "key", Type::Text), (2, "value", value)], read.depth + 1)?;
            let key = entry["key"].as_str().unwrap_or("").to_owned();
            let value = entry.get("value").cloned().unwrap_or_else(|| json!(""));
            let map = object.entry(name).or_insert_with(|| json!({}));
            map.as_object_mut()?.insert(key, value);
            return Some(());
        }
    };
    object.insert(name.to_owned(), value);
    Some(())
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) -> Option<()> {
    object.entry(name).or_insert_with(|| json!([])).as_array_mut()?.push(value);
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests;
