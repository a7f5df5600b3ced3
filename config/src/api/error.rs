//! What is wrong with an object, by field.

use std::fmt;

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{message}")]
pub struct FieldError {
    /// The field, such as `spec.template.spec.containers[0].image`; empty for the whole object.
    pub path: String,
    /// The whole sentence, path included, in the words of the kind's home: Kubernetes' for built-in kinds, Knative's for
    /// the others.
    pub message: String,
    /// What sort of error it is; the `reason` of a Kubernetes status cause.
    pub kind: FieldErrorKind,
}

/// Sorts of field errors; printed as the `reason` of a Kubernetes status cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldErrorKind {
    /// The value is not one that the field takes.
    Invalid,
    /// The field must be there.
    Required,
    /// The field must not be there, or must not change.
    Forbidden,
    /// The value is understood, but not supported.
    NotSupported,
    /// The value is there twice.
    Duplicate,
    /// The value is too long.
    TooLong,
}

impl FieldErrorKind {
    /// The reason in a Kubernetes status cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::Forbidden => "FieldValueForbidden",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
        }
    }
}

impl FieldError {
    fn new(kind: FieldErrorKind, path: &str, message: String) -> Self {
        Self { path: path.to_owned(), message, kind }
    }

    /// Knative's "missing field(s): PATH".
    pub fn missing(path: &str) -> Self {
        Self::new(FieldErrorKind::Required, path, format!("missing field(s): {path}"))
    }

    /// Knative's "expected exactly one, got neither: PATH, PATH".
    pub fn missing_one_of(parent: &str, fields: &[&str]) -> Self {
        let paths = join_all(parent, fields);
        Self::new(FieldErrorKind::Required, parent, format!("expected exactly one, got neither: {paths}"))
    }

    /// Knative's "expected exactly one, got both: PATH, PATH".
    pub fn multiple_one_of(parent: &str, fields: &[&str]) -> Self {
        let paths = join_all(parent, fields);
        Self::new(FieldErrorKind::Invalid, parent, format!("expected exactly one, got both: {paths}"))
    }

    /// Knative's "must not set the field(s): PATH".
    pub fn disallowed(path: &str) -> Self {
        Self::new(FieldErrorKind::Forbidden, path, format!("must not set the field(s): {path}"))
    }

    /// Knative's "must not update the field(s): PATH".
    pub fn disallowed_update(path: &str) -> Self {
        Self::new(FieldErrorKind::Forbidden, path, format!("must not update the field(s): {path}"))
    }

    /// Knative's "invalid value: VALUE: PATH".
    pub fn invalid(value: impl fmt::Display, path: &str) -> Self {
        Self::new(FieldErrorKind::Invalid, path, format!("invalid value: {value}: {path}"))
    }

    /// Knative's "invalid value: VALUE: PATH", followed by why.
    pub fn invalid_because(value: impl fmt::Display, path: &str, why: impl fmt::Display) -> Self {
        Self::new(FieldErrorKind::Invalid, path, format!("invalid value: {value}: {path}\n{why}"))
    }

    /// Knative's "expected MIN <= VALUE <= MAX: PATH".
    pub fn out_of_bounds(value: impl fmt::Display, min: impl fmt::Display, max: impl fmt::Display, path: &str) -> Self {
        Self::new(FieldErrorKind::Invalid, path, format!("expected {min} <= {value} <= {max}: {path}"))
    }

    /// Knative's "invalid key name "KEY": PATH", followed by why.
    pub fn invalid_key(key: &str, path: &str, why: impl fmt::Display) -> Self {
        Self::new(FieldErrorKind::Invalid, path, format!("invalid key name {key:?}: {path}\n{why}"))
    }

    /// Any other sentence about a field: "SENTENCE: PATH".
    pub fn general(kind: FieldErrorKind, path: &str, sentence: impl fmt::Display) -> Self {
        let message = if path.is_empty() { sentence.to_string() } else { format!("{sentence}: {path}") };
        Self::new(kind, path, message)
    }

    /// Kubernetes' form, for built-in kinds: "PATH: Invalid value: ...", "PATH: Required value", ...
    pub fn kubernetes(kind: FieldErrorKind, path: &str, value: Option<&str>, detail: &str) -> Self {
        let title = match kind {
            FieldErrorKind::Invalid => "Invalid value",
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::TooLong => "Too long",
        };
        let value = value.map(|value| format!(": {value:?}")).unwrap_or_default();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        Self::new(kind, path, format!("{path}: {title}{value}{detail}"))
    }
}

/// `parent.field`, or `field` where there is no parent.
pub fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") }
}

/// `parent[index]`.
pub fn at(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// `parent[key]`, for maps, as Knative writes it.
pub fn keyed(parent: &str, key: &str) -> String {
    format!("{parent}[{key}]")
}

fn join_all(parent: &str, fields: &[&str]) -> String {
    fields.iter().map(|field| join(parent, field)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
