//! The only table of status codes: what the platform answers where a function does not.
//!
//! | why | Knative | here | because |
//! | --- | --- | --- | --- |
//! | queue full, waited too long | 503, no `Retry-After` | 503 with it | nothing was attempted, so trying again is safe |
//! | cannot start | hangs until the deadline | 503 with the reason | the reason is known at once |
//! | unknown host | 404 of the ingress | 404 with a hint | |
//! | the function's time is over | 504 | 504 | |
//! | the function trapped | 502 of its queue-proxy | 500 | its answer would be 500 if it could give one |
//!
//! Every answer of the table carries `x-fnctl-reason`, one line of text, and no more of the platform than that.

use crate::body::Body;
use crate::provider::CallError;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use std::time::Duration;

/// Header that names the [`Reason`] of an answer that is the platform's and not the function's.
pub const REASON_HEADER: HeaderName = HeaderName::from_static("x-fnctl-reason");
/// Header that tells where the time went: <https://www.w3.org/TR/server-timing/>.
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The most of a function's own words that an answer repeats, in bytes.
const DETAIL_BYTES_MAX: usize = 512;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident, $retry:expr;)*) => {
        /// Why there is no answer of the function's own. Stable names: clients and metrics match on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name in `x-fnctl-reason` and in metrics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Seconds after which another try makes sense, where it does.
            pub fn retry_after(self) -> Option<u32> {
                match self { $(Self::$variant => $retry,)* }
            }
        }
    };
}

reasons! {
    /// The head of the request is not acceptable.
    BadRequest = "bad-request", BAD_REQUEST, None;
    /// CONNECT or TRACE.
    BadMethod = "bad-method", METHOD_NOT_ALLOWED, None;
    /// The target is too long.
    UriTooLong = "uri-too-long", URI_TOO_LONG, None;
    /// More headers than are taken.
    HeadersTooMany = "too-many-headers", REQUEST_HEADER_FIELDS_TOO_LARGE, None;
    /// A reserved path under a host that is not the node's own.
    ForeignHost = "foreign-host", FORBIDDEN, None;
    /// No function answers to the host.
    UnknownHost = "unknown-host", NOT_FOUND, None;
    /// No function or reserved path of this name.
    UnknownPath = "unknown-path", NOT_FOUND, None;
    /// The route leads to no revision that is there.
    NoRevision = "no-revision", SERVICE_UNAVAILABLE, Some(1);
    /// The revision went away while the request waited; another try follows the route as it is then.
    RevisionGone = "revision-gone", SERVICE_UNAVAILABLE, Some(1);
    /// Too many requests wait for the revision, or too many bytes.
    QueueFull = "queue-full", SERVICE_UNAVAILABLE, Some(1);
    /// The request waited as long as it may.
    QueueTimeout = "queue-timeout", SERVICE_UNAVAILABLE, Some(5);
    /// There is no room at this moment, and the caller did not want to wait.
    NoRoom = "no-room", SERVICE_UNAVAILABLE, Some(1);
    /// The revision could not leave zero.
    StartFailed = "start-failed", SERVICE_UNAVAILABLE, Some(1);
    /// The node stops.
    Draining = "draining", SERVICE_UNAVAILABLE, Some(1);
    /// The instances had no room after all.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, Some(1);
    /// The function trapped or exited.
    Trap = "function-trapped", INTERNAL_SERVER_ERROR, None;
    /// The function passed its memory limit.
    Memory = "memory-limit", INTERNAL_SERVER_ERROR, None;
    /// The function used up its CPU time.
    Cpu = "cpu-limit", GATEWAY_TIMEOUT, None;
    /// The function used up its wall time.
    Timeout = "timeout", GATEWAY_TIMEOUT, None;
    /// The function's answer is no HTTP.
    BadAnswer = "bad-answer", BAD_GATEWAY, None;
}

impl Reason {
    /// Whether the function was tried. If not, trying again cannot do anything twice.
    pub fn is_attempt(self) -> bool {
        matches!(self, Self::Trap | Self::Memory | Self::Cpu | Self::Timeout | Self::BadAnswer)
    }
}

/// Why a request did not get an answer of the function's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For machines.
    pub reason: Reason,
    /// For people: one line, it names what was asked for and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The answer that says so.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{}\n", one_line(&self.message))));
        *response.status_mut() = self.reason.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(REASON_HEADER, HeaderValue::from_static(self.reason.name()));
        if let Some(seconds) = self.reason.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.reason {
            Reason::Draining => headers.insert(CONNECTION, HeaderValue::from_static("close")),
            Reason::BadMethod => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
            }
            _ => None,
        };
        response
    }
}

impl From<&CallError> for Refusal {
    fn from(error: &CallError) -> Self {
        let reason = match error {
            CallError::Trap(_) => Reason::Trap,
            CallError::Memory { .. } => Reason::Memory,
            CallError::Cpu { .. } => Reason::Cpu,
            CallError::Timeout { .. } => Reason::Timeout,
            CallError::BadAnswer(_) => Reason::BadAnswer,
            CallError::Unavailable(_) => Reason::Unavailable,
        };
        Self::new(reason, error.to_string())
    }
}

/// Room for [`Timing::header`] where nothing takes longer than a thousand seconds.
const TIMING_BYTES: usize = "queue;dur=123456.789, activation;dur=123456.789, run;dur=123456.789".len();

/// Where the time of one answered request went. In the extensions of an answer, and for clients in its headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Waiting for room.
    pub queue: Duration,
    /// Waiting for the revision to leave zero.
    pub activation: Duration,
    /// The function itself.
    pub run: Duration,
}

impl Timing {
    /// The time before the function ran.
    pub fn waited(&self) -> Duration {
        self.queue + self.activation
    }

    /// As the value of [`SERVER_TIMING`], in milliseconds.
    pub fn header(&self) -> HeaderValue {
        let mut text = Vec::with_capacity(TIMING_BYTES);
        for (name, time) in
            [("queue;dur=", self.queue), (", activation;dur=", self.activation), (", run;dur=", self.run)]
        {
            text.extend_from_slice(name.as_bytes());
            push_millis(&mut text, time);
        }
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// Milliseconds with three decimals. Each answer carries three of them: `format!` was a hundredth of a request.
fn push_millis(text: &mut Vec<u8>, time: Duration) {
    let micros = time.as_micros();
    let (millis, fraction) = (u64::try_from(micros / 1_000).unwrap_or(u64::MAX), (micros % 1_000) as u16);
    text.extend_from_slice(itoa::Buffer::new().format(millis).as_bytes());
    let digits = [fraction / 100, fraction / 10 % 10, fraction % 10].map(|digit| b'0' + digit as u8);
    text.push(b'.');
    text.extend_from_slice(&digits);
}

/// The start of a text without line breaks and control characters: a function's words must not shape our answer.
fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(DETAIL_BYTES_MAX);
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
