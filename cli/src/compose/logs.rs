//! Joins `kubectl logs` to the function logs: a revision's pod is named `<revision>-wasm`.

use crate::since::ago;
use bytes::Bytes;
use fnctl_config::snapshot::ObjectKey;
use fnctl_controller::apiserver::logs::{Follow, LogOptions, LogStream, PodLogs, Timestamps};
use fnctl_runtime_wasm::logs::{Line, Logs};
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _};
use jiff::Timestamp;

/// What the pod of a Wasm revision is called, after the revision's name.
pub(crate) const POD_SUFFIX: &str = "-wasm";

/// The function logs as pods' logs.
#[derive(Debug)]
pub(crate) struct FunctionLogs(pub(crate) Logs);

impl PodLogs for FunctionLogs {
    fn read(&self, pod: ObjectKey, options: LogOptions) -> BoxFuture<'_, Option<LogStream>> {
        Box::pin(async move {
            let revision = ObjectKey::new(pod.namespace, pod.name.strip_suffix(POD_SUFFIX)?);
            let (mut lines, later) = read(&self.0, &revision);
            if let Some(since) = options.since {
                let oldest = ago(Timestamp::now(), since);
                lines.retain(|line| line.time >= oldest);
            }
            if let Some(tail) = options.tail_lines {
                let skipped = lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
                lines.drain(..skipped);
            }
            let timestamps = options.timestamps;
            let kept = stream::iter(lines.into_iter().map(move |line| Ok(text(&line, timestamps))));
            if options.follow == Follow::No {
                return Some(kept.boxed());
            }
            let later = later.map(move |line| Ok(text(&line, timestamps)));
            Some(kept.chain(later).boxed())
        })
    }
}

/// The lines of a revision that are kept, and those that come after them as they are written.
pub(crate) fn read(logs: &Logs, revision: &ObjectKey) -> (Vec<Line>, impl Stream<Item = Line> + Send + use<>) {
    let kept = logs.read(revision, 0);
    let next = kept.last().map_or(0, |line| line.sequence + 1);
    let (logs, revision) = (logs.clone(), revision.clone());
    // Only who reads on needs a place in the log.
    let follow = stream::once(async move { logs.follow(&revision, Some(next)) });
    let later = follow.flat_map(|follow| {
        stream::unfold(follow, async |mut follow| Some((follow.next().await, follow))).flat_map(stream::iter)
    });
    (kept, later)
}

fn text(line: &Line, timestamps: Timestamps) -> Bytes {
    match timestamps {
        Timestamps::No => format!("{}\n", line.text).into(),
        Timestamps::Yes => format!("{} {}\n", line.time, line.text).into(),
    }
}
