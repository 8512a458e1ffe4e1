//! The line of submitters that wait for slots.

use std::collections::BTreeMap;

use super::word::LINE;
use super::{NoSlot, Slots};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, MutexGuard};
use crate::wait::{Outcome, Waiter};

#[derive(Debug, Default)]
pub struct Line {
    pub waiters: BTreeMap<u64, Request>,
    next_ticket: u64,
}

/// A submitter in the line.
#[derive(Debug)]
pub struct Request {
    waiter: Arc<Waiter>,
    /// How many slots it waits for.
    pub count: usize,
}

/// How a submitter joined the line.
#[derive(Debug)]
pub enum Joined {
    /// A slot was free after all; the caller owns it.
    Granted,
    /// The caller waits under this ticket.
    Waiting(u64),
}

impl Slots {
    /// Grants free slots to the waiters, first come, first served.
    ///
    /// A release that finds the line bit in `released` calls this afterwards. The first submitter
    /// in line reclaims after it has set the bit. Whichever is second sees the first, so no slot
    /// stays free while a submitter waits.
    #[cold]
    pub(super) fn grant_to_line(&self) {
        loop {
            let waiter = {
                let mut line = self.line.lock();
                // A close empties the line, so this also stops on a closed pool.
                let Some((_, first)) = line.waiters.first_key_value() else {
                    return;
                };
                if self.take_reclaiming(&line, first.count).is_err() {
                    return;
                }
                let (_, first) = line.waiters.pop_first().expect("the line is not empty");
                self.clear_line_bit(&line);
                first.waiter.settle(Outcome::Granted);
                first.waiter
            };
            waiter.wake();
        }
    }

    /// Clears the line bit in both words if the line is empty.
    pub(super) fn clear_line_bit(&self, line: &MutexGuard<'_, Line>) {
        if line.waiters.is_empty() {
            // Relaxed: where order matters, both words are read again under the lock.
            self.released.fetch_and(!LINE, Ordering::Relaxed);
            self.submit.acquired.fetch_and(!LINE, Ordering::Relaxed);
        }
    }

    /// Removes the requests that `which` selects, and settles them. The caller must wake them.
    pub(super) fn refuse(
        &self,
        line: &mut MutexGuard<'_, Line>,
        which: impl Fn(&Request) -> bool,
        outcome: Outcome,
    ) -> Vec<Arc<Waiter>> {
        let waiters = std::mem::take(&mut line.waiters).into_iter();
        let refused;
        (refused, line.waiters) = waiters.partition(|(_, request)| which(request));
        self.clear_line_bit(line);
        let refused = refused.into_values().map(|request| request.waiter);
        refused.inspect(|waiter| waiter.settle(outcome)).collect()
    }

    /// Joins the end of the line, unless `count` slots are free or `max_waiting` submitters wait.
    pub fn join_line(
        &self,
        waiter: &Arc<Waiter>,
        max_waiting: usize,
        count: usize,
    ) -> Result<Joined, NoSlot> {
        let mut line = self.line.lock();
        self.check_count(count)?;
        // Set the line bits before checking, or a release between is missed and the slot stays
        // free. Each bit and count share a word, so no fence is needed.
        self.submit.acquired.fetch_or(LINE, Ordering::Relaxed);
        self.released.fetch_or(LINE, Ordering::Relaxed);
        if line.waiters.is_empty() {
            match self.take_reclaiming(&line, count) {
                Err(NoSlot::Full) => {}
                settled => {
                    self.clear_line_bit(&line);
                    return settled.map(|()| Joined::Granted);
                }
            }
        }
        if line.waiters.len() >= max_waiting {
            self.clear_line_bit(&line);
            return Err(NoSlot::Full);
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        let waiter = Arc::clone(waiter);
        line.waiters.insert(ticket, Request { waiter, count });
        Ok(Joined::Waiting(ticket))
    }

    /// Leaves the line. Returns false if the wait was settled before: the caller then owns a
    /// granted slot and must use or release it.
    #[must_use]
    pub fn leave_line(&self, ticket: u64) -> bool {
        let mut line = self.line.lock();
        let removed = line.waiters.remove(&ticket);
        self.clear_line_bit(&line);
        drop(line);
        if removed.as_ref().is_some_and(|request| request.count > 1) {
            // The free slots that were too few for it may be enough for the next.
            self.grant_to_line();
        }
        removed.is_some()
    }
}
