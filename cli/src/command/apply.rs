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
    let set = arguments.prune.then(|| set_of(&arguments.files));
    for document in &mut documents {
        if let Some(set) = &set {
            document.object["metadata"]["labels"][APPLY_SET] = json!(set);
        }
        let outcome = one(&target, document, mode, conflicts).await?;
        report(&target, document, &outcome)?;
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

/// Pushes the document's local components, then applies it.
pub(crate) async fn one(
    target: &Target,
    document: &mut Document,
    mode: Mode,
    conflicts: Conflicts,
) -> Result<Outcome, Failure> {
    if mode == Mode::Store {
        push::local_images(target, document).await?;
    }
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

fn report(target: &Target, document: &Document, outcome: &Outcome) -> Result<(), Failure> {
    let name = super::get::resource_name(document.kind, &outcome.object);
    match target.form.is_json() {
        true => output::json(&json!({"object": name, "result": outcome.word})),
        false => output::data(format!("{name} {}", outcome.word)),
    }
}

fn set_of(files: &[String]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(files.join("\n"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Deletes what an earlier apply of the same files made and they no longer hold.
async fn prune(target: &Target, documents: &[Document], set: &str, mode: Mode) -> Result<(), Failure> {
    let kept: BTreeSet<_> = documents.iter().map(|d| (d.kind.plural, d.kind.group, d.name())).collect();
    for kind in fnctl_config::api::kind::KINDS {
        let collection = manifest::collection(kind, Some(&target.namespace));
        let list =
            target.get(&format!("{collection}?labelSelector={}%3D{set}", crate::target::segment(APPLY_SET))).await?;
        for item in list["items"].as_array().map_or(&[][..], Vec::as_slice) {
            let name = item["metadata"]["name"].as_str().unwrap_or_default();
            let owned = item["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
            if owned || kept.contains(&(kind.plural, kind.group, name)) {
                continue;
            }
            if mode == Mode::Store {
                target
                    .send(
                        "DELETE",
                        &manifest::object(kind, Some(&target.namespace), name),
                        "application/json",
                        Vec::new(),
                    )
                    .await?;
            }
            output::data(format!("{} pruned", super::get::resource_name(kind, item)))?;
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
        let live = match target.get(&path).await {
            Ok(object) => readable(&object)?,
            Err(failure) if failure.code() == code::NOT_FOUND => String::new(),
            Err(failure) => return Err(failure),
        };
        let wanted = readable(&one(&target, document, Mode::DryRun, Conflicts::Force).await?.object)?;
        if live != wanted {
            differs = true;
            let name = super::get::resource_name(document.kind, &document.object);
            let difference = TextDiff::from_lines(&live, &wanted);
            output::data(
                difference
                    .unified_diff()
                    .header(&format!("live {name}"), &document.origin.to_string())
                    .to_string()
                    .trim_end(),
            )?;
        }
    }
    if differs { Err(Failure::quiet(Exit::Failed)) } else { Ok(()) }
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
