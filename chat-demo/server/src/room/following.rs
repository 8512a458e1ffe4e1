//! A room whose messages are numbered by the bus.

#[cfg(test)]
mod lives_tests;
#[cfg(test)]
mod pace_tests;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use chat_demo_client::payload::Message;

use super::replica::{Asked, Filled, Reading, Relation};
use super::source::{Joining, Source};
use super::state::State;
use crate::bus::{Announced, BusUnavailable, Mark, Page};
use crate::epoch::{Epoch, Position};
use crate::history;

impl State {
    /// Returns the client if it can join now. Otherwise, the client waits or is refused.
    pub(super) fn ready_for(&mut self, joining: Joining) -> Option<Joining> {
        let replica = &mut self.replica;
        if replica.is_known() {
            return Some(joining);
        }
        replica.waiting.push(joining);
        if replica.cut_off {
            self.without_bus();
        }
        None
    }

    pub(super) fn lose_bus(&mut self) {
        self.replica.cut_off = true;
        if !self.replica.is_known() {
            self.without_bus();
        }
    }

    /// Resolves waiting joins: refuses them, or lets the room begin locally.
    fn without_bus(&mut self) {
        let alone = self.goes_on_alone();
        self.replica.alone = alone;
        let waiting = mem::take(&mut self.replica.waiting);
        for joining in waiting.into_iter().filter(|_| alone) {
            self.join(joining);
        }
    }

    /// Whether messages are numbered here for now. From then on they are not those of the bus, and
    /// have an epoch of their own.
    pub(super) fn is_alone(&mut self) -> bool {
        let may = self.goes_on_alone();
        let replica = &mut self.replica;
        if may && replica.cut_off && !replica.alone {
            replica.alone = true;
            self.log.fork();
            self.begin_anew(None);
            return true;
        }
        replica.alone
    }

    /// Numbers and delivers a message, if that is done here.
    pub(super) fn publish_here(&mut self, source: Source, key: Option<Arc<str>>, message: Message) {
        if self.is_alone() {
            return self.publish(&source, key, message);
        }
        source.refuse(BusUnavailable.into(), &self.common.tally);
    }

    /// Takes a message that was announced. Says whether to read what was missed.
    pub(super) fn on_announced(&mut self, announced: Announced) -> bool {
        let newest = self.log.newest().seq;
        let seq = announced.message.seq;
        // It is read again when they have caught up.
        let is_held_up = self.flow.is_behind();
        let replica = &mut self.replica;
        if replica.epoch != Some(announced.epoch) || replica.alone {
            return replica.miss();
        }
        // Announcements of an epoch come in order, unless the bus went back.
        let went_back = seq <= replica.last_seen;
        replica.last_seen = seq;
        replica.announced = replica.announced.max(seq);
        if went_back {
            return replica.miss();
        }
        if seq <= newest {
            return false;
        }
        // The mark shows whether this server has the previous message.
        if is_held_up || seq > newest + 1 || (newest > 0 && announced.before != replica.tip) {
            return replica.miss();
        }
        self.follow(announced.message);
        false
    }

    /// Compares where the room stands in the bus. Says whether to read what was missed.
    pub(super) fn compare(&mut self, stand: Position) -> bool {
        let newest = self.log.newest().seq;
        let is_current = self.replica.epoch == Some(stand.epoch) && stand.seq <= newest;
        !is_current && self.replica.miss()
    }

    /// Delivers the message that follows the newest.
    fn follow(&mut self, message: Message) {
        self.replica.tip = Some(Mark::of(&message));
        self.next(message);
    }

    /// Begins to catch up, unless the room is reading already.
    pub(super) fn begin_reading(&mut self) -> bool {
        let reading = &mut self.replica.reading;
        let first = *reading == Reading::Idle;
        *reading = if first {
            Reading::Active
        } else {
            Reading::AndAgain
        };
        first
    }

    /// The message after which there is something to read; none for the newest.
    pub(super) fn read_after(&self) -> Option<Asked> {
        let replica = &self.replica;
        let known = replica.epoch.is_some() && !replica.alone;
        let (seq, mark) = (self.log.newest().seq, replica.tip);
        known.then_some(Asked { seq, mark })
    }

    /// Ends a complete read. Returns whether more was requested meanwhile.
    pub(super) fn end_reading(&mut self) -> bool {
        let reading = &mut self.replica.reading;
        let again = *reading == Reading::AndAgain;
        *reading = if again {
            Reading::Active
        } else {
            Reading::Idle
        };
        again
    }

    /// Handles a read that failed part of the way.
    pub(super) fn give_up_reading(&mut self) {
        self.replica.reading = Reading::Idle;
    }

    /// Takes what was read after the newest message, or lately. Members get it no faster than they
    /// read, as long as their patience lasts. `members` is how many there are on all servers, if
    /// that is known.
    pub(super) fn fill(
        &mut self,
        page: Page,
        asked: Option<Asked>,
        members: Option<u32>,
    ) -> Filled {
        let before = self.log.newest().seq;
        let replica = &mut self.replica;
        replica.cut_off = false;
        let newest = page.newest;
        let Some(asked) = asked else {
            self.start_from(&page, members);
            return self.filled(before, newest);
        };
        match replica.relation(&page, asked) {
            Relation::Follows => {}
            Relation::Apart => {
                // The newest it is, then.
                replica.epoch = None;
                return Filled::InPart;
            }
            Relation::WentBack => {
                return replica.epoch.map_or(Filled::InPart, Filled::WentBack);
            }
        }
        for message in page.messages {
            if self.slow_member().is_some() {
                return Filled::TooFast;
            }
            if message.seq == self.log.newest().seq + 1 {
                self.follow(message);
            }
        }
        self.filled(before, newest)
    }

    /// How far it came, from one number, by a page that knows of another.
    fn filled(&mut self, before: u64, newest: u64) -> Filled {
        let now = self.log.newest().seq;
        let replica = &mut self.replica;
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

    /// Starts the room from its first page, or starts it again.
    fn start_from(&mut self, page: &Page, members: Option<u32>) {
        let limit = self.common.outbox.longest_text();
        let messages = page.messages.iter();
        let messages = messages.map(|message| history::restored(message, limit));
        // A room without messages may be one for which the bus cannot begin an epoch: then it gets
        // one here, for a while.
        let epoch = page.epoch.unwrap_or_else(Epoch::new);
        let seq = page.newest;
        self.log.begin_at(Position { epoch, seq }, messages);
        let replica = &mut self.replica;
        replica.epoch = Some(epoch);
        replica.tip = page.tip;
        replica.alone = false;
        (replica.announced, replica.last_seen) = (0, 0);
        let waiting = mem::take(&mut replica.waiting);
        self.begin_anew(members);
        for joining in waiting {
            self.join(joining);
        }
    }
}
