//! Configuration: makes a Revision for each change of its template, and names the newest and the newest ready one.

use super::context::{Context, Error, key_of};
use super::labels;
use fnctl_config::api::condition::{self, Cause, Status};
use fnctl_config::api::container::CONTAINER_NAME;
use fnctl_config::api::{Configuration, Revision};
use fnctl_config::snapshot::ObjectKey;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::runtime::controller::Action;

pub(super) async fn reconcile(key: &ObjectKey, context: &Context) -> Result<Action, Error> {
    let Some(configuration) = context.get::<Configuration>(key).await? else { return Ok(Action::await_change()) };
    let wanted = revision(&configuration);
    let latest_key = key_of(&wanted);
    let latest = match context.get::<Revision>(&latest_key).await? {
        Some(stored) => stored,
        None => {
            let created = context.create(&wanted).await?;
            context.normal(&configuration, "Created", format!("created Revision {:?}", latest_key.name)).await;
            created
        }
    };
    let after = step(&configuration, &wanted, &latest, Timestamp::now());
    context.put_status(&configuration, &after).await?;
    super::run::announce(context, &configuration, &after).await;
    Ok(Action::await_change())
}

/// The revision that the template asks for: named by the user, or by the configuration's own generation, which only a
/// change of the template raises.
fn revision(configuration: &Configuration) -> Revision {
    let name = configuration.name_any();
    let generation = configuration.metadata.generation.unwrap_or(1);
    let template = &configuration.spec.template;
    let given = template.metadata.clone().unwrap_or_default();
    let mut annotations = given.annotations.unwrap_or_default();
    let creators = configuration.annotations();
    let creator = creators.get(labels::LAST_MODIFIER).or_else(|| creators.get(labels::CREATOR));
    let creator = creator.cloned().unwrap_or_else(|| super::context::MANAGER.to_owned());
    annotations.insert(labels::CREATOR.to_owned(), creator);
    let mut all_labels = given.labels.unwrap_or_default();
    for label in [labels::SERVICE, labels::SERVICE_UID] {
        if let Some(value) = configuration.labels().get(label) {
            all_labels.insert(label.to_owned(), value.clone());
        }
    }
    all_labels.extend([
        (labels::CONFIGURATION.to_owned(), name.clone()),
        (labels::CONFIGURATION_UID.to_owned(), configuration.uid().unwrap_or_default()),
        (labels::CONFIGURATION_GENERATION.to_owned(), generation.to_string()),
    ]);
    let metadata = ObjectMeta {
        name: Some(given.name.unwrap_or_else(|| format!("{name}-{generation:05}"))),
        labels: Some(all_labels),
        annotations: Some(annotations),
        ..labels::dependent(configuration, "")
    };
    let mut spec = template.spec.clone();
    // A revision's container always has a name, so that the stored one equals the wanted one.
    for container in spec.containers.iter_mut().filter(|container| container.name.is_empty()) {
        CONTAINER_NAME.clone_into(&mut container.name);
    }
    Revision { metadata, spec, status: None }
}

/// The configuration with the status that its newest revision makes.
fn step(configuration: &Configuration, wanted: &Revision, latest: &Revision, now: Timestamp) -> Configuration {
    let mut after = configuration.clone();
    let status = after.status.get_or_insert_default();
    status.observed_generation = configuration.metadata.generation;
    let name = latest.name_any();
    let (is_ready, cause) = if !labels::is_owned(latest, configuration) || latest.spec != wanted.spec {
        let message = format!("the revision name {name:?} is taken: choose another one in spec.template.metadata.name");
        (Status::False, Cause::new("RevisionNameTaken", message))
    } else {
        status.latest_created_revision_name = Some(name.clone());
        let conditions = latest.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = condition::find(conditions, condition::READY);
        let text = |part: Option<&String>| part.cloned().unwrap_or_default();
        let message = text(ready.and_then(|ready| ready.message.as_ref()));
        match ready.map_or(Status::Unknown, |ready| ready.status) {
            Status::True => {
                status.latest_ready_revision_name = Some(name);
                (Status::True, Cause::default())
            }
            Status::False => (
                Status::False,
                Cause::new("RevisionFailed", format!("Revision {name:?} failed with message: {message}.")),
            ),
            Status::Unknown => {
                (Status::Unknown, Cause::new(text(ready.and_then(|ready| ready.reason.as_ref())), message))
            }
        }
    };
    condition::set(&mut status.conditions, condition::READY, is_ready, cause, now);
    after
}

#[cfg(test)]
mod tests;
