//! A broker's door: HTTP in, 202 once the events would survive a power cut.
//!
//! | case | answer |
//! | --- | --- |
//! | OPTIONS | 200 with `Allow` and the webhook headers |
//! | another method than POST | 405 |
//! | unknown broker | 404 |
//! | no valid event, a used up `knativebrokerttl` | 400, naming the attribute |
//! | body too slow | 408 |
//! | body or batch too large | 413, naming the limit |
//! | content type of no event, a coded body | 415 |
//! | log busy | 429 with `Retry-After` |
//! | log failed | 503 |
//! | disk full | 507 with `Retry-After` |
//! | all events in the log | 202 |
//!
//! A batch is taken whole or not at all.

mod refusals;

pub use refusals::{Refusal, Refusals};

use crate::event::http as binding;
use crate::event::{ARRIVAL_TIME, BATCH, Event, Invalid, TTL, Value, stored};
use crate::log::{AppendError, EventLog, Position};
use ::http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use fnctl_config::limits::{BROKER_TTL, EVENT_BYTES_MAX, INGRESS_READ_TIMEOUT, INGRESS_RETRY_AFTER_SECONDS};
use fnctl_config::snapshot::ObjectKey;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use jiff::Timestamp;
use serde::Serialize;
use std::error::Error;
use tokio::time::timeout;

/// What may go wrong while a client's body is read.
type BodyError = Box<dyn Error + Send + Sync>;

/// Why events were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another method than POST.
    #[error("a broker takes POST and OPTIONS only")]
    Method,
    /// No such broker on this node.
    #[error("broker {0} does not exist")]
    UnknownBroker(ObjectKey),
    /// Not a valid event, or too large.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The event was forwarded as often as it may be.
    #[error(
        "attribute \"knativebrokerttl\" is used up: the event was forwarded {BROKER_TTL} times, or its value is no number"
    )]
    Looping,
    /// The client was too slow.
    #[error("the body did not arrive within {INGRESS_READ_TIMEOUT:?}")]
    Slow,
    /// The client went away or broke the protocol.
    #[error("the body cannot be read: {0}")]
    Body(String),
    /// The log did not take them.
    #[error(transparent)]
    Log(#[from] AppendError),
}

impl Refused {
    /// The status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownBroker(_) => StatusCode::NOT_FOUND,
            Self::Invalid(Invalid::ContentType(_) | Invalid::ContentCoding(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(Invalid::TooLarge { .. }) | Self::Log(AppendError::TooLarge { .. }) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Invalid(_) | Self::Looping | Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Log(AppendError::Busy) => StatusCode::TOO_MANY_REQUESTS,
            Self::Log(AppendError::Failed(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Log(AppendError::Full { .. }) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// The attribute at fault, where it is one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Invalid(invalid) => invalid.attribute_at_fault(),
            Self::Looping => Some(TTL),
            _ => None,
        }
    }
}

/// One accepted event, as `fnctl event send` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Where it is in the broker's log.
    pub position: Position,
}

/// Appends events for a broker as one unit: the end of every way in.
pub async fn accept(log: &dyn EventLog, mut events: Vec<Event>, now: Timestamp) -> Result<Vec<Accepted>, Refused> {
    for event in &mut events {
        let left = match event.optional(TTL) {
            None => BROKER_TTL,
            Some(value) => match value.text().parse::<i32>() {
                Ok(ttl) if ttl > 1 => ttl.min(BROKER_TTL) - 1,
                _ => return Err(Refused::Looping),
            },
        };
        stamp(event, left, now);
    }
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let positions = log.append(events.iter().map(stored::encode).collect()).await?;
    let accepted = |(event, position): (Event, Position)| Accepted {
        id: event.id().to_owned(),
        source: event.source().to_owned(),
        position,
    };
    Ok(events.into_iter().zip(positions).map(accepted).collect())
}

/// Sets the broker's own extensions.
pub(crate) fn stamp(event: &mut Event, ttl: i32, now: Timestamp) {
    event.mark(TTL, Value::Integer(ttl));
    event.mark(ARRIVAL_TIME, Value::Text(now.to_string()));
}

/// Answers a request to the broker that `log` belongs to; none if there is no such broker. Refusals are remembered.
pub async fn handle<B>(
    broker: &ObjectKey,
    log: Option<&dyn EventLog>,
    refusals: &Refusals,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    let (head, body) = request.into_parts();
    if head.method == Method::OPTIONS {
        return options(&head.headers);
    }
    let now = Timestamp::now();
    let mut bytes = Bytes::new();
    let ended = async {
        if head.method != Method::POST {
            return Err(Refused::Method);
        }
        let log = log.ok_or_else(|| Refused::UnknownBroker(broker.clone()))?;
        bytes = read(&head.headers, body).await?;
        accept(log, binding::decode(&head.headers, &bytes)?.into_events(), now).await
    };
    match ended.await {
        Ok(accepted) => accepted_response(&head.headers, &accepted),
        Err(refused) => {
            refusals.add(broker, &refused, now, &refusals::identities(&head.headers, &bytes));
            refused_response(&refused)
        }
    }
}

async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Refused>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    let too_large = || Refused::Invalid(Invalid::TooLarge { what: "the body's size in bytes", limit: EVENT_BYTES_MAX });
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > EVENT_BYTES_MAX as u64) {
        return Err(too_large());
    }
    match timeout(INGRESS_READ_TIMEOUT, Limited::new(body, EVENT_BYTES_MAX).collect()).await {
        Err(_) => Err(Refused::Slow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refused::Body(error.to_string())),
    }
}

/// The webhook handshake: any origin may post, at any rate.
fn options(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let any = HeaderValue::from_static("*");
    let origin = headers.get("webhook-request-origin").cloned().unwrap_or_else(|| any.clone());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response.headers_mut().insert("webhook-allowed-origin", origin);
    response.headers_mut().insert("webhook-allowed-rate", any);
    response
}

/// 202; with the positions where the client asks for JSON.
fn accepted_response(headers: &HeaderMap, accepted: &[Accepted]) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Answer<'a> {
        accepted: usize,
        events: &'a [Accepted],
    }
    let asks_for_json = headers.get(ACCEPT).is_some_and(|value| value.as_bytes() == b"application/json");
    let mut response = Response::new(Full::default());
    if asks_for_json {
        response = json(&Answer { accepted: accepted.len(), events: accepted });
    }
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refused_response(refused: &Refused) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Answer<'a> {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        attribute: Option<&'a str>,
    }
    let mut response = json(&Answer { error: refused.to_string(), attribute: refused.attribute() });
    *response.status_mut() = refused.status();
    let headers = response.headers_mut();
    match refused {
        Refused::Method => {
            headers.insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        }
        Refused::Log(AppendError::Busy | AppendError::Full { .. }) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(INGRESS_RETRY_AFTER_SECONDS));
        }
        Refused::Invalid(Invalid::ContentType(_)) => {
            let accepted = format!("{}, {BATCH}", crate::event::STRUCTURED);
            headers.extend(HeaderValue::from_str(&accepted).ok().map(|value| (ACCEPT, value)));
        }
        Refused::Invalid(Invalid::ContentCoding(_)) => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        _ => {}
    }
    response
}

fn json<T: Serialize>(answer: &T) -> Response<Full<Bytes>> {
    // Serialising our own flat structs cannot fail; an empty body would still carry the status.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
