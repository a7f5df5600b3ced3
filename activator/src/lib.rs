//! Carries a request to an instance, waking one if needed.

pub mod body;
pub mod provider;
