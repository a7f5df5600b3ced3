//! Carries events to functions: log, filter, dispatch, sources; and keeps what functions store: buckets, key-value stores.

pub mod broker;
pub mod bucket;
pub mod cursor;
pub mod deliver;
pub mod dispatch;
pub mod event;
pub mod filter;
pub mod index;
pub mod ingress;
pub mod key_values;
pub mod ledger;
pub mod log;
pub mod parked;
pub mod retry;
pub mod source;
pub mod state;
pub mod vfs;
pub mod why;
