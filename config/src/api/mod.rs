//! The objects as users write them: one file per kind, the parts they share, and what may be in them.
//!
//! [`kind`] is the table that everything else hangs on; [`admit()`] is the one gate into the store.

mod admit;
pub mod annotation;
pub mod broker;
pub mod bucket_source;
pub mod condition;
pub mod configuration;
pub mod container;
pub mod core;
pub mod delivery;
pub mod destination;
pub mod error;
pub mod kind;
pub mod metadata;
pub mod revision;
pub mod route;
mod schema;
pub mod service;
pub mod trigger;

pub use admit::{admit, warnings};
pub use broker::Broker;
pub use bucket_source::BucketSource;
pub use condition::Condition;
pub use configuration::Configuration;
pub use error::{FieldError, FieldErrorKind};
pub use kind::{KINDS, Kind};
pub use revision::Revision;
pub use route::Route;
pub use schema::schemas;
pub use service::Service;
pub use trigger::Trigger;
