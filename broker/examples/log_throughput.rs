//! What the log reaches on this disk, beside what the disk reaches alone:
//! `cargo run --release -p fnctl-broker --example log_throughput`.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use bytes::Bytes;
use fnctl_broker::log::EventLog as _;
use fnctl_broker::log::segment::{Options, SegmentLog};
use fnctl_broker::vfs::Vfs;
use fnctl_broker::vfs::disk::Disk;
use fnctl_config::snapshot::Retention;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const EVENT_BYTES: usize = 1_024;
const ROUND: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir_in(".")?;
    let vfs: Arc<dyn Vfs> = Arc::new(Disk);
    for clients in [1_usize, 16, 256] {
        let raw = raw_syncs(&vfs, &directory.path().join(format!("raw-{clients}")))?;
        let retention = Retention { age: Duration::from_secs(3_600), bytes: 0, drop_pending: false };
        let path = directory.path().join(clients.to_string());
        let log = Arc::new(SegmentLog::open(&vfs, &path, "uid", Options::default(), retention)?);
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let log = Arc::clone(&log);
            tasks.spawn(async move {
                while begun.elapsed() < ROUND {
                    log.append(vec![Bytes::from(vec![7; EVENT_BYTES])]).await?;
                }
                Ok::<_, fnctl_broker::log::AppendError>(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let (stats, seconds) = (log.stats(), begun.elapsed().as_secs_f64());
        println!(
            "{clients:4} clients: {:8.0} events/s, {:6.1} events per sync, {:6.0} syncs/s; the disk alone {raw:.0} syncs/s",
            stats.records as f64 / seconds,
            stats.records as f64 / stats.commits as f64,
            stats.commits as f64 / seconds
        );
    }
    Ok(())
}

/// What the disk does alone: writes of one event's size, each synced.
fn raw_syncs(vfs: &Arc<dyn Vfs>, path: &Path) -> Result<f64, Box<dyn Error>> {
    let file = vfs.create(path)?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < ROUND {
        file.write_all_at(count * EVENT_BYTES as u64, &[1; EVENT_BYTES])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
