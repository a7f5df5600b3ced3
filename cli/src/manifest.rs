//! Manifests: YAML documents of files, folders and standard input, each with the place it came from.

use crate::failure::{Failure, code};
use fnctl_config::api::kind::{self, Kind};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One object as a user wrote it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) object: Value,
    pub(crate) kind: &'static Kind,
    /// The file, and which document of it, for messages.
    pub(crate) origin: String,
    /// Relative paths in the document start here.
    pub(crate) folder: PathBuf,
}

impl Document {
    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The document's own namespace, else the command line's; none for kinds without.
    pub(crate) fn namespace<'a>(&'a self, default: &'a str) -> Option<&'a str> {
        self.kind.namespaced.then(|| self.object["metadata"]["namespace"].as_str().unwrap_or(default))
    }
}

/// Reads all documents of the given files, folders (their `*.yaml`, `*.yml`, `*.json`, sorted) and `-`. Files without any
/// object are a mistake: one that was cut off, or the wrong one.
pub(crate) fn read_all(files: &[String]) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for file in files {
        if file == "-" {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text)?;
            documents.extend(parse(&text, "standard input", Path::new("."))?);
            continue;
        }
        let path = Path::new(file);
        let unreadable = |e: std::io::Error| Failure::invalid(code::FILE, format!("cannot read {file}")).because(&e);
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            let entries = fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
            let mut paths: Vec<_> =
                entries.into_iter().map(|entry| entry.path()).filter(|path| is_manifest(path)).collect();
            paths.sort();
            if paths.is_empty() {
                return Err(Failure::invalid(code::FILE, format!("{file} holds no .yaml, .yml or .json file")));
            }
            for path in paths {
                documents.extend(read(&path)?);
            }
        } else {
            documents.extend(read(path)?);
        }
    }
    match documents.is_empty() && !files.is_empty() {
        true => Err(Failure::invalid(code::YAML, format!("no object in {}", files.join(", ")))),
        false => Ok(documents),
    }
}

/// Reads the documents of one file.
pub(crate) fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|e| Failure::invalid(code::FILE, format!("cannot read {name}")).because(&e))?;
    parse(&text, &name, path.parent().unwrap_or(Path::new(".")))
}

fn is_manifest(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

/// The documents of a text; relative paths in them start at `folder`.
pub(crate) fn parse(text: &str, origin: &str, folder: &Path) -> Result<Vec<Document>, Failure> {
    let values: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|e| Failure::invalid(code::YAML, format!("{origin} is not valid YAML")).detail(e.to_string()))?;
    let mut documents = Vec::new();
    for (index, value) in values.into_iter().filter(|value| !value.is_null()).enumerate() {
        let origin = if index == 0 { origin.to_owned() } else { format!("{origin}, document {}", index + 1) };
        let items = match value {
            // A `kind: List` is what `get -o yaml` prints.
            Value::Object(mut list) if list.get("kind") == Some(&Value::from("List")) => {
                list.remove("items").and_then(|items| items.as_array().cloned()).unwrap_or_default()
            }
            other => vec![other],
        };
        for object in items {
            let kind = kind_of(&object, &origin)?;
            documents.push(Document { object, kind, origin: origin.clone(), folder: folder.to_owned() });
        }
    }
    Ok(documents)
}

fn kind_of(object: &Value, origin: &str) -> Result<&'static Kind, Failure> {
    let text = |field: &str| {
        object[field]
            .as_str()
            .ok_or_else(|| Failure::invalid(code::YAML, format!("{origin}: the field {field} is missing")))
    };
    let (api_version, name) = (text("apiVersion")?, text("kind")?);
    let found = kind::by_kind(api_version, name).ok_or_else(|| {
        Failure::invalid(code::KIND, format!("{origin}: no kind {name:?} of {api_version:?} is known here"))
            .try_this("fnctl get --help")
    })?;
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        let failure = Failure::invalid(code::YAML, format!("{origin}: the field metadata.name is missing"));
        return Err(match object["metadata"]["generateName"].is_null() {
            true => failure,
            false => {
                failure.detail("a generated name is another one each time: only `kubectl create` makes such objects")
            }
        });
    }
    Ok(found)
}

/// The kind that a user means by a word: plural, singular, kind or short name.
pub(crate) fn kind_by_word(word: &str) -> Result<&'static Kind, Failure> {
    kind::by_name(word).ok_or_else(|| {
        let known = kind::KINDS.iter().map(|kind| kind.plural).collect::<Vec<_>>().join(", ");
        Failure::invalid(code::KIND, format!("{word:?} is no kind that is known here"))
            .detail(format!("known: {known}"))
    })
}

/// What `KIND/NAME`, or KIND and NAME, mean; no name where none is given. An empty one, as of a variable that is not set,
/// would mean all objects of the kind.
pub(crate) fn kind_and_name<'a>(
    word: &'a str,
    name: Option<&'a str>,
) -> Result<(&'static Kind, Option<&'a str>), Failure> {
    let (word, name) = match word.split_once('/').filter(|_| name.is_none()) {
        Some((word, name)) => (word, Some(name)),
        None => (word, name),
    };
    let kind = kind_by_word(word)?;
    match name {
        Some("") => Err(Failure::invalid(code::INPUT, format!("which {word}? its name is empty"))
            .try_this(format!("fnctl get {word}"))),
        name => Ok((kind, name)),
    }
}

/// The objects that are named by KIND and names, or by `KIND/NAME...`.
pub(crate) fn objects(words: &[String]) -> Result<Vec<(&'static Kind, String)>, Failure> {
    let named = |word: &str, name: Option<&str>| match kind_and_name(word, name)? {
        (kind, Some(name)) => Ok((kind, name.to_owned())),
        (_, None) => Err(Failure::invalid(code::INPUT, format!("which {word}? name at least one"))),
    };
    match words {
        [kind, names @ ..] if !names.is_empty() && !kind.contains('/') => {
            names.iter().map(|name| named(kind, Some(name))).collect()
        }
        words => words.iter().map(|word| named(word, None)).collect(),
    }
}

/// Path of the collection of a kind; all namespaces where none is given.
pub(crate) fn collection(kind: &Kind, namespace: Option<&str>) -> String {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{root}/namespaces/{}/{}", crate::target::segment(namespace), kind.plural),
        None => format!("{root}/{}", kind.plural),
    }
}

/// Path of one object.
pub(crate) fn object(kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    format!("{}/{}", collection(kind, namespace), crate::target::segment(name))
}
