//! The requests that wait for one revision, in order of arrival.

use crate::meter::Traffic;
use std::collections::BTreeMap;
use std::time::Instant;

/// One waiting request.
#[derive(Debug)]
pub(super) struct Waiter<W> {
    /// How it is told.
    pub(super) tell: W,
    /// What it counts for.
    pub(super) bytes: u64,
    pub(super) traffic: Traffic,
    pub(super) arrived: Instant,
}

/// First in, first out, and any may leave early at the cost of a look-up. Its bounds are the caller's to keep.
#[derive(Debug)]
pub(super) struct Queue<W> {
    waiters: BTreeMap<u64, Waiter<W>>,
    bytes: u64,
    next_ticket: u64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self { waiters: BTreeMap::new(), bytes: 0, next_ticket: 0 }
    }
}

impl<W> Queue<W> {
    pub(super) fn push(&mut self, waiter: Waiter<W>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.bytes += waiter.bytes;
        self.waiters.insert(ticket, waiter);
        ticket
    }

    pub(super) fn pop(&mut self) -> Option<Waiter<W>> {
        let (_, waiter) = self.waiters.pop_first()?;
        self.bytes -= waiter.bytes;
        Some(waiter)
    }

    pub(super) fn take(&mut self, ticket: u64) -> Option<Waiter<W>> {
        let waiter = self.waiters.remove(&ticket)?;
        self.bytes -= waiter.bytes;
        Some(waiter)
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
