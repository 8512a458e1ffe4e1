//! A room whose messages are numbered elsewhere: how far this server knows it, and how it catches up.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::mem;
use std::time::Duration;

use super::state::{Newcomer, Source, State};
use crate::bus::{Away, Page};
use crate::clock;
use crate::payload::Message;
use crate::subprotocol::Subprotocol;
use crate::wire;

/// What a room knows of what the bus has.
#[derive(Default)]
pub(super) struct Replica {
    /// Which life of the room the log is of; none before it was read for the first time.
    life: Option<u64>,
    /// The largest number that was announced.
    announced: u64,
    reading: Reading,
    /// Nothing is heard.
    cut_off: bool,
    /// Messages were numbered here.
    alone: bool,
    /// Those who come before it is known where the room stands.
    pub(super) waiting: Vec<Newcomer>,
}

/// Whether somebody reads what was missed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Nobody,
    Somebody,
    /// Something was missed since.
    AndAgain,
}

/// How far a room has caught up.
pub(super) enum Filled {
    Whole,
    /// There is more to read.
    InPart,
    /// There is more to take, when the members have read what they have.
    TooFast,
}

impl Replica {
    /// Whether a page goes on where this server stood when it asked.
    fn continues(&self, page: &Page, newest: u64) -> bool {
        // Before its first message a room has no life.
        let same = self.life == Some(page.life) || self.life == Some(0);
        let joins_on = |first: &Message| first.seq <= newest + 1;
        same && match page.newest.cmp(&newest) {
            Ordering::Less => false,
            Ordering::Equal => true,
            Ordering::Greater => page.messages.first().is_some_and(joins_on),
        }
    }

    fn is_known(&self) -> bool {
        self.life.is_some() || self.alone
    }
}

impl State {
    /// Whether somebody may become a member now: then it is given back. Else it waits, or is refused.
    pub(super) fn ready_for(&mut self, newcomer: Newcomer) -> Option<Newcomer> {
        let Some(replica) = &mut self.replica else {
            return Some(newcomer);
        };
        if replica.is_known() {
            return Some(newcomer);
        }
        replica.waiting.push(newcomer);
        if replica.cut_off {
            self.without_bus();
        }
        None
    }

    /// Nothing is heard from now on.
    pub(super) fn lose_bus(&mut self) {
        if let Some(replica) = &mut self.replica {
            replica.cut_off = true;
            if !replica.is_known() {
                self.without_bus();
            }
        }
    }

    /// Those who wait learn that there is nothing to wait for, or begin alone.
    fn without_bus(&mut self) {
        let alone = self.goes_on_alone();
        let Some(replica) = &mut self.replica else {
            return;
        };
        replica.alone = alone;
        let waiting = mem::take(&mut replica.waiting);
        for newcomer in waiting.into_iter().filter(|_| alone) {
            self.join(newcomer);
        }
    }

    /// Whether messages are numbered here for now. From then on they are not those of the bus.
    pub(super) fn is_alone(&mut self) -> bool {
        let may = self.goes_on_alone();
        let Some(replica) = &mut self.replica else {
            return true;
        };
        if may && replica.cut_off {
            replica.alone = true;
        }
        replica.alone
    }

    /// Numbers and delivers a message, if that is done here.
    pub(super) fn publish_here(&mut self, source: Source, message: Message) {
        if self.is_alone() {
            return self.publish(&source, message);
        }
        self.refuse(source, Away.into());
    }

    /// A message was announced; says whether some before it are missing.
    pub(super) fn hear(&mut self, message: Message) -> bool {
        let newest = self.log.newest();
        let Some(replica) = &mut self.replica else {
            return false;
        };
        replica.announced = replica.announced.max(message.seq);
        // What is being read may be older than this.
        let missed_by_reader = replica.reading != Reading::Nobody;
        if replica.life.is_none() || replica.alone {
            if missed_by_reader {
                replica.reading = Reading::AndAgain;
            }
            return false;
        }
        match message.seq.cmp(&(newest + 1)) {
            Ordering::Less => false,
            Ordering::Equal => {
                self.next(message);
                false
            }
            Ordering::Greater => {
                if missed_by_reader {
                    replica.reading = Reading::AndAgain;
                }
                !missed_by_reader
            }
        }
    }

    /// Begins to catch up, unless somebody does already.
    pub(super) fn begin_reading(&mut self) -> bool {
        let Some(replica) = &mut self.replica else {
            return false;
        };
        let first = replica.reading == Reading::Nobody;
        replica.reading = if first {
            Reading::Somebody
        } else {
            Reading::AndAgain
        };
        first
    }

    /// The number after which there is something to read; none for the newest.
    pub(super) fn read_after(&self) -> Option<u64> {
        let replica = self.replica.as_ref()?;
        let known = replica.life.is_some() && !replica.alone;
        known.then(|| self.log.newest())
    }

    /// Somebody has read all there is; says whether somebody else wanted more meanwhile.
    pub(super) fn end_reading(&mut self) -> bool {
        let Some(replica) = &mut self.replica else {
            return false;
        };
        let again = replica.reading == Reading::AndAgain;
        replica.reading = if again {
            Reading::Somebody
        } else {
            Reading::Nobody
        };
        again
    }

    /// Somebody could not read all there is.
    pub(super) fn give_up_reading(&mut self) {
        if let Some(replica) = &mut self.replica {
            replica.reading = Reading::Nobody;
        }
    }

    /// Takes what was read after the newest message, or lately. Members get it no faster than they read, if there is
    /// time for that.
    pub(super) fn fill(&mut self, page: Page, after: Option<u64>, hurry: bool) -> Filled {
        let before = self.log.newest();
        let Some(replica) = &mut self.replica else {
            return Filled::Whole;
        };
        replica.cut_off = false;
        let newest = page.newest;
        let Some(after) = after else {
            replica.life = Some(page.life);
            replica.alone = false;
            self.start_from(&page);
            return self.filled(before, newest);
        };
        if replica.continues(&page, after) {
            replica.life = Some(page.life);
            for message in page.messages {
                if !hurry && self.is_a_member_behind() {
                    return Filled::TooFast;
                }
                if message.seq == self.log.newest() + 1 {
                    self.next(message);
                }
            }
        } else {
            // Of another life, or what follows was forgotten: the newest it is, then.
            replica.life = None;
            return Filled::InPart;
        }
        self.filled(before, newest)
    }

    /// How far it came, from one number, by a page that knows of another.
    fn filled(&mut self, before: u64, newest: u64) -> Filled {
        let now = self.log.newest();
        let Some(replica) = &mut self.replica else {
            return Filled::Whole;
        };
        if now == before && now >= newest {
            // What was announced beyond is not there.
            replica.announced = now;
        }
        if now < newest.max(replica.announced) {
            Filled::InPart
        } else {
            Filled::Whole
        }
    }

    /// The room as it is read for the first time, or anew.
    fn start_from(&mut self, page: &Page) {
        let messages = page.messages.iter().map(|message| {
            let age = clock::now_ms().saturating_sub(message.ts);
            let frame = wire::message(message, Subprotocol::Json);
            (Duration::from_millis(age), frame)
        });
        self.log.begin_at(page.newest, messages);
        self.begin_anew();
        let waiting = self
            .replica
            .as_mut()
            .map(|replica| mem::take(&mut replica.waiting));
        for newcomer in waiting.into_iter().flatten() {
            self.join(newcomer);
        }
    }
}
