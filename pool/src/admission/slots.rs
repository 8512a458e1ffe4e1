//! Slots limit how many tasks are in the pool; submitters wait for them in a fair line.
//!
//! Two words keep submitters and workers from contending on one cache line. Submitters write
//! `acquired`: the slots taken, the capacity, and whether the pool is closed or has a line. One
//! atomic step decides on all of them, so each submit is either before a close or after it. Workers
//! write `released`: how many of the taken slots were released since the last reclaim.
//!
//! When `acquired` shows no free slot, a submitter reclaims: it subtracts the released slots from
//! both words. Until then a released slot counts as taken, so `in_flight <= capacity` holds at
//! every instant. Reclaiming and all work on the line, on a close or on the capacity happen under
//! one lock.
//!
//! A close stores in `released` the count at which the pool is drained, and blocks reclaiming until
//! a reopen. So the step that releases the last slot also detects the drain.
//!
//! A slot freed while submitters wait goes to the first in line. Newcomers see the line bit in
//! `acquired` and join at the end. Workers see it in `released` and grant the slot to the line. The
//! line is a map ordered by ticket, so a waiter leaves its middle in logarithmic time.

mod word;

use std::collections::BTreeMap;

use crossbeam_utils::CachePadded;

use crate::figures::Counter;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::wait::{Outcome, Waiter};
use word::{CLOSED, COUNT_MASK, LIMIT_MASK, LINE, ONE, Word};

/// Why no slot was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    Full,
    Closed,
}

/// How a submitter joined the line.
#[derive(Debug)]
pub enum Joined {
    /// A slot was free after all; the caller owns it.
    Granted,
    /// The caller waits under this ticket.
    Waiting(u64),
}

/// The work that remains after the release of a slot.
#[derive(Clone, Copy)]
#[must_use]
pub struct Released {
    has_line: bool,
    is_drained: bool,
}

#[derive(Debug)]
pub struct Slots {
    submit: CachePadded<SubmitSide>,
    released: CachePadded<AtomicU64>,
    line: Mutex<Line>,
}

/// What a submit writes, on one cache line because it writes both.
#[derive(Debug)]
struct SubmitSide {
    acquired: AtomicU64,
    accepted: Counter,
}

#[derive(Debug, Default)]
struct Line {
    waiters: BTreeMap<u64, Arc<Waiter>>,
    next_ticket: u64,
}

impl Slots {
    pub fn new(capacity: usize) -> Self {
        let acquired = AtomicU64::new(Word(0).with_limit(capacity).0);
        Self {
            submit: CachePadded::new(SubmitSide {
                acquired,
                accepted: Counter::default(),
            }),
            released: CachePadded::new(AtomicU64::new(0)),
            line: Mutex::new(Line::default()),
        }
    }

    fn load(&self) -> Word {
        // Acquire: a thread that sees a reclaimed slot sees what its task did.
        Word(self.submit.acquired.load(Ordering::Acquire))
    }

    fn load_released(&self) -> Word {
        // Acquire: a thread that sees a released slot sees what its task did.
        Word(self.released.load(Ordering::Acquire))
    }

    pub fn capacity(&self) -> usize {
        self.load().capacity()
    }

    /// Returns the taken slots and the capacity at one instant.
    pub fn usage(&self) -> (usize, usize) {
        let line = self.line.lock();
        // While the line bit is set, a slot is taken only under the lock, so `acquired` stands
        // still. Acquire: `released` is read after that.
        let acquired = Word(self.submit.acquired.fetch_or(LINE, Ordering::Acquire));
        let released = self.load_released();
        self.clear_line_bit(&line);
        (acquired.count() - released.count(), acquired.capacity())
    }

    /// Returns the taken slots and the capacity, read at different instants.
    pub fn rough_usage(&self) -> (usize, usize) {
        let released = Word(self.released.load(Ordering::Relaxed));
        let acquired = self.load();
        (
            acquired.count().saturating_sub(released.count()),
            acquired.capacity(),
        )
    }

    /// Returns whether `try_acquire` is worth a retry after it found no slot.
    pub fn seem_free(&self) -> bool {
        let (taken, capacity) = self.rough_usage();
        taken < capacity
    }

    pub fn waiting(&self) -> usize {
        if self.load().has_line() {
            self.line.lock().waiters.len()
        } else {
            0
        }
    }

    /// Returns the counter of slots that became tasks.
    pub fn accepted(&self) -> &Counter {
        &self.submit.accepted
    }

    pub fn is_closed(&self) -> bool {
        self.load().is_closed()
    }

    /// Returns whether the pool is closed and the last slot is released.
    pub fn is_drained(&self) -> bool {
        self.load_released().is_drained()
    }

    /// Takes a slot without reclaiming. False does not mean that the pool is full.
    #[inline]
    pub fn take_free(&self) -> bool {
        self.take_unless_line().is_ok()
    }

    #[inline]
    fn take_unless_line(&self) -> Result<(), NoSlot> {
        self.take(|acquired| !acquired.has_line())
    }

    /// Takes a slot if one is free and no submitter waits.
    pub fn try_acquire(&self) -> Result<(), NoSlot> {
        match self.take_unless_line() {
            Err(NoSlot::Full) => self.try_acquire_reclaiming(),
            settled => settled,
        }
    }

    /// Takes a slot if no submitter waits, reclaiming released slots first.
    #[cold]
    fn try_acquire_reclaiming(&self) -> Result<(), NoSlot> {
        let line = self.line.lock();
        if line.waiters.is_empty() {
            self.take_reclaiming(&line)
        } else {
            Err(NoSlot::Full)
        }
    }

    /// Takes a slot if one is free, the pool is open and `also` returns true.
    fn take(&self, also: impl Fn(Word) -> bool) -> Result<(), NoSlot> {
        let mut word = Word(self.submit.acquired.load(Ordering::Relaxed));
        loop {
            if word.is_closed() {
                return Err(NoSlot::Closed);
            }
            if !word.has_free() || !also(word) {
                return Err(NoSlot::Full);
            }
            // Acquire pairs with the Release in `reclaim`: a task begins after the end of the task
            // that had its slot. Release pairs with the Acquire in `usage`: a thread that counts
            // this slot also counts the releases that this thread has seen.
            let taken = self.submit.acquired.compare_exchange_weak(
                word.0,
                word.0 + ONE,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Ok(()),
                Err(now) => word = Word(now),
            }
        }
    }

    /// Takes a slot for the head of the queue, reclaiming released slots as needed.
    fn take_reclaiming(&self, line: &MutexGuard<'_, Line>) -> Result<(), NoSlot> {
        loop {
            match self.take(|_| true) {
                // Newcomers may take the reclaimed slots first, and may have released them again.
                Err(NoSlot::Full) if self.reclaim(line) => {}
                // All slots are taken and none is released: full. While the lock is held,
                // `acquired` only grows.
                settled => return settled,
            }
        }
    }

    /// Subtracts the released slots from both words and returns whether there were any. Must not
    /// run on a closed pool.
    fn reclaim(&self, _lock: &MutexGuard<'_, Line>) -> bool {
        // Acquire pairs with the Release in `release_quietly`, Release with the Acquire in `take`
        // and `load`.
        let released = Word(self.released.fetch_and(!COUNT_MASK, Ordering::Acquire));
        let count = released.0 & COUNT_MASK;
        if count > 0 {
            let acquired = Word(self.submit.acquired.fetch_sub(count, Ordering::Release));
            debug_assert!(
                acquired.count() >= released.count(),
                "a slot was released twice"
            );
        }
        count > 0
    }

    /// Releases a slot. Returns true, once, for the last slot of a closed pool.
    #[inline]
    #[must_use]
    pub fn release(&self) -> bool {
        let released = self.release_quietly();
        self.follow_up(released)
    }

    /// Releases a slot without waking a waiter. Runs no foreign code. The caller must then call
    /// `follow_up`.
    #[inline]
    pub fn release_quietly(&self) -> Released {
        // Release pairs with each Acquire on this word, such as in `reclaim`. Acquire lets the
        // release of the last slot see the end of every task.
        let before = self.released.fetch_add(ONE, Ordering::AcqRel);
        let released = Word(before + ONE);
        Released {
            has_line: released.has_line(),
            is_drained: released.is_drained(),
        }
    }

    /// Grants released slots to the line. Returns whether the pool is closed and drained.
    #[inline]
    #[must_use]
    pub fn follow_up(&self, released: Released) -> bool {
        if released.has_line {
            self.grant_to_line();
        }
        released.is_drained
    }

    /// Grants free slots to the waiters, first come, first served.
    ///
    /// A release that finds the line bit in `released` calls this afterwards. The first submitter
    /// in line reclaims after it has set the bit. Whichever is second sees the first, so no slot
    /// stays free while a submitter waits.
    #[cold]
    fn grant_to_line(&self) {
        loop {
            let waiter = {
                let mut line = self.line.lock();
                // A close empties the line, so this also stops on a closed pool.
                if line.waiters.is_empty() || self.take_reclaiming(&line).is_err() {
                    return;
                }
                let (_, waiter) = line.waiters.pop_first().expect("the line is not empty");
                self.clear_line_bit(&line);
                waiter.settle(Outcome::Granted);
                waiter
            };
            waiter.wake();
        }
    }

    /// Clears the line bit in both words if the line is empty.
    fn clear_line_bit(&self, line: &MutexGuard<'_, Line>) {
        if line.waiters.is_empty() {
            // Relaxed: where order matters, both words are read again under the lock.
            self.released.fetch_and(!LINE, Ordering::Relaxed);
            self.submit.acquired.fetch_and(!LINE, Ordering::Relaxed);
        }
    }

    /// Joins the end of the line, unless a slot is free or `max_waiting` submitters wait.
    pub fn join_line(&self, waiter: &Arc<Waiter>, max_waiting: usize) -> Result<Joined, NoSlot> {
        let mut line = self.line.lock();
        // Set the line bits before checking, or a release between is missed and the slot stays
        // free. Each bit and count share a word, so no fence is needed.
        self.submit.acquired.fetch_or(LINE, Ordering::Relaxed);
        self.released.fetch_or(LINE, Ordering::Relaxed);
        if line.waiters.is_empty() {
            match self.take_reclaiming(&line) {
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
        line.waiters.insert(ticket, Arc::clone(waiter));
        Ok(Joined::Waiting(ticket))
    }

    /// Leaves the line. Returns false if the wait was settled before: the caller then owns a
    /// granted slot and must use or release it.
    #[must_use]
    pub fn leave_line(&self, ticket: u64) -> bool {
        let mut line = self.line.lock();
        let removed = line.waiters.remove(&ticket).is_some();
        self.clear_line_bit(&line);
        removed
    }

    /// Changes the capacity. New slots go to the line at once. After shrinking, submits are refused
    /// until enough slots are released.
    pub fn tune(&self, capacity: usize) {
        let lock = self.line.lock();
        let mut word = Word(self.submit.acquired.load(Ordering::Relaxed));
        while let Err(now) = self.submit.acquired.compare_exchange_weak(
            word.0,
            word.with_limit(capacity).0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = Word(now);
        }
        drop(lock);
        self.grant_to_line();
    }

    /// Closes the slots and settles all waiters in line, which the caller must wake. Returns true
    /// if the first close found no slot taken; otherwise the last `release` returns true.
    #[must_use]
    pub fn close(&self) -> (bool, Vec<Arc<Waiter>>) {
        let mut line = self.line.lock();
        // From here on no slot is taken.
        let before = Word(self.submit.acquired.fetch_or(CLOSED, Ordering::AcqRel));
        if before.is_closed() {
            return (false, Vec::new());
        }
        // From here on each release sees the close and the drain count. Acquire: a close that finds
        // the pool drained sees the end of every task.
        let mark = Word(CLOSED).with_limit(self.load().count()).0;
        let released = self.released.fetch_or(mark, Ordering::AcqRel);
        let drained = Word(released | mark).is_drained();
        let refused: Vec<_> = std::mem::take(&mut line.waiters).into_values().collect();
        self.clear_line_bit(&line);
        for waiter in &refused {
            waiter.settle(Outcome::Closed);
        }
        (drained, refused)
    }

    /// Reopens the slots. Returns true if the pool was drained. Callers must serialize reopens.
    pub fn reopen(&self) -> bool {
        let _lock = self.line.lock();
        // Clear the mark here before submits are let in, or the release of a new slot could count
        // as the drain.
        let keep_mask = !(CLOSED | LIMIT_MASK);
        let released = Word(self.released.fetch_and(keep_mask, Ordering::AcqRel));
        // Release: a submitter that takes a slot sees what happened before the reopen.
        self.submit.acquired.fetch_and(!CLOSED, Ordering::Release);
        released.is_drained()
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests;
