//! What may exist: the kinds users write, their validation and defaults, every named limit, one node's settings.
//!
//! Nothing here does I/O, reads a clock or is async (`node` alone reads files and environment, once, at start).
//! In reading order: `api` the objects as users write them, and `api::admit` the gate that gives them defaults or says what
//! is wrong by field path; `resolve` the way to `snapshot`, the same objects as the data plane uses them; `filter` a
//! trigger's filter; `address` names on the network; `reach` which addresses may be reached; `key_value` how full a
//! store may be; `limits` every bound with its unit and reason; `node` the settings of one process; `manifests` the kinds as a cluster takes them.

pub mod address;
pub mod api;
pub mod duration;
pub mod filter;
pub mod key_value;
pub mod limits;
pub mod manifests;
pub mod node;
pub mod quantity;
pub mod reach;
pub mod resolve;
pub mod snapshot;

/// The name nearest to what was written, if any is near enough to be what was meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near =
        names.into_iter().map(|name| (strsim::jaro_winkler(written, name), name)).filter(|(score, _)| *score > 0.8);
    near.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, name)| name)
}
