//! What follows an attempt to deliver: pure. Numbers and codes are Knative's (`DeliverySpec`, `kncloudevents`).
//!
//! | answer | then |
//! | --- | --- |
//! | 2xx | done |
//! | no answer, 5xx, 404, 408, 409, 429 | again, while retries are left |
//! | 1xx, 3xx, other 4xx | no further attempt |
//! | the platform had no room | wait; not an attempt |
//!
//! The wait before retry n, counted from 0, is `delay * n` (linear) or `delay * 2^n` (exponential), at most
//! [`BACKOFF_MAX`]. A `Retry-After` of 429 and 503 can lengthen it up to the trigger's `retryAfterMax`.

use fnctl_config::limits::{BACKOFF_MAX, NOT_ADMITTED_DELAY};
use fnctl_config::snapshot::{Backoff, Delivery};
use std::time::Duration;

/// How an attempt ended, as far as it matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Accepted.
    Accepted,
    /// An answer that is no 2xx, or one that counts as this status.
    Refused {
        /// HTTP status.
        status: u16,
        /// The subscriber's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// No answer: no connection, a time-out, a broken answer.
    Unanswered,
    /// An answer that no further attempt can better: the address is not allowed, the event has no valid form for it.
    Hopeless,
    /// The platform had no room or the revision was not ready.
    NotAdmitted,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The event is done.
    Done,
    /// Deliver again after this time; an attempt was used.
    Again {
        /// From now.
        after: Duration,
    },
    /// Deliver again after this time; no attempt was used.
    Wait {
        /// From now.
        after: Duration,
    },
    /// No attempt is left: to the dead-letter sink.
    DeadLetter,
    /// No attempt is left and there is no dead-letter sink: into the parked store.
    Park,
}

/// Decides after attempt number `attempt`, counted from 1. `jitter` is a share of the back-off, 0 to 1, added to it.
pub fn next(ended: Ended, attempt: u32, delivery: &Delivery, jitter: f64) -> Next {
    let retryable = match ended {
        Ended::Accepted => return Next::Done,
        Ended::NotAdmitted => return Next::Wait { after: NOT_ADMITTED_DELAY },
        Ended::Unanswered => true,
        Ended::Refused { status, .. } => is_retryable(status),
        Ended::Hopeless => false,
    };
    if retryable && attempt <= delivery.retry {
        let wait = backoff(delivery, attempt.saturating_sub(1));
        let wait = wait.saturating_add(wait.mul_f64(jitter.clamp(0.0, 1.0))).min(BACKOFF_MAX);
        return Next::Again { after: wait.max(asked_for(ended, delivery)) };
    }
    match delivery.dead_letter {
        Some(_) => Next::DeadLetter,
        None => Next::Park,
    }
}

/// Whether another attempt may help after this status.
pub fn is_retryable(status: u16) -> bool {
    match status {
        404 | 408 | 409 | 429 => true,
        100..=499 => false,
        _ => true,
    }
}

/// The wait before retry `number`, counted from 0.
pub fn backoff(delivery: &Delivery, number: u32) -> Duration {
    let factor = match delivery.backoff {
        Backoff::Linear => number,
        Backoff::Exponential => 1_u32.checked_shl(number).unwrap_or(u32::MAX),
    };
    delivery.backoff_delay.saturating_mul(factor).min(BACKOFF_MAX)
}

fn asked_for(ended: Ended, delivery: &Delivery) -> Duration {
    match (ended, delivery.retry_after_max) {
        (Ended::Refused { status: 429 | 503, retry_after: Some(asked) }, Some(most)) => asked.min(most),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
