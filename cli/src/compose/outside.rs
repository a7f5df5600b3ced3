//! The ways out of the node: whom it may reach for triggers and for guests, and whom it trusts.

use super::Addresses;
use fnctl_broker::deliver::connect::{Connector, Roots};
use fnctl_broker::deliver::http::HttpDeliver;
use fnctl_config::reach::{Policy, Private};
use fnctl_runtime_wasm::capability::outbound::{Connect, Outside};
use rustls::RootCertStore;
use std::sync::{Arc, Mutex, PoisonError};

/// For sinks outside of the home.
pub(super) fn sinks(own: Addresses, roots: Roots) -> HttpDeliver {
    // While only this machine can reach the node, its user may send events to anything on it.
    let private = if own.http.ip().is_loopback() { Private::Allowed } else { Private::Refused };
    HttpDeliver::new(Policy { private, closed: vec![own.control, own.s3] }, roots)
}

/// For guests, by what they were granted.
pub(super) fn guests(own: Addresses, roots: &Roots) -> Outside {
    let connect = |private| {
        let policy = Policy { private, closed: vec![own.http, own.control, own.s3] };
        Connect::new(Connector::new(policy, roots.clone()))
    };
    Outside { public: connect(Private::Refused), private: connect(Private::Allowed) }
}

/// The certificates that this machine trusts (those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set), read on first
/// use and then kept: most nodes never need them.
pub(super) fn roots() -> Roots {
    let kept = Mutex::new(None);
    Arc::new(move || {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*kept {
            return Ok(Arc::clone(roots));
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            let help = "install its ca-certificates, or name a file of certificates in SSL_CERT_FILE";
            return Err(format!("this machine has no trusted certificates{why}: {help}"));
        }
        tracing::debug!(trusted = roots.len(), unusable, "read the machine's certificates");
        Ok(Arc::clone(kept.insert(Arc::new(roots))))
    })
}
