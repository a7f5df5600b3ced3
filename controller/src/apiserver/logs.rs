//! `GET .../pods/NAME/log`: what a function printed. Where the text comes from is a port; the node joins it.

use super::failure::Failure;
use super::request::Query;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fnctl_config::snapshot::ObjectKey;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use http::header;
use std::io;
use std::time::Duration;

/// The text of a log, in pieces. It ends by itself unless it is followed.
pub type LogStream = BoxStream<'static, io::Result<Bytes>>;

/// Where the logs of pods come from.
pub trait PodLogs: Send + Sync + 'static {
    /// The log of a pod; nothing where no such pod is known. A followed log goes on until its reader drops it.
    fn read(&self, pod: ObjectKey, options: LogOptions) -> BoxFuture<'_, Option<LogStream>>;
}

/// Which part of a log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; the only one where nothing is said.
    pub container: Option<String>,
    /// Whether to go on with what is printed later.
    pub follow: Follow,
    /// Only so many of the last lines.
    pub tail_lines: Option<u64>,
    /// Only lines at most this old.
    pub since: Option<Duration>,
    /// Whether each line begins with its time.
    pub timestamps: Timestamps,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
}

/// Whether a log is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// It ends where it is now.
    #[default]
    No,
    /// It goes on.
    Yes,
}

/// Whether lines carry their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// As printed.
    #[default]
    No,
    /// RFC 3339 before each line.
    Yes,
}

/// A port that knows no pods: for tests, and for nodes that run nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLogs;

impl PodLogs for NoLogs {
    fn read(&self, _pod: ObjectKey, _options: LogOptions) -> BoxFuture<'_, Option<LogStream>> {
        Box::pin(std::future::ready(None))
    }
}

impl LogOptions {
    pub(crate) fn of(query: &Query) -> Result<Self, Failure> {
        let number = |name: &str| match query.get(name) {
            "" => Ok(None),
            text => text.parse::<u64>().map(Some).map_err(|_| {
                Failure::invalid_option(format!("PodLogOptions is invalid: {name}: Invalid value: {text:?}"))
            }),
        };
        Ok(Self {
            container: Some(query.get("container")).filter(|name| !name.is_empty()).map(str::to_owned),
            follow: if query.is_true("follow") { Follow::Yes } else { Follow::No },
            tail_lines: number("tailLines")?,
            since: number("sinceSeconds")?.map(Duration::from_secs),
            timestamps: if query.is_true("timestamps") { Timestamps::Yes } else { Timestamps::No },
            limit_bytes: number("limitBytes")?,
        })
    }
}

/// Answers with the text of a log, until `closing` is done.
pub(crate) async fn answer(
    logs: &dyn PodLogs,
    pod: ObjectKey,
    options: LogOptions,
    closing: impl Future<Output = ()> + Send + 'static,
) -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain")];
    match logs.read(pod, options).await {
        Some(stream) => (text, Body::from_stream(stream.take_until(closing))).into_response(),
        // The object is there, so nothing was printed yet.
        None => (text, Body::empty()).into_response(),
    }
}
