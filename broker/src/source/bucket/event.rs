//! A change as a CloudEvent, by the published mapping of S3 events (the CloudEvents adapter for AWS S3).

use crate::bucket::{Change, REGION, encode_key};
use crate::event::{Event, Invalid};

/// What the type of an event begins with, before S3's name of it.
pub const PREFIX: &str = "com.amazonaws.s3.";

/// The event of one change. `configuration` names the source in the record.
///
/// The published id is `<x-amz-request-id>.<x-amz-id-2>`. Where one request touches several objects it would not be
/// unique: there the number of the object in the request follows after one more dot. The sequencer is an extension of
/// the CloudEvents `sequence` kind too, so that filters and consumers need not read the data.
pub fn to_event(change: &Change, configuration: &str) -> Result<Event, Invalid> {
    let origin = &change.origin;
    let id = match origin.part {
        None => format!("{}.{}", origin.request_id, origin.host_id),
        Some(part) => format!("{}.{}.{part}", origin.request_id, origin.host_id),
    };
    let data = serde_json::to_vec(&change.record(configuration)).unwrap_or_default();
    let event =
        Event::new(id, format!("aws:s3.{REGION}.{}", change.bucket), format!("{PREFIX}{}", change.action.name()))?
            .with("time", change.time.to_string())?
            .with("sequencer", format!("{:016X}", change.sequencer))?;
    let event = match event.clone().with("subject", change.key.as_str()) {
        Ok(event) => event,
        // Attributes have no control characters, keys may: then as records write it.
        Err(_) => event.with("subject", encode_key(&change.key))?,
    };
    event.with_data("application/json", data)
}
