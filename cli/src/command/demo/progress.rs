//! How far the pictures are, read from the broker's log as it grows: results, and what each step of the way takes.

use super::watch::{PICTURE, RESULT, broker};
use crate::compose::Parts;
use crate::failure::{Failure, code};
use fnctl_broker::broker::{End, EventQuery};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;

/// Pictures whose delivery is looked up at one look.
const ASKED_AT_ONCE: usize = 16;
/// Pictures that the times are medians of: the last ones.
const REMEMBERED: usize = 32;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Progress {
    query: EventQuery,
    results: usize,
    /// Events of pictures that were not delivered when last asked for, with the milliseconds from PUT to event.
    waiting: VecDeque<(String, u64)>,
    steps: VecDeque<Steps>,
}

/// Milliseconds of one picture's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Steps {
    /// From the PUT until its event was in the log.
    notice: u64,
    /// Until the function had room for it.
    wait: u64,
    /// The function: reads, decides, draws, stores.
    run: u64,
}

impl Progress {
    /// Takes in what is new in the log.
    pub(super) async fn look(&mut self, parts: &Parts) -> Result<(), Failure> {
        loop {
            let page = parts.brokers.events(&broker(), &self.query).await;
            let page = page.map_err(|e| Failure::failed(code::OTHER, "the results cannot be read").because(&e))?;
            page.events.iter().filter_map(|event| serde_json::from_str(event.get()).ok()).for_each(|e| self.take(&e));
            self.query.from = Some(page.next);
            if page.end == End::OfLog {
                break;
            }
        }
        for _ in 0..self.waiting.len().min(ASKED_AT_ONCE) {
            let Some((event, notice)) = self.waiting.pop_front() else { break };
            match delivery(parts, &event).await {
                Some((wait, run)) => self.remember(Steps { notice, wait, run }),
                None => self.waiting.push_back((event, notice)),
            }
        }
        Ok(())
    }

    pub(super) fn results(&self) -> usize {
        self.results
    }

    /// The medians, once there are any.
    pub(super) fn times(&self) -> String {
        if self.steps.is_empty() {
            return String::new();
        }
        let median = |step: fn(&Steps) -> u64| {
            let mut all: Vec<u64> = self.steps.iter().map(step).collect();
            let middle = all.len() / 2;
            *all.select_nth_unstable(middle).1
        };
        let [notice, wait, run] = [median(|s| s.notice), median(|s| s.wait), median(|s| s.run)];
        format!("ms: notice {notice}, wait {wait}, run {run}")
    }

    fn take(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some(RESULT) => self.results += 1,
            Some(PICTURE) => {
                let at = |field: &str| event[field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
                let notice = at("time").zip(at("acceptedAt")).map_or(0, |(put, accepted)| {
                    u64::try_from(accepted.as_millisecond() - put.as_millisecond()).unwrap_or(0)
                });
                self.waiting.push_back((event["id"].as_str().unwrap_or_default().to_owned(), notice));
            }
            _ => {}
        }
    }

    fn remember(&mut self, steps: Steps) {
        if self.steps.len() == REMEMBERED {
            self.steps.pop_front();
        }
        self.steps.push_back(steps);
    }
}

/// Milliseconds that the event waited for the function and that the function took; none while it has not answered.
async fn delivery(parts: &Parts, event: &str) -> Option<(u64, u64)> {
    let answers = parts.brokers.why(&broker(), event, None).await.ok()?.ok()?;
    let last = answers.iter().flat_map(|why| &why.triggers).filter_map(|row| row.attempts.last()).next()?;
    let (wait, whole) = (u64::from(last.waited_ms), u64::from(last.duration_ms));
    Some((wait, whole.saturating_sub(wait)))
}

#[cfg(test)]
mod tests;
