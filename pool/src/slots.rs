//! Slots: how many tasks may be in the pool, and the line of those that wait to get in.
//!
//! One word holds how many slots are taken, how many there are, whether somebody waits and whether it is closed. So
//! each of these is decided by one atomic step: `in flight <= capacity` holds at every instant, and a submit is
//! either before a close or after it.
//!
//! A slot that comes free while somebody waits goes to the first in line. A newcomer cannot take it: as long as the
//! word says that there is a line, newcomers go to its end. The line is an ordered map of tickets, so that giving up
//! from the middle costs no walk.

use std::collections::BTreeMap;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use crate::waiter::{Outcome, Waiter};

/// The largest capacity. It stands for "unlimited": nobody has memory for as many tasks.
pub(crate) const UNLIMITED: usize = (1 << 31) - 1;

/// The word.
///
/// | bits | |
/// |---|---|
/// | 0 | closed |
/// | 1 | somebody is in line |
/// | 2 to 32 | slots taken, by tasks and by those that hold one in reserve |
/// | 33 to 63 | capacity |
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u64);

const CLOSED: u64 = 1;
const LINE: u64 = 1 << 1;
const TAKEN_ONE: u64 = 1 << 2;
const TAKEN_MASK: u64 = (UNLIMITED as u64) << 2;
const CAPACITY_SHIFT: u32 = 33;

impl Word {
    fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    fn has_line(self) -> bool {
        self.0 & LINE != 0
    }

    fn taken(self) -> usize {
        ((self.0 & TAKEN_MASK) >> 2) as usize
    }

    /// `usize::MAX` when unlimited, as it was asked for.
    fn capacity(self) -> usize {
        match (self.0 >> CAPACITY_SHIFT) as usize {
            UNLIMITED => usize::MAX,
            limited => limited,
        }
    }

    fn has_free(self) -> bool {
        self.taken() < (self.0 >> CAPACITY_SHIFT) as usize
    }

    fn with_capacity(self, capacity: usize) -> Self {
        let rest = self.0 & ((1 << CAPACITY_SHIFT) - 1);
        Self(rest | (capacity.min(UNLIMITED) as u64) << CAPACITY_SHIFT)
    }
}

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

#[derive(Debug)]
pub(crate) struct Slots {
    word: CachePadded<AtomicU64>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    waiters: BTreeMap<u64, Arc<Waiter>>,
    next_ticket: u64,
}

impl Slots {
    pub(crate) fn new(capacity: usize) -> Self {
        let word = Word(0).with_capacity(capacity);
        Self {
            word: CachePadded::new(AtomicU64::new(word.0)),
            line: Mutex::new(Line::default()),
        }
    }

    fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.load().capacity()
    }

    /// How many slots are taken, and how many there are, of one instant.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let word = self.load();
        (word.taken(), word.capacity())
    }

    pub(crate) fn waiting(&self) -> usize {
        if self.load().has_line() {
            self.line.lock().waiters.len()
        } else {
            0
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.load().is_closed()
    }

    /// Whether it is closed and the last slot has come back.
    pub(crate) fn is_drained(&self) -> bool {
        let word = self.load();
        word.is_closed() && word.taken() == 0
    }

    /// Takes a slot if one is free and nobody waits for it.
    pub(crate) fn try_acquire(&self) -> Result<(), NoSlot> {
        self.take(|word| !word.has_line())
    }

    /// Takes a slot if one is free, the pool is open and `also` agrees.
    fn take(&self, also: impl Fn(Word) -> bool) -> Result<(), NoSlot> {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            if word.is_closed() {
                return Err(NoSlot::Closed);
            }
            if !word.has_free() || !also(word) {
                return Err(NoSlot::Full);
            }
            // Acquire pairs with the Release in `release`: a task begins after the one ended whose slot it has.
            let taken = self.word.compare_exchange_weak(
                word.0,
                word.0 + TAKEN_ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Ok(()),
                Err(now) => word = Word(now),
            }
        }
    }

    /// Gives a slot back. True when it was the last one of a closed pool, which happens once.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // Release pairs with the Acquire in `take`; Acquire lets the one that ends the last task see all others' ends.
        let word = Word(self.word.fetch_sub(TAKEN_ONE, Ordering::AcqRel));
        debug_assert!(word.taken() > 0, "a slot came back that nobody had");
        if word.has_line() {
            self.serve_line();
        }
        word.is_closed() && word.taken() == 1
    }

    /// Gives free slots to those who wait, first come first served.
    ///
    /// Each release that finds the line's bit comes here after its slot is free, and each joiner looks at the word
    /// after it has set the bit, both under the lock. So whichever is second sees the other: no slot stays free
    /// while somebody waits.
    fn serve_line(&self) {
        loop {
            let waiter = {
                let mut line = self.line.lock();
                if line.waiters.is_empty() || self.take(|_| true).is_err() {
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

    /// Takes back the mark that there is a line. Call it under the lock.
    fn unmark_if_empty(&self, line: &Line) {
        if line.waiters.is_empty() {
            self.word.fetch_and(!LINE, Ordering::Relaxed);
        }
    }

    /// Goes to the end of the line, if no slot is free and fewer than `max_waiting` are in it.
    pub(crate) fn join_line(
        &self,
        waiter: &Arc<Waiter>,
        max_waiting: usize,
    ) -> Result<Joined, NoSlot> {
        let mut line = self.line.lock();
        // The mark first, the look second: a slot that comes free in between is seen here, one that comes later
        // sees the mark. Both are steps on one word, so no fence is needed.
        self.word.fetch_or(LINE, Ordering::Relaxed);
        if line.waiters.is_empty() {
            match self.take(|_| true) {
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
        let mut word = Word(self.word.load(Ordering::Relaxed));
        while let Err(now) = self.word.compare_exchange_weak(
            word.0,
            word.with_capacity(capacity).0,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = Word(now);
        }
        self.serve_line();
    }

    /// Closes: nobody gets in any more. Everybody in line has been settled and is to be woken by the caller. True when
    /// no slot was taken at the first close, as the last `release` of a closed pool otherwise says.
    #[must_use]
    pub(crate) fn close(&self) -> (bool, Vec<Arc<Waiter>>) {
        let mut line = self.line.lock();
        let word = Word(self.word.fetch_or(CLOSED, Ordering::AcqRel));
        let sent_away: Vec<_> = std::mem::take(&mut line.waiters).into_values().collect();
        self.unmark_if_empty(&line);
        for waiter in &sent_away {
            waiter.settle(Outcome::Closed);
        }
        (!word.is_closed() && word.taken() == 0, sent_away)
    }

    /// Lets tasks in again. True when no slot was taken: the end had been told. Two that reopen must not meet.
    pub(crate) fn reopen(&self) -> bool {
        // Release: who gets in sees what the one that reopened did before.
        let word = Word(self.word.fetch_and(!CLOSED, Ordering::AcqRel));
        word.taken() == 0
    }
}

#[cfg(all(test, not(anthill_loom)))]
mod tests;
