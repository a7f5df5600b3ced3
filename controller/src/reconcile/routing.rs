//! Which revisions requests go to, as labels on them. Tools go by it: `kn revision delete --prune` spares the active ones
//! alone.

use super::context::{Context, Error};
use fnctl_config::api::{Revision, Route};
use fnctl_config::snapshot::ObjectKey;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `active` or `reserve`.
const STATE: &str = "serving.knative.dev/routingState";
/// The routes that lead to a revision, with commas.
const ROUTES: &str = "serving.knative.dev/routes";

/// What a revision is to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// Requests go to it.
    Some,
    /// Requests went to it.
    NoMore,
}

/// Marks the revision that gets a route's requests now, then takes the mark from those that the route's status names still.
pub(super) async fn mark(route: &Route, target: &str, context: &Context) -> Result<(), Error> {
    let told = route.status.iter().flat_map(|status| &status.traffic);
    let before: BTreeSet<&str> = told.filter_map(|share| share.revision_name.as_deref()).collect();
    write(route, target, Share::Some, context).await?;
    for name in before.into_iter().filter(|name| *name != target) {
        write(route, name, Share::NoMore, context).await?;
    }
    Ok(())
}

async fn write(route: &Route, name: &str, share: Share, context: &Context) -> Result<(), Error> {
    let namespace = route.namespace().unwrap_or_default();
    let Some(revision) = context.get::<Revision>(&ObjectKey::new(&namespace, name)).await? else { return Ok(()) };
    if let Some(marks) = marks(&revision, &route.name_any(), share) {
        let parameters = PatchParams::apply(super::context::MANAGER);
        context.api::<Revision>(&namespace).patch_metadata(name, &parameters, &Patch::Merge(marks)).await?;
    }
    Ok(())
}

/// What to change in a revision; none where it is marked so already.
fn marks(revision: &Revision, route: &str, share: Share) -> Option<Value> {
    let written = revision.annotations().get(ROUTES).map_or("", String::as_str);
    let mut routes: BTreeSet<&str> = written.split(',').filter(|name| !name.is_empty()).collect();
    let is_news = match share {
        Share::Some => routes.insert(route),
        Share::NoMore => routes.remove(route),
    };
    let state = if routes.is_empty() { "reserve" } else { "active" };
    if !is_news && revision.labels().get(STATE).is_some_and(|known| known == state) {
        return None;
    }
    let routes = Some(routes.into_iter().collect::<Vec<_>>().join(",")).filter(|routes| !routes.is_empty());
    Some(json!({"metadata": {"labels": {STATE: state}, "annotations": {ROUTES: routes}}}))
}

#[cfg(test)]
mod tests;
