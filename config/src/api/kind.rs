//! The table of kinds: everything that depends on a kind hangs on its row here.

use super::broker::{BrokerSpec, BrokerStatus};
use super::bucket_source::{BucketSourceSpec, BucketSourceStatus};
use super::configuration::{ConfigurationSpec, ConfigurationStatus};
use super::core::{PodSpec, PodStatus};
use super::revision::{RevisionSpec, RevisionStatus};
use super::route::{RouteSpec, RouteStatus};
use super::schema::{built_in, custom};
use super::service::{ServiceSpec, ServiceStatus};
use super::trigger::{TriggerSpec, TriggerStatus};
use k8s_openapi::api::core::v1 as core;
use schemars::{Schema, SchemaGenerator};

/// Group of functions and their parts.
pub const SERVING: &str = "serving.knative.dev";
/// Group of brokers and triggers.
pub const EVENTING: &str = "eventing.knative.dev";
/// Group of our own sources.
pub const SOURCES: &str = "sources.fnctl.dev";

/// One kind of object.
#[derive(Debug)]
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// Name of the kind, such as `Service`.
    pub kind: &'static str,
    /// Name of the resource in paths, such as `services`.
    pub plural: &'static str,
    /// Name of one, such as `service`.
    pub singular: &'static str,
    /// Names for people's fingers, such as `ksvc`.
    pub short_names: &'static [&'static str],
    /// Groups that `get` expands, such as `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether there is a status subresource: the status is then written there only.
    pub has_status: bool,
    /// Whether it is Kubernetes' own: takes strategic merge patch, keeps no generation, speaks Kubernetes' error wording.
    pub built_in: bool,
    /// The columns of a Table, whole and in order. Priority above 0 is shown by `-o wide` only.
    pub columns: &'static [Column],
    /// Makes the schema of the whole object.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// A column of a Table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading, as Knative's CRDs have it.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, or `date` (a time, printed as the age).
    pub type_: &'static str,
    /// 0 is always shown, 1 in wide output.
    pub priority: i32,
    /// What stands in a cell.
    pub cell: Cell,
}

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The value at this JSON path (Kubernetes' form, with a leading dot).
    Path(&'static str),
    /// Keys in `data` and `binaryData`.
    DataCount,
    /// Event: age of the newest of `lastTimestamp`, `eventTime`, `metadata.creationTimestamp`.
    EventLastSeen,
    /// Event: `kind/name` of the involved object, the kind in lower case.
    EventObject,
    /// Pod: ready containers of all, `1/1`.
    PodReady,
    /// Pod: restarts of all containers.
    PodRestarts,
}

impl Kind {
    /// `group/version`, or the version alone for core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `plural.group`, as errors name a resource; the plural alone for core.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Name of the object's schema in OpenAPI: the reversed group, version and kind.
    pub fn schema_name(&self) -> String {
        let Self { version, kind, .. } = self;
        if self.group.is_empty() {
            return format!("io.k8s.api.core.{version}.{kind}");
        }
        let group: Vec<&str> = self.group.rsplit('.').collect();
        format!("{}.{version}.{kind}", group.join("."))
    }
}

/// The kind with that plural name in that group: what a path of the API names.
pub fn by_plural(group: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.group == group && kind.plural == plural)
}

/// The kind that an object says it is.
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    KINDS.iter().find(|row| row.kind == kind && row.group == group && row.version == version)
}

/// The kind that a person means: plural, singular, short name or kind, in any case, or `plural.group`.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    let name = name.to_lowercase();
    let matches = |kind: &&Kind| {
        let names = [kind.plural, kind.singular];
        names.contains(&name.as_str()) || kind.short_names.contains(&name.as_str()) || kind.resource() == name
    };
    KINDS.iter().find(matches)
}

/// Every name that [`by_name`] knows, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|kind| [kind.plural, kind.singular].into_iter().chain(kind.short_names.iter().copied()))
}

const fn column(name: &'static str, type_: &'static str, cell: Cell) -> Column {
    Column { name, type_, priority: 0, cell }
}

const fn wide(name: &'static str, type_: &'static str, cell: Cell) -> Column {
    Column { name, type_, priority: 1, cell }
}

const NAME: Column = column("Name", "string", Cell::Path(".metadata.name"));
const AGE: Column = column("Age", "date", Cell::Path(".metadata.creationTimestamp"));
const READY: Column = column("Ready", "string", Cell::Path(r#".status.conditions[?(@.type=="Ready")].status"#));
const REASON: Column = column("Reason", "string", Cell::Path(r#".status.conditions[?(@.type=="Ready")].reason"#));
const URL: Column = column("URL", "string", Cell::Path(".status.url"));
const LATEST_CREATED: Column = column("LatestCreated", "string", Cell::Path(".status.latestCreatedRevisionName"));
const LATEST_READY: Column = column("LatestReady", "string", Cell::Path(".status.latestReadyRevisionName"));

/// A row that only needs its own particulars.
const CORE: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    has_status: false,
    built_in: true,
    columns: &[],
    schema: built_in::<core::ConfigMap>,
};
const CUSTOM: Kind = Kind { categories: &["all", "knative"], has_status: true, built_in: false, ..CORE };

/// Every kind there is.
pub static KINDS: &[Kind] = &[
    Kind {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        has_status: true,
        columns: &[NAME, column("Status", "string", Cell::Path(".status.phase")), AGE],
        schema: built_in::<core::Namespace>,
        ..CORE
    },
    Kind {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        columns: &[NAME, column("Data", "integer", Cell::DataCount), AGE],
        schema: built_in::<core::ConfigMap>,
        ..CORE
    },
    Kind {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        columns: &[
            NAME,
            column("Type", "string", Cell::Path(".type")),
            column("Data", "integer", Cell::DataCount),
            AGE,
        ],
        schema: built_in::<core::Secret>,
        ..CORE
    },
    Kind {
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        columns: &[
            column("Last Seen", "string", Cell::EventLastSeen),
            column("Type", "string", Cell::Path(".type")),
            column("Reason", "string", Cell::Path(".reason")),
            column("Object", "string", Cell::EventObject),
            column("Message", "string", Cell::Path(".message")),
            wide("Source", "string", Cell::Path(".source.component")),
            wide("Count", "integer", Cell::Path(".count")),
            wide("Name", "string", Cell::Path(".metadata.name")),
        ],
        schema: built_in::<core::Event>,
        ..CORE
    },
    Kind {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        has_status: true,
        columns: &[
            NAME,
            column("Ready", "string", Cell::PodReady),
            column("Status", "string", Cell::Path(".status.phase")),
            column("Restarts", "integer", Cell::PodRestarts),
            AGE,
            wide("IP", "string", Cell::Path(".status.podIP")),
            wide("Node", "string", Cell::Path(".spec.nodeName")),
        ],
        schema: custom::<PodSpec, PodStatus>,
        ..CORE
    },
    Kind {
        group: SERVING,
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["kservice", "ksvc"],
        columns: &[NAME, URL, LATEST_CREATED, LATEST_READY, READY, REASON],
        schema: custom::<ServiceSpec, ServiceStatus>,
        ..CUSTOM
    },
    Kind {
        group: SERVING,
        kind: "Configuration",
        plural: "configurations",
        singular: "configuration",
        short_names: &["config", "cfg"],
        columns: &[NAME, LATEST_CREATED, LATEST_READY, READY, REASON],
        schema: custom::<ConfigurationSpec, ConfigurationStatus>,
        ..CUSTOM
    },
    Kind {
        group: SERVING,
        kind: "Revision",
        plural: "revisions",
        singular: "revision",
        short_names: &["rev"],
        columns: &[
            NAME,
            column("Config Name", "string", Cell::Path(r".metadata.labels['serving\.knative\.dev/configuration']")),
            column(
                "Generation",
                "string",
                Cell::Path(r".metadata.labels['serving\.knative\.dev/configurationGeneration']"),
            ),
            READY,
            REASON,
            column("Actual Replicas", "integer", Cell::Path(".status.actualReplicas")),
            column("Desired Replicas", "integer", Cell::Path(".status.desiredReplicas")),
        ],
        schema: custom::<RevisionSpec, RevisionStatus>,
        ..CUSTOM
    },
    Kind {
        group: SERVING,
        kind: "Route",
        plural: "routes",
        singular: "route",
        short_names: &["rt"],
        columns: &[NAME, URL, READY, REASON],
        schema: custom::<RouteSpec, RouteStatus>,
        ..CUSTOM
    },
    Kind {
        group: EVENTING,
        kind: "Broker",
        plural: "brokers",
        singular: "broker",
        categories: &["all", "knative", "eventing"],
        columns: &[NAME, column("URL", "string", Cell::Path(".status.address.url")), AGE, READY, REASON],
        schema: custom::<BrokerSpec, BrokerStatus>,
        ..CUSTOM
    },
    Kind {
        group: EVENTING,
        kind: "Trigger",
        plural: "triggers",
        singular: "trigger",
        categories: &["all", "knative", "eventing"],
        columns: &[
            NAME,
            column("Broker", "string", Cell::Path(".spec.broker")),
            column("Subscriber_URI", "string", Cell::Path(".status.subscriberUri")),
            AGE,
            READY,
            REASON,
        ],
        schema: custom::<TriggerSpec, TriggerStatus>,
        ..CUSTOM
    },
    Kind {
        group: SOURCES,
        version: "v1alpha1",
        kind: "BucketSource",
        plural: "bucketsources",
        singular: "bucketsource",
        categories: &["all", "knative", "eventing", "sources"],
        columns: &[
            NAME,
            column("Bucket", "string", Cell::Path(".spec.bucket")),
            column("Sink", "string", Cell::Path(".status.sinkUri")),
            AGE,
            READY,
            REASON,
        ],
        schema: custom::<BucketSourceSpec, BucketSourceStatus>,
        ..CUSTOM
    },
];

#[cfg(test)]
mod tests;
