use super::Scaler;
use crate::fleet::Origin;
use crate::port::{Apply, Observe, Sample};
use fnctl_config::snapshot::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A home that says what it was told, and has it so at once.
#[derive(Debug)]
struct Home(mpsc::Sender<u32>);

impl Apply for Home {
    fn apply(&self, _: &ObjectKey, instances: u32) {
        self.0.try_send(instances).expect("room");
    }
}

#[derive(Debug)]
struct Quiet;

impl Observe for Quiet {
    fn observe(&self, _: &ObjectKey) -> Sample {
        Sample { ready: 1, ..Sample::default() }
    }
}

fn revision() -> Arc<Revision> {
    let minute = Duration::from_secs(60);
    Arc::new(Revision {
        key: ObjectKey::new("default", "a"),
        uid: "1".to_owned(),
        service: "a".to_owned(),
        configuration: "a".to_owned(),
        artifact: "0".repeat(64),
        env: Vec::new(),
        args: Vec::new(),
        limits: CallLimits { memory_bytes: 1, cpu: minute, timeout: minute, response_start: None },
        container_concurrency: 0,
        scale: Scale {
            metric: Metric::Concurrency,
            total: 10.0,
            target: 7.0,
            min: 0,
            max: 0,
            initial: 0,
            activation: 0,
            stable_window: Duration::from_secs(6),
            panic_window: Duration::from_secs(1),
            panic_threshold: 2.0,
            target_burst_capacity: 211.0,
            scale_down_delay: Duration::ZERO,
            retention: Duration::ZERO,
        },
        reuse: Reuse::Fresh,
        grants: Grants::default(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_poke_scales_up_at_once_and_silence_scales_to_zero() {
    let scaler = Scaler::new();
    let revision = revision();
    scaler.change(&Change::Revision(revision.clone()), Origin::Created);
    let (told, mut orders) = mpsc::channel(8);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = {
        let scaler = scaler.clone();
        tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            scaler.run(Arc::new(Quiet), Arc::new(Home(told)), shutdown).await;
        })
    };
    scaler.poke(&revision.key);
    let began = tokio::time::Instant::now();
    assert_eq!(orders.recv().await, Some(1));
    assert_eq!(began.elapsed(), Duration::ZERO, "no tick was waited for");
    assert_eq!(orders.recv().await, Some(0));
    let decisions = scaler.decisions(&revision.key).expect("decisions");
    assert_eq!(decisions.last().map(|last| last.last_ago), Some(Duration::ZERO));
    assert!(decisions[0].first_ago >= Duration::from_secs(6));
    assert_eq!(scaler.decisions(&ObjectKey::new("default", "b")), None);
    stop.send(()).expect("it runs");
    running.await.expect("it ends");
}
