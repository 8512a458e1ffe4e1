//! Searches in a room's history: closures of low priority, cancelled when no client waits for them.

use std::sync::{Arc, Weak};
use std::time::Instant;

use anthill::JoinHandle;
use chat_demo_client::frame::MAX_PAYLOAD;
use chat_demo_client::payload::{ErrorCode, Message, Payload, Search};
use chat_demo_client::wire;

use super::Room;
use super::common::Common;
use crate::connection::Connection;
use crate::epoch::Position;
use crate::error::Refusal;
use crate::history::{self, Log};
use crate::tally::Tally;

/// Messages that a search reads before it checks whether its answer is still wanted.
const CHUNK: usize = 64;

/// A search of a connection. Dropping it cancels the search, whether that has begun or not.
pub(crate) struct Searching {
    /// Dropped before the task, or the client gets an error for a search that it cancelled.
    _wanted: Arc<()>,
    _task: JoinHandle<()>,
}

pub(crate) enum Searched {
    Log(Arc<Log>),
    /// As read from the bus, the oldest first.
    Messages(Vec<Message>),
}

impl Room {
    /// Searches the history that this server has of the room, and sends what it finds. A search
    /// that is not begun by `deadline` is not begun at all.
    pub(crate) fn search(
        &self,
        to: Arc<Connection>,
        search: Search,
        deadline: Instant,
    ) -> Result<Searching, Refusal> {
        let searched = Searched::Log(self.log.clone());
        self.common.search(searched, to, search, deadline)
    }
}

impl Common {
    /// Returns the history of a room that has no current log here. Makes no room and keeps nothing.
    pub(crate) async fn stored(&self, room: &str) -> Result<Searched, Refusal> {
        if let Some(bus) = &self.bus {
            let recent = bus.recent(room).await;
            if recent.is_ok() || !bus.goes_on_alone() {
                return Ok(Searched::Messages(recent?));
            }
        }
        let log = self.history.get(room);
        Ok(log.map_or(Searched::Messages(Vec::new()), Searched::Log))
    }

    /// Searches a history, and sends what it finds. A search that is not begun by `deadline` is not
    /// begun at all.
    pub(crate) fn search(
        self: &Arc<Self>,
        searched: Searched,
        to: Arc<Connection>,
        search: Search,
        deadline: Instant,
    ) -> Result<Searching, Refusal> {
        let slot = self.searches.try_slot()?.expires_at(deadline);
        let wanted = Arc::new(());
        let answer = Answer {
            wanted: Arc::downgrade(&wanted),
            to,
            tally: self.tally.clone(),
            is_sent: false,
        };
        let common = self.clone();
        let task = slot.submit_with_handle(move || answer.find(&common.log(searched), search));
        Ok(Searching {
            _wanted: wanted,
            _task: task.cancel_on_drop(),
        })
    }

    /// Returns the messages as a log, bounded in number, age and bytes like a room's.
    fn log(&self, searched: Searched) -> Arc<Log> {
        let messages = match searched {
            Searched::Log(log) => return log,
            Searched::Messages(messages) => messages,
        };
        let log = self.history.separate_log();
        let seq = messages.last().map_or(0, |newest| newest.seq);
        let epoch = log.newest().epoch;
        let limit = self.outbox.longest_text();
        let messages = messages.iter();
        let messages = messages.map(|message| history::restored(message, limit));
        log.begin_at(Position { epoch, seq }, messages);
        log
    }
}

/// An answer that a connection waits for. If it is dropped unsent, the client gets an error.
struct Answer {
    wanted: Weak<()>,
    to: Arc<Connection>,
    tally: Tally,
    is_sent: bool,
}

impl Answer {
    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0 && !self.to.outbox.is_sealed()
    }

    fn find(mut self, log: &Log, search: Search) {
        let Some(messages) = self.matches(log, &search) else {
            return;
        };
        let outbox = &self.to.outbox;
        let answer = Search { messages, ..search };
        let frame = wire::message(&answer, outbox.subprotocol());
        if outbox.offer(vec![frame]) {
            self.is_sent = true;
            self.tally.frames_out.inc(Search::KIND);
        }
    }

    /// Returns the newest messages that contain the text, the oldest first, as many as a page
    /// holds.
    fn matches(&self, log: &Log, search: &Search) -> Option<Vec<Message>> {
        let text = fold(&search.text);
        let (most, bytes) = self.to.outbox.page();
        // The answer is one frame.
        let mut bytes = bytes.min(MAX_PAYLOAD - wire::ADDED);
        let most = search.limit.map_or(most, |limit| most.min(limit as usize));
        let mut found = Vec::new();
        let mut before = search.before;
        'all: while self.is_wanted() {
            let chunk = log.before(before, CHUNK);
            if chunk.is_empty() {
                break;
            }
            for frame in chunk.iter().rev() {
                if found.len() == most {
                    break 'all;
                }
                let message: Message = wire::kept(frame);
                before = Some(message.seq);
                if !fold(&message.text).contains(&text) {
                    continue;
                }
                // One match in any case, or the client cannot continue before it.
                if frame.len() > bytes && !found.is_empty() {
                    break 'all;
                }
                bytes = bytes.saturating_sub(frame.len());
                found.push(message);
            }
        }
        found.reverse();
        self.is_wanted().then_some(found)
    }
}

/// Maps texts that differ only in case to the same text. Maps each letter by itself: the lower case
/// of a whole word has another sigma at its end.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.is_sent && self.is_wanted() {
            let message = "search timed out; retry later";
            let refusal = Refusal::new(ErrorCode::Overloaded, message);
            self.to.refuse(&refusal, &self.tally);
        }
    }
}
