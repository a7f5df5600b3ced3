//! Delivery to a broker of the same node: an append, with the status that the broker's door would have given.

use super::Shared;
use crate::deliver::{Answered, Deliver, Outcome, Parcel};
use fnctl_config::snapshot::Destination;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct ToBroker(pub(super) Weak<Shared>);

impl Deliver for ToBroker {
    fn deliver(&self, parcel: Parcel) -> BoxFuture<'_, Outcome> {
        async move {
            let Destination::Broker { key } = &parcel.destination else {
                return Outcome::Forbidden { reason: format!("{:?} is no broker", parcel.destination) };
            };
            let Some(shared) = self.0.upgrade() else {
                return Outcome::NotAdmitted { reason: "the node is stopping".to_owned() };
            };
            let begin = Instant::now();
            let accepted = shared.publish(key, vec![parcel.event.as_ref().clone()]).await;
            let (status, body) = match accepted {
                Ok(_) => (202, String::new()),
                Err(refused) => (refused.status().as_u16(), refused.to_string()),
            };
            Outcome::Answered(Answered {
                status,
                headers: ::http::HeaderMap::new(),
                body: body.into(),
                duration: begin.elapsed(),
                waited: Duration::ZERO,
                instance: None,
            })
        }
        .boxed()
    }
}
