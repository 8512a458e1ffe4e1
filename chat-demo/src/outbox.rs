//! The bounded queue of one client. Whoever has something for the client pushes and never waits; the connection's own
//! future writes. All that is queued leaves in one write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::CloseReason;

/// How much leaves in one write; a larger frame leaves alone.
const BATCH: usize = 64 * 1024;
/// An empty queue keeps room for this many frames; what a burst took beyond is given back.
const KEEP: usize = 8;

thread_local! {
    /// Where frames are put side by side for one write.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(BATCH));
}

/// How much may wait for one client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// See the module's documentation.
pub(crate) struct Outbox {
    limits: Limits,
    /// Never held across a write: a slow socket delays nobody who pushes.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// The length of `frames`, less `offset`.
    bytes: usize,
    /// How much of the first frame has been written.
    offset: usize,
    /// How many frames the write in progress may have begun: an eviction must leave them.
    in_write: usize,
    /// The connection's future, when it waits.
    waker: Option<Waker>,
    /// Once set, nothing more is taken.
    ended: Option<Ended>,
}

/// Who ended the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    ByServer(CloseReason),
    ByClient,
}

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    /// Queues a frame. Says whether the client still takes frames: it does not when it is gone, nor when this frame is
    /// one too many, which evicts it.
    pub(crate) fn push(&self, frame: Bytes) -> bool {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return false;
        }
        if state.frames.len() >= self.limits.frames || state.bytes + frame.len() > self.limits.bytes
        {
            state.evict();
            let waker = state.waker.take();
            drop(state);
            wake(waker);
            return false;
        }
        // With frames ahead of this one the future is awake, or waits for the socket: it will come by.
        let waker = if state.frames.is_empty() {
            state.waker.take()
        } else {
            None
        };
        state.append(frame);
        drop(state);
        wake(waker);
        true
    }

    /// Lets out what is queued, then the reason's farewell, and takes nothing more.
    pub(crate) fn end(&self, reason: CloseReason) {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(Ended::ByServer(reason));
        state.append(reason.farewell());
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    /// Lets out what is queued and takes nothing more: the client has said goodbye.
    pub(crate) fn end_by_client(&self) {
        self.state.lock().ended.get_or_insert(Ended::ByClient);
    }

    /// Drops all: there is nobody to write to.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        let ended = state.ended.or(Some(Ended::ByClient));
        let old = mem::replace(
            &mut *state,
            State {
                ended,
                ..State::default()
            },
        );
        drop(state);
        // Frees frames and a waker: not under the lock.
        drop(old);
    }

    /// Who ended the conversation, if it has ended.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.state.lock().ended
    }

    /// Writes what is queued. Ready when the outbox has ended and all is out, or when a write fails; `sent` is told of
    /// each batch of whole frames.
    pub(crate) fn poll_drain(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
        mut sent: impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut state = self.state.lock();
                if state.frames.is_empty() {
                    if state.ended.is_some() {
                        return Poll::Ready(Ok(()));
                    }
                    state.wait(cx);
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
                    Poll::Ready(Ok(len)) => sent(state.advance(len)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        // Not for more frames, which wait for the socket like these, but for an eviction.
                        state.wait(cx);
                        return Poll::Pending;
                    }
                }
            }
        })
    }
}

/// Wakes the connection's future; called with the lock released, for it may run at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What one write gets.
enum Batch {
    /// A frame that needs no copying.
    One { frame: Bytes, offset: usize },
    /// Several, side by side in the scratch.
    Many,
}

impl State {
    fn append(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Makes room for the farewell, leaving what may have begun to leave: a frame cannot be cut.
    fn evict(&mut self) {
        let begun = self.in_write.max(usize::from(self.offset > 0));
        self.frames.truncate(begun);
        self.bytes = self.frames.iter().map(Bytes::len).sum::<usize>() - self.offset;
        self.ended = Some(Ended::ByServer(CloseReason::SlowConsumer));
        self.append(CloseReason::SlowConsumer.farewell());
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker = Some(cx.waker().clone());
        }
    }

    fn begin_write(&mut self, scratch: &mut Vec<u8>) -> Batch {
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

    /// Forgets `len` bytes from the front; returns how many frames have left whole.
    fn advance(&mut self, len: usize) -> usize {
        self.bytes -= len;
        self.offset += len;
        let mut whole = 0;
        while let Some(frame) = self.frames.front() {
            if self.offset < frame.len() {
                break;
            }
            self.offset -= frame.len();
            self.frames.pop_front();
            whole += 1;
        }
        if self.frames.is_empty() && self.frames.capacity() > KEEP {
            self.frames = VecDeque::new();
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    const LIMITS: Limits = Limits {
        frames: 4,
        bytes: 100,
    };

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An outbox whose socket takes `room` bytes and no more.
    struct Pair {
        outbox: Outbox,
        wakes: Arc<Wakes>,
        written: Vec<u8>,
        writes: usize,
        frames: usize,
    }

    impl Pair {
        fn new() -> Self {
            Self {
                outbox: Outbox::new(LIMITS),
                wakes: Arc::default(),
                written: Vec::new(),
                writes: 0,
                frames: 0,
            }
        }

        fn drain(&mut self, mut room: usize) -> Poll<io::Result<()>> {
            let waker = Waker::from(self.wakes.clone());
            let Self {
                outbox,
                written,
                writes,
                frames,
                ..
            } = self;
            let write = |_: &mut Context<'_>, bytes: &[u8]| {
                let len = bytes.len().min(room);
                if len == 0 {
                    return Poll::Pending;
                }
                room -= len;
                *writes += 1;
                written.extend_from_slice(&bytes[..len]);
                Poll::Ready(Ok(len))
            };
            outbox.poll_drain(&mut Context::from_waker(&waker), write, |whole| {
                *frames += whole;
            })
        }

        fn wakes(&self) -> usize {
            self.wakes.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn all_that_is_queued_leaves_in_one_write() {
        let mut pair = Pair::new();
        for frame in ["one", "two", "three"] {
            assert!(pair.outbox.push(frame.into()));
        }
        assert!(pair.drain(usize::MAX).is_pending());
        assert_eq!(pair.written, b"onetwothree");
        assert_eq!((pair.writes, pair.frames), (1, 3));
    }

    #[test]
    fn any_cut_of_the_stream_goes_on_where_it_stopped() {
        for room in 1..12 {
            let mut pair = Pair::new();
            for frame in ["one", "two", "three"] {
                assert!(pair.outbox.push(frame.into()));
            }
            while pair.written.len() < 11 {
                assert!(pair.drain(room).is_pending());
            }
            assert_eq!(pair.written, b"onetwothree", "in steps of {room}");
            assert_eq!(pair.frames, 3);
            assert_eq!(pair.outbox.state.lock().bytes, 0);
        }
    }

    #[test]
    fn the_first_frame_wakes_and_the_next_do_not() {
        let mut pair = Pair::new();
        assert!(pair.drain(usize::MAX).is_pending());
        assert!(pair.outbox.push("one".into()));
        assert!(pair.outbox.push("two".into()));
        assert_eq!(pair.wakes(), 1);
    }

    #[test]
    fn one_frame_too_many_evicts_and_wakes() {
        let mut pair = Pair::new();
        for _ in 0..LIMITS.frames {
            assert!(pair.outbox.push("frame".into()));
        }
        assert!(pair.drain(0).is_pending());
        assert!(!pair.outbox.push("frame".into()));
        assert_eq!(pair.wakes(), 1);
        assert_eq!(
            pair.outbox.ended(),
            Some(Ended::ByServer(CloseReason::SlowConsumer))
        );
        assert!(matches!(pair.drain(usize::MAX), Poll::Ready(Ok(()))));
        assert_eq!(
            pair.written,
            CloseReason::SlowConsumer.farewell(),
            "the queued frames are gone"
        );
    }

    #[test]
    fn too_many_bytes_evict() {
        let pair = Pair::new();
        assert!(pair.outbox.push(vec![0; 60].into()));
        assert!(!pair.outbox.push(vec![0; 60].into()));
        assert!(
            !pair.outbox.push("tiny".into()),
            "an evicted client takes nothing"
        );
    }

    #[test]
    fn an_eviction_lets_a_begun_frame_end() {
        let mut pair = Pair::new();
        for frame in ["one", "two", "three", "four"] {
            assert!(pair.outbox.push(frame.into()));
        }
        assert!(pair.drain(4).is_pending());
        assert!(pair.outbox.push("five".into()));
        assert!(!pair.outbox.push("six".into()));
        assert!(pair.drain(usize::MAX).is_ready());
        let expected = [b"onetwo", &CloseReason::SlowConsumer.farewell()[..]].concat();
        assert_eq!(pair.written, expected);
    }

    #[test]
    fn an_eviction_during_a_write_cuts_no_frame() {
        let outbox = Outbox::new(LIMITS);
        for frame in ["one", "two"] {
            assert!(outbox.push(frame.into()));
        }
        let mut written = Vec::new();
        let mut first = true;
        let ready = outbox.poll_drain(
            &mut Context::from_waker(Waker::noop()),
            |_, bytes| {
                let len = if mem::take(&mut first) {
                    4
                } else {
                    bytes.len()
                };
                written.extend_from_slice(&bytes[..len]);
                while outbox.push("more".into()) {}
                Poll::Ready(Ok(len))
            },
            |_| (),
        );
        assert!(ready.is_ready());
        assert_eq!(
            written,
            [b"onetwo", &CloseReason::SlowConsumer.farewell()[..]].concat()
        );
    }

    #[test]
    fn the_end_lets_out_what_is_queued_and_comes_once() {
        let mut pair = Pair::new();
        assert!(pair.outbox.push("last".into()));
        pair.outbox.end(CloseReason::Restart);
        pair.outbox.end(CloseReason::Idle);
        assert!(!pair.outbox.push("late".into()));
        assert!(pair.drain(usize::MAX).is_ready());
        assert_eq!(
            pair.written,
            [b"last", &CloseReason::Restart.farewell()[..]].concat()
        );
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let outbox = Outbox::new(Limits {
            frames: 1000,
            bytes: 1000,
        });
        for _ in 0..1000 {
            assert!(outbox.push("x".into()));
        }
        let drained = outbox.poll_drain(
            &mut Context::from_waker(Waker::noop()),
            |_, b| Poll::Ready(Ok(b.len())),
            |_| (),
        );
        assert!(drained.is_pending());
        assert!(outbox.state.lock().frames.capacity() <= KEEP);
    }

    #[test]
    fn a_frame_larger_than_a_batch_leaves_whole() {
        let outbox = Outbox::new(Limits {
            frames: 4,
            bytes: 1 << 20,
        });
        let large = vec![7; BATCH * 2];
        assert!(
            outbox.push("small".into())
                && outbox.push(large.clone().into())
                && outbox.push("end".into())
        );
        let mut written = Vec::new();
        let write = |_: &mut Context<'_>, bytes: &[u8]| {
            written.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        };
        assert!(
            outbox
                .poll_drain(&mut Context::from_waker(Waker::noop()), write, |_| ())
                .is_pending()
        );
        assert_eq!(written, [b"small", &large[..], b"end"].concat());
    }
}
