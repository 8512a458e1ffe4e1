//! The bounded queue of one client. Pushing never waits; the connection's future writes. Everything
//! queued is sent in one write. After a write that emptied the queue of several frames, the next
//! write waits for a turn of the other tasks, which may queue more.
//!
//! | filled to | |
//! |---|---|
//! | a half | the client is behind: its patience begins |
//! | three quarters | publishers wait until it is below a half, or the patience is over |
//! | full | the client is evicted, unless the patience lasts |
//! | twice full | the client is evicted |

mod limits;
mod relief;
mod state;

use std::cell::RefCell;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use chat_demo_client::subprotocol::Subprotocol;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::state::{BATCH, Batch, State};
use crate::error::CloseReason;

pub(crate) use self::limits::Limits;
pub(crate) use self::state::Ended;

thread_local! {
    /// Where frames are put side by side for one write.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(BATCH));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// It is queued, and the next ones should wait for the client.
    Behind,
    /// The client takes no frames: it is gone, or this frame evicted it.
    Refused,
}

impl Pushed {
    pub(crate) fn is_queued(self) -> bool {
        self != Self::Refused
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct Outbox {
    limits: Limits,
    subprotocol: Subprotocol,
    /// Never held during a write: a slow socket must not delay publishers.
    state: Mutex<State>,
}

impl Outbox {
    pub(crate) fn new(limits: Limits, subprotocol: Subprotocol) -> Self {
        Self {
            limits,
            subprotocol,
            state: Mutex::default(),
        }
    }

    pub(crate) fn subprotocol(&self) -> Subprotocol {
        self.subprotocol
    }

    /// Queues all frames if they fit, and none otherwise, without evicting the client. Returns
    /// whether they were queued.
    pub(crate) fn offer(&self, frames: Vec<Bytes>) -> bool {
        let mut state = self.state.lock();
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        if state.frames.len() + frames.len() > self.limits.frames
            || state.bytes + bytes > self.limits.bytes
        {
            // With nothing to queue, all of it is.
            return frames.is_empty();
        }
        if state.sealed {
            // The connection has ended.
            return true;
        }
        let waker = state.waker_for_more();
        for frame in frames {
            state.append(frame);
        }
        if self.limits.are_filled(2, state.frames.len(), state.bytes) {
            state.behind_since.get_or_insert_with(Instant::now);
        }
        drop(state);
        waker.wake();
        true
    }

    /// Queues a frame of little worth, unless the client has a quarter of what it may have. Returns
    /// whether it is queued.
    pub(crate) fn hint(&self, frame: Bytes) -> bool {
        let state = self.state.lock();
        let (frames, bytes) = (state.frames.len() + 1, state.bytes + frame.len());
        if state.sealed || self.limits.are_filled(1, frames, bytes) {
            return false;
        }
        queue(state, frame);
        true
    }

    /// Queues a frame. Evicts the client if this frame is one too many.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if state.sealed {
            return Pushed::Refused;
        }
        let (frames, bytes) = (state.frames.len() + 1, state.bytes + frame.len());
        // Most often.
        if !self.limits.are_filled(2, frames, bytes) {
            queue(state, frame);
            return Pushed::Queued;
        }
        let now = Instant::now();
        let since = *state.behind_since.get_or_insert(now);
        let is_patient = now.duration_since(since) < self.limits.patience;
        let is_over = frames > self.limits.frames || bytes > self.limits.bytes;
        let is_far_over = frames > 2 * self.limits.frames || bytes > 2 * self.limits.bytes;
        if is_far_over || (is_over && !is_patient) {
            state.evict(self.subprotocol);
            let released = state.release();
            drop(state);
            released.wake();
            return Pushed::Refused;
        }
        queue(state, frame);
        if is_patient && self.limits.are_filled(3, frames, bytes) {
            Pushed::Behind
        } else {
            Pushed::Queued
        }
    }

    /// Lets out what is queued and what is owed, then the reason's farewell, and takes nothing
    /// more.
    pub(crate) fn end(&self, reason: CloseReason) {
        let farewell = reason.farewell(self.subprotocol);
        self.change(|state| state.end(Ended::ByServer(reason), Some(farewell)));
    }

    /// Lets out what is queued and what is owed, then the answer to the client's goodbye, and takes
    /// nothing more.
    pub(crate) fn end_by_client(&self, answer: Option<Bytes>) {
        self.change(|state| state.end(Ended::ByClient, answer));
    }

    /// An answer is owed until the returned guard is dropped: the conversation does not end before.
    pub(crate) fn owe(self: &Arc<Self>) -> Owed {
        self.state.lock().owed += 1;
        Owed(self.clone())
    }

    /// A frame of the client is being handled, or no longer. Meanwhile the client's goodbye is not
    /// answered.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.change(|state| {
            state.busy = busy;
            state.seal_if_settled();
        });
    }

    /// Ends the connection without sending the queue.
    pub(crate) fn seal(&self) {
        self.change(State::seal);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let released = state.ended.map(|_| state.release());
        drop(state);
        released.unwrap_or_default().wake();
    }

    /// Drops the queue: the connection has ended.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        let ended = state.ended.or(Some(Ended::ByClient));
        let empty = State {
            ended,
            sealed: true,
            ..State::default()
        };
        let mut old = mem::replace(&mut *state, empty);
        drop(state);
        old.release().wake();
        // Frees frames: not under the lock.
        drop(old);
    }

    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.state.lock();
        Waiting {
            frames: state.frames.len(),
            bytes: state.bytes,
        }
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_sealed(&self) -> bool {
        self.state.lock().sealed
    }

    /// Returns what ended the connection, if it has ended.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.state.lock().ended
    }

    /// Writes what is queued. Ready when the outbox has ended and all is out, or when a write
    /// fails.
    pub(crate) fn poll_drain(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut state = self.state.lock();
                if state.frames.is_empty() {
                    if state.sealed {
                        return Poll::Ready(Ok(()));
                    }
                    state.wait(cx);
                    return Poll::Pending;
                }
                if state.gathers() {
                    drop(state);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let batch = state.begin_write(scratch);
                drop(state);

                let written = match &batch {
                    Batch::One { frame, offset } => write(cx, &frame[*offset..]),
                    Batch::Many => write(cx, scratch),
                };

                let mut state = self.state.lock();
                state.in_write = 0;
                match written {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(len)) => {
                        state.advance(len);
                        state.may_gather = matches!(batch, Batch::Many) && state.frames.is_empty();
                        let released = state.relieve(&self.limits);
                        drop(state);
                        released.wake();
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        // Not for more frames, which wait for the socket like these, but for an
                        // eviction.
                        state.wait(cx);
                        return Poll::Pending;
                    }
                }
            }
        })
    }
}

pub(crate) struct Owed(Arc<Outbox>);

fn queue(mut state: MutexGuard<'_, State>, frame: Bytes) {
    let waker = state.waker_for_more();
    state.append(frame);
    drop(state);
    waker.wake();
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.change(|state| {
            // An outbox that was abandoned owes nothing.
            state.owed = state.owed.saturating_sub(1);
            state.seal_if_settled();
        });
    }
}

#[cfg(test)]
mod gather_tests;
#[cfg(test)]
mod tests;
