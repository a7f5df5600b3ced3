//! Local components go to the node's artifact store over the registry protocol, and the manifest then names them by
//! digest: `image: ./x.wasm` becomes `fnctl.local/<namespace>/<name>@sha256:...`.

use crate::command::apply::Mode;
use crate::failure::{Failure, code};
use crate::manifest::Document;
use crate::target::{Target, segment};
use fnctl_config::api::metadata::is_dns_label;
use kube::core::Status;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Host part of images that live in the node's own store and are never dialled.
pub(crate) const LOCAL_REGISTRY: &str = "fnctl.local";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Rewrites each `image:` of the document that is a path to the image that it becomes, and pushes it.
pub(crate) async fn local_images(target: &Target, document: &mut Document, mode: Mode) -> Result<(), Failure> {
    let namespace = document.namespace(&target.namespace).unwrap_or_default().to_owned();
    let name = document.name().to_owned();
    let Some(containers) = document.object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut)
    else {
        return Ok(());
    };
    for container in containers {
        let Some(image) = container["image"].as_str() else { continue };
        if image.starts_with("./") || image.starts_with("../") || image.starts_with('/') {
            let file = document.folder.join(image);
            let artifact = Artifact::read(&file, &namespace, &name)?;
            if mode == Mode::Store {
                artifact.push(target).await?;
            }
            container["image"] = json!(artifact.image());
        }
    }
    Ok(())
}

/// Pushes one component and answers the image that names it.
pub(crate) async fn component(target: &Target, file: &Path, namespace: &str, name: &str) -> Result<String, Failure> {
    let artifact = Artifact::read(file, namespace, name)?;
    artifact.push(target).await?;
    Ok(artifact.image())
}

/// A component as the registry protocol carries it.
struct Artifact {
    repository: String,
    component: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Artifact {
    fn read(file: &Path, namespace: &str, name: &str) -> Result<Self, Failure> {
        if let Some(wrong) = [namespace, name].into_iter().find(|part| !is_dns_label(part)) {
            return Err(Failure::invalid(code::INPUT, format!("{wrong:?} is no name of a function or a namespace"))
                .detail("a name has at most 63 lower-case letters, digits and -, and begins and ends with a letter or digit"));
        }
        let component = std::fs::read(file).map_err(|e| {
            Failure::invalid(code::FILE, format!("cannot read the component {}", file.display())).because(&e)
        })?;
        if !component.starts_with(b"\0asm") {
            return Err(Failure::invalid(code::INPUT, format!("{} is not WebAssembly", file.display()))
                .try_this("build it for wasm32-wasip2, or name a container image"));
        }
        let created = json!({"architecture": "wasm", "os": "wasip2", "layerDigests": [digest(&component)]});
        let config = created.to_string().into_bytes();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": digest(&component), "size": component.len()}]});
        let manifest = manifest.to_string().into_bytes();
        Ok(Self { repository: format!("{namespace}/{name}"), component, config, manifest })
    }

    /// The image that names it.
    fn image(&self) -> String {
        format!("{LOCAL_REGISTRY}/{}@{}", self.repository, digest(&self.manifest))
    }

    async fn push(&self, target: &Target) -> Result<(), Failure> {
        let Self { repository, .. } = self;
        blob(target, repository, &self.config).await?;
        blob(target, repository, &self.component).await?;
        exchange(target, "PUT", &format!("/v2/{repository}/manifests/latest"), MANIFEST, self.manifest.clone()).await
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

async fn blob(target: &Target, repository: &str, bytes: &[u8]) -> Result<(), Failure> {
    let digest = digest(bytes);
    if exchange(target, "HEAD", &format!("/v2/{repository}/blobs/{digest}"), LAYER, Vec::new()).await.is_ok() {
        return Ok(());
    }
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", segment(&digest));
    exchange(target, "POST", &path, "application/octet-stream", bytes.to_vec()).await
}

/// One request of the registry protocol, whose answers have no JSON body.
async fn exchange(target: &Target, method: &str, path: &str, media_type: &str, body: Vec<u8>) -> Result<(), Failure> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, media_type)
        .body(kube::client::Body::from(body))
        .map_err(|e| Failure::invalid(code::INPUT, format!("{path:?} cannot be asked for")).because(&e))?;
    let response = target.client.send(request).await.map_err(|error| target.failure(error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let text = response.into_body().collect_bytes().await.unwrap_or_default();
    // Where the node refuses before the store is asked (the token), it answers as its API does.
    if let Some(refused) =
        serde_json::from_slice::<Status>(&text).ok().filter(|refused| refused.code == status.as_u16())
    {
        return Err(Failure::from(&refused));
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let message =
        serde_json::from_str::<Value>(&text).ok().and_then(|v| v["errors"][0]["message"].as_str().map(str::to_owned));
    Err(Failure::failed(code::REFUSED, format!("the node's artifact store refused {method} {path}: {status}"))
        .detail(message.unwrap_or(text)))
}
