//! Slots: how many tasks may be in the pool, and the line of those that wait to get in.
//!
//! Two words, so that those who come and those who leave do not meet at one. `entered` is the submitters': how many
//! slots are taken, how many there are, whether somebody waits and whether it is closed, so that each of these is decided
//! by one atomic step, and a submit is either before a close or after it. `left` is the workers': how many of the taken
//! slots have come back since somebody last collected them.
//!
//! Only when `entered` says that all are taken, what has left is collected: taken off both words. Until then a slot that
//! has come back counts as taken at the entrance, never the other way round, so `in flight <= capacity` holds at every
//! instant. Whatever else there is to do, with the line, a close, another capacity, is done under one lock, collecting
//! included.
//!
//! A close notes in `left` how many it comes to when all are back, and nothing is collected until a reopen. So the one that
//! gives back the last slot knows it by the same step.
//!
//! A slot that comes free while somebody waits goes to the first in line. A newcomer cannot take it: as long as
//! `entered` says that there is a line, newcomers go to its end. `left` says so, too, and whoever leaves then serves the
//! line. The line is an ordered map of tickets, so that giving up from the middle costs no walk.

mod word;

use std::collections::BTreeMap;

use crossbeam_utils::CachePadded;

use crate::stats::Counter;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::waiter::{Outcome, Waiter};
use word::{CLOSED, COUNT_MASK, LIMIT_MASK, LINE, ONE, Word};

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    Full,
    Closed,
}

/// A place in line, or what came instead.
#[derive(Debug)]
pub(crate) enum Joined {
    /// A slot was free after all; it is the caller's.
    Granted,
    /// In line under this ticket.
    Waiting(u64),
}

/// What the release of a slot leaves to be done.
#[derive(Clone, Copy)]
#[must_use]
pub(crate) struct Released {
    has_line: bool,
    is_drained: bool,
}

#[derive(Debug)]
pub(crate) struct Slots {
    front: CachePadded<Front>,
    left: CachePadded<AtomicU64>,
    line: Mutex<Line>,
}

/// What a submitter changes; on one cache line, since it changes both.
#[derive(Debug)]
struct Front {
    entered: AtomicU64,
    accepted: Counter,
}

#[derive(Debug, Default)]
struct Line {
    waiters: BTreeMap<u64, Arc<Waiter>>,
    next_ticket: u64,
}

impl Slots {
    pub(crate) fn new(capacity: usize) -> Self {
        let entered = AtomicU64::new(Word(0).with_limit(capacity).0);
        Self {
            front: CachePadded::new(Front {
                entered,
                accepted: Counter::default(),
            }),
            left: CachePadded::new(AtomicU64::new(0)),
            line: Mutex::new(Line::default()),
        }
    }

    fn load(&self) -> Word {
        // Acquire: who finds a slot to be free again sees what was done in it.
        Word(self.front.entered.load(Ordering::Acquire))
    }

    fn load_left(&self) -> Word {
        // Acquire: who finds a slot to have come back sees what was done in it.
        Word(self.left.load(Ordering::Acquire))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.load().capacity()
    }

    /// How many slots are taken, and how many there are, of one instant.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let line = self.line.lock();
        // As long as there seems to be a line nobody enters without the lock, so `entered` stays as it is. Acquire: `left` is
        // looked at after that.
        let entered = Word(self.front.entered.fetch_or(LINE, Ordering::Acquire));
        let left = self.load_left();
        self.unmark_if_empty(&line);
        (entered.count() - left.count(), entered.capacity())
    }

    /// As `usage`, but for a look in passing: the two are of different instants.
    pub(crate) fn rough_usage(&self) -> (usize, usize) {
        let left = Word(self.left.load(Ordering::Relaxed));
        let entered = self.load();
        (
            entered.count().saturating_sub(left.count()),
            entered.capacity(),
        )
    }

    /// Whether a look at the slots is worth while for one that found none free.
    pub(crate) fn seem_free(&self) -> bool {
        let (taken, capacity) = self.rough_usage();
        taken < capacity
    }

    pub(crate) fn waiting(&self) -> usize {
        if self.load().has_line() {
            self.line.lock().waiters.len()
        } else {
            0
        }
    }

    /// Counts slots that became a task's.
    pub(crate) fn accepted(&self) -> &Counter {
        &self.front.accepted
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.load().is_closed()
    }

    /// Whether it is closed and the last slot has come back.
    pub(crate) fn is_drained(&self) -> bool {
        self.load_left().is_drained()
    }

    /// As `try_acquire`, but without a look at what has left: false does not mean that there is no slot.
    #[inline]
    pub(crate) fn take_free(&self) -> bool {
        self.take_uncollected().is_ok()
    }

    #[inline]
    fn take_uncollected(&self) -> Result<(), NoSlot> {
        self.take(|entered| !entered.has_line())
    }

    /// Takes a slot if one is free and nobody waits for it.
    pub(crate) fn try_acquire(&self) -> Result<(), NoSlot> {
        match self.take_uncollected() {
            Err(NoSlot::Full) => self.try_collected(),
            settled => settled,
        }
    }

    /// As `try_acquire`, with a look at what has left.
    #[cold]
    fn try_collected(&self) -> Result<(), NoSlot> {
        let line = self.line.lock();
        if line.waiters.is_empty() {
            self.take_collected(&line)
        } else {
            Err(NoSlot::Full)
        }
    }

    /// Takes a slot if one is free, the pool is open and `also` agrees.
    fn take(&self, also: impl Fn(Word) -> bool) -> Result<(), NoSlot> {
        let mut word = Word(self.front.entered.load(Ordering::Relaxed));
        loop {
            if word.is_closed() {
                return Err(NoSlot::Closed);
            }
            if !word.has_free() || !also(word) {
                return Err(NoSlot::Full);
            }
            // Acquire pairs with the Release in `collect`: a task begins after the one ended whose slot it has. Release pairs
            // with the Acquire in `usage`: who counts this slot counts what this thread has seen come back.
            let taken = self.front.entered.compare_exchange_weak(
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

    /// As `take`, for whoever has a right to go first, and after a look at what has left.
    fn take_collected(&self, line: &MutexGuard<'_, Line>) -> Result<(), NoSlot> {
        loop {
            match self.take(|_| true) {
                // Newcomers may have been faster, with what was collected here, and may have left again.
                Err(NoSlot::Full) if self.collect(line) => {}
                // If all are taken and none has left, it is full: as long as nobody collects, `entered` only grows.
                settled => return settled,
            }
        }
    }

    /// Takes what has left off both words; true if that was something. Not when it is closed.
    fn collect(&self, _one_at_a_time: &MutexGuard<'_, Line>) -> bool {
        // Acquire pairs with the Release in `release`, Release with the Acquire in `take` and `load`.
        let left = Word(self.left.fetch_and(!COUNT_MASK, Ordering::Acquire));
        let count = left.0 & COUNT_MASK;
        if count > 0 {
            let entered = Word(self.front.entered.fetch_sub(count, Ordering::Release));
            debug_assert!(
                entered.count() >= left.count(),
                "a slot came back that nobody had"
            );
        }
        count > 0
    }

    /// Gives a slot back. True when it was the last one of a closed pool, which happens once.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        let released = self.release_quietly();
        self.follow_up(released)
    }

    /// Releases a slot without waking a waiter. Calls no foreign code. `follow_up` must come next.
    #[inline]
    pub(crate) fn release_quietly(&self) -> Released {
        // Release pairs with the Acquire in `collect`, and wherever else this word is read; Acquire lets the one that ends the
        // last task see all others' ends.
        let before = self.left.fetch_add(ONE, Ordering::AcqRel);
        let left = Word(before + ONE);
        Released {
            has_line: left.has_line(),
            is_drained: left.is_drained(),
        }
    }

    /// Grants released slots to the line. Returns whether the slots are closed and drained.
    #[inline]
    #[must_use]
    pub(crate) fn follow_up(&self, released: Released) -> bool {
        if released.has_line {
            self.serve_line();
        }
        released.is_drained
    }

    /// Gives free slots to those who wait, first come first served.
    ///
    /// Each release that finds the line's bit in `left` comes here after it, and the first that joins collects what has left
    /// after it has set the bit. So whichever is second sees the other: no slot stays free while somebody waits.
    #[cold]
    fn serve_line(&self) {
        loop {
            let waiter = {
                let mut line = self.line.lock();
                // Also when it was closed meanwhile: nobody waits then.
                if line.waiters.is_empty() || self.take_collected(&line).is_err() {
                    return;
                }
                let (_, waiter) = line.waiters.pop_first().expect("the line is not empty");
                self.unmark_if_empty(&line);
                waiter.settle(Outcome::Granted);
                waiter
            };
            waiter.wake();
        }
    }

    /// Takes back the mark that there is a line.
    fn unmark_if_empty(&self, line: &MutexGuard<'_, Line>) {
        if line.waiters.is_empty() {
            // Relaxed: both are read again under the lock where it matters.
            self.left.fetch_and(!LINE, Ordering::Relaxed);
            self.front.entered.fetch_and(!LINE, Ordering::Relaxed);
        }
    }

    /// Goes to the end of the line, if no slot is free and fewer than `max_waiting` are in it.
    pub(crate) fn join_line(
        &self,
        waiter: &Arc<Waiter>,
        max_waiting: usize,
    ) -> Result<Joined, NoSlot> {
        let mut line = self.line.lock();
        // The marks first, the look second: a slot that comes back in between is seen here, one that comes later
        // sees the mark. Both are steps on one word, so no fence is needed.
        self.front.entered.fetch_or(LINE, Ordering::Relaxed);
        self.left.fetch_or(LINE, Ordering::Relaxed);
        if line.waiters.is_empty() {
            match self.take_collected(&line) {
                Err(NoSlot::Full) => {}
                settled => {
                    self.unmark_if_empty(&line);
                    return settled.map(|()| Joined::Granted);
                }
            }
        }
        if line.waiters.len() >= max_waiting {
            self.unmark_if_empty(&line);
            return Err(NoSlot::Full);
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiters.insert(ticket, Arc::clone(waiter));
        Ok(Joined::Waiting(ticket))
    }

    /// Leaves the line. False when the wait was settled before: a granted slot is then the caller's, to use or to
    /// release.
    #[must_use]
    pub(crate) fn leave_line(&self, ticket: u64) -> bool {
        let mut line = self.line.lock();
        let left = line.waiters.remove(&ticket).is_some();
        self.unmark_if_empty(&line);
        left
    }

    /// Changes the capacity. More slots go to those who wait at once; with fewer, nothing is let in until enough have
    /// come back.
    pub(crate) fn tune(&self, capacity: usize) {
        let one_at_a_time = self.line.lock();
        let mut word = Word(self.front.entered.load(Ordering::Relaxed));
        while let Err(now) = self.front.entered.compare_exchange_weak(
            word.0,
            word.with_limit(capacity).0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = Word(now);
        }
        drop(one_at_a_time);
        self.serve_line();
    }

    /// Closes: nobody gets in any more. Everybody in line has been settled and is to be woken by the caller. True when
    /// no slot was taken at the first close, as the last `release` of a closed pool otherwise says.
    #[must_use]
    pub(crate) fn close(&self) -> (bool, Vec<Arc<Waiter>>) {
        let mut line = self.line.lock();
        // From here on nobody enters.
        let before = Word(self.front.entered.fetch_or(CLOSED, Ordering::AcqRel));
        if before.is_closed() {
            return (false, Vec::new());
        }
        // From here on each that leaves sees the mark, and how many there are. Acquire: a close that finds all gone sees
        // their ends.
        let mark = Word(CLOSED).with_limit(self.load().count()).0;
        let left = self.left.fetch_or(mark, Ordering::AcqRel);
        let drained = Word(left | mark).is_drained();
        let sent_away: Vec<_> = std::mem::take(&mut line.waiters).into_values().collect();
        self.unmark_if_empty(&line);
        for waiter in &sent_away {
            waiter.settle(Outcome::Closed);
        }
        (drained, sent_away)
    }

    /// Lets tasks in again. True when no slot was taken: the end had been told. Two that reopen must not meet.
    pub(crate) fn reopen(&self) -> bool {
        let _one_at_a_time = self.line.lock();
        // Before anybody enters: each that left since the close saw it, and the last of them that it was last.
        let unmark = !(CLOSED | LIMIT_MASK);
        let left = Word(self.left.fetch_and(unmark, Ordering::AcqRel));
        // Release: who gets in sees what the one that reopened did before.
        self.front.entered.fetch_and(!CLOSED, Ordering::Release);
        left.is_drained()
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests;
