//! What of a request's head reaches a function. The request is rebuilt, never passed on raw: what belongs to one
//! connection goes, what only the platform may say goes, and the way it came is added.
//!
//! `X-Forwarded-For` is appended to, as every proxy does, so its last address is the only one that we vouch for.
//! `X-Forwarded-Proto`, `X-Forwarded-Host` and `Forwarded` are ours alone.

use crate::respond::{Reason, Refusal};
use crate::route::normalise;
use fnctl_config::limits::{HEADERS_MAX, URI_BYTES_MAX};
use http::header::{CONNECTION, CONTENT_LENGTH, FORWARDED, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::borrow::Cow;
use std::net::IpAddr;

/// Path prefix that was stripped from the target.
pub const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who is at the other end of a connection, as headers say it.
#[derive(Clone, Debug)]
pub struct Peer {
    forwarded_for: HeaderValue,
    /// Its element of `Forwarded`.
    element: Cow<'static, str>,
}

impl Peer {
    /// The peer at an address; an IPv4 address in IPv6 clothes is an IPv4 address.
    pub fn new(address: IpAddr) -> Self {
        let text = address.to_canonical().to_string();
        let element = element(&text);
        let forwarded_for = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { forwarded_for, element }
    }
}

/// Refuses heads that nobody should act on, and gives the normalised host. A target with an authority (HTTP/2, or
/// absolute form) must agree with `Host`.
pub fn check(parts: &Parts) -> Result<Cow<'_, str>, Refusal> {
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(Refusal::new(Reason::BadMethod, format!("method {} is not served here", parts.method)));
    }
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > URI_BYTES_MAX {
        let message = format!("the target has {target} bytes; at most {URI_BYTES_MAX} are taken");
        return Err(Refusal::new(Reason::UriTooLong, message));
    }
    let count = parts.headers.len();
    if count > HEADERS_MAX {
        return Err(Refusal::new(Reason::HeadersTooMany, format!("{count} headers; at most {HEADERS_MAX} are taken")));
    }
    if !parts.uri.path().starts_with('/') {
        return Err(bad("the target must be a path"));
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(bad("there is more than one host header")),
        (Some(host), None) => Some(host.to_str().map_err(|_| bad("the host header is no host"))?),
        (None, None) => None,
    };
    let host = host.map(|host| normalise(host).ok_or_else(|| bad("the host header is no host"))).transpose()?;
    let Some(authority) = parts.uri.authority() else {
        return host.ok_or_else(|| bad("there is no host header"));
    };
    if authority.as_str().contains('@') {
        return Err(bad("the target's authority names a user"));
    }
    let authority = normalise(authority.as_str()).ok_or_else(|| bad("the target's authority is no host"))?;
    match host {
        Some(host) if host != authority => Err(bad("the host header and the target's authority differ")),
        _ => Ok(authority),
    }
}

/// Rebuilds the headers of a checked request.
pub fn rewrite(parts: &mut Parts, peer: &Peer) {
    strip(&mut parts.headers, Direction::Request);
    if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    let host = parts.headers.get(HOST).cloned();
    let host = host.unwrap_or_else(|| HeaderValue::from_static(""));
    let (chain, forwarded) = match joined(&parts.headers) {
        None => (peer.forwarded_for.clone(), forwarded([Cow::Borrowed(&*peer.element)], &host)),
        Some(mut chain) => {
            chain.extend_from_slice(b", ");
            chain.extend_from_slice(peer.forwarded_for.as_bytes());
            let chain = HeaderValue::from_bytes(&chain).unwrap_or_else(|_| peer.forwarded_for.clone());
            let addresses = chain.to_str().map(|chain| chain.split(',').map(|address| element(address.trim())));
            let forwarded = addresses.ok().and_then(|elements| forwarded(elements, &host));
            (chain, forwarded)
        }
    };
    if let Some(forwarded) = forwarded {
        parts.headers.insert(FORWARDED, forwarded);
    }
    parts.headers.insert(FORWARDED_FOR, chain);
    parts.headers.insert(FORWARDED_HOST, host);
    parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the function.
    Request,
    /// From the function.
    Answer,
}

/// Drops what belongs to one connection, also what `Connection` names, and what only the platform may say.
pub fn strip(headers: &mut HeaderMap, direction: Direction) {
    if let Some(named) = named_by_connection(headers) {
        for name in named {
            headers.remove(name);
        }
    }
    let dropped: Vec<HeaderName> = headers.keys().filter(|name| drops(name, direction)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}

fn drops(name: &HeaderName, direction: Direction) -> bool {
    let name = name.as_str();
    let hop = matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    );
    let internal = name.starts_with("k-") || name.starts_with("knative-serving-") || name.starts_with("x-fnctl-");
    let ours = matches!(name, "forwarded" | "x-forwarded-host" | "x-forwarded-proto" | "x-forwarded-prefix");
    hop || match direction {
        Direction::Request => internal || ours,
        Direction::Answer => name.starts_with("x-fnctl-"),
    }
}

/// `Connection` may not take away what says how long the message is and whom it is for.
fn named_by_connection(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    headers.get(CONNECTION)?;
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    Some(names.filter(|name| *name != HOST && *name != CONTENT_LENGTH).collect())
}

fn joined(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut values = headers.get_all(FORWARDED_FOR).iter();
    let mut chain = values.next()?.as_bytes().to_vec();
    for value in values {
        chain.extend_from_slice(b", ");
        chain.extend_from_slice(value.as_bytes());
    }
    Some(chain)
}

/// RFC 7239 in the form of Knative's: an element per address, the first one with host and proto.
fn forwarded<'a>(elements: impl IntoIterator<Item = Cow<'a, str>>, host: &HeaderValue) -> Option<HeaderValue> {
    let host = host.to_str().ok()?;
    let mut text = String::with_capacity(host.len() + 64);
    for (n, element) in elements.into_iter().enumerate() {
        if n > 0 {
            text.push_str(", ");
        }
        text.push_str(&element);
        if n == 0 && !host.is_empty() {
            // A port makes a host no token, so it needs quotes.
            let quote = if host.contains([':', '[']) { "\"" } else { "" };
            for part in [";host=", quote, host, quote, ";proto=http"] {
                text.push_str(part);
            }
        }
    }
    HeaderValue::try_from(text).ok()
}

/// The element of an address, an IPv6 one in quotes. What a client made up is not repeated where it could shape the
/// header.
fn element(address: &str) -> Cow<'static, str> {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Cow::Owned(format!("for={address}")),
        Ok(IpAddr::V6(address)) => Cow::Owned(format!("for=\"[{address}]\"")),
        Err(_) => Cow::Borrowed("for=unknown"),
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::new(Reason::BadRequest, message)
}

#[cfg(test)]
mod tests;
