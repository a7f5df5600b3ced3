//! A node to measure: `fnctl up` of this very binary in a data directory, with functions and brokers that came by the
//! doors that users have.

use super::super::apply::{self, Conflicts, Mode};
use super::super::{deploy, wait};
use super::child::{Says, Server};
use super::line::written;
use super::load::Requests;
use crate::args::{Deploy, Scope};
use crate::failure::{Failure, code};
use crate::manifest::{self, kind_by_word};
use crate::target::Target;
use bytes::Bytes;
use http::{Request, Uri, header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// How long an object may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "default";

/// A running node.
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) target: Target,
    /// Its public port.
    pub(super) address: SocketAddr,
    /// From the start of the process to its ready line.
    pub(super) started_in: Duration,
}

impl Node {
    /// Starts a node with default settings but free ports; a `node.yaml` in the data directory may say otherwise.
    pub(super) async fn start(data: &Path) -> Result<Self, Failure> {
        Self::start_at(data, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same, with this public address: the URLs that its objects tell name the port, and stay as they were.
    pub(super) async fn start_at(data: &Path, address: SocketAddr) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(["up", "-o", "json", "--control", "127.0.0.1:0", "--s3", "127.0.0.1:0"]);
        command.arg("--http").arg(address.to_string());
        // Nothing of this machine's settings reaches the node.
        command.arg("--data-dir").arg(data).env_clear();
        let begun = Instant::now();
        let (server, line) = Server::start(command, Says::Out, &data.with_extension("log")).await?;
        let started_in = begun.elapsed();
        let ready: Value = serde_json::from_str(&line).map_err(|e| {
            Failure::failed(code::NODE, format!("the node's first line is no JSON: {line:?}")).because(&e)
        })?;
        let address = address_of(ready["http"].as_str().unwrap_or_default())?;
        let scope = Scope {
            kubeconfig: ready["kubeconfig"].as_str().map(Into::into),
            data_dir: None,
            namespace: NAMESPACE.to_owned(),
            output: Some("json".to_owned()),
        };
        Ok(Self { server, target: Target::find(&scope).await?, address, started_in })
    }

    /// Deploys a component under a name as `fnctl deploy` does, and answers its URL once it is ready.
    pub(super) async fn deploy(&self, name: &str, component: &Path, annotations: &Value) -> Result<String, Failure> {
        let image = std::path::absolute(component)?;
        let service = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"template": {"metadata": {"annotations": annotations}, "spec": {"containers": [{"image": image}]}}}});
        let folder = super::child::Folder::fresh(None)?;
        let file = folder.path().join("service.yaml");
        std::fs::write(&file, service.to_string())?;
        let path = file.display().to_string();
        let arguments = Deploy { path, name: None, no_wait: false, timeout: READY_TIMEOUT, env: Vec::new() };
        let deployed = deploy::deploy(&self.target, &arguments).await?;
        url(&deployed["url"])
    }

    /// Makes a broker, and answers its URL once it is ready.
    pub(super) async fn broker(&self, name: &str) -> Result<String, Failure> {
        let broker =
            json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": name}}).to_string();
        for mut document in manifest::parse(&broker, "the broker", Path::new("."))? {
            apply::one(&self.target, &mut document, Mode::Store, Conflicts::Force).await?;
        }
        let broker = wait::ready(&self.target, kind_by_word("broker")?, NAMESPACE, name, READY_TIMEOUT).await?;
        url(&broker["status"]["address"]["url"])
    }

    /// How often functions whose names begin so left zero in this process.
    pub(super) async fn cold_starts(&self, prefix: &str) -> Result<u64, Failure> {
        let all = self.target.get("/fnctl/v1/functions").await?;
        let revisions = all["revisions"].as_array().into_iter().flatten();
        let named =
            revisions.filter(|revision| revision["function"].as_str().is_some_and(|name| name.starts_with(prefix)));
        Ok(named.filter_map(|revision| revision["coldStarts"].as_u64()).sum())
    }

    /// The sum of a counter of `/metrics` over its labels; 0 where it is not there.
    pub(super) async fn counter(&self, name: &str) -> Result<f64, Failure> {
        let request = Request::get("/metrics").body(Vec::new());
        let request = request.map_err(|e| Failure::failed(code::OTHER, "cannot ask for metrics").because(&e))?;
        Ok(sum(&self.target.client.request_text(request).await?, name))
    }
}

/// The sum of one metric's samples in a text of Prometheus.
fn sum(metrics: &str, name: &str) -> f64 {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let of_this_name = samples.filter(|rest| rest.starts_with(['{', ' ']));
    of_this_name.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn url(value: &Value) -> Result<String, Failure> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::failed(code::NOT_READY, "an object is ready and has no URL"))
}

/// Host and port of a URL with a numeric host, or one under `localhost`, which is this machine.
pub(super) fn address_of(url: &str) -> Result<SocketAddr, Failure> {
    let invalid = || {
        Failure::invalid(code::INPUT, format!("{url:?} is no http URL with a port on this machine or a numeric host"))
    };
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(invalid)?;
    let host = match authority.host() {
        host if host == "localhost" || host.ends_with(".localhost") => "127.0.0.1",
        host => host.trim_matches(['[', ']']),
    };
    let ip = host.parse().map_err(|_| invalid())?;
    Ok(SocketAddr::new(ip, authority.port_u16().unwrap_or(80)))
}

/// A GET of each of these URLs in turn.
pub(super) fn gets(urls: &[String]) -> Result<Requests, Failure> {
    let request = |url: &String| Ok(written(&request("GET", url, Bytes::new())?));
    let requests = urls.iter().map(request).collect::<Result<Vec<_>, Failure>>()?;
    Ok(Arc::new(move |number| requests[number as usize % requests.len()].clone()))
}

/// A request whose target is a path and whose `Host` is the URL's, as a client on a connection sends it.
pub(super) fn request(method: &str, url: &str, body: Bytes) -> Result<Request<Bytes>, Failure> {
    let invalid = |e: &dyn std::error::Error| Failure::invalid(code::INPUT, format!("{url:?} is no URL")).because(e);
    let uri: Uri = url.parse().map_err(|e| invalid(&e))?;
    let host = uri.authority().map_or("localhost", |authority| authority.as_str());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder().method(method).uri(path).header(header::HOST, host).body(body);
    request.map_err(|e| invalid(&e))
}
