//! The delivery port: one event to one destination, and what came back. Adapters only carry; what an answer means is
//! decided in [`answer`], what follows in `crate::retry`.

pub mod answer;
pub mod connect;
pub mod http;

use crate::event::Event;
use ::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use fnctl_config::limits::{ERROR_DATA_BYTES_MAX, REPLY_BYTES_MAX};
use fnctl_config::snapshot::{Destination, ObjectKey};
use futures::future::BoxFuture;
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Carries an event to a destination.
pub trait Deliver: fmt::Debug + Send + Sync {
    /// Makes one attempt. The future may be dropped; the attempt then counts as not made. Adapters bound the attempt by
    /// [`Parcel::timeout`], without the time that a function waits for its admission.
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome>;
}

/// One attempt to make.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The event as the subscriber is to see it.
    pub event: Arc<Event>,
    /// To whom.
    pub destination: Destination,
    /// Bound of the attempt; the function's own where there is none.
    pub timeout: Option<Duration>,
    /// On whose behalf.
    pub trigger: ObjectKey,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is an answer, whatever its status.
    Answered(Answered),
    /// The platform had no room, or the revision is not ready: not an attempt.
    NotAdmitted {
        /// One sentence.
        reason: String,
    },
    /// No answer: no connection, a time-out, a success that broke off or is too large.
    Failed {
        /// One sentence.
        reason: String,
        /// How long it took.
        duration: Duration,
    },
    /// The destination must not be reached, or is of a kind that nobody here serves: no attempt can help.
    Forbidden {
        /// One sentence.
        reason: String,
    },
}

/// A subscriber's answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as [`read_body`] reads it.
    pub body: Bytes,
    /// From the attempt's begin to the last byte.
    pub duration: Duration,
    /// The part of it that was spent waiting for room, or for the function to leave zero.
    pub waited: Duration,
    /// Which instance answered, where that is known.
    pub instance: Option<String>,
}

/// Reads the body of an answer: of a success all of it, since it may be a reply, but at most `limits::REPLY_BYTES_MAX`.
/// Of anything else the beginning, about `limits::ERROR_DATA_BYTES_MAX`: what counts is its status, however the body ends.
pub async fn read_body<B>(status: StatusCode, body: B) -> Result<Bytes, Box<dyn Error + Send + Sync>>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    if status.is_success() {
        return Ok(Limited::new(body, REPLY_BYTES_MAX).collect().await?.to_bytes());
    }
    let (mut body, mut begin) = (pin!(body), BytesMut::new());
    while begin.len() < ERROR_DATA_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        begin.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
    }
    Ok(begin.freeze())
}

/// Picks the adapter by the kind of the destination.
#[derive(Clone, Debug)]
pub struct Router {
    /// Functions of this home.
    pub functions: Arc<dyn Deliver>,
    /// Brokers of this home.
    pub brokers: Arc<dyn Deliver>,
    /// Everything else.
    pub uris: Arc<dyn Deliver>,
}

impl Deliver for Router {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        match parcel.destination {
            Destination::Function { .. } => self.functions.deliver(parcel),
            Destination::Broker { .. } => self.brokers.deliver(parcel),
            Destination::Uri { .. } => self.uris.deliver(parcel),
        }
    }
}

#[cfg(test)]
mod tests;
