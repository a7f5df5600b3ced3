//! The settings file, as it was written: values by key, each taken once, so that what is left over is unknown.

use super::{Origin, SettingError};
use crate::limits::NODE_FILE_BYTES_MAX;
use serde_json::{Map, Value};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The settings file in the data directory.
pub(super) const NAME: &str = "node.yaml";
/// Every key of the file.
pub(super) const KEYS: [&str; 8] = ["dataDir", "http", "control", "s3", "domain", "hosts", "log", "guestMemory"];

/// The settings file, or nothing.
#[derive(Debug, Default)]
pub(super) struct File {
    path: PathBuf,
    written: Map<String, Value>,
}

/// Reads a file that must be there.
pub(super) fn read(path: &Path) -> Result<File, SettingError> {
    let fail = |fix: String| SettingError::new("settings file", "", Origin::File(path.to_owned()), fix);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let taken = file.take(NODE_FILE_BYTES_MAX + 1).read_to_string(&mut text);
    taken.map_err(|error| fail(format!("cannot be read: {error}")))?;
    if text.len() as u64 > NODE_FILE_BYTES_MAX {
        return Err(fail(format!("expected at most {NODE_FILE_BYTES_MAX} bytes")));
    }
    let written: Option<Map<String, Value>> = serde_saphyr::from_str(&text).map_err(|error| {
        let error = error.to_string();
        fail(format!("expected YAML with one setting per line: {}", error.lines().next().unwrap_or_default()))
    })?;
    Ok(File { path: path.to_owned(), written: written.unwrap_or_default() })
}

/// Reads a file that need not be there.
pub(super) fn read_if_there(path: &Path) -> Result<File, SettingError> {
    match path.try_exists() {
        Ok(false) => Ok(File::default()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(File::default()),
        Ok(true) | Err(_) => read(path),
    }
}

impl File {
    pub(super) fn origin(&self) -> Origin {
        Origin::File(self.path.clone())
    }

    /// Takes a setting that is text; a bare number counts as text.
    pub(super) fn text(&mut self, key: &str, errors: &mut Vec<SettingError>) -> Option<String> {
        match self.written.remove(key)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Null => None,
            other => {
                errors.push(SettingError::new(key, other, self.origin(), "expected text"));
                None
            }
        }
    }

    /// Takes a setting that is a list of texts.
    pub(super) fn list(&mut self, key: &str, errors: &mut Vec<SettingError>) -> Vec<String> {
        let written = self.written.remove(key).unwrap_or_default();
        let texts = match &written {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        texts.unwrap_or_else(|| {
            errors.push(SettingError::new(key, written, self.origin(), "expected a list of texts"));
            Vec::new()
        })
    }

    /// Takes the keys that nobody asked for.
    pub(super) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.written)
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| !KEYS.contains(&key.as_str()))
            .collect()
    }
}
