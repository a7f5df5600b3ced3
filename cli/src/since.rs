//! "So long ago" as people ask for it, in queries of the control port.

use jiff::{SignedDuration, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// The moment that long ago; the first one that there is where that is before it.
pub(crate) fn ago(now: Timestamp, ago: Duration) -> Timestamp {
    let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
    now.saturating_sub(ago).unwrap_or(Timestamp::MIN)
}

/// A query's `sinceSeconds` as a moment.
pub(crate) fn seconds_ago<'de, D: Deserializer<'de>>(query: D) -> Result<Option<Timestamp>, D::Error> {
    let seconds = f64::deserialize(query)?;
    let since = Duration::try_from_secs_f64(seconds);
    let since =
        since.map_err(|_| D::Error::custom(format!("sinceSeconds: {seconds} is no number of seconds from 0 on")))?;
    Ok(Some(ago(Timestamp::now(), since)))
}

#[cfg(test)]
mod tests;
