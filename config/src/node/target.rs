//! Which node or cluster a command talks to.

use super::{Environment, data_dir};
use std::path::PathBuf;

/// Nothing says which node to talk to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no node to talk to: --kubeconfig is not given, FNCTL_KUBECONFIG is not set, {}, KUBECONFIG is not set; start a node with `fnctl up`",
    local_part(.local)
)]
pub struct NoTarget {
    /// Where the local node's kubeconfig would be; none where there is no data directory either.
    pub local: Option<PathBuf>,
}

fn local_part(local: &Option<PathBuf>) -> String {
    match local {
        Some(path) => format!("no local node has written {}", path.display()),
        None => "there is no data directory".to_owned(),
    }
}

/// The kubeconfig of the node that a command talks to: `--kubeconfig`, then `$FNCTL_KUBECONFIG`, then the local node's
/// (in `--data-dir` or where nodes keep their data), then the first file of `$KUBECONFIG`, which often points at
/// production and so comes last.
pub fn kubeconfig(
    explicit: Option<PathBuf>,
    data_directory: Option<PathBuf>,
    environment: &dyn Environment,
) -> Result<PathBuf, NoTarget> {
    if let Some(path) = explicit.or_else(|| environment.get("FNCTL_KUBECONFIG").map(PathBuf::from)) {
        return Ok(path);
    }
    let local = data_dir(data_directory, environment).map(|place| place.join("kubeconfig"));
    if let Some(path) = local.as_ref().filter(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let listed = environment.get("KUBECONFIG").unwrap_or_default();
    let first = std::env::split_paths(&listed).find(|path| !path.as_os_str().is_empty());
    first.ok_or(NoTarget { local })
}
