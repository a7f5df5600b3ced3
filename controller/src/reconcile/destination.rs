//! From where users say that events go to the URL that statuses say.

use super::context::Settings;
use fnctl_config::api::condition::Cause;
use fnctl_config::api::destination::Destination as Written;
use fnctl_config::resolve;
use fnctl_config::snapshot::Destination;

/// Why there is nowhere to go: a reason and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Unresolved {
    /// One CamelCase word.
    pub(super) reason: &'static str,
    /// One sentence.
    pub(super) message: String,
}

impl From<Unresolved> for Cause {
    fn from(unresolved: Unresolved) -> Self {
        Self::new(unresolved.reason, unresolved.message)
    }
}

/// Where a destination leads, and its URL. Whether an object of ours is there is not looked at.
pub(super) fn resolve(
    written: &Written,
    namespace: &str,
    settings: &Settings,
) -> Result<(Destination, String), Unresolved> {
    let destination = resolve::destination(written, (namespace, &settings.home()), "")
        .map_err(|error| Unresolved { reason: "InvalidDestination", message: error.to_string() })?;
    let uri = match (&destination, &written.reference, &written.uri) {
        // What was written as a URL is said as it was written.
        (_, None, Some(uri)) => uri.clone(),
        (Destination::Function { key, path }, ..) => {
            format!("{}{}", settings.function_url(key), if path == "/" { "" } else { path })
        }
        (Destination::Broker { key }, ..) => settings.broker_url(key),
        (Destination::Uri { uri, .. }, ..) => uri.clone(),
    };
    Ok((destination, uri))
}
