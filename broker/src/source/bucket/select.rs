//! Which changes a source is about: pure.

use crate::bucket::Change;
use fnctl_config::snapshot::BucketSource;

/// Whether the source tells its sink of this change. An event type is exact, or ends with `*`; a leading `s3:` is
/// allowed; none at all are all.
pub fn matches(source: &BucketSource, change: &Change) -> bool {
    source.bucket == change.bucket
        && change.key.starts_with(&source.prefix)
        && change.key.ends_with(&source.suffix)
        && (source.event_types.is_empty()
            || source.event_types.iter().any(|wanted| names(wanted, change.action.name())))
}

fn names(wanted: &str, name: &str) -> bool {
    let wanted = wanted.strip_prefix("s3:").unwrap_or(wanted);
    match wanted.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => wanted == name,
    }
}
