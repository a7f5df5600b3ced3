//! `fnctl apply` and `fnctl diff`: server-side apply of manifests, local components pushed to the node first.

use crate::args::{Apply, Diff, Scope};
use crate::failure::{Exit, Failure, code};
use crate::manifest::{self, Document};
use crate::output;
use crate::push;
use crate::target::{FIELD_MANAGER, Target};
use serde_json::{Value, json};
use similar::TextDiff;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Written on each object by `apply --prune`: which files it came from.
const APPLY_SET: &str = "fnctl.dev/apply-set";

/// Whether the server stores what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Store,
    DryRun,
}

/// Whether fields of other managers are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflicts {
    Refuse,
    Force,
}

pub(crate) async fn run(arguments: Apply, scope: &Scope) -> Result<(), Failure> {
    let mut documents = manifest::read_all(&arguments.files)?;
    let target = Target::find(scope).await?;
    target.announce();
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Store };
    let conflicts = if arguments.force_conflicts { Conflicts::Force } else { Conflicts::Refuse };
    let set = match arguments.prune {
        true => Some(set_of(&arguments.files, &target.namespace)?),
        false => None,
    };
    for document in &mut documents {
        if let Some(set) = &set {
            mark(&mut document.object, set);
        }
        let outcome = one(&target, document, mode, conflicts).await?;
        output::outcome(&target.form, &super::get::resource_name(document.kind, &outcome.object), outcome.word)?;
    }
    match set {
        Some(set) => prune(&target, &documents, &set, mode).await,
        None => Ok(()),
    }
}

/// What became of an object.
pub(crate) struct Outcome {
    pub(crate) word: &'static str,
    pub(crate) object: Value,
}

/// Pushes the document's local components, then applies it. A dry run names them, and pushes nothing.
pub(crate) async fn one(
    target: &Target,
    document: &mut Document,
    mode: Mode,
    conflicts: Conflicts,
) -> Result<Outcome, Failure> {
    push::local_images(target, document, mode).await?;
    let namespace = document.namespace(&target.namespace).map(str::to_owned);
    if let Some(namespace) = &namespace {
        document.object["metadata"]["namespace"] = json!(namespace);
    }
    let path = manifest::object(document.kind, namespace.as_deref(), document.name());
    let before = match target.get(&path).await {
        Ok(object) => Some(object),
        Err(failure) if failure.code() == code::NOT_FOUND => None,
        Err(failure) => return Err(failure),
    };
    let mut query = format!("fieldManager={FIELD_MANAGER}&fieldValidation=Strict");
    query.push_str(if mode == Mode::DryRun { "&dryRun=All" } else { "" });
    query.push_str(if conflicts == Conflicts::Force { "&force=true" } else { "" });
    let body = document.object.to_string().into_bytes();
    let applied = target.send("PATCH", &format!("{path}?{query}"), "application/apply-patch+yaml", body).await;
    let object = applied.map_err(|failure| failure.detail(format!("in {}", document.origin)))?;
    let word = match &before {
        None => "created",
        Some(before) if before["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"] => "unchanged",
        Some(_) => "configured",
    };
    Ok(Outcome { word, object })
}

/// Names what the same files made in the same namespace. The whole path of a file tells it from one of the same name in
/// another folder.
fn set_of(files: &[String], namespace: &str) -> Result<String, Failure> {
    use sha2::Digest as _;
    let mut places = BTreeSet::new();
    for file in files {
        let unreadable = |e: std::io::Error| Failure::invalid(code::FILE, format!("cannot read {file}")).because(&e);
        places.insert(match file.as_str() {
            "-" => PathBuf::from("-"),
            file => std::fs::canonicalize(file).map_err(unreadable)?,
        });
    }
    let mut digest = sha2::Sha256::new_with_prefix(namespace);
    for place in places {
        digest.update(b"\0");
        digest.update(place.as_os_str().as_encoded_bytes());
    }
    Ok(digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Labels an object with its set. Labels that are no map are the API's to refuse.
fn mark(object: &mut Value, set: &str) {
    let labels = &mut object["metadata"]["labels"];
    if labels.is_null() || labels.is_object() {
        labels[APPLY_SET] = json!(set);
    }
}

/// Deletes what an earlier apply of the same files made and they no longer hold, in whichever namespace it is.
async fn prune(target: &Target, documents: &[Document], set: &str, mode: Mode) -> Result<(), Failure> {
    let kept: BTreeSet<_> =
        documents.iter().map(|d| (d.kind.plural, d.kind.group, d.namespace(&target.namespace), d.name())).collect();
    for kind in fnctl_config::api::kind::KINDS {
        let collection = manifest::collection(kind, None);
        let list =
            target.get(&format!("{collection}?labelSelector={}%3D{set}", crate::target::segment(APPLY_SET))).await?;
        for item in list["items"].as_array().map_or(&[][..], Vec::as_slice) {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = item["metadata"]["namespace"].as_str();
            let owned = item["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
            if owned || kept.contains(&(kind.plural, kind.group, namespace, name)) {
                continue;
            }
            if mode == Mode::Store {
                let path = manifest::object(kind, namespace, name);
                target.send("DELETE", &path, "application/json", Vec::new()).await?;
            }
            output::outcome(&target.form, &super::get::resource_name(kind, item), "pruned")?;
        }
    }
    Ok(())
}

pub(crate) async fn diff(arguments: Diff, scope: &Scope) -> Result<(), Failure> {
    let mut documents = manifest::read_all(&arguments.files)?;
    let target = Target::find(scope).await?;
    let mut differs = false;
    for document in &mut documents {
        let path = manifest::object(document.kind, document.namespace(&target.namespace), document.name());
        let mut live = match target.get(&path).await {
            Ok(object) => object,
            Err(failure) if failure.code() == code::NOT_FOUND => Value::Null,
            Err(failure) => return Err(failure),
        };
        let mut wanted = one(&target, document, Mode::DryRun, Conflicts::Force).await?.object;
        if document.kind.kind == "Secret" {
            mask(&mut live, &mut wanted);
        }
        let live = if live.is_null() { String::new() } else { readable(&live)? };
        let wanted = readable(&wanted)?;
        if live != wanted {
            differs = true;
            let name = super::get::resource_name(document.kind, &document.object);
            let difference = TextDiff::from_lines(&live, &wanted);
            let difference = difference.unified_diff().header(&format!("live {name}"), &document.origin).to_string();
            match target.form.is_json() {
                true => output::json(&json!({"object": name, "difference": difference}))?,
                false => output::data(difference.trim_end())?,
            }
        }
    }
    if differs { Err(Failure::quiet(Exit::Failed)) } else { Ok(()) }
}

/// Hides the values of a Secret, and shows which of them differ, as kubectl does.
fn mask(live: &mut Value, wanted: &mut Value) {
    let hidden = |object: &Value, other: &Value, side: &str| -> Option<Value> {
        let shown = |key: &String| {
            let differs = !other["data"][key].is_null() && other["data"][key] != object["data"][key];
            (key.clone(), json!(if differs { format!("*** ({side})") } else { "***".to_owned() }))
        };
        Some(Value::Object(object["data"].as_object()?.keys().map(shown).collect()))
    };
    let (before, after) = (hidden(live, wanted, "before"), hidden(wanted, live, "after"));
    for (object, data) in [(live, before), (wanted, after)] {
        if let Some(data) = data {
            object["data"] = data;
        }
    }
}

/// The part of an object that people write, as YAML.
fn readable(object: &Value) -> Result<String, Failure> {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.remove(field);
        }
    }
    serde_saphyr::to_string(&object)
        .map_err(|e| Failure::failed(code::OTHER, "cannot write YAML").detail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_secret_only_what_differs_is_told() {
        let mut live = json!({"data": {"same": "YQ==", "other": "Yg==", "gone": "Yw=="}});
        let mut wanted = json!({"data": {"same": "YQ==", "other": "ZA==", "new": "ZQ=="}});
        mask(&mut live, &mut wanted);
        assert_eq!(live, json!({"data": {"same": "***", "other": "*** (before)", "gone": "***"}}));
        assert_eq!(wanted, json!({"data": {"same": "***", "other": "*** (after)", "new": "***"}}));
        let (mut nothing, mut first) = (Value::Null, json!({"data": {"a": "YQ=="}, "type": "Opaque"}));
        mask(&mut nothing, &mut first);
        assert_eq!((nothing, first), (Value::Null, json!({"data": {"a": "***"}, "type": "Opaque"})));
    }
}
