//! The file that `kubectl`, `kn` and every Kubernetes client finds the node by.

use super::private_file;
use super::token::Token;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::io;
use std::path::Path;

/// Writes a kubeconfig (JSON, which is YAML too) of mode 0600. `server` is a URL: `https://127.0.0.1:6443`.
pub fn write(path: &Path, server: &str, authority_pem: &str, token: &Token) -> io::Result<()> {
    let authority = BASE64_STANDARD.encode(authority_pem);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "fnctl",
        "clusters": [{"name": "fnctl", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "fnctl", "user": {"token": token.expose()}}],
        "contexts": [{"name": "fnctl", "context": {"cluster": "fnctl", "user": "fnctl", "namespace": "default"}}],
    });
    private_file::write(path, format!("{config:#}\n").as_bytes())
}
