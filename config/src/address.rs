//! Names on the network: how functions and brokers are reached, the reserved paths, and what a bucket may be called.

use crate::snapshot::ObjectKey;

/// The default domain of functions: names under it resolve to loopback in browsers and curl, with no DNS.
pub const DEFAULT_DOMAIN: &str = "localhost";
/// The data plane's port where nothing says otherwise.
pub const HTTP_PORT_DEFAULT: u16 = 8080;
/// Reserved path prefix of the data plane's port; answered only on hosts that are the node's own.
pub const RESERVED_PREFIX: &str = "/-/";

/// The public host of a function: `<service>.<namespace>.<domain>`, as Knative's default template.
pub fn function_host(function: &ObjectKey, domain: &str) -> String {
    format!("{}.{}.{domain}", function.name, function.namespace)
}

/// Host names that mean a function inside the home, as in a cluster: `name.ns.svc.cluster.local` and its short forms.
pub fn function_internal_hosts(function: &ObjectKey) -> [String; 3] {
    let ObjectKey { namespace, name } = function;
    [format!("{name}.{namespace}.svc.cluster.local"), format!("{name}.{namespace}.svc"), format!("{name}.{namespace}")]
}

/// Path of a broker's ingress on the data plane's port: `/-/broker/<namespace>/<name>`.
pub fn broker_path(broker: &ObjectKey) -> String {
    format!("{RESERVED_PREFIX}broker/{}/{}", broker.namespace, broker.name)
}

/// Path of a function on the data plane's port, for clients that cannot resolve its host.
pub fn function_path(function: &ObjectKey) -> String {
    format!("{RESERVED_PREFIX}function/{}/{}", function.namespace, function.name)
}

/// Whether S3 takes it as a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, which begins and ends with
/// a letter or digit, looks like no IPv4 address and is none that S3 keeps for itself.
/// Source: Amazon S3 user guide, general purpose bucket naming rules.
pub fn is_bucket_name(name: &str) -> bool {
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let is_edged = bytes.first().is_some_and(|byte| is_edge(*byte)) && bytes.last().is_some_and(|byte| is_edge(*byte));
    let is_reserved = ["xn--", "sthree-"].iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("-s3alias");
    (3..=63).contains(&name.len())
        && bytes.iter().all(|byte| is_edge(*byte) || b"-.".contains(byte))
        && is_edged
        && !is_reserved
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests;
