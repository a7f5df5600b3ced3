//! What users declare becomes what runs: the API that holds the objects, reconcilers that act on them, and projections
//! that feed the data plane.

pub mod apiserver;
mod informer;
pub mod project;
pub mod reconcile;
