//! The recent events of each kind. A ring *is* the queue of every watch: a watcher keeps a version and asks for what came
//! after it; one that was passed by starts again (410). A busy kind does not push out another one's events.

use super::{Key, Version};
use crate::apiserver::resource::Resource;
use bytes::Bytes;
use fnctl_config::limits;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One committed change.
#[derive(Clone, Debug)]
pub struct Event {
    /// The version that the change made.
    pub version: Version,
    /// What happened.
    pub change: Change,
    /// To which object.
    pub key: Key,
    /// The object after it; its last state where it is gone.
    pub object: Bytes,
    /// The object before it: a selector that no longer matches must be told.
    pub old: Option<Bytes>,
}

impl Event {
    fn bytes(&self) -> usize {
        self.object.len() + self.old.as_ref().map_or(0, Bytes::len)
    }
}

#[derive(Debug)]
struct Ring {
    /// Events up to this version may be missing.
    floor: Version,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

/// One ring for each kind.
#[derive(Debug)]
pub(crate) struct Rings(Vec<Mutex<Ring>>);

impl Rings {
    pub(super) fn new(floor: Version) -> Self {
        Self(Resource::all().map(|_| Mutex::new(Ring { floor, events: VecDeque::new(), bytes: 0 })).collect())
    }

    pub(super) fn push(&self, event: Event) {
        let mut ring = self.0[event.key.resource.index()].lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += event.bytes();
        ring.events.push_back(Arc::new(event));
        while ring.events.len() > limits::API_RING_EVENTS_MAX || ring.bytes > limits::API_RING_BYTES_MAX {
            let Some(gone) = ring.events.pop_front() else { break };
            ring.bytes -= gone.bytes();
            ring.floor = gone.version;
        }
    }

    /// At most `most` events of a kind after a version, oldest first; `None` when some of them are no longer here.
    pub(crate) fn since(&self, resource: Resource, version: Version, most: usize) -> Option<Vec<Arc<Event>>> {
        let ring = self.0[resource.index()].lock().unwrap_or_else(PoisonError::into_inner);
        if version < ring.floor {
            return None;
        }
        let from = ring.events.partition_point(|event| event.version <= version);
        Some(ring.events.range(from..).take(most).cloned().collect())
    }
}
