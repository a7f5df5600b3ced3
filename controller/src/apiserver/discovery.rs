//! What is served here, for clients that ask first: aggregated discovery (two requests for everything), the plain lists of
//! older clients, and the version.

use super::answer::json_bytes;
use super::resource::Resource;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NAMESPACE_VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];
const EVENTS: &str = "events.k8s.io";

/// One group and version, and what is in it.
struct Group {
    name: &'static str,
    version: &'static str,
    resources: Vec<Resource>,
}

fn groups() -> Vec<Group> {
    let mut groups: BTreeMap<(&str, &str), Vec<Resource>> = BTreeMap::new();
    for resource in Resource::all() {
        let kind = resource.kind();
        groups.entry((kind.group, kind.version)).or_default().push(resource);
        if resource.is_event() {
            groups.entry((EVENTS, "v1")).or_default().push(resource);
        }
    }
    groups.into_iter().map(|((name, version), resources)| Group { name, version, resources }).collect()
}

/// Answers a path of discovery; nothing for every other path.
pub(crate) fn answer(path: &[&str], accept: &str) -> Option<Response> {
    let value = match path {
        ["version"] => version(),
        ["api"] => match aggregate(accept) {
            Some(version) => return Some(aggregated(version, Members::Core)),
            None => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        },
        ["apis"] => match aggregate(accept) {
            Some(version) => return Some(aggregated(version, Members::Named)),
            None => {
                let groups: Vec<_> = groups().iter().filter(|group| !group.name.is_empty()).map(api_group).collect();
                json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
            }
        },
        ["api", "v1"] => api_resources(groups().iter().find(|group| group.name.is_empty())?),
        ["apis", "authorization.k8s.io", "v1"] => reviews(),
        ["apis", name] => api_group(groups().iter().find(|group| group.name == *name)?),
        ["apis", name, version] => {
            api_resources(groups().iter().find(|group| group.name == *name && group.version == *version)?)
        }
        _ => return None,
    };
    Some(json_bytes(StatusCode::OK, value.to_string()))
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "37", "gitVersion": concat!("v1.37.0+fnctl-", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// Which half of aggregated discovery is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    /// `/api`: the group without a name.
    Core,
    /// `/apis`: all others.
    Named,
}

/// The version of aggregated discovery that a client prefers.
fn aggregate(accept: &str) -> Option<&'static str> {
    accept.split(',').filter(|media| media.contains("as=APIGroupDiscoveryList")).find_map(|media| {
        let asks = |version: &str| media.split(';').any(|part| part.trim() == format!("v={version}"));
        if asks("v2") {
            Some("v2")
        } else if asks("v2beta1") {
            Some("v2beta1")
        } else {
            None
        }
    })
}

fn aggregated(version: &str, members: Members) -> Response {
    let groups = groups();
    let wanted = groups.iter().filter(|group| group.name.is_empty() == (members == Members::Core));
    let mut items: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for group in wanted {
        let resources: Vec<_> = group.resources.iter().map(|resource| discovered(*resource, group)).collect();
        let version = json!({"version": group.version, "freshness": "Current", "resources": resources});
        items.entry(group.name).or_default().push(version);
    }
    let items: Vec<_> = items
        .into_iter()
        .map(|(name, versions)| {
            let metadata = if name.is_empty() { json!({}) } else { json!({"name": name}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items,
    });
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    ([(header::CONTENT_TYPE, media)], body.to_string()).into_response()
}

fn discovered(resource: Resource, group: &Group) -> Value {
    let kind = resource.kind();
    let response = json!({"group": group.name, "version": group.version, "kind": kind.kind});
    let mut subresources = Vec::new();
    if kind.has_status {
        subresources.push(json!({"subresource": "status", "responseKind": response, "verbs": STATUS_VERBS}));
    }
    if is_pod(resource) {
        subresources.push(json!({"subresource": "log", "responseKind": response, "verbs": ["get"]}));
    }
    json!({
        "resource": kind.plural, "responseKind": response, "singularResource": kind.singular,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "verbs": verbs(resource), "shortNames": kind.short_names, "categories": kind.categories, "subresources": subresources,
    })
}

fn api_group(group: &Group) -> Value {
    let version = json!({"groupVersion": format!("{}/{}", group.name, group.version), "version": group.version});
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": group.name,
        "versions": [version], "preferredVersion": version,
    })
}

fn api_resources(group: &Group) -> Value {
    let mut resources = Vec::new();
    for resource in &group.resources {
        let kind = resource.kind();
        resources.push(json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs(*resource), "shortNames": kind.short_names, "categories": kind.categories,
        }));
        let mut subresource = |name: &str, verbs: &[&str]| {
            resources.push(json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": verbs,
            }));
        };
        if kind.has_status {
            subresource("status", &STATUS_VERBS);
        }
        if is_pod(*resource) {
            subresource("log", &["get"]);
        }
    }
    let version =
        if group.name.is_empty() { group.version.to_owned() } else { format!("{}/{}", group.name, group.version) };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources})
}

fn reviews() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "authorization.k8s.io/v1",
        "resources": [{
            "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": false,
            "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        }],
    })
}

/// What may be asked of a kind. Namespaces are not deleted by the collection.
fn verbs(resource: Resource) -> &'static [&'static str] {
    if resource.is_namespace() { &NAMESPACE_VERBS } else { &VERBS }
}

/// Whether this is the kind that has logs.
pub(crate) fn is_pod(resource: Resource) -> bool {
    resource.is_built_in() && resource.kind().kind == "Pod"
}
