//! Names of objects, and their form in the file: resource, namespace and name with zero bytes between, so that the keys
//! of one kind and of one namespace lie together.

use crate::apiserver::resource::Resource;

/// One object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Its kind.
    pub resource: Resource,
    /// Its namespace; empty for kinds that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key from its parts.
    pub fn new(resource: Resource, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { resource, namespace: namespace.into(), name: name.into() }
    }

    /// The form in the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Self::prefix(self.resource, Some(&self.namespace));
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// What the keys of a kind, or of one namespace of it, begin with.
    pub(super) fn prefix(resource: Resource, namespace: Option<&str>) -> Vec<u8> {
        match namespace {
            Some(namespace) => format!("{}\0{namespace}\0", resource.name()).into_bytes(),
            None => format!("{}\0", resource.name()).into_bytes(),
        }
    }

    /// Reads the form in the file; nothing for a kind that this version does not know.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(bytes).ok()?.splitn(3, '\0');
        let (resource, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self::new(Resource::by_name(resource)?, namespace, name))
    }
}
