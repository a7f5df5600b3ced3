//! Carries a request to an instance, waking one if needed.
//!
//! ```text
//! serve → headers → route → admit → provider (the function) → respond
//!                             └─► meter, for the scaler and for people
//! ```
//! In reading order: `activator` the handle that a composer holds; `serve` the listener; `headers` what of a request
//! reaches a function; `route` where it goes; `admit` who may call, and who waits; `provider` the port to instances,
//! with a scripted adapter and the suite that every adapter passes; `respond` the only table of status codes; `meter`
//! what is counted; `body` the bytes.
//!
//! Instances run in this process so far. There is no proxy to processes or pods: it will be an adapter of `provider`.

pub mod activator;
pub mod admit;
pub mod body;
pub mod headers;
pub mod meter;
pub mod provider;
pub mod respond;
pub mod route;
pub mod serve;
