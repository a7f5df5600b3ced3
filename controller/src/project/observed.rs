//! What this node's data plane has taken over. The projection notes it after each change; whoever says that something is
//! ready looks here first. It is an observation: nobody tells the data plane anything by it.

use super::state::Family;
use crate::reconcile::Rejected;
use fnctl_config::limits::PROJECTION_WAIT_MAX;
use fnctl_config::snapshot::{Change, ObjectKey};
use std::collections::HashMap;
use tokio::sync::watch;
use tokio::time::timeout;

/// A projection's end: it notes what was taken.
#[derive(Debug)]
pub struct Observer(watch::Sender<Taken>);

/// The end of those who look. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Observed(watch::Receiver<Taken>);

/// Whether the data plane serves something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It does.
    Yes,
    /// It has not heard of it yet.
    NotYet,
    /// It has, and cannot.
    No(Rejected),
}

#[derive(Debug, Default)]
struct Taken {
    is_synced: bool,
    last: HashMap<(Family, ObjectKey), (Change, Result<(), Rejected>)>,
}

/// Both ends of the observation of one data plane, which has taken nothing yet.
pub fn observe() -> (Observer, Observed) {
    let (sender, receiver) = watch::channel(Taken::default());
    (Observer(sender), Observed(receiver))
}

impl Observer {
    /// The data plane was told of a change, and this is what came of it.
    pub(super) fn note(&self, change: Change, outcome: Result<(), Rejected>) {
        self.0.send_modify(|taken| {
            let (family, key) = (Family::of(&change), change.key().clone());
            match change.is_end() {
                true => drop(taken.last.remove(&(family, key))),
                false => drop(taken.last.insert((family, key), (change, outcome))),
            }
        });
    }

    /// Everything that was stored when the projection began has been taken.
    pub(super) fn synced(&self) {
        self.0.send_modify(|taken| taken.is_synced = true);
    }
}

impl Observed {
    /// Waits until everything that was stored when the projection began has been taken, or the projection has ended.
    pub async fn synced(&self) {
        // An error is the projection's end.
        let _ = self.0.clone().wait_for(|taken| taken.is_synced).await;
    }

    /// Whether the data plane has taken exactly this; waits for it, at most [`PROJECTION_WAIT_MAX`].
    pub async fn serving(&self, wanted: &Change) -> Serving {
        self.when(&(Family::of(wanted), wanted.key().clone()), |taken| taken == wanted).await
    }

    /// Whether the data plane knows the revision with this uid; waits as [`Self::serving`] does.
    pub async fn serving_revision(&self, key: &ObjectKey, uid: &str) -> Serving {
        let is_it = |taken: &Change| matches!(taken, Change::Revision(revision) if revision.uid == uid);
        self.when(&(Family::Revision, key.clone()), is_it).await
    }

    async fn when(&self, name: &(Family, ObjectKey), is_it: impl Fn(&Change) -> bool) -> Serving {
        let mut seen = self.0.clone();
        let find = |taken: &Taken| {
            let (_, outcome) = taken.last.get(name).filter(|(change, _)| is_it(change))?;
            Some(outcome.clone().map_or_else(Serving::No, |()| Serving::Yes))
        };
        let waited = timeout(PROJECTION_WAIT_MAX, seen.wait_for(|taken| find(taken).is_some())).await;
        match waited {
            Ok(Ok(taken)) => find(&taken).unwrap_or(Serving::NotYet),
            Ok(Err(_)) | Err(_) => Serving::NotYet,
        }
    }
}

#[cfg(test)]
mod tests;
