//! Carries events to functions: log, filter, dispatch, sources, buckets.

pub mod log;
