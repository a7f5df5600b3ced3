//! The node or cluster that a command talks to, and how it is found.

use crate::args::Scope;
use crate::failure::{Exit, Failure, code};
use crate::output::{self, Form};
use fnctl_config::node;
use futures::AsyncBufReadExt as _;
use futures::stream::{Stream, StreamExt as _};
use http::Request;
use http::header::{HeaderMap, WARNING};
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use std::path::PathBuf;
use tower::util::MapResponseLayer;

/// The field manager of everything that people do through this program.
pub(crate) const FIELD_MANAGER: &str = "fnctl";

/// A connection to the API, and the namespace and form that the command line asked for.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) form: Form,
    /// Where it is, for people.
    pub(crate) server: String,
}

impl Target {
    /// Finds the node: `--kubeconfig`, then `$FNCTL_KUBECONFIG`, then the local node, then `$KUBECONFIG`.
    pub(crate) async fn find(scope: &Scope) -> Result<Self, Failure> {
        let file = kubeconfig_file(scope)?;
        let config = Kubeconfig::read_from(&file).map_err(|e| {
            Failure::new(Exit::Unreachable, code::NO_NODE, format!("cannot read the kubeconfig {}", file.display()))
                .because(&e)
        })?;
        let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .map_err(|e| Failure::invalid(code::INPUT, format!("{} is no kubeconfig", file.display())).because(&e))?;
        // A node that has no room for a request says so; whoever called decides whether to wait.
        config.default_retry = false;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let form = Form::parse(scope.output.as_deref())?;
        let tell = MapResponseLayer::new({
            let form = form.clone();
            move |response: http::Response<_>| {
                warnings(response.headers()).for_each(|warning| output::warn(&form, &warning));
                response
            }
        });
        let client = ClientBuilder::try_from(config).map_err(Failure::from)?.with_layer(&tell).build();
        Ok(Self { client, namespace: scope.namespace.clone(), form, server })
    }

    /// Says on stderr what is about to be changed where; silent for machines.
    pub(crate) fn announce(&self) {
        if !self.form.is_json() {
            output::say(format!("target: {} (namespace {})", self.server, self.namespace));
        }
    }

    /// Why a request did not do what was asked; says where it went if nobody answered.
    pub(crate) fn failure(&self, error: kube::Error) -> Failure {
        let failure = Failure::from(error);
        match failure.exit() {
            Exit::Unreachable => failure.says(format!("{} does not answer", self.server)),
            _ => failure,
        }
    }

    /// A request that has no body.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, "application/json", Vec::new()).await
    }

    /// A request with a body, answered by one JSON document.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let request = request(method, path, media_type, body)?;
        self.client.request::<Value>(request).await.map_err(|error| self.failure(error))
    }

    /// A request answered by one JSON document a line, for as long as the node has something to say.
    pub(crate) async fn lines(
        &self,
        path: &str,
    ) -> Result<impl Stream<Item = Result<Value, Failure>> + use<>, Failure> {
        let request = request("GET", path, "application/json", Vec::new())?;
        let reader = self.client.request_stream(request).await.map_err(|error| self.failure(error))?;
        let server = self.server.clone();
        Ok(reader.lines().filter_map(move |line| {
            std::future::ready(match line {
                Ok(line) if line.is_empty() => None,
                Ok(line) => Some(
                    serde_json::from_str(&line)
                        .map_err(|e| Failure::failed(code::OTHER, "the answer is no JSON").because(&e)),
                ),
                Err(_) => Some(Err(broken_off(&server))),
            })
        }))
    }
}

/// What the API warns of: `299 - "text"`, as Kubernetes writes it.
fn warnings(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let text = |value: &http::HeaderValue| {
        let quoted = value.to_str().ok()?.splitn(3, ' ').nth(2)?;
        serde_json::Deserializer::from_str(quoted).into_iter().next()?.ok()
    };
    headers.get_all(WARNING).iter().filter_map(text)
}

/// The connection was lost in the middle of an answer: the node was killed, or the machine is gone.
pub(crate) fn broken_off(server: &str) -> Failure {
    let message = format!("{server} broke off its answer");
    Failure::new(Exit::Unreachable, code::UNREACHABLE, message).try_this("fnctl up")
}

fn request(method: &str, path: &str, media_type: &str, body: Vec<u8>) -> Result<Request<Vec<u8>>, Failure> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, media_type)
        .header(http::header::ACCEPT, "application/json")
        .body(body)
        .map_err(|e| Failure::invalid(code::INPUT, format!("{path:?} cannot be asked for")).because(&e))
}

fn kubeconfig_file(scope: &Scope) -> Result<PathBuf, Failure> {
    node::kubeconfig(scope.kubeconfig.clone(), scope.data_dir.clone(), &node::environment())
        .map_err(|e| Failure::new(Exit::Unreachable, code::NO_NODE, e.to_string()).try_this("fnctl up"))
}

/// Escapes one part of a path.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
