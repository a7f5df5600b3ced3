//! What a ConfigMap or a Secret holds: the values of a ConfigMap, and only how large those of a Secret are.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fnctl_config::api::kind::Kind;
use serde_json::Value;

/// The keys of a ConfigMap or a Secret, one a line, longer texts below their key; none for other kinds.
pub(super) fn held(kind: &Kind, object: &Value) -> Option<String> {
    let fields = |field: &str| object[field].as_object().into_iter().flatten();
    let shown = |(key, value): (&String, &Value)| format!("{key}:{}", text(value.as_str().unwrap_or_default()));
    let sized = |(key, value): (&String, &Value)| format!("{key}: {}", size(value.as_str().unwrap_or_default()));
    let lines: Vec<String> = match (kind.group, kind.kind) {
        ("", "ConfigMap") => fields("data").map(shown).chain(fields("binaryData").map(sized)).collect(),
        ("", "Secret") => fields("data").map(sized).collect(),
        _ => return None,
    };
    Some(lines.join("\n"))
}

/// A text of several lines begins below its key.
fn text(value: &str) -> String {
    match value.contains('\n') {
        true => value.lines().map(|line| format!("\n  {line}")).collect(),
        false => format!(" {value}"),
    }
}

fn size(base64: &str) -> String {
    match BASE64_STANDARD.decode(base64) {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(_) => "not base64".to_owned(),
    }
}
