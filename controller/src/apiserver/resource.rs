//! One kind of object, as a small number: what keys, rings and requests carry instead of a group and a plural.

use fnctl_config::api::kind::{self, KINDS, Kind};
use std::fmt;

/// An index into the table of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(u16);

impl Resource {
    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len()).filter_map(|index| u16::try_from(index).ok()).map(Self)
    }

    /// By the API group and the plural of a URL; `events.k8s.io` spells the core group's events.
    pub fn by_plural(group: &str, plural: &str) -> Option<Self> {
        Self::of(kind::by_plural(group, plural)?)
    }

    /// By the two fields that every object carries.
    pub fn by_kind(api_version: &str, kind: &str) -> Option<Self> {
        Self::of(kind::by_kind(api_version, kind)?)
    }

    /// By the name that the store files it under: `services.serving.knative.dev`, `configmaps`.
    pub fn by_name(name: &str) -> Option<Self> {
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        Self::by_plural(group, plural)
    }

    /// What is known of the kind.
    pub fn kind(self) -> &'static Kind {
        &KINDS[usize::from(self.0)]
    }

    /// The place in the table.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// `plural.group`, or the plural alone in the core group: how Kubernetes names a resource in messages.
    pub fn name(self) -> String {
        self.kind().resource()
    }

    /// `group/version`, or the version alone in the core group.
    pub fn api_version(self) -> String {
        self.kind().api_version()
    }

    /// Whether this is the kind of namespaces.
    pub fn is_namespace(self) -> bool {
        self.kind().group.is_empty() && self.kind().kind == "Namespace"
    }

    /// Whether this is the kind of events.
    pub fn is_event(self) -> bool {
        self.kind().group.is_empty() && self.kind().kind == "Event"
    }

    /// Whether the kind is Kubernetes' own: such kinds take strategic merge patches and updates without a version.
    pub fn is_built_in(self) -> bool {
        self.kind().built_in
    }

    fn of(kind: &'static Kind) -> Option<Self> {
        KINDS.iter().position(|known| std::ptr::eq(known, kind)).and_then(|index| u16::try_from(index).ok()).map(Self)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
