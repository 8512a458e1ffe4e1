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
//!
//! A submitter may ask for several slots. It gets all of them in one step or none, so two
//! submitters never wait for slots that the other holds. At the head of the line it keeps all
//! others waiting until enough slots are free, so small requests do not starve it.

mod line;
mod word;

use crossbeam_utils::CachePadded;

use crate::figures::Counter;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::wait::{Outcome, Waiter};
pub use line::Joined;
use line::{Line, Request};
pub use word::UNLIMITED as MOST_SLOTS;
use word::{CLOSED, COUNT_MASK, LIMIT_MASK, LINE, ONE, Word};

/// Why no slot was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    Full,
    Closed,
    /// It asks for more slots than there are.
    TooMany,
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

    /// Takes slots without reclaiming. False does not mean that the pool is full.
    #[inline]
    pub fn take_free(&self, count: usize) -> bool {
        self.take_unless_line(count).is_ok()
    }

    #[inline]
    fn take_unless_line(&self, count: usize) -> Result<(), NoSlot> {
        self.take(count, |acquired| !acquired.has_line())
    }

    /// Takes slots if enough are free and no submitter waits.
    pub fn try_acquire(&self, count: usize) -> Result<(), NoSlot> {
        match self.take_unless_line(count) {
            Err(NoSlot::Full) => self.try_acquire_reclaiming(count),
            settled => settled,
        }
    }

    /// Takes slots if no submitter waits, reclaiming released slots first.
    #[cold]
    fn try_acquire_reclaiming(&self, count: usize) -> Result<(), NoSlot> {
        let line = self.line.lock();
        self.check_count(count)?;
        if line.waiters.is_empty() {
            self.take_reclaiming(&line, count)
        } else {
            Err(NoSlot::Full)
        }
    }

    /// Refuses more slots than there are. One slot is never too many, so a submitter waits while
    /// the capacity is 0.
    fn check_count(&self, count: usize) -> Result<(), NoSlot> {
        if count > 1 && count > self.capacity() {
            return Err(NoSlot::TooMany);
        }
        Ok(())
    }

    /// Takes slots if enough are free, the pool is open and `also` returns true.
    fn take(&self, count: usize, also: impl Fn(Word) -> bool) -> Result<(), NoSlot> {
        let mut word = Word(self.submit.acquired.load(Ordering::Relaxed));
        loop {
            if word.is_closed() {
                return Err(NoSlot::Closed);
            }
            if !word.has_free(count) || !also(word) {
                return Err(NoSlot::Full);
            }
            // Acquire pairs with the Release in `reclaim`: a task begins after the end of the task
            // that had its slot. Release pairs with the Acquire in `usage`: a thread that counts
            // this slot also counts the releases that this thread has seen.
            let taken = self.submit.acquired.compare_exchange_weak(
                word.0,
                word.0 + ONE * count as u64,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Ok(()),
                Err(now) => word = Word(now),
            }
        }
    }

    /// Takes slots for the head of the line, reclaiming released slots as needed.
    fn take_reclaiming(&self, line: &MutexGuard<'_, Line>, count: usize) -> Result<(), NoSlot> {
        loop {
            match self.take(count, |_| true) {
                // Newcomers may take the reclaimed slots first, and may have released them again.
                Err(NoSlot::Full) if self.reclaim(line) => {}
                // Too few slots are free and none is released: full. While the lock is held,
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
        if count != 0 {
            let acquired = Word(self.submit.acquired.fetch_sub(count, Ordering::Release));
            debug_assert!(
                acquired.count() >= released.count(),
                "a slot was released twice"
            );
        }
        count != 0
    }

    /// Releases slots. Returns true, once, for the last slot of a closed pool.
    #[inline]
    #[must_use]
    pub fn release(&self, count: usize) -> bool {
        let released = self.release_quietly(count);
        self.follow_up(released)
    }

    /// Releases slots without waking a waiter. Runs no foreign code. The caller must then call
    /// `follow_up`.
    #[inline]
    pub fn release_quietly(&self, count: usize) -> Released {
        let count = ONE * count as u64;
        // Release pairs with each Acquire on this word, such as in `reclaim`. Acquire lets the
        // release of the last slot see the end of every task.
        let before = self.released.fetch_add(count, Ordering::AcqRel);
        let released = Word(before + count);
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

    /// Changes the capacity. New slots go to the line at once. After shrinking, submits are refused
    /// until enough slots are released.
    pub fn tune(&self, capacity: usize) {
        let mut line = self.line.lock();
        let mut word = Word(self.submit.acquired.load(Ordering::Relaxed));
        while let Err(now) = self.submit.acquired.compare_exchange_weak(
            word.0,
            word.with_limit(capacity).0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = Word(now);
        }
        // A request for more slots than there are would block the line.
        let too_many = |request: &Request| self.check_count(request.count).is_err();
        let refused = self.refuse(&mut line, too_many, Outcome::TooMany);
        drop(line);
        self.grant_to_line();
        for waiter in refused {
            waiter.wake();
        }
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
        (drained, self.refuse(&mut line, |_| true, Outcome::Closed))
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
