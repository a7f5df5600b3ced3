//! Reading: one committed state of the store.

use super::{Error, Key, META, OBJECTS, VERSION, Version};
use crate::apiserver::resource::Resource;
use bytes::Bytes;
use redb::{ReadOnlyTable, ReadTransaction};
use std::ops::ControlFlow;

/// One stored object.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its resourceVersion.
    pub version: Version,
    /// Its JSON.
    pub bytes: Bytes,
}

/// One committed state: nothing written later is seen through it.
pub struct Snapshot {
    /// The newest version in it.
    pub version: Version,
    objects: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn of(transaction: &ReadTransaction) -> Result<Self, Error> {
        let meta = transaction.open_table(META).map_err(redb::Error::from)?;
        let version = meta.get(VERSION).map_err(redb::Error::from)?.map_or(1, |version| version.value());
        Ok(Self { version, objects: transaction.open_table(OBJECTS).map_err(redb::Error::from)? })
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let found = self.objects.get(key.bytes().as_slice()).map_err(redb::Error::from)?;
        Ok(found.and_then(|value| {
            let (version, json) = split(value.value())?;
            Some(Stored { version, bytes: Bytes::copy_from_slice(json) })
        }))
    }

    /// Visits the objects of a kind (of one namespace) after a key, in the order of namespace and name.
    pub fn visit(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        after: Option<&Key>,
        mut visitor: impl FnMut(Key, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let prefix = Key::prefix(resource, namespace);
        let mut start = prefix.clone();
        if let Some(after) = after {
            start = after.bytes();
            start.push(0);
        }
        for item in self.objects.range(start.as_slice()..).map_err(redb::Error::from)? {
            let (key, value) = item.map_err(redb::Error::from)?;
            if !key.value().starts_with(&prefix) {
                break;
            }
            let (Some(key), Some((_, json))) = (Key::parse(key.value()), split(value.value())) else { continue };
            if visitor(key, json).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A stored value: version and JSON.
pub(super) fn split(value: &[u8]) -> Option<(Version, &[u8])> {
    let (version, json) = value.split_first_chunk::<8>()?;
    Some((Version::from_be_bytes(*version), json))
}
