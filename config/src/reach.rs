//! Which network addresses may be reached on somebody else's behalf: pure. The author of a trigger or of a function must
//! not use the node to reach what only the node can reach (server-side request forgery).
//!
//! To be asked about the very address that is connected to, after name resolution, so that a name cannot change in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Loopback and private networks.
    pub private: Private,
    /// The node's own listeners that nobody may reach through it.
    pub closed: Vec<SocketAddr>,
}

/// Whether loopback and private addresses may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Private {
    /// Yes.
    Allowed,
    /// No.
    Refused,
}

/// Why an address must not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Where clouds keep their instances' credentials.
    #[error("it is an address of cloud metadata")]
    Metadata,
    /// A listener of the node.
    #[error("it is a port of the node's own")]
    Closed,
    /// Loopback or private, where these are refused.
    #[error("it is a private address, and those are not allowed here")]
    Private,
    /// Not an address of one host, or a form that hides another address.
    #[error("it is not an address of a host")]
    NoHost,
}

/// Whether this address may be connected to.
pub fn judge(address: SocketAddr, policy: &Policy) -> Result<(), Refusal> {
    let reach = reach(address.ip());
    match reach {
        Reach::Metadata => return Err(Refusal::Metadata),
        Reach::NoHost => return Err(Refusal::NoHost),
        Reach::Private | Reach::Public => {}
    }
    if policy.closed.iter().any(|closed| is_same_listener(*closed, address, reach)) {
        return Err(Refusal::Closed);
    }
    match (reach, policy.private) {
        (Reach::Private, Private::Refused) => Err(Refusal::Private),
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Metadata,
    NoHost,
}

/// A private address may be one of the node's own interfaces, where a listener on all of them answers too.
fn is_same_listener(closed: SocketAddr, address: SocketAddr, reach: Reach) -> bool {
    let ip = plain(address.ip());
    closed.port() == address.port()
        && (plain(closed.ip()) == ip
            || ip.is_loopback() && closed.ip().is_loopback()
            || closed.ip().is_unspecified() && reach == Reach::Private)
}

fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => embedded(v6).map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

fn reach(ip: IpAddr) -> Reach {
    match plain(ip) {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        // Link-local, with the metadata services of most clouds; Alibaba's, Oracle's and Azure's own.
        [169, 254, ..] | [100, 100, 100, _] | [192, 0, 0, 192] | [168, 63, 129, 16] => Reach::Metadata,
        [0, ..] | [224..=255, ..] => Reach::NoHost,
        [127 | 10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Reach::Private,
        // Documentation, benchmarks and protocol assignments: never public hosts.
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        // AWS' services of an instance, the metadata among them.
        [0xfd00, 0xec2, ..] => Reach::Metadata,
        _ if ip.is_loopback() => Reach::Private,
        _ if ip.is_unspecified() || ip.is_multicast() => Reach::NoHost,
        [0xfe80..=0xfebf, ..] => Reach::Metadata,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x2001, 0xdb8, ..] => Reach::Private,
        // Teredo and networks' own translations hide an IPv4 address where only they know; the first are reserved.
        [0x2001, 0, ..] | [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0, ..] => Reach::NoHost,
        _ => Reach::Public,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, translated, 6to4, NAT64.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let pair = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(pair(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(pair(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(pair(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(pair(high, low)),
        [0x2002, high, low, ..] => Some(pair(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
