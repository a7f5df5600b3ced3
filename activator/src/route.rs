//! Where a request goes: from its host, or from a reserved path on the node's own hosts, to a revision.
//!
//! Choosing is pure. The table is a concurrent map from host to an immutable entry behind `Arc`: a change costs its own
//! hosts, not the table, and never touches a request under way. Where two routes claim one host, the one with the
//! smaller key has it, whichever came first.

use dashmap::DashMap;
use fnctl_config::address::{RESERVED_PREFIX, function_path};
use fnctl_config::snapshot::{ObjectKey, Route, RouteTarget};
use http::HeaderValue;
use http::uri::PathAndQuery;
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A host name without port and trailing dot, in lower case; an IPv6 address without brackets. `None` if it is no host.
pub fn normalise(authority: &str) -> Option<Cow<'_, str>> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        },
    };
    let port_digits = port.strip_prefix(':').unwrap_or(port);
    if !port_digits.is_empty() && (port_digits.len() == port.len() || port_digits.parse::<u16>().is_err()) {
        return None;
    }
    let bracketed = authority.starts_with('[');
    let host = if bracketed { host } else { host.strip_suffix('.').unwrap_or(host) };
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || (bracketed && b == b':');
    if host.is_empty() || host.len() > 253 || host.starts_with('.') || !host.bytes().all(valid) {
        return None;
    }
    let upper = host.bytes().any(|b| b.is_ascii_uppercase());
    Some(if upper { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) })
}

/// Whether a normalised host can only mean this machine. A page of a stranger reaches it under the stranger's name (DNS
/// rebinding), never under one of these.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

/// A reserved path, below [`RESERVED_PREFIX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// `/-/healthz`.
    Health,
    /// `/-/function/<namespace>/<name>/...`.
    Function {
        /// Whose.
        key: ObjectKey,
        /// What the function sees: the path without the prefix, at least `/`, and the query.
        rest: PathAndQuery,
    },
    /// `/-/broker/<namespace>/<name>`.
    Broker {
        /// Which.
        key: ObjectKey,
    },
}

impl Reserved {
    /// Reads a path that begins with [`RESERVED_PREFIX`]; `None` if it is none of ours.
    pub fn parse(target: &PathAndQuery) -> Option<Self> {
        let path = target.path().strip_prefix(RESERVED_PREFIX)?;
        let mut parts = path.splitn(4, '/');
        let (room, namespace, name, rest) = (parts.next()?, parts.next(), parts.next(), parts.next());
        match (room, namespace, name) {
            ("healthz", None, None) => Some(Self::Health),
            ("function", Some(namespace), Some(name)) if !namespace.is_empty() && !name.is_empty() => {
                let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
                let rest = format!("/{}{query}", rest.unwrap_or_default()).parse().ok()?;
                Some(Self::Function { key: ObjectKey::new(namespace, name), rest })
            }
            ("broker", Some(namespace), Some(name))
                if !namespace.is_empty() && !name.is_empty() && rest.is_none_or(str::is_empty) =>
            {
                Some(Self::Broker { key: ObjectKey::new(namespace, name) })
            }
            _ => None,
        }
    }
}

/// The target whose share a random number falls into. `None` if no target has a share.
pub fn choose(targets: &[RouteTarget], random: u32) -> Option<&RouteTarget> {
    if let [only] = targets {
        return (only.percent > 0).then_some(only);
    }
    let whole: u32 = targets.iter().map(|target| u32::from(target.percent)).sum();
    // Scaled, not divided: every share gets its part of all random numbers to within one.
    let point = (u64::from(random) * u64::from(whole)) >> u32::BITS;
    let mut end = 0;
    targets.iter().find(|target| {
        end += u64::from(target.percent);
        point < end
    })
}

/// A route as requests use it.
#[derive(Debug)]
pub struct RouteEntry {
    /// What was declared.
    pub route: Arc<Route>,
    /// The host that a request gets which was called in process and brings none.
    pub host: HeaderValue,
    /// `X-Forwarded-Prefix` of requests that came by the reserved path.
    pub prefix: HeaderValue,
}

/// All routes.
#[derive(Debug, Default)]
pub struct RouteTable {
    /// Who claims a host, smallest key first.
    hosts: DashMap<Box<str>, Vec<Arc<RouteEntry>>>,
    routes: DashMap<ObjectKey, Arc<RouteEntry>>,
}

impl RouteTable {
    /// Adds a route or takes the place of the one with its key.
    pub fn insert(&self, route: &Arc<Route>) {
        let text = |value: &str| HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
        let host = text(route.hosts.first().map(String::as_str).unwrap_or_default());
        let prefix = text(&function_path(&route.key));
        let entry = Arc::new(RouteEntry { route: Arc::clone(route), host, prefix });
        let older = self.routes.insert(route.key.clone(), entry.clone());
        for host in &route.hosts {
            let mut claims = self.hosts.entry(host.as_str().into()).or_default();
            claims.retain(|claim| claim.route.key != route.key);
            let place = claims.partition_point(|claim| claim.route.key < route.key);
            claims.insert(place, entry.clone());
            if claims.len() > 1 {
                tracing::warn!(host, holder = %claims[0].route.key, route = %route.key, "routes claim one host");
            }
        }
        if let Some(older) = older {
            let gone = older.route.hosts.iter().filter(|host| !route.hosts.contains(host));
            self.unclaim(gone, &route.key);
        }
    }

    /// Removes a route and its hosts.
    pub fn remove(&self, key: &ObjectKey) {
        if let Some((_, entry)) = self.routes.remove(key) {
            self.unclaim(entry.route.hosts.iter(), key);
        }
    }

    /// The route of a normalised host.
    pub fn by_host(&self, host: &str) -> Option<Arc<RouteEntry>> {
        self.hosts.get(host)?.first().cloned()
    }

    /// The route of a function.
    pub fn by_key(&self, key: &ObjectKey) -> Option<Arc<RouteEntry>> {
        self.routes.get(key).map(|entry| entry.value().clone())
    }

    fn unclaim<'a>(&self, hosts: impl Iterator<Item = &'a String>, key: &ObjectKey) {
        for host in hosts {
            if let Some(mut claims) = self.hosts.get_mut(host.as_str()) {
                claims.retain(|claim| claim.route.key != *key);
            }
            self.hosts.remove_if(host.as_str(), |_, claims| claims.is_empty());
        }
    }
}

#[cfg(test)]
mod tests;
