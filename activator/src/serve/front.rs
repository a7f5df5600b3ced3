//! One request from the network: checked, routed, rebuilt, answered.

use super::EventIngress;
use super::unread::{Linger, Upload, settle};
use crate::activator::Activator;
use crate::admit::Admission;
use crate::body::Body;
use crate::headers::{FORWARDED_PREFIX, Peer, check, rewrite};
use crate::respond::{Reason, Refusal};
use crate::route::{Reserved, RouteEntry, is_loopback};
use fnctl_config::address::RESERVED_PREFIX;
use fnctl_config::snapshot::ObjectKey;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use std::collections::HashSet;
use std::sync::Arc;

/// What every connection shares.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) activator: Activator,
    /// Normalised hosts beside loopback on which the reserved paths answer.
    pub(super) hosts: HashSet<String>,
    pub(super) events: Option<Arc<dyn EventIngress>>,
}

/// Where a request goes.
enum Destination {
    Health,
    /// A function by its host.
    Host(Arc<RouteEntry>),
    /// A function by its reserved path; the rest of the path is its own.
    Path(Arc<RouteEntry>, PathAndQuery),
    Broker(Arc<dyn EventIngress>, ObjectKey),
}

impl Front {
    /// Answers, whatever comes.
    pub(super) async fn answer(&self, peer: &Peer, linger: &Linger, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let upload = Upload::of(parts.version, &parts.headers);
        let (body, rest) = Body::network(body);
        let answer = self.carry(peer, parts, body).await;
        match rest {
            Some(rest) => settle(answer, rest, upload, linger).await,
            None => answer,
        }
    }

    async fn carry(&self, peer: &Peer, mut parts: Parts, body: Body) -> Response<Body> {
        let destination = match self.destination(&parts) {
            Ok(destination) => destination,
            Err(refusal) => return self.activator.refuse(refusal).response(),
        };
        rewrite(&mut parts, peer);
        to_origin_form(&mut parts);
        let route = match destination {
            Destination::Health => return Response::new(Body::from("ok\n")),
            Destination::Broker(events, key) => return events.ingest(key, Request::from_parts(parts, body)).await,
            Destination::Host(route) => route,
            Destination::Path(route, rest) => {
                parts.uri = Uri::from(rest);
                parts.headers.insert(FORWARDED_PREFIX, route.prefix.clone());
                route
            }
        };
        let answer = self.activator.call_route(&route, Request::from_parts(parts, body), Admission::Wait).await;
        answer.unwrap_or_else(|refusal| refusal.response())
    }

    fn destination(&self, parts: &Parts) -> Result<Destination, Refusal> {
        let host = check(parts)?;
        if let Some(route) = self.activator.route_of_host(&host) {
            return Ok(Destination::Host(route));
        }
        let target = parts.uri.path_and_query().filter(|target| target.path().starts_with(RESERVED_PREFIX));
        let Some(target) = target else {
            let message = format!("no function answers to host {host}; `fnctl get ksvc` lists the URLs");
            return Err(Refusal::new(Reason::UnknownHost, message));
        };
        if !is_loopback(&host) && !self.hosts.contains(&*host) {
            let message =
                format!("paths under {RESERVED_PREFIX} answer on localhost and configured hosts, not on {host}");
            return Err(Refusal::new(Reason::ForeignHost, message));
        }
        let unknown = |what: String| Refusal::new(Reason::UnknownPath, what);
        match (Reserved::parse(target), &self.events) {
            (Some(Reserved::Health), _) => Ok(Destination::Health),
            (Some(Reserved::Function { key, rest }), _) => {
                let route = self.activator.route_of_function(&key);
                let route =
                    route.ok_or_else(|| unknown(format!("there is no function {key}; `fnctl get ksvc` lists them")))?;
                Ok(Destination::Path(route, rest))
            }
            (Some(Reserved::Broker { key }), Some(events)) => Ok(Destination::Broker(events.clone(), key)),
            _ => Err(unknown(format!(
                "under {RESERVED_PREFIX} there are function/<namespace>/<name>, broker/<namespace>/<name> and healthz"
            ))),
        }
    }
}

/// Functions see one form of target, whatever the protocol: the path. The authority is in `Host`.
fn to_origin_form(parts: &mut Parts) {
    if parts.uri.authority().is_some() {
        let target = parts.uri.path_and_query().cloned();
        parts.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
}
