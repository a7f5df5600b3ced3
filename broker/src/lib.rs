//! Carries events to functions: log, filter, dispatch, sources, buckets.

pub mod log;
pub mod cursor;
pub mod ledger;
pub mod parked;
pub mod state;
pub mod vfs;
pub mod event;
pub mod filter;
pub mod index;
pub mod retry;
pub mod deliver;
pub mod dispatch;
pub mod ingress;
pub mod why;
pub mod broker;
