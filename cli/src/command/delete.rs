//! `fnctl delete`: objects by name, or what files hold.

use crate::args::{Delete, Scope};
use crate::failure::Failure;
use crate::manifest;
use crate::output;
use crate::target::Target;
use fnctl_config::api::kind::Kind;
use serde_json::json;

pub(crate) async fn run(arguments: Delete, scope: &Scope) -> Result<(), Failure> {
    let objects = objects(&arguments)?;
    let target = Target::find(scope).await?;
    target.announce();
    for (kind, namespace, name) in objects {
        let namespace = namespace.unwrap_or_else(|| target.namespace.clone());
        let path = manifest::object(kind, Some(&namespace), &name);
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        target.send("DELETE", &path, "application/json", options.to_string().into_bytes()).await?;
        let name = super::get::resource_name(kind, &json!({"metadata": {"name": name}}));
        output::outcome(&target.form, &name, "deleted")?;
    }
    Ok(())
}

type Named = (&'static Kind, Option<String>, String);

fn objects(arguments: &Delete) -> Result<Vec<Named>, Failure> {
    // The reverse of the order in which files make things: a trigger goes before its broker.
    let documents = manifest::read_all(&arguments.files)?.into_iter().rev();
    let from_files =
        documents.map(|d| (d.kind, d.object["metadata"]["namespace"].as_str().map(str::to_owned), d.name().to_owned()));
    let mut objects: Vec<Named> = from_files.collect();
    objects.extend(manifest::objects(&arguments.objects)?.into_iter().map(|(kind, name)| (kind, None, name)));
    Ok(objects)
}
