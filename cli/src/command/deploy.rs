//! `fnctl deploy`: one function from a component, a folder, a manifest or an image, ready when the command ends.

use super::apply::{self, Conflicts, Mode};
use super::wait;
use crate::args::{Deploy, Scope};
use crate::failure::{Failure, code};
use crate::manifest::{self, Document};
use crate::output;
use crate::push;
use crate::target::Target;
use serde_json::{Value, json};
use std::path::Path;
use tokio::time::Instant;

/// What makes a folder a function.
const MANIFEST: &str = "service.yaml";

pub(crate) async fn run(arguments: Deploy, scope: &Scope) -> Result<(), Failure> {
    let target = Target::find(scope).await?;
    target.announce();
    let begun = Instant::now();
    let deployed = deploy(&target, &arguments).await?;
    if target.form.is_json() {
        return output::json(&deployed);
    }
    let (name, revision) = (text(&deployed["name"]), text(&deployed["revision"]));
    match deployed["ready"].as_bool() {
        Some(true) => {
            output::say(format!("{name} is ready after {:.1} s: revision {revision}", begun.elapsed().as_secs_f64()));
            output::data(text(&deployed["url"]))
        }
        _ => output::data(format!("{name} applied; see: fnctl get ksvc {name}")),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Deploys and answers the contract's JSON.
pub(crate) async fn deploy(target: &Target, arguments: &Deploy) -> Result<Value, Failure> {
    let begun = Instant::now();
    let documents = documents(target, arguments).await?;
    let mut function = None;
    for mut document in documents {
        let outcome = apply::one(target, &mut document, Mode::Store, Conflicts::Force).await?;
        if document.kind.kind == "Service" {
            function = Some(outcome.object);
        } else if !target.form.is_json() {
            output::say(format!("{} {}", super::get::resource_name(document.kind, &outcome.object), outcome.word));
        }
    }
    let Some(function) = function else {
        return Err(Failure::invalid(code::INPUT, format!("{} holds no Service", arguments.path)));
    };
    let (name, namespace) = (text(&function["metadata"]["name"]), text(&function["metadata"]["namespace"]));
    let function = match arguments.no_wait {
        true => function.clone(),
        false => wait::ready(target, manifest::kind_by_word("ksvc")?, namespace, name, arguments.timeout).await?,
    };
    let status = &function["status"];
    Ok(
        json!({"name": name, "namespace": namespace, "revision": status["latestReadyRevisionName"], "url": status["url"],
        "ready": !arguments.no_wait, "seconds": (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0}),
    )
}

async fn documents(target: &Target, arguments: &Deploy) -> Result<Vec<Document>, Failure> {
    let path = Path::new(&arguments.path);
    let mut documents = if path.is_dir() {
        let manifest = path.join(MANIFEST);
        if !manifest.is_file() {
            return Err(Failure::invalid(code::FILE, format!("{} holds no {MANIFEST}", path.display()))
                .detail("a folder is deployed by the service.yaml in it")
                .try_this(format!("fnctl deploy {}/NAME.wasm", path.display())));
        }
        manifest::read(&manifest)?
    } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
        manifest::read(path)?
    } else {
        let name = arguments.name.clone().unwrap_or_else(|| name_of(path));
        let image = match path.is_file() || path.extension().is_some_and(|e| e == "wasm") {
            true => push::component(target, path, &target.namespace, &name).await?,
            false => remote(&arguments.path)?,
        };
        vec![service(&name, &image)]
    };
    for document in documents.iter_mut().filter(|d| d.kind.kind == "Service") {
        if let Some(name) = &arguments.name {
            document.object["metadata"]["name"] = json!(name);
        }
        set_environment(&mut document.object, &arguments.env)?;
    }
    Ok(documents)
}

/// What is no file here is an image; without a registry it is more likely a path with a mistake in it.
fn remote(image: &str) -> Result<String, Failure> {
    let registry = image.split_once('/').map_or("", |(registry, _)| registry);
    match registry.contains(['.', ':']) {
        true => Ok(image.to_owned()),
        false => Err(Failure::invalid(code::FILE, format!("{image} is no file and no folder here"))
            .detail("an image is written with its registry, as in fnctl.local/examples/hello")
            .try_this("fnctl deploy --help")),
    }
}

/// A name for the function from the file's: `Hello_World.wasm` gives `hello-world`.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("function");
    let stem = stem.split(['@', ':']).next().unwrap_or(stem);
    let dashed = stem.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    dashed.trim_matches('-').to_owned()
}

fn service(name: &str, image: &str) -> Document {
    let object = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
    let kind = fnctl_config::api::kind::by_kind("serving.knative.dev/v1", "Service").expect("a kind of ours");
    Document { object, kind, origin: image.to_owned(), folder: ".".into() }
}

fn set_environment(service: &mut Value, pairs: &[String]) -> Result<(), Failure> {
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Failure::invalid(code::INPUT, format!("--env {pair:?} has no value: write NAME=VALUE")));
        };
        let Some(container) = service.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut)
        else {
            return Err(Failure::invalid(code::INPUT, "the manifest has no container to give --env to"));
        };
        let env = container.entry("env").or_insert_with(|| json!([]));
        if let Some(env) = env.as_array_mut() {
            env.retain(|entry| entry["name"] != name);
            env.push(json!({"name": name, "value": value}));
        }
    }
    Ok(())
}
