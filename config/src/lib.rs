//! What may exist: the kinds users write, their validation and defaults, every named limit, one node's settings.
//!
//! Nothing here does I/O, reads a clock or is async (`node` alone reads files and environment, once, at start).
//! In reading order: `api` the objects as users write them; `validate` what is wrong with one, by field path;
//! `snapshot` the same objects as the data plane uses them; `filter` a trigger's filter; `address` names on the network;
//! `limits` every bound with its unit and reason; `node` the settings of one process.

pub mod address;
pub mod api;
pub mod limits;
pub mod snapshot;
