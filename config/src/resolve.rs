//! From API objects to what the data plane runs: pure functions, the only way into [`crate::snapshot`].

mod eventing;
mod expand;
mod serving;

pub use eventing::{Home, Place, broker, bucket_source, delivery, destination, trigger};
pub(crate) use serving::memory;
pub use serving::{Lookup, revision, route};

#[cfg(test)]
mod tests;
