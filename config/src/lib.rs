//! What may exist: the kinds users write, their validation and defaults, every named limit, one node's settings.
//!
//! Nothing here does I/O, reads a clock or is async (`node` alone reads files and environment, once, at start).
//! In reading order: `api` the objects as users write them; `validate` what is wrong with one, by field path;
//! `snapshot` the same objects as the data plane uses them; `filter` a trigger's filter; `address` names on the network;
//! `limits` every bound with its unit and reason; `node` the settings of one process.

pub mod address;
pub mod api;
pub mod duration;
pub mod filter;
pub mod limits;
pub mod node;
pub mod quantity;
pub mod resolve;
pub mod snapshot;

/// The name nearest to what was written, if any is near enough to be what was meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near =
        names.into_iter().map(|name| (strsim::jaro_winkler(written, name), name)).filter(|(score, _)| *score > 0.8);
    near.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, name)| name)
}
