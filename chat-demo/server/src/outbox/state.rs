//! The content of an outbox, under its lock.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use chat_demo_client::subprotocol::Subprotocol;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::Limits;
use crate::error::CloseReason;

/// How much leaves in one write; a larger frame leaves alone.
pub(super) const BATCH: usize = 64 * 1024;
/// An empty queue keeps room for this many frames; what a burst took beyond is given back.
pub(super) const KEEP: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    ByServer(CloseReason),
    ByClient,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) frames: VecDeque<Bytes>,
    /// The length of `frames`, less `offset`.
    pub(super) bytes: usize,
    /// How much of the first frame has been written.
    pub(super) offset: usize,
    /// How many frames the write in progress may have begun: an eviction must leave them.
    pub(super) in_write: usize,
    /// Whether the next write may wait for a turn of the other tasks.
    pub(super) may_gather: bool,
    /// The connection's future, when it waits.
    pub(super) waker: Option<Waker>,
    /// Returns what ended the connection, if it has ended. Queued frames can still be taken.
    pub(super) ended: Option<Ended>,
    /// The last bytes, until they are queued.
    pub(super) last: Option<Bytes>,
    /// Nothing more is taken.
    pub(super) sealed: bool,
    /// Answers to what was accepted that have not been queued yet.
    pub(super) owed: usize,
    /// Whether a frame of the client is being handled.
    pub(super) busy: bool,
    /// Since when at least half is filled.
    pub(super) behind_since: Option<Instant>,
    /// Notified when less than half is filled, or the outbox ends; set while a publisher waits.
    pub(super) relief: Option<Arc<Notify>>,
}

pub(super) enum Batch {
    /// A frame that needs no copying.
    One { frame: Bytes, offset: usize },
    /// Several, side by side in the scratch.
    Many,
}

impl State {
    /// Whom to wake for more frames. With frames ahead of them the future is awake, or waits for
    /// the socket: it will come by.
    pub(super) fn waker_for_more(&mut self) -> Released {
        let waker = self.frames.is_empty().then(|| self.waker.take()).flatten();
        let relief = None;
        Released { waker, relief }
    }

    pub(super) fn append(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Makes room for the farewell, leaving what may have begun to leave: a frame cannot be cut.
    pub(super) fn evict(&mut self, subprotocol: Subprotocol) {
        let begun = self.in_write.max(usize::from(self.offset > 0));
        self.frames.truncate(begun);
        self.bytes = self.frames.iter().map(Bytes::len).sum::<usize>() - self.offset;
        self.owed = 0;
        self.busy = false;
        if self.ended.is_none() {
            let reason = CloseReason::SlowConsumer;
            self.end(Ended::ByServer(reason), Some(reason.farewell(subprotocol)));
        }
        self.seal();
    }

    pub(super) fn end(&mut self, ended: Ended, last: Option<Bytes>) {
        if self.ended.is_none() {
            (self.ended, self.last) = (Some(ended), last);
            self.seal_if_settled();
        }
    }

    pub(super) fn seal_if_settled(&mut self) {
        let is_busy = self.busy && self.ended == Some(Ended::ByClient);
        if self.ended.is_some() && self.owed == 0 && !is_busy {
            self.seal();
        }
    }

    pub(super) fn seal(&mut self) {
        if let Some(last) = self.last.take() {
            self.append(last);
        }
        self.sealed = true;
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            // Clones only the waker of another task.
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Returns whether the frames wait for a turn of the other tasks, at most once after each write
    /// that emptied the queue of several frames. More are then likely to come, and a write costs far
    /// more than a turn. A client that is behind does not wait, or it might be evicted.
    pub(super) fn gathers(&mut self) -> bool {
        mem::take(&mut self.may_gather) && self.ended.is_none() && self.behind_since.is_none()
    }

    pub(super) fn begin_write(&mut self, scratch: &mut Vec<u8>) -> Batch {
        scratch.clear();
        let mut skip = self.offset;
        self.in_write = 0;
        for frame in &self.frames {
            let rest = &frame[mem::take(&mut skip)..];
            if scratch.len() + rest.len() > BATCH {
                break;
            }
            scratch.extend_from_slice(rest);
            self.in_write += 1;
            if self.frames.len() == 1 {
                break;
            }
        }
        if self.in_write > 1 {
            return Batch::Many;
        }
        self.in_write = 1;
        Batch::One {
            frame: self.frames[0].clone(),
            offset: self.offset,
        }
    }

    /// Forgets `len` bytes from the front.
    pub(super) fn advance(&mut self, len: usize) {
        self.bytes -= len;
        self.offset += len;
        while let Some(frame) = self.frames.front() {
            if self.offset < frame.len() {
                break;
            }
            self.offset -= frame.len();
            self.frames.pop_front();
        }
        if self.frames.is_empty() && self.frames.capacity() > KEEP {
            self.frames = VecDeque::new();
        }
    }

    /// Takes the wakers of the connection's future and of waiting publishers.
    pub(super) fn release(&mut self) -> Released {
        Released {
            waker: self.waker.take(),
            relief: self.relief.take(),
        }
    }

    /// Notes that a client has caught up; returns whom to notify.
    pub(super) fn relieve(&mut self, limits: &Limits) -> Released {
        if self.behind_since.is_none() || limits.are_filled(2, self.frames.len(), self.bytes) {
            return Released::default();
        }
        self.behind_since = None;
        let (waker, relief) = (None, self.relief.take());
        Released { waker, relief }
    }
}

/// The connection's future and the publishers to wake when an outbox changes. Callers release the
/// lock first, because these may run at once.
#[derive(Default)]
pub(super) struct Released {
    waker: Option<Waker>,
    relief: Option<Arc<Notify>>,
}

impl Released {
    pub(super) fn wake(self) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if let Some(relief) = self.relief {
            relief.notify_waiters();
        }
    }
}
