//! Reconcilers: from the objects that users write to the objects and statuses that follow from them.
//!
//! Each kind has a pure step, which takes objects and gives objects and conditions, and a shell, which reads what the step
//! needs, and writes what changed. Reconcilers write API objects and nothing else; what runs is fed by `crate::project`.
//! A shell reads its object afresh, so that it compares with what is stored, and writes only differences: a status that
//! says the same again keeps its times and causes no event.
//!
//! Not here yet: traffic splits, tags, domain mappings, garbage collection of old revisions.

pub mod activity;
pub mod artifacts;
mod broker;
mod bucket_source;
mod configuration;
mod context;
mod destination;
mod labels;
mod pod;
mod revision;
mod route;
mod routing;
mod run;
mod service;
mod trigger;

pub use activity::{Instances, Replicas};
pub use artifacts::{Artifacts, Buckets, Rejected};
pub use context::{Error, Settings};
pub use run::Controllers;

#[cfg(test)]
mod tests;
